/* SPDX-License-Identifier: Apache-2.0 */
/* lctl_param.c - lctl get_param, set_param, list_param.
 *
 * Names on Lustre are a tree; Sheen's processes keep a flat list of full names. The branches that
 * list_param shows are made here, from the names.
 */
#include "client/tools/lctl.h"
#include "client/tools/tool_json.h"
#include "client/tools/tool_mount.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>


const char lctl_get_param_usage[] =
	"usage: get_param [-n|-N] [-F] [-R] [--json] [--nid NID] [--mount DIR] PATTERN...\n"
	"\n"
	"Shows parameters as NAME=VALUE. A PATTERN is a name with globs (*, ?, [..], {a,b})\n"
	"between its dots: osc.*.max_rpcs_in_flight\n"
	"  -n               only values\n"
	"  -N               only names\n"
	"  -F               with -N: mark branches with / and what can be set with =\n"
	"  -R               everything below the names that match\n"
	"      --json       in JSON\n" LCTL_WHERE_USAGE;
const char lctl_set_param_usage[] =
	"usage: set_param [-n] [--nid NID] [--mount DIR] PATTERN=VALUE...\n"
	"       set_param -P [-d] [--nid NID] [--mount DIR] PATTERN[=VALUE]...\n"
	"\n"
	"Sets every parameter that matches, and shows what was set.\n"
	"  -n               shows nothing\n"
	"  -P               at the MGS: for every node, now and whenever it starts\n"
	"  -d               with -P: takes that back\n" LCTL_WHERE_USAGE;
const char lctl_conf_param_usage[] =
	"usage: conf_param [-d] [--nid NID] [--mount DIR] DEVICE.PARAMETER[=VALUE]...\n"
	"\n"
	"Sets a parameter for good, as set_param -P does, by its name in older scripts:\n"
	"  FS-OST0001.osc.NAME   of every client; active: of the MDS, too\n"
	"  FS-OST0001.ost.NAME   of the OST\n"
	"  FS-MDT0000.mdc.NAME   of every client for that MDT\n"
	"  FS-MDT0000.mdt.NAME   of the MDT\n"
	"  FS.llite.NAME         of every mount\n"
	"  -d                    takes it back\n" LCTL_WHERE_USAGE;
const char lctl_list_param_usage[] =

	"usage: list_param [-F] [-R] [--json] [--nid NID] [--mount DIR] PATTERN...\n"
	"\n"
	"Lists the names of parameters.\n"
	"  -F               mark branches with / and what can be set with =\n"
	"  -R               everything below the names that match\n"
	"      --json       in JSON\n" LCTL_WHERE_USAGE;

enum { OPT_JSON = 256, OPT_NID, OPT_MOUNT, OPT_HELP };
enum { MAX_DEPTH = 8, MAX_TEXT = 16 << 20, PERMANENT_MS = 10000 };

struct ask {
	const char *cmd; /* "get_param", for messages */
	bool values_only, names_only, marks, recursive, permanent, del;
	struct json_object *json;
	struct lctl_sources src;
};

static const struct option long_opts[] = {
	{"json", no_argument, NULL, OPT_JSON},
	{"nid", required_argument, NULL, OPT_NID},
	{"mount", required_argument, NULL, OPT_MOUNT},
	{NULL, 0, NULL, 0},
};

static int one_option(struct ask *a, int opt, char **argv)
{
	switch (opt) {
	case 'n':
		a->values_only = true;
		return 0;
	case 'N':
		a->names_only = true;
		return 0;
	case 'F':
		a->marks = true;
		return 0;
	case 'R':
		a->recursive = true;
		return 0;
	case 'P':
		a->permanent = true;
		return 0;
	case 'd':
		a->del = true;
		return 0;
	case OPT_JSON:
		if (!a->json)
			a->json = json_object_new_object();
		return 0;
	case OPT_NID:
		return lctl_sources_add_nid(&a->src, optarg);
	case OPT_MOUNT:
		return lctl_sources_add_mount(&a->src, optarg);
	default:
		tool_say("option '%s' is unknown or lacks its value", argv[optind - 1]);
		return CMD_HELP;
	}
}

static int options(struct ask *a, int argc, char **argv, const char *short_opts)
{
	int opt, rc;

	a->cmd = argv[0];
	while ((opt = getopt_long(argc, argv, short_opts, long_opts, NULL)) != -1) {
		rc = one_option(a, opt, argv);
		if (rc)
			return rc;
	}
	if (optind >= argc)
		return CMD_HELP;
	if (a->src.n)
		return 0;
	rc = lctl_sources_local(&a->src);
	return rc ? tool_fail(rc, "cannot find out what runs here") : 0;
}

static void done(struct ask *a)
{
	lctl_sources_free(&a->src);
	json_object_put(a->json);
}

/* Lustre shows the file that it looked for. */
static int missing(const struct ask *a, const char *pattern, int rc)
{
	const char *p;

	fflush(stdout);
	fprintf(stderr, "error: %s: param_path '", a->cmd);
	for (p = pattern; *p; p++)
		fputc(*p == '.' ? '/' : *p, stderr);
	fprintf(stderr, "': %s\n", strerror(-rc));
	return rc;
}

static int depth_of(const char *pattern)
{
	int depth = 1;

	for (; *pattern; pattern++)
		depth += *pattern == '.' || *pattern == '/';
	return depth;
}

/* What one source says about one pattern, added to ps. */
static int ask_source(const struct lctl_source *s, const char *pattern, bool values, int cut,
		      struct lctl_params *ps)
{
	struct wbuf names, text;
	int rc;

	wbuf_init(&names, MAX_TEXT);
	wbuf_init(&text, MAX_TEXT);
	rc = lctl_source_get(s, pattern, true, &names);
	wbuf_put(&names, "", 1);
	if (rc == 0 && values) {
		rc = lctl_source_get(s, pattern, false, &text);
		wbuf_put(&text, "", 1);
	}
	if (rc == 0)
		rc = names.rc ? names.rc : text.rc;
	if (rc == 0)
		rc = lctl_params_parse(ps, (char *)names.ptr, values ? (char *)text.ptr : NULL,
				       cut);
	wbuf_fini(&names);
	wbuf_fini(&text);
	return rc;
}

/* The pattern and, if asked for, everything below it. */
static int ask_below(const struct ask *a, const struct lctl_source *s, const char *pattern,
		     bool values, bool branches, struct lctl_params *ps)
{
	int depth = depth_of(pattern), cut, rc, found = -ENOENT;
	char longer[1024];
	size_t len;

	rc = ask_source(s, pattern, values, 0, ps);
	if (rc && rc != -ENOENT)
		return rc;
	found = rc ? found : 0;
	if (!a->recursive && !branches)
		return found;
	len = (size_t)snprintf(longer, sizeof(longer), "%.900s", pattern);
	for (; depth < MAX_DEPTH; depth++) {
		len += (size_t)snprintf(longer + len, sizeof(longer) - len, ".*");
		cut = a->recursive ? 0 : depth_of(pattern);
		rc = ask_source(s, longer, values && !cut, cut, ps);
		if (rc && rc != -ENOENT)
			return rc;
		found = rc ? found : 0;
	}
	return found;
}

/* Branches of a recursive listing: every beginning of every name that the pattern reaches. */
static int add_branches(struct lctl_params *ps, const char *pattern)
{
	int depth = depth_of(pattern), rc = 0;
	uint32_t i, n = ps->n;

	for (i = 0; rc == 0 && i < n; i++) {
		int d = depth_of(ps->p[i].name);
		char *copy;

		for (; rc == 0 && d > depth; d--) {
			copy = strdup(ps->p[i].name);
			if (!copy)
				return -ENOMEM;
			rc = lctl_params_parse(ps, copy, NULL, d - 1);
			free(copy);
		}
	}
	return rc;
}

static int collect(const struct ask *a, const char *pattern, bool values, struct lctl_params *ps)
{
	int rc, found = -ENOENT, failed = 0;
	uint32_t i;

	for (i = 0; i < a->src.n; i++) {
		rc = ask_below(a, &a->src.s[i], pattern, values, !values, ps);
		if (rc == 0)
			found = 0;
		else if (rc != -ENOENT && !lctl_source_ended(&a->src.s[i], rc))
			failed = tool_fail(rc, "cannot ask %s", a->src.s[i].name);
	}
	if (found == 0 && !values && a->recursive)
		found = add_branches(ps, pattern);
	if (found == 0)
		return failed;
	return failed ? failed : missing(a, pattern, found);
}

static void print_values(const struct ask *a, const struct lctl_params *ps)
{
	const char *v;
	uint32_t i;

	for (i = 0; i < ps->n; i++) {
		v = ps->p[i].value;
		if (a->json)
			json_put_str(a->json, ps->p[i].name, *v == '\n' ? v + 1 : v);
		else if (a->values_only)
			puts(*v == '\n' ? v + 1 : v);
		else
			printf("%s=%s\n", ps->p[i].name, v);
	}
}

static void print_names(const struct ask *a, struct lctl_params *ps)
{
	const struct lctl_param *p;
	uint32_t i;

	lctl_params_sort(ps);
	for (i = 0; i < ps->n; i++) {
		p = &ps->p[i];
		if (a->json)
			json_put_str(a->json, p->name,
				     p->branch ? "branch" : p->writable ? "rw" : "ro");
		else
			printf("%s%s\n", p->name,
			       !a->marks ? "" : p->branch ? "/" : p->writable ? "=" : "");
	}
}

static void normalise(char *pattern)
{
	for (; *pattern; pattern++)
		if (*pattern == '/')
			*pattern = '.';
}

static int show(struct ask *a, int argc, char **argv, bool values)
{
	int rc, first = 0;

	for (; optind < argc; optind++) {
		struct lctl_params ps = {0};

		normalise(argv[optind]);
		rc = collect(a, argv[optind], values, &ps);
		first = first ? first : rc;
		if (values)
			print_values(a, &ps);
		else
			print_names(a, &ps);
		lctl_params_free(&ps);
	}
	if (a->json) {
		json_print(stdout, a->json);
		a->json = NULL;
	}
	return first;
}

int lctl_get_param(int argc, char **argv)
{
	struct ask a = {0};
	int rc;

	rc = options(&a, argc, argv, "nNFR");
	if (rc == 0)
		rc = show(&a, argc, argv, !a.names_only);
	done(&a);
	return rc;
}

int lctl_list_param(int argc, char **argv)
{
	struct ask a = {0};
	int rc;

	rc = options(&a, argc, argv, "FR");
	if (rc == 0)
		rc = show(&a, argc, argv, false);
	done(&a);
	return rc;
}

/* ---- set_param ---- */

static int set_live(const struct ask *a, const char *name, const char *value)
{
	int rc, found = -ENOENT, failed = 0;
	struct wbuf out;
	uint32_t i;

	wbuf_init(&out, MAX_TEXT);
	for (i = 0; i < a->src.n; i++) {
		rc = lctl_source_set(&a->src.s[i], name, value, &out);
		if (rc == 0) {
			found = 0;
		} else if (rc != -ENOENT && !lctl_source_ended(&a->src.s[i], rc)) {
			fprintf(stderr, "error: %s: setting %s=%s: %s\n", a->cmd, name, value,
				strerror(-rc));
			failed = rc;
		}
	}
	if (!a->values_only && out.rc == 0 && out.len)
		fwrite(out.ptr, 1, out.len, stdout);
	wbuf_fini(&out);
	if (failed)
		return failed;
	return found ? missing(a, name, found) : 0;
}

/* Of a server that was named, of a mount, or the one that runs here. */
static int find_mgs(const struct ask *a, struct nid_list *mgs)
{
	struct tool_info info;
	char why[256];
	uint32_t i;

	for (i = 0; i < a->src.n; i++) {
		const struct lctl_source *s = &a->src.s[i];

		if (s->mount && tool_info_read(s->mount, &info) == 0 &&
		    nid_list_parse(info.mgs, PORT_MGS, mgs, why, sizeof(why)) == 0)
			return 0;
		if (!s->mount && (a->src.n == 1 || !strcmp(s->name, "MGS"))) {
			*mgs = s->nids;
			return 0;
		}
	}
	return tool_fail(ENOENT, "no MGS is known here: name one with --nid");
}

static int set_permanent(const struct ask *a, const struct nid_list *mgs, const char *name,
			 const char *value)
{
	int rc = tool_set_permanent(mgs, name, a->del ? NULL : value, PERMANENT_MS);

	if (rc)
		fprintf(stderr, "error: %s: setting %s%s%s for good: %s\n", a->cmd, name,
			a->del ? "" : "=", a->del ? "" : value, strerror(-rc));
	return rc;
}

static int set_one(const struct ask *a, const struct nid_list *mgs, char *arg)
{
	char *eq = strchr(arg, '=');

	if (eq)
		*eq++ = '\0';
	normalise(arg);
	if (!eq && !a->del) {
		fprintf(stderr, "error: %s: '%s': expected NAME=VALUE\n", a->cmd, arg);
		return -EINVAL;
	}
	return a->permanent ? set_permanent(a, mgs, arg, eq) : set_live(a, arg, eq);
}

/* Lustre also takes "NAME VALUE". */
static bool is_pair(int argc, char **argv, const struct ask *a)
{
	return argc - optind == 2 && !strchr(argv[optind], '=') && !a->del;
}

int lctl_set_param(int argc, char **argv)
{
	struct nid_list mgs = {0};
	struct ask a = {0};
	char *pair = NULL;
	int rc, rc2;

	rc = options(&a, argc, argv, "nPd");
	if (rc == 0 && a.del && !a.permanent)
		rc = CMD_HELP;
	if (rc == 0 && a.permanent)
		rc = find_mgs(&a, &mgs);
	if (rc == 0 && is_pair(argc, argv, &a)) {
		if (asprintf(&pair, "%s=%s", argv[optind], argv[optind + 1]) < 0)
			rc = -ENOMEM;
		else
			rc = set_one(&a, &mgs, pair);
		free(pair);
	} else if (rc == 0) {
		for (; optind < argc; optind++) {
			rc2 = set_one(&a, &mgs, argv[optind]);
			rc = rc ? rc : rc2;
		}
	}
	done(&a);
	return rc;
}

/* ---- older names ---- */

/* What set_param calls it: up to two patterns. How many; 0: nothing has such a name. */
static int conf_names(const char *arg, char name[2][MAX_PARAM_NAME])
{
	static const struct {
		const char *kind, *target, *is, *end;
	} rows[] = {
		{"osc", "OST", "osc", "-osc-*"}, {"ost", "OST", "obdfilter", ""},
		{"mdc", "MDT", "mdc", "-mdc-*"}, {"mdt", "MDT", "mdt", ""},
		{"llite", NULL, "llite", "-*"},
	};
	char device[64], kind[16], rest[MAX_PARAM_NAME / 2];
	const char *dash;
	size_t i;
	int n = 0;

	if (sscanf(arg, "%63[^.].%15[^.].%63s", device, kind, rest) != 3)
		return 0;
	dash = strrchr(device, '-');
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(kind, rows[i].kind) != 0)
			continue;
		if (rows[i].target && (!dash || strncmp(dash + 1, rows[i].target, 3) != 0))
			continue;
		snprintf(name[n++], MAX_PARAM_NAME, "%s.%s%s.%s", rows[i].is, device, rows[i].end,
			 rest);
	}
	if (n && strcmp(kind, "osc") == 0 && strcmp(rest, "active") == 0)
		snprintf(name[n++], MAX_PARAM_NAME, "osp.%s-osc-MDT*.active", device);
	return n;
}

static int conf_one(const struct ask *a, const struct nid_list *mgs, char *arg)
{
	char name[2][MAX_PARAM_NAME], *eq = strchr(arg, '=');
	int i, n, rc = 0;

	if (eq)
		*eq++ = '\0';
	n = conf_names(arg, name);
	if (!n || (!eq && !a->del)) {
		fprintf(stderr, "error: %s: '%s': %s\n", a->cmd, arg,
			n ? "expected NAME=VALUE" : "no such parameter; see set_param -P");
		return n ? -EINVAL : -ENOENT;
	}
	for (i = 0; i < n && rc == 0; i++)
		rc = set_permanent(a, mgs, name[i], eq);
	return rc;
}

int lctl_conf_param(int argc, char **argv)
{
	struct nid_list mgs = {0};
	struct ask a = {.permanent = true};
	int rc, rc2;

	rc = options(&a, argc, argv, "d");
	if (rc == 0)
		rc = find_mgs(&a, &mgs);
	for (; rc == 0 && optind < argc; optind++) {
		rc2 = conf_one(&a, &mgs, argv[optind]);
		rc = rc ? rc : rc2;
	}
	done(&a);
	return rc;
}
