/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_archive.h - what a cluster has bound to blob containers: an archive is a directory of
 * the file system, a container, and an archive id, by a name.
 *
 * DIR/archives/NAME.json is what was asked for; credentials are not in it, only where they are.
 * DIR/archives/import and export have the status of its last job each (mover/job.h). A mover of its
 * own serves its restores. Messages go to stderr. Main thread.
 */
#pragma once
#include "client/tools/sheenctl_name.h"

enum { CTL_MAX_ARCHIVES = 32, CTL_MAX_URL = 1024 };

enum ctl_job { CTL_IMPORT, CTL_EXPORT, CTL_JOBS };

struct ctl_archive {
	char name[CTL_MAX_NAME + 1];
	uint32_t id;
	char path[CTL_MAX_PATH]; /* of the directory, from the root of the file system: "/data" */
	char service[8], url[CTL_MAX_URL], container[128], log_container[128], prefix[CTL_MAX_URL];
	char region[64];
	char credentials[CTL_MAX_PATH]; /* "": the environment of whoever starts the mover */
	char conflicts[32], deletions[16];
	int64_t maximum_errors;
	char uid[16], gid[16], mode[16], dir_mode[16]; /* defaults; "": the mover's */
	char export_path[CTL_MAX_PATH];		       /* of the last export: it, or below it */
};

/* In the order of their names; *out is malloc'd. */
must_check int ctl_archives_read(const char *dir, struct ctl_archive **out, uint32_t *n);
/* -ENOENT without a message. */
must_check int ctl_archive_read(const char *dir, const char *name, struct ctl_archive *a);
must_check int ctl_archive_write(const char *dir, const struct ctl_archive *a);
must_check int ctl_archive_remove(const char *dir, const char *name);
/* The same of one that had files: its id stays that of its container, in archives/ID.gone. */
must_check int ctl_archive_retire(const char *dir, const struct ctl_archive *a);
/* The id that a container had before (0: none), and all that are another's, a bit for each. */
must_check int ctl_archive_old_ids(const char *dir, const struct ctl_archive *a, uint32_t *same,
				   uint32_t *others);
/* The status of a job as its process left it, owned by the caller; NULL: it never ran. */
struct json_object *ctl_job_status(const char *dir, const char *name, enum ctl_job kind);
/* "InProgress", "Completed" ...; "": it never ran. */
void ctl_job_state(const char *dir, const char *name, enum ctl_job kind, char out[32]);
bool ctl_job_is_over(const char *state);
/* It is under way from now on, as who asks sees at once; a job that was not over goes on. */
must_check int ctl_job_begin(const char *dir, const char *name, enum ctl_job kind);
/* Replaces the state. */
must_check int ctl_job_set_state(const char *dir, const char *name, enum ctl_job kind,
				 const char *state);

/* ---- sheenctl_mover.c: its processes ---- */
/* Starts it, if it does not run, and waits until it serves. */
must_check int ctl_mover_start(const struct ctl_cluster *c, const struct ctl_archive *a);
must_check int ctl_job_start(const struct ctl_cluster *c, const struct ctl_archive *a,
			     enum ctl_job kind);
bool ctl_mover_runs(const struct ctl_cluster *c, const struct ctl_archive *a);
bool ctl_job_runs(const struct ctl_cluster *c, const struct ctl_archive *a, enum ctl_job kind);
/* Waits for their end. */
must_check int ctl_mover_stop(const struct ctl_cluster *c, const struct ctl_archive *a);
must_check int ctl_job_stop(const struct ctl_cluster *c, const struct ctl_archive *a,
			    enum ctl_job kind);
/* Of all archives of a cluster that serves: movers, and jobs that were not done; says so. */
must_check int ctl_archives_start(const struct ctl_cluster *c);
must_check int ctl_archives_stop(const struct ctl_cluster *c);

/* ---- sheenctl_unexported.c ---- */
/* -EBUSY, and says which: files below the directories of archives are not in their containers as
 * they are. The cluster serves. */
must_check int ctl_check_exported(const struct ctl_cluster *c);
