/* SPDX-License-Identifier: Apache-2.0 */
/* job_run.c - a mover that is a job, and nothing else. */
#include "mover/export.h"
#include "mover/import.h"
#include <stdio.h>

static struct job_cfg cfg_of(const struct mover_cfg *cfg, struct blob_store *logs)
{
	static char path[MAX_PATH + 1]; /* there is one job in a process */

	snprintf(path, sizeof(path), "/%s", cfg->path);
	return (struct job_cfg){
		.export = cfg->kind == MOVER_EXPORTS,
		.name = cfg->job,
		.dir = cfg->job_dir,
		.path = path,
		.prefix = cfg->prefix,
		.maximum_errors = cfg->maximum_errors,
		.logs = logs,
	};
}

void job_run_failed(const struct mover_cfg *cfg, const char *why)
{
	struct job_cfg jc = cfg_of(cfg, NULL);

	job_cannot_start(&jc, why);
}

/* The first one that it was given. */
static uint32_t archive_of(const struct mover_cfg *cfg)
{
	return (uint32_t)__builtin_ctz(cfg->archives) + 1;
}

int job_run_open(struct mover *m, struct job **out, char *why, size_t why_size)
{
	struct job_cfg jc = cfg_of(&m->cfg, m->log_store);

	return job_open(m->loop, &jc, out, why, why_size);
}

void job_co_run(struct mover *m, struct job *j, const char *why)
{
	const struct mover_cfg *cfg = &m->cfg;

	if (why && m->stopping)
		job_co_end(j, JOB_IN_PROGRESS, "stopped; started again it goes on");
	else if (why)
		job_co_end(j, JOB_FAILED, "%s", why);
	else if (cfg->kind == MOVER_EXPORTS)
		export_co_run(m, j);
	else
		import_co_run(m, j,
			      &(struct import_cfg){
				      .path = cfg->path,
				      .mode = cfg->conflicts,
				      .archive = archive_of(cfg),
				      .uid = cfg->uid,
				      .gid = cfg->gid,
				      .file_mode = cfg->file_mode,
				      .dir_mode = cfg->dir_mode,
			      });
	job_close(j);
}
