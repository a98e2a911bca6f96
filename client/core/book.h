/* SPDX-License-Identifier: Apache-2.0 */
/* book.h - what a mount must know when the process that serves it dies and another one goes on.
 *
 * It lies in shared memory that the keeper holds (client/fuse/keeper.h); without a keeper it is
 * ordinary memory, and the same. Its open files are also the handles that the kernel knows them by:
 * a handle is the number of a place in the table, so it means the same to the next process.
 *
 * A record is written before what it tells of is seen by anybody else: a file is BOOK_OPEN before
 * the kernel gets its handle, and BOOK_RELEASED before the kernel hears that it is closed. So
 * whatever the moment of death, the next process finds too much rather than too little.
 *
 * Who owns a record may write it; taking and giving places may be done on any thread.
 */
#pragma once
#include "common/fid.h"
#include "common/limits.h"
#include "common/rpc.h"

#define BOOK_MAGIC   0x6b6f6f626e656853ULL /* "Shenbook" */
#define BOOK_VERSION 1
#define BOOK_FILES   (1U << 20)
#define BOOK_LOCKS   (1U << 18)
#define BOOK_LANES   64
#define BOOK_INIT    256

enum book_state {
	BOOK_USED = 1,
	BOOK_OPEN = 2,	   /* the MDS has it open, or nearly so */
	BOOK_TOLD = 4,	   /* the kernel has its handle, or is being told */
	BOOK_RELEASED = 8, /* and has given it back */
	BOOK_DIRTY = 16,   /* bytes of it were only in the memory of the process */
	BOOK_STALE = 32,   /* of the last process, and nobody here has asked for it */
	BOOK_UNLOCKED = 64, /* a lock that was taken through it was lost: file_lost_lock() */
};

struct book_file {
	_Atomic uint32_t state; /* bits of enum book_state */
	uint32_t flags;		/* of open(2) */
	struct fid fid;
	uint64_t open_id;
	uint64_t tag; /* fiber_tag() of the request that opened it */
	uint32_t next_free; /* + 1 */
	uint16_t lane;
	uint16_t cached; /* the kernel keeps pages for it */
	uint64_t append_tag, append_off; /* the last append, and its place */
};
static_assert(sizeof(struct book_file) == 64, "a cache line");

enum book_lock_use {
	BOOK_LOCK_HELD = 1,
	BOOK_LOCK_WANTED, /* somebody waits for it */
	BOOK_LOCK_APPEND, /* of this client itself: wanted or held */
};

struct book_lock {
	uint32_t used; /* enum book_lock_use; 0: free */
	uint8_t space, type;
	uint16_t lane;
	uint32_t pid, pad;
	struct fid fid;
	uint64_t owner, handle, start, end;
	uint64_t xid; /* of the request that waits */
};

/* Where the memory of a lane's ring lies in every process; see client/fuse/uring_mem.h. */
struct book_ring {
	uint64_t recs, kernel;
	uint32_t ents, spare, payload, pad;
};

struct book_head {
	uint64_t magic;
	uint32_t version, generation; /* generation: counts processes */
	uint32_t mounted;	      /* there is something to take over */
	uint32_t nlanes;
	uint8_t uuid[UUID_LEN]; /* the client, for the servers */
	char instance[20];
	uint32_t has_identity;
	uint32_t max_req;
	uint32_t uring; /* requests come over io_uring */
	uint64_t mount_id;
	uint64_t session, boot_id; /* at the MDS */
	uint32_t nfiles, nlocks;   /* places that were ever used */
	uint32_t init_len;
	uint32_t served;	 /* the last generation that got so far */
	uint8_t init[BOOK_INIT]; /* the kernel's FUSE_INIT */
	char path[4096];	 /* the mount point */
	struct book_ring ring[BOOK_LANES];
};

struct book;

/* What is left of the last process; see takeover.c. */
struct book_claims {
	bool inherited; /* there was one: what the kernel knows, that has told it */
	struct rpc_note *claims;
	uint32_t nclaims;
	uint32_t nunsettled; /* places that nobody has claimed yet */
};

/* Bytes of a book, without rings; these follow it in the same file. */
uint64_t book_size(void);
/* Opens the book in a file of book_size() bytes at least; fd -1: memory of this process only. The
 * descriptor stays the caller's. -EPROTO: of another version. */
must_check int book_open(int fd, struct book **out);
void book_close(struct book *b);
struct book_head *book_head(struct book *b);
int book_fd(const struct book *b);
/* Another process wrote it before this one. */
bool book_is_inherited(const struct book *b);

/* A place, BOOK_USED; NULL: there are too many. */
struct book_file *book_file_get(struct book *b);
void book_file_put(struct book *b, struct book_file *f);
void book_file_set(struct book_file *f, uint32_t bits);
void book_file_clear(struct book_file *f, uint32_t bits);
static inline bool book_file_is(const struct book_file *f, uint32_t bits)
{
	return (f->state & bits) == bits;
}
uint32_t book_file_index(const struct book *b, const struct book_file *f);
struct book_file *book_file_at(struct book *b, uint32_t index); /* below nfiles */
/* What the process makes of a place; not in the book, NULL at first. */
void book_set_object(struct book *b, uint32_t index, void *object);
void *book_object(struct book *b, uint64_t index); /* NULL also for what is no place */

struct book_lock *book_lock_get(struct book *b);
void book_lock_put(struct book *b, struct book_lock *l);
struct book_lock *book_lock_at(struct book *b, uint32_t index); /* below nlocks */

/* What the slots of the mount at the MDS were used for last, by number. */
struct rpc_note *book_notes(struct book *b);
