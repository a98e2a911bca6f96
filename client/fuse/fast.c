/* SPDX-License-Identifier: Apache-2.0 */
/* fast.c - requests that no server has to hear of, answered without a fiber and without
 * libfuse.
 *
 * FORGET: only counted (known.c). OPENDIR and RELEASEDIR: cookies need no state. FLUSH:
 * matters only to whoever holds fcntl locks on the file. GETXATTR of an ACL that is known not
 * to be there.
 *
 * The kernel caches a listing while the lease lasts. It looks itself, at the start of each reading,
 * whether the directory was changed by a call of this mount or has another mtime; whether it was
 * changed by others, and then got its old mtime again, only an OPENDIR tells it (KEEP_CACHE).
 */
#include "client/fuse/face.h"
#include "common/log.h"
#include <sys/uio.h>

int raw_reply(struct face *f, uint64_t unique, int rc, const void *body, size_t len)
{
	struct fuse_out_header h = {
		.len = (uint32_t)(sizeof(h) + len),
		.error = rc,
		.unique = unique,
	};
	struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)body, len}};

	if (transport_write(f, iov, len ? 2 : 1) < 0) /* ENOENT: the caller was interrupted */
		return -errno;
	return 0;
}

static bool fast_flush(struct flane *fl, const struct serve *s)
{
	const struct fuse_flush_in *in = serve_body(s, sizeof(*in));
	struct file *file = in ? fs_file(fl->face->fs, in->fh) : NULL;
	struct fid fid;

	if (!file || face_fid(fl->face, serve_head(s)->nodeid, &fid))
		return false;
	if (fs_holds_locks(fl->face->fs, &fid, in->lock_owner))
		return false;
	/* close(2) tells of failures of write-behind that are known by now. */
	raw_reply(fl->face, serve_head(s)->unique,
		  fs_pending_error(file), NULL, 0);
	return true;
}

static bool is_acl_name(const char *name)
{
	return strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0 ||
	       strcmp(name, "security.capability") == 0;
}

static bool fast_getxattr(struct flane *fl, const struct serve *s)
{
	const struct fuse_getxattr_in *in = serve_body(s, sizeof(*in) + 1);
	struct fid fid;

	/* Whoever sends the request ends the name with a NUL; the kernel is trusted with that,
	 * as in libfuse. */
	if (!in || s->data[s->len - 1] || !is_acl_name((const char *)(in + 1)))
		return false;
	if (face_fid(fl->face, serve_head(s)->nodeid, &fid) ||
	    !acl_none(fl, &fid, serve_head(s)->pid))
		return false;
	raw_reply(fl->face, serve_head(s)->unique, -ENODATA, NULL, 0);
	return true;
}

static void forget(struct face *f, const struct serve *s)
{
	const struct fuse_forget_in *one = serve_body(s, sizeof(*one));
	const struct fuse_batch_forget_in *in = serve_body(s, sizeof(*in));
	const struct fuse_forget_one *at;
	uint32_t i;

	if (serve_head(s)->opcode == FUSE_FORGET) {
		if (one)
			known_forget(f->known, serve_head(s)->nodeid, one->nlookup);
		return;
	}
	if (!in || !serve_body(s, sizeof(*in) + (uint64_t)in->count * sizeof(*at)))
		return;
	at = (const struct fuse_forget_one *)(in + 1);
	for (i = 0; i < in->count; i++)
		known_forget(f->known, at[i].nodeid, at[i].nlookup);
}

static void fast_opendir(struct flane *fl, const struct serve *s)
{
	const struct fuse_in_header *h = serve_head(s);
	struct fuse_open_out out = {0}; /* handle 0 */
	struct fid dir;
	bool keep;

	if (!fl->face->opt.nocache && !face_fid(fl->face, h->nodeid, &dir) &&
	    fs_lease_list(fl->face->fs, &dir, loop_clock(fl->loop), &keep))
		out.open_flags = FOPEN_CACHE_DIR | (keep ? FOPEN_KEEP_CACHE : 0);
	raw_reply(fl->face, h->unique, 0, &out, sizeof(out));
}

bool fast_serve(struct flane *fl, const struct serve *s)
{
	const struct fuse_in_header *h = serve_head(s);

	switch (h->opcode) {
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		forget(fl->face, s);
		return true; /* no reply is wanted */
	case FUSE_OPENDIR:
		fast_opendir(fl, s);
		return true;
	case FUSE_RELEASEDIR:
		raw_reply(fl->face, h->unique, 0, NULL, 0);
		return true;
	case FUSE_FLUSH:
		return fast_flush(fl, s);
	case FUSE_GETXATTR:
		return fast_getxattr(fl, s);
	default:
		return false;
	}
}
