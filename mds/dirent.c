/* SPDX-License-Identifier: Apache-2.0 */
/* dirent.c - see dirent.h. */
#include "mds/dirent.h"

int dirent_get(struct txn *t, const struct fid *parent, struct span name, struct dirent_rec *out)
{
	return dirent_rec_get(t, &(struct dirent_key){*parent, name}, out);
}

int dirent_set(struct txn *t, const struct fid *parent, struct span name, uint64_t cookie,
	       const struct fid *child, uint8_t dtype)
{
	int rc;

	rc = dirent_rec_put(t, &(struct dirent_key){*parent, name},
			    &(struct dirent_rec){*child, dtype, cookie});
	if (rc)
		return rc;
	return diridx_rec_put(t, &(struct diridx_key){*parent, cookie},
			      &(struct diridx_rec){*child, dtype, name});
}

int dirent_add(struct txn *t, const struct fid *parent, struct span name, const struct fid *child,
	       uint8_t dtype, uint64_t cookie)
{
	return dirent_set(t, parent, name, cookie, child, dtype);
}

int dirent_del(struct txn *t, const struct fid *parent, struct span name, uint64_t cookie)
{
	int rc;

	rc = dirent_rec_del(t, &(struct dirent_key){*parent, name});
	if (rc)
		return rc;
	rc = diridx_rec_del(t, &(struct diridx_key){*parent, cookie});
	return rc == -ENOENT ? 0 : rc; /* a lost index row must not keep the name alive */
}

struct walk {
	const struct fid *parent;
	dirent_fn *fn;
	void *arg;
	bool any;
};

static int walk_row(void *arg, const struct diridx_key *k, const struct diridx_rec *v)
{
	struct walk *w = arg;

	if (!fid_eq(&k->parent, w->parent))
		return 1;
	w->any = true;
	if (!w->fn)
		return 1;
	return v ? w->fn(w->arg, k->cookie, v) : 0;
}

int dirent_walk(struct txn *t, const struct fid *parent, uint64_t cookie, dirent_fn *fn, void *arg)
{
	struct walk w = {.parent = parent, .fn = fn, .arg = arg};

	if (cookie == UINT64_MAX)
		return 0;
	return diridx_rec_walk(t, &(struct diridx_key){*parent, cookie + 1}, walk_row, &w);
}

int dirent_any(struct txn *t, const struct fid *parent)
{
	struct walk w = {.parent = parent};
	int rc;

	rc = diridx_rec_walk(t, &(struct diridx_key){*parent, 0}, walk_row, &w);
	return rc ? rc : w.any;
}
