/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.h - what every daemon does the same way: options, background, pid file, readiness,
 * signals.
 *
 * Common options: -f/--foreground, -d/--debug LEVEL, --syslog, --pid-file FILE, --listen NID,
 * --set NAME=VALUE, -h, -V. Without --foreground the process goes to the background when it is
 * ready to serve, and the starter's exit status tells whether it is (0) or not (1, after the
 * error on stderr). With NOTIFY_SOCKET set it sends READY=1, RELOADING=1, STOPPING=1 (sd_notify
 * protocol, no library needed). In the background the log goes to syslog unless stderr is a file.
 * Main thread, start-up; nothing suspends.
 */
#pragma once
#include "common/loop.h"
#include "common/nid.h"

struct params;

struct daemon_opts {
	const char *prog;
	const char *usage;	/* text of --help */
	bool foreground, syslog;
	int debug;		/* enum log_level */
	const char *pid_file;
	const char *listen;	/* NID text or NULL */
	const char *set[64];	/* NAME=VALUE */
	int nset;
	int argc;		/* what is left: directories */
	char **argv;
};

/* Parses; prints help, version or an error and exits when that is all there is to do. */
void daemon_options(struct daemon_opts *o, int argc, char **argv);
/* Forks unless foreground; the child returns. Call before threads and loops exist. */
void daemon_fork(struct daemon_opts *o);
/* Ready to serve: pid file, sd_notify, releases the starter. */
void daemon_ready(struct daemon_opts *o);
/* Cannot start: text to stderr of the starter; exits 1. */
void daemon_fail(struct daemon_opts *o, const char *fmt, ...) PRINTF_LIKE(2, 3)
	__attribute__((noreturn));
/* SIGTERM and SIGINT call stop(arg) once (a second one exits at once), SIGHUP calls reload(arg),
 * which may be NULL. */
must_check int daemon_signals(struct loop *l, loop_fn *stop, loop_fn *reload, void *arg);
/* Removes the pid file and the announcements. */
void daemon_exit(struct daemon_opts *o);
/* Writes /run/sheen/<name>.nid (the NID, then the process id) so that lctl on this host finds the
 * server; <name>-2 and so on while another live process has the name. Failures are ignored (no
 * root). Removed by daemon_exit(). */
void daemon_announce(struct daemon_opts *o, const char *name, const struct nid *at);
/* "sheen-mds 0.1.0" */
#define SHEEN_VERSION "0.1.0"
