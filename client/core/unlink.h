/* SPDX-License-Identifier: Apache-2.0 */
/* unlink.h - files that are removed without waiting for the MDS.
 *
 * A client that removes several files of a directory in a row asks for LEASE_OWN of it (see
 * mds/own.c): then nobody else looks at the directory, or at files in it, before this client has
 * given the lease back. The MDS also says which files are *alone*: they have one name, and nobody
 * else has them open or leases of them; that stays so as long as the lease does. unlink(2) of such
 * a file is answered at once, and its request, which cannot fail then, is in flight: under the
 * lease, in a slot of its own. The lease is given back when all of them are answered.
 *
 * Within this client everything that might meet a request in flight waits for it
 * (unlinks_co_wait()), except lookups of its name, which is not there any more.
 *
 * fs->unlinks.lock guards all of it, and is never held while something waits.
 */
#pragma once
#include "client/core/lease.h"
#include "client/core/xwait.h"
#include <stdatomic.h>
#include <sys/queue.h>

struct lane;
struct mds_recall;
struct own_dir;
struct own_file;
struct flight;

enum { OWN_DIR_BUCKETS = 64, OWN_FILE_BUCKETS = 4096, UNLINKS_MAX = 48 };

struct unlinks {
	pthread_mutex_t lock;
	struct xwaitq q; /* one less is in flight */
	LIST_HEAD(, own_dir) dirs[OWN_DIR_BUCKETS];
	TAILQ_HEAD(, own_dir) by_use; /* longest unused first */
	_Atomic uint32_t ndirs;
	LIST_HEAD(, own_file) files[OWN_FILE_BUCKETS]; /* alone */
	LIST_HEAD(, flight) flights;
	_Atomic uint32_t nflights;
	uint64_t last;     /* number of the newest */
	uint32_t max;      /* tunable: in flight; 0: none */
	uint32_t in_row;   /* tunable: so many within a second, then it asks */
	uint32_t retry_ms; /* tunable: not again for so long after a recall or a refusal */
	uint64_t asked, granted, recalled, early, failed;
};

void unlinks_init(struct unlinks *u);
void unlinks_fini(struct unlinks *u);

/* True: the file is removed as far as anybody can see. False: unlink it in the usual way. */
bool unlinks_co_try(struct lane *ln, const struct fid *dir, struct span name);
/* A file of the directory was removed in the usual way. */
void unlinks_note(struct lane *ln, const struct fid *dir);
/* The file gets other names, or another directory: the MDS has to say anew that it is alone. */
void unlinks_not_alone(struct lane *ln, const struct fid *file);
/* What is in flight now in this directory, or of this file, is answered. NULL: all. */
void unlinks_co_wait(struct lane *ln, const struct fid *fid);
/* This name is in flight: it is not there any more. */
bool unlinks_has(struct lane *ln, const struct fid *dir, struct span name);
/* The failure of a request that was answered before, told once; 0: there was none. */
int unlinks_error(struct lane *ln, const struct fid *dir);
/* OWN is recalled, and leases_obey() was done: gives it back in time. */
void unlinks_recall(struct lane *ln, const struct mds_recall *r);
/* After a restart of the MDS, before the client is back: it learns what is in flight from this
 * lane. */
void unlinks_co_again(struct lane *ln);
