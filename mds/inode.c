/* SPDX-License-Identifier: Apache-2.0 */
/* inode.c - see inode.h. Rules about attributes stand in attr.c, about names in ns.c. */
#include "mds/inode.h"
#include "common/layout.h"
#include "common/log.h"

int inode_get(struct txn *t, const struct fid *fid, struct inode_rec *out)
{
	return inode_rec_get(t, &(struct inode_key){*fid}, out);
}

int inode_put(struct txn *t, const struct fid *fid, const struct inode_rec *ino)
{
	return inode_rec_put(t, &(struct inode_key){*fid}, ino);
}

/* The stored record with the numbers of ino: its spans are good until the put. */
static int fresh(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
		 struct inode_rec *out)
{
	int rc = inode_get(t, fid, out);

	if (rc)
		return rc;
	out->attr = ino->attr;
	out->next_cookie = ino->next_cookie;
	return 0;
}

int inode_update(struct txn *t, const struct fid *fid, const struct inode_rec *ino)
{
	struct inode_rec now;
	int rc = fresh(t, fid, ino, &now);

	return rc ? rc : inode_put(t, fid, &now);
}

int inode_set_link(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
		   const struct fid *parent, struct span name)
{
	struct inode_rec now;
	int rc = fresh(t, fid, ino, &now);

	if (rc)
		return rc;
	now.parent = *parent;
	now.name = name;
	return inode_put(t, fid, &now);
}

int inode_set_layout(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
		     struct span layout)
{
	struct inode_rec now;
	int rc = fresh(t, fid, ino, &now);

	if (rc)
		return rc;
	now.layout = layout;
	return inode_put(t, fid, &now);
}

int inode_del(struct txn *t, const struct fid *fid)
{
	return inode_rec_del(t, &(struct inode_key){*fid});
}

int inode_layout(const struct fid *fid, const struct inode_rec *ino, struct layout **out)
{
	char text[FID_STRLEN];
	int rc;

	*out = NULL;
	if (ino->layout.len == 0)
		return 0;
	rc = layout_dec(ino->layout, out);
	if (rc == -EBADMSG) {
		log_err("mds: damaged layout in table inode: fid=%s", fid_str(fid, text));
		return -EIO;
	}
	return rc;
}
