/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.h - a whole Sheen in one process: MGS, MDS, two OSS with two OSTs each, and clients.
 *
 * Every server and every lane of a client has a loop of its own; OSTs have one each, apart from
 * their server's. The harness calls these functions between steps; cluster_call() is how it runs
 * something that suspends.
 */
#pragma once
#include "client/core/fs.h"
#include "common/loop.h"

enum {
	CLUSTER_OSS = 2,
	CLUSTER_OSTS_PER_OSS = 2,
	CLUSTER_OSTS = CLUSTER_OSS * CLUSTER_OSTS_PER_OSS,
	CLUSTER_CLIENTS = 2, /* as most modes have */
	CLUSTER_CLIENTS_MAX = 4,
	CLUSTER_LANES = 2, /* at most, of one client */
};

/* Nodes (machines). */
enum { NODE_MGS = 1, NODE_MDS = 2, NODE_OSS = 3, NODE_CLIENT = NODE_OSS + CLUSTER_OSS };

struct cluster;

struct cluster_client {
	struct fs *fs;
	uint32_t nlanes;
	struct loop *loop[CLUSTER_LANES];
	struct lane *lane[CLUSTER_LANES];
	struct pages *pages; /* or NULL */
};

/* Starts everything; dir is an empty directory for the databases. With pages, mounts have page
 * caches (pages.h). On error sim_fail() has said why. */
must_check int cluster_start(const char *dir, uint32_t clients, uint32_t lanes, bool pages,
			     struct cluster **out);
uint32_t cluster_clients(const struct cluster *c);
struct cluster_client *cluster_client(struct cluster *c, uint32_t k);
/* Clients may have as many leases as they like; else there are so few that they lack some. */
must_check int cluster_many_leases(struct cluster *c);
/* The scrubbers of all OSTs work all the time, on objects that were written just now as well. */
must_check int cluster_scrub(struct cluster *c);
/* Waits until the MDS has nothing left to do: no file is open or unsettled, the unlink log is
 * empty. The clients have unmounted. What is left goes to sim_fail(). */
void cluster_settle(struct cluster *c);
/* What the MDS finds wrong with its tables goes to sim_fail(); and what its online checker finds
 * wrong with tables or objects. */
void cluster_check_mds(struct cluster *c);
void cluster_check_online(struct cluster *c);
/* Disk name of an OST, for sim_disk_each(). */
const char *cluster_ost_dir(struct cluster *c, uint32_t ost);
enum cluster_server { SERVER_MGS, SERVER_MDS, SERVER_OSS, SERVER_MAX = SERVER_OSS + CLUSTER_OSS };
enum cluster_end {
	END_ORDER, /* it stops as it is asked to */
	END_KILL,  /* the process dies at once, with what it had not yet written and all that it was
		    * about to say */
	END_POWER, /* so does its machine: also what it had not synced is gone. MDS only */
};
/* Ends a server and starts it again, while everything else goes on. */
must_check int cluster_restart(struct cluster *c, enum cluster_server which, enum cluster_end how);
/* How old the batches of the MDS become from now on; strict: it answers after their commits. */
must_check int cluster_commits(struct cluster *c, uint32_t ms, bool strict);
must_check int cluster_unmount(struct cluster *c);
/* Stops and frees everything. */
must_check int cluster_stop(struct cluster *c);

/* Runs fn(arg) in a fiber of l and steps the world until it has returned; -ETIMEDOUT after 600 s of
 * virtual time, -EDEADLK. */
typedef int cluster_fn(void *arg);
must_check int cluster_call(struct loop *l, cluster_fn *fn, void *arg);
