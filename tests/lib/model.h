/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - a POSIX file system in memory, as plain as can be: what Sheen is compared with.
 *
 * It gives the same answers and errors as a local Linux file system under the VFS would, by inode
 * and name like client/core/fs.h. Times are known as a window: the model learns an operation after
 * it was executed elsewhere between two moments, so a time it caused lies between them.
 *
 * A node lives as long as it has names, openers or a pin. One thread; nothing suspends. Not in it:
 * permissions (the kernel checks them), ACLs, quotas, running out of space.
 */
#pragma once
#include "common/fid.h"
#include "common/proto/field.h"
#include <sys/queue.h>
#include <sys/types.h>

struct model;

struct model_time {
	int64_t lo, hi;
};

enum { MODEL_XATTR_NAME = 32, MODEL_LOCK_CELLS = 16, MODEL_LOCK_OWNERS = 8 };

struct model_page {
	uint64_t index; /* of 4 KiB */
	uint8_t *data;	/* NULL: preallocated */
};

struct model_xattr {
	char name[MODEL_XATTR_NAME];
	uint8_t *value;
	uint32_t len;
	TAILQ_ENTRY(model_xattr) link;
};

struct model_node {
	uint32_t id;
	struct fid fid; /* the user's: who it is in the other system */
	struct attr a;	/* times are in the windows */
	struct model_time mtime, ctime, atime;
	bool atime_known;
	struct model_node *parent; /* of a directory */
	TAILQ_HEAD(model_dents, model_dent) dents;
	uint32_t ndents;
	struct model_page *page;
	uint64_t npages;
	char *target; /* of a symlink */
	TAILQ_HEAD(, model_xattr) xattrs;
	uint32_t opens, pins;
	bool tmpfile; /* has no name yet but may get one */
	bool ahead;   /* may have blocks behind the end of an object: not comparable */
	/* locks: what each owner holds on each cell; the last cell stands for everything behind */
	uint8_t lock[2][MODEL_LOCK_OWNERS][MODEL_LOCK_CELLS];
	TAILQ_ENTRY(model_node) link;
};

struct model_dent {
	char name[256];
	struct model_node *node;
	uint64_t cookie; /* the user's */
	bool seen;	 /* the user's */
	TAILQ_ENTRY(model_dent) link;
};

struct model *model_create(void);
void model_destroy(struct model *m);
struct model_node *model_root(struct model *m);
/* The next operations were executed between these two moments of the wall clock. */
void model_set_window(struct model *m, int64_t lo, int64_t hi);
/* The n-th live node, modulo their number; for picking one by chance. */
struct model_node *model_pick(struct model *m, uint64_t n);
uint32_t model_count(const struct model *m);
void model_pin(struct model_node *n);
void model_unpin(struct model *m, struct model_node *n);

int model_lookup(struct model_node *dir, const char *name, struct model_node **out);
struct model_dent *model_dent_find(struct model_node *dir, const char *name);

/* mode with type; target of a symlink or NULL. */
struct model_new {
	uint32_t mode, umask, uid, gid;
	uint64_t rdev;
	const char *target;
};
int model_make(struct model *m, struct model_node *dir, const char *name, const struct model_new *w,
	       struct model_node **out);
/* A regular file without a name, open once. */
int model_tmpfile(struct model *m, struct model_node *dir, const struct model_new *w,
		  struct model_node **out);
int model_link(struct model *m, struct model_node *n, struct model_node *dir, const char *name);
int model_unlink(struct model *m, struct model_node *dir, const char *name, bool rmdir);
int model_rename(struct model *m, struct model_node *from, const char *from_name,
		 struct model_node *to, const char *to_name, uint32_t flags);
/* valid: SETATTR_* of proto.h. */
int model_setattr(struct model *m, struct model_node *n, uint32_t valid, const struct attr *want);

void model_open(struct model_node *n);
void model_close(struct model *m, struct model_node *n);
int64_t model_read(struct model_node *n, void *buf, uint64_t len, uint64_t off);
void model_write(struct model *m, struct model_node *n, const void *buf, uint64_t len,
		 uint64_t off);
/* mode: FALLOC_FL_*. */
int model_fallocate(struct model *m, struct model_node *n, int mode, uint64_t off, uint64_t len);
int64_t model_seek(const struct model_node *n, uint64_t off, int whence);

int64_t model_getxattr(const struct model_node *n, const char *name, void *buf, size_t len);
int model_setxattr(struct model *m, struct model_node *n, const char *name, const void *value,
		   uint32_t len, int flags);
int model_removexattr(struct model *m, struct model_node *n, const char *name);

/* space 0 posix, 1 flock; type F_RDLCK, F_WRLCK, F_UNLCK; cells first..last. 0 or -EAGAIN. */
int model_setlk(struct model_node *n, int space, uint32_t owner, int type, uint32_t first,
		uint32_t last);
/* The owner that conflicts, or -1. */
int model_getlk(const struct model_node *n, int space, uint32_t owner, int type, uint32_t first,
		uint32_t last);
void model_unlock_all(struct model_node *n, int space, uint32_t owner);

/* What differs between n and attributes from elsewhere, as text in why; 0 when nothing does. */
int model_compare(const struct model_node *n, const struct attr *a, char *why, size_t why_len);
