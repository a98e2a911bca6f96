/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_targets.c - lfs osts, mdts and check: the servers as one client, or every client of this
 * machine, sees them. No privilege is needed. */
#include "client/tools/lfs.h"
#include "client/tools/tool_json.h"
#include "client/tools/tool_mount.h"
#include "client/tools/tool_rpc.h"
#include <getopt.h>
#include <stdlib.h>

const char lfs_osts_usage[] =
	"usage: osts [--json] [PATH]\n"
	"\n"
	"Lists the OSTs of the file system that PATH is on, or of all that are mounted.\n";
const char lfs_mdts_usage[] =
	"usage: mdts [--json] [PATH]\n"
	"\n"
	"Lists the MDTs of the file system that PATH is on, or of all that are mounted.\n";
const char lfs_check_usage[] =
	"usage: check [--json] {osts|mdts|mgts|servers|all} [PATH]\n"
	"\n"
	"Says for every server whether it answers. servers: MDTs and OSTs; all: and the MGS.\n";

enum { OPT_JSON = 256, PING_MS = 5000 };
enum { WANT_OST = 1, WANT_MDT = 2, WANT_MGT = 4 };

struct ask {
	uint32_t want;
	bool check;
	struct json_object *json;
};

static const struct option long_opts[] = {{"json", no_argument, NULL, OPT_JSON},
					  {NULL, 0, NULL, 0}};

static int options(struct ask *a, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "", long_opts, NULL)) != -1) {
		if (opt != OPT_JSON) {
			json_object_put(a->json);
			return lfs_bad_option(opt, argv);
		}
		if (!a->json)
			a->json = json_object_new_array();
	}
	return 0;
}

static bool wanted(const struct ask *a, const struct tool_target *t)
{
	return a->want & (t->mdt ? WANT_MDT : WANT_OST);
}

static void json_target(struct ask *a, const char *dir, const struct tool_target *t)
{
	struct json_object *o = json_add_object(a->json);

	json_put_str(o, "mount", dir);
	json_put_str(o, "name", t->name);
	json_put_str(o, "type", t->mdt ? "MDT" : "OST");
	json_put_u64(o, "index", t->index);
	json_put_bool(o, "active", t->active);
	json_put_str(o, "state", t->state);
	json_put_str(o, "nid", t->nid);
	if (t->error)
		json_put_str(o, "error", strerror(t->error));
}

static int list_mount(struct ask *a, const char *dir)
{
	struct tool_target *t;
	int n, i;

	n = tool_targets_read(dir, &t);
	if (n < 0)
		return tool_fail(n, "cannot get the targets of '%s'", dir);
	if (!a->json)
		puts(a->want & WANT_OST ? "OBDS:" : "MDTS:");
	for (i = 0; i < n; i++) {
		if (!wanted(a, &t[i]))
			continue;
		if (a->json)
			json_target(a, dir, &t[i]);
		else
			printf("%u: %s_UUID %s\n", t[i].index, t[i].name,
			       t[i].active ? "ACTIVE" : "INACTIVE");
	}
	free(t);
	return 0;
}

static int check_target(struct ask *a, const char *dir, const struct tool_target *t)
{
	int error = t->error;

	if (a->json)
		json_target(a, dir, t);
	if (!t->active) {
		if (!a->json)
			printf("%s inactive.\n", t->import);
		return 0;
	}
	if (strcmp(t->state, "FULL") == 0) {
		if (!a->json)
			printf("%s active.\n", t->import);
		return 0;
	}
	if (!error)
		error = ENOTCONN;
	if (!a->json)
		fprintf(stderr, "error: check '%s': %s (%d)\n", t->import, strerror(error), error);
	return -error;
}

static int check_mgs(struct ask *a, const char *dir)
{
	struct nid_list mgs;
	struct tool_info info;
	struct json_object *o;
	char why[256];
	int rc;

	rc = tool_info_read(dir, &info);
	if (rc)
		return tool_fail(rc, "cannot ask the client of '%s'", dir);
	if (nid_list_parse(info.mgs, PORT_MGS, &mgs, why, sizeof(why))) {
		tool_say("address of the MGS: %s", why);
		return -EINVAL;
	}
	rc = tool_ping(&mgs, PING_MS);
	if (a->json) {
		o = json_add_object(a->json);
		json_put_str(o, "mount", dir);
		json_put_str(o, "name", "MGS");
		json_put_str(o, "type", "MGS");
		json_put_bool(o, "active", rc == 0);
		json_put_str(o, "nid", info.mgs);
	} else if (rc == 0) {
		printf("MGC%s active.\n", info.mgs);
	} else {
		fprintf(stderr, "error: check 'MGC%s': %s (%d)\n", info.mgs, strerror(-rc), -rc);
	}
	return rc;
}

static int check_mount(struct ask *a, const char *dir)
{
	struct tool_target *t;
	int n, i, rc, first = 0;

	if (a->want & WANT_MGT)
		first = check_mgs(a, dir);
	if (!(a->want & (WANT_OST | WANT_MDT)))
		return first;
	n = tool_targets_read(dir, &t);
	if (n < 0)
		return tool_fail(n, "cannot get the targets of '%s'", dir);
	for (i = 0; i < n; i++) {
		if (!wanted(a, &t[i]))
			continue;
		rc = check_target(a, dir, &t[i]);
		first = first ? first : rc;
	}
	free(t);
	return first;
}

static int one_mount(struct ask *a, const char *dir)
{
	return a->check ? check_mount(a, dir) : list_mount(a, dir);
}

/* Of one path, or of all mounts. */
static int each_mount(struct ask *a, const char *path)
{
	struct tool_mounts ms;
	int rc, first = 0;
	uint32_t i;
	char *dir;

	if (path) {
		rc = tool_mount_of(path, &dir);
		if (rc)
			return tool_fail(rc, "'%s' is not on a Lustre filesystem", path);
		rc = one_mount(a, dir);
		free(dir);
		return rc;
	}
	rc = tool_mounts_read(&ms);
	if (rc)
		return tool_fail(rc, "cannot read the mounts");
	for (i = 0; i < ms.n; i++) {
		rc = one_mount(a, ms.m[i].dir);
		first = first ? first : rc;
	}
	tool_mounts_free(&ms);
	return first;
}

static int finish(struct ask *a, int argc, char **argv)
{
	int rc;

	if (optind + 1 < argc) {
		json_object_put(a->json);
		return CMD_HELP;
	}
	rc = each_mount(a, optind < argc ? argv[optind] : NULL);
	if (a->json)
		json_print(stdout, a->json);
	return rc;
}

static int list(uint32_t want, int argc, char **argv)
{
	struct ask a = {.want = want};
	int rc = options(&a, argc, argv);

	return rc ? rc : finish(&a, argc, argv);
}

int lfs_osts(int argc, char **argv)
{
	return list(WANT_OST, argc, argv);
}

int lfs_mdts(int argc, char **argv)
{
	return list(WANT_MDT, argc, argv);
}

int lfs_check(int argc, char **argv)
{
	static const struct {
		const char *word;
		uint32_t want;
	} words[] = {{"osts", WANT_OST},
		     {"mdts", WANT_MDT},
		     {"mgts", WANT_MGT},
		     {"servers", WANT_OST | WANT_MDT},
		     {"all", WANT_OST | WANT_MDT | WANT_MGT}};
	struct ask a = {.check = true};
	size_t i;
	int rc;

	rc = options(&a, argc, argv);
	if (rc)
		return rc;
	for (i = 0; optind < argc && i < ARRAY_SIZE(words); i++)
		if (strcmp(argv[optind], words[i].word) == 0)
			a.want = words[i].want;
	if (!a.want) {
		if (optind < argc)
			tool_say("unrecognized option '%s'", argv[optind]);
		json_object_put(a.json);
		return CMD_HELP;
	}
	optind++;
	return finish(&a, argc, argv);
}
