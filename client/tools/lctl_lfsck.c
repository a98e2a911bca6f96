/* SPDX-License-Identifier: Apache-2.0 */
/* lctl_lfsck.c - lctl lfsck_start, lfsck_stop, lfsck_query: the online checker of an MDT, which is
 * controlled by parameters (mdd.*.lfsck_*). */
#include "client/tools/lctl.h"
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

const char lctl_lfsck_start_usage[] =
	"usage: lfsck_start [-M MDT] [-t TYPE[,TYPE]] [-n [on|off]] [-s SPEED] [-m NUMBER] [-r] "
	"[-A]\n"
	"                   [--nid NID]\n"
	"\n"
	"Starts the online checker of an MDT. lfsck_query and get_param mdd.*.lfsck_* show what "
	"it\n"
	"finds. It only reports, unless -n off says to repair.\n"
	"  -M, --device MDT       lustre-MDT0000; default: the MDTs of this machine\n"
	"  -A, --all              the same as no -M\n"
	"  -t, --type TYPE        namespace: names, inodes, links; layout: layouts and objects;\n"
	"                         all (default)\n"
	"  -n, --dryrun [on|off]  on (default): only report; off: repair\n"
	"  -s, --speed SPEED      at most so many items a second; 0: no limit\n"
	"  -m, --max-repairs N    at most so many repairs; 0: no limit\n"
	"  -r, --reset            from the start, not where a run was stopped\n"
	"      --nid NID          ask the server at this address, not those of this machine\n";
const char lctl_lfsck_stop_usage[] =
	"usage: lfsck_stop [-M MDT] [-A] [--nid NID]\n"
	"\n"
	"Stops the online checker; lfsck_start goes on where it was.\n";
const char lctl_lfsck_query_usage[] =
	"usage: lfsck_query [-M MDT] [-t TYPE] [-w] [--nid NID]\n"
	"\n"
	"Shows state and counters of the online checker.\n"
	"  -M, --device MDT       lustre-MDT0000; default: the MDTs of this machine\n"
	"  -t, --type TYPE        namespace, layout, or all (default)\n"
	"  -w, --wait             when it runs no more\n";

enum { OPT_NID = 256, MAX_TEXT = 1 << 20, POLL_MS = 200 };

struct query {
	struct lctl_sources ss;
	const char *device; /* NULL: all */
	const char *type;
	char start[160]; /* what to write to lfsck_start */
	bool wait;
};

static int add_word(struct query *q, const char *name, const char *value)
{
	size_t at = strlen(q->start);
	int n = snprintf(q->start + at, sizeof(q->start) - at, "%s%s=%s", at ? " " : "", name,
			 value);

	return strpbrk(value, " \n=") || n >= (int)(sizeof(q->start) - at) ? CMD_HELP : 0;
}

/* "-n off" as Lustre takes it: the argument may be missing. */
static int dryrun(struct query *q, int argc, char **argv)
{
	const char *value = optarg;

	if (!value && optind < argc &&
	    (!strcmp(argv[optind], "on") || !strcmp(argv[optind], "off")))
		value = argv[optind++];
	if (value && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return CMD_HELP;
	return add_word(q, "dryrun", value && !strcmp(value, "off") ? "0" : "1");
}

static int take(struct query *q, int opt, int argc, char **argv)
{
	switch (opt) {
	case 'M':
		q->device = optarg;
		return 0;
	case 'A':
		return 0;
	case 't':
		q->type = optarg;
		return add_word(q, "types", optarg);
	case 'n':
		return dryrun(q, argc, argv);
	case 's':
		return add_word(q, "speed", optarg);
	case 'm':
		return add_word(q, "max_repairs", optarg);
	case 'r':
		return add_word(q, "reset", "1");
	case 'w':
		q->wait = true;
		return 0;
	case OPT_NID:
		return lctl_sources_add_nid(&q->ss, optarg);
	}
	return CMD_HELP;
}

static int options(int argc, char **argv, const char *letters, struct query *q)
{
	static const struct option opts[] = {{"device", required_argument, NULL, 'M'},
					     {"all", no_argument, NULL, 'A'},
					     {"type", required_argument, NULL, 't'},
					     {"dryrun", optional_argument, NULL, 'n'},
					     {"speed", required_argument, NULL, 's'},
					     {"max-repairs", required_argument, NULL, 'm'},
					     {"reset", no_argument, NULL, 'r'},
					     {"wait", no_argument, NULL, 'w'},
					     {"nid", required_argument, NULL, OPT_NID},
					     {NULL, 0, NULL, 0}};
	int opt, rc = 0;

	while (rc == 0 && (opt = getopt_long(argc, argv, letters, opts, NULL)) != -1) {
		if (opt < 256 && !strchr(letters, opt))
			return CMD_HELP;
		rc = take(q, opt, argc, argv);
	}
	if (rc == 0 && optind < argc)
		rc = CMD_HELP;
	if (rc == 0 && !q->ss.n && lctl_sources_local(&q->ss))
		rc = tool_fail(EIO, "cannot find out what runs here");
	return rc;
}

static void param(const struct query *q, const char *last, char out[160])
{
	snprintf(out, 160, "mdd.%.100s.lfsck_%s", q->device ? q->device : "*", last);
}

/* Writes a parameter of every MDT that is meant; says at which. */
static int set_all(struct query *q, const char *last, const char *value, const char *said)
{
	char name[160];
	struct wbuf out;
	uint32_t i, done = 0;
	int rc = 0, one;

	param(q, last, name);
	for (i = 0; i < q->ss.n; i++) {
		if (q->ss.s[i].mount)
			continue;
		wbuf_init(&out, MAX_TEXT);
		one = lctl_source_set(&q->ss.s[i], name, value, &out);
		if (one == 0)
			printf("%s %s.\n", said, q->ss.s[i].name);
		else if (one != -ENOENT)
			rc = tool_fail(one, "%s", q->ss.s[i].name);
		done += one != -ENOENT;
		wbuf_fini(&out);
	}
	if (!done)
		return tool_fail(ENOENT, "MDT '%s'", q->device ? q->device : "*");
	return rc;
}

/* The values of lfsck_namespace and lfsck_layout, text for people. */
static int get(const struct lctl_source *s, const struct query *q, const char *last,
	       struct wbuf *out)
{
	char name[160];

	param(q, last, name);
	wbuf_init(out, MAX_TEXT);
	return lctl_source_get(s, name, false, out);
}

/* True while a part of it runs. */
static bool scans(const struct lctl_source *s, const struct query *q)
{
	struct wbuf out;
	bool yes = get(s, q, "{namespace,layout}", &out) == 0 &&
		   memmem(out.ptr, out.len, "status: scanning", strlen("status: scanning"));

	wbuf_fini(&out);
	return yes;
}

static int show(const struct lctl_source *s, const struct query *q)
{
	bool all = !q->type || !strcmp(q->type, "all");
	struct wbuf out;
	int rc;

	while (q->wait && scans(s, q))
		poll(NULL, 0, POLL_MS);
	rc = get(s, q, all ? "{namespace,layout}" : q->type, &out);
	if (rc == 0)
		fwrite(out.ptr, 1, out.len, stdout);
	wbuf_fini(&out);
	return rc;
}

int lctl_lfsck_start(int argc, char **argv)
{
	struct query q = {.wait = false};
	int rc = options(argc, argv, "M:At:n::s:m:r", &q);

	if (rc == 0)
		rc = set_all(&q, "start", q.start, "Started LFSCK on the device");
	lctl_sources_free(&q.ss);
	return rc;
}

int lctl_lfsck_stop(int argc, char **argv)
{
	struct query q = {.wait = false};
	int rc = options(argc, argv, "M:A", &q);

	if (rc == 0)
		rc = set_all(&q, "stop", "1", "Stopped LFSCK on the device");
	lctl_sources_free(&q.ss);
	return rc;
}

int lctl_lfsck_query(int argc, char **argv)
{
	struct query q = {.wait = false};
	int rc = options(argc, argv, "M:t:w", &q), one;
	uint32_t i, done = 0;

	for (i = 0; rc == 0 && i < q.ss.n; i++) {
		one = q.ss.s[i].mount ? -ENOENT : show(&q.ss.s[i], &q);
		if (one && one != -ENOENT)
			rc = tool_fail(one, "%s", q.ss.s[i].name);
		done += one == 0;
	}
	if (rc == 0 && !done)
		rc = tool_fail(ENOENT, "MDT '%s'", q.device ? q.device : "*");
	lctl_sources_free(&q.ss);
	return rc;
}
