/* SPDX-License-Identifier: Apache-2.0 */
/* lctl_dl.c - lctl dl: what Lustre calls devices. Of a mount: the connections of its client; of a
 * server: its targets. The last column counts references on Lustre; here it is the number of
 * clients of a target and a constant otherwise. */
#include "client/tools/lctl.h"
#include "client/tools/tool_json.h"
#include "client/tools/tool_mount.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char lctl_dl_usage[] =
	"usage: dl [-t] [--json] [--nid NID] [--mount DIR]\n"
	"\n"
	"Lists the devices of this machine: number, state (UP, IN for inactive), type, name,\n"
	"UUID, references.\n"
	"  -t               and the address it is connected to\n"
	"      --json       in JSON\n" LCTL_WHERE_USAGE;

enum { OPT_JSON = 256, OPT_NID, OPT_MOUNT, MAX_TEXT = 1 << 20 };

struct dl {
	struct lctl_sources src;
	bool nids;
	int n; /* lines so far */
	struct json_object *json;
};

static void line(struct dl *d, bool active, const char *type, const char *name, const char *uuid,
		 unsigned refs, const char *nid)
{
	struct json_object *o;

	if (d->json) {
		o = json_add_object(d->json);
		json_put_i64(o, "index", d->n++);
		json_put_str(o, "status", active ? "UP" : "IN");
		json_put_str(o, "type", type);
		json_put_str(o, "name", name);
		json_put_str(o, "uuid", uuid);
		json_put_u64(o, "refs", refs);
		if (nid)
			json_put_str(o, "nid", nid);
		return;
	}
	printf("%3d %s %s %s %s %u", d->n++, active ? "UP" : "IN", type, name, uuid, refs);
	if (d->nids && nid && *nid)
		printf(" %s", nid);
	putchar('\n');
}

static int list_mount(struct dl *d, const struct lctl_source *s)
{
	struct tool_target *t;
	struct tool_info i;
	char name[sizeof(i.mgs) + 64];
	int n, k, rc;

	rc = tool_info_read(s->mount, &i);
	if (rc)
		return rc;
	n = tool_targets_read(s->mount, &t);
	if (n < 0)
		return n;
	snprintf(name, sizeof(name), "MGC%s", i.mgs);
	line(d, true, "mgc", name, i.uuid, 5, i.mgs);
	snprintf(name, sizeof(name), "%s-clilov-%s", i.fsname, i.instance);
	line(d, true, "lov", name, i.uuid, 4, NULL);
	snprintf(name, sizeof(name), "%s-clilmv-%s", i.fsname, i.instance);
	line(d, true, "lmv", name, i.uuid, 5, NULL);
	for (k = 0; k < n; k++)
		line(d, t[k].active, t[k].mdt ? "mdc" : "osc", t[k].import, i.uuid, 5, t[k].nid);
	free(t);
	return 0;
}

/* Targets of a server are the second components of its parameters. */
static int list_kind(struct dl *d, const struct lctl_source *s, const char *kind)
{
	struct lctl_params ps = {0};
	char pattern[32], uuid[80];
	struct wbuf names;
	uint32_t i;
	int rc;

	snprintf(pattern, sizeof(pattern), "%s.*.*", kind);
	wbuf_init(&names, MAX_TEXT);
	rc = lctl_source_get(s, pattern, true, &names);
	wbuf_put(&names, "", 1);
	if (rc == 0)
		rc = names.rc ? names.rc
			      : lctl_params_parse(&ps, (char *)names.ptr, NULL, 2);
	for (i = 0; rc == 0 && i < ps.n; i++) {
		const char *name = strchr(ps.p[i].name, '.') + 1;

		snprintf(uuid, sizeof(uuid), strcmp(kind, "mgs") ? "%.60s_UUID" : "%.60s", name);
		line(d, true, kind, name, uuid, 5, NULL);
	}
	lctl_params_free(&ps);
	wbuf_fini(&names);
	return rc == -ENOENT ? 0 : rc;
}

static int list_server(struct dl *d, const struct lctl_source *s)
{
	static const char *const kinds[] = {"mgs", "mdt", "obdfilter"};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < ARRAY_SIZE(kinds); i++)
		rc = list_kind(d, s, kinds[i]);
	return rc;
}

static int one_option(struct dl *d, int opt)
{
	switch (opt) {
	case 't':
		d->nids = true;
		return 0;
	case OPT_JSON:
		if (!d->json)
			d->json = json_object_new_array();
		return 0;
	case OPT_NID:
		return lctl_sources_add_nid(&d->src, optarg);
	case OPT_MOUNT:
		return lctl_sources_add_mount(&d->src, optarg);
	default:
		return CMD_HELP;
	}
}

static int options(struct dl *d, int argc, char **argv)
{
	static const struct option opts[] = {{"target", no_argument, NULL, 't'},
					     {"json", no_argument, NULL, OPT_JSON},
					     {"nid", required_argument, NULL, OPT_NID},
					     {"mount", required_argument, NULL, OPT_MOUNT},
					     {NULL, 0, NULL, 0}};
	int opt, rc = 0;

	while (rc == 0 && (opt = getopt_long(argc, argv, "t", opts, NULL)) != -1)
		rc = one_option(d, opt);
	if (rc == 0 && optind < argc)
		rc = CMD_HELP;
	if (rc || d->src.n)
		return rc;
	rc = lctl_sources_local(&d->src);
	return rc ? tool_fail(rc, "cannot find out what runs here") : 0;
}

int lctl_dl(int argc, char **argv)
{
	struct dl d = {0};
	int rc, first = options(&d, argc, argv);
	uint32_t i;

	if (first) {
		lctl_sources_free(&d.src);
		json_object_put(d.json);
		return first;
	}
	for (i = 0; i < d.src.n; i++) {
		const struct lctl_source *s = &d.src.s[i];

		rc = s->mount ? list_mount(&d, s) : list_server(&d, s);
		if (rc && !lctl_source_ended(s, rc))
			first = tool_fail(rc, "cannot ask %s", s->name);
	}
	lctl_sources_free(&d.src);
	if (d.json)
		json_print(stdout, d.json);
	return first;
}
