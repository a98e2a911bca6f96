/* SPDX-License-Identifier: Apache-2.0 */
/* data.h - what this client may do with the data of a file, and what it keeps of it (D8).
 *
 * A struct data is there for every inode that is open here, or whose data this client has a lease
 * of. It is shared by all lanes: its lock guards it, and is never held while something waits.
 *
 * Whoever reads or writes is between data_co_enter() and data_leave(), under a lease that goes with
 * it. A recall stops new ones, waits for those that are in, sends what is dirty, makes the kernel
 * forget its pages, and gives the lease back.
 *
 * Pages in the kernel's cache need SHARED or EXCLUSIVE. While the kernel is being told to forget
 * them it waits for those that are being read; so these reads wait for no lease: they go to the
 * objects (DATA_BYPASS), and the kernel is told once more.
 *
 * Bytes that were fetched before anybody read them (`pages`) are under the same leases; rahead.c.
 *
 * Functions with co_ suspend. See mds/data.c for who gets which lease.
 */
#pragma once
#include "client/core/dirty.h"
#include "client/core/fs.h"
#include "client/core/pages.h"
#include "client/core/restoring.h"
#include "client/core/xwait.h"
#include <stdatomic.h>

struct fs;
struct lane;
struct mds_data_rep;

enum data_need {
	DATA_READ, /* a read(2) that goes past the kernel's cache */
	DATA_WRITE,
	DATA_FILL, /* a page for the kernel to keep; a mapping may change it while there are writers
		    */
	DATA_NEEDS
};
enum data_how {
	DATA_BYPASS = 1, /* without a lease */
	DATA_DIRECT,     /* to and from the objects */
	DATA_CACHED,     /* nobody else reads or writes: data_co_put() may keep it */
};

/* What was set and the MDS has not been told; see later.c. */
struct later {
	uint32_t valid; /* SETATTR_LATER; 0: nothing */
	uint32_t mode, uid, gid;
	int64_t atime, mtime;
	uint64_t since_ns, last_ns; /* the first and the last change */
	bool due;    /* or will be soon: */
	bool flying; /* the MDS is being told */
};

struct data {
	struct fid fid;
	struct fs *fs;
	pthread_mutex_t lock;
	struct xwaitq q; /* anything below changed */

	uint32_t mode;         /* LEASE_SHARED, _EXCLUSIVE, _CONTENDED or 0 */
	uint64_t session, seq; /* of the grant */
	uint32_t gen;          /* trunc_gen of the file under the lease, also when that is lost */
	bool evicted;          /* that is why it is lost: others may have been let in */
	uint64_t floor;        /* grants up to this number have been recalled */
	bool acquiring, recalling;
	uint32_t nacquires;           /* that have ended */
	uint32_t nanswers;            /* the same, and opens that asked for a lease */
	int acquire_rc;               /* of the last */
	uint32_t waiting[DATA_NEEDS]; /* for a lease */
	bool token;                   /* one of `busy` is for the first of those it is enough for */
	uint32_t busy;                /* operations under the lease */
	uint32_t held;                /* data_co_hold() */
	bool draining;                /* it waits for who is in */
	uint64_t retry_ns;            /* contended: when to ask for more */
	uint32_t retries;

	bool released; /* not all is back from the archive, or was not when last heard of */
	struct restoring *restoring; /* what is; see restoring.h */

	bool filled, refilled; /* the kernel may have pages; has got more while it forgets */
	bool forgetting;       /* it is being told to */
	bool losing;           /* because the lease is lost: changed pages are sent, or refused */
	uint32_t nwriters;     /* open files here that write, and opens on their way */
	uint32_t nclosing;     /* writers whose close is on its way */
	uint32_t ncached;      /* open files here that the kernel caches pages for */

	struct dirty dirty;
	uint64_t counted; /* of its bytes, in dirty_bytes */
	struct book_file *marked; /* BOOK_DIRTY, for the inode; or NULL */
	int error;        /* last of write-behind */
	uint32_t nerrors;
	struct later later;
	bool size_known; /* under EXCLUSIVE */
	uint32_t nplacing; /* appends under the lock of all clients, see append.c */
	uint64_t size;
	uint32_t sizing; /* who is finding it out */

	struct pages pages;
	uint64_t pages_counted; /* of their bytes, in ahead_bytes */
	uint32_t writes;	/* that are on their way: nothing is fetched ahead */

	/* under fs->lock */
	uint32_t refs;
	bool on_dirty_list, on_ahead_list, idle;
	struct file *kept; /* see kept.c */
	uint64_t cached;   /* bytes given to the kernel since it was told to forget them */
	TAILQ_ENTRY(data) cached_link;
	LIST_ENTRY(data) hash;
	TAILQ_ENTRY(data) idle_link, dirty_link, ahead_link;
};

#define DATA_BUCKETS  4096
#define DATA_RECALLS  1024
#define DATA_IDLE_MAX 16384 /* leases of files that nobody here has open */

struct data_table {
	LIST_HEAD(, data) bucket[DATA_BUCKETS];
	TAILQ_HEAD(data_list, data) idle, dirty, ahead_list;
	_Atomic uint32_t nleases;
	uint64_t recalls[DATA_RECALLS]; /* the newest, by classes of FIDs */
	TAILQ_HEAD(, data) cached; /* longest not read into first */
	uint64_t cached_bytes, ahead_bytes;
	struct {
		atomic_ullong hits, misses, unread; /* pages */
		atomic_ullong fetches, full;
	} ahead; /* see get_read_ahead_stats() */
	bool trimming;
	uint32_t nidle;
	uint64_t dirty_bytes;
	struct xwaitq room; /* under fs->lock: dirty_bytes became less */
	bool flusher;
	uint64_t acquired, recalled;
};

/* ---- datatab.c ---- */
void data_table_init(struct data_table *t);
void data_table_fini(struct fs *fs); /* all lanes are gone */
/* With a reference. NULL: out of memory. */
struct data *data_get(struct fs *fs, const struct fid *fid);
struct data *data_find(struct fs *fs, const struct fid *fid); /* NULL: there is none */
/* All there are, with references; the caller frees the array. */
struct data **data_all(struct fs *fs, uint32_t *n);
void data_ref(struct data *d); /* one more; fs->lock is held */
/* One less. True: too many are kept that nobody has open (data_put()). */
bool data_unref(struct data *d);
/* What this client may do with the data; d->lock is held, or nobody else knows d. */
void data_set_mode(struct data *d, uint32_t mode);
/* One that nobody here has open, or only the closed file that is kept. NULL: it is in use, or there
 * is none. */
struct data *data_find_unused(struct fs *fs, const struct fid *fid, bool *in_use);
/* A lease on data is recalled: answers with lower numbers give none any more. For those who learn
 * from the answer which inode it is about: nothing in the table waits for it. */
void data_note_recall(struct fs *fs, const struct fid *fid, uint64_t seq);
bool data_is_overtaken(struct fs *fs, const struct fid *fid, uint64_t seq);
/* Those that are idle for longest, up to n, with references. How many. */
uint32_t data_idle(struct fs *fs, struct data **out, uint32_t n);
/* The kernel keeps n bytes more. If that is too much it forgets those of other files. */
void data_cached(struct lane *ln, struct data *d, uint64_t n);
void data_trim(struct lane *ln); /* the limit may be lower than it was */
void data_uncount(struct data *d); /* it keeps none; fs->lock is held */
/* The inode has no name any more, and nobody has it open: the server has forgotten its leases. */
void data_gone(struct fs *fs, const struct fid *fid);

/* ---- data.c ---- */
void data_put(struct lane *ln, struct data *d);
/* Gives the lease up if nobody is at it; true: there was one, and *r is what the MDS is to be told
 * (it is not yet). */
bool data_co_give_up(struct lane *ln, struct data *d, struct mds_recall *r);
/* 0 and *how, or -errno. */
must_check int data_co_enter(struct lane *ln, struct data *d, enum data_need need,
			     enum data_how *how);
void data_leave(struct data *d, enum data_how how);
/* The lease is good at this moment. */
bool data_is_valid(struct lane *ln, struct data *d);
/* Stops new operations and sends what is dirty, until data_release(): for truncations. */
void data_co_hold(struct lane *ln, struct data *d);
void data_release(struct data *d);
/* The same, and no pages are left, changed ones of mappings are written: for a truncation that the
 * kernel does not hold pages back for. They are not dropped while it is held: the kernel may have
 * to wait for a truncation that it does hold them back for, and that for the hold. */
void data_co_hold_empty(struct lane *ln, struct data *d);
/* Changed pages of mappings are written, and none are left. */
void data_co_drop_pages(struct lane *ln, struct data *d);
/* An open begins; until data_closed() the file counts as written here if the flags say so. Pages
 * that are not under EXCLUSIVE go: a mapping could change them without asking anybody. */
void data_co_opening(struct lane *ln, struct data *d, int flags);
/* The open asks for the lease as well: what to ask for, 0 if somebody else is asking. End it in any
 * case. */
uint32_t data_open_begin(struct data *d, int flags);
struct data_grant {
	uint64_t session, seq;
	uint32_t lease, trunc_gen;
	bool released;
};
void data_open_end(struct data *d, uint32_t want, const struct data_grant *g);
/* The file is open from now on; true: the kernel may cache pages of it. */
bool data_opened(struct lane *ln, struct data *d, int flags);
/* The end of every data_co_opening(). cached: as data_opened() said; false if it failed. */
void data_closed(struct data *d, int flags, bool cached);
/* A close of a writer begins (1), and has reached the MDS (-1): a recall waits for that, so that
 * whoever wants the file finds it closed. */
void data_closing(struct data *d, int flags, int n);
/* This client's truncation was answered in this session. */
void data_truncated(struct data *d, uint64_t session, uint32_t trunc_gen);
/* With this number goes what was changed under the lease: if the objects refuse it, the lease was
 * lost, and others may have changed the file. */
uint32_t data_trunc_gen(struct data *d);
/* Of the grant that there is now, or was last. */
uint64_t data_seq(struct data *d);
/* Of the lease under which the kernel may have pages now; 0: there is none. */
uint64_t data_cached_seq(struct lane *ln, const struct fid *fid);
/* The objects have bytes up to there now. */
void data_wrote_to(struct data *d, uint64_t end);
/* After a write through this client: pages that the kernel keeps are old. */
void data_co_wrote(struct lane *ln, struct data *d, uint64_t off, uint64_t len);

/* A recall, in a fiber of lane 0; answers it. */
void data_recall(struct lane *ln, const struct mds_recall *recall);
/* Tells the MDS that a recall is obeyed. */
void data_co_give_back(struct lane *ln, const struct mds_recall *r);
/* All leases but those of this session are lost; what is dirty stays. The kernel's pages are
 * forgotten behind it. */
void data_lose_all(struct lane *ln, uint64_t session, bool evicted);
/* Everything that was begun under lost leases is over, pages are forgotten, and what was dirty is
 * at the objects. */
void data_co_settle_all(struct lane *ln);

/* ---- rahead.c ---- read-ahead; of open files between data_co_enter() and data_leave() */
/* A read begins: what may be read next is fetched. */
void rahead_read(struct lane *ln, struct file *f, uint64_t off, uint64_t len, enum data_need need,
		 enum data_how how);
/* The first bytes of a read, as many as are here or on their way. */
size_t rahead_co_take(struct lane *ln, struct file *f, void *buf, size_t len, uint64_t off,
		      enum data_how how);
/* Fetches all of a small file that is kept (kept.c), if f still is. */
#define RAHEAD_WHOLE (256U << 10)
void rahead_whole(struct lane *ln, struct data *d, struct file *f);
/* Waits for all fetches through an open file that nobody uses any more. */
void rahead_co_settle(struct lane *ln, struct file *f);
/* What was fetched of the range is void; a len of 0 is everything from off on. d->lock is held. */
void rahead_cut(struct data *d, uint64_t off, uint64_t len);
/* Around every change of bytes of the file, here or at the objects. */
void rahead_write_begin(struct data *d, uint64_t off, uint64_t len);
void rahead_write_end(struct data *d);

/* ---- wback.c ---- write-behind */
/* Takes the bytes, to be written later, or writes them now if there is no promise of space for them
 * (see io_co_write_once()). DATA_CACHED. Waits for memory. Bytes or -errno. */
ssize_t wback_co_put(struct lane *ln, struct file *f, const uint8_t *buf, size_t len, uint64_t off,
		     uint32_t trunc_gen);
/* Sends what is dirty now, and waits until it is at the objects (or failed). */
void wback_co_flush(struct lane *ln, struct data *d);
/* If there is but one extent, and nothing for the MDS: takes it, for wback_co_send_stable(), which
 * is wback_co_flush() and its sync at once. NULL: else. */
struct dirty_extent *wback_take_only(struct data *d);
void wback_co_send_stable(struct lane *ln, struct data *d, struct dirty_extent *e);
/* The same for what touches a range. */
void wback_co_flush_range(struct lane *ln, struct data *d, uint64_t off, uint64_t len);
/* Everything of the mount. */
void wback_co_flush_all(struct lane *ln);
/* d->lock is held. What d keeps back became more or less. */
void wback_count(struct data *d);
/* Something is kept back: it is not for long. */
void wback_start(struct lane *ln);
/* A failure of write-behind that this open file has not told its user yet; 0: none. told: now it
 * is. */
int wback_error(struct file *f, bool told);
/* What an OST has answered was lost with its power: that is a failure of write-behind, too. */
void wback_lost(struct data *d, const char *ost);

/* ---- later.c ---- attributes that are set later */
/* True: it is done, *out is what a stat would tell but for blocks and times, which are not known
 * (ATTR_SIZE_UNSURE). False: ask the MDS, after later_co_flush(). */
bool later_set(struct lane *ln, const struct fid *fid, uint32_t valid, const struct attr *want,
	       struct attr *out);
/* Tells the MDS now, after what is dirty is at the objects; waits for one that is on its way. True:
 * there was something to tell, or to wait for: what was asked before may be old. */
bool later_co_flush(struct lane *ln, struct data *d);
/* wback_co_flush() and later_co_flush(), if this client has the inode's data in use. */
bool later_co_flush_fid(struct lane *ln, const struct fid *fid);
/* The same without waiting. False: out of memory. */
bool later_tell(struct lane *ln, struct data *d);
/* Bytes will be written, after the mtime that was set. */
void later_co_write(struct lane *ln, struct data *d);
/* d->lock is held. The lease is lost; others may have changed the inode. */
void later_evicted(struct data *d);
