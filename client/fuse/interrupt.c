/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.c - a process that is being killed need not wait for a server that does not answer.
 *
 * FUSE_INTERRUPT says that the caller of some request got a signal, not which. Only when the
 * caller is being killed nobody will miss the result, so only then the request is answered with
 * EINTR, and not before it has had a second: whoever has seen a process die expects that it does
 * nothing any more. The operation itself runs to its end, its late answer is dropped by the
 * kernel, and as that did not learn what was changed it is told to forget what it knew. Waits for
 * file locks are different: they can be taken back, which libfuse tells ops_lock.c to do.
 * The request may be served by any lane, so all are asked, each on its own thread; one that has
 * it in its ring looks there first, as INTERRUPT does not come by that way.
 *
 * Linux (to 6.18 at least) forgets a signal that comes after a request was put into a queue of the
 * ring and before the lane's thread took it. It stays pending, so requests that came that way and
 * are served long are looked at once.
 */
#include "client/fuse/face.h"
#include "common/log.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_NS NSEC_PER_SEC

struct question {
	struct flane *fl;
	struct loop_work work;
	struct fuse_in_header h;
	struct fuse_interrupt_in in;
};

/* Signals that a thread has not taken yet and does not block. */
static uint64_t pending_signals(uint32_t tid)
{
	char path[40], line[128];
	uint64_t set, all = 0, blocked = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "SigPnd: %" SCNx64, &set) == 1 ||
		    sscanf(line, "ShdPnd: %" SCNx64, &set) == 1)
			all |= set;
		else if (sscanf(line, "SigBlk: %" SCNx64, &set) == 1)
			blocked = set;
	}
	if (f)
		fclose(f);
	return all & ~blocked;
}

/* A signal that ends a process is turned into SIGKILL for all its threads by the kernel. */
static bool being_killed(uint32_t tid)
{
	return pending_signals(tid) >> (SIGKILL - 1) & 1;
}

static void interrupted(struct serve *s, struct question *q)
{
	const struct fuse_in_header *h = serve_head(s);
	struct fuse_buf fb = {.size = sizeof(q->h) + sizeof(q->in), .mem = &q->h};

	if (h->opcode == FUSE_SETLKW)
		fuse_session_process_buf(s->fl->face->se, &fb);
	else if (!s->kill_ns && being_killed(h->pid)) {
		s->kill_ns = loop_clock(s->fl->loop);
		flane_look(s->fl);
	}
}

/* True: later. */
static bool give_up(struct serve *s, uint64_t now)
{
	if (!s->kill_ns || s->given_up)
		return false;
	if (now < s->kill_ns + PATIENCE_NS)
		return true;
	if (uring_abandon(s))
		return true;
	s->given_up = true;
	raw_reply(s->fl->face, serve_head(s)->unique, -EINTR, NULL, 0);
	return false;
}

/* The other inode or directory that it names; 0: none. */
static fuse_ino_t second_node(const struct serve *s)
{
	const struct fuse_rename_in *rename = serve_body(s, sizeof(*rename));
	const struct fuse_link_in *link = serve_body(s, sizeof(*link));

	switch (serve_head(s)->opcode) {
	case FUSE_RENAME:
	case FUSE_RENAME2: /* begins in the same way */
		return rename ? rename->newdir : 0;
	case FUSE_LINK:
		return link ? link->oldnodeid : 0;
	default:
		return 0;
	}
}

void interrupt_co_over(const struct serve *s)
{
	const fuse_ino_t node[2] = {serve_head(s)->nodeid, second_node(s)};
	struct fs_inval v[2] = {0};
	uint32_t i, n = 0;

	for (i = 0; i < ARRAY_SIZE(node); i++)
		if (node[i] && face_fid(s->fl->face, node[i], &v[n].fid) == 0)
			n++;
	notifier_co_invalidate(s->fl->face, s->fl->ln, v, n, true);
}

static void ask_lane(void *arg)
{
	struct question *q = arg;
	struct serve *s;

	if (q->fl->uring)
		uring_reap(q->fl->uring);
	TAILQ_FOREACH(s, &q->fl->serving, link)
	{
		if (serve_head(s)->unique != q->in.unique)
			continue;
		interrupted(s, q);
		break;
	}
	free(q);
}

void interrupt_ask(struct face *f, const struct serve *s)
{
	const struct fuse_interrupt_in *in = serve_body(s, sizeof(*in));
	uint32_t i;

	if (!in)
		return;
	for (i = 0; i < f->nlanes; i++) {
		struct question *q = calloc(1, sizeof(*q));

		if (!q) {
			log_warn("out of memory: a killed process may have to wait");
			return;
		}
		q->fl = f->lane[i];
		q->h = *serve_head(s);
		q->in = *in;
		q->work = (struct loop_work){.fn = ask_lane, .arg = q};
		loop_post(q->fl->loop, &q->work);
	}
}

bool interrupt_look(struct flane *fl, uint64_t before_ns)
{
	struct serve *s;
	uint64_t now = loop_clock(fl->loop);
	bool more = false;

	TAILQ_FOREACH(s, &fl->serving, link)
	{
		const struct fuse_in_header *h = serve_head(s);
		struct question q = {
			.h = *h,
			.in = {.unique = h->unique},
		};

		more |= give_up(s, now);
		if (!s->ent || s->looked)
			continue;
		if (s->asked_ns > before_ns) {
			more = true;
			continue;
		}
		s->looked = true;
		q.h.len = sizeof(q.h) + sizeof(q.in);
		q.h.opcode = FUSE_INTERRUPT;
		q.h.unique |= 1;
		if (pending_signals(h->pid))
			interrupted(s, &q);
		more |= s->kill_ns && !s->given_up;
	}
	return more;
}
