/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - see link.h. */
#include "mds/link.h"

static bool is_first(const struct inode_rec *ino, const struct fid *parent, struct span name)
{
	return ino->name.len && fid_eq(&ino->parent, parent) && span_eq(ino->name, name);
}

struct nth {
	const struct fid *fid;
	uint32_t n;
	bool found;
	struct link_name *out;
};

static int nth_row(void *arg, const struct link_key *k, const struct link_rec *v)
{
	struct nth *a = arg;

	(void)v;
	if (!fid_eq(&k->fid, a->fid))
		return 1;
	if (a->n--)
		return 0;
	if (k->name.len > sizeof(a->out->name))
		return -EIO;
	a->out->parent = k->parent;
	a->out->len = k->name.len;
	memcpy(a->out->name, k->name.ptr, k->name.len);
	a->found = true;
	return 1;
}

static int nth_link(struct txn *t, const struct fid *fid, uint32_t n, struct link_name *out)
{
	struct nth a = {.fid = fid, .n = n, .out = out};
	int rc;

	rc = link_rec_walk(t, &(struct link_key){.fid = *fid}, nth_row, &a);
	return rc ? rc : a.found ? 0 : -ENODATA;
}

int link_get(struct txn *t, const struct fid *fid, const struct inode_rec *ino, uint32_t n,
	     struct link_name *out)
{
	if (ino->name.len == 0)
		return -ENODATA;
	if (n > 0)
		return nth_link(t, fid, n - 1, out);
	out->parent = ino->parent;
	out->len = ino->name.len;
	memcpy(out->name, ino->name.ptr, ino->name.len);
	return 0;
}

int link_add(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
	     const struct fid *parent, struct span name)
{
	struct inode_rec now;
	int rc = inode_get(t, fid, &now);

	if (rc)
		return rc;
	if (now.name.len == 0)
		return inode_set_link(t, fid, ino, parent, name);
	rc = link_rec_put(t, &(struct link_key){*fid, *parent, name}, &(struct link_rec){});
	return rc ? rc : inode_update(t, fid, ino);
}

int link_del(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
	     const struct fid *parent, struct span name)
{
	struct inode_rec now;
	struct link_name next;
	struct span next_name = {next.name, 0};
	int rc = inode_get(t, fid, &now);

	if (rc)
		return rc;
	if (!is_first(&now, parent, name)) {
		rc = link_rec_del(t, &(struct link_key){*fid, *parent, name});
		if (rc && rc != -ENOENT)
			return rc;
		return inode_update(t, fid, ino);
	}
	rc = nth_link(t, fid, 0, &next);
	if (rc == -ENODATA)
		return inode_set_link(t, fid, ino, parent, SPAN_NONE);
	if (rc)
		return rc;
	next_name.len = next.len;
	rc = link_rec_del(t, &(struct link_key){*fid, next.parent, next_name});
	return rc ? rc : inode_set_link(t, fid, ino, &next.parent, next_name);
}

int link_move(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
	      const struct fid *from_parent, struct span from, const struct fid *to_parent,
	      struct span to)
{
	struct inode_rec now;
	int rc = inode_get(t, fid, &now);

	if (rc)
		return rc;
	if (is_first(&now, from_parent, from))
		return inode_set_link(t, fid, ino, to_parent, to);
	rc = link_rec_del(t, &(struct link_key){*fid, *from_parent, from});
	if (rc && rc != -ENOENT)
		return rc;
	rc = link_rec_put(t, &(struct link_key){*fid, *to_parent, to}, &(struct link_rec){});
	return rc ? rc : inode_update(t, fid, ino);
}

int link_del_all(struct txn *t, const struct fid *fid)
{
	struct link_name l;
	int rc;

	while ((rc = nth_link(t, fid, 0, &l)) == 0) {
		rc = link_rec_del(t, &(struct link_key){*fid, l.parent, {l.name, l.len}});
		if (rc)
			return rc;
	}
	return rc == -ENODATA ? 0 : rc;
}
