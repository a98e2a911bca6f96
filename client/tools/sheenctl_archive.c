/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_archive.c - sheenctl archive: blob containers behind a cluster. "create" binds a
 * directory to a container and imports its names, without a verb what has changed is exported. */
#include "client/tools/sheenctl_archive.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_json.h"
#include "client/tools/tool_size.h"
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

const char sheenctl_archive_usage[] =
	"usage: sheenctl archive create --name NAME --archive-name ARCHIVE --filesystem-path DIR\n"
	"                --storage-account-url URL --container-name CONTAINER [--prefix PREFIX]\n"
	"                [--logging-container-name CONTAINER] [--credentials FILE]\n"
	"                [--service azure|s3] [--region REGION] [--conflict-resolution-mode MODE]\n"
	"                [--maximum-errors N] [--default-uid N] [--default-gid N]\n"
	"                [--default-mode OCTAL] [--default-dir-mode OCTAL] [--wait|--no-wait]\n"
	"                [--json]\n"
	"       sheenctl archive --name NAME [--filesystem-path DIR] [--archive-name ARCHIVE]\n"
	"                [--deletions keep|remove] [--wait|--no-wait] [--json]\n"
	"       sheenctl archive show|cancel|delete --name NAME --archive-name ARCHIVE [--json]\n"
	"       sheenctl archive list --name NAME [--json]\n"
	"\n"
	"create makes the names of a container appear below a directory (import); their data\n"
	"come when somebody reads them. Again with the same arguments it brings what is new.\n"
	"Without a verb what is new or changed below the directory goes to the container\n"
	"(export). show tells how far that is, cancel ends it, delete unbinds the container:\n"
	"the files and the blobs stay; files whose data are only there cannot be read then.\n"
	"  --conflict-resolution-mode  of files that are there already: Fail (default), Skip,\n"
	"                   OverwriteIfDirty, OverwriteAlways\n"
	"  --maximum-errors N  more end the import (default 0; -1: no limit)\n"
	"  --credentials FILE  account_name and account_key, sas_token, ..., readable for its\n"
	"                   owner alone; without it they are taken from the environment\n"
	"  --deletions      remove: blobs of files that are not there any more go (default keep)\n"
	"  --wait           until it is done; the exit status is 1 if it failed\n"
	"  --no-wait        come back when it has begun, as without either\n"
	"  --query MEMBER   show: only this\n"
	"  --json           in JSON\n";

enum { POLL_MS = 200 };

struct wanted {
	const char *name;    /* of the cluster */
	struct ctl_archive a;
	bool wait, json;
	const char *query;
};

/* Those with a member are texts of struct ctl_archive. */
#define OPTION(opt, member)                                          \
	{opt, offsetof(struct ctl_archive, member), sizeof(((struct ctl_archive *)0)->member)}
static const struct {
	const char *opt;
	size_t off, size;
} texts[] = {
	OPTION("archive-name", name),
	OPTION("filesystem-path", path),
	OPTION("storage-account-url", url),
	OPTION("container-name", container),
	OPTION("logging-container-name", log_container),
	OPTION("prefix", prefix),
	OPTION("credentials", credentials),
	OPTION("service", service),
	OPTION("region", region),
	OPTION("conflict-resolution-mode", conflicts),
	OPTION("deletions", deletions),
	OPTION("default-uid", uid),
	OPTION("default-gid", gid),
	OPTION("default-mode", mode),
	OPTION("default-dir-mode", dir_mode),
};
enum { OPT_NAME = 256, OPT_ERRORS, OPT_WAIT, OPT_NO_WAIT, OPT_JSON, OPT_QUERY };

static int take(struct wanted *w, int opt)
{
	if (opt == OPT_NAME) {
		w->name = optarg;
	} else if (opt == OPT_WAIT || opt == OPT_NO_WAIT) {
		w->wait = opt == OPT_WAIT;
	} else if (opt == OPT_JSON) {
		w->json = true;
	} else if (opt == OPT_QUERY) {
		w->query = optarg;
	} else if (opt == OPT_ERRORS) {
		if (tool_parse_int(optarg, -1, INT64_MAX, &w->a.maximum_errors) == 0)
			return 0;
		tool_say("invalid --maximum-errors '%s': a number, or -1", optarg);
		return CMD_HELP;
	} else if (strlen(optarg) >= texts[opt].size) {
		tool_say("--%s: longer than %zu bytes", texts[opt].opt, texts[opt].size - 1);
		return CMD_HELP;
	} else {
		memcpy((char *)&w->a + texts[opt].off, optarg, strlen(optarg) + 1);
	}
	return 0;
}

static int options(struct wanted *w, int argc, char **argv)
{
	static const struct option more[] = {{"name", required_argument, NULL, OPT_NAME},
					     {"maximum-errors", required_argument, NULL,
					      OPT_ERRORS},
					     {"wait", no_argument, NULL, OPT_WAIT},
					     {"no-wait", no_argument, NULL, OPT_NO_WAIT},
					     {"json", no_argument, NULL, OPT_JSON},
					     {"query", required_argument, NULL, OPT_QUERY},
					     {NULL, 0, NULL, 0}};
	struct option opts[ARRAY_SIZE(texts) + ARRAY_SIZE(more)] = {0};
	int opt, rc;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		opts[i] = (struct option){texts[i].opt, required_argument, NULL, (int)i};
	memcpy(opts + i, more, sizeof(more));
	optind = 1;
	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == '?') {
			tool_say("option '%s' is unknown or lacks its value", argv[optind - 1]);
			return CMD_HELP;
		}
		rc = take(w, opt);
		if (rc)
			return rc;
	}
	if (optind < argc) {
		tool_say("what is '%s'?", argv[optind]);
		return CMD_HELP;
	}
	return 0;
}

static bool one_of(const char *what, const char *value, const char *const *of)
{
	for (; *of; of++)
		if (!strcmp(value, *of))
			return true;
	tool_say("invalid --%s '%s'", what, value);
	return false;
}

/* "/data//x/" is "/data/x". */
static int clean_path(char path[CTL_MAX_PATH])
{
	char *to = path, *from = path;

	if (path[0] != '/') {
		tool_say("--filesystem-path '%s' does not begin with '/', the root of the file "
			 "system", path);
		return CMD_HELP;
	}
	for (; *from; from++)
		if (*from != '/' || (from[1] && from[1] != '/'))
			*to++ = *from;
	*to = 0;
	if (to == path)
		snprintf(path, CTL_MAX_PATH, "/");
	if (strstr(path, "/../") || strstr(path, "/./") || !strcmp(path + strlen(path) - 1, ".")) {
		tool_say("--filesystem-path '%s': say it without '.' and '..'", path);
		return CMD_HELP;
	}
	return 0;
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strcmp(top, "/") ||
	       (!strncmp(path, top, n) && (path[n] == 0 || path[n] == '/'));
}

/* ---- show ---- */

static const char *const status_names[CTL_JOBS] = {"importStatus", "archiveStatus"};

static struct json_object *archive_json(const struct ctl_cluster *c, const struct ctl_archive *a)
{
	struct json_object *j = json_object_new_object(), *s;
	int k;

	json_put_str(j, "name", a->name);
	json_put_str(j, "filesystemPath", a->path);
	json_put_str(j, "storageAccountUrl", a->url);
	json_put_str(j, "containerName", a->container);
	json_put_str(j, "prefix", a->prefix);
	json_put_str(j, "loggingContainerName", a->log_container);
	json_put_u64(j, "archiveId", a->id);
	json_put_str(j, "conflictResolutionMode", a->conflicts);
	json_put_i64(j, "maximumErrors", a->maximum_errors);
	json_put_str(j, "credentials", a->credentials[0] ? a->credentials : "environment");
	json_put_str(j, "mover", ctl_mover_runs(c, a) ? "Running" : "Stopped");
	for (k = 0; k < CTL_JOBS; k++) {
		s = ctl_job_status(c->dir, a->name, (enum ctl_job)k);
		if (!s)
			continue;
		json_put_bool(s, "running", ctl_job_runs(c, a, (enum ctl_job)k));
		json_object_object_add(j, status_names[k], s);
	}
	return j;
}

static void print_archive(struct json_object *j)
{
	json_object_object_foreach(j, key, v)
	{
		if (json_object_is_type(v, json_type_object)) {
			printf("%s\n", key);
			json_object_object_foreach(v, inner, iv)
				printf("  %-25s%s\n", inner, json_object_get_string(iv));
		} else {
			printf("%-27s%s\n", key, json_object_get_string(v));
		}
	}
	json_object_put(j);
}

static int print_query(struct json_object *j, const char *query)
{
	struct json_object *v, *s;
	bool found = json_object_object_get_ex(j, query, &v);
	int k;

	for (k = 0; k < CTL_JOBS && !found; k++)
		found = json_object_object_get_ex(j, status_names[k], &s) &&
			(!strncmp(query, status_names[k], strlen(status_names[k]))
				 ? json_object_object_get_ex(
					   s, query + strlen(status_names[k]) + 1, &v)
				 : json_object_object_get_ex(s, query, &v));
	if (found)
		puts(json_object_get_string(v));
	else
		(void)tool_fail(ENOENT, "--query %s: there is no such member (see --json)", query);
	json_object_put(j);
	return found ? 0 : -ENOENT;
}

static int show(const struct ctl_cluster *c, const struct wanted *w, const struct ctl_archive *a)
{
	struct json_object *j = archive_json(c, a);

	if (w->query)
		return print_query(j, w->query);
	if (w->json)
		json_print(stdout, j);
	else
		print_archive(j);
	return 0;
}

static int list(const struct ctl_cluster *c, const struct wanted *w)
{
	struct json_object *all = w->json ? json_object_new_array() : NULL;
	struct ctl_archive *a;
	char state[CTL_JOBS][32];
	uint32_t i, n;
	int rc = ctl_archives_read(c->dir, &a, &n);

	if (n && !w->json)
		printf("%-20s %-17s %-17s %-20s %s\n", "NAME", "IMPORT", "EXPORT", "CONTAINER",
		       "FILESYSTEM PATH");
	for (i = 0; i < n; i++) {
		if (w->json) {
			json_object_array_add(all, archive_json(c, &a[i]));
			continue;
		}
		ctl_job_state(c->dir, a[i].name, CTL_IMPORT, state[CTL_IMPORT]);
		ctl_job_state(c->dir, a[i].name, CTL_EXPORT, state[CTL_EXPORT]);
		printf("%-20s %-17s %-17s %-20s %s\n", a[i].name, state[CTL_IMPORT],
		       state[CTL_EXPORT][0] ? state[CTL_EXPORT] : "-", a[i].container, a[i].path);
	}
	if (w->json)
		json_print(stdout, all);
	free(a);
	return rc;
}

/* ---- waiting ---- */

static void tell_progress(const struct ctl_cluster *c, const struct ctl_archive *a,
			  enum ctl_job kind, int64_t *told)
{
	static const char *const counts[CTL_JOBS] = {"totalBlobsImported", "exportedFiles"};
	struct json_object *j = ctl_job_status(c->dir, a->name, kind), *v;
	int64_t n = j && json_object_object_get_ex(j, counts[kind], &v) ? json_object_get_int64(v)
								       : 0;

	if (n != *told)
		fprintf(stderr, "%s: %s %lld\n", a->name, counts[kind], (long long)n);
	*told = n;
	json_object_put(j);
}

/* Until its process has ended, which leaves its state. 1: it failed. */
static int wait_job(const struct ctl_cluster *c, const struct ctl_archive *a, enum ctl_job kind)
{
	int64_t told = 0;
	char state[32];

	while (ctl_job_runs(c, a, kind)) {
		poll(NULL, 0, POLL_MS);
		tell_progress(c, a, kind, &told);
	}
	ctl_job_state(c->dir, a->name, kind, state);
	fprintf(stderr, "%s: %s\n", a->name, state[0] ? state : "it could not begin");
	if (!strncmp(state, "Completed", 9))
		return 0;
	if (!ctl_job_is_over(state))
		tool_say("its process has ended; sheenctl up goes on with it");
	return 1;
}

/* ---- create ---- */

static int check_new(struct wanted *w)
{
	static const char *const modes[] = {"Fail", "Skip", "OverwriteIfDirty", "OverwriteAlways",
					    NULL};
	static const char *const services[] = {"azure", "s3", NULL};
	struct ctl_archive *a = &w->a;

	if (!a->path[0] || !a->url[0] || !a->container[0]) {
		tool_say("--filesystem-path, --storage-account-url and --container-name must be "
			 "given");
		return CMD_HELP;
	}
	if (!a->conflicts[0])
		snprintf(a->conflicts, sizeof(a->conflicts), "Fail");
	if (!a->service[0])
		snprintf(a->service, sizeof(a->service), "azure");
	if (!one_of("conflict-resolution-mode", a->conflicts, modes) ||
	    !one_of("service", a->service, services))
		return CMD_HELP;
	if (strncmp(a->url, "http://", 7) && strncmp(a->url, "https://", 8)) {
		tool_say("invalid --storage-account-url '%s': http://... or https://...", a->url);
		return CMD_HELP;
	}
	if (a->credentials[0] && !realpath(a->credentials, w->a.export_path))
		return tool_fail(errno, "--credentials %s", a->credentials);
	if (a->credentials[0])
		snprintf(a->credentials, sizeof(a->credentials), "%s", w->a.export_path);
	w->a.export_path[0] = 0;
	return clean_path(a->path);
}

/* Files remember the id of the container that they are in: one that another container had is not
 * given out again, and one that is bound again gets its own. */
static int take_id(const char *dir, uint32_t used, struct ctl_archive *a)
{
	uint32_t same, others;
	int rc = ctl_archive_old_ids(dir, a, &same, &others);

	if (rc)
		return rc;
	if (same && !(used & (1U << (same - 1)))) {
		a->id = same;
		return 0;
	}
	used |= others;
	if (used == UINT32_MAX) {
		tool_say("a cluster has at most %d archives, with those that were deleted",
			 CTL_MAX_ARCHIVES);
		return -ENOSPC;
	}
	a->id = (uint32_t)__builtin_ctz(~used) + 1;
	return 0;
}

/* Of another archive nothing may be the same; of this one all that matters. */
static int check_others(const char *dir, const struct ctl_archive *all, uint32_t n,
			struct ctl_archive *a, bool *known)
{
	uint32_t i, used = 0;

	for (i = 0; i < n; i++) {
		used |= 1U << (all[i].id - 1);
		if (!strcmp(all[i].name, a->name)) {
			a->id = all[i].id;
			*known = true;
			if (!strcmp(all[i].path, a->path) && !strcmp(all[i].url, a->url) &&
			    !strcmp(all[i].container, a->container) &&
			    !strcmp(all[i].prefix, a->prefix))
				continue;
			tool_say("there is an archive '%s' already: %s, container %s", a->name,
				 all[i].path, all[i].container);
			return -EEXIST;
		}
		if (is_below(all[i].path, a->path) || is_below(a->path, all[i].path)) {
			tool_say("%s and %s of archive '%s' are not apart", a->path, all[i].path,
				 all[i].name);
			return -EEXIST;
		}
	}
	return a->id ? 0 : take_id(dir, used, a);
}

static int create_locked(const struct ctl_cluster *c, struct wanted *w)
{
	struct ctl_archive *all;
	bool known = false;
	uint32_t n;
	int rc = ctl_archives_read(c->dir, &all, &n);

	if (rc)
		return rc;
	rc = check_others(c->dir, all, n, &w->a, &known);
	free(all);
	if (rc)
		return rc;
	if (ctl_job_runs(c, &w->a, CTL_IMPORT)) {
		tool_say("an import of '%s' is under way", w->a.name);
		return -EBUSY;
	}
	rc = ctl_archive_write(c->dir, &w->a);
	if (rc == 0)
		rc = ctl_mover_start(c, &w->a);
	if (rc && !known)
		(void)!ctl_archive_remove(c->dir, w->a.name); /* it serves nobody */
	return rc ? rc : ctl_job_start(c, &w->a, CTL_IMPORT);
}

/* ---- export ---- */

/* The part of an archive that lies below what was asked for; false: nothing. */
static bool part_of(const struct ctl_archive *a, const struct wanted *w, char path[CTL_MAX_PATH])
{
	const char *asked = w->a.path;

	if (w->a.name[0] && strcmp(w->a.name, a->name))
		return false;
	if (asked[0] && !is_below(a->path, asked) && !is_below(asked, a->path))
		return false;
	snprintf(path, CTL_MAX_PATH, "%s", asked[0] && is_below(asked, a->path) ? asked : a->path);
	return true;
}

static int export_one(const struct ctl_cluster *c, const struct wanted *w, struct ctl_archive *a,
		      const char *path)
{
	int rc;

	if (ctl_job_runs(c, a, CTL_EXPORT)) {
		tool_say("an export of '%s' is under way", a->name);
		return -EBUSY;
	}
	snprintf(a->export_path, sizeof(a->export_path), "%s", path);
	memcpy(a->deletions, w->a.deletions, sizeof(a->deletions)); /* of this export alone */
	rc = ctl_archive_write(c->dir, a);
	if (rc == 0)
		rc = ctl_mover_start(c, a);
	return rc ? rc : ctl_job_start(c, a, CTL_EXPORT);
}

static int export_all(const struct ctl_cluster *c, struct wanted *w, int lock)
{
	struct ctl_archive *a;
	char path[CTL_MAX_PATH];
	uint32_t i, n, hits = 0;
	int rc = ctl_archives_read(c->dir, &a, &n), rc2;

	for (i = 0; i < n && rc == 0; i++) {
		if (!part_of(&a[i], w, path))
			continue;
		rc = export_one(c, w, &a[i], path);
		hits++;
	}
	close(lock); /* others may look, and cancel */
	if (rc == 0 && !hits) {
		tool_say("no container is bound to %s", w->a.path[0] ? w->a.path : "the cluster");
		rc = -ENOENT;
	}
	for (i = 0; i < n && rc >= 0; i++) {
		if (!part_of(&a[i], w, path))
			continue;
		rc2 = w->wait ? wait_job(c, &a[i], CTL_EXPORT) : 0;
		rc = rc ? rc : rc2;
		rc2 = show(c, w, &a[i]);
		rc = rc ? rc : rc2;
	}
	free(a);
	return rc;
}

/* ---- cancel, delete ---- */

static int cancel(const struct ctl_cluster *c, const struct ctl_archive *a)
{
	char state[32];
	int rc = 0, k, n = 0;

	for (k = 0; k < CTL_JOBS && rc == 0; k++) {
		ctl_job_state(c->dir, a->name, (enum ctl_job)k, state);
		if (!state[0] || ctl_job_is_over(state))
			continue;
		rc = ctl_job_stop(c, a, (enum ctl_job)k);
		if (rc == 0) /* it may have come to its end meanwhile */
			ctl_job_state(c->dir, a->name, (enum ctl_job)k, state);
		if (rc == 0 && !ctl_job_is_over(state))
			rc = ctl_job_set_state(c->dir, a->name, (enum ctl_job)k, "Canceled");
		n++;
	}
	if (rc == 0 && !n) {
		tool_say("nothing of '%s' is under way", a->name);
		return -ESRCH;
	}
	return rc;
}

static int unbind(const struct ctl_cluster *c, const struct ctl_archive *a)
{
	int rc, k;

	for (k = 0; k < CTL_JOBS; k++) {
		if (ctl_job_runs(c, a, (enum ctl_job)k)) {
			tool_say("a job of '%s' is under way: sheenctl archive cancel", a->name);
			return -EBUSY;
		}
	}
	rc = ctl_mover_stop(c, a);
	if (rc == 0)
		rc = ctl_archive_retire(c->dir, a);
	if (rc == 0)
		fprintf(stderr, "%s: deleted; files whose data are only in the container cannot "
				"be read until it is bound again\n", a->name);
	return rc;
}

/* ---- the verbs ---- */

static int of_one(const struct ctl_cluster *c, struct wanted *w, const char *verb)
{
	static struct ctl_archive a;
	int rc = ctl_archive_read(c->dir, w->a.name, &a);

	if (rc == -ENOENT)
		return tool_fail(rc, "there is no archive '%s' (sheenctl archive list)", w->a.name);
	if (rc)
		return rc;
	if (!strcmp(verb, "show"))
		return show(c, w, &a);
	if (!strcmp(verb, "delete"))
		return unbind(c, &a);
	rc = cancel(c, &a);
	return rc ? rc : show(c, w, &a);
}

static int create(const struct ctl_cluster *c, struct wanted *w, int lock)
{
	int rc = check_new(w), rc2;

	if (rc == 0)
		rc = create_locked(c, w);
	close(lock);
	if (rc == 0 && w->wait)
		rc = wait_job(c, &w->a, CTL_IMPORT);
	rc2 = rc >= 0 && rc != CMD_HELP ? show(c, w, &w->a) : 0;
	return rc ? rc : rc2;
}

static int run(struct ctl_cluster *c, struct wanted *w, const char *verb)
{
	static const char *const policies[] = {"", "keep", "remove", NULL};
	int lock, rc;

	if (!c->nprocs)
		return tool_fail(ENOENT, "the cluster was not made to its end");
	rc = ctl_lock(c, &lock);
	if (rc)
		return rc;
	ctl_find_procs(c);
	if (!strcmp(verb, "create"))
		return create(c, w, lock);
	if (!verb[0]) {
		rc = w->a.path[0] ? clean_path(w->a.path) : 0;
		if (rc == 0 && !one_of("deletions", w->a.deletions, policies))
			rc = CMD_HELP;
		if (rc == 0)
			return export_all(c, w, lock);
	} else if (!strcmp(verb, "list")) {
		rc = list(c, w);
	} else {
		rc = of_one(c, w, verb);
	}
	close(lock);
	return rc;
}

int sheenctl_archive(int argc, char **argv)
{
	static const char *const verbs[] = {"create", "show", "list", "cancel", "delete", NULL};
	static struct ctl_cluster c;
	static struct wanted w;
	const char *verb = "";
	struct ctl_order o;
	int rc;

	if (argc > 1 && argv[1][0] != '-') {
		verb = argv[1];
		if (!one_of("verb", verb, verbs))
			return CMD_HELP;
		argc--;
		argv++;
	}
	rc = options(&w, argc, argv);
	if (rc)
		return rc;
	if (verb[0] && strcmp(verb, "list") && ctl_name_check(w.a.name[0] ? w.a.name : "")) {
		tool_say("--archive-name must be given");
		return CMD_HELP;
	}
	rc = ctl_order_open(w.name, &c, &o);
	if (rc == 0)
		rc = run(&c, &w, verb);
	free(c.formatted);
	return rc;
}
