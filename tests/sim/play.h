/* SPDX-License-Identifier: Apache-2.0 */
/* play.h - a player: one task that does random operations in its own directory and compares every
 * result with a model.
 *
 * A player hops: each operation runs in a fiber on a lane of a client that is chosen by chance, and
 * the next one is chosen when it has returned. So what one client did must be seen by the other
 * at once. Several players run side by side (concurrent mode) or one alone (serial mode).
 *
 * play.c chooses and compares; play_name.c, play_file.c and play_misc.c have the operations.
 */
#pragma once
#include "tests/lib/model.h"
#include "tests/sim/cluster.h"
#include "tests/sim/trace.h"

enum { PLAY_HANDLES = 8, PLAY_STALE = 4, PLAY_NAME = 256 };
#define PLAY_IO_MAX (6U << 20)

struct handle {
	struct file *f; /* NULL: free */
	struct model_node *n;
	uint32_t client;
	int flags; /* of open(2) */
	bool did_read;
};

enum play_phase { PLAY_BEGIN, PLAY_RUN, PLAY_CLOSE, PLAY_VERIFY, PLAY_CLEAN, PLAY_DONE };

struct play {
	struct cluster *cl;
	uint32_t index, steps, op;
	uint64_t rng;
	enum play_phase phase;
	uint32_t verified; /* clients that have looked */
	bool clean;	   /* remove everything at the end */
	bool restarts;	   /* servers end and come back */
	struct model *m;
	struct handle handle[PLAY_HANDLES];
	struct fid stale[PLAY_STALE]; /* of files that are gone */
	uint8_t *buf, *want;
	uint32_t releases; /* closes under way, as after close(2) */
	struct loop_work hop;
	/* of the operation that runs */
	void (*fn)(struct play *p);
	const char *what;
	struct handle *h; /* if it needs one */
	uint32_t client;
	struct lane *ln;
	int64_t t0;
};

/* Begins; play_done() tells the end. The world must be stepped. */
void play_start(struct play *p, struct cluster *cl, uint32_t index, uint64_t seed, uint32_t steps);
bool play_done(const struct play *p);
void play_fini(struct play *p);
/* Traces what it is doing: nothing happens any more. */
void play_stuck(const struct play *p);

/* ---- for the operations ---- */
uint64_t play_below(struct play *p, uint64_t n);
static inline bool play_one_in(struct play *p, uint64_t n)
{
	return play_below(p, n) == 0;
}
struct model_node *play_any(struct play *p);
/* Linked nodes of a kind, or NULL. */
struct model_node *play_any_dir(struct play *p);
struct model_node *play_any_of(struct play *p, uint32_t type);
/* A name for dir: often one that is there. */
const char *play_name(struct play *p, struct model_node *dir, char out[PLAY_NAME]);
/* A name as a trace shows it. */
const char *play_short(const char *name);
/* Around the call that is compared: what it causes happens between them. */
void play_call(struct play *p);
void play_called(struct play *p);
/* Both must be the same result; true if it was success. */
bool play_same(struct play *p, const char *what, int64_t got, int64_t want);
/* The entry is the model's node (which learns its FID if it is new). */
void play_check_entry(struct play *p, struct model_node *n, const struct entry *e);
void play_check_attr(struct play *p, struct model_node *n, const struct attr *a);
/* A FID that must not be found any more. */
void play_stale(struct play *p, const struct fid *fid);
/* n lost a name or an opener: if that was the last, its FID becomes stale. n is pinned. */
void play_unpin(struct play *p, struct model_node *n);
struct handle *play_handle_free(struct play *p);
struct cred play_cred(struct play *p);
struct model_new play_new(struct play *p, uint32_t type, const struct cred *cred);
void play_fill(struct play *p, uint8_t *buf, size_t len);

/* ---- operations ---- */
/* X(name, weight, needs an open file) */
#define PLAY_NAME_OPS(X) \
	X(lookup, 8, 0) X(getattr, 8, 0) X(setattr, 6, 0) X(mkdir, 5, 0) X(mknod, 3, 0)        \
	X(symlink, 3, 0) X(link, 5, 0) X(unlink, 7, 0) X(rmdir, 4, 0) X(rename, 9, 0)          \
	X(readlink, 2, 0) X(readdir, 4, 0) X(getattr_stale, 1, 0)
#define PLAY_FILE_OPS(X) \
	X(open, 8, 0) X(create, 9, 0) X(tmpfile, 2, 0) X(release, 7, 1) X(read, 8, 1)          \
	X(write, 14, 1) X(truncate, 5, 1) X(fallocate, 4, 1) X(lseek, 4, 1) X(fsync, 1, 1)     \
	X(copy_range, 2, 1)
#define PLAY_MISC_OPS(X) \
	X(setxattr, 4, 0) X(getxattr, 4, 0) X(listxattr, 2, 0) X(removexattr, 2, 0)            \
	X(setlk, 5, 1) X(getlk, 2, 1) X(flush, 1, 1) X(statfs, 1, 0) X(syncdir, 1, 0)          \
	X(setlayout, 1, 0)
#define PLAY_OPS(X) PLAY_NAME_OPS(X) PLAY_FILE_OPS(X) PLAY_MISC_OPS(X)

#define PLAY_DECLARE(name, weight, handle) void play_##name(struct play *p);
PLAY_OPS(PLAY_DECLARE)
#undef PLAY_DECLARE

/* All of a directory, in pieces, against the model. */
void play_list(struct play *p, struct model_node *dir, bool plus);
/* All bytes of a file, against the model. */
void play_read_all(struct play *p, struct model_node *n);
void play_close(struct play *p, struct handle *h);
/* The default layout of the player's directory. */
void play_set_default(struct play *p, struct model_node *dir);
