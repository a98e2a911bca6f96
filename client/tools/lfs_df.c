/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_df.c - lfs df: space of each target of one mount, or of all of them. The figures come from
 * the client in one attribute; the MDS asked the targets. */
#include "client/tools/lfs.h"
#include "client/tools/lfs_space.h"
#include "client/tools/tool_json.h"
#include "client/tools/tool_lov.h"
#include "client/tools/tool_size.h"
#include <getopt.h>
#include <stdlib.h>

const char lfs_df_usage[] =
	"usage: df [-i] [-h|-H] [-l] [-v] [-N] [-s] [-m[INDEX]] [-o[INDEX]] [--json] [PATH]\n"
	"\n"
	"Shows the space of every target of the file system that PATH is on, or of all that are\n"
	"mounted.\n"
	"  -i, --inodes          inodes instead of blocks\n"
	"  -h, --human-readable  numbers with a unit, powers of 1024\n"
	"  -H, --si              numbers with a unit, powers of 1000\n"
	"  -l, --lazy            leave out targets that do not answer\n"
	"  -v, --verbose         inactive targets too\n"
	"  -N, --no-header       no first line\n"
	"  -s, --only-summary    only the sums\n"
	"  -m, --mdt[=INDEX]     only MDTs, or one of them\n"
	"  -o, --ost[=INDEX]     only OSTs, or one of them\n"
	"      --json            in JSON, in bytes\n";

struct df {
	struct lfs_df d;
	bool mdts, osts; /* -m, -o: only these */
	struct json_object *json;
};

enum { OPT_JSON = 256 };

static const struct option long_opts[] = {
	{"inodes", no_argument, NULL, 'i'},
	{"human-readable", no_argument, NULL, 'h'},
	{"si", no_argument, NULL, 'H'},
	{"lazy", no_argument, NULL, 'l'},
	{"verbose", no_argument, NULL, 'v'},
	{"no-header", no_argument, NULL, 'N'},
	{"only-summary", no_argument, NULL, 's'},
	{"summary", no_argument, NULL, 's'},
	{"mdt", optional_argument, NULL, 'm'},
	{"ost", optional_argument, NULL, 'o'},
	{"pool", required_argument, NULL, 'p'},
	{"output", required_argument, NULL, 'u'},
	{"json", no_argument, NULL, OPT_JSON},
	{NULL, 0, NULL, 0},
};

static uint32_t flag_of(int opt)
{
	switch (opt) {
	case 'i':
		return DF_INODES;
	case 'h':
		return DF_HUMAN;
	case 'H':
		return DF_DECIMAL;
	case 'l':
		return DF_LAZY;
	case 'v':
		return DF_VERBOSE;
	case 'N':
		return DF_NO_HEADER;
	case 's':
		return DF_SUMMARY;
	default:
		return 0;
	}
}

static int parse_index(const char *text, int64_t *out)
{
	*out = -1;
	if (!text || tool_parse_int(text, 0, MAX_OST_INDEX, out) == 0)
		return 0;
	tool_say("invalid index '%s'", text);
	return CMD_HELP;
}

static int one_option(struct df *df, int opt, char **argv)
{
	switch (opt) {
	case 'm':
		df->mdts = true;
		return parse_index(optarg, &df->d.mdt);
	case 'o':
		df->osts = true;
		return parse_index(optarg, &df->d.ost);
	case OPT_JSON:
		if (!df->json)
			df->json = json_object_new_array();
		return 0;
	case 'p':
		return tool_fail(EOPNOTSUPP, "-p: pools are not supported yet");
	case 'u':
		return tool_fail(EOPNOTSUPP, "-u: chosen columns are not supported yet");
	default:
		return lfs_bad_option(opt, argv);
	}
}

/* Of the root directory: how many objects a file takes. */
static uint32_t default_stripes(const char *dir)
{
	uint32_t n = 1;
	struct tool_lov l;
	char *blob;
	size_t len;

	if (tool_xattr(dir, "lustre.lov", false, &blob, &len))
		return n;
	if (len && tool_lov_parse(blob, len, &l) == 0) {
		if (!l.composite && l.comp[0].stripe_count && l.comp[0].stripe_count != 0xffff)
			n = l.comp[0].stripe_count;
		tool_lov_free(&l);
	}
	free(blob);
	return n;
}

/* Else nobody may be asked for the layout of the root: that would wait. */
static bool mds_answers(const struct tool_space *t, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (t[i].mdt && t[i].error)
			return false;
	return true;
}

static int one_mount(struct df *df, const char *dir)
{
	struct tool_space *t;
	int n, rc;

	n = tool_space_read(dir, &t);
	if (n < 0)
		return tool_fail(n, "cannot get the space of '%s'", dir);
	df->d.dir = dir;
	df->d.stripe_count = mds_answers(t, n) ? default_stripes(dir) : 1;
	if (df->json)
		rc = lfs_df_json(json_add_object(df->json), &df->d, t, n);
	else
		rc = lfs_df_print(stdout, &df->d, t, n);
	free(t);
	return rc;
}

static int all_mounts(struct df *df)
{
	struct tool_mounts ms;
	int rc, first;
	uint32_t i;

	first = tool_mounts_read(&ms);
	if (first)
		return tool_fail(first, "cannot read the mounts");
	for (i = 0; i < ms.n; i++) {
		rc = one_mount(df, ms.m[i].dir);
		first = first ? first : rc;
	}
	tool_mounts_free(&ms);
	return first;
}

static int one_path(struct df *df, const char *path)
{
	char *dir;
	int rc;

	rc = tool_mount_of(path, &dir);
	if (rc == -ENOTTY) {
		fprintf(stderr, "df:%s Not a Lustre filesystem\n", path);
		return -EOPNOTSUPP;
	}
	if (rc) {
		fprintf(stderr, "error: invalid path '%s': %s\n", path, strerror(-rc));
		return rc;
	}
	rc = one_mount(df, dir);
	free(dir);
	return rc;
}

int lfs_df(int argc, char **argv)
{
	struct df df = {.d.mdt = -1, .d.ost = -1};
	int opt, rc = 0, rc2;

	while (rc == 0 &&
	       (opt = getopt_long(argc, argv, "ihHlvNsm::o::p:u:", long_opts, NULL)) != -1) {
		df.d.flags |= flag_of(opt);
		rc = flag_of(opt) ? 0 : one_option(&df, opt, argv);
	}
	if (rc) {
		json_object_put(df.json);
		return rc;
	}
	if (df.mdts && !df.osts)
		df.d.ost = -2;
	if (df.osts && !df.mdts)
		df.d.mdt = -2;
	if (optind == argc)
		rc = all_mounts(&df);
	for (; optind < argc; optind++) {
		rc2 = one_path(&df, argv[optind]);
		rc = rc ? rc : rc2;
	}
	if (df.json)
		json_print(stdout, df.json);
	return rc;
}
