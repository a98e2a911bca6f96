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
	"usage: dl [-t] [--json]\n"
	"\n"
	"Lists the devices of this machine: number, state (UP, IN for inactive), type, name,\n"
	"UUID, references.\n"
	"  -t          and the address it is connected to\n"
	"      --json  in JSON\n";

enum { OPT_JSON = 256, MAX_TEXT = 1 << 20 };

struct dl {
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

static int list_mount(struct dl *d, const char *dir)
{
	struct tool_target *t;
	struct tool_info i;
	char name[sizeof(i.mgs) + 64];
	int n, k, rc;

	rc = tool_info_read(dir, &i);
	if (rc)
		return tool_fail(rc, "cannot ask the client of '%s'", dir);
	snprintf(name, sizeof(name), "MGC%s", i.mgs);
	line(d, true, "mgc", name, i.uuid, 5, i.mgs);
	snprintf(name, sizeof(name), "%s-clilov-%s", i.fsname, i.instance);
	line(d, true, "lov", name, i.uuid, 4, NULL);
	snprintf(name, sizeof(name), "%s-clilmv-%s", i.fsname, i.instance);
	line(d, true, "lmv", name, i.uuid, 5, NULL);
	n = tool_targets_read(dir, &t);
	if (n < 0)
		return tool_fail(n, "cannot get the targets of '%s'", dir);
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
	return rc ? tool_fail(rc, "cannot ask %s", s->name) : 0;
}

int lctl_dl(int argc, char **argv)
{
	static const struct option opts[] = {{"target", no_argument, NULL, 't'},
					     {"json", no_argument, NULL, OPT_JSON},
					     {NULL, 0, NULL, 0}};
	struct lctl_sources src;
	struct dl d = {0};
	int opt, rc, first = 0;
	uint32_t i;

	while ((opt = getopt_long(argc, argv, "t", opts, NULL)) != -1) {
		if (opt == 't')
			d.nids = true;
		else if (opt == OPT_JSON && !d.json)
			d.json = json_object_new_array();
		else if (opt == '?')
			first = CMD_HELP;
	}
	if (first || optind < argc) {
		json_object_put(d.json);
		return CMD_HELP;
	}
	rc = lctl_sources_local(&src);
	if (rc) {
		json_object_put(d.json);
		return tool_fail(rc, "cannot find out what runs here");
	}
	for (i = 0; i < src.n; i++) {
		rc = src.s[i].mount ? list_mount(&d, src.s[i].mount) : list_server(&d, &src.s[i]);
		first = first ? first : rc;
	}
	lctl_sources_free(&src);
	if (d.json)
		json_print(stdout, d.json);
	return first;
}
