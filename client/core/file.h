/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - open files, as the files of client/core see them; fs.h is what others see.
 *
 * Functions with co_ suspend; all others may be called on any thread.
 */
#pragma once
#include "client/core/ahead.h"
#include "client/core/book.h"
#include "client/core/data.h"
#include "client/core/objects.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct data;

#define OPEN_SEQ_UNKNOWN UINT64_MAX /* makes the MDS measure the file itself */
#define FILE_BUCKETS	 1024

/* An open file. Shared by lanes: `lock` guards what changes, and is never held while waiting. */
struct file {
	pthread_mutex_t lock;
	struct fs *fs;
	struct fid fid;
	struct data *data;
	struct ahead ahead; /* this and the next under data->lock */
	uint32_t fetches;   /* on their way */
	bool counted;	      /* data_co_opening() has no data_closed() yet */
	bool cached;	      /* above, see file_is_cached() */
	uint32_t errors_seen; /* see wback_error() */
	int flags; /* of open(2) */
	uint64_t open_id, open_seq;
	uint32_t lane;	   /* opened there; that lane opens it again after a restart of the MDS */
	const struct layout *layout;  /* fixed once it has objects */
	const struct layout *layout_old; /* what it was before; others may still look at it */
	struct objs objs;  /* what is known of the objects */
	uint32_t trunc_gen;
	bool fresh;	   /* had no data when opened: objects not touched here do not exist */
	bool wrote;
	int64_t read_at;   /* last read, for the access time; 0: none */
	int64_t mtime;	   /* newest that the objects told */
	bool sole;	   /* no other client had it open for writing then */
	uint32_t mode, attr_flags;
	uint64_t size_hint;
	bool priv_killed;
	struct book_file *place; /* in the book; NULL: there is none */
	bool closing; /* its close is on the way: nothing to open again */
	uint64_t ahead_ns; /* opened by a lookup or a listing then, and not used yet; 0: no */
	bool came_ahead;   /* so, and this is its first use */
	atomic_uint users;
	atomic_bool lost_lock; /* see file_lost_lock() */
	TAILQ_ENTRY(file) kept_link;
	LIST_ENTRY(file) link;
};

/* ---- openfile.c ---- */
/* A lookup or a listing has opened a file, with SHARED. It is kept, for an open to come. */
struct file_ahead {
	uint64_t open_id, session, seq;
	const struct fid *fid;
	const struct attr *attr;
	struct span layout;
};
void file_co_opened_ahead(struct lane *ln, const struct file_ahead *a);
/* Ends an open at the MDS, with what it must know. atime: of the last read, 0: none. */
void file_co_close(struct lane *ln, struct file *f, int64_t atime);
/* Opens everything again that was opened through this lane. */
void file_co_reopen_all(struct lane *ln);

/* ---- takeover.c ---- */
/* A place in the book; what the last process meant to open for the same request keeps its id. */
must_check int file_place(struct fs *fs, struct file *f);
/* What is being opened; it is open. */
void file_place_fid(struct file *f, const struct fid *fid);
void file_place_open(struct file *f, const struct fid *fid);
void file_place_gone(struct file *f);
/* An append is about to go there. */
void file_place_append(struct file *f, uint64_t off);
/* The last process has made this very append: at *off. */
bool takeover_co_appended(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			  uint64_t *off);
/* A lock is asked for; its place's xid is to be set when it is known. NULL: there is no book. */
struct book_lock *lock_place(struct lane *ln, const struct mds_setlk_req *q,
			     enum book_lock_use use);
void lock_place_gone(struct lane *ln, struct book_lock *p);
/* Lane 0 is made: the tables are filled from the book. */
must_check int takeover_load(struct fs *fs);

/* ---- file.c ---- */
uint32_t file_hash(const struct fid *fid); /* its chain in fs->files */
/* The layout to do I/O by; NULL: no objects (yet). instantiate: makes them. */
must_check int file_co_layout(struct lane *ln, struct file *f, bool instantiate,
			      const struct layout **out);
/* After -ESTALE of an OST: a truncation happened. */
must_check int file_co_refresh(struct lane *ln, struct file *f);
uint32_t file_trunc_gen(struct file *f);
/* A server told of an object after a write (read_at 0), a read (when), or a fetch that nobody reads
 * yet (-1) through f. */
void file_note(struct file *f, uint32_t comp, uint32_t stripe, const struct obj_state *s,
	       int64_t read_at);
/* Bytes were read through f that were here. */
void file_read_here(struct file *f, int64_t read_at);
/* Bytes were written through f that are not at the objects yet. */
void file_wrote(struct file *f);
/* Somebody here set the access time: what was read before does not count any more. */
void file_forget_reads(struct fs *fs, const struct fid *fid);
/* An operation of this client gave the inode these attributes; truncated: its objects changed. */
void file_apply_attr(struct fs *fs, const struct fid *fid, const struct attr *attr, bool truncated);
/* Fills in size, blocks and mtime of a file that only this client writes, if it knows them. */
bool file_knows_size(struct fs *fs, const struct fid *fid, uint64_t open_seq, struct attr *attr);
/* Newest mtime of data that this client has heard of, open or closed. */
int64_t file_newest_mtime(struct fs *fs, const struct fid *fid);
/* A lock that was taken through the open file with this handle is lost. fs->lock is held. False:
 * the file is closed, or was marked before. */
must_check bool file_lose_lock(struct fs *fs, const struct fid *fid, uint64_t handle);
/* What the MDS said last: a file may be longer than its objects can prove. */
uint64_t file_size_hint(struct file *f);
/* At least so long, by that or by what the objects said. */
uint64_t file_size_seen(struct file *f);

/* ---- kept.c ---- */
/* Keeps a file that was closed here; false: close it at the MDS. */
bool kept_put(struct lane *ln, struct file *f);
/* Opens one again. 1: none was kept. */
must_check int kept_co_open(struct lane *ln, const struct fid *fid, int flags, struct file **out,
			    struct attr *attr);
/* Closes a file that nobody here has open; NULL: none. */
void kept_close_behind(struct lane *ln, struct file *f);
/* Those that came before they were wanted, before then, and are not wanted yet. */
void kept_drop_unused(struct lane *ln, uint64_t before);
/* Closes it for good, without waiting. */
void kept_drop(struct lane *ln, const struct fid *fid);
void kept_drop_name(struct lane *ln, const struct fid *dir, struct span name);
void kept_drop_all(struct lane *ln);

/* ---- io.c ---- */
/* At a fixed offset; the caller has checked limits. -ESTALE: a truncation came in between, nothing
 * of what is left was written; file_co_refresh() and try again. */
ssize_t io_co_write_once(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			 uint64_t off, uint32_t trunc_gen);
/* Before any write: the lease, until data_leave(), and the number of truncations for the objects.
 * 0, or -errno. */
must_check int io_co_enter_write(struct lane *ln, struct file *f, uint32_t *trunc_gen,
				 enum data_how *how);
/* Bytes may be kept here for a while: nobody asked for them to be at the servers. */
bool io_may_keep(const struct file *f, enum data_how how);
/* Reads without anybody having asked: no access time. */
ssize_t io_co_fetch(struct lane *ln, struct file *f, uint8_t *buf, size_t len, uint64_t off);
/* The same for an extent of bytes that were kept. */
ssize_t io_co_write_behind(struct lane *ln, const struct dirty_extent *e);
/* ---- append.c ---- */
ssize_t append_co_write(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			uint64_t *off);
/* Size of the file by its objects, right now. */
must_check int append_co_size(struct lane *ln, struct file *f, uint64_t *size);
/* Under EXCLUSIVE: f->data->size is where the file ends. The objects are asked once. */
must_check int append_co_learn_size(struct lane *ln, struct file *f);
