/* SPDX-License-Identifier: Apache-2.0 */
/* ops_ioctl.c - the ioctls by which MPI-IO libraries and IOR set and read striping on Lustre, and
 * by which programs give advice.
 *
 * Their old numbers say that the argument is 8 bytes long while it is a whole struct
 * lov_user_md, and FUSE copies what the number says. So the structure is read from (and written
 * to) the caller's memory directly; the kernel checks the caller's own right to those pages.
 * The newer numbers say 32 bytes, which is still too short for a pool name or a list of OSTs,
 * and are treated alike.
 */
#include "client/fuse/face.h"
#include "common/ladvise.h"
#include "common/lov.h"
#include <endian.h>
#include <fcntl.h>
#include <sys/uio.h>

#define IOC_SETSTRIPE 0x4008669AU
#define IOC_SETSTRIPE_NEW 0xC020669AU
#define IOC_GETSTRIPE 0x4008669BU
#define IOC_GETSTRIPE_NEW 0x8020669BU
#define IOC_PATH2FID 0x800866ADU
#define IOC_GET_MDTIDX 0x800466AFU

enum { LUM_V1 = 32, LUM_V3 = 48, LUM_OBJECT = 24, LUM_MAX = LUM_V3 + LUM_OBJECT * MAX_STRIPES };

static int caller_read(pid_t pid, const void *at, void *buf, size_t len)
{
	struct iovec l = {buf, len}, r = {(void *)(uintptr_t)at, len};
	ssize_t n = process_vm_readv(pid, &l, 1, &r, 1, 0);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EFAULT;
}

static int caller_write(pid_t pid, void *at, const void *buf, size_t len)
{
	struct iovec l = {(void *)(uintptr_t)buf, len}, r = {at, len};
	ssize_t n = process_vm_writev(pid, &l, 1, &r, 1, 0);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EFAULT;
}

static uint32_t le32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint32_t le16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

/* How long the structure is, by its first 32 bytes. 0: not one that we know. */
static size_t lum_len(const uint8_t *lum, bool objects)
{
	uint32_t magic = le32_at(lum), count = le16_at(lum + 28);

	if (magic == LOV_MAGIC_V1)
		return LUM_V1 + (objects ? count * (size_t)LUM_OBJECT : 0);
	if (magic == LOV_MAGIC_V3)
		return LUM_V3 + (objects ? count * (size_t)LUM_OBJECT : 0);
	if (magic == LOV_MAGIC_SPECIFIC)
		return LUM_V3 + count * (size_t)LUM_OBJECT;
	return 0;
}

static int ioc_setstripe(struct flane *fl, const struct fid *fid, const struct cred *cred,
			 const void *arg, uint8_t *lum)
{
	struct attr a;
	size_t len;
	int rc;

	rc = fs_co_getattr(fl->ln, fid, &a);
	if (rc)
		return rc;
	if (cred->uid && cred->uid != a.uid)
		return -EPERM;
	rc = caller_read((pid_t)cred->pid, arg, lum, LUM_V1);
	if (rc)
		return rc;
	len = lum_len(lum, false);
	if (!len || len > LUM_MAX)
		return -EINVAL;
	rc = caller_read((pid_t)cred->pid, arg, lum, len);
	if (rc)
		return rc;
	return fs_co_setxattr(fl->ln, fid, "lustre.lov", (struct span){lum, (uint32_t)len}, 0,
			      cred);
}

static int ioc_getstripe(struct flane *fl, const struct fid *fid, const struct cred *cred,
			 void *arg, uint8_t *lum)
{
	uint8_t head[LUM_V1];
	uint32_t room;
	ssize_t n;
	int rc;

	rc = caller_read((pid_t)cred->pid, arg, head, sizeof(head));
	if (rc)
		return rc;
	n = fs_co_getxattr(fl->ln, fid, "lustre.lov", lum, LUM_MAX);
	if (n < 0)
		return (int)n;
	/* The caller says for how many objects it has room. */
	room = le16_at(head + 28);
	if (n >= LUM_V1 && le32_at(lum) != LOV_MAGIC_COMP_V1 && le16_at(lum + 28) > room)
		n = (ssize_t)(lum_len(lum, false) + room * (size_t)LUM_OBJECT);
	return caller_write((pid_t)cred->pid, arg, lum, (size_t)n);
}

/* struct lu_fid: sequence, object id, version. */
static int ioc_path2fid(const struct fid *fid, const struct cred *cred, void *arg)
{
	struct {
		uint64_t seq;
		uint32_t oid, ver;
	} out = {htole64(fid->seq), htole32(fid->oid), htole32(fid->ver)};

	return caller_write((pid_t)cred->pid, arg, &out, sizeof(out));
}

static int advise(struct flane *fl, struct file *file, const struct ladvise *a, bool wait)
{
	if (a->end <= a->start)
		return -EINVAL;
	switch (a->advice) {
	case LADVISE_WILLREAD:
	case LADVISE_DONTNEED:
		return fs_co_advise(fl->ln, file,
				    a->advice == LADVISE_WILLREAD ? FS_WILL_NEED : FS_DONT_NEED,
				    a->start, a->end - a->start, wait);
	case LADVISE_LOCKAHEAD:
	case LADVISE_LOCKNOEXPAND:
		return -EOPNOTSUPP; /* leases are on whole files */
	default:
		return -EINVAL;
	}
}

/* Several advices in one call; the first error ends it. */
static int ioc_ladvise(struct flane *fl, struct fuse_file_info *fi, const struct cred *cred,
		       const uint8_t *arg, unsigned flags)
{
	HOLD_FILE(fi);
	struct ladvise_head h;
	struct ladvise a;
	uint32_t i;
	int rc;

	if (flags & FUSE_IOCTL_DIR || !held_fi)
		return -ENOTTY;
	rc = caller_read((pid_t)cred->pid, arg, &h, sizeof(h));
	if (rc)
		return rc;
	if (h.magic != LADVISE_MAGIC || !h.count || h.count > LADVISE_COUNT ||
	    h.flags & ~(uint64_t)(LADVISE_ASYNC | LADVISE_UNSET))
		return -EINVAL;
	for (i = 0; i < h.count && rc == 0; i++) {
		rc = caller_read((pid_t)cred->pid, arg + sizeof(h) + i * sizeof(a), &a, sizeof(a));
		if (rc == 0)
			rc = advise(fl, held_fi, &a, !(h.flags & LADVISE_ASYNC));
	}
	return rc;
}

static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		     struct fuse_file_info *fi, unsigned flags, const void *in_buf, size_t in_len,
		     size_t out_len)
{
	struct flane *fl = flane_here();
	struct cred cred = reply_cred(req);
	static const uint32_t mdt_index;
	struct buf *b;
	struct fid fid;
	int rc;

	(void)in_buf;
	(void)in_len;
	(void)out_len;
	rc = flags & FUSE_IOCTL_COMPAT ? -ENOTTY : face_fid(fl->face, ino, &fid);
	if (rc) {
		reply_rc(req, rc);
		return;
	}
	b = flane_co_buf(fl, LUM_MAX);
	switch (cmd) {
	case IOC_SETSTRIPE:
	case IOC_SETSTRIPE_NEW:
		rc = ioc_setstripe(fl, &fid, &cred, arg, b->ptr);
		break;
	case IOC_GETSTRIPE:
	case IOC_GETSTRIPE_NEW:
		rc = ioc_getstripe(fl, &fid, &cred, arg, b->ptr);
		break;
	case IOC_PATH2FID:
		rc = ioc_path2fid(&fid, &cred, arg);
		break;
	case IOC_LADVISE:
		rc = ioc_ladvise(fl, fi, &cred, arg, flags);
		break;
	case IOC_GET_MDTIDX:
		rc = caller_write((pid_t)cred.pid, arg, &mdt_index, sizeof(mdt_index));
		break;
	default:
		rc = -ENOTTY;
	}
	buf_put(b);
	if (rc)
		reply_rc(req, rc);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}

void ops_ioctl(struct fuse_lowlevel_ops *o)
{
	o->ioctl = op_ioctl;
}
