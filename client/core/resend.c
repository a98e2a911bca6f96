/* SPDX-License-Identifier: Apache-2.0 */
/* resend.c - what OSTs have answered and may lose with their power: it stays here until they say
 * that it is stable, and is sent again after such a loss.
 *
 * Each target of a lane keeps what went through it (unstable.h). OSTs make everything stable every
 * few seconds, and are asked for news of it a little later, by a fiber that runs as long as
 * something is kept. All of a mount together keep up to max_unstable_mb: from half of that on the
 * OSTs are asked to sync at once, and at the bound writers wait, so they become as fast as the
 * disks.
 *
 * When an OST comes back without its power having held, it lets nobody in until each of its clients
 * has sent what it has (oss/window.h). That happens here before anything else uses the import. Who
 * comes too late has lost it: then the file's next fsync says so.
 */
#include "client/core/resend.h"
#include "common/again.h"
#include "common/log.h"
#include <stdlib.h>

#define NEWS_NS	  (6 * NSEC_PER_SEC) /* OSTs sync every five, unless told otherwise */
#define RETRY_NS  NSEC_PER_SEC
enum { STOP_MS = 10000 };

void resend_init(struct target *t)
{
	unstable_init(&t->unstable);
	co_waitq_init(&t->commit_q);
}

/* ---- how much there is ---- */

static void count(struct target *t, uint64_t more, uint64_t less)
{
	struct fs *fs = t->ost->fs;
	uint64_t half = (uint64_t)fs->max_unstable_mb << 19;
	bool crossed;

	if (!more && !less)
		return;
	fs_lock(fs);
	crossed = fs->unstable_bytes < half && fs->unstable_bytes + more >= half;
	fs->unstable_bytes += more - less;
	if (less)
		xwait_wake(&fs->unstable_room);
	for (uint32_t i = 0; crossed && i < MAX_LANES; i++)
		if (fs->lanes[i])
			loop_post(fs->lanes[i]->loop, &fs->lanes[i]->press);
	fs_unlock(fs);
}

/* Too much, for this moment. */
static bool is_much(struct fs *fs)
{
	bool much;

	fs_lock(fs);
	much = fs->unstable_bytes >= (uint64_t)fs->max_unstable_mb << 19;
	fs_unlock(fs);
	return much;
}

void resend_heard(struct target *t, uint64_t stable)
{
	if (!t->resending && !TAILQ_EMPTY(&t->unstable.changes))
		count(t, 0, unstable_stable(&t->unstable, stable));
}

static void forget_all(struct target *t)
{
	count(t, 0, unstable_stable(&t->unstable, UINT64_MAX));
}

void resend_fini(struct target *t)
{
	forget_all(t);
}

void resend_press(struct lane *ln)
{
	for (uint32_t i = 0; i < ln->nost; i++)
		if (ln->ost[i])
			co_wake_all(&ln->ost[i]->commit_q);
}

/* One change may always be kept, however large. */
void resend_co_room(struct target *t, uint64_t len)
{
	struct fs *fs = t->ost->fs;

	fs_lock(fs);
	while (fs->unstable_bytes && !t->lane->stopping &&
	       fs->unstable_bytes + len > (uint64_t)fs->max_unstable_mb << 20) {
		fs->unstable_count.waits++;
		xwait_co(&fs->unstable_room, &fs->lock, t->lane->loop);
	}
	fs_unlock(fs);
}

/* ---- asking to make it stable ---- */

static void co_commit(struct target *t)
{
	struct oss_commit_req q = {};
	struct oss_commit_rep p;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = t->lane->stopping ? STOP_MS : 0;
	fs_lock(t->ost->fs);
	t->ost->fs->unstable_count.commits++;
	fs_unlock(t->ost->fs);
	rc = oss_co_commit(t->imp, &call, &q, &p); /* resend_heard() */
	if (rc == 0)
		return;
	if (!call.hdr.boot_id) { /* no answer: it is switched off, or this is the end */
		if (!t->lane->stopping)
			(void)!co_wait(&t->commit_q, loop_now(t->lane->loop) + RETRY_NS);
		return;
	}
	if (rc != -ESHUTDOWN) {
		log_err("%s cannot make stable what was written: %s; if it loses its power now, "
			"that may be lost",
			t->ost->name, err_str(rc));
		forget_all(t);
	}
}

static void commit_fiber(void *arg)
{
	struct target *t = arg;
	struct lane *ln = t->lane;
	struct unstable_change *c;

	while ((c = TAILQ_FIRST(&t->unstable.changes))) {
		uint64_t due = c->when_ns + NEWS_NS;

		if (!ln->stopping && due > loop_now(ln->loop) && !is_much(ln->fs)) {
			(void)!co_wait(&t->commit_q, due);
			continue;
		}
		co_commit(t);
		if (ln->stopping)
			break;
	}
	t->committing = false;
}

/* ---- keeping ---- */

static struct bytes *copy(const struct iovec *iov, uint32_t niov)
{
	uint64_t len = 0;
	struct bytes *b;

	for (uint32_t i = 0; i < niov; i++)
		len += iov[i].iov_len;
	b = bytes_new((uint32_t)len);
	len = 0;
	for (uint32_t i = 0; b && i < niov; i++) {
		memcpy(b->mem + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return b;
}

/* With the bytes as the request has them; NULL: out of memory. */
static struct unstable_change *change_new(struct bytes *bytes, const struct iovec *iov,
					  uint32_t niov)
{
	struct unstable_change *c = unstable_new(bytes ? niov : 1);

	if (!c || !niov) {
		if (c)
			c->niov = 0;
		return c;
	}
	if (bytes) {
		c->bytes = bytes_get(bytes);
		memcpy(c->iov, iov, niov * sizeof(*iov));
		return c;
	}
	c->bytes = copy(iov, niov);
	if (!c->bytes) {
		free(c);
		return NULL;
	}
	c->iov[0] = (struct iovec){c->bytes->mem, c->bytes->cap};
	return c;
}

void resend_co_keep(struct target *t, const struct wire_hdr *h, const struct oss_again_req *q,
		    uint64_t written_ns, struct bytes *bytes, const struct iovec *iov,
		    uint32_t niov)
{
	struct lane *ln = t->lane;
	struct unstable_change *c;

	if (h->transno <= h->last_committed)
		return;
	c = change_new(bytes, iov, niov);
	if (!c) { /* then it is made stable now */
		co_commit(t);
		return;
	}
	c->req = *q;
	c->number = c->req.number = h->transno;
	c->when_ns = loop_now(ln->loop);
	c->written_ns = written_ns ? written_ns : loop_clock(ln->loop);
	unstable_add(&t->unstable, c);
	count(t, c->counted, 0);
	if (!t->committing) {
		t->committing = true;
		lane_background(ln, commit_fiber, t);
	}
}

/* ---- sending again ---- */

static void lost(struct target *t)
{
	struct fs *fs = t->ost->fs;
	struct unstable_change *c;
	struct fid told = {0};
	uint32_t n = 0;

	TAILQ_FOREACH(c, &t->unstable.changes, link)
	{
		struct data *d;

		n++;
		if (fid_eq(&c->req.fid, &told))
			continue;
		told = c->req.fid;
		d = data_find(fs, &told);
		if (!d)
			continue;
		wback_lost(d, t->ost->name);
		data_put(t->lane, d);
	}
	if (n)
		log_err("%s lost its power, and this client came back too late: %u writes that "
			"were not synced may be lost",
			t->ost->name, n);
	fs_lock(fs);
	fs->unstable_count.lost += n;
	fs_unlock(fs);
	forget_all(t);
}

void resend_co_restart(struct target *t, struct rpc_import *imp)
{
	struct fs *fs = t->ost->fs;
	struct again a = {.loop = t->lane->loop,
			  .changes = &t->unstable,
			  .busy = &t->resending,
			  .lane = t->lane->index,
			  .power = t->power,
			  .nocrc = !t->ost->checksums};
	int rc;

	fs_lock(fs);
	a.lanes = t->ost->lanes;
	fs_unlock(fs);
	rc = again_co_restart(&a, imp);
	t->power = a.power;
	if (rc && !rpc_import_connected(imp))
		return; /* it begins anew */
	if (a.sent)
		log_info("%s lost its power: %u writes that were not stable were sent again",
			 t->ost->name, a.sent);
	if (rc && rc != -ESTALE)
		log_err("%s: what it had not on its disk could not be sent again: %s", t->ost->name,
			err_str(rc));
	fs_lock(fs);
	fs->unstable_count.again += a.sent;
	fs_unlock(fs);
	resend_heard(t, a.stable);
	if (rc)
		lost(t);
}
