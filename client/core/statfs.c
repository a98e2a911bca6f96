/* SPDX-License-Identifier: Apache-2.0 */
/* statfs.c - space of the whole file system, from the MDS, which keeps watch over the OSTs.
 *
 * Blocks are the sum over OSTs. Inodes are the MDT's, but no more can be made than there are
 * objects left. Servers that are down do not stop this: the MDS tells what it knew last.
 */
#include "client/core/core.h"

enum { BLOCK = 4096 };

static void add_target(struct fs_space *s, const struct mds_target_stat *t, uint64_t *objects,
		       uint64_t *mdt_free)
{
	if (t->type == TARGET_MDT) {
		s->files += t->files;
		*mdt_free += t->ffree;
	} else if (!t->error && !(t->state & TARGET_INACTIVE)) {
		s->blocks += t->total / BLOCK;
		s->bfree += t->free / BLOCK;
		s->bavail += t->avail / BLOCK;
		*objects += t->ffree;
	}
}

/* df does not wait for an MDS that is away; nothing hangs on its answer. */
enum { STATFS_DOWN_MS = 3000 };

int fs_co_statfs_targets(struct lane *ln, fs_target_stat_fn *fn, void *arg)
{
	struct mds_statfs_req q = {};
	struct mds_statfs_rep p;
	struct rbuf r;
	RPC_CALL(call);
	int rc;
	OP_TIMER(ln, statfs);

	if (rpc_import_state(ln->mdt->imp) != IMP_FULL)
		call.deadline_ms = STATFS_DOWN_MS;
	rc = mds_co_statfs(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	for (r = rbuf_of(p.targets); r.len && rc == 0;) {
		struct mds_target_stat t;

		rc = dec_mds_target_stat(&r, &t);
		if (rc == 0)
			fn(arg, &t);
	}
	return rc == -EBADMSG ? -EIO : rc;
}

struct sum {
	struct fs_space s;
	uint64_t objects, mdt_free;
};

static void sum_target(void *arg, const struct mds_target_stat *t)
{
	struct sum *s = arg;

	add_target(&s->s, t, &s->objects, &s->mdt_free);
}

int fs_co_statfs(struct lane *ln, struct fs_space *out)
{
	struct sum s = {.s = {.bsize = BLOCK}};
	int rc = fs_co_statfs_targets(ln, sum_target, &s);
	uint64_t used;

	if (rc)
		return rc;
	used = s.s.files - min_u64(s.s.files, s.mdt_free);
	s.s.ffree = s.objects ? min_u64(s.mdt_free, s.objects) : s.mdt_free;
	s.s.files = used + s.s.ffree;
	*out = s.s;
	return 0;
}
