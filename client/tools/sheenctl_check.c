/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_check.c - sheenctl check: runs the online checker of the cluster's MDT, shows how far it
 * is, and reports what it found; the exit status is that of fsck(8). */
#include "client/tools/sheenctl.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_json.h"
#include "client/tools/tool_rpc.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

const char sheenctl_check_usage[] =
	"usage: check --dir DIR [--repair] [--max-repairs N] [--json]\n"
	"\n"
	"Checks the file system while it runs: names, inodes and links against each other, "
	"layouts\n"
	"against the objects of all OSTs, and back. What has no name or no owner any more is put "
	"into\n"
	".lustre/lost+found when it is repaired.\n"
	"      --repair           repair what can be repaired; else only report\n"
	"      --max-repairs N    stop repairing after so many\n"
	"      --json             the report as JSON\n"
	"Exit status: 0 nothing is wrong, 1 something was and is repaired, 4 something is left, 8 "
	"the\n"
	"check could not be made.\n";

enum { OPT_MAX = 256, CALL_MS = 10000, POLL_MS = 200, MAX_TEXT = 2 << 20 };
enum { CLEAN = 0, REPAIRED = 1, UNCORRECTED = 4, FAILED = 8 };

struct part {
	const char *name;
	char *text; /* of the parameter */
	uint64_t checked, found, fixed, failed;
	bool running, completed;
};

struct check {
	struct nid_list nids;
	bool repair, json;
	uint64_t max_repairs; /* UINT64_MAX: as the MDT has it */
	struct part part[2];
	char *findings;
};

/* The value of mdd.*.lfsck_<name>, to be freed. */
static int get(struct check *c, const char *name, char **out)
{
	char pattern[64];
	struct wbuf w;
	char *value;
	int rc;

	snprintf(pattern, sizeof(pattern), "mdd.*.lfsck_%s", name);
	wbuf_init(&w, MAX_TEXT);
	rc = tool_get_param(&c->nids, pattern, false, &w, CALL_MS);
	wbuf_put(&w, "", 1);
	value = rc || w.rc ? NULL : strchr((char *)w.ptr, '=');
	*out = value ? strdup(value[1] == '\n' ? value + 2 : value + 1) : NULL;
	wbuf_fini(&w);
	return rc ? rc : *out ? 0 : -ENOMEM;
}

static const char *field(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (; text && *text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, key, len) == 0 && text[len] == ':')
			return text + len + 1 + (text[len + 1] == ' ');
	}
	return "";
}

static uint64_t number(const char *text, const char *key)
{
	return strtoull(field(text, key), NULL, 10);
}

static int get_part(struct check *c, struct part *p)
{
	const char *status;
	int rc;

	free(p->text);
	rc = get(c, p->name, &p->text);
	if (rc)
		return rc;
	status = field(p->text, "status");
	p->running = strncmp(status, "scanning", 8) == 0;
	p->completed = strncmp(status, "completed", 9) == 0;
	p->checked = number(p->text, "checked_phase1") + number(p->text, "checked_phase2");
	p->found = number(p->text, "inconsistent_phase1");
	p->fixed = number(p->text, "updated_phase1");
	p->failed = p->found - p->fixed;
	return 0;
}

static int start(struct check *c)
{
	char options[96], most[40] = "";
	struct wbuf out;
	int rc;

	if (c->max_repairs != UINT64_MAX)
		snprintf(most, sizeof(most), " max_repairs=%" PRIu64, c->max_repairs);
	snprintf(options, sizeof(options), "reset=1 dryrun=%d%s", !c->repair, most);
	wbuf_init(&out, MAX_TEXT);
	rc = tool_set_param(&c->nids, "mdd.*.lfsck_start", options, &out, CALL_MS);
	wbuf_fini(&out);
	if (rc == -EALREADY)
		return tool_fail(rc, "the checker runs already (lctl lfsck_query shows it)");
	return rc ? tool_fail(rc, "the checker cannot be started") : 0;
}

static void progress(const struct check *c, bool last)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s: %" PRIu64 "  %s: %" PRIu64 "  findings: %" PRIu64 " %s",
		c->part[0].name, c->part[0].checked, c->part[1].name, c->part[1].checked,
		c->part[0].found + c->part[1].found, last ? "\n" : "");
}

static int follow(struct check *c)
{
	int rc;

	for (;;) {
		rc = get_part(c, &c->part[0]);
		if (rc == 0)
			rc = get_part(c, &c->part[1]);
		if (rc)
			return tool_fail(rc, "the MDS does not answer");
		progress(c, !c->part[0].running && !c->part[1].running);
		if (!c->part[0].running && !c->part[1].running)
			return get(c, "findings", &c->findings);
		ctl_pause(&(struct ctl_proc){.pidfd = -1}, POLL_MS);
	}
}

static int result(const struct check *c)
{
	int i, status = CLEAN;

	for (i = 0; i < 2; i++) {
		if (!c->part[i].completed)
			return FAILED;
		if (c->part[i].failed)
			status = UNCORRECTED;
		else if (c->part[i].fixed && status == CLEAN)
			status = REPAIRED;
	}
	return status;
}

static void print_json(const struct check *c)
{
	struct json_object *o = json_object_new_object(), *a, *j;
	char *line, *save, *kind, *text, status[32];
	int i;

	json_put_bool(o, "repair", c->repair);
	a = json_put_array(o, "parts");
	for (i = 0; i < 2; i++) {
		const struct part *p = &c->part[i];

		j = json_add_object(a);
		snprintf(status, sizeof(status), "%.*s",
			 (int)strcspn(field(p->text, "status"), "\n"), field(p->text, "status"));
		json_put_str(j, "name", p->name);
		json_put_str(j, "status", status);
		json_put_u64(j, "checked", p->checked);
		json_put_u64(j, "found", p->found);
		json_put_u64(j, "repaired", p->fixed);
		json_put_u64(j, "uncorrected", p->failed);
	}
	a = json_put_array(o, "findings");
	for (line = strtok_r(c->findings, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		kind = strchr(line, ' ');
		text = kind ? strchr(kind + 1, ' ') : NULL;
		if (!text)
			continue;
		*kind++ = *text++ = 0;
		j = json_add_object(a);
		json_put_str(j, "state", line);
		json_put_str(j, "kind", kind);
		json_put_str(j, "text", text);
	}
	json_put_i64(o, "exit", result(c));
	json_print(stdout, o);
}

static void print_text(const struct check *c)
{
	int i;

	if (*c->findings)
		printf("%s%s", c->findings,
		       c->findings[strlen(c->findings) - 1] == '\n' ? "" : "\n");
	for (i = 0; i < 2; i++) {
		const struct part *p = &c->part[i];

		printf("%s: %.*s, %" PRIu64 " checked, %" PRIu64 " findings, %" PRIu64
		       " repaired, %" PRIu64 " left\n",
		       p->name, (int)strcspn(field(p->text, "status"), "\n"),
		       field(p->text, "status"), p->checked, p->found, p->fixed, p->failed);
	}
}

static int run(struct check *c)
{
	int rc = start(c);

	if (rc == 0)
		rc = follow(c);
	if (rc)
		return FAILED;
	if (c->json)
		print_json(c);
	else
		print_text(c);
	return result(c);
}

static int parse(int argc, char **argv, struct check *c, const char **dir)
{
	static const struct option opts[] = {{"dir", required_argument, NULL, 'd'},
					     {"json", no_argument, NULL, 'j'},
					     {"repair", no_argument, NULL, 'r'},
					     {"max-repairs", required_argument, NULL, OPT_MAX},
					     {NULL, 0, NULL, 0}};
	char *end;
	int opt;

	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == '?') {
			tool_say("option '%s' is unknown or lacks its value", argv[optind - 1]);
			return CMD_HELP;
		}
		if (opt == 'd')
			*dir = optarg;
		c->json |= opt == 'j';
		c->repair |= opt == 'r';
		if (opt != OPT_MAX)
			continue;
		c->max_repairs = strtoull(optarg, &end, 10);
		if (!*optarg || *end || c->max_repairs > UINT32_MAX)
			return CMD_HELP;
	}
	return optind < argc ? CMD_HELP : 0;
}

int sheenctl_check(int argc, char **argv)
{
	struct check c = {.max_repairs = UINT64_MAX,
			  .part = {{.name = "namespace"}, {.name = "layout"}}};
	static struct ctl_cluster cluster;
	const char *dir = NULL;
	int rc = parse(argc, argv, &c, &dir);

	if (rc == 0)
		rc = ctl_set_dir(&cluster, dir);
	if (rc)
		return rc;
	rc = ctl_conf_read(&cluster);
	if (rc == -ENOENT)
		return tool_fail(rc, "there is no cluster in %s", cluster.dir);
	if (rc == 0)
		rc = ctl_nids(&cluster, &cluster.proc[1], &c.nids);
	if (rc)
		return rc;
	rc = tool_refused(&c.nids, CALL_MS) ? tool_fail(ECONNREFUSED, "the MDS") : run(&c);
	free(cluster.formatted);
	free(c.part[0].text);
	free(c.part[1].text);
	free(c.findings);
	fflush(stdout);
	exit(rc < 0 ? FAILED : rc); /* 4 is not a wrong usage here */
}
