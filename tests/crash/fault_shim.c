/* SPDX-License-Identifier: Apache-2.0 */
/* fault_shim.c - LD_PRELOAD for a server: a call that can fail fails once, for each place that
 * makes it.
 *
 * The test maps the file FAULT_CTL names, writes there which kind of call has to fail and how, and
 * sees where it did. A place is the return address; one that has failed in that way before is left
 * alone, so arming again and again visits all. Nothing of this is in the servers.
 *
 * What goes through io_uring is caught when it is submitted: the request becomes one that does
 * nothing, and its completion gets the error before the server looks at it.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SEEN_MAX = 8192, NAME_MAX_LEN = 32 };

/* As tests/crash/faults.py packs it. */
struct ctl {
	char kind[NAME_MAX_LEN]; /* of the call that has to fail; empty: none */
	int32_t err;             /* errno, or 0 for a short count */
	uint32_t fired;          /* 1 once it has failed */
	uint64_t offset;         /* of the place in its module */
	char module[160];
	uint32_t nseen;
	int32_t skip; /* calls to let pass, see fires_somewhere() */
	uint64_t seen[SEEN_MAX];
};

static struct ctl *ctl;
static __thread bool inside;

/* First of all that runs: other constructors allocate. */
__attribute__((constructor)) static void attach(void)
{
	const char *path = getenv("FAULT_CTL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mem;

	if (fd < 0)
		return;
	mem = mmap(NULL, sizeof(*ctl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mem != MAP_FAILED)
		ctl = mem;
}

static uint64_t place_of(const char *kind, const char *module, uint64_t offset)
{
	uint64_t h = 14695981039346656037U ^ offset ^ (uint64_t)ctl->err << 48;

	for (; *kind; kind++)
		h = (h ^ (uint8_t)*kind) * 1099511628211U;
	for (; *module; module++)
		h = (h ^ (uint8_t)*module) * 1099511628211U;
	return h;
}

static bool armed(const char *kind)
{
	return ctl && !inside && strncmp(ctl->kind, kind, NAME_MAX_LEN) == 0;
}

/* The call that fails is this one; once. */
static bool take(const char *module, uint64_t offset)
{
	if (__atomic_exchange_n(&ctl->fired, 1, __ATOMIC_SEQ_CST))
		return false;
	ctl->offset = offset;
	snprintf(ctl->module, sizeof(ctl->module), "%s", module);
	ctl->kind[0] = 0;
	return true;
}

static bool is_new(uint64_t place)
{
	uint32_t i;

	for (i = 0; i < ctl->nseen; i++)
		if (ctl->seen[i] == place)
			return false;
	return ctl->nseen < SEEN_MAX;
}

/* What wakes libev's loop is an eventfd: reading and writing that cannot fail. */
static bool of_the_loop(const char *kind, const char *module)
{
	return strstr(module, "libev.") && (!strcmp(kind, "read") || !strcmp(kind, "write"));
}

/* Whether this call has to fail. */
static bool fires(const char *kind, void *from)
{
	Dl_info info;
	uint64_t offset, place;
	bool yes = false;

	if (!armed(kind))
		return false;
	inside = true;
	if (dladdr(from, &info) && !of_the_loop(kind, info.dli_fname)) {
		offset = (uint64_t)((char *)from - (char *)info.dli_fbase);
		place = place_of(kind, info.dli_fname, offset);
		yes = is_new(place) && take(info.dli_fname, offset);
		if (yes)
			ctl->seen[ctl->nseen++] = place;
	}
	inside = false;
	return yes;
}

/* The same where the place is not known (what asked a ring for something is a fiber that sleeps):
 * the test says how many to let pass. */
static bool fires_somewhere(const char *kind)
{
	return armed(kind) && __atomic_fetch_sub(&ctl->skip, 1, __ATOMIC_SEQ_CST) == 0 &&
	       take("somewhere", 0);
}

static void *real(const char *name)
{
	void *f;

	inside = true;
	f = dlsym(RTLD_NEXT, name);
	inside = false;
	return f;
}

#define FROM __builtin_return_address(0)

/* A call that fails with a value and errno. */
#define FAULTY(ret, bad, name, kind, params, args)                                                 \
	ret name params;                                                                           \
	ret name params                                                                            \
	{                                                                                          \
		static ret(*f) params;                                                             \
                                                                                                   \
		if (!f)                                                                            \
			f = (ret(*) params)real(#name);                                            \
		if (fires(kind, FROM)) {                                                           \
			errno = ctl->err;                                                          \
			return bad;                                                                \
		}                                                                                  \
		return f args;                                                                     \
	}

/* One that moves bytes, and may move fewer: with error 0 it moves half of what it was asked to. */
#define MOVES(name, kind, params, args, args_short)                                                \
	ssize_t name params;                                                                       \
	ssize_t name params                                                                        \
	{                                                                                          \
		static ssize_t(*f) params;                                                         \
                                                                                                   \
		if (!f)                                                                            \
			f = (ssize_t(*) params)real(#name);                                        \
		if (fires(kind, FROM)) {                                                           \
			if (!ctl->err)                                                             \
				return f args_short;                                               \
			errno = ctl->err;                                                          \
			return -1;                                                                 \
		}                                                                                  \
		return f args;                                                                     \
	}

#define HALF(n) ((n) > 1 ? (n) / 2 : (n))

MOVES(pread, "pread", (int fd, void *p, size_t n, off_t at), (fd, p, n, at), (fd, p, HALF(n), at))
MOVES(pread64, "pread", (int fd, void *p, size_t n, off64_t at), (fd, p, n, at),
      (fd, p, HALF(n), at))
MOVES(pwrite, "pwrite", (int fd, const void *p, size_t n, off_t at), (fd, p, n, at),
      (fd, p, HALF(n), at))
MOVES(pwrite64, "pwrite", (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at),
      (fd, p, HALF(n), at))
MOVES(read, "read", (int fd, void *p, size_t n), (fd, p, n), (fd, p, HALF(n)))
MOVES(write, "write", (int fd, const void *p, size_t n), (fd, p, n), (fd, p, HALF(n)))
MOVES(readv, "readv", (int fd, const struct iovec *v, int n), (fd, v, n), (fd, v, HALF(n)))
MOVES(writev, "writev", (int fd, const struct iovec *v, int n), (fd, v, n), (fd, v, HALF(n)))
MOVES(pwritev64, "pwritev", (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at),
      (fd, v, HALF(n), at))
MOVES(sendto, "sendto",
      (int fd, const void *p, size_t n, int k, const struct sockaddr *a, socklen_t l),
      (fd, p, n, k, a, l), (fd, p, HALF(n), k, a, l))

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	static ssize_t (*f)(int, const struct msghdr *, int);
	struct msghdr half = *m;

	if (!f)
		f = (ssize_t(*)(int, const struct msghdr *, int))real("sendmsg");
	if (!fires("sendmsg", FROM))
		return f(fd, m, flags);
	half.msg_iovlen = HALF(half.msg_iovlen);
	if (!ctl->err)
		return f(fd, &half, flags);
	errno = ctl->err;
	return -1;
}

FAULTY(int, -1, fsync, "fsync", (int fd), (fd))
FAULTY(int, -1, fdatasync, "fdatasync", (int fd), (fd))
FAULTY(int, -1, msync, "msync", (void *p, size_t n, int k), (p, n, k))
FAULTY(int, -1, ftruncate, "ftruncate", (int fd, off_t n), (fd, n))
FAULTY(int, -1, ftruncate64, "ftruncate", (int fd, off64_t n), (fd, n))
FAULTY(int, -1, fallocate64, "fallocate", (int fd, int k, off64_t a, off64_t n), (fd, k, a, n))
FAULTY(int, -1, fsetxattr, "fsetxattr", (int fd, const char *k, const void *v, size_t n, int how),
       (fd, k, v, n, how))
FAULTY(ssize_t, -1, fgetxattr, "fgetxattr", (int fd, const char *k, void *v, size_t n),
       (fd, k, v, n))
FAULTY(int, -1, fstat64, "fstat", (int fd, struct stat64 *s), (fd, s))
FAULTY(int, -1, fstatvfs64, "fstatvfs", (int fd, struct statvfs64 *s), (fd, s))
FAULTY(off64_t, -1, lseek64, "lseek", (int fd, off64_t at, int how), (fd, at, how))
FAULTY(int, -1, mkdir, "mkdir", (const char *p, mode_t m), (p, m))
FAULTY(int, -1, mkdirat, "mkdir", (int d, const char *p, mode_t m), (d, p, m))
FAULTY(int, -1, unlinkat, "unlinkat", (int d, const char *p, int k), (d, p, k))
FAULTY(int, -1, renameat, "renameat", (int d, const char *p, int e, const char *q), (d, p, e, q))
FAULTY(int, -1, rename, "renameat", (const char *p, const char *q), (p, q))
FAULTY(DIR *, NULL, fdopendir, "fdopendir", (int fd), (fd))
FAULTY(struct dirent64 *, NULL, readdir64, "readdir", (DIR * d), (d))
FAULTY(int, -1, flock, "flock", (int fd, int k), (fd, k))

FAULTY(int, -1, socket, "socket", (int d, int t, int p), (d, t, p))
FAULTY(int, -1, accept4, "accept4", (int fd, struct sockaddr *a, socklen_t *n, int k),
       (fd, a, n, k))
FAULTY(int, -1, connect, "connect", (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FAULTY(int, -1, bind, "bind", (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FAULTY(int, -1, listen, "listen", (int fd, int n), (fd, n))
FAULTY(int, -1, setsockopt, "setsockopt", (int fd, int l, int o, const void *v, socklen_t n),
       (fd, l, o, v, n))
FAULTY(int, -1, getsockopt, "getsockopt", (int fd, int l, int o, void *v, socklen_t *n),
       (fd, l, o, v, n))
FAULTY(int, -1, getsockname, "getsockname", (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
FAULTY(ssize_t, -1, getrandom, "getrandom", (void *p, size_t n, unsigned int k), (p, n, k))

FAULTY(void *, MAP_FAILED, mmap, "mmap", (void *p, size_t n, int r, int k, int fd, off_t at),
       (p, n, r, k, fd, at))
FAULTY(void *, MAP_FAILED, mmap64, "mmap", (void *p, size_t n, int r, int k, int fd, off64_t at),
       (p, n, r, k, fd, at))
FAULTY(int, -1, mprotect, "mprotect", (void *p, size_t n, int r), (p, n, r))

/* ---- memory: not looked up, because looking up allocates ---- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t k, size_t n);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t a, size_t n);

#define NO_MEMORY(name, params, instead)                                                           \
	void *name params                                                                          \
	{                                                                                          \
		if (fires("malloc", FROM)) {                                                       \
			errno = ENOMEM;                                                            \
			return NULL;                                                               \
		}                                                                                  \
		return instead;                                                                    \
	}

NO_MEMORY(malloc, (size_t n), __libc_malloc(n))
NO_MEMORY(calloc, (size_t k, size_t n), __libc_calloc(k, n))
NO_MEMORY(realloc, (void *p, size_t n), __libc_realloc(p, n))
NO_MEMORY(aligned_alloc, (size_t a, size_t n), __libc_memalign(a, n))

int posix_memalign(void **out, size_t a, size_t n)
{
	if (fires("malloc", FROM))
		return ENOMEM;
	*out = __libc_memalign(a, n);
	return *out ? 0 : ENOMEM;
}

/* ---- with a variable number of arguments ---- */

#define OPENS(name, kind, first, call)                                                             \
	int name first;                                                                            \
	int name first                                                                             \
	{                                                                                          \
		va_list ap;                                                                        \
		mode_t mode = 0;                                                                   \
                                                                                                   \
		va_start(ap, how);                                                                 \
		if (how & (O_CREAT | __O_TMPFILE))                                                 \
			mode = va_arg(ap, mode_t);                                                 \
		va_end(ap);                                                                        \
		if (fires(kind, FROM)) {                                                           \
			errno = ctl->err;                                                          \
			return -1;                                                                 \
		}                                                                                  \
		return (int)call;                                                                  \
	}

typedef long syscall_fn(long nr, ...);

static syscall_fn *system_call(void)
{
	static syscall_fn *f;

	if (!f)
		f = (syscall_fn *)real("syscall");
	return f;
}

#define OPEN_AT(d, p) system_call()(SYS_openat, d, p, how | O_LARGEFILE, mode)
OPENS(open, "open", (const char *p, int how, ...), OPEN_AT(AT_FDCWD, p))
OPENS(open64, "open", (const char *p, int how, ...), OPEN_AT(AT_FDCWD, p))
OPENS(openat, "open", (int d, const char *p, int how, ...), OPEN_AT(d, p))
OPENS(openat64, "open", (int d, const char *p, int how, ...), OPEN_AT(d, p))

long syscall(long nr, ...)
{
	long a[6];
	va_list ap;
	int i;

	va_start(ap, nr);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_openat2 && fires("openat2", FROM)) {
		errno = ctl->err;
		return -1;
	}
	return system_call()(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* libev asks for what watchers want when it goes to wait. */
int epoll_ctl(int fd, int op, int at, struct epoll_event *e)
{
	static int (*f)(int, int, int, struct epoll_event *);

	if (!f)
		f = (int (*)(int, int, int, struct epoll_event *))real("epoll_ctl");
	if (!fires_somewhere("epoll_ctl"))
		return f(fd, op, at, e);
	errno = ctl->err;
	return -1;
}

/* ---- io_uring ---- */

static const char *const ring_kinds[IORING_OP_LAST + 32] = {
	[IORING_OP_READ] = "ring.read",    [IORING_OP_READV] = "ring.read",
	[IORING_OP_WRITE] = "ring.write",  [IORING_OP_WRITEV] = "ring.write",
	[IORING_OP_FSYNC] = "ring.fsync",  [IORING_OP_FALLOCATE] = "ring.fallocate",
	[IORING_OP_OPENAT2] = "ring.open", [IORING_OP_UNLINKAT] = "ring.unlink",
	[55] = "ring.ftruncate",
};

/* Each thread has one ring. */
static __thread uint64_t caught;
static __thread int caught_res;

static void catch_requests(struct io_uring *ring)
{
	struct io_uring_sq *sq = &ring->sq;
	unsigned int i;

	for (i = sq->sqe_head; i != sq->sqe_tail && !caught; i++) {
		struct io_uring_sqe *e = &sq->sqes[i & sq->ring_mask];
		const char *kind = e->opcode < IORING_OP_LAST + 32 ? ring_kinds[e->opcode] : NULL;
		bool plain = e->opcode == IORING_OP_READ || e->opcode == IORING_OP_WRITE;

		if (!kind || !ctl || (!ctl->err && !plain) || !fires_somewhere(kind))
			continue;
		if (!ctl->err) {
			e->len = HALF(e->len);
			continue;
		}
		caught = e->user_data;
		caught_res = -ctl->err;
		memset(e, 0, sizeof(*e));
		e->opcode = IORING_OP_NOP;
		e->user_data = caught;
	}
}

static void set_results(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	unsigned int head;

	if (!caught)
		return;
	io_uring_for_each_cqe(ring, head, cqe)
	{
		if (cqe->user_data != caught)
			continue;
		cqe->res = caught_res;
		caught = 0;
		return;
	}
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	static int (*f)(struct io_uring *);
	int rc;

	if (!f)
		f = (int (*)(struct io_uring *))real("io_uring_submit_and_get_events");
	if (fires("ring.submit", FROM))
		return -ctl->err;
	catch_requests(ring);
	rc = f(ring);
	set_results(ring);
	return rc;
}

int io_uring_get_events(struct io_uring *ring)
{
	static int (*f)(struct io_uring *);
	int rc;

	if (!f)
		f = (int (*)(struct io_uring *))real("io_uring_get_events");
	rc = f(ring);
	set_results(ring);
	return rc;
}

int io_uring_queue_init_params(unsigned int n, struct io_uring *ring, struct io_uring_params *p)
{
	static int (*f)(unsigned int, struct io_uring *, struct io_uring_params *);

	if (!f)
		f = (int (*)(unsigned int, struct io_uring *, struct io_uring_params *))real(
			"io_uring_queue_init_params");
	return fires("ring.init", FROM) ? -ctl->err : f(n, ring, p);
}
