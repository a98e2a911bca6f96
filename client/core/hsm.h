/* SPDX-License-Identifier: Apache-2.0 */
/* hsm.h - the archive behind the file system, as users and movers see it; the MDS decides
 * (mds/hsm_queue.h). fs_co_ functions suspend, on the lane's loop; 0 or -errno.
 */
#pragma once
#include "client/core/fs.h"
#include "common/hsm.h"

struct wbuf;

/* Lines "flags 0x9", "archive 1", "action 20", "running 1", "moved 4096", "changed 0", "error 0",
 * "name d/f", "etag ..."; see mds_hsm_state. -ENOENT. */
int fs_co_hsm_text(struct lane *ln, const struct fid *fid, struct wbuf *out);
struct fs_hsm_state {
	uint32_t flags, archive, action; /* HSM_NOOP: nothing is under way */
	bool changed;			 /* data or attributes, since it was archived */
	int error;			 /* of the last action that failed, negative; 0: none */
	char name[HSM_NAME_MAX + 1];	 /* of the copy */
};
/* The same. */
int fs_co_hsm_state(struct lane *ln, const struct fid *fid, struct fs_hsm_state *out);
/* By hand; archive 0: as it is. -EPERM: not the owner, or flags that are root's; -EINVAL. */
int fs_co_hsm_set(struct lane *ln, const struct fid *fid, uint32_t set, uint32_t clear,
		  uint32_t archive, const struct cred *cred);
/* action: of hsm.h in common. archive 0: where it is, or the default. data: for the mover; may be
 * empty. *cookie: of the work, 0: nothing is to be done. -EPERM: not the owner, or never_archive;
 * -EBUSY: something else is under way; -ENODATA: there is no copy; -EINVAL: no file that can be
 * archived, or it is in another archive; -EAGAIN: the coordinator is shut down. */
int fs_co_hsm_request(struct lane *ln, const struct fid *fid, uint32_t action, uint32_t archive,
		      struct span data, const struct cred *cred, uint64_t *cookie);

/* ---- movers ---- */

struct fs_hsm_work {
	uint64_t cookie;
	uint32_t action; /* HSM_CANCEL: of one that the mover has */
	struct fid fid;
	uint32_t archive;
	struct span name, etag, data; /* of the copy that there is; valid during the callback */
	bool same; /* the copy has the data of the file: only name or attributes are others */
	bool released; /* and nobody else has them */
};
typedef void fs_hsm_work_fn(void *arg, const struct fs_hsm_work *w);
/* Waits for work for any of these archives (bit 0 is archive 1), and calls fn for up to max (64)
 * of it. have: cookies of what the mover is at. 0, also when nothing came for a while. */
int fs_co_hsm_next(struct lane *ln, uint32_t archives, uint32_t max, const uint64_t *have,
		   uint32_t nhave, fs_hsm_work_fn *fn, void *arg);

struct fs_hsm_progress {
	uint64_t cookie, moved;
	bool done;
	int error; /* when done: 0 or -errno */
	const char *name, *etag; /* when done without error: of the copy. NULL: none */
};
/* *stop: the work is not wanted any more, or another's. *changed: the file is not what it was when
 * the work was given out. */
int fs_co_hsm_progress(struct lane *ln, const struct fs_hsm_progress *p, bool *stop, bool *changed);

/* The data of a file on their way back (restore.c): written to its objects by this mover alone,
 * past all leases, in pieces that the MDS chooses. -ESTALE from any of these: the work is
 * another's, or the file was cut. -EAGAIN: an OST has lost some of it; begin again. */
struct fs_restore;
must_check int fs_co_restore_begin(struct lane *ln, const struct fs_hsm_work *w,
				   struct fs_restore **out);
uint64_t fs_restore_size(const struct fs_restore *r);
/* Any order, several fibers. */
must_check int fs_co_restore_write(struct lane *ln, struct fs_restore *r, const void *buf,
				   size_t len, uint64_t off);
/* This worker (below MAX_HSM_WORKERS) has written what it was given last (*off and *len, 0:
 * nothing) and gets the next piece; *len 0: there is none. -ECANCELED: it is not wanted any
 * more. */
must_check int fs_co_restore_next(struct lane *ln, struct fs_restore *r, uint32_t worker,
				  uint64_t *off, uint64_t *len);
/* All that was written is on the disks. */
must_check int fs_co_restore_sync(struct lane *ln, struct fs_restore *r);
void fs_restore_free(struct fs_restore *r);

/* ---- import ---- */

struct mds_import_entry;
struct mds_import_result;

/* Up to IMPORT_BATCH entries of the archive become names. An entry of which the fid is zero gets
 * one, which it keeps if it is sent again; results: one for each; see mds_hsm_import. -EINVAL,
 * -EMSGSIZE: too much for one request (fs_hsm_import_size()). */
must_check int fs_co_hsm_import(struct lane *ln, uint32_t mode, uint32_t archive,
				struct mds_import_entry *e, uint32_t n,
				struct mds_import_result *results);
/* Bytes of an entry in a request, and how many fit. */
#define FS_HSM_IMPORT_BYTES (MAX_BODY - 4096)
uint32_t fs_hsm_import_size(const struct mds_import_entry *e);
