/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_fid.c - lfs path2fid, fid2path and getname: names of files and of mounts. */
#include "client/tools/lfs.h"
#include "client/tools/tool_json.h"
#include "client/tools/tool_mount.h"
#include "client/tools/tool_size.h"
#include "common/fid.h"
#include "common/nid.h"
#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

const char lfs_path2fid_usage[] =
	"usage: path2fid [--parents] PATH...\n"
	"\n"
	"Prints the FID of each path.\n"
	"      --parents  the FID of the directory it is in, and its name there, for every link\n";
const char lfs_fid2path_usage[] =
	"usage: fid2path [-0] [-c] [-f] [-n] [-l LINK] FSNAME|DIR FID...\n"
	"\n"
	"Prints the paths of each FID, one line for each hard link; below DIR when a directory of\n"
	"a mount is given, relative to the mount's root with the name of a file system.\n"
	"  -0, --print0      end each with NUL instead of a new line\n"
	"  -c, --current     the number of the link before it\n"
	"  -f, --print-fid   the FID before it\n"
	"  -l, --link N      only this link, from 0\n"
	"  -n, --name        only the last component\n";
const char lfs_getname_usage[] =
	"usage: getname [-n|-i|-u] [--json] [PATH...]\n"
	"\n"
	"Prints name and instance of the mounted file systems, or of those that PATHs are on.\n"
	"  -n, --fsname    only the name\n"
	"  -i, --instance  only the instance, as in parameter names\n"
	"  -u, --uuid      only the UUID of the client\n";

enum { OPT_PARENTS = 256, OPT_JSON };

/* ---- path2fid ---- */

/* "path of the n-th link", malloc'd, relative to the mount's root. */
static int link_path(const char *dir, const char *fid, uint64_t link, char **out)
{
	char name[sizeof("sheen.fid2path:@") + FID_STRLEN + 24];

	snprintf(name, sizeof(name), "sheen.fid2path:%s@%llu", fid, (unsigned long long)link);
	return tool_ask(dir, name, out, NULL);
}

/* "[parent]/name" of one link. */
static int print_parent(const char *mnt, const char *rel)
{
	char *full = NULL, *copy = NULL, *fid = NULL;
	int rc = -ENOMEM;

	if (asprintf(&full, "%s/%s", mnt, rel) < 0)
		return -ENOMEM;
	copy = strdup(full);
	if (copy)
		rc = tool_xattr(dirname(copy), "lustre.fid", true, &fid, NULL);
	if (rc == 0)
		printf("%s/%s", fid, basename(full));
	free(fid);
	free(copy);
	free(full);
	return rc;
}

static int print_parents(const char *path, const char *fid)
{
	char *mnt, *rel;
	uint64_t i;
	int rc;

	rc = tool_mount_of(path, &mnt);
	for (i = 0; rc == 0; i++) {
		rc = link_path(mnt, fid, i, &rel);
		if (rc) {
			rc = i ? 0 : rc;
			break;
		}
		if (i)
			putchar('\t');
		rc = print_parent(mnt, rel);
		free(rel);
	}
	putchar('\n');
	free(mnt);
	return rc;
}

static int path2fid_one(const char *path, bool parents, bool many)
{
	char *fid;
	int rc;

	rc = tool_xattr(path, "lustre.fid", true, &fid, NULL);
	if (rc == -ENODATA)
		rc = -EOPNOTSUPP; /* not one of ours */
	if (rc)
		return tool_fail(rc, "cannot get fid for '%s'", path);
	if (many)
		printf("%s: ", path);
	if (parents)
		rc = print_parents(path, fid);
	else
		puts(fid);
	if (rc)
		tool_fail(rc, "cannot get the parents of '%s'", path);
	free(fid);
	return rc;
}

int lfs_path2fid(int argc, char **argv)
{
	static const struct option opts[] = {{"parents", no_argument, NULL, OPT_PARENTS},
					     {NULL, 0, NULL, 0}};
	bool parents = false, many;
	int opt, rc, first = 0;

	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt != OPT_PARENTS)
			return lfs_bad_option(opt, argv);
		parents = true;
	}
	if (optind == argc)
		return CMD_HELP;
	many = argc - optind > 1;
	for (; optind < argc; optind++) {
		rc = path2fid_one(argv[optind], parents, many);
		first = first ? first : rc;
	}
	return first;
}

/* ---- fid2path ---- */

struct fid2path {
	bool print0, current, print_fid, name_only;
	int64_t link; /* -1: all */
	char *mnt;    /* attributes are asked of this */
	const char *prefix; /* printed before the path; NULL: nothing */
};

static void print_path(const struct fid2path *f, const char *fid, uint64_t link, const char *rel)
{
	const char *slash = strrchr(rel, '/');

	if (f->print_fid)
		printf("%s ", fid);
	if (f->current)
		printf("%llu ", (unsigned long long)link);
	if (f->name_only)
		fputs(slash ? slash + 1 : rel, stdout);
	else if (!f->prefix)
		fputs(*rel ? rel : "/", stdout);
	else
		printf("%s/%s", f->prefix, *rel ? rel : "/"); /* the root: "/mnt/lustre//" */
	putchar(f->print0 ? '\0' : '\n');
}

static int fid2path_one(const struct fid2path *f, const char *text)
{
	char buf[FID_STRLEN], *rel;
	struct fid fid;
	uint64_t i;
	int rc;

	if (fid_parse(text, &fid)) {
		tool_say("bad FID format '%s', should be [seq:oid:ver]", text);
		return -EINVAL;
	}
	fid_str(&fid, buf);
	for (i = f->link < 0 ? 0 : (uint64_t)f->link;; i++) {
		rc = link_path(f->mnt, buf, i, &rel);
		if (rc && i && f->link < 0)
			return 0; /* behind the last link */
		if (rc)
			return tool_fail(rc, "cannot find '%s'", text);
		print_path(f, buf, i, rel);
		free(rel);
		if (f->link >= 0)
			return 0;
	}
}

/* The mount whose file system has this name; malloc'd or NULL. */
static char *mount_by_name(const char *fsname)
{
	struct tool_mounts ms;
	struct tool_info info;
	char *dir = NULL;
	uint32_t i;

	if (tool_mounts_read(&ms))
		return NULL;
	for (i = 0; i < ms.n && !dir; i++)
		if (tool_info_read(ms.m[i].dir, &info) == 0 && !strcmp(info.fsname, fsname))
			dir = strdup(ms.m[i].dir);
	tool_mounts_free(&ms);
	return dir;
}

static int find_place(struct fid2path *f, const char *where)
{
	int rc;

	if (fsname_ok(where)) {
		f->mnt = mount_by_name(where);
		if (f->mnt)
			return 0;
	}
	rc = tool_mount_of(where, &f->mnt);
	if (rc)
		return tool_fail(rc, "'%s' is no mounted Lustre filesystem", where);
	f->prefix = f->mnt;
	return 0;
}

int lfs_fid2path(int argc, char **argv)
{
	static const struct option opts[] = {
		{"print0", no_argument, NULL, '0'}, {"current", no_argument, NULL, 'c'},
		{"cur", no_argument, NULL, 'c'},    {"print-fid", no_argument, NULL, 'f'},
		{"name", no_argument, NULL, 'n'},   {"link", required_argument, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	struct fid2path f = {.link = -1};
	int opt, rc, first;

	while ((opt = getopt_long(argc, argv, "0cfnl:", opts, NULL)) != -1) {
		f.print0 |= opt == '0';
		f.current |= opt == 'c';
		f.print_fid |= opt == 'f';
		f.name_only |= opt == 'n';
		if (opt == 'l' && tool_parse_int(optarg, 0, UINT32_MAX, &f.link)) {
			tool_say("invalid link '%s'", optarg);
			return CMD_HELP;
		}
		if (opt == '?')
			return lfs_bad_option(opt, argv);
	}
	if (argc - optind < 2)
		return CMD_HELP;
	first = find_place(&f, argv[optind]);
	for (optind++; f.mnt && optind < argc; optind++) {
		rc = fid2path_one(&f, argv[optind]);
		first = first ? first : rc;
	}
	free(f.mnt);
	return first;
}

/* ---- getname ---- */

static int getname_one(const char *dir, int what, struct json_object *json)
{
	struct tool_info i;
	struct json_object *o;
	int rc;

	rc = tool_info_read(dir, &i);
	if (rc)
		return tool_fail(rc, "cannot get name of '%s'", dir);
	if (json) {
		o = json_add_object(json);
		json_put_str(o, "mount", dir);
		json_put_str(o, "fsname", i.fsname);
		json_put_str(o, "instance", i.instance);
		json_put_str(o, "uuid", i.uuid);
	} else if (what) {
		puts(what == 'n' ? i.fsname : what == 'i' ? i.instance : i.uuid);
	} else {
		printf("%s-%s %s\n", i.fsname, i.instance, dir);
	}
	return 0;
}

static int getname_path(const char *path, int what, struct json_object *json)
{
	char *dir;
	int rc;

	rc = tool_mount_of(path, &dir);
	if (rc)
		return tool_fail(rc, "cannot get name of '%s'", path);
	/* The path as given is what the person knows it by. */
	rc = getname_one(path, what, json);
	free(dir);
	return rc;
}

static int getname_all(int what, struct json_object *json)
{
	struct tool_mounts ms;
	int rc, first;
	uint32_t i;

	first = tool_mounts_read(&ms);
	if (first)
		return tool_fail(first, "cannot read the mounts");
	for (i = 0; i < ms.n; i++) {
		rc = getname_one(ms.m[i].dir, what, json);
		first = first ? first : rc;
	}
	tool_mounts_free(&ms);
	return first;
}

int lfs_getname(int argc, char **argv)
{
	static const struct option opts[] = {
		{"fsname", no_argument, NULL, 'n'}, {"instance", no_argument, NULL, 'i'},
		{"uuid", no_argument, NULL, 'u'},   {"json", no_argument, NULL, OPT_JSON},
		{NULL, 0, NULL, 0},
	};
	struct json_object *json = NULL;
	int opt, what = 0, rc, first = 0;

	while ((opt = getopt_long(argc, argv, "niu", opts, NULL)) != -1) {
		if (opt == '?') {
			json_object_put(json);
			return lfs_bad_option(opt, argv);
		}
		if (opt == OPT_JSON)
			json = json ? json : json_object_new_array();
		else
			what = opt;
	}
	if (optind == argc)
		first = getname_all(what, json);
	for (; optind < argc; optind++) {
		rc = getname_path(argv[optind], what, json);
		first = first ? first : rc;
	}
	if (json)
		json_print(stdout, json);
	return first;
}
