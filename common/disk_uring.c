/* SPDX-License-Identifier: Apache-2.0 */
/* disk_uring.c - disk.h over a directory of a local file system, through io_uring.
 *
 * One ring for each disk, used on the loop's thread only. Requests of one pass of the loop are
 * submitted together before the loop waits; a large one goes at once, so that its answer can leave
 * while the next is copied. What the page cache can serve completes inside the submit and its
 * fiber never leaves the pass. The ring's descriptor wakes the loop for the rest.
 *
 * Through the ring: read, write, sync, fallocate, unlink, large truncations, and opens whose names
 * are not cached. In line, because they have no operation or cost less than a worker thread's
 * wake-up: creation, stat, seek, xattrs, small truncations, and small writes while those are quick
 * (see write_inline). syncfs(2) has no operation in the ring, and takes long: a thread of its own.
 *
 * Deliberately not here: caching of descriptors, O_DIRECT, checksums (oss). */
#include "common/co.h"
#include "common/disk.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/loop_fd.h"
#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
	RING_ENTRIES = 256,	   /* and requests in flight; the CQ holds twice that */
	WORKERS = 16,		   /* of the kernel, for what would block */
	SUBMIT_NOW = 512 << 10,	   /* bytes of a request that do not wait for the end of the pass */
	IOV_WINDOW = 64,
	TRUNCATE_LARGE = 64 << 20, /* freeing more than this takes long */
	INLINE_WRITE = 256 << 10,
	OP_FTRUNCATE = 55	   /* Linux 6.9; liburing 2.3 does not name it */
};

/* Longer than being preempted takes. */
#define INLINE_SLOW (10 * (uint64_t)NSEC_PER_MSEC)
/* Then none for so many times as long: blocking stays below two percent of the time. */
#define INLINE_PAUSE_FACTOR 64

struct disk {
	struct loop *l;
	struct io_uring ring;
	struct loop_fd *w;
	struct loop_work submit_work;
	struct loop_timer retry; /* the kernel had no memory for a submit */
	int dirfd;
	bool enabled;	    /* the ring belongs to the thread that first uses it */
	bool can_ftruncate;
	uint32_t inflight;
	uint32_t files;
	uint64_t ring_writes_until; /* small writes blocked lately: loop_now() time */
	struct co_waitq room;
	/* of disk_co_sync_all() */
	pthread_t syncer;
	struct loop_work synced;
	struct fiber *sync_waits; /* NULL: none runs */
	bool sync_done;
	int sync_rc;
};

struct disk_file {
	struct disk *d;
	int fd;
	uint32_t refs; /* requests in flight, and one until it is closed */
};

/* A request in flight, on the stack of its fiber. */
struct io {
	struct fiber *waiting;
	bool done;
	int res;
};

/* ---- ring ---- */

static void reap(struct disk *d)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&d->ring, head, cqe) {
		struct io *io = io_uring_cqe_get_data(cqe);

		n++;
		io->res = cqe->res;
		io->done = true;
		if (io->waiting)
			fiber_wake(io->waiting);
	}
	io_uring_cq_advance(&d->ring, n);
	d->inflight -= n;
	while (n-- && !co_waitq_empty(&d->room))
		co_wake_one(&d->room);
}

/* Both are the calling thread's: the ring's issuer and the pool of workers. (The shared library of
 * liburing 2.3 lacks io_uring_enable_rings.) */
static void ring_enable(struct disk *d)
{
	unsigned workers[2] = {WORKERS, WORKERS};

	d->enabled = true;
	if (syscall(SYS_io_uring_register, d->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		log_err("disk: the ring cannot be enabled: %s", err_str(errno));
	if (io_uring_register_iowq_max_workers(&d->ring, workers) < 0)
		log_dbg("disk: the number of io workers is not limited");
}

static void submit(void *arg)
{
	struct disk *d = arg;
	int rc;

	if (!d->enabled)
		ring_enable(d);
	rc = io_uring_submit_and_get_events(&d->ring);
	reap(d);
	if (rc >= 0 && !io_uring_sq_ready(&d->ring))
		return;
	if (rc < 0 && rc != -EAGAIN && rc != -EBUSY && rc != -EINTR)
		log_err("disk: io_uring_submit: %s", err_str(rc));
	if (!d->retry.due_ns)
		loop_timer_start(d->l, &d->retry, (uint64_t)NSEC_PER_MSEC);
}

static void ring_ready(void *arg, int events)
{
	struct disk *d = arg;

	(void)events;
	io_uring_get_events(&d->ring);
	reap(d);
}

/* A place in the ring. The caller fills it in and calls io_co_wait() without suspending between. */
static struct io_uring_sqe *io_co_start(struct disk *d)
{
	struct io_uring_sqe *sqe;
	int rc = 0;

	assert(fiber_self());
	while (d->inflight >= RING_ENTRIES && rc == 0)
		rc = co_wait(&d->room, 0);
	sqe = io_uring_get_sqe(&d->ring);
	assert(sqe); /* there are as many as may be in flight */
	d->inflight++;
	return sqe;
}

/* The result of the operation: a count or -errno. bytes: how much it moves. */
static int io_co_wait(struct disk *d, struct io_uring_sqe *sqe, uint64_t bytes)
{
	struct io io = {0};

	io_uring_sqe_set_data(sqe, &io);
	if (bytes >= SUBMIT_NOW)
		submit(d);
	else
		loop_before_wait(d->l, &d->submit_work);
	if (!io.done) {
		io.waiting = fiber_self();
		fiber_co_suspend();
	}
	return io.res;
}

static void file_unref(struct disk_file *f)
{
	if (--f->refs)
		return;
	f->d->files--;
	close(f->fd);
	free(f);
}

/* ---- opening ---- */

static int ring_init(struct disk *d)
{
	/* Not DEFER_TASKRUN: with it the ring's descriptor does not become readable when a worker
	 * or the device is done (seen with Linux 6.18), and an eventfd costs what it saves. */
	const unsigned common = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
				       IORING_SETUP_SUBMIT_ALL;
	const unsigned flags[] = {IORING_SETUP_SINGLE_ISSUER | common, common, 0};
	struct io_uring_probe *probe;
	unsigned i;
	int rc = -EINVAL;

	for (i = 0; i < ARRAY_SIZE(flags) && rc == -EINVAL; i++) {
		struct io_uring_params p = {.flags = flags[i] | IORING_SETUP_R_DISABLED};

		rc = io_uring_queue_init_params(RING_ENTRIES, &d->ring, &p);
	}
	if (rc) {
		log_err("disk: io_uring cannot be used: %s", err_str(rc));
		return rc;
	}
	probe = io_uring_get_probe_ring(&d->ring);
	if (probe)
		d->can_ftruncate = io_uring_opcode_supported(probe, OP_FTRUNCATE);
	io_uring_free_probe(probe);
	return 0;
}

static void sync_all_done(void *arg)
{
	struct disk *d = arg;

	d->sync_done = true;
	fiber_wake(d->sync_waits);
}

int disk_open(struct loop *l, const char *dir, struct disk **out)
{
	struct disk *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return -ENOMEM;
	d->l = l;
	d->submit_work = (struct loop_work){.fn = submit, .arg = d};
	d->retry = (struct loop_timer){.fn = submit, .arg = d};
	d->synced = (struct loop_work){.fn = sync_all_done, .arg = d};
	co_waitq_init(&d->room);
	d->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dirfd < 0) {
		rc = -errno;
		goto out_free;
	}
	rc = ring_init(d);
	if (rc)
		goto out_close;
	rc = loop_fd_create(l, d->ring.ring_fd, ring_ready, d, &d->w);
	if (rc)
		goto out_ring;
	loop_fd_set(d->w, LOOP_READ);
	*out = d;
	return 0;

out_ring:
	io_uring_queue_exit(&d->ring);
out_close:
	close(d->dirfd);
out_free:
	free(d);
	return rc;
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	assert(!d->inflight && !d->files && !d->submit_work.queued && !d->sync_waits);
	loop_timer_stop(d->l, &d->retry);
	loop_fd_destroy(d->w);
	io_uring_queue_exit(&d->ring);
	close(d->dirfd);
	free(d);
}

/* Object names come from FIDs, but a mistake there must not reach outside the target. */
static int path_check(const char *path)
{
	const char *p = path;

	if (!*path || *path == '/' || strlen(path) >= MAX_PATH)
		return -EINVAL;
	while (p) {
		if (p[0] == '.' && p[1] == '.' && (!p[2] || p[2] == '/'))
			return -EINVAL;
		p = strchr(p, '/');
		if (p)
			p++;
	}
	return 0;
}

/* Makes the directories above path. */
static int make_dirs(struct disk *d, const char *path)
{
	char dir[MAX_PATH];
	const char *p;

	for (p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(p - path), path);
		if (mkdirat(d->dirfd, dir, 0700) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int open_inline(struct disk *d, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = flags,
		.mode = flags & O_CREAT ? 0600 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | resolve,
	};
	long fd = syscall(SYS_openat2, d->dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* A name that is not cached needs the disk: a worker of the ring waits for it. */
static int open_co_ring(struct disk *d, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	struct io_uring_sqe *sqe = io_co_start(d);

	io_uring_prep_openat2(sqe, d->dirfd, path, &how);
	return io_co_wait(d, sqe, 0);
}

static int open_co_fd(struct disk *d, const char *path, bool create, uint64_t flags)
{
	int rc;

	if (!create) {
		rc = open_inline(d, path, flags, RESOLVE_CACHED);
		return rc == -EAGAIN ? open_co_ring(d, path, flags) : rc;
	}
	rc = open_inline(d, path, flags | O_CREAT, 0);
	if (rc != -ENOENT)
		return rc;
	rc = make_dirs(d, path);
	return rc ? rc : open_inline(d, path, flags | O_CREAT, 0);
}

int disk_co_open(struct disk *d, const char *path, bool create, struct disk_file **out)
{
	struct disk_file *f;
	int rc = path_check(path);

	if (rc)
		return rc;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	/* Updating the access time would send cached reads to a worker. */
	rc = open_co_fd(d, path, create, O_RDWR | O_CLOEXEC | O_NOATIME);
	if (rc == -EPERM)
		rc = open_co_fd(d, path, create, O_RDWR | O_CLOEXEC);
	if (rc < 0) {
		free(f);
		return rc;
	}
	*f = (struct disk_file){.d = d, .fd = rc, .refs = 1};
	d->files++;
	*out = f;
	return 0;
}

void disk_file_close(struct disk_file *f)
{
	if (f)
		file_unref(f);
}

/* ---- data ---- */

/* A transfer that may take several operations. */
struct xfer {
	const struct iovec *iov;
	uint32_t n;
	uint64_t off;
	size_t skip; /* of the first iovec */
	struct iovec win[IOV_WINDOW];
};

/* The next pieces; their number, and their bytes in *len. */
static uint32_t xfer_window(struct xfer *x, uint64_t *len)
{
	uint32_t i, k = 0;

	*len = 0;
	for (i = 0; i < x->n && k < IOV_WINDOW; i++) {
		size_t skip = i ? 0 : x->skip;

		if (x->iov[i].iov_len == skip)
			continue;
		x->win[k] = (struct iovec){(uint8_t *)x->iov[i].iov_base + skip,
					   x->iov[i].iov_len - skip};
		*len += x->win[k++].iov_len;
	}
	return k;
}

static void xfer_advance(struct xfer *x, size_t n)
{
	x->off += n;
	while (x->n && n >= x->iov->iov_len - x->skip) {
		n -= x->iov->iov_len - x->skip;
		x->skip = 0;
		x->iov++;
		x->n--;
	}
	x->skip += n;
}

static bool again(int rc)
{
	return rc == -EINTR || rc == -EAGAIN;
}

static int xfer_co_step(struct disk_file *f, struct xfer *x, uint32_t k, uint64_t len, bool write)
{
	struct io_uring_sqe *sqe = io_co_start(f->d);

	if (k == 1 && write)
		io_uring_prep_write(sqe, f->fd, x->win[0].iov_base, (unsigned)len, x->off);
	else if (k == 1)
		io_uring_prep_read(sqe, f->fd, x->win[0].iov_base, (unsigned)len, x->off);
	else if (write)
		io_uring_prep_writev(sqe, f->fd, x->win, k, x->off);
	else
		io_uring_prep_readv(sqe, f->fd, x->win, k, x->off);
	return io_co_wait(f->d, sqe, len);
}

ssize_t disk_co_read(struct disk_file *f, struct iovec *iov, uint32_t n, uint64_t off)
{
	struct xfer x = {.iov = iov, .n = n, .off = off};
	uint64_t len;
	uint32_t k;
	int rc = 0;

	f->refs++;
	while ((k = xfer_window(&x, &len))) {
		rc = xfer_co_step(f, &x, k, len, false);
		if (again(rc))
			continue;
		if (rc <= 0)
			break;
		xfer_advance(&x, (size_t)rc);
	}
	file_unref(f);
	return rc < 0 ? rc : (ssize_t)(x.off - off);
}

/* Most file systems let the ring do a buffered write on a worker thread only, whose wake-up costs
 * more than copying a few hundred KiB (docs/performance.md). But a write blocks when too much is
 * dirty: after one that took long the ring gets them all for a while. */
static int write_inline(struct disk_file *f, struct xfer *x, uint32_t k)
{
	struct disk *d = f->d;
	uint64_t t0 = loop_clock(d->l), t1;
	ssize_t n = pwritev(f->fd, x->win, (int)k, (off_t)x->off);
	int rc = n < 0 ? -errno : (int)n;

	t1 = loop_clock(d->l);
	if (t1 - t0 > INLINE_SLOW)
		d->ring_writes_until = t1 + INLINE_PAUSE_FACTOR * (t1 - t0);
	return rc;
}

int disk_co_write(struct disk_file *f, const struct iovec *iov, uint32_t n, uint64_t off)
{
	struct xfer x = {.iov = iov, .n = n, .off = off};
	uint64_t len;
	uint32_t k;
	int rc = 0;

	f->refs++;
	while ((k = xfer_window(&x, &len))) {
		if (len <= INLINE_WRITE && loop_now(f->d->l) >= f->d->ring_writes_until)
			rc = write_inline(f, &x, k);
		else
			rc = xfer_co_step(f, &x, k, len, true);
		if (again(rc))
			continue;
		if (rc <= 0)
			break;
		xfer_advance(&x, (size_t)rc);
	}
	file_unref(f);
	if (rc < 0)
		return rc;
	/* A write of nothing is not seen in practice, but must not be retried without end. */
	return x.n && xfer_window(&x, &len) ? -EIO : 0;
}

static int co_sync(struct disk_file *f, unsigned flags)
{
	struct io_uring_sqe *sqe;
	int rc;

	f->refs++;
	do {
		sqe = io_co_start(f->d);
		io_uring_prep_fsync(sqe, f->fd, flags);
		rc = io_co_wait(f->d, sqe, 0);
	} while (again(rc));
	file_unref(f);
	return rc;
}

int disk_co_sync(struct disk_file *f)
{
	return co_sync(f, IORING_FSYNC_DATASYNC);
}

int disk_co_sync_meta(struct disk_file *f)
{
	return co_sync(f, 0);
}

static void *sync_all_main(void *arg)
{
	struct disk *d = arg;

	d->sync_rc = syncfs(d->dirfd) ? -errno : 0;
	loop_post(d->l, &d->synced);
	return NULL;
}

int disk_co_sync_all(struct disk *d)
{
	int rc;

	assert(!d->sync_waits);
	d->sync_done = false;
	d->sync_waits = fiber_self();
	rc = -pthread_create(&d->syncer, NULL, sync_all_main, d);
	while (rc == 0 && !d->sync_done)
		fiber_co_suspend();
	d->sync_waits = NULL;
	if (rc)
		return rc;
	pthread_join(d->syncer, NULL);
	return d->sync_rc;
}

int disk_co_fallocate(struct disk_file *f, uint32_t mode, uint64_t off, uint64_t len)
{
	struct io_uring_sqe *sqe;
	int rc;

	f->refs++;
	do {
		sqe = io_co_start(f->d);
		io_uring_prep_fallocate(sqe, f->fd, (int)mode, (off_t)off, (off_t)len);
		rc = io_co_wait(f->d, sqe, 0);
	} while (again(rc));
	file_unref(f);
	return rc;
}

static int truncate_co_ring(struct disk_file *f, uint64_t size)
{
	struct io_uring_sqe *sqe;
	int rc;

	f->refs++;
	sqe = io_co_start(f->d);
	io_uring_prep_rw(OP_FTRUNCATE, sqe, f->fd, NULL, 0, size);
	rc = io_co_wait(f->d, sqe, 0);
	file_unref(f);
	return rc;
}

int disk_co_truncate(struct disk_file *f, uint64_t size)
{
	struct stat st;

	if (size > INT64_MAX)
		return -EFBIG;
	if (f->d->can_ftruncate && fstat(f->fd, &st) == 0 &&
	    (uint64_t)st.st_blocks * 512 > size + TRUNCATE_LARGE) {
		int rc = truncate_co_ring(f, size);

		if (!again(rc))
			return rc;
	}
	return ftruncate(f->fd, (off_t)size) ? -errno : 0;
}

int disk_co_unlink(struct disk *d, const char *path)
{
	struct io_uring_sqe *sqe;
	int rc = path_check(path);

	if (rc)
		return rc;
	do {
		sqe = io_co_start(d);
		io_uring_prep_unlinkat(sqe, d->dirfd, path, 0);
		rc = io_co_wait(d, sqe, 0);
	} while (again(rc));
	return rc;
}

/* ---- in line ---- */

void disk_uncache(struct disk_file *f, uint64_t off, uint64_t len)
{
	(void)!posix_fadvise(f->fd, (off_t)off, (off_t)len, POSIX_FADV_DONTNEED);
}

int disk_list(struct disk *d, const char *path, disk_name_fn *fn, void *arg)
{
	int fd = openat(d->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	errno = 0;
	while (rc == 0 && (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = fn(arg, e->d_name);
		errno = 0;
	}
	if (rc == 0)
		rc = -errno;
	closedir(dir);
	return rc;
}

int disk_stat(struct disk_file *f, struct disk_stat *out)
{
	struct stat st;

	if (fstat(f->fd, &st))
		return -errno;
	*out = (struct disk_stat){
		.size = (uint64_t)st.st_size,
		.blocks = (uint64_t)st.st_blocks,
		.mtime = (int64_t)st.st_mtim.tv_sec * NSEC_PER_SEC + st.st_mtim.tv_nsec,
	};
	return 0;
}

int64_t disk_seek(struct disk_file *f, uint64_t off, int whence)
{
	off_t at;

	if (off > INT64_MAX)
		return -ENXIO;
	at = lseek(f->fd, (off_t)off, whence);
	return at < 0 ? -errno : (int64_t)at;
}

int disk_space(struct disk *d, struct disk_space *out)
{
	struct statvfs s;

	if (fstatvfs(d->dirfd, &s))
		return -errno;
	*out = (struct disk_space){
		.total = s.f_blocks * s.f_frsize,
		.free = s.f_bfree * s.f_frsize,
		.avail = s.f_bavail * s.f_frsize,
		.files = s.f_files,
		.ffree = s.f_ffree,
	};
	return 0;
}

static int xattr_name(const char *name, char *out, size_t len)
{
	return (size_t)snprintf(out, len, "user.%s", name) < len ? 0 : -ERANGE;
}

ssize_t disk_getxattr(struct disk_file *f, const char *name, void *value, size_t len)
{
	char full[MAX_XATTR_NAME + 1];
	ssize_t n = xattr_name(name, full, sizeof(full));

	if (n)
		return n;
	n = fgetxattr(f->fd, full, value, len);
	return n < 0 ? -errno : n;
}

int disk_setxattr(struct disk_file *f, const char *name, const void *value, size_t len)
{
	char full[MAX_XATTR_NAME + 1];
	int rc = xattr_name(name, full, sizeof(full));

	if (rc)
		return rc;
	return fsetxattr(f->fd, full, value, len, 0) ? -errno : 0;
}
