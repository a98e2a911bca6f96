/* SPDX-License-Identifier: Apache-2.0 */
/* attr.c - attributes that are exact.
 *
 * While writers have a file open, its size, blocks and mtime are at its objects: the MDS says so
 * (ATTR_SIZE_UNSURE) and sends the layout along, and the objects are asked all at once. Nothing is
 * cached here; what a lease covers is kept by lease.c.
 */
#include "client/core/core.h"
#include "common/log.h"

enum { LOOKS = 16 }; /* at objects that grow and grow */

struct learn {
	struct lane *ln;
	const struct fid *fid;
	const struct layout *l;
	struct objs *o;
	bool all;
};

static int learn_one(void *arg, uint32_t i)
{
	struct learn *a = arg;
	struct obj_state *at = &a->o->at[i];
	struct oss_getattr_req q = {.fid = *a->fid};
	struct oss_getattr_rep p;
	struct target *t;
	uint32_t comp;
	RPC_CALL(call);
	int rc;

	if (at->known)
		return 0;
	objs_place(a->l, i, &comp, &q.stripe);
	q.comp = a->l->comp[comp].id;
	rc = target_co_ost(a->ln, a->l->comp[comp].ost[q.stripe], &t);
	if (rc == 0)
		rc = oss_co_getattr(t->imp, &call, &q, &p);
	if (rc)
		return rc;
	*at = (struct obj_state){true, p.size, p.blocks, p.mtime, p.version};
	return 0;
}

int attr_co_learn(struct lane *ln, const struct fid *fid, const struct layout *l, struct objs *o)
{
	struct learn a = {.ln = ln, .fid = fid, .l = l, .o = o};

	return o->n ? lane_co_fan(ln, o->n, learn_one, &a) : 0;
}

/* Objects are asked one beside the other, and grow meanwhile: what this one had early and that one
 * late may be a size that the file never had. If all others have no more after the largest was
 * seen, the file had its size then. before: it had that much already. */
static int learn_size(struct lane *ln, const struct fid *fid, const struct layout *l,
		      struct objs *o, uint64_t before)
{
	uint64_t size = before;
	uint32_t looks = 0;
	int rc = attr_co_learn(ln, fid, l, o);

	while (rc == 0 && o->n > 1 && objs_size(o, l) > size && looks++ < LOOKS) {
		size = objs_size(o, l);
		objs_forget_smaller(o, l);
		rc = attr_co_learn(ln, fid, l, o);
	}
	return rc;
}

void attr_note_mtime(struct attr *attr, int64_t mtime)
{
	if (mtime <= (attr->fence ? attr->fence : attr->ctime))
		return;
	attr->mtime = mtime;
	if (mtime > attr->ctime)
		attr->ctime = mtime;
}

static int measure_once(struct lane *ln, const struct fid *fid, const struct layout *l,
			struct attr *attr)
{
	struct objs o = {0};
	int64_t mtime;
	int rc;

	rc = objs_init(&o, l);
	if (rc)
		return rc;
	rc = learn_size(ln, fid, l, &o, attr->size);
	if (rc == 0) {
		attr->size = objs_size(&o, l);
		attr->blocks = objs_blocks(&o);
		mtime = objs_mtime(&o);
		attr_note_mtime(attr, mtime);
		attr->flags &= ~(uint32_t)ATTR_SIZE_UNSURE;
	}
	objs_fini(&o);
	return rc;
}

/* What was measured before a lease on the data came must not be told after that: the kernel may
 * have got pages under it, and would cut them to a size that others have made larger long ago. */
int attr_co_measure(struct lane *ln, const struct fid *fid, const struct layout *l,
		    struct attr *attr)
{
	uint64_t before, after = data_cached_seq(ln, fid);
	struct attr asked = *attr;
	uint32_t looks = 0;
	int rc;

	do {
		before = after;
		*attr = asked;
		rc = measure_once(ln, fid, l, attr);
		after = data_cached_seq(ln, fid);
	} while (rc == 0 && after > before && ++looks < LOOKS);
	return rc;
}

static int co_ask(struct lane *ln, const struct fid *fid, bool under_lease, struct attr *out)
{
	struct mds_getattr_req q = {.fid = *fid, .under_lease = under_lease};
	struct mds_getattr_rep p;
	RPC_CALL(call);
	int rc;

	unlinks_co_wait(ln, fid);
	rc = mds_co_getattr(ln->mdt->imp, &call, &q, &p);
	if (rc == 0)
		leases_note(ln->fs->leases, fid,
			    &(struct lease_grant){call.hdr.session, p.seq, p.lease, p.open_seq},
			    &p.attr);
	if (rc == 0)
		rc = attr_co_finish(ln, fid, p.layout, p.open_seq, &p.attr);
	if (rc == 0)
		*out = p.attr;
	return rc;
}

int attr_co_finish(struct lane *ln, const struct fid *fid, struct span blob, uint64_t open_seq,
		   struct attr *attr)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	int rc;

	if (!(attr->flags & ATTR_SIZE_UNSURE) || !blob.len)
		return 0;
	if (later_co_flush_fid(ln, fid))
		return co_ask(ln, fid, false, attr);
	if (file_knows_size(ln->fs, fid, open_seq, attr))
		return 0;
	rc = layout_dec(blob, &l);
	if (rc) {
		char buf[FID_STRLEN];

		log_err("%s: the MDS sent a layout that cannot be read: %s", fid_str(fid, buf),
			err_str(rc));
		return rc == -EBADMSG ? -EIO : rc;
	}
	return layout_has_objects(l) ? attr_co_measure(ln, fid, l, attr) : 0;
}

/* Of a file that only this client writes, without asking anybody: under a lease on all that others
 * may change, and of what it wrote itself it knows where that leaves the file. */
static bool attr_co_own(struct lane *ln, const struct fid *fid, struct attr *out)
{
	struct leases *t = ln->fs->leases;
	uint64_t open_seq, again;
	struct attr a;

	if (!leases_attr_unsure(t, fid, loop_clock(ln->loop), &a, &open_seq) || !open_seq)
		return false;
	(void)later_co_flush_fid(ln, fid);
	return leases_attr_unsure(t, fid, loop_clock(ln->loop), out, &open_seq) &&
	       file_knows_size(ln->fs, fid, open_seq, out) &&
	       leases_attr_unsure(t, fid, loop_clock(ln->loop), &a, &again) && a.seq == out->seq;
}

bool attr_co_own_name(struct lane *ln, const struct fid *dir, struct span name, struct entry *out)
{
	struct leases *t = ln->fs->leases;
	struct fid now;

	return leases_child(t, dir, name, loop_clock(ln->loop), &out->fid) &&
	       attr_co_own(ln, &out->fid, &out->attr) &&
	       leases_child(t, dir, name, loop_clock(ln->loop), &now) && fid_eq(&now, &out->fid);
}

int fs_co_getattr(struct lane *ln, const struct fid *fid, struct attr *out)
{
	return attr_co_get(ln, fid, false, out);
}

int attr_co_get(struct lane *ln, const struct fid *fid, bool under_lease, struct attr *out)
{
	OP_TIMER(ln, getattr);

	if (leases_attr(ln->fs->leases, fid, loop_clock(ln->loop), out) ||
	    attr_co_own(ln, fid, out))
		return 0;
	return co_ask(ln, fid, under_lease, out);
}

/* What was written before is at the objects before; a truncation has the file for itself: NULL, or
 * what to release. */
static struct data *setattr_co_begin(struct lane *ln, const struct fid *fid, uint32_t valid)
{
	struct data *d;

	(void)later_co_flush_fid(ln, fid);
	if (!(valid & SETATTR_SIZE))
		return NULL;
	d = data_find(ln->fs, fid);
	if (d)
		data_co_hold(ln, d);
	return d;
}

/* *q says what; the rest is filled in here. */
static int setattr_rpc(struct lane *ln, struct rpc_call *call, struct mds_setattr_req *q,
		       struct mds_setattr_rep *p)
{
	const struct fid *fid = &q->fid;
	int rc;

	q->ctime_floor = file_newest_mtime(ln->fs, fid);
	leases_change_begin(ln->fs->leases, fid, LEASE_UPDATE | LEASE_XATTR);
	unlinks_co_wait(ln, fid);
	rc = mds_co_setattr(ln->mdt->imp, call, q, p);
	leases_change_end(ln->fs->leases, fid, LEASE_UPDATE | LEASE_XATTR, rc ? 0 : p->seq,
			  loop_clock(ln->loop));
	if (rc)
		return rc;
	leases_note(ln->fs->leases, fid,
		    &(struct lease_grant){call->hdr.session, p->seq, p->lease, p->open_seq},
		    &p->attr);
	file_apply_attr(ln->fs, fid, &p->attr, q->valid & SETATTR_SIZE);
	return 0;
}

int attr_co_tell(struct lane *ln, const struct fid *fid, const struct later *l)
{
	struct mds_setattr_req q = {.fid = *fid,
				    .valid = l->valid,
				    .mode = l->mode,
				    .uid = l->uid,
				    .gid = l->gid,
				    .atime = l->atime,
				    .mtime = l->mtime,
				    .age = loop_clock(ln->loop) - l->last_ns + 1};
	struct mds_setattr_rep p;
	RPC_CALL(call);

	call.flags = RPC_CALL_HARD;
	q.answered = loop_realtime(ln->loop) - (int64_t)q.age;
	return setattr_rpc(ln, &call, &q, &p);
}

int fs_co_setattr(struct lane *ln, const struct fid *fid, struct file *file, uint32_t valid,
		  const struct attr *want, struct attr *out)
{
	struct mds_setattr_req q = {
		.fid = *fid,
		.valid = valid,
		.mode = want->mode & 07777,
		.uid = want->uid,
		.gid = want->gid,
		.size = want->size,
		.atime = want->atime,
		.mtime = want->mtime,
		.open_id = file ? file->open_id : 0,
	};
	struct mds_setattr_rep p;
	RPC_CALL(call);
	uint64_t start = loop_clock(ln->loop);
	enum fs_stat stat = valid & SETATTR_SIZE ? FS_STAT_truncate : FS_STAT_setattr;
	struct data *hold;
	int rc;

	if ((valid & SETATTR_SIZE) && want->size > MAX_FILE_SIZE)
		return -EFBIG;
	if ((valid & SETATTR_SIZE) && file && file_lost_lock(file))
		return -EIO;
	if (later_set(ln, fid, valid, want, out))
		return 0;
	hold = setattr_co_begin(ln, fid, valid);
	rc = setattr_rpc(ln, &call, &q, &p);
	if (hold) {
		if (rc == 0)
			data_truncated(hold, call.hdr.session, p.attr.trunc_gen);
		data_release(hold);
		data_put(ln, hold);
	}
	if (rc)
		return rc;
	if (valid & (SETATTR_ATIME | SETATTR_ATIME_NOW))
		file_forget_reads(ln->fs, fid);
	rc = attr_co_finish(ln, fid, p.layout, p.open_seq, &p.attr);
	if (rc == 0)
		*out = p.attr;
	stat_add(&ln->stats[stat], (loop_clock(ln->loop) - start) / 1000);
	return rc;
}
