/* SPDX-License-Identifier: Apache-2.0 */
/* path.c - from an inode up to the root: fid2path. Plain function on a transaction. */
#include "mds/dirent.h"
#include "mds/link.h"
#include "mds/state.h"

/* Puts "name" or "name/" in front of what stands at buf[at]. */
static int prepend(char *buf, uint32_t *at, const uint8_t *name, uint32_t len)
{
	bool last = *at == MAX_PATH;

	if (len + !last > *at)
		return -ENAMETOOLONG;
	if (!last)
		buf[--*at] = '/';
	*at -= len;
	memcpy(buf + *at, name, len);
	return 0;
}

int path_of(struct txn *t, const struct fid *fid, const struct inode_rec *ino, uint32_t n,
	    char *buf)
{
	struct fid root = FID_ROOT, dir;
	struct inode_rec up;
	uint32_t at = MAX_PATH;
	struct link_name l;
	int rc;

	if (fid_eq(fid, &root))
		return n ? -ENODATA : 0;
	rc = link_get(t, fid, ino, n, &l);
	if (rc == 0)
		rc = prepend(buf, &at, l.name, l.len);
	dir = l.parent;
	while (rc == 0 && !fid_eq(&dir, &root)) {
		rc = ns_get(t, &dir, &up);
		if (rc == 0)
			rc = up.name.len ? prepend(buf, &at, up.name.ptr, up.name.len) : -ENOENT;
		dir = up.parent;
	}
	if (rc)
		return rc;
	memmove(buf, buf + at, MAX_PATH - at);
	return (int)(MAX_PATH - at);
}
