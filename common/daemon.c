/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - process life of a server; see daemon.h.
 *
 * Going to the background: the parent waits at a pipe for one byte, which says that the child
 * serves; if the pipe ends without it, the child has printed why on the common stderr. There is
 * no second fork and no umask change: the label and the store choose their own modes.
 */
#include "common/daemon.h"
#include "common/log.h"
#include "common/loop_fd.h"
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RUN_DIR "/run/sheen"

enum { OPT_SYSLOG = 256, OPT_PID_FILE, OPT_LISTEN, OPT_SET, MAX_ANNOUNCED = 256 };

static const struct option long_options[] = {
	{"foreground", no_argument, NULL, 'f'},
	{"debug", required_argument, NULL, 'd'},
	{"syslog", no_argument, NULL, OPT_SYSLOG},
	{"pid-file", required_argument, NULL, OPT_PID_FILE},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"set", required_argument, NULL, OPT_SET},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static const char common_help[] =
	"Options:\n"
	"  -f, --foreground      stay in the foreground, log to stderr\n"
	"  -d, --debug LEVEL     log error, warn, info (default) or debug\n"
	"      --syslog          log to syslog\n"
	"      --pid-file FILE   write the process id to FILE while serving\n"
	"      --listen NID      address and port to listen on (ADDRESS@tcp[:PORT])\n"
	"      --set NAME=VALUE  set a parameter, as lctl set_param\n"
	"  -h, --help            print this and exit\n"
	"  -V, --version         print the version and exit\n";

/* The state of the one daemon that a process is. */
static int status_pipe = -1;
static char pid_path[PATH_MAX];
static struct announced {
	char path[128], text[NID_STRLEN + 16]; /* NID and process id, a line each */
} *announced;
static uint32_t nannounced;

static struct {
	loop_fn *stop, *reload;
	void *arg;
	bool stopping;
} signals;

/* ---- options ---- */

static void usage_error(const struct daemon_opts *o, const char *fmt, ...) PRINTF_LIKE(2, 3)
	__attribute__((noreturn));
static void usage_error(const struct daemon_opts *o, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", o->prog);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry '%s --help'.\n", o->prog);
	exit(1);
}

static void take_level(struct daemon_opts *o, const char *text)
{
	enum log_level lvl;

	if (log_level_parse(text, &lvl))
		usage_error(o, "--debug: \"%s\" is not error, warn, info or debug", text);
	o->debug = lvl;
}

static void take_listen(struct daemon_opts *o, const char *text)
{
	char why[256];
	struct nid n;

	if (nid_parse(text, 0, &n, why, sizeof(why)))
		usage_error(o, "--listen: %s", why);
	o->listen = text;
}

static void take_set(struct daemon_opts *o, const char *text)
{
	const char *eq = strchr(text, '=');

	if (!eq || eq == text)
		usage_error(o, "--set: \"%s\" is not NAME=VALUE", text);
	if (o->nset == ARRAY_SIZE(o->set))
		usage_error(o, "--set: more than %d parameters", (int)ARRAY_SIZE(o->set));
	o->set[o->nset++] = text;
}

static void take(struct daemon_opts *o, int c)
{
	switch (c) {
	case 'f':
		o->foreground = true;
		break;
	case 'd':
		take_level(o, optarg);
		break;
	case OPT_SYSLOG:
		o->syslog = true;
		break;
	case OPT_PID_FILE:
		o->pid_file = optarg;
		break;
	case OPT_LISTEN:
		take_listen(o, optarg);
		break;
	case OPT_SET:
		take_set(o, optarg);
		break;
	case 'h':
		printf("%s\n%s", o->usage, common_help);
		exit(0);
	case 'V':
		printf("%s %s\n", o->prog, SHEEN_VERSION);
		exit(0);
	default: /* getopt has said what is wrong */
		fprintf(stderr, "Try '%s --help'.\n", o->prog);
		exit(1);
	}
}

void daemon_options(struct daemon_opts *o, int argc, char **argv)
{
	int c;

	o->debug = LOG_LVL_INFO;
	optind = 1;
	while ((c = getopt_long(argc, argv, "fd:hV", long_options, NULL)) != -1)
		take(o, c);
	o->argc = argc - optind;
	o->argv = argv + optind;
	log_init(o->prog, o->syslog);
	log_set_level((enum log_level)o->debug);
}

/* ---- background ---- */

/* Aborts leave the last lines behind; sanitizers bring their own handlers. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_CRASH_HANDLER 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_CRASH_HANDLER 0
#endif
#endif
#ifndef OWN_CRASH_HANDLER
#define OWN_CRASH_HANDLER 1
#endif

static void on_crash(int signo)
{
	static const char head[] = "fatal signal; the last log lines were:\n";
	ssize_t done = write(STDERR_FILENO, head, sizeof(head) - 1);

	(void)done;
	log_dump_ring();
	raise(signo); /* the handler is reset: this one kills */
}

static void catch_crashes(void)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	struct sigaction sa = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};

	if (!OWN_CRASH_HANDLER)
		return;
	for (uint32_t i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &sa, NULL);
}

static void wait_for_child(int fd) __attribute__((noreturn));
static void wait_for_child(int fd)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	_exit(n == 1 ? 0 : 1);
}

/* Each lane of each client is a descriptor here, and the usual limit is 1024. */
static void raise_open_files(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim))
		log_warn("the limit of open files cannot be raised: %s", err_str(errno));
}

void daemon_fork(struct daemon_opts *o)
{
	raise_open_files();
	int fd[2];
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	catch_crashes();
	if (o->foreground)
		return;
	if (pipe2(fd, O_CLOEXEC))
		daemon_fail(o, "pipe: %s", err_str(errno));
	pid = fork();
	if (pid < 0)
		daemon_fail(o, "fork: %s", err_str(errno));
	if (pid) {
		close(fd[1]);
		wait_for_child(fd[0]);
	}
	close(fd[0]);
	status_pipe = fd[1];
	setsid();
}

/* Nothing of the starter's terminal stays open. A log that goes to a file may go on. */
static void detach(const struct daemon_opts *o)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (o->syslog || fstat(STDERR_FILENO, &st) || !S_ISREG(st.st_mode)) {
		if (!o->syslog)
			log_to_syslog();
		dup2(null, STDERR_FILENO);
	}
	close(null);
	if (chdir("/"))
		log_warn("chdir /: %s", err_str(errno));
}

static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_warn("cannot tell the service manager %.20s: %s", text, err_str(errno));
	close(fd);
}

static void write_pid_file(struct daemon_opts *o)
{
	char cwd[PATH_MAX / 2] = "";
	FILE *f;

	if (!o->pid_file)
		return;
	if (o->pid_file[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		daemon_fail(o, "current directory: %s", err_str(errno));
	snprintf(pid_path, sizeof(pid_path), "%s%s%.2000s", cwd, cwd[0] ? "/" : "", o->pid_file);
	f = fopen(pid_path, "we");
	if (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f))
		daemon_fail(o, "pid file %s: %s", pid_path, err_str(errno));
}

void daemon_ready(struct daemon_opts *o)
{
	char text[64];

	write_pid_file(o);
	if (!o->foreground) {
		detach(o);
		if (write(status_pipe, "+", 1) != 1)
			log_warn("the starter is gone");
		close(status_pipe);
		status_pipe = -1;
	}
	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", (int)getpid());
	notify(text);
}

void daemon_fail(struct daemon_opts *o, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* stderr is still the starter's, and a person looks there; syslog keeps a copy. */
	fprintf(stderr, "%s: %s\n", o->prog, text);
	if (o->syslog)
		log_err("%s", text);
	daemon_exit(o);
	exit(1);
}

/* ---- signals ---- */

static void on_stop(void *arg)
{
	(void)arg;
	if (signals.stopping) {
		log_warn("second signal: exit at once");
		daemon_exit(NULL);
		_exit(1);
	}
	signals.stopping = true;
	notify("STOPPING=1");
	signals.stop(signals.arg);
}

static void on_reload(void *arg)
{
	char text[64];
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 now.tv_sec * 1000000LL + now.tv_nsec / 1000);
	notify(text);
	if (signals.reload)
		signals.reload(signals.arg);
	notify("READY=1");
}

int daemon_signals(struct loop *l, loop_fn *stop, loop_fn *reload, void *arg)
{
	int rc;

	signals.stop = stop;
	signals.reload = reload;
	signals.arg = arg;
	rc = loop_signal(l, SIGTERM, on_stop, NULL);
	if (rc == 0)
		rc = loop_signal(l, SIGINT, on_stop, NULL);
	if (rc == 0)
		rc = loop_signal(l, SIGHUP, on_reload, NULL);
	return rc;
}

/* ---- what others find ---- */

static bool read_announced(const char *path, char *text, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, cap - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return true;
}

/* Somebody may have taken the name over: the file is removed only while it is ours. */
static void withdraw(const struct announced *a)
{
	char have[sizeof(a->text)];

	if (read_announced(a->path, have, sizeof(have)) && strcmp(have, a->text) == 0)
		unlink(a->path);
}

/* The file's writer lives. A crash leaves files behind, which may be replaced. */
static bool in_use(const char *path)
{
	char have[sizeof(announced->text)], *line;
	int pid;

	if (!read_announced(path, have, sizeof(have)))
		return false;
	line = strchr(have, '\n');
	pid = line ? (int)strtol(line + 1, NULL, 10) : 0;
	return pid > 0 && pid != getpid() && (kill(pid, 0) == 0 || errno == EPERM);
}

/* Clusters side by side have servers of the same name: the next ones become NAME-2, NAME-3, ... */
static void choose_path(struct announced *a, const char *name)
{
	int i = 1;

	snprintf(a->path, sizeof(a->path), RUN_DIR "/%.40s.nid", name);
	while (in_use(a->path) && ++i < 100)
		snprintf(a->path, sizeof(a->path), RUN_DIR "/%.40s-%d.nid", name, i);
}

void daemon_announce(struct daemon_opts *o, const char *name, const struct nid *at)
{
	char tmp[160], text[NID_STRLEN];
	struct nid show = *at;
	struct announced *a;
	FILE *f;

	(void)o;
	if (nannounced == MAX_ANNOUNCED)
		return;
	a = realloc(announced, (nannounced + 1) * sizeof(*a));
	if (!a)
		return;
	announced = a;
	a += nannounced;
	if (nid_is_wildcard(&show)) { /* lctl on this host reaches it so */
		char why[64], host[32];

		snprintf(host, sizeof(host), "%s@tcp:%u",
			 at->addr.ss_family == AF_INET6 ? "::1" : "127.0.0.1", nid_port(at));
		if (nid_parse(host, 0, &show, why, sizeof(why)))
			return;
	}
	if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
		return;
	choose_path(a, name);
	snprintf(a->text, sizeof(a->text), "%.79s\n%d\n", nid_str(&show, 0, text), (int)getpid());
	snprintf(tmp, sizeof(tmp), "%s.%d", a->path, (int)getpid());
	f = fopen(tmp, "we");
	if (!f)
		return;
	if (fputs(a->text, f) < 0 || fclose(f) || rename(tmp, a->path))
		unlink(tmp);
	else
		nannounced++;
}

void daemon_exit(struct daemon_opts *o)
{
	(void)o;
	while (nannounced)
		withdraw(&announced[--nannounced]);
	free(announced);
	announced = NULL;
	if (pid_path[0])
		unlink(pid_path);
	pid_path[0] = 0;
}
