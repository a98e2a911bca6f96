/* SPDX-License-Identifier: Apache-2.0 */
/* ops_dir.c - reading directories. Offsets are the cookies of the MDS, so nothing is kept
 * between calls and an entry is given once however many names come and go. Records that do not
 * fit into the caller's buffer are asked for again from the last one that did. */
#include "client/fuse/face.h"
#include <sys/stat.h>

struct fill {
	struct flane *fl;
	uint64_t asked;
	fuse_req_t req;
	char *buf;
	size_t size, used;
	bool plus;
};

static size_t add_plain(struct fill *f, const char *name, const struct fs_dirent *d)
{
	struct stat st = {.st_ino = fid_to_ino(&d->e.fid), .st_mode = (mode_t)d->dtype << 12};

	return fuse_add_direntry(f->req, f->buf + f->used, f->size - f->used, name, &st,
				 (off_t)d->cookie);
}

static size_t add_plus(struct fill *f, const char *name, const struct fs_dirent *d)
{
	struct fuse_entry_param p = {0};
	size_t n;

	/* Without a node id the kernel takes only name and type and asks again for the rest:
	 * for "." and "..", and where the size would first have to be measured. */
	if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
		p.attr.st_mode = S_IFDIR;
	else if (d->e.attr.flags & ATTR_SIZE_UNSURE)
		p.attr.st_mode = d->e.attr.mode;
	else
		reply_entry_param(f->fl, f->asked, &d->e, &p);
	/* Names of a listing get the kernel's epoch of the moment when they are taken in, not of
	 * the question as all others do: a recall in between would not reach them. So they are
	 * looked up again when they are used, which takes no request while the lease lasts. */
	p.entry_timeout = 0;
	p.attr.st_ino = fid_to_ino(&d->e.fid);
	n = fuse_add_direntry_plus(f->req, f->buf + f->used, f->size - f->used, name, &p,
				   (off_t)d->cookie);
	if (n > f->size - f->used) /* it does not fit */
		known_forget(f->fl->face->known, p.ino, 1);
	return n;
}

/* The node that the record behind f->used tells the kernel of; 0: none. */
static uint64_t d_node(const struct fill *f)
{
	return ((const struct fuse_direntplus *)(const void *)(f->buf + f->used))->entry_out.nodeid;
}

/* The answer was not taken. */
static void take_back(struct fill *f)
{
	size_t end = f->used;

	for (f->used = 0; f->used < end;) {
		const struct fuse_direntplus *d =
			(const struct fuse_direntplus *)(const void *)(f->buf + f->used);

		known_forget(f->fl->face->known, d_node(f), 1);
		f->used += FUSE_DIRENTPLUS_SIZE(d);
	}
}

static int add_entry(void *arg, const struct fs_dirent *d)
{
	struct fill *f = arg;
	char name[MAX_NAME + 1];
	size_t n;

	memcpy(name, d->name.ptr, d->name.len);
	name[d->name.len] = 0;
	n = f->plus ? add_plus(f, name, d) : add_plain(f, name, d);
	if (n > f->size - f->used)
		return 1;
	f->used += n;
	return 0;
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
	struct flane *fl = flane_here();
	struct fill f = {.fl = fl, .asked = asked_here(), .req = req, .size = size, .plus = plus};
	struct buf *b;
	struct fid dir;
	bool eof;
	int rc;

	if (size > REQ_MAX_WRITE)
		f.size = REQ_MAX_WRITE;
	rc = face_fid(fl->face, ino, &dir);
	if (rc) {
		reply_rc(req, rc);
		return;
	}
	b = flane_co_buf(fl, (uint32_t)f.size);
	f.buf = (char *)b->ptr;
	/* The kernel's records with attributes are larger than ours: do not ask for what cannot
	 * fit. */
	rc = fs_co_readdir_some(fl->ln, &dir, (uint64_t)off, plus,
				(uint32_t)(plus ? f.size * 3 / 4 : f.size), add_entry, &f, &eof);
	if (rc)
		reply_rc(req, rc);
	if ((rc || fuse_reply_buf(req, f.buf, f.used)) && plus)
		take_back(&f);
	buf_put(b);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)fi;
	do_readdir(req, ino, size, off, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	(void)fi;
	do_readdir(req, ino, size, off, true);
}

static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct flane *fl = flane_here();
	struct fid dir;
	int rc;

	(void)datasync;
	(void)fi;
	rc = face_fid(fl->face, ino, &dir);
	if (rc == 0)
		rc = fs_co_syncdir(fl->ln, &dir);
	reply_rc(req, rc);
}

void ops_dir(struct fuse_lowlevel_ops *o)
{
	o->readdir = op_readdir;
	o->readdirplus = op_readdirplus;
	o->fsyncdir = op_fsyncdir;
}
