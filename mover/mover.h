/* SPDX-License-Identifier: Apache-2.0 */
/* mover.h - sheen-copytool: does what the coordinator of an MDT asks for, between the file system,
 * of which it is a client, and a blob store. Any number of them may run, on any machine.
 *
 * One thread: a loop with a lane of the client, the store, and a fiber for each piece of work.
 * The same work may be done twice, by two movers or after a restart. That is harmless: a copy is
 * made visible at once and whole, it says for which work it was made, and the coordinator says
 * before that whether the file is still what was read.
 */
#pragma once
#include "blob/blob.h"
#include "client/core/fs.h"
#include "client/core/hsm.h"
#include "common/co.h"

/* What the process is for. */
enum mover_kind { MOVER_SERVES, MOVER_IMPORTS, MOVER_EXPORTS };

struct mover_cfg {
	struct mount_source source;
	struct blob_config blob;
	const char *prefix;	   /* of all names; "" or ends with '/' */
	const char *path;	   /* the names are those of files below it; "": the root */
	const char *log_container; /* NULL: none */
	uint32_t archives;	   /* bit 0: archive 1 */
	enum mover_kind kind;
	/* of a job; see job.h and import.h */
	const char *job, *job_dir;
	int64_t maximum_errors;
	uint32_t conflicts; /* enum hsm_import_mode */
	bool deletions;	    /* of an export */
	uint32_t uid, gid, file_mode, dir_mode;
	uint32_t jobs;		   /* pieces of work at once */
	uint64_t memory;	   /* bytes of file data in memory */
};

struct dirs;

struct work {
	struct mover *m;
	uint64_t cookie;
	uint32_t action;
	struct fid fid;
	char *name, *etag, *data; /* "" if there is none */
	bool same, released;
	bool stop;	  /* it is not wanted any more */
	uint64_t moved;	  /* bytes */
	uint64_t told_ns; /* when the coordinator heard of that */
	char new_name[HSM_NAME_MAX + 1];
	char new_etag[BLOB_ETAG_MAX];
	struct blob_error error;
	LIST_ENTRY(work) link;
};

struct mover {
	struct mover_cfg cfg;
	struct loop *loop;
	struct fs *fs;
	struct lane *lane;
	struct blob_store *store, *log_store;
	struct blob_log *log;
	struct co_mutex log_lock;
	struct dirs *dirs;
	LIST_HEAD(, work) work;
	uint32_t nwork;
	uint64_t memory_used;
	struct co_waitq memory_q, idle_q;
	bool stopping;
	uint64_t done, failed;
};

/* ---- job_run.c: instead of agent.c, if it is a job ---- */
/* Before anything was begun: leaves that in the job's status. */
void job_run_failed(const struct mover_cfg *cfg, const char *why);
/* Errors as of job_open(). */
struct job;
must_check int job_run_open(struct mover *m, struct job **out, char *why, size_t why_size);
/* To its end, or until the mover stops; closes it. why: NULL, or it cannot be done because of
 * that. */
void job_co_run(struct mover *m, struct job *j, const char *why);

/* ---- agent.c: asks for work until the mover stops ---- */
void agent_co_run(struct mover *m);
/* Tells how far it is; -ECANCELED: it is not wanted any more. *changed (may be NULL): see
 * fs_co_hsm_progress(). Errors of the file system. */
must_check int work_co_tell(struct work *w, bool *changed);
/* The same if the last time is long ago. */
must_check int work_co_tell_now_and_then(struct work *w);
/* Memory for file data; waits for it. */
void *mover_co_memory(struct mover *m, size_t len);
void mover_memory_put(struct mover *m, void *p, size_t len);

/* ---- archive.c ---- what a piece of work is; 0 or -errno, w->error if the store said why ---- */
int archive_co_run(struct work *w);
int remove_co_run(struct work *w);
bool work_co_is_gone(struct work *w); /* its copy: nothing has that name */

/* ---- restore.c: the same ---- */
int restore_co_run(struct work *w);
/* The space of a file is needed: its data here go. */
int release_co_run(struct work *w);

/* ---- dirs.c: directories in the store ---- */
must_check int dirs_create(struct dirs **out);
void dirs_destroy(struct dirs *d);
/* Above a file of this path (below cfg.path), those that are not there as they are now. */
must_check int dirs_co_put(struct work *w, const char *path);
/* This one, whatever was put before. 1: it is there as it is. -EEXIST: a blob with data has its
 * name, and stays. */
must_check int dirs_co_put_one(struct mover *m, const char *path, const struct entry *dir,
			       struct blob_error *e);
