/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_getstripe.c - lfs getstripe: reads lustre.lov of files and directories and has it printed.
 *
 * It asks for attributes by path and opens nothing but directories, so special files cannot hang it
 * and a file on a dead OST is shown all the same. A directory without a default of its own shows
 * what new files in it get: the default of the mount's root, then the file system's.
 */
#include "client/tools/lfs.h"
#include "client/tools/lfs_print.h"
#include "client/tools/tool_json.h"
#include "client/tools/tool_mount.h"
#include "client/tools/tool_size.h"
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

const char lfs_getstripe_usage[] =
	"usage: getstripe [-d|-r] [-v|-q] [-y|--json] [-R] [-O OST] [--no-follow] [--hex-idx]\n"
	"                 [-c] [-S] [-i] [-L] [-g] [-F] [-m] [-p] [-N] [--comp-count] PATH...\n"
	"\n"
	"Shows how files are striped. Of a directory: its default, then everything in it.\n"
	"  -d, --directory      only the default of a directory\n"
	"  -D, --default        the same\n"
	"  -r, --recursive      everything below a directory\n"
	"  -R, --raw            what is stored: defaults are not filled in\n"
	"  -v, --verbose        more fields: magic, FID, sizes of parts\n"
	"  -q, --quiet          only the table of objects\n"
	"  -y, --yaml           in YAML\n"
	"      --json           in JSON\n"
	"  -O, --ost OST        only files with an object on this OST (index or name)\n"
	"      --no-follow      look at a symbolic link itself\n"
	"      --hex-idx        OST indexes in hexadecimal\n"
	"One field (a bare value) or several (with labels):\n"
	"  -c, --stripe-count  -S, --stripe-size  -i, --stripe-index  -L, --layout (pattern)\n"
	"  -g, --generation  -F, --fid  -m, --mdt-index  -p, --pool  -N, --mirror-count\n"
	"      --comp-count\n";

struct getstripe {
	struct lfs_show show;
	int max_depth; /* 0: the path itself, 1: and what is in it */
	bool raw, no_follow, quiet;
	int64_t only_ost;
	struct json_object *json; /* array, or NULL */
	char *root;		  /* mount of the current argument */
};

enum { OPT_JSON = 256, OPT_NO_FOLLOW, OPT_HEX, OPT_COMP_COUNT, OPT_LATER };

static const struct option long_opts[] = {
	{"directory", no_argument, NULL, 'd'},
	{"default", no_argument, NULL, 'D'},
	{"recursive", no_argument, NULL, 'r'},
	{"raw", no_argument, NULL, 'R'},
	{"verbose", no_argument, NULL, 'v'},
	{"quiet", no_argument, NULL, 'q'},
	{"yaml", no_argument, NULL, 'y'},
	{"json", no_argument, NULL, OPT_JSON},
	{"ost", required_argument, NULL, 'O'},
	{"obd", required_argument, NULL, 'O'},
	{"no-follow", no_argument, NULL, OPT_NO_FOLLOW},
	{"hex-idx", no_argument, NULL, OPT_HEX},
	{"stripe-count", no_argument, NULL, 'c'},
	{"stripe_count", no_argument, NULL, 'c'},
	{"stripe-size", no_argument, NULL, 'S'},
	{"stripe_size", no_argument, NULL, 'S'},
	{"stripe-index", no_argument, NULL, 'i'},
	{"stripe_index", no_argument, NULL, 'i'},
	{"layout", no_argument, NULL, 'L'},
	{"generation", no_argument, NULL, 'g'},
	{"fid", no_argument, NULL, 'F'},
	{"mdt", no_argument, NULL, 'm'},
	{"mdt-index", no_argument, NULL, 'm'},
	{"pool", no_argument, NULL, 'p'},
	{"mirror-count", no_argument, NULL, 'N'},
	{"comp-count", no_argument, NULL, OPT_COMP_COUNT},
	{"component-count", no_argument, NULL, OPT_COMP_COUNT},
	{"component-end", optional_argument, NULL, 'E'},
	{"comp-end", optional_argument, NULL, 'E'},
	{"component-id", optional_argument, NULL, 'I'},
	{"comp-id", optional_argument, NULL, 'I'},
	{"component-flags", optional_argument, NULL, OPT_LATER},
	{"comp-flags", optional_argument, NULL, OPT_LATER},
	{"component-start", optional_argument, NULL, OPT_LATER},
	{"comp-start", optional_argument, NULL, OPT_LATER},
	{"extension-size", no_argument, NULL, 'z'},
	{"ext-size", no_argument, NULL, 'z'},
	{"mirror-id", required_argument, NULL, OPT_LATER},
	{"mirror-index", required_argument, NULL, OPT_LATER},
	{NULL, 0, NULL, 0},
};

/* "1", "0x1", "OST0001", "lustre-OST0001", "lustre-OST0001_UUID"; the number behind OST is hex. */
static int parse_ost(const char *text, int64_t *out)
{
	const char *p = strstr(text, "OST");
	unsigned long v;
	char *end;

	if (!p)
		return tool_parse_int(text, 0, MAX_OST_INDEX, out);
	v = strtoul(p + 3, &end, 16);
	if (end == p + 3 || (*end && strcmp(end, "_UUID")) || v > MAX_OST_INDEX)
		return -EINVAL;
	*out = (int64_t)v;
	return 0;
}

static int later_option(int opt, char **argv)
{
	const char *arg = argv[optind - 1];

	return tool_fail(EOPNOTSUPP, "'%s': components are not supported yet",
			 opt < 256 && arg[0] != '-' ? argv[optind - 2] : arg);
}

static uint32_t field_of(int opt)
{
	switch (opt) {
	case 'c':
		return SHOW_COUNT;
	case 'S':
		return SHOW_SIZE;
	case 'i':
		return SHOW_OFFSET;
	case 'L':
		return SHOW_PATTERN;
	case 'g':
		return SHOW_GEN;
	case 'F':
		return SHOW_FID;
	case 'm':
		return SHOW_MDT;
	case 'p':
		return SHOW_POOL;
	case 'N':
		return SHOW_MIRRORS;
	case OPT_COMP_COUNT:
		return SHOW_COMPS;
	default:
		return 0;
	}
}

static int one_option(struct getstripe *g, int opt, char **argv)
{
	switch (opt) {
	case 'd':
	case 'D':
		g->max_depth = 0;
		return 0;
	case 'r':
		g->max_depth = 1 << 20;
		return 0;
	case 'R':
		g->raw = true;
		return 0;
	case 'v':
		g->show.fields |= SHOW_ALL | SHOW_DETAIL;
		return 0;
	case 'q':
		g->quiet = true;
		return 0;
	case 'y':
		g->show.yaml = true;
		return 0;
	case OPT_JSON:
		if (!g->json)
			g->json = json_object_new_array();
		return 0;
	case 'O':
		if (parse_ost(optarg, &g->only_ost) == 0)
			return 0;
		tool_say("'%s' is no OST index or name", optarg);
		return CMD_HELP;
	case OPT_NO_FOLLOW:
		g->no_follow = true;
		return 0;
	case OPT_HEX:
		g->show.hex_idx = true;
		return 0;
	case 'E':
	case 'I':
	case 'z':
	case OPT_LATER:
		return later_option(opt, argv);
	default:
		return lfs_bad_option(opt, argv);
	}
}

static int options(struct getstripe *g, int argc, char **argv)
{
	static const char letters[] = "dDrRvqyO:cSiLgFmpNE::I::z";
	int opt, rc;

	while ((opt = getopt_long(argc, argv, letters, long_opts, NULL)) != -1) {
		g->show.fields |= field_of(opt);
		rc = field_of(opt) ? 0 : one_option(g, opt, argv);
		if (rc)
			return rc;
	}
	if (g->quiet)
		g->show.fields = SHOW_OBJECTS;
	else if (!g->show.fields)
		g->show.fields = SHOW_ALL;
	if (optind >= argc) {
		tool_say("FILE must be specified");
		return CMD_HELP;
	}
	return 0;
}

/* ---- one path ---- */

static int read_lov(const char *path, bool nofollow, struct tool_lov *l)
{
	char *blob;
	size_t len;
	int rc;

	rc = tool_xattr(path, "lustre.lov", nofollow, &blob, &len);
	if (rc)
		return rc;
	rc = len ? tool_lov_parse(blob, len, l) : -ENODATA;
	free(blob);
	return rc;
}

/* A default that says nothing: what is printed when nothing is stored anywhere. */
static int empty_default(struct tool_lov *l)
{
	*l = (struct tool_lov){.magic = LOV_MAGIC_V1, .ncomp = 1};
	l->comp = calloc(1, sizeof(*l->comp));
	if (!l->comp)
		return -ENOMEM;
	l->comp[0] = (struct tool_lov_comp){
		.magic = LOV_MAGIC_V1,
		.gen = 0xffff,
		.end = LAYOUT_EOF,
	};
	return 0;
}

/* The default that new files below the mount's root get. -ENODATA: none is set. */
static int root_default(struct getstripe *g, struct tool_lov *l)
{
	return g->root ? read_lov(g->root, false, l) : -ENODATA;
}

/* Fields that a stored default leaves open. */
static void fill_defaults(struct getstripe *g, struct tool_lov *l)
{
	uint32_t i, count = 1, size = STRIPE_SIZE_DEFAULT;
	struct tool_lov root;

	if (root_default(g, &root) == 0) {
		if (!root.composite && root.comp[0].stripe_count)
			count = root.comp[0].stripe_count;
		if (!root.composite && root.comp[0].stripe_size)
			size = root.comp[0].stripe_size;
		tool_lov_free(&root);
	}
	for (i = 0; i < l->ncomp; i++) {
		if (!l->comp[i].stripe_count)
			l->comp[i].stripe_count = count;
		if (!l->comp[i].stripe_size)
			l->comp[i].stripe_size = size;
	}
}

static int dir_lov(struct getstripe *g, const char *path, struct tool_lov *l)
{
	int rc;

	rc = read_lov(path, false, l);
	if (rc == -ENODATA && !g->raw)
		rc = root_default(g, l);
	if (rc == -ENODATA)
		rc = empty_default(l);
	if (rc)
		return rc;
	if (!g->raw)
		fill_defaults(g, l);
	return 0;
}

static bool on_ost(const struct tool_lov *l, int64_t ost)
{
	uint32_t i, k;

	for (i = 0; i < l->ncomp; i++)
		for (k = 0; k < l->comp[i].nobj; k++)
			if (l->comp[i].obj[k].idx == ost)
				return true;
	return false;
}

static bool prints_path(const struct getstripe *g, bool is_dir)
{
	uint32_t f = g->show.fields;

	if (g->show.yaml || (is_dir && g->max_depth == 0))
		return false;
	return f == SHOW_OBJECTS ? !is_dir : (f & (f - 1)) != 0;
}

static void show_lov(struct getstripe *g, const char *path, bool is_dir, const struct tool_lov *l)
{
	struct lfs_show s = g->show;
	struct json_object *o;
	char *fid = NULL;

	if (g->only_ost >= 0 && !on_ost(l, g->only_ost))
		return;
	if ((s.fields & (SHOW_FID | SHOW_DETAIL) || g->json) &&
	    tool_xattr(path, "lustre.fid", g->no_follow, &fid, NULL))
		fid = NULL;
	s.fid = fid ? fid : "";
	s.is_dir = is_dir;
	s.ost = g->only_ost;
	if (g->json) {
		o = json_add_object(g->json);
		json_put_str(o, "path", path);
		lfs_json_lov(o, &s, l);
	} else {
		s.path = prints_path(g, is_dir) ? path : NULL;
		lfs_print_lov(stdout, &s, l);
	}
	free(fid);
}

static int failed(const char *path, int rc)
{
	tool_fail(rc, "cannot get the layout of '%s'", path);
	fprintf(stderr, "error: getstripe failed for %s.\n", path);
	return rc;
}

static int show_path(struct getstripe *g, const char *path, bool is_dir, bool nofollow)
{
	struct json_object *o;
	struct tool_lov l;
	int rc;

	rc = is_dir ? dir_lov(g, path, &l) : read_lov(path, nofollow, &l);
	if (rc == 0) {
		show_lov(g, path, is_dir, &l);
		tool_lov_free(&l);
		return 0;
	}
	if (rc != -ENODATA && rc != -EOPNOTSUPP)
		return failed(path, rc);
	if (g->only_ost >= 0)
		return 0;
	if (g->json) {
		o = json_add_object(g->json);
		json_put_str(o, "path", path);
		json_put_str(o, "type", "none");
	} else {
		printf("%s has no stripe info\n", path);
	}
	return 0;
}

static int walk(struct getstripe *g, const char *path, int depth);

static int walk_entry(struct getstripe *g, const char *dir, const char *name, int depth)
{
	const char *sep = dir[strlen(dir) - 1] == '/' ? "" : "/";
	struct stat st;
	char *path;
	int rc = 0;

	if (asprintf(&path, "%s%s%s", dir, sep, name) < 0)
		return -ENOMEM;
	if (lstat(path, &st))
		rc = errno == ENOENT ? 0 : failed(path, -errno); /* gone meanwhile */
	else if (S_ISDIR(st.st_mode) && depth < g->max_depth)
		rc = walk(g, path, depth);
	else if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))
		rc = show_path(g, path, S_ISDIR(st.st_mode), true);
	free(path);
	return rc;
}

/* A directory and what is in it. The first error, after going on behind it. */
static int walk(struct getstripe *g, const char *path, int depth)
{
	struct dirent *d;
	int rc, rc2;
	DIR *dir;

	rc = show_path(g, path, true, false);
	if (depth >= g->max_depth)
		return rc;
	dir = opendir(path);
	if (!dir)
		return rc ? rc : failed(path, -errno);
	while ((d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		rc2 = walk_entry(g, path, d->d_name, depth + 1);
		rc = rc ? rc : rc2;
	}
	closedir(dir);
	return rc;
}

static int one_argument(struct getstripe *g, const char *path)
{
	struct stat st;
	int rc;

	if (g->no_follow ? lstat(path, &st) : stat(path, &st))
		return failed(path, -errno);
	free(g->root);
	g->root = NULL;
	rc = S_ISLNK(st.st_mode) ? 0 : tool_mount_of(path, &g->root);
	if (rc)
		return failed(path, rc);
	if (S_ISDIR(st.st_mode))
		return walk(g, path, 0);
	return show_path(g, path, false, g->no_follow);
}

int lfs_getstripe(int argc, char **argv)
{
	struct getstripe g = {.max_depth = 1, .only_ost = -1, .show.ost = -1};
	int i, rc, first = 0;

	rc = options(&g, argc, argv);
	if (rc) {
		json_object_put(g.json);
		return rc;
	}
	for (i = optind; i < argc; i++) {
		rc = one_argument(&g, argv[i]);
		first = first ? first : rc;
	}
	free(g.root);
	if (g.json)
		json_print(stdout, g.json);
	return first;
}

int lfs_bad_option(int opt, char **argv)
{
	(void)opt;
	/* 0: an unknown long option; above 255: a known long one without its value */
	if (optopt > 0 && optopt < 256)
		tool_say("option '-%c' is unknown or lacks its value", optopt);
	else
		tool_say("option '%s' is unknown or lacks its value", argv[optind - 1]);
	return CMD_HELP;
}
