/* SPDX-License-Identifier: Apache-2.0 */
/* hsm.c - see hsm.h. Who does what with a file is hsm_queue.c's. */
#include "mds/hsm.h"

int hsm_get(struct txn *t, const struct fid *fid, struct hsm_rec *out)
{
	int rc = hsm_rec_get(t, &(struct hsm_key){*fid}, out);

	if (rc == -ENOENT) {
		*out = (struct hsm_rec){0};
		rc = 0;
	}
	return rc;
}

int hsm_forget(struct txn *t, const struct fid *fid)
{
	int rc = hsm_rec_del(t, &(struct hsm_key){*fid});

	return rc == -ENOENT ? 0 : rc;
}

int hsm_put(struct txn *t, const struct fid *fid, const struct hsm_rec *rec)
{
	return rec->flags ? hsm_rec_put(t, &(struct hsm_key){*fid}, rec) : hsm_forget(t, fid);
}

int hsm_wrote(struct txn *t, const struct fid *fid)
{
	struct hsm_rec rec;
	int rc = hsm_get(t, fid, &rec);

	if (rc || !(rec.flags & HSM_EXISTS) || (rec.flags & HSM_DIRTY))
		return rc;
	rec.flags |= HSM_DIRTY;
	return hsm_put(t, fid, &rec);
}

bool hsm_is_written(const struct open_table *opens, const struct fid *fid, const struct attr *a)
{
	const struct node *n = node_find(opens, fid);

	return (n && n->nwriters) || (a->flags & ATTR_SIZE_UNSURE);
}
