/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - the log: one write(2) or syslog(3) per line, and a ring of recent lines; see log.h.
 *
 * It does not rotate, filter by module or buffer: journald, syslog and the shell do that.
 */
#include "common/log.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_LEN = 1024, RING_LINES = 256, RING_LEN = 240 };

static const char *const level_name[] = {"ERROR", "WARN", "INFO", "DEBUG"};
static const int level_syslog[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

static const char *log_name = "sheen";
static bool use_syslog;
static int max_level = LOG_LVL_INFO;

static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static char ring[RING_LINES][RING_LEN];
static uint32_t ring_next;

void log_init(const char *name, bool to_syslog)
{
	log_name = name;
	use_syslog = false;
	if (to_syslog)
		log_to_syslog();
}

void log_to_syslog(void)
{
	openlog(log_name, LOG_PID, LOG_DAEMON);
	use_syslog = true;
}

void log_set_level(enum log_level lvl)
{
	__atomic_store_n(&max_level, (int)lvl, __ATOMIC_RELAXED);
}

enum log_level log_get_level(void)
{
	return (enum log_level)__atomic_load_n(&max_level, __ATOMIC_RELAXED);
}

int log_level_parse(const char *text, enum log_level *out)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(level_name); i++)
		if (strcasecmp(text, level_name[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}

static void ring_add(const char *line, size_t len)
{
	char *slot;

	pthread_mutex_lock(&ring_lock);
	slot = ring[ring_next++ % RING_LINES];
	if (len > RING_LEN - 1)
		len = RING_LEN - 1;
	memcpy(slot, line, len);
	slot[len] = 0;
	pthread_mutex_unlock(&ring_lock);
}

/* "2026-11-22T10:11:12.345Z name[pid] LEVEL " */
static int print_head(char *line, size_t len, enum log_level lvl)
{
	struct timespec now;
	struct tm tm;
	int n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = snprintf(line, len, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %.64s[%d] %s ",
		     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		     now.tv_nsec / 1000000, log_name, (int)getpid(), level_name[lvl]);
	return n < (int)len ? n : (int)len - 1;
}

void log_at(enum log_level lvl, const char *fmt, ...)
{
	char line[LINE_LEN];
	int head, n, saved = errno;
	ssize_t done;
	va_list ap;

	head = print_head(line, sizeof(line) - 1, lvl);
	va_start(ap, fmt);
	errno = saved; /* for %m */
	n = vsnprintf(line + head, sizeof(line) - 1 - (size_t)head, fmt, ap);
	va_end(ap);
	n = n < 0 ? head : head + n;
	if (n > LINE_LEN - 2)
		n = LINE_LEN - 2;
	/* One event is one line, whatever the text brings along. */
	for (int i = head; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = line[i] == '\t' ? ' ' : '?';
	line[n] = 0;
	ring_add(line, (size_t)n);
	if (lvl <= log_get_level()) {
		if (use_syslog) {
			syslog(level_syslog[lvl], "%s", line + head);
		} else {
			line[n] = '\n';
			done = write(STDERR_FILENO, line, (size_t)n + 1);
			(void)done; /* nowhere to complain */
		}
	}
	errno = saved;
}

/* No lock: it runs in signal handlers, where a torn line is better than none. */
void log_dump_ring(void)
{
	uint32_t i, first = ring_next > RING_LINES ? ring_next - RING_LINES : 0;
	ssize_t done = 0;

	for (i = first; i < ring_next; i++) {
		const char *line = ring[i % RING_LINES];

		done += write(STDERR_FILENO, line, strnlen(line, RING_LEN));
		done += write(STDERR_FILENO, "\n", 1);
	}
	(void)done;
}

const char *err_str(int rc)
{
	static _Thread_local char buf[64];

	return strerror_r(rc < 0 ? -rc : rc, buf, sizeof(buf));
}

void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", log_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}
