/* SPDX-License-Identifier: Apache-2.0 */
/* lease.h - what this client may keep of inodes and names, by leases of the MDS (D8).
 *
 * One table for all lanes. An inode has the bits that the MDS gave (enum lease_bits) and the newest
 * attributes that are known; a name leads to an inode as long as the LOOKUP lease of that inode was
 * never interrupted. All is good only during the term, which the recall channel (recall.c) renews.
 *
 * Answers of the MDS carry a number (seq), so that what was overtaken by a recall or by a change of
 * this client is not taken for news. The table remembers the highest number for each of a few
 * thousand classes of FIDs: a class-mate of a changed inode now and then loses a grant, nothing is
 * ever forgotten.
 *
 * A directory that this client has made, or has listed from its beginning to its end while it held
 * UPDATE, is *complete* as long as nobody else changes it: all names in it are in the table, so a
 * name that is not there does not exist, and nobody need be asked.
 *
 * A change that this client makes is put between leases_change_begin() and _end(): meanwhile
 * nothing that it may change (LEASE_UPDATE, LEASE_XATTR) is served of that inode.
 *
 * The table remembers the order in which inodes were used, as far as this client sees it: the
 * kernel asks at least once in a term. lru.c takes the oldest out and gives their leases back.
 *
 * The kernel is a second cache above this one. leases_tell() says how long it may keep an answer,
 * and notes that it was told; a recall then reaches it through fs_cfg.co_invalidate.
 *
 * Any thread; nothing suspends.
 */
#pragma once
#include "client/core/fs.h"

struct leases;
struct wbuf;

enum { LISTED_MAX = 8192 }; /* names of a directory that are learned from listings */

must_check int leases_create(struct leases **out);
void leases_destroy(struct leases *t);

/* ---- answers ---- session: of the reply, others than the table's are ignored */
struct lease_grant {
	uint64_t session, seq;
	uint32_t bits;
	uint64_t open_seq; /* of a file of unsure size, if the answer said */
};
/* attr: of the answer; gets its seq. NULL: the answer had none. That a file's size is unsure is
 * kept as well: this client is its only writer. */
void leases_note(struct leases *t, const struct fid *fid, const struct lease_grant *g,
		 struct attr *attr);
void leases_note_name(struct leases *t, const struct fid *dir, struct span name,
		      const struct fid *child, const struct lease_grant *g);

/* ---- own changes ---- */
void leases_change_begin(struct leases *t, const struct fid *fid, uint32_t bits);
/* seq: of the answer, 0 if it failed. now: loop_clock(). */
void leases_change_end(struct leases *t, const struct fid *fid, uint32_t bits, uint64_t seq,
		       uint64_t now);
/* Before leases_change_end() of the directory: this name leads to nothing now, or (child) there. */
void leases_forget_name(struct leases *t, const struct fid *dir, struct span name);
void leases_own_name(struct leases *t, const struct fid *dir, struct span name,
		     const struct fid *child, const struct lease_grant *g);
/* This client has made the directory, as the answer with this number said, and holds the leases
 * that came with it. */
void leases_made_dir(struct leases *t, const struct fid *dir, uint64_t seq);
/* An answer lists names from this cookie on. True: what it says is known from the beginning of the
 * directory on, and these names are to be learned; then the last one's cookie, how many there were,
 * and whether it was the last of all. */
bool leases_learn_begin(struct leases *t, const struct fid *dir, const struct lease_grant *g,
			uint64_t cookie);
void leases_learn_name(struct leases *t, const struct fid *dir, struct span name,
		       const struct fid *child);
void leases_learn_end(struct leases *t, const struct fid *dir, uint64_t cookie, uint32_t names,
		      bool eof);
/* A change of the directory came back without the lease, or failed: others may have changed it. */
void leases_not_complete(struct leases *t, const struct fid *dir);
/* The names of this inode changed, by this client. gone: it has none any more. */
void leases_names_changed(struct leases *t, const struct fid *fid, uint64_t seq, bool gone);

/* ---- directories for this client alone: unlink.c ---- */
/* Takes an answer that may have LEASE_OWN; attr as in leases_note(). The number with which the
 * directory became its own: the same as long as it stays so, 0: it is not. */
uint64_t leases_note_own(struct leases *t, const struct fid *dir, const struct lease_grant *g,
			 struct attr *attr);
/* A file that is removed in the table at once, and at the MDS a little later. */
struct lease_unlink {
	struct fid dir, child;
	struct span name;
	uint64_t own; /* of leases_note_own() */
	int64_t when; /* wanted; then what the directory has got */
};
/* True: it is done here; nothing is served of the file, and its name is not taken from answers,
 * until leases_unlinked(). False: something is not known by good leases, or is being changed. */
bool leases_unlink(struct leases *t, struct lease_unlink *u, uint64_t now);
/* seq: of the answer, 0 if it failed. Before: leases_note() of the directory. */
void leases_unlinked(struct leases *t, const struct lease_unlink *u, uint64_t seq, uint64_t now);

/* ---- use ---- now: loop_clock() */
bool leases_attr(struct leases *t, const struct fid *fid, uint64_t now, struct attr *out);
bool leases_name(struct leases *t, const struct fid *dir, struct span name, uint64_t now,
		 struct entry *out);
/* The same where the size is unsure. False: ask. The second tells which file it is. */
bool leases_attr_unsure(struct leases *t, const struct fid *fid, uint64_t now, struct attr *out,
			uint64_t *open_seq);
bool leases_child(struct leases *t, const struct fid *dir, struct span name, uint64_t now,
		  struct fid *child);
/* True: there is no such name. */
bool leases_no_name(struct leases *t, const struct fid *dir, struct span name, uint64_t now);
/* Extended attributes: under XATTR, and that there are none under UPDATE, because the attributes
 * tell. True: known; *rc is 0 or -ENODATA, the value is appended. name "": the list of all names.
 */
bool leases_xattr(struct leases *t, const struct fid *fid, struct span name, uint64_t now, int *rc,
		  struct wbuf *value);
/* What an answer said: of one, and of all if whole. */
struct xattr_answer {
	struct span name, value;
	int rc;
	bool whole;
	struct span all; /* mds_xattr records */
};
void leases_note_xattr(struct leases *t, const struct fid *fid, const struct lease_grant *g,
		       const struct xattr_answer *a);
/* How long, in ns, the kernel may believe what it is about to be told: the attributes a, and with
 * name that this name leads there. asked: when the question came. 0: not at all. */
uint64_t leases_tell(struct leases *t, const struct fid *fid, const struct attr *a, bool name,
		     uint64_t asked, uint64_t now);
/* The kernel opens a directory. True: it may cache the listing; keep: what it has of it since it
 * was told so before is right. */
bool leases_list(struct leases *t, const struct fid *dir, uint64_t now, bool *keep);

/* ---- recall.c ---- */
/* Obeys a recall; when the kernel was told last of this inode, 0: not since the one before. */
uint64_t leases_obey(struct leases *t, const struct fid *fid, uint32_t bits, uint64_t seq);
/* Everything is lost; fn is told each inode. The table takes nothing until the next term. */
void leases_lose_all(struct leases *t, void (*fn)(void *arg, const struct fid *fid, uint64_t told),
		     void *arg);
/* A term of this session until then. now: loop_clock(), or a little earlier. */
void leases_term(struct leases *t, uint64_t session, uint64_t until, uint64_t now);
uint64_t leases_session(struct leases *t); /* 0: none */
/* The kernel may believe what it was told of the inode. */
bool leases_told(struct leases *t, const struct fid *fid);
/* This client hears of it when names of the inode are removed. */
bool leases_led(struct leases *t, const struct fid *fid);
/* A lease of this session is good now. */
bool leases_valid(struct leases *t, uint64_t session, uint64_t now);

/* ---- lru.c ---- */
struct lease_old {
	struct fid fid;
	uint64_t heard;	  /* number of the newest answer about it */
	uint64_t told_ns; /* when the kernel was told last, 0: never */
	bool led;	  /* it had LOOKUP */
};
/* Takes out up to n, longest unused first, that were not used since before (UINT64_MAX: all). How
 * many. The kernel, then the MDS are to be told. */
uint32_t leases_take_old(struct leases *t, uint32_t n, uint64_t before, struct lease_old *out);
/* When the longest unused one was used; UINT64_MAX: there is none. */
uint64_t leases_oldest(struct leases *t);
/* fn is called when there come to be more inodes than n, from whatever thread; 0: never. */
void leases_set_limit(struct leases *t, uint32_t n, void (*fn)(void *arg), void *arg);

struct lease_counts {
	uint64_t inodes, names, hits, misses, recalls;
};
void leases_counts(struct leases *t, struct lease_counts *out);

/* ---- lru.c ---- leases that are given back before anybody wants them */
struct fs;
struct lane;
/* What is given back by itself, or because the MDS asks for it; under fs->lock. See lru.c. */
struct lru {
	uint32_t size;	     /* of each kind of lease, at most; 0: as many as the MDS allows */
	uint32_t max_age_ms; /* tunable; not under the lock */
	uint32_t asked;	     /* by the MDS, and not given back yet: inodes */
	uint32_t clear, clear_idle; /* inodes and data to give back for lru_size=clear */
	bool running;
	uint64_t nasked, nreturned;
};

void lru_init(struct fs *fs);
uint32_t lru_idle_max(const struct fs *fs); /* leases on data of files that nobody has open */
uint32_t lru_unused(struct fs *fs);	    /* leases that could be given back */
/* Gives back in the background what is too much, too old, or asked for. */
void lru_start(struct lane *ln);
/* The MDS wants the leases of n inodes back. */
void lru_asked(struct lane *ln, uint32_t n);
/* Any thread. size: see struct lru. */
void lru_set_size(struct fs *fs, uint32_t size);
void lru_clear(struct fs *fs);
