/* SPDX-License-Identifier: Apache-2.0 */
/* orphan.c - see orphan.h. Who is an orphan decides ns.c; who reaps them, recover.c. */
#include "mds/orphan.h"
#include "mds/inode.h"

int orphan_add(struct txn *t, const struct fid *fid, bool linkable)
{
	return orphan_rec_put(t, &(struct orphan_key){*fid}, &(struct orphan_rec){linkable});
}

int orphan_get(struct txn *t, const struct fid *fid, bool *linkable)
{
	struct orphan_rec rec;
	int rc = orphan_rec_get(t, &(struct orphan_key){*fid}, &rec);

	if (rc == 0)
		*linkable = rec.linkable;
	return rc;
}

int orphan_del(struct txn *t, const struct fid *fid)
{
	int rc = orphan_rec_del(t, &(struct orphan_key){*fid});

	return rc == -ENOENT ? 0 : rc;
}

int unsure_add(struct txn *t, const struct fid *fid)
{
	return unsure_rec_put(t, &(struct unsure_key){*fid}, &(struct unsure_rec){});
}

int unsure_del(struct txn *t, const struct fid *fid)
{
	int rc = unsure_rec_del(t, &(struct unsure_key){*fid});

	return rc == -ENOENT ? 0 : rc;
}

bool unsure_still(struct txn *t, const struct fid *fid)
{
	struct inode_rec ino;

	return inode_get(t, fid, &ino) != 0 || (ino.attr.flags & ATTR_SIZE_UNSURE);
}

struct list {
	const struct fid *after;
	struct fid *out;
	int n, max;
};

static int list_add(struct list *l, const struct fid *fid)
{
	if (fid_eq(fid, l->after))
		return 0;
	if (l->n == l->max)
		return 1;
	l->out[l->n++] = *fid;
	return 0;
}

static int orphan_row(void *arg, const struct orphan_key *k, const struct orphan_rec *v)
{
	(void)v;
	return list_add(arg, &k->fid);
}

static int unsure_row(void *arg, const struct unsure_key *k, const struct unsure_rec *v)
{
	(void)v;
	return list_add(arg, &k->fid);
}

int orphan_list(struct txn *t, const struct fid *from, struct fid *out, int max)
{
	struct list l = {from, out, 0, max};
	int rc = orphan_rec_walk(t, &(struct orphan_key){*from}, orphan_row, &l);

	return rc ? rc : l.n;
}

int unsure_list(struct txn *t, const struct fid *from, struct fid *out, int max)
{
	struct list l = {from, out, 0, max};
	int rc = unsure_rec_walk(t, &(struct unsure_key){*from}, unsure_row, &l);

	return rc ? rc : l.n;
}
