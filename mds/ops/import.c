/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - mds_hsm_import: entries of a container become names, many in one transaction.
 *
 * First what takes long, entry by entry: files of which data are here, and have to go, are replaced
 * (restore.c). Then others give back what they have of the directories, and of what is to be
 * changed; and then everything else is done at once. What is in the way in that moment, because
 * somebody was quicker, is told with -EAGAIN, and comes again.
 *
 * The reply leaves when all is on the disk, and what is sent again does nothing: nobody has to do
 * it again after a crash.
 */
#include "mds/hsm_import.h"
#include "mds/hsm_queue.h"
#include "mds/state.h"
#include <stdlib.h>
#include <sys/stat.h>

enum { PASSES = 8 };

struct item {
	struct mds_import_entry e;
	struct mds_import_result r;
	bool done;
};

struct batch {
	struct rpc_op *op;
	struct import im;
	struct item *item;
	uint32_t n;
};

static int decode(struct batch *b, struct span entries)
{
	struct rbuf r = rbuf_of(entries);
	int rc = 0;

	while (rc == 0 && r.len) {
		if (b->n == IMPORT_BATCH)
			return -EINVAL;
		rc = dec_mds_import_entry(&r, &b->item[b->n].e);
		if (rc == 0 && !import_is_sane(&b->item[b->n].e))
			rc = -EINVAL;
		b->n++;
	}
	return rc;
}

/* A damaged inode is that entry's misfortune. */
static int look_in(struct batch *b, struct txn *t, struct item *it, enum import_todo *todo)
{
	int rc = import_look(&b->im, t, &it->e, todo, &it->r);

	if (rc != -EIO)
		return rc;
	it->r.error = rc;
	*todo = IMPORT_DO_NOTHING;
	return 0;
}

/* As it is at this moment. */
static int look(struct batch *b, struct item *it, enum import_todo *todo)
{
	bool in_batch;
	struct txn *t;
	int rc = store_read(op_mds(b->op)->store, &t, &in_batch);

	return rc ? rc : look_in(b, t, it, todo);
}

/* ---- what takes long ---- */

static bool is_unsettled(struct batch *b, const struct item *it)
{
	return it->r.what == IMPORT_ERROR && it->r.error == -EBUSY &&
	       !hsm_find_file(b->im.queue, &it->r.fid);
}

static int replace(struct batch *b, struct item *it)
{
	enum import_todo todo;
	int rc = look(b, it, &todo);

	if (rc == 0 && is_unsettled(b, it)) { /* a writer, or what became of one */
		rc = op_co_settle_data(b->op, &it->r.fid);
		if (rc == 0)
			rc = look(b, it, &todo);
	}
	if (rc || todo != IMPORT_DO_REPLACE)
		return rc;
	rc = hsm_co_replace(b->op, &it->r.fid, &it->e, b->im.archive);
	if (rc == -ESTALE || rc == -ESHUTDOWN)
		return rc;
	if (rc) {
		it->r.what = IMPORT_ERROR;
		it->r.error = rc;
	}
	it->done = true;
	return 0;
}

static bool same_parent(const struct batch *b, uint32_t i)
{
	return i && fid_eq(&b->item[i].e.parent, &b->item[i - 1].e.parent);
}

#define OF_PARENT (LEASE_UPDATE | LEASE_OWN)
#define OF_CHILD  (LEASE_UPDATE | LEASE_XATTR | LEASE_EXCLUSIVE | LEASE_OWN)

static bool in_the_way(struct batch *b, uint32_t i, enum import_todo todo)
{
	const struct item *it = &b->item[i];

	return op_must_revoke(b->op, &it->e.parent, OF_PARENT) ||
	       (todo == IMPORT_DO_SET && op_must_revoke(b->op, &it->r.fid, OF_CHILD));
}

/* 1: it was waited for. */
static int make_way(struct batch *b, uint32_t i)
{
	struct item *it = &b->item[i];
	enum import_todo todo;
	int rc, waited = 0;

	if (!same_parent(b, i))
		waited = op_co_revoke(b->op, &(struct revoke){it->e.parent, OF_PARENT}, 1);
	rc = waited < 0 ? waited : look(b, it, &todo);
	if (rc == 0 && todo == IMPORT_DO_SET)
		rc = op_co_revoke(b->op, &(struct revoke){it->r.fid, OF_CHILD}, 1);
	return rc < 0 ? rc : rc || waited;
}

static int prepare(struct batch *b)
{
	bool waited = true;
	uint32_t i, pass;
	int rc = 0;

	for (i = 0; i < b->n && rc == 0; i++)
		if (b->im.mode != IMPORT_FAIL && b->im.mode != IMPORT_SKIP)
			rc = replace(b, &b->item[i]);
	for (pass = 0; pass < PASSES && waited && rc >= 0; pass++) {
		waited = false;
		for (i = 0; i < b->n && rc >= 0; i++) {
			rc = b->item[i].done ? 0 : make_way(b, i);
			waited = waited || rc > 0;
		}
	}
	return rc < 0 ? rc : 0;
}

/* ---- all at once ---- */

static int share(struct batch *b)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < b->n && rc >= 0; i++) {
		const struct mds_import_entry *e = &b->item[i].e;
		const struct share_use use[] = {
			{e->parent, SPAN_NONE, SHARE_ADD},
			{e->parent, e->name, SHARE_CHANGE},
			{e->fid, SPAN_NONE, SHARE_MAKE},
			{b->item[i].r.fid, SPAN_NONE, SHARE_CHANGE},
		};

		if (b->item[i].done)
			continue;
		rc = op_share(b->op, use, b->item[i].r.what == IMPORT_SET ? 4 : 3);
		/* It was committed, and with that what was noted is told again, from the start. */
		if (rc > 0)
			i = UINT32_MAX;
	}
	return rc < 0 ? rc : 0;
}

static int do_one(struct batch *b, struct txn *t, uint32_t i)
{
	struct item *it = &b->item[i];
	enum import_todo todo;
	int rc = look_in(b, t, it, &todo);

	if (rc || todo == IMPORT_DO_NOTHING)
		return rc;
	if (todo == IMPORT_DO_REPLACE || in_the_way(b, i, todo))
		rc = -EAGAIN;
	else
		rc = import_do(&b->im, t, &it->e, todo, &it->r.fid, b->op->time);
	if (rc == 0)
		return 0;
	it->r.what = IMPORT_ERROR;
	it->r.error = rc;
	/* The store's own errors are of the whole batch. */
	return rc == -EIO || rc == -ENOMEM || rc == -ENOSPC ? rc : 0;
}

static int do_all(struct batch *b)
{
	struct txn *t;
	uint32_t i;
	int rc = share(b);

	if (rc == 0)
		rc = op_write_more(b->op, &t);
	for (i = 0; i < b->n && rc == 0; i++)
		if (!b->item[i].done)
			rc = do_one(b, t, i);
	b->op->durable = true;
	return rc;
}

static int answer(struct batch *b, struct mds_hsm_import_rep *p)
{
	struct wbuf w;
	uint32_t i;
	int rc;

	wbuf_init(&w, MAX_BODY / 2);
	for (i = 0; i < b->n; i++)
		enc_mds_import_result(&w, &b->item[i].r);
	p->results = wbuf_span(&w);
	rc = w.rc ? w.rc : op_copy(b->op, &p->results);
	wbuf_fini(&w);
	return rc;
}

int mds_hsm_import(struct rpc_op *op, const struct mds_hsm_import_req *q,
		   struct mds_hsm_import_rep *p)
{
	struct mds *m = op_mds(op);
	struct batch b = {
		.op = op,
		.im = {q->mode, q->archive, &m->env, m->opens, m->hsm},
	};
	int rc;

	if (op->session->kind != PEER_CLIENT || q->mode >= IMPORT_MODES || !q->archive ||
	    q->archive > HSM_ARCHIVES)
		return -EINVAL;
	b.item = calloc(IMPORT_BATCH, sizeof(*b.item));
	if (!b.item)
		return -ENOMEM;
	rc = decode(&b, q->entries);
	if (rc == 0)
		rc = prepare(&b);
	if (rc == 0)
		rc = do_all(&b);
	if (rc == 0)
		rc = answer(&b, p);
	free(b.item);
	return rc;
}
