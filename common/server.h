/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - what MGS, MDS and OSS do alike at start-up: directories, port, parameters.
 *
 * The order in a main(): daemon_options, daemon_fork, server_dir_open for each directory,
 * server_guard,
 * params_create + server_params_init, loop_create, rpc_service_create, server_listen,
 * [mgs_link_create + mgs_link_co_register], server_announce, daemon_ready, loop_run.
 * Errors come as text in why (why_len bytes), ready for daemon_fail().
 *
 * Main thread, start-up and shutdown; blocking file I/O; nothing suspends.
 */
#pragma once
#include "common/daemon.h"
#include "common/param.h"
#include "common/rpc.h"
#include "common/target.h"

#define SERVER_WHY 1024 /* room for any explanation */

struct guard;

/* A target's directory, locked for this process. */
struct server_dir {
	char path[MAX_PATH];
	struct target_label label;
	char name[MAX_TARGET_NAME]; /* "lustre-OST0000", "MGS" */
	int lock_fd;
	struct guard *guard; /* of all directories of the process; the first one has it */
};

/* Checks label and type, takes the lock. -ENOENT (not formatted), -EINVAL (another type or
 * version), -EBUSY (another server has it), -EUCLEAN (label damaged). */
must_check int server_dir_open(const char *path, enum target_type type, struct server_dir *out,
			       char *why, size_t why_len);
/* After the last server_dir_open(): no other machine serves any of them, nor will. May take as long
 * as the one that did promised (guard.h). From here on the process ends when that is no longer
 * true. -EBUSY, with words. */
must_check int server_guard(struct server_dir *dirs, uint32_t ndirs, char *why, size_t why_len);
/* Writes the label back. */
must_check int server_dir_save(const struct server_dir *d, char *why, size_t why_len);
/* The MGS knows it, at the addresses that were announced: remembers that. */
void server_dir_joined(struct server_dir *d, const char *announced);
void server_dir_close(struct server_dir *d);

/* Listens for svc. listen (of the command line, may be NULL) decides; else the port remembered in
 * the labels, or another one for this time if that is busy and the label has service addresses
 * without ports; else default_port or the next free one, which is then remembered in all labels.
 * *at: address and port in use (the address may be a wildcard). */
must_check int server_listen(struct rpc_service *svc, const char *listen, uint16_t default_port,
			     struct server_dir *dirs, uint32_t ndirs, struct nid *at, char *why,
			     size_t why_len);

/* Adds version, health_check, debug and guard_term; applies the labels' --param and the command
 * line's --set, now or as soon as such a parameter appears. */
must_check int server_params_init(struct params *ps, const struct daemon_opts *o,
				  const struct server_dir *dirs, uint32_t ndirs, char *why,
				  size_t why_len);
/* SIGHUP: reads the labels again and applies their parameters; logs what is wrong. */
void server_reload(struct params *ps, struct server_dir *dirs, uint32_t ndirs);

/* Parameter `name` ("mgs.MGS.stats"): counts and latencies of the RPCs that svc served, in Lustre's
 * form; writing anything clears them. Lives until params_destroy(). */
must_check int server_param_stats(struct params *ps, const char *name, struct loop *l,
				  struct rpc_service *svc);

/* New at each start, never 0. */
uint64_t server_boot_id(struct loop *l);

/* NIDs of the MGS from a label. -EINVAL. */
must_check int server_mgs_nids(const struct server_dir *d, struct nid_list *out, char *why,
			       size_t why_len);

/* daemon_announce() for every directory. */
void server_announce(struct daemon_opts *o, const struct server_dir *dirs, uint32_t ndirs,
		     const struct nid *at);
