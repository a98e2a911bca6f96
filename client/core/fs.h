/* SPDX-License-Identifier: Apache-2.0 */
/* fs.h - the client core: POSIX operations on a mounted Sheen, without FUSE.
 *
 * A struct fs is one mount. It has lanes: each lane is one loop (one thread) with its own
 * connections to the MGS, the MDT and every OST, and runs whole operations by itself; lanes
 * share only the configuration, the table of open files and locks' bookkeeping, behind mutexes
 * that are never held while waiting. client/fuse/ and tests/sim/ are the users.
 *
 * All fs_co_ functions suspend the calling fiber, must be called on the lane's loop, and return
 * 0 (or a count) or
 * -errno as the system call of that name would.
 */
#pragma once
#include "common/fid.h"
#include "common/layout.h"
#include "common/loop.h"
#include "common/nid.h"
#include "common/proto/proto.h"

struct fs;
struct lane;
struct file; /* an open file; shared by lanes; released once */
struct params;
struct book;
struct book_lock;

struct fs_inval {
	struct fid fid;
	uint64_t told_ns; /* loop_clock() when fs_lease_tell() last spoke of it, 0: never */
	/* Cached data instead of attributes: from off on, len 0 is all. */
	bool pages;
	uint64_t off, len;
};

struct fs_cfg {
	struct mount_source source;
	bool read_only;
	bool noatime;
	bool cache_data;     /* what a lease covers may be cached, and written behind */
	bool flock;	     /* locks go to the MDS; else they stay in the kernel */
	uint32_t timeout_ms; /* of the first connection; 0: 30 s */
	/* A server is silent when it owes answers for so long; 0: never. soft: operations that wait
	 * for it then end with -EIO where that leaves nothing behind, and what was kept back for
	 * writing is dropped; others go on (see fs_is_silent()). */
	uint32_t timeo_ms;
	bool soft;
	const char *name;    /* "host pid", told to servers */
	/* A cache above (the kernel's) must forget these inodes' attributes or pages, and with
	 * names all names. Suspends until it has. Optional. */
	void (*co_invalidate)(void *arg, struct lane *ln, const struct fs_inval *v, uint32_t n,
			      bool names);
	void *co_invalidate_arg;
	struct book *book; /* what must outlive the process; NULL: nothing. See book.h */
};

struct cred {
	uint32_t uid, gid;
	uint32_t pid;
	uint32_t umask;
};

struct entry { /* what lookup and its relatives give */
	struct fid fid;
	struct attr attr; /* size, blocks and mtime already exact */
};

must_check int fs_create(const struct fs_cfg *cfg, struct fs **out);
void fs_destroy(struct fs *fs); /* all lanes are gone */
must_check int lane_create(struct fs *fs, struct loop *l, uint32_t index, struct lane **out);
/* Lane 0 gets the configuration from the MGS and connects the MDT; the others connect. On error why
 * says in words what is wrong (unknown file system, no MGS within the timeout, ...). */
must_check int lane_co_start(struct lane *ln, char *why, size_t why_len);
/* Disconnects. No operation may be running. */
void lane_co_stop(struct lane *ln);
struct fs *lane_fs(struct lane *ln);
struct loop *lane_loop(struct lane *ln);
/* Operations that were answered, lost by the MDS, and could not be done again. */
uint64_t fs_lost(struct fs *fs);
struct params *fs_params(struct fs *fs);
/* FID that the mount shows as its root: "/" or the subdirectory of the source. */
const struct fid *fs_root(const struct fs *fs);
const char *fs_name(const struct fs *fs);     /* "lustre" */
const char *fs_instance(const struct fs *fs); /* "ffff9d3b7f4f3800": in parameter names */
const uint8_t *fs_uuid(const struct fs *fs);  /* valid, as the instance, once lane 0 is created */
/* Of the MDT, drawn when it was formatted: tells file systems apart. On the lane's loop, when it
 * has started. */
const uint8_t *fs_mdt_uuid(const struct lane *ln);
/* Lane 0 is stopped last: it says goodbye for the session that all lanes share. */

/* Some server of the mount is silent for cfg.timeo_ms, as far as lanes have looked. On each lane's
 * loop, now and then. */
bool fs_is_silent(struct lane *ln);

/* ---- leases ---- any thread; see lease.h in client/core */
/* How long, in ns, a cache above may keep these attributes, and with name that the name it asked
 * for leads to them. asked: loop_clock() when its question came. 0: not at all. */
uint64_t fs_lease_tell(struct fs *fs, const struct fid *fid, const struct attr *a, bool name,
		       uint64_t asked, uint64_t now);
/* Attributes that are right at this moment, without asking anybody. */
bool fs_lease_attr(struct fs *fs, const struct fid *fid, uint64_t now, struct attr *out);
/* A directory is opened above: true if its listing may be cached there; keep: also what is. */
bool fs_lease_list(struct fs *fs, const struct fid *dir, uint64_t now, bool *keep);

/* ---- after another process that served the mount ---- takeover.c */
/* Before any request: what it had open is open here. Lanes have started. */
void fs_co_take_over(struct lane *ln);
/* A file that it had opened for the same request (fiber_tag()) and did not tell of, or nobody heard
 * it; NULL: none. */
struct file *fs_claim_file(struct lane *ln);
/* The requests that it had begun, but for those that `open` says, are over: what is left of them is
 * given back. For each lane, on its loop; lane 0 closes files. */
void fs_settle(struct lane *ln, bool (*open)(void *arg, uint64_t tag), void *arg);
/* Everything that was answered and that the servers have not been told is with them. */
void fs_co_settle_down(struct lane *ln);
/* The number by which the next process will know the file, too; back from it, NULL: none. */
uint64_t file_number(const struct file *f);
struct file *fs_file(struct fs *fs, uint64_t number);
/* It is about to be told to whoever asked / nobody will use it any more, and that is about to be
 * told. */
void file_told(struct file *f);
void file_released(struct file *f);

/* ---- names ---- */
int fs_co_lookup(struct lane *ln, const struct fid *dir, struct span name, struct entry *out);
int fs_co_getattr(struct lane *ln, const struct fid *fid, struct attr *out);
/* file: an open file the call came through, or NULL. *out with ATTR_SIZE_UNSURE: the MDS was not
 * asked, and blocks and times are not to be shown. */
int fs_co_setattr(struct lane *ln, const struct fid *fid, struct file *file, uint32_t valid,
		  const struct attr *want, struct attr *out);
/* Any type but an opened regular file: mkdir, mknod, symlink (target). */
int fs_co_make(struct lane *ln, const struct fid *dir, struct span name, uint32_t mode,
	       uint64_t rdev, struct span target, const struct cred *cred, struct entry *out);
int fs_co_link(struct lane *ln, const struct fid *fid, const struct fid *dir, struct span name,
	       struct entry *out);
int fs_co_unlink(struct lane *ln, const struct fid *dir, struct span name, bool rmdir);
int fs_co_rename(struct lane *ln, const struct fid *from_dir, struct span from,
		 const struct fid *to_dir, struct span to, uint32_t flags);
/* Target length; buf gets up to len bytes. */
ssize_t fs_co_readlink(struct lane *ln, const struct fid *fid, char *buf, size_t len);

struct fs_dirent {
	struct entry e;	   /* attr only with plus; ATTR_SIZE_UNSURE: ask again before showing it */
	uint64_t cookie;   /* continues behind this entry */
	uint8_t dtype;	   /* DT_* */
	struct span name;  /* valid during the callback */
};
/* Calls fn for entries behind cookie (0: from the start; "." and ".." come first) until fn
 * returns non-zero or one reply's worth has been given. *eof is set at the end. */
typedef int fs_dirent_fn(void *arg, const struct fs_dirent *d);
int fs_co_readdir(struct lane *ln, const struct fid *dir, uint64_t cookie, bool plus,
		  fs_dirent_fn *fn, void *arg, bool *eof);
/* The same, asking for about max_bytes of records. */
int fs_co_readdir_some(struct lane *ln, const struct fid *dir, uint64_t cookie, bool plus,
		       uint32_t max_bytes, fs_dirent_fn *fn, void *arg, bool *eof);

/* ---- open files ---- flags are those of open(2) */
int fs_co_open(struct lane *ln, const struct fid *fid, int flags, struct file **out,
	       struct attr *attr);
int fs_co_create(struct lane *ln, const struct fid *dir, struct span name, int flags, uint32_t mode,
		 const struct cred *cred, struct entry *out, struct file **file);
int fs_co_tmpfile(struct lane *ln, const struct fid *dir, int flags, uint32_t mode,
		  const struct cred *cred, struct entry *out, struct file **file);
/* An operation on the file goes on, perhaps longer than its caller waits: a release waits until it
 * is dropped. Any thread. file_hold() gives f back; NULL is no file. */
struct file *file_hold(struct file *f);
void file_drop(struct file *f);
/* Last use of the file; waits for who holds it and for the MDS, so the FUSE face answers the kernel
 * before it calls this. */
void fs_co_release(struct lane *ln, struct file *file);
ssize_t fs_co_read(struct lane *ln, struct file *file, void *buf, size_t len, uint64_t off);
/* For pages that a cache above keeps. */
ssize_t fs_co_read_page(struct lane *ln, struct file *file, void *buf, size_t len, uint64_t off);
/* A page of a mapping that was changed: at its place, and without waiting for leases. */
ssize_t fs_co_write_page(struct lane *ln, struct file *file, const void *buf, size_t len,
			 uint64_t off);
/* append: at the end, atomically with respect to all clients; *off is then set. kill_priv:
 * clear set-id bits. */
ssize_t fs_co_write(struct lane *ln, struct file *file, const void *buf, size_t len, uint64_t *off,
		    bool append, bool kill_priv);
int fs_co_fsync(struct lane *ln, struct file *file, bool datasync);
int fs_co_syncdir(struct lane *ln, const struct fid *dir);
int fs_co_fallocate(struct lane *ln, struct file *file, int mode, uint64_t off, uint64_t len);
int64_t fs_co_lseek(struct lane *ln, struct file *file, uint64_t off, int whence);
ssize_t fs_co_copy_range(struct lane *ln, struct file *in, uint64_t in_off, struct file *out,
			 uint64_t out_off, size_t len);
enum fs_advice { FS_WILL_NEED, FS_DONT_NEED };
/* Will need: fetches the range, of a large one as much from its start as read-ahead may keep of a
 * file, and with wait until it has come. Don't need: this client forgets what it keeps of it. */
int fs_co_advise(struct lane *ln, struct file *file, enum fs_advice advice, uint64_t off,
		 uint64_t len, bool wait);
/* A failure of write-behind that nobody was told of through this file; 0: none. */
int fs_pending_error(struct file *file);
/* The cache above may keep pages of this open file, until it is told to forget them. */
bool file_is_cached(const struct file *f);
bool file_writes(const struct file *f); /* it is open for writing */
const struct fid *file_fid(const struct file *f);
uint64_t file_handle(const struct file *f);
/* A lock that was taken through it went when the MDS evicted this client, and somebody else may
 * have had it since: reads and writes through it fail with -EIO until it is closed, whatever
 * becomes of other locks. Any thread. */
bool file_lost_lock(const struct file *f);
/* An ACL or a security attribute, when it was opened. */
bool file_has_acl(struct file *f);
/* After fallocate or copy by somebody without privileges: clears set-id bits if there are any. */
int fs_co_kill_priv(struct lane *ln, struct file *file);

/* ---- locks ---- type F_RDLCK, F_WRLCK, F_UNLCK; end inclusive */
struct fs_lock {
	uint8_t space; /* enum lock_space */
	uint8_t type;
	uint64_t owner, start, end;
	uint32_t pid;
	uint64_t handle; /* file_handle() of the open file it goes through, or 0 */
};
int fs_co_getlk(struct lane *ln, const struct fid *fid, struct fs_lock *lk);
/* cancel: set when the waiting call may be interrupted; see fs_lock_cancel. */
struct fs_lock_wait {
	struct lane *ln;
	uint64_t xid;
	struct book_lock *place;
	bool cancelled;
};
int fs_co_setlk(struct lane *ln, const struct fid *fid, const struct fs_lock *lk, bool wait,
		struct fs_lock_wait *w);
/* Same lane: makes the waiting fs_co_setlk end with -EINTR. */
void fs_lock_cancel(struct fs_lock_wait *w);
/* close(2) of a descriptor: drops the owner's POSIX locks on the file. No RPC when there are
 * none. */
int fs_co_flush(struct lane *ln, const struct fid *fid, uint64_t owner);
/* POSIX locks of this owner on this file, as far as this client knows: without any, flush does
 * nothing. Any thread. */
bool fs_holds_locks(struct fs *fs, const struct fid *fid, uint64_t owner);

/* ---- xattrs ---- value length or -errno; len 0 asks for the length */
ssize_t fs_co_getxattr(struct lane *ln, const struct fid *fid, const char *name, void *buf,
		       size_t len);
ssize_t fs_co_listxattr(struct lane *ln, const struct fid *fid, char *buf, size_t len);
int fs_co_setxattr(struct lane *ln, const struct fid *fid, const char *name, struct span value,
		   int flags, const struct cred *cred);
int fs_co_removexattr(struct lane *ln, const struct fid *fid, const char *name);

/* ---- the whole ---- */
struct fs_space {
	uint64_t bsize, blocks, bfree, bavail, files, ffree;
};
int fs_co_statfs(struct lane *ln, struct fs_space *out);
/* It is not connected, or owes an answer for a second. */
bool fs_mds_is_away(struct lane *ln);
typedef void fs_target_stat_fn(void *arg, const struct mds_target_stat *t);
/* What statfs is made of: the MDT and every OST; servers that are away have an error, and what was
 * last known of them. Takes two seconds at most. */
int fs_co_statfs_targets(struct lane *ln, fs_target_stat_fn *fn, void *arg);
/* n-th path of an inode below the file system's root, without leading slash; buf gets up to len
 * bytes with a NUL. Length or -errno. */
ssize_t fs_co_fid2path(struct lane *ln, const struct fid *fid, uint32_t linkno, char *buf,
		       size_t len);
struct wbuf;
/* Lines "type index name state active nid uuid import_name last_error", tab-separated. */
void fs_targets_text(struct fs *fs, struct wbuf *w);
/* Lines "key=value". */
void fs_info_text(struct fs *fs, struct wbuf *w);
