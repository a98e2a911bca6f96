/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl.h - a cluster on one machine: what it consists of and how its parts are handled.
 *
 * Everything is below one directory: cluster.conf, the targets (mgs, mdt0, ost0, ...), log/ and
 * run/. The configuration file is the only memory; processes are recognised by pid file, start time
 * and command line, so files that a crash or a reboot left behind mislead nobody.
 */
#pragma once
#include "common/limits.h"
#include "common/nid.h"
#include <stdio.h>
#include <sys/types.h>

enum {
	CTL_MAX_PROCS = 130, /* MGS, MDS and 128 OSS */
	CTL_MAX_OSTS = 64,   /* of one process */
	CTL_MAX_DIR = 1024,
	CTL_MAX_PATH = CTL_MAX_DIR + 64, /* of anything below the cluster's directory */
};

struct ctl_proc {
	char name[24];	 /* "mgs", "mds", "oss0"; a later addition to OSS 0: "oss0.1" */
	const char *prog; /* "sheen-oss" */
	uint16_t port;
	uint32_t group; /* number of the OSS */
	uint32_t nost;
	uint32_t ost[CTL_MAX_OSTS]; /* indexes */
	pid_t pid;		    /* 0: not running */
	int pidfd;		    /* of a process that this sheenctl started, or -1 */
	long log_at;		    /* size of its log when it was started */
};

struct ctl_cluster {
	char dir[CTL_MAX_DIR];
	char fsname[MAX_FSNAME + 1];
	char address[64]; /* all listen here */
	uint32_t nprocs;
	struct ctl_proc proc[CTL_MAX_PROCS]; /* MGS, MDS, OSSes */
	uint32_t nformatted;
	char (*formatted)[24]; /* names of target directories */
};

/* ---- sheenctl_conf.c ---- */
/* 0, -ENOENT (no cluster here), or another -errno with a message. */
must_check int ctl_conf_read(struct ctl_cluster *c);
must_check int ctl_conf_parse(struct ctl_cluster *c, FILE *f, const char *name);
must_check int ctl_conf_write(const struct ctl_cluster *c);
void ctl_conf_print(FILE *f, const struct ctl_cluster *c);
bool ctl_is_formatted(const struct ctl_cluster *c, const char *target);
must_check int ctl_set_formatted(struct ctl_cluster *c, const char *target);
struct ctl_proc *ctl_add_proc(struct ctl_cluster *c, const char *name);
uint16_t ctl_mgs_port(const struct ctl_cluster *c);
/* "127.0.0.1@tcp:23700" of a process; returns buf (NID_STRLEN). */
char *ctl_nid(const struct ctl_cluster *c, const struct ctl_proc *p, char *buf);
must_check int ctl_nids(const struct ctl_cluster *c, const struct ctl_proc *p,
			struct nid_list *out);
/* Waits for another sheenctl on the same directory. The descriptor keeps the lock. */
must_check int ctl_lock(const struct ctl_cluster *c, int *fd);
must_check int ctl_mkdirs(const char *path);

/* ---- sheenctl_proc.c ---- */
/* Sets pid of every process that runs. */
void ctl_find_procs(struct ctl_cluster *c);
must_check int ctl_start(struct ctl_cluster *c, struct ctl_proc *p);
/* SIGTERM to all n, waits up to timeout_ms, then SIGKILL. */
int ctl_stop(const struct ctl_cluster *c, struct ctl_proc *const *p, int n, int timeout_ms);
/* Waits until the process listens: 0, -ECHILD (it ended), -ETIMEDOUT. deadline: ctl_now_ms(). */
must_check int ctl_wait_listen(const struct ctl_cluster *c, const struct ctl_proc *p,
			       uint64_t deadline);
bool ctl_ended(const struct ctl_proc *p);
/* Lets time pass before something is asked again; ends early when p ends. */
void ctl_pause(const struct ctl_proc *p, int timeout_ms);
void ctl_show_log(const struct ctl_cluster *c, const struct ctl_proc *p);
uint64_t ctl_now_ms(void);
/* Can a server listen there? */
bool ctl_port_free(const char *address, uint16_t port);
/* Runs a program to its end, output to a file or, log NULL, to ours. Its exit status or -errno. */
must_check int ctl_run(const char *log, const char *prog, const char *const *args);
/* Ends and waits for processes by their pids; pidfds from ctl_pidfd(). */
int ctl_pidfd(pid_t pid);
/* True when it ended within timeout_ms. */
bool ctl_wait_pidfd(int fd, int timeout_ms);

/* Other processes of the cluster, by a name; one of args names its directory. */
must_check int ctl_task_start(const struct ctl_cluster *c, const char *task, const char *prog,
			      const char *const *args);
pid_t ctl_task_pid(const struct ctl_cluster *c, const char *task); /* 0: it does not run */
/* SIGTERM, after timeout_ms SIGKILL; 0 also if it does not run. */
must_check int ctl_task_stop(const struct ctl_cluster *c, const char *task, int timeout_ms);
void ctl_task_show_log(const struct ctl_cluster *c, const char *task);

/* ---- sheenctl_mount.c ---- */
struct ctl_mounts {
	uint32_t n;
	char **dir;
};
/* Mounts of this cluster's MGS. */
must_check int ctl_mounts(const struct ctl_cluster *c, struct ctl_mounts *out);
void ctl_mounts_free(struct ctl_mounts *m);
must_check int ctl_mount(const struct ctl_cluster *c, const char *dir, const char *opts);
must_check int ctl_umount(const char *dir, bool force);

/* ---- sheenctl_state.c ---- */
struct ctl_target_state {
	bool known; /* the MDS told: the fields below are valid */
	uint64_t total, free, avail;
	int error;
};
struct ctl_state {
	bool mds; /* the MDS answered */
	struct ctl_target_state mdt;
	uint32_t nost;
	struct ctl_target_state *ost; /* by index */
};
/* One question to the MDS. -errno when it does not answer within timeout_ms. */
must_check int ctl_ask_mds(const struct ctl_cluster *c, struct ctl_state *out, uint32_t timeout_ms);
void ctl_state_free(struct ctl_state *s);
/* Waits until the MGS answers, or until MDS and all OSTs serve. 0 or -errno with a message. */
must_check int ctl_wait_mgs(struct ctl_cluster *c, uint64_t deadline);
must_check int ctl_wait_all(struct ctl_cluster *c, uint64_t deadline);

/* ---- sheenctl_up.c ---- */
struct ctl_wish {
	const char *dir, *mount, *opts, *fsname, *address; /* NULL: not given */
	int64_t oss, osts, port, timeout_s;		   /* -1: not given */
};
#define CTL_WISH ((struct ctl_wish){.oss = -1, .osts = -1, .port = -1, .timeout_s = 60})
/* Formats what is new, starts what is missing, waits until all serves, mounts. Tells what it does
 * on stdout. The lock of c->dir is held. 0 or -errno with a message. */
must_check int ctl_bring_up(struct ctl_cluster *c, struct ctl_wish *u);
/* Of an OSS, or with -1 of all. */
uint32_t ctl_count_osts(const struct ctl_cluster *c, int64_t group);

/* ---- sheenctl_down.c ---- */
must_check int ctl_unmount_all(const struct ctl_cluster *c, bool force);
must_check int ctl_stop_all(struct ctl_cluster *c, int timeout_ms);

/* ---- the sub-commands ---- */
int sheenctl_create(int argc, char **argv);
int sheenctl_show(int argc, char **argv);
int sheenctl_list(int argc, char **argv);
int sheenctl_update(int argc, char **argv);
int sheenctl_delete(int argc, char **argv);
int sheenctl_up(int argc, char **argv);
int sheenctl_status(int argc, char **argv);
int sheenctl_down(int argc, char **argv);
int sheenctl_archive(int argc, char **argv);
int sheenctl_check(int argc, char **argv);
int sheenctl_backup(int argc, char **argv);
int sheenctl_restore(int argc, char **argv);
extern const char sheenctl_create_usage[];
extern const char sheenctl_show_usage[];
extern const char sheenctl_list_usage[];
extern const char sheenctl_update_usage[];
extern const char sheenctl_delete_usage[];
extern const char sheenctl_up_usage[];
extern const char sheenctl_status_usage[];
extern const char sheenctl_down_usage[];
extern const char sheenctl_archive_usage[];
extern const char sheenctl_check_usage[];
extern const char sheenctl_backup_usage[];
extern const char sheenctl_restore_usage[];
/* Common: --dir into c, made absolute. CMD_HELP with a message when it is missing. */
must_check int ctl_set_dir(struct ctl_cluster *c, const char *dir);
