/* SPDX-License-Identifier: Apache-2.0 */
/* intent.h - which opens to expect: a lookup or a listing can bring along all that an open for
 * reading needs (mds/intent.c), if it asks.
 *
 * The kernel does not say what it looks a name up for, so it is guessed. Each directory has a
 * score: an open of a file that was looked up there makes it rise, a lookup that asked the MDS
 * makes it fall, and from some height on lookups ask for the open as well. A listing comes before
 * all opens in its directory, so for these it counts how many of the files that were listed lately,
 * in whatever directory, were opened then.
 *
 * What came so and is not opened is a kept file like others (kept.c), but there are never many. If
 * those that were opened were read as well, the data of the next few comes ahead, too: whoever
 * reads the files of a tree one after another does not wait for each.
 *
 * Guarded by fs->lock; any thread; nothing suspends.
 */
#pragma once
#include "common/fid.h"

struct fs;
struct lane;

enum { INTENT_NEVER, INTENT_GUESS, INTENT_ALWAYS };
enum {
	INTENT_DIRS = 256,
	INTENT_SEEN = 4096,
	SCAN_AFTER = 4,
	SCAN_ROW = 3, /* names in the order of the listing, to expect more */
	INTENT_FETCH = 8,     /* files whose data comes ahead */
	INTENT_UNUSED = 1024, /* files that were opened so, and not by anybody here yet */
};

/* A directory of late. */
struct intent_dir {
	struct fid fid;
	uint8_t score;
	bool list; /* its listing, which has begun, asks */
	/* scan.c: */
	bool scanning;
	uint32_t asked;   /* questions for names */
	uint32_t found;   /* of these were there */
	uint32_t scan_at; /* so many questions; 0: not chosen yet */
	uint64_t known_to; /* the cookie of the last name that was asked for, or listed behind it */
	uint32_t row;      /* names that were asked for in the order of the listing */
	uint32_t window;   /* names that were listed behind them the last time */
};

/* A file that was looked up or listed, and that nobody has opened since. */
struct intent_seen {
	struct fid fid, dir;
	bool listed;
};

struct intents {
	uint32_t mode; /* a tunable */
	uint32_t unused;
	uint32_t reads; /* score: were those that came so and were opened read? */
	uint32_t nlisted, nopened; /* lately */
	uint64_t given, used;
	uint32_t scan_after; /* a tunable: how many questions; 0: never */
	uint64_t scans;
	struct intent_dir dir[INTENT_DIRS];
	struct intent_seen seen[INTENT_SEEN];
};

/* fs->lock is held; valid as long as it is. */
struct intent_dir *intent_dir_of(struct fs *fs, const struct fid *dir);
/* The id under which a lookup in this directory is to open what it finds; 0: it is not to. */
uint64_t intent_lookup(struct lane *ln, const struct fid *dir);
/* The same for a listing from this cookie on, for up to *n files. */
uint64_t intent_list(struct lane *ln, const struct fid *dir, uint64_t cookie, uint32_t *n);
/* A regular file was found there. asked: by a request for its name. */
void intent_looked_up(struct fs *fs, const struct fid *dir, const struct fid *fid, bool asked);
void intent_listed(struct fs *fs, const struct fid *dir, const struct fid *fid);
/* It is opened for reading. */
void intent_opened(struct fs *fs, const struct fid *fid);
/* It had come ahead, and is closed. */
void intent_closed(struct fs *fs, bool read);
/* How many of the next files are to be fetched; fs->lock is held. */
uint32_t intent_fetches(const struct fs *fs);

/* ---- scan.c ---- */
/* The MDS was asked for a name. cookie: its place in the listing, 0: it is not there. */
void scan_asked(struct lane *ln, const struct fid *dir, uint64_t cookie);
