/* SPDX-License-Identifier: Apache-2.0 */
/* path.c - from a FID to paths (lfs fid2path). Paths are relative to the root of the mount: in
 * a mount of a subdirectory, what lies outside of it does not exist. */
#include "client/core/core.h"

ssize_t fs_co_fid2path(struct lane *ln, const struct fid *fid, uint32_t linkno, char *buf,
		       size_t len)
{
	struct mds_fid2path_req q = {.fid = *fid, .linkno = linkno};
	struct mds_fid2path_rep p;
	struct span path;
	const char *sub = ln->fs->cfg.source.subdir;
	size_t n;
	RPC_CALL(call);
	int rc;

	unlinks_co_wait(ln, fid);
	rc = mds_co_fid2path(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	path = p.path;
	while (path.len && path.ptr[0] == '/') {
		path.ptr++;
		path.len--;
	}
	while (*sub == '/')
		sub++;
	n = strlen(sub);
	while (n && sub[n - 1] == '/')
		n--;
	if (n) {
		if (path.len < n || memcmp(path.ptr, sub, n) ||
		    (path.len > n && path.ptr[n] != '/'))
			return -ENOENT;
		path.ptr += n;
		path.len -= (uint32_t)n;
		if (path.len) {
			path.ptr++;
			path.len--;
		}
	}
	if (path.len + 1 > len)
		return -ERANGE;
	if (path.len)
		memcpy(buf, path.ptr, path.len);
	buf[path.len] = 0;
	return path.len;
}
