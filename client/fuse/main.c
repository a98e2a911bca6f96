/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the program `sheen`: mounts a file system and serves it until it is unmounted.
 *
 * The process that was started waits on a pipe until the mount works (the root was looked at)
 * or failed, and exits with 0 or with one line of error and 32, as mount(8) wants it. The child
 * does everything: lanes first, so that wrong names and absent servers are errors before
 * anything is mounted, then mount(2), then the device. It ends when the kernel says so (umount)
 * or on SIGTERM.
 */
#include "client/fuse/again.h"
#include "client/fuse/face.h"
#include "client/fuse/keeper.h"
#include "client/fuse/mount.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/param.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_USAGE = 1, EXIT_MOUNT = 32 };
enum { STOP_TIMEOUT_S = 10, LEAVE_TIMEOUT_S = 30, FILL_TIMEOUT_MS = 2000 };

struct mounted {
	struct face face;
	char path[PATH_MAX], name[160], why[1024];
	int status_fd; /* the starter's pipe, or -1 */
	struct kept_mount keep;
	bool asked; /* servers have been asked: an error may be theirs */
};

/* ---- telling the starter ---- */

static void say_failed(const struct mounted *m, int rc)
{
	const struct options *o = &m->face.opt;
	const char *hint = NULL;

	fprintf(stderr, "mount.sheen: mount %s at %s failed: %s\n",
		o->source_text ? o->source_text : "?", o->mountpoint ? o->mountpoint : "?",
		err_str(rc));
	if (m->why[0])
		fprintf(stderr, "%s\n", m->why);
	switch (m->asked ? rc : 0) {
	case -ENOENT:
		hint = "Is the MGS specification correct?\nIs the filesystem name correct?";
		break;
	case -EIO:
	case -ETIMEDOUT:
	case -ECONNREFUSED:
		hint = "Is the MGS running?";
		break;
	default:
		break;
	}
	if (hint)
		fprintf(stderr, "%s\n", hint);
	fflush(stderr);
}

/* The child's standard error is still the starter's: the text goes there, the verdict to the
 * pipe. */
static void tell_starter(struct mounted *m, uint8_t status)
{
	if (m->status_fd < 0)
		return;
	if (write(m->status_fd, &status, 1) != 1)
		log_warn("whoever started this is gone");
	close(m->status_fd);
	m->status_fd = -1;
}

static void to_background(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		return;
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

/* In the starter: never returns. In the child: the pipe. */
static int fork_child(void)
{
	uint8_t status;
	int p[2], wst;
	pid_t pid;
	ssize_t n;

	if (pipe2(p, O_CLOEXEC))
		die("cannot make a pipe: %s", err_str(errno));
	pid = fork();
	if (pid < 0)
		die("cannot fork: %s", err_str(errno));
	if (pid == 0) {
		close(p[0]);
		setsid();
		return p[1];
	}
	close(p[1]);
	do
		n = read(p[0], &status, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(status);
	if (waitpid(pid, &wst, 0) == pid && WIFSIGNALED(wst))
		fprintf(stderr, "mount.sheen: the client was killed by signal %d\n", WTERMSIG(wst));
	_exit(EXIT_MOUNT);
}

/* ---- start ---- */

static int start_lanes(struct mounted *m)
{
	struct face *f = &m->face;
	uint32_t i, n = transport_lanes(f);
	int rc = 0;

	book_head(f->book)->nlanes = n;
	for (i = 0; i < n && rc == 0; i++) {
		rc = flane_create(f, i, &f->lane[i]);
		if (rc) {
			snprintf(m->why, sizeof(m->why), "cannot start lane %u: %s", i,
				 err_str(rc));
			break;
		}
		f->nlanes = i + 1;
		rc = flane_start(f->lane[i], m->why, sizeof(m->why));
	}
	return rc;
}

static int apply_params(struct mounted *m)
{
	struct options *o = &m->face.opt;
	struct wbuf w;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < o->nset_param && rc == 0; i++) {
		char *eq = strchr(o->set_param[i], '=');

		*eq = 0;
		wbuf_init(&w, MAX_PARAM_TEXT);
		rc = params_set(fs_params(m->face.fs), o->set_param[i], eq + 1, &w);
		wbuf_fini(&w);
		if (rc)
			snprintf(m->why, sizeof(m->why), "parameter %s: %s", o->set_param[i],
				 err_str(rc));
	}
	return rc;
}

static int get_mount_options(void *arg, struct wbuf *w)
{
	char text[256];

	options_text(&((struct mounted *)arg)->face.opt, text, sizeof(text));
	wbuf_put(w, text, (uint32_t)strlen(text));
	return w->rc;
}

static int options_param(struct mounted *m)
{
	struct fs *fs = m->face.fs;
	char name[128];

	snprintf(name, sizeof(name), "llite.%s-%s.mount_options", fs_name(fs), fs_instance(fs));
	return param_add(fs_params(fs), name, get_mount_options, NULL, m);
}

/* Requests that wait in the ring of the last process cannot come by another way. */
static int check_transport(struct mounted *m)
{
	struct face *f = &m->face;

	if (!f->inherited || f->uring_want == (book_head(f->book)->uring != 0))
		return 0;
	snprintf(m->why, sizeof(m->why), "requests come over io_uring, which cannot be used");
	return -EOPNOTSUPP;
}

static int start_core(struct mounted *m)
{
	const struct options *o = &m->face.opt;
	char host[64] = "localhost";
	struct fs_cfg cfg = {
		.source = o->source,
		.read_only = o->ms_flags & 1,
		.noatime = o->noatime,
		.cache_data = !o->nocache,
		.flock = o->locks == LOCKS_FLOCK,
		.timeout_ms = o->timeout_s * 1000,
		.timeo_ms = o->timeo_ds * 100,
		.soft = o->soft,
		.name = m->name,
		.co_invalidate = notifier_co_invalidate,
		.co_invalidate_arg = &m->face,
		.book = m->face.book,
	};
	int rc;

	gethostname(host, sizeof(host) - 1);
	snprintf(m->name, sizeof(m->name), "%s %d", host, (int)getpid());
	rc = fs_create(&cfg, &m->face.fs);
	if (rc)
		return rc;
	rc = session_create(&m->face);
	transport_plan(&m->face);
	if (rc == 0)
		rc = check_transport(m);
	if (rc == 0)
		rc = start_lanes(m);
	if (rc == 0)
		rc = transport_param(&m->face);
	if (rc == 0)
		rc = options_param(m);
	if (rc == 0)
		rc = apply_params(m);
	return rc;
}

/* From now on another process could take over. */
static void note_mount(struct mounted *m)
{
	struct book_head *h = book_head(m->face.book);

	snprintf(h->path, sizeof(h->path), "%s", m->path);
	h->mount_id = mount_number();
	h->max_req = m->face.max_req;
	h->served = h->generation;
	__atomic_store_n(&h->mounted, 1, __ATOMIC_RELEASE);
}

/* Servers may be down: then everybody waits, as if this were still the last process. */
static int take_over(struct mounted *m)
{
	struct face *f = &m->face;
	struct book_head *h = book_head(f->book);
	int rc;

	if (!book_is_inherited(f->book))
		return -EPROTO;
	f->inherited = f->attached = true;
	f->fd = m->keep.fuse_fd;
	f->max_req = h->max_req;
	f->opt.retry = UINT32_MAX;
	snprintf(m->path, sizeof(m->path), "%s", h->path);
	f->path = m->path;
	mount_adopt(h->mount_id);
	mount_guard("");
	rc = start_core(m);
	if (rc)
		return rc;
	session_inherit(f);
	h->served = h->generation;
	atomic_store(&f->serving, true);
	transport_start(f);
	again_ask(f);
	balance_more(f);
	return 0;
}

static int start(struct mounted *m)
{
	struct face *f = &m->face;
	int rc;

	rc = book_open(m->keep.book_fd, &f->book);
	if (rc) {
		snprintf(m->why, sizeof(m->why), "memory: %s", err_str(rc));
		return rc;
	}
	if (m->keep.takeover)
		return take_over(m);
	rc = mount_point_check(f->opt.mountpoint, f->opt.source_text, m->path, sizeof(m->path),
			       m->why, sizeof(m->why));
	if (rc)
		return rc;
	f->path = m->path;
	f->fd = m->keep.fuse_fd;
	if (f->fd < 0)
		f->fd = mount_device_open(m->why, sizeof(m->why));
	if (f->fd < 0)
		return f->fd;
	f->max_req = mount_max_request(REQ_MAX_WRITE);
	m->asked = true;
	rc = start_core(m);
	if (rc == 0)
		rc = mount_attach(&f->opt, m->path, f->fd, f->max_req, m->why, sizeof(m->why));
	if (rc)
		return rc;
	m->face.attached = true;
	mount_guard(m->keep.book_fd < 0 ? m->path : "");
	atomic_store(&f->serving, true);
	balance_more(f); /* the first; it calls the others when there is enough to do */
	rc = mount_verify(&f->opt, m->path, m->why, sizeof(m->why));
	if (rc == 0)
		note_mount(m);
	return rc;
}

/* ---- stop ---- */

static void stop(struct mounted *m)
{
	struct face *f = &m->face;
	uint32_t i;

	if (f->book)
		book_head(f->book)->mounted = 0;
	if (m->face.attached)
		mount_detach(m->path);
	atomic_store(&f->ended, true);
	for (i = f->nlanes; i-- > 0;) {
		if (flane_stop(f->lane[i], STOP_TIMEOUT_S)) {
			log_warn("gave up requests that wait for servers that do not answer");
			_exit(m->face.attached ? 0 : EXIT_MOUNT);
		}
	}
	session_destroy(f);
	kicker_destroy(f->kicker);
	for (i = 0; i < f->nlanes; i++)
		flane_destroy(f->lane[i]);
	fs_destroy(f->fs);
	book_close(f->book);
}

/* Another process takes over: what this one keeps back is sent off first. */
static void leave(struct mounted *m)
{
	struct face *f = &m->face;
	uint32_t i;

	log_info("%s: making way for another process", m->path);
	atomic_store(&f->leaving, true);
	for (i = 0; i < f->nlanes; i++)
		flane_leave(f->lane[i]);
	for (i = 0; i < f->nlanes; i++)
		if (!flane_has_left(f->lane[i], LEAVE_TIMEOUT_S))
			log_warn("servers do not answer: what is kept back may be lost");
	if (atomic_load(&f->uring_on) && !kicker_fill(f, FILL_TIMEOUT_MS))
		log_warn("%s: requests of this moment may fail", m->path);
	_exit(0);
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void lost_keeper(struct mounted *m)
{
	if (m->keep.book_fd < 0)
		return;
	log_warn("%s: the keeper is gone: the mount ends with this process", m->path);
	m->keep.book_fd = -1;
	mount_guard(m->path);
}

/* Until the session is over. The first SIGTERM unmounts, a second one does not wait for users. */
static void serve(struct mounted *m, int sig_fd)
{
	struct pollfd p[2] = {{.fd = m->face.end_fd, .events = POLLIN},
			      {.fd = sig_fd, .events = POLLIN}};
	struct signalfd_siginfo si;
	int terms = 0;

	while (!(p[0].revents & POLLIN)) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		if (!(p[1].revents & POLLIN) || read(sig_fd, &si, sizeof(si)) != sizeof(si))
			continue;
		if (si.ssi_signo == SIGHUP)
			continue; /* nothing to read again: the configuration is live */
		if (si.ssi_signo == SIGUSR1) {
			lost_keeper(m);
			continue;
		}
		if (si.ssi_signo == SIGUSR2) {
			if (m->keep.book_fd >= 0)
				leave(m);
			log_warn("there is no keeper to give %s to", m->path);
			continue;
		}
		if (terms++)
			return;
		log_info("unmounting %s", m->path);
		mount_detach(m->path);
	}
}

static int run(struct mounted *m)
{
	struct options *o = &m->face.opt;
	int sig_fd = block_signals();
	int rc;

	if (m->keep.book_fd >= 0)
		keeper_watch();
	rc = start(m);

	if (rc && m->keep.takeover) {
		log_err("cannot take %s over: %s (%s)", o->source_text, m->why, err_str(rc));
		_exit(EXIT_MOUNT); /* the keeper tries again */
	}
	if (rc) {
		say_failed(m, rc);
		stop(m);
		tell_starter(m, EXIT_MOUNT);
		return EXIT_MOUNT;
	}
	log_info("%s %s on %s by %u lanes", o->source_text,
		 m->keep.takeover ? "taken over" : "mounted", m->path, m->face.nlanes);
	tell_starter(m, 0);
	if (!o->foreground)
		to_background();
	serve(m, sig_fd);
	stop(m);
	log_info("%s is unmounted", m->path);
	return 0;
}

int main(int argc, char **argv)
{
	static struct mounted m = {
		.status_fd = -1, .keep = {-1, -1, 0},
		.face = {.fd = -1, .end_fd = -1, .root.lock = PTHREAD_MUTEX_INITIALIZER}};
	struct options *o = &m.face.opt;
	int rc;

	log_init("sheen", false);
	rc = options_parse(o, argc, argv, m.why, sizeof(m.why));
	if (rc) {
		fprintf(stderr, "mount.sheen: %s\nTry 'sheen --help'.\n", m.why);
		return EXIT_USAGE;
	}
	if (o->help || o->version) {
		if (o->help)
			options_help();
		else
			printf("sheen %s\n", SHEEN_VERSION);
		return 0;
	}
	log_set_level((enum log_level)o->debug);
	if (o->take_over) {
		if (keeper_parse(o->take_over, &m.keep))
			return EXIT_USAGE;
		log_init("sheen", true);
		return run(&m);
	}
	if (!o->foreground) {
		m.status_fd = fork_child();
		log_init("sheen", true);
	}
	if (o->keeper) {
		rc = keeper_start(argv, m.status_fd, &m.keep, m.why, sizeof(m.why));
		if (rc) {
			say_failed(&m, rc);
			tell_starter(&m, EXIT_MOUNT);
			return EXIT_MOUNT;
		}
	}
	return run(&m);
}
