/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - what is known of an import or export job from outside: its status file, its errors, and
 * where it goes on after its process was killed. One process a job.
 *
 * DIR/NAME.status is a JSON object, always a whole one: it is replaced at every change of state and
 * at most once a second in between. The names of its fields are those of Azure's import and
 * archive jobs. DIR/NAME.resume has the marker that the job gives with job_resume_put(), and the
 * counters as they were then: a job that is started again goes on with these, unless its state is a
 * final one; then it starts anew. DIR/NAME.lock keeps a second process away.
 *
 * An error is a line of JSON in the log container (TYPE-NAME/errors-TIME.json: time, job, name,
 * error, why), a line of the process's log, and counted. One thread; functions with co_ in their
 * name suspend. Small files are written and synced on that thread.
 */
#pragma once
#include "blob/blob.h"
#include "common/loop.h"

/* Who shows it (1 import, 2 export), its name in the status, its member in struct job_counts. */
// clang-format off
#define JOB_COUNTS(X) \
	X(1, totalBlobsWalked,       blobs_walked) \
	X(1, totalBlobsImported,     blobs_imported) \
	X(1, importedFiles,          imported_files) \
	X(1, importedDirectories,    imported_dirs) \
	X(1, importedSymlinks,       imported_links) \
	X(1, preexistingFiles,       preexisting_files) \
	X(1, preexistingDirectories, preexisting_dirs) \
	X(1, preexistingSymlinks,    preexisting_links) \
	X(1, totalConflicts,         conflicts) \
	X(2, totalFiles,             files) \
	X(2, totalBytes,             bytes) \
	X(2, exportedFiles,          exported_files) \
	X(2, exportedBytes,          exported_bytes) \
	X(2, exportedDirectories,    exported_dirs) \
	X(2, exportedSymlinks,       exported_links) \
	X(2, deletedBlobs,           deleted_blobs) \
	X(2, renamedBlobs,           renamed_blobs) \
	X(2, percentComplete,        percent) \
	X(3, totalErrors,            errors)
// clang-format on

#define JOB_COUNT_MEMBER(who, field, member) uint64_t member;
struct job_counts {
	JOB_COUNTS(JOB_COUNT_MEMBER)
};

enum job_state {
	JOB_IN_PROGRESS,
	JOB_COMPLETED,
	JOB_COMPLETED_PARTIAL, /* to the end, but not without errors */
	JOB_FAILED,
	JOB_CANCELING, /* these two are others' to write */
	JOB_CANCELED,
};
const char *job_state_str(enum job_state s);

struct job_cfg {
	bool export;
	const char *name; /* job_name_ok() */
	const char *dir;
	const char *path, *prefix; /* for the status */
	int64_t maximum_errors;	   /* -1: no limit */
	struct blob_store *logs;   /* of the log container; NULL: none */
};

struct job;

/* Letters, digits, '-', '_' and '.', at most 80, the first a letter or a digit. */
bool job_name_ok(const char *name);
/* Takes the lock, reads what an earlier process has left, and writes a status "InProgress". Strings
 * of cfg are copied. why: one sentence on failure. -EINVAL, -EBUSY (it runs), -errno of the files.
 */
must_check int job_open(struct loop *l, const struct job_cfg *cfg, struct job **out, char *why,
			size_t why_size);
/* Also after a failure of anything; not while a function of this file is suspended. The state is
 * left as it is: without job_co_end() the job goes on when it is started again. */
void job_close(struct job *j);
/* The process could not even start: "Failed" with these words, if there is no job_open() yet.
 * Nothing if another process has the job. */
void job_cannot_start(const struct job_cfg *cfg, const char *why);

/* To be counted in, by the thread of the job; errors are counted by job_co_error(). */
struct job_counts *job_counts(struct job *j);
/* Shown in the status until it is another; "" is none. */
void job_message(struct job *j, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Where to go on: what was given to job_resume_put() before the process ended, NULL: at the start.
 * Lives until the next job_resume_put(). */
const char *job_resume(const struct job *j);
/* The marker (any text of JSON strings: UTF-8) and the counters of now. -errno of the file. */
must_check int job_resume_put(struct job *j, const char *marker);

/* An object (a path or the name of a blob, of any bytes) that the job leaves out. rc: -errno; why:
 * a sentence, NULL: that of rc. Returns false from when there are more errors than are allowed. */
bool job_co_error(struct job *j, const char *name, int rc, const char *why);
/* A line of the log that is no error. */
void job_co_note(struct job *j, const char *name, int rc, const char *why);
/* There are more errors than are allowed. */
bool job_too_many(const struct job *j);

/* The last status. JOB_IN_PROGRESS: it stops, to go on later (call job_resume_put() before); else
 * it is over, and the resume file is removed. JOB_COMPLETED becomes CompletedPartial if there were
 * errors. fmt: the message; "" is none. Flushes the log first. */
void job_co_end(struct job *j, enum job_state state, const char *fmt, ...) PRINTF_LIKE(3, 4);
