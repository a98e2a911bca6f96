/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_mover.c - the processes of an archive: its mover and its jobs, all of them
 * sheen-copytool. They are recognised as the servers are. */
#include "client/tools/sheenctl_archive.h"
#include "client/tools/tool_cmd.h"
#include <stdlib.h>
#include <unistd.h>

enum { START_MS = 30000, STOP_MS = 30000, STEP_MS = 20, MAX_ARGS = 64 };

static const char *const kinds[CTL_JOBS] = {"import", "export"};

struct args {
	int n;
	const char *arg[MAX_ARGS];
	char source[NID_STRLEN + MAX_FSNAME + 8], id[8], errors[24], pid_file[CTL_MAX_PATH];
	char job_dir[CTL_MAX_PATH], prefix[2 * CTL_MAX_URL];
};

static void add(struct args *a, const char *opt, const char *value)
{
	if (!value[0])
		return;
	a->arg[a->n++] = opt;
	a->arg[a->n++] = value;
}

static void add_common(const struct ctl_cluster *c, const struct ctl_archive *r, struct args *a)
{
	char nid[NID_STRLEN];

	snprintf(a->source, sizeof(a->source), "%s:/%s", ctl_nid(c, &c->proc[0], nid), c->fsname);
	snprintf(a->id, sizeof(a->id), "%u", r->id);
	a->arg[a->n++] = "--foreground";
	add(a, "--archive", a->id);
	add(a, "--service", r->service);
	add(a, "--endpoint", r->url);
	add(a, "--container", r->container);
	add(a, "--log-container", r->log_container);
	add(a, "--region", r->region);
	add(a, "--credentials", r->credentials);
}

/* "mover.NAME", "import.NAME": of its pid file and its log. */
static void task_name(const struct ctl_archive *r, const char *what, char out[CTL_MAX_NAME + 16])
{
	snprintf(out, CTL_MAX_NAME + 16, "%s.%s", what, r->name);
}

static int start(const struct ctl_cluster *c, const char *task, struct args *a)
{
	a->arg[a->n++] = a->source;
	a->arg[a->n] = NULL;
	return ctl_task_start(c, task, "sheen-copytool", a->arg);
}

/* It writes its own pid file when it serves. */
static int wait_serving(const struct ctl_cluster *c, const char *task, const char *pid_file)
{
	uint64_t end = ctl_now_ms() + START_MS;

	while (access(pid_file, F_OK)) {
		if (!ctl_task_pid(c, task)) {
			tool_say("the mover cannot serve the container");
			ctl_task_show_log(c, task);
			return -EIO;
		}
		if (ctl_now_ms() >= end)
			return tool_fail(ETIMEDOUT, "the mover does not serve");
		usleep(STEP_MS * 1000);
	}
	return 0;
}

int ctl_mover_start(const struct ctl_cluster *c, const struct ctl_archive *r)
{
	char task[CTL_MAX_NAME + 16];
	struct args a = {0};
	int rc;

	task_name(r, "mover", task);
	if (ctl_task_pid(c, task))
		return 0;
	snprintf(a.pid_file, sizeof(a.pid_file), "%.900s/run/%s.serves", c->dir, task);
	if (unlink(a.pid_file) && errno != ENOENT)
		return tool_fail(errno, "%s", a.pid_file);
	add_common(c, r, &a);
	add(&a, "--path", r->path);
	add(&a, "--prefix", r->prefix);
	add(&a, "--pid-file", a.pid_file);
	rc = start(c, task, &a);
	if (rc == 0)
		rc = wait_serving(c, task, a.pid_file);
	if (rc)
		(void)!ctl_task_stop(c, task, STOP_MS);
	return rc;
}

static void add_import(const struct ctl_archive *r, struct args *a)
{
	a->arg[a->n++] = "--import";
	add(a, "--path", r->path);
	add(a, "--prefix", r->prefix);
	add(a, "--conflict-resolution-mode", r->conflicts);
	add(a, "--default-uid", r->uid);
	add(a, "--default-gid", r->gid);
	add(a, "--default-mode", r->mode);
	add(a, "--default-dir-mode", r->dir_mode);
}

/* What lies below the archive's directory has its names in the container, too. */
static void add_export(const struct ctl_archive *r, struct args *a)
{
	const char *below = r->export_path + (r->path[1] ? strlen(r->path) : 0);
	size_t n = strlen(r->prefix);

	while (n && r->prefix[n - 1] == '/')
		n--;
	snprintf(a->prefix, sizeof(a->prefix), "%.*s%s", (int)n, r->prefix, below);
	a->arg[a->n++] = "--export";
	add(a, "--path", r->export_path);
	add(a, "--prefix", a->prefix);
	add(a, "--deletions", r->deletions);
}

int ctl_job_start(const struct ctl_cluster *c, const struct ctl_archive *r, enum ctl_job kind)
{
	char task[CTL_MAX_NAME + 16];
	struct args a = {0};
	int rc;

	task_name(r, kinds[kind], task);
	if (ctl_task_pid(c, task))
		return 0;
	snprintf(a.job_dir, sizeof(a.job_dir), "%.900s/archives/%s", c->dir, kinds[kind]);
	rc = ctl_mkdirs(a.job_dir);
	if (rc)
		return tool_fail(rc, "%s", a.job_dir);
	snprintf(a.errors, sizeof(a.errors), "%lld", (long long)r->maximum_errors);
	add_common(c, r, &a);
	add(&a, "--job", r->name);
	add(&a, "--job-dir", a.job_dir);
	add(&a, "--maximum-errors", a.errors);
	if (kind == CTL_IMPORT)
		add_import(r, &a);
	else
		add_export(r, &a);
	return start(c, task, &a);
}

bool ctl_mover_runs(const struct ctl_cluster *c, const struct ctl_archive *r)
{
	char task[CTL_MAX_NAME + 16];

	task_name(r, "mover", task);
	return ctl_task_pid(c, task);
}

bool ctl_job_runs(const struct ctl_cluster *c, const struct ctl_archive *r, enum ctl_job kind)
{
	char task[CTL_MAX_NAME + 16];

	task_name(r, kinds[kind], task);
	return ctl_task_pid(c, task);
}

int ctl_mover_stop(const struct ctl_cluster *c, const struct ctl_archive *r)
{
	char task[CTL_MAX_NAME + 16];

	task_name(r, "mover", task);
	return ctl_task_stop(c, task, STOP_MS);
}

int ctl_job_stop(const struct ctl_cluster *c, const struct ctl_archive *r, enum ctl_job kind)
{
	char task[CTL_MAX_NAME + 16];

	task_name(r, kinds[kind], task);
	return ctl_task_stop(c, task, STOP_MS);
}

/* ---- all of them ---- */

static int start_one(const struct ctl_cluster *c, const struct ctl_archive *r)
{
	int rc = ctl_mover_start(c, r);
	char state[32];
	int kind;

	for (kind = 0; kind < CTL_JOBS && rc == 0; kind++) {
		ctl_job_state(c->dir, r->name, (enum ctl_job)kind, state);
		if (state[0] && !ctl_job_is_over(state))
			rc = ctl_job_start(c, r, (enum ctl_job)kind);
	}
	if (rc == 0)
		printf("%-8s archive %s is served\n", "mover", r->name);
	return rc;
}

static int stop_one(const struct ctl_cluster *c, const struct ctl_archive *r)
{
	int rc = 0, rc2, kind;

	for (kind = 0; kind < CTL_JOBS; kind++) {
		rc2 = ctl_job_stop(c, r, (enum ctl_job)kind);
		rc = rc ? rc : rc2;
	}
	rc2 = ctl_mover_stop(c, r);
	return rc ? rc : rc2;
}

static int each(const struct ctl_cluster *c,
		int (*fn)(const struct ctl_cluster *c, const struct ctl_archive *r))
{
	struct ctl_archive *all;
	uint32_t i, n;
	int rc = ctl_archives_read(c->dir, &all, &n), rc2;

	for (i = 0; i < n; i++) { /* one that fails leaves the others alone */
		rc2 = fn(c, &all[i]);
		rc = rc ? rc : rc2;
	}
	free(all);
	return rc;
}

int ctl_archives_start(const struct ctl_cluster *c)
{
	return each(c, start_one);
}

int ctl_archives_stop(const struct ctl_cluster *c)
{
	return each(c, stop_one);
}
