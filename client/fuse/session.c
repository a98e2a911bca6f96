/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - the libfuse session on our own descriptor, and what is agreed with the kernel.
 *
 * libfuse 3.14 cannot ask for some things the kernel offers, so the write hook changes its
 * answer to FUSE_INIT on the way out: set-id bits are ours to clear (no getxattr before every
 * write), files that bypass the page cache may be mapped, and requests may be larger than 1 MiB.
 * All else goes through unchanged.
 */
#include "client/fuse/again.h"
#include "client/fuse/face.h"
#include "client/fuse/uring_abi.h"
#include "common/log.h"
#include <fuse3/fuse_opt.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define INIT_DIRECT_IO_ALLOW_MMAP (1U << (36 - 32)) /* flags2; newer than Debian 12's header */

enum { MINOR_INC_EPOCH = 44 }; /* see notify.c */

static __thread struct face *init_of; /* this thread's next write answers FUSE_INIT */

void face_end(struct face *f)
{
	uint64_t one = 1;

	if (atomic_exchange(&f->ended, true))
		return;
	if (write(f->end_fd, &one, sizeof(one)) != sizeof(one))
		log_err("cannot tell that the session is over: %s", err_str(errno));
}

static void change_init(const struct face *f, struct iovec *iov, int count)
{
	struct fuse_init_out *o;
	const struct fuse_out_header *h = iov[0].iov_base;

	if (count < 2 || h->error || iov[1].iov_len < sizeof(*o))
		return;
	o = iov[1].iov_base;
	o->flags &= ~(uint32_t)FUSE_HANDLE_KILLPRIV;
	o->flags |= FUSE_HANDLE_KILLPRIV_V2 | FUSE_INIT_EXT;
	o->flags2 |= INIT_DIRECT_IO_ALLOW_MMAP;
	if (f->uring_want)
		o->flags2 |= INIT_OVER_IO_URING;
	if (o->flags & FUSE_MAX_PAGES) { /* libfuse 3.14 goes up to 1 MiB */
		o->max_write = f->max_req;
		o->max_pages = (uint16_t)(f->max_req / 4096);
	}
	log_dbg("FUSE %u.%u, flags %08x %08x, requests up to %u bytes", o->major, o->minor,
		o->flags, o->flags2, o->max_write);
}

static ssize_t hook_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct face *f = init_of;
	ssize_t n;
	int i;

	if (!f)
		return transport_write(userdata, iov, count);
	init_of = NULL;
	change_init(f, iov, count);
	if (f->inherited) {
		for (i = 0, n = 0; i < count; i++)
			n += (ssize_t)iov[i].iov_len;
		return n;
	}
	book_head(f->book)->uring = f->uring_want;
	n = writev(fd, iov, count);
	if (n > 0)
		transport_start(f);
	return n;
}

void session_note_init(struct face *f, const struct serve *s)
{
	struct book_head *h = book_head(f->book);

	if (s->len <= sizeof(h->init)) {
		memcpy(h->init, s->data, s->len);
		h->init_len = s->len;
	}
}

void session_inherit(struct face *f)
{
	struct book_head *h = book_head(f->book);
	const struct fuse_in_header *in = (const struct fuse_in_header *)h->init;
	struct fuse_buf fb = {.size = h->init_len, .mem = h->init};

	transport_init_in(f, (const struct fuse_init_in *)(in + 1));
	fuse_session_process_buf(f->se, &fb);
}

static ssize_t hook_read(int fd, void *buf, size_t len, void *userdata)
{
	(void)userdata;
	return read(fd, buf, len);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct face *f = userdata;
	uint32_t want = FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_DONT_MASK |
			FUSE_CAP_IOCTL_DIR | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_READDIRPLUS |
			FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
			FUSE_CAP_POSIX_ACL | FUSE_CAP_CACHE_SYMLINKS;

	if (f->opt.locks != LOCKS_LOCAL)
		want |= FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS;
	if ((conn->capable & want) != want)
		log_warn("this kernel lacks FUSE features %08x", want & ~conn->capable);
	conn->want = want & conn->capable;
	conn->max_write = f->max_req;
	conn->max_read = f->max_req;
	conn->max_readahead = f->opt.read_ahead_kb << 10;
	conn->max_background = 256;
	conn->congestion_threshold = 192;
	conn->time_gran = 1;
	f->keeps_names = conn->proto_minor >= MINOR_INC_EPOCH;
	init_of = f;
}

int session_create(struct face *f)
{
	static const struct fuse_custom_io io = {.writev = hook_writev, .read = hook_read};
	char prog[] = "sheen", dash[] = "-o", max_read[32];
	char *argv[] = {prog, dash, max_read, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_lowlevel_ops ops = {.init = op_init};

	ops_name(&ops);
	ops_dir(&ops);
	ops_file(&ops);
	ops_xattr(&ops);
	ops_lock(&ops);
	ops_ioctl(&ops);
	/* libfuse insists on hearing the same here and in op_init(). */
	snprintf(max_read, sizeof(max_read), "max_read=%u", f->max_req);
	if (agains_create(&f->agains) || glance_create(&f->glance) || known_create(&f->known) ||
	    notifier_create(f, &f->notifier))
		return -ENOMEM;
	f->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->end_fd < 0)
		return -errno;
	f->se = fuse_session_new(&args, &ops, sizeof(ops), f);
	fuse_opt_free_args(&args);
	if (!f->se)
		return -ENOMEM;
	return fuse_session_custom_io(f->se, &io, f->fd) ? -EINVAL : 0;
}

/* libfuse closes the descriptor with the session. */
void session_destroy(struct face *f)
{
	if (f->notifier)
		notifier_destroy(f->notifier);
	f->notifier = NULL;
	if (f->se)
		fuse_session_destroy(f->se);
	else if (f->fd >= 0)
		close(f->fd);
	if (f->end_fd >= 0)
		close(f->end_fd);
	if (f->known)
		known_destroy(f->known);
	f->known = NULL;
	if (f->glance)
		glance_destroy(f->glance);
	f->glance = NULL;
	agains_destroy(f->agains);
	f->agains = NULL;
	f->se = NULL;
	f->fd = f->end_fd = -1;
}
