/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one line per event, to stderr or syslog; and a ring of the last lines for crashes.
 *
 * Format on stderr: "2026-11-22T10:11:12.345Z name[pid] LEVEL text". Any thread. An error is
 * logged once, where it is decided what becomes of it. Text of peers must be escaped by whoever
 * prints it.
 */
#pragma once
#include "common/base.h"

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* name: program or target, kept by pointer. to_syslog instead of stderr. */
void log_init(const char *name, bool to_syslog);
/* From now on to syslog: a daemon that went to the background has no stderr to write to. */
void log_to_syslog(void);
void log_set_level(enum log_level lvl);
enum log_level log_get_level(void);
/* "error", "warn", "info", "debug". -EINVAL. */
must_check int log_level_parse(const char *text, enum log_level *out);
void log_at(enum log_level lvl, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Writes the ring of recent lines (all levels) to stderr; async-signal-safe. */
void log_dump_ring(void);

#define log_err(...) log_at(LOG_LVL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LVL_INFO, __VA_ARGS__)
#define log_dbg(...)                                          \
	do {                                                  \
		if (log_get_level() >= LOG_LVL_DEBUG)         \
			log_at(LOG_LVL_DEBUG, __VA_ARGS__);   \
	} while (0)

/* "No such file or directory" for -ENOENT or ENOENT; per-thread buffer. */
const char *err_str(int rc);
/* Prints to stderr and exits with status 1: start-up errors of programs only. */
void die(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
