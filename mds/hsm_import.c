/* SPDX-License-Identifier: Apache-2.0 */
/* hsm_import.c - see hsm_import.h. Leases, sharing and data are ops/import.c's. */
#include "mds/hsm_import.h"
#include "mds/attr.h"
#include "mds/dirent.h"
#include "mds/hsm_queue.h"
#include <sys/stat.h>

enum { BLOCKS_RELEASED = 1 };

bool import_is_sane(const struct mds_import_entry *e)
{
	if (e->blob.len > HSM_NAME_MAX || e->etag.len > HSM_ETAG_MAX || !fid_is_normal(&e->fid))
		return false;
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		return e->blob.len && e->etag.len && e->size <= MAX_FILE_SIZE && !e->implied;
	case S_IFLNK:
		return e->target.len && e->target.len < MAX_PATH && !e->implied;
	case S_IFDIR:
		return true;
	default:
		return false;
	}
}

static bool overwrites(const struct import *im)
{
	return im->mode == IMPORT_OVERWRITE_IF_DIRTY || im->mode == IMPORT_OVERWRITE_ALWAYS;
}

static bool same_attr(const struct attr *a, const struct mds_import_entry *e)
{
	return a->uid == e->uid && a->gid == e->gid && a->mtime == e->mtime &&
	       (S_ISLNK(a->mode) || (a->mode & 07777) == (e->mode & 07777)) &&
	       (!S_ISREG(a->mode) || a->size == e->size);
}

static int other_type(uint32_t have, uint32_t want)
{
	return S_ISDIR(have) ? -EISDIR : S_ISDIR(want) ? -ENOTDIR : -EEXIST;
}

static void look_dir(const struct import *im, const struct mds_import_entry *e,
		     const struct attr *a, enum import_todo *todo, struct mds_import_result *r)
{
	r->what = IMPORT_SAME;
	if (e->implied || !overwrites(im) || same_attr(a, e))
		return;
	r->what = IMPORT_SET;
	*todo = IMPORT_DO_SET;
}

/* How a file or link differs from the container's: IMPORT_LOCAL and so on. */
static uint32_t differs(const struct import *im, const struct mds_import_entry *e,
			const struct fid *fid, const struct inode_rec *ino,
			const struct hsm_rec *rec)
{
	uint32_t there = 0;

	if (S_ISLNK(e->mode))
		return span_eq(ino->target, e->target) ? 0
						       : rec->flags & HSM_EXISTS ? IMPORT_CHANGED
										 : IMPORT_LOCAL;
	if (!(rec->flags & HSM_EXISTS))
		return IMPORT_LOCAL;
	if ((rec->flags & HSM_DIRTY) || hsm_is_written(im->opens, fid, &ino->attr))
		there |= IMPORT_DIRTY;
	if (!(rec->flags & HSM_ARCHIVED) || (rec->flags & HSM_LOST) ||
	    !span_eq(rec->name, e->blob) || !span_eq(rec->etag, e->etag))
		there |= IMPORT_CHANGED;
	return there;
}

/* What is under way for it, or who has it open, must end first. */
static int may_replace(const struct import *im, const struct fid *fid, const struct inode_rec *ino,
		       const struct hsm_rec *rec)
{
	bool here = !(ino->attr.flags & INODE_RELEASED);

	if (here && (rec->flags & HSM_NORELEASE))
		return -EPERM;
	return hsm_find_file(im->queue, fid) || hsm_is_written(im->opens, fid, &ino->attr) ? -EBUSY
											    : 0;
}

static void look_file(const struct import *im, const struct mds_import_entry *e,
		      const struct fid *fid, const struct inode_rec *ino,
		      const struct hsm_rec *rec, enum import_todo *todo,
		      struct mds_import_result *r)
{
	bool reg = S_ISREG(e->mode), here = reg && !(ino->attr.flags & INODE_RELEASED);

	r->there = (uint8_t)differs(im, e, fid, ino, rec);
	if (!r->there && (im->mode != IMPORT_OVERWRITE_ALWAYS ||
			  (!here && same_attr(&ino->attr, e)))) {
		r->what = IMPORT_SAME;
		return;
	}
	r->what = IMPORT_CONFLICT;
	if (!overwrites(im))
		return;
	r->error = reg ? may_replace(im, fid, ino, rec) : 0;
	r->what = r->error ? IMPORT_ERROR : IMPORT_SET;
	if (!r->error)
		*todo = here ? IMPORT_DO_REPLACE : IMPORT_DO_SET;
}

int import_look(const struct import *im, struct txn *t, const struct mds_import_entry *e,
		enum import_todo *todo, struct mds_import_result *r)
{
	struct inode_rec ino;
	struct hsm_rec rec;
	int rc = ns_lookup(t, &e->parent, e->name, &r->fid, &ino);

	*todo = IMPORT_DO_NOTHING;
	*r = (struct mds_import_result){.what = IMPORT_ERROR, .fid = r->fid};
	if (rc == -ENOENT) {
		*todo = IMPORT_DO_MAKE;
		r->what = IMPORT_MADE;
		r->fid = e->fid;
		return 0;
	}
	if (rc == -ENOTDIR || (rc == 0 && ns_is_virtual(&r->fid))) {
		r->error = rc ? rc : -EPERM;
		return 0;
	}
	if (rc)
		return rc;
	if ((ino.attr.mode ^ e->mode) & S_IFMT) {
		r->there = IMPORT_OTHER_TYPE;
		r->error = other_type(ino.attr.mode, e->mode);
		return 0;
	}
	if (fid_eq(&r->fid, &e->fid)) { /* by this request: its answer was lost */
		r->what = IMPORT_MADE;
		return 0;
	}
	if (S_ISDIR(e->mode)) {
		look_dir(im, e, &ino.attr, todo, r);
		return 0;
	}
	rc = hsm_get(t, &r->fid, &rec);
	if (rc == 0)
		look_file(im, e, &r->fid, &ino, &rec, todo, r);
	return rc;
}

static int put_row(struct txn *t, const struct fid *fid, const struct mds_import_entry *e,
		   uint32_t archive, int64_t ctime)
{
	struct hsm_rec rec;
	int rc;

	if (S_ISDIR(e->mode) || !e->blob.len)
		return 0;
	rc = hsm_get(t, fid, &rec);
	if (rc)
		return rc;
	rec = (struct hsm_rec){
		.flags = (rec.flags & (HSM_NORELEASE | HSM_NOARCHIVE)) | HSM_EXISTS | HSM_ARCHIVED,
		.archive = archive,
		.ctime = ctime,
		.name = e->blob,
		.etag = e->etag,
	};
	return hsm_put(t, fid, &rec);
}

static int make(const struct import *im, struct txn *t, const struct mds_import_entry *e,
		int64_t now)
{
	const struct mds_create_req q = {
		.parent = e->parent,
		.name = e->name,
		.fid = e->fid,
		.mode = e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.target = e->target,
	};
	const struct attr as = {
		.mode = S_ISLNK(e->mode) ? 0777 : e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.atime = e->atime,
		.mtime = e->mtime,
		.size = e->size,
		.blocks = e->size ? BLOCKS_RELEASED : 0,
		.flags = INODE_RELEASED,
	};
	int rc = ns_import(t, im->env, &q, &as, now);

	return rc ? rc : put_row(t, &e->fid, e, im->archive, now);
}

static int set_target(struct txn *t, const struct fid *fid, const struct mds_import_entry *e)
{
	struct inode_rec ino;
	int rc = inode_get(t, fid, &ino);
	uint8_t name[MAX_NAME];

	if (rc)
		return rc;
	memcpy(name, ino.name.ptr, ino.name.len);
	ino.name.ptr = name;
	ino.layout = SPAN_NONE;
	ino.target = e->target;
	ino.attr.size = e->target.len;
	return inode_put(t, fid, &ino);
}

int import_set(struct txn *t, const struct fid *fid, struct inode_rec *ino,
	       const struct mds_import_entry *e, uint32_t archive, int64_t now)
{
	const struct mds_setattr_req set = {
		.valid = SETATTR_UID | SETATTR_GID | SETATTR_ATIME | SETATTR_MTIME |
			 (S_ISLNK(e->mode) ? 0 : SETATTR_MODE),
		.mode = e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.atime = e->atime,
		.mtime = e->mtime,
	};
	int rc = attr_set(t, fid, ino, &set, now);

	if (S_ISREG(e->mode)) {
		ino->attr.flags |= INODE_RELEASED;
		ino->attr.size = e->size;
		ino->attr.blocks = e->size ? BLOCKS_RELEASED : 0;
	}
	if (rc == 0)
		rc = inode_update(t, fid, ino);
	if (rc == 0 && S_ISLNK(e->mode))
		rc = set_target(t, fid, e);
	return rc ? rc : put_row(t, fid, e, archive, ino->attr.ctime);
}

int import_do(const struct import *im, struct txn *t, const struct mds_import_entry *e,
	      enum import_todo todo, const struct fid *fid, int64_t now)
{
	struct inode_rec ino;
	int rc;

	if (todo == IMPORT_DO_MAKE)
		return make(im, t, e, now);
	rc = inode_get(t, fid, &ino);
	if (rc)
		return rc;
	ino.attr.trunc_gen++; /* who still brings the other version is shut out */
	return import_set(t, fid, &ino, e, im->archive, now);
}
