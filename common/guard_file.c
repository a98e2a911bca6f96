/* SPDX-License-Identifier: Apache-2.0 */
/* guard_file.c - the guard's file and threads; see guard_file.h.
 *
 * The file is opened anew each time, so that over NFS what others wrote is seen. What a target's
 * thread and the watcher share is behind the guard's lock, which nobody holds while reading or
 * writing.
 */
#include "common/guard_file.h"
#include "common/log.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	FILE_SIZE = 4096, /* a sector of any disk */
	BEAT_MS = 1000,
	WATCH_MS = 250,
	PAUSE_MS = 1000, /* the watcher slept this much too long: it is not the disk's fault */
	POLL_MS = 200,
	PATH_LEN = 4200,
};

struct guarded { /* a target */
	struct guard *g;
	char dir[PATH_LEN - 32];
	struct guard_watch watch;
	struct guard_hold hold;
	bool mine;
	bool said; /* that it takes a while */
	pthread_t thread;
};

struct guard {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping, watching;
	pthread_t watcher;
	uint32_t n;
	struct guarded target[];
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NSEC_PER_MSEC;
}

static void sleep_ms(uint32_t ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * NSEC_PER_MSEC};

	nanosleep(&ts, NULL);
}

/* ---- the file ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void free_page(uint8_t **p)
{
	free(*p);
}

static uint8_t *new_page(void)
{
	uint8_t *p = aligned_alloc(FILE_SIZE, FILE_SIZE);

	if (p)
		memset(p, 0, FILE_SIZE);
	return p;
}

/* Not every file system can do without its page cache. */
static int open_direct(const char *dir, int flags)
{
	char path[PATH_LEN];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/" GUARD_FILE, dir) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_DIRECT | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EINVAL)
		fd = open(path, flags | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

int guard_file_read(const char *dir, struct guard_block *out)
{
	CLEANUP(free_page) uint8_t *page = new_page();
	CLEANUP(close_fd) int fd = open_direct(dir, O_RDONLY);
	ssize_t n;

	if (!page)
		return -ENOMEM;
	if (fd < 0)
		return fd == -ENOENT ? -ENODATA : fd;
	n = pread(fd, page, FILE_SIZE, 0);
	if (n < 0)
		return -errno;
	if (n < GUARD_BLOCK)
		return n ? -EUCLEAN : -ENODATA;
	return guard_decode(page, out);
}

static int write_block(const char *dir, const struct guard_block *b, int flags)
{
	CLEANUP(free_page) uint8_t *page = new_page();
	CLEANUP(close_fd) int fd = open_direct(dir, O_WRONLY | O_DSYNC | flags);
	ssize_t n;

	if (!page)
		return -ENOMEM;
	if (fd < 0)
		return fd;
	guard_encode(b, page);
	n = pwrite(fd, page, FILE_SIZE, 0);
	return n == FILE_SIZE ? 0 : n < 0 ? -errno : -EIO;
}

int guard_file_write(const char *dir, const struct guard_block *b)
{
	return write_block(dir, b, O_CREAT);
}

/* ---- who we are ---- */

static void read_boot(char *out, size_t cap)
{
	CLEANUP(close_fd) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, cap - 1);

	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, "\n")] = 0;
}

static int make_self(struct guard_block *b)
{
	*b = (struct guard_block){.state = GUARD_HELD,
				  .term_ms = GUARD_TERM_MS,
				  .pid = (uint32_t)getpid(),
				  .since = (int64_t)time(NULL)};
	if (gethostname(b->host, sizeof(b->host) - 1))
		return -errno;
	read_boot(b->boot, sizeof(b->boot));
	return getrandom(&b->owner, sizeof(b->owner), 0) == sizeof(b->owner) ? 0 : -EIO;
}

int guard_file_make(const char *dir)
{
	struct guard_block b;
	int rc = make_self(&b);

	b.state = GUARD_CLEAN;
	return rc ? rc : write_block(dir, &b, O_CREAT | O_EXCL);
}

/* ---- holding ---- */

static void lost(const struct guarded *t, const char *fmt, ...) PRINTF_LIKE(2, 3)
	__attribute__((noreturn));
static void lost(const struct guarded *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_err("%s: %s: this server stops at once", t->dir, text);
	_exit(GUARD_EXIT);
}

static void look_at_own(struct guarded *t)
{
	struct guard_block seen;
	char who[GUARD_WHO];
	int rc = guard_file_read(t->dir, &seen);
	bool intact = guard_hold_intact(&t->hold, rc, &seen);

	if (rc == 0 && !intact)
		lost(t, "another server has taken this target over (%s)", guard_who(&seen, who));
	if (rc == -ENODATA)
		lost(t, "%s has been deleted or emptied", GUARD_FILE);
	if (rc && rc != -EUCLEAN)
		log_warn("%s/%s: cannot be read: %s", t->dir, GUARD_FILE, err_str(rc));
}

static void beat(struct guarded *t)
{
	uint64_t began = now_ms();
	struct guard_block next;
	int rc;

	look_at_own(t);
	pthread_mutex_lock(&t->g->lock);
	next = *guard_hold_next(&t->hold);
	pthread_mutex_unlock(&t->g->lock);
	rc = write_block(t->dir, &next, 0);
	if (rc) {
		log_warn("%s/%s: cannot be written: %s", t->dir, GUARD_FILE, err_str(rc));
		return;
	}
	pthread_mutex_lock(&t->g->lock);
	guard_hold_written(&t->hold, began, now_ms());
	pthread_mutex_unlock(&t->g->lock);
}

/* g->lock is held. Until ms later, the end, or a wake-up. */
static void wait_ms(struct guard *g, uint64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)ms * NSEC_PER_MSEC;
	until.tv_sec += until.tv_nsec / NSEC_PER_SEC;
	until.tv_nsec %= NSEC_PER_SEC;
	pthread_cond_timedwait(&g->wake, &g->lock, &until);
}

static void *hold_main(void *arg)
{
	struct guarded *t = arg;
	struct guard *g = t->g;

	pthread_mutex_lock(&g->lock);
	while (!g->stopping) {
		wait_ms(g, BEAT_MS);
		if (g->stopping)
			break;
		pthread_mutex_unlock(&g->lock);
		beat(t);
		pthread_mutex_lock(&g->lock);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

/* g->lock is held. */
static void look_for_late(struct guard *g, bool paused)
{
	uint64_t now = now_ms();

	for (uint32_t i = 0; i < g->n; i++) {
		struct guarded *t = &g->target[i];

		if (!t->mine)
			continue;
		if (paused)
			guard_hold_paused(&t->hold, now);
		if (guard_hold_late(&t->hold, now))
			lost(t, "%s could not be written for %llu ms, and %u were promised",
			     GUARD_FILE, (unsigned long long)(now - t->hold.renewed_ms),
			     t->hold.term_ms);
	}
	if (paused)
		pthread_cond_broadcast(&g->wake);
}

static void *watch_main(void *arg)
{
	struct guard *g = arg;
	uint64_t last = now_ms(), now;

	pthread_mutex_lock(&g->lock);
	while (!g->stopping) {
		wait_ms(g, WATCH_MS);
		now = now_ms();
		look_for_late(g, now - last > WATCH_MS + PAUSE_MS);
		last = now;
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

/* ---- taking ---- */

static int explain(int rc, char *why, size_t why_len, const char *fmt, ...) PRINTF_LIKE(4, 5);
static int explain(int rc, char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	return rc;
}

static int now_mine(struct guarded *t, uint64_t renewed)
{
	struct guard *g = t->g;
	int rc = 0;

	pthread_mutex_lock(&g->lock);
	guard_hold_init(&t->hold, &t->watch.self, renewed);
	rc = pthread_create(&t->thread, NULL, hold_main, t);
	t->mine = rc == 0;
	if (rc == 0 && !g->watching) {
		rc = pthread_create(&g->watcher, NULL, watch_main, g);
		g->watching = rc == 0;
	}
	pthread_mutex_unlock(&g->lock);
	return -rc;
}

static void say_who(struct guarded *t)
{
	char who[GUARD_WHO];

	if (t->said)
		return;
	t->said = true;
	log_info("%s: last served by %s: looking for up to %u s whether it still is", t->dir,
		 t->watch.seen_rc ? "somebody unknown" : guard_who(&t->watch.seen, who),
		 (uint32_t)(guard_watch_left(&t->watch, now_ms()) / 1000) + 1);
}

static int refused(const struct guarded *t, char *why, size_t why_len)
{
	char who[GUARD_WHO];

	return explain(-EBUSY, why, why_len, "%s is already served by another machine (%s)", t->dir,
		       guard_who(&t->watch.seen, who));
}

/* 0: mine; 1: look again. */
static int take_step(struct guarded *t, char *why, size_t why_len)
{
	struct guard_block seen = {0};
	uint64_t began = now_ms();
	enum guard_step s;
	int rc = guard_file_read(t->dir, &seen);

	if (rc && rc != -ENODATA && rc != -EUCLEAN)
		return explain(rc, why, why_len, "%s/%s: %s", t->dir, GUARD_FILE, err_str(rc));
	s = guard_watch_look(&t->watch, began, rc, &seen);
	if (s == GUARD_MINE) { /* the claim is some seconds old */
		t->watch.self.seq++;
		rc = guard_file_write(t->dir, &t->watch.self);
	} else if (s == GUARD_CLAIM) {
		rc = guard_file_write(t->dir, &t->watch.self);
		if (rc == 0)
			s = guard_watch_claimed(&t->watch, now_ms());
	} else {
		rc = 0;
	}
	if (rc)
		return explain(rc, why, why_len, "%s/%s: cannot be written: %s", t->dir, GUARD_FILE,
			       err_str(rc));
	if (s == GUARD_REFUSED)
		return refused(t, why, why_len);
	if (s == GUARD_MINE) {
		rc = now_mine(t, began);
		return rc ? explain(rc, why, why_len, "%s: thread: %s", t->dir, err_str(rc)) : 0;
	}
	say_who(t);
	return 1;
}

/* All at a time: a machine's targets are not waited for one after the other. */
static int take_all(struct guard *g, char *why, size_t why_len)
{
	uint32_t left;
	int rc;

	do {
		left = 0;
		for (uint32_t i = 0; i < g->n; i++) {
			rc = g->target[i].mine ? 0 : take_step(&g->target[i], why, why_len);
			if (rc < 0)
				return rc;
			left += (uint32_t)rc;
		}
		if (left)
			sleep_ms(POLL_MS);
	} while (left);
	return 0;
}

int guard_take(const char *const *dirs, uint32_t n, struct guard **out, char *why, size_t why_len)
{
	struct guard *g = calloc(1, sizeof(*g) + n * sizeof(g->target[0]));
	pthread_condattr_t attr;
	struct guard_block self;
	int rc;

	if (!g)
		return explain(-ENOMEM, why, why_len, "no memory");
	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->wake, &attr);
	pthread_condattr_destroy(&attr);
	g->n = n;
	rc = make_self(&self);
	for (uint32_t i = 0; i < n; i++) {
		g->target[i].g = g;
		snprintf(g->target[i].dir, sizeof(g->target[i].dir), "%s", dirs[i]);
		guard_watch_init(&g->target[i].watch, &self);
	}
	if (rc)
		explain(rc, why, why_len, "this machine has no name: %s", err_str(rc));
	else
		rc = take_all(g, why, why_len);
	if (rc) {
		guard_release(g);
		return rc;
	}
	*out = g;
	return 0;
}

static void say_good_bye(struct guarded *t)
{
	struct guard_block b;
	int rc;

	look_at_own(t); /* somebody else's is left as it is */
	b = *guard_hold_next(&t->hold);
	b.state = GUARD_CLEAN;
	rc = write_block(t->dir, &b, 0);
	if (rc)
		log_warn("%s/%s: cannot be written: %s", t->dir, GUARD_FILE, err_str(rc));
}

void guard_release(struct guard *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->stopping = true;
	pthread_cond_broadcast(&g->wake);
	pthread_mutex_unlock(&g->lock);
	if (g->watching)
		pthread_join(g->watcher, NULL);
	for (uint32_t i = 0; i < g->n; i++)
		if (g->target[i].mine) {
			pthread_join(g->target[i].thread, NULL);
			say_good_bye(&g->target[i]);
		}
	pthread_cond_destroy(&g->wake);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

void guard_set_term(struct guard *g, uint32_t term_ms)
{
	pthread_mutex_lock(&g->lock);
	for (uint32_t i = 0; i < g->n; i++) {
		g->target[i].hold.base_ms = term_ms;
		g->target[i].hold.now.term_ms = term_ms;
	}
	pthread_mutex_unlock(&g->lock);
}

uint32_t guard_term(struct guard *g)
{
	uint32_t ms;

	pthread_mutex_lock(&g->lock);
	ms = g->target[0].hold.base_ms;
	pthread_mutex_unlock(&g->lock);
	return ms;
}
