/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_show.c - sheenctl show and list: clusters in the words of az amlfs. Changes nothing and
 * works with any part of a cluster down. */
#include "client/tools/sheenctl_name.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_json.h"
#include <getopt.h>
#include <stdlib.h>

const char sheenctl_show_usage[] =
	"usage: sheenctl show --name NAME [--query MEMBER] [--json]\n"
	"\n"
	"Shows what a cluster is, in which state, and how to mount it.\n"
	"  --query MEMBER  only this: mgsAddress, mountCommand, provisioningState, or another\n"
	"                  member of what --json shows, also as clientInfo.mgsAddress\n"
	"  --json          in JSON\n";
const char sheenctl_list_usage[] = "usage: sheenctl list [--json]\n"
				   "\n"
				   "Shows all clusters that were created.\n"
				   "  --json  in JSON\n";

enum { ASK_MS = 3000 };

static uint32_t serving(const struct ctl_state *s)
{
	uint32_t i, n = 0;

	for (i = 0; i < s->nost; i++)
		n += s->ost[i].known && !s->ost[i].error;
	return n;
}

/* Available, Degraded or Unavailable, as the servers say. */
static void put_health(struct ctl_cluster *c, struct json_object *j)
{
	struct json_object *h = json_object_new_object();
	const char *state = "Unavailable", *text = "the metadata server does not answer";
	uint32_t osts = ctl_count_osts(c, -1), n = 0;
	struct ctl_state s = {0};
	char buf[64];

	if (c->nprocs)
		ctl_find_procs(c);
	if (c->nprocs && c->proc[1].pid && ctl_ask_mds(c, &s, ASK_MS) == 0 && s.mdt.known &&
	    !s.mdt.error) {
		n = serving(&s);
		state = n == osts ? "Available" : n ? "Degraded" : "Unavailable";
		snprintf(buf, sizeof(buf), "%u of %u OSTs serve", n, osts);
		text = buf;
	}
	ctl_state_free(&s);
	json_put_str(h, "state", state);
	json_put_str(h, "statusDescription", text);
	json_object_object_add(j, "health", h);
}

static void put_client(const struct ctl_cluster *c, const struct ctl_order *o,
		       struct json_object *j)
{
	struct json_object *ci = json_object_new_object();
	char nid[NID_STRLEN], text[NID_STRLEN + CTL_MAX_NAME + 64];

	json_put_str(ci, "mgsAddress", ctl_nid(c, &c->proc[0], nid));
	snprintf(text, sizeof(text), "mount -t sheen %s:/%s /mnt/%s", nid, c->fsname, o->name);
	json_put_str(ci, "mountCommand", text);
	json_object_object_add(j, "clientInfo", ci);
}

struct json_object *ctl_order_json(struct ctl_cluster *c, const struct ctl_order *o)
{
	struct json_object *j = json_object_new_object(), *sku = json_object_new_object();
	uint64_t mbps = ctl_sku_throughput(o->sku, o->tib);
	char rate[32];

	json_put_str(j, "name", o->name);
	json_put_str(j, "provisioningState", o->state);
	if (o->reason[0])
		json_put_str(j, "provisioningError", o->reason);
	json_put_str(sku, "name", o->sku->name);
	json_object_object_add(j, "sku", sku);
	json_put_u64(j, "storageCapacityTiB", o->tib);
	if (mbps)
		json_put_u64(j, "throughputProvisionedMBps", mbps);
	else
		json_object_object_add(j, "throughputProvisionedMBps", NULL);
	if (c->nprocs) {
		ctl_sku_rate(mbps, ctl_count_osts(c, -1), rate);
		json_put_str(j, "rateLimitOfEachOst", rate);
		json_put_str(j, "filesystemName", c->fsname);
		put_client(c, o, j);
	}
	put_health(c, j);
	json_put_str(j, "dir", c->dir);
	return j;
}

/* ---- printing ---- */

static void print_value(struct json_object *v)
{
	if (json_object_is_type(v, json_type_string))
		puts(json_object_get_string(v));
	else if (!v)
		puts("none");
	else
		puts(json_object_to_json_string_ext(v, JSON_C_TO_STRING_PRETTY |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
}

void ctl_order_print(struct json_object *j)
{
	json_object_object_foreach(j, key, v)
	{
		if (json_object_is_type(v, json_type_object)) {
			json_object_object_foreach(v, inner, iv)
			{
				if (!strcmp(inner, "name"))
					printf("%-27s", key);
				else if (!strcmp(inner, "state"))
					printf("%-27s", "health");
				else
					printf("%-27s", inner);
				print_value(iv);
			}
		} else {
			printf("%-27s", key);
			print_value(v);
		}
	}
	json_object_put(j);
}

/* A member by "a.b", or by "b" alone of the cluster or of one of its members. */
static bool query(struct json_object *j, const char *path, struct json_object **out)
{
	char first[64];
	const char *dot = strchr(path, '.');
	struct json_object *v;

	if (dot) {
		snprintf(first, sizeof(first), "%.*s", (int)(dot - path), path);
		return json_object_object_get_ex(j, first, &v) &&
		       json_object_is_type(v, json_type_object) && query(v, dot + 1, out);
	}
	if (json_object_object_get_ex(j, path, out))
		return true;
	if (json_object_object_get_ex(j, "clientInfo", &v))
		return json_object_object_get_ex(v, path, out);
	return false;
}

int sheenctl_show(int argc, char **argv)
{
	static const struct option opts[] = {{"name", required_argument, NULL, 'n'},
					     {"query", required_argument, NULL, 'q'},
					     {"json", no_argument, NULL, 'j'},
					     {NULL, 0, NULL, 0}};
	const char *name = NULL, *member = NULL;
	static struct ctl_cluster c;
	struct json_object *j, *v;
	struct ctl_order o;
	bool json = false;
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == '?') {
			tool_say("option '%s' is unknown or lacks its value", argv[optind - 1]);
			return CMD_HELP;
		}
		if (opt == 'j')
			json = true;
		else
			*(opt == 'n' ? &name : &member) = optarg;
	}
	if (optind < argc)
		return CMD_HELP;
	rc = ctl_order_open(name, &c, &o);
	if (rc)
		return rc;
	j = ctl_order_json(&c, &o);
	if (!member && json) {
		json_print(stdout, j);
	} else if (!member) {
		ctl_order_print(j);
	} else {
		if (query(j, member, &v) && json)
			puts(json_object_to_json_string_ext(v, JSON_C_TO_STRING_NOSLASHESCAPE));
		else if (query(j, member, &v))
			print_value(v);
		else
			rc = tool_fail(ENOENT, "--query %s: there is no such member (see --json)",
				       member);
		json_object_put(j);
	}
	free(c.formatted);
	return rc;
}

/* ---- list ---- */

static int list_one(const char *name, struct json_object *all)
{
	struct ctl_cluster *c = calloc(1, sizeof(*c));
	struct ctl_order o;
	char rate[32];
	int rc;

	if (!c)
		return -ENOMEM;
	rc = ctl_name_find(name, c);
	if (rc == 0)
		rc = ctl_order_read(c->dir, &o);
	if (rc == 0)
		rc = ctl_conf_read(c) == -EINVAL ? -EINVAL : 0;
	if (rc == 0 && all) {
		json_object_array_add(all, ctl_order_json(c, &o));
	} else if (rc == 0) {
		ctl_sku_rate(ctl_sku_throughput(o.sku, o.tib), 1, rate);
		rate[strcspn(rate, ".")] = 0;
		printf("%-20s %-10s %-20s %8u %9s  %s\n", o.name, o.state, o.sku->name, o.tib, rate,
		       c->dir);
	}
	free(c->formatted);
	free(c);
	return rc == -ENOENT ? 0 : rc; /* something else, or just being made */
}

int sheenctl_list(int argc, char **argv)
{
	static const struct option opts[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	struct json_object *all = NULL;
	char **names, **p;
	bool json = false;
	int opt, rc, rc2;

	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt != 'j')
			return CMD_HELP;
		json = true;
	}
	if (optind < argc)
		return CMD_HELP;
	rc = ctl_name_list(&names);
	if (rc)
		return rc;
	if (json)
		all = json_object_new_array();
	else if (*names)
		printf("%-20s %-10s %-20s %8s %9s  %s\n", "NAME", "STATE", "SKU", "TIB", "MB/S",
		       "DIRECTORY");
	for (p = names; *p; p++) {
		rc2 = list_one(*p, all);
		rc = rc ? rc : rc2;
	}
	ctl_name_list_free(names);
	if (json)
		json_print(stdout, all);
	return rc;
}
