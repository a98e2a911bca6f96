/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.c - a process that is being killed need not wait for a server that does not answer.
 *
 * FUSE_INTERRUPT says that the caller of some request got a signal, not which. Only when the
 * caller is being killed nobody will miss the result, so only then the request is answered with
 * EINTR at once; the operation itself runs to its end and its late answer is dropped by the
 * kernel. Waits for file locks are different: they can be taken back, which libfuse tells
 * ops_lock.c to do.
 * The request may be served by any lane, so all are asked, each on its own thread; one that has
 * it in its ring looks there first, as INTERRUPT does not come by that way.
 */
#include "client/fuse/face.h"
#include "common/log.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct question {
	struct flane *fl;
	struct loop_work work;
	struct fuse_in_header h;
	struct fuse_interrupt_in in;
};

/* A signal that ends a process is turned into SIGKILL for all its threads by the kernel. */
static bool being_killed(uint32_t tid)
{
	char path[40], line[128];
	uint64_t set;
	bool yes = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	f = fopen(path, "re");
	while (f && !yes && fgets(line, sizeof(line), f))
		if (sscanf(line, "SigPnd: %" SCNx64, &set) == 1 ||
		    sscanf(line, "ShdPnd: %" SCNx64, &set) == 1)
			yes = set >> (SIGKILL - 1) & 1;
	if (f)
		fclose(f);
	return yes;
}

static void ask_lane(void *arg)
{
	struct question *q = arg;
	const struct fuse_in_header *h;
	struct fuse_buf fb = {.size = sizeof(q->h) + sizeof(q->in), .mem = &q->h};
	struct serve *s;

	if (q->fl->uring)
		uring_reap(q->fl->uring);
	TAILQ_FOREACH(s, &q->fl->serving, link) {
		h = serve_head(s);
		if (h->unique != q->in.unique)
			continue;
		if (h->opcode == FUSE_SETLKW)
			fuse_session_process_buf(q->fl->face->se, &fb);
		else if (being_killed(h->pid) && uring_abandon(s) == 0)
			raw_reply(q->fl->face, q->in.unique, -EINTR, NULL, 0);
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
