/* SPDX-License-Identifier: Apache-2.0 */
/* lease.h - what clients may keep in their caches, and how it is taken back (D8).
 *
 * A lease is a right of one client on one inode, in bits (enum lease_bits in proto.h): LOOKUP,
 * names that lead to the inode; UPDATE, its attributes and, of a directory, its names; XATTR, its
 * extended attributes, with them ACLs and the layout. These are shared: any number of clients may
 * hold them while nobody changes what they cover. On the data of a file a client has at most one of
 * SHARED, EXCLUSIVE and CONTENDED; a grant replaces the one before. Whoever is about to change what
 * is covered, or wants what does not go with it, recalls leases first and waits until they are
 * given back or have expired.
 *
 * OWN of a directory goes with no UPDATE of others: while a client has it, no other has its names
 * or attributes, or gets any lease of it. Names that its holder has removed may still be there,
 * because the requests are on their way: others look at the directory, and at files in it, only
 * when OWN was given back. If its holder does not, it is fenced when the term is over, and
 * lease_owns() does not hold any more: then such requests are refused, in the way of late writes.
 *
 * A client that had EXCLUSIVE or CONTENDED, and did not give it back when it was recalled (its term
 * was over, or its session), may still have writes on their way: lease_unreturned() tells, until
 * the file's objects are fenced against them. What a dead client had is kept for that.
 *
 * A client has one term for all its leases, renewed whenever it asks for recalls. Leases of a
 * client whose term is over do not hinder anybody; their recall stays queued and is the first thing
 * the client hears when it comes back, before its term begins again.
 *
 * Numbers (seq) order everything: each answer that may carry grants and each recall gets the next
 * one, so a client tells a grant that was overtaken by its recall, and the server tells a grant
 * that its client had not heard of yet when it gave the lease up.
 *
 * A client has leases on so many inodes and no more (struct lease_limits). When it passes that it
 * is asked to give some up, those that it has not used for longest: only it knows which these are.
 * One that does not in LEASE_ASK_NS has those recalled that were granted longest ago. A quarter
 * above the limit nothing is granted any more, so a client that does not answer, or asks faster
 * than it gives back, goes on without.
 *
 * Pure: no fibers, no clock, no messages; times are given. One thread.
 */
#pragma once
#include "common/fid.h"
#include <sys/queue.h>

#define LEASES_OF_CLIENT (1U << 17) /* the limit unless another is set */
#define LEASES_MIN       4          /* no limit is lower */
#define LEASE_BYTES      128        /* that one takes, about */
#define LEASE_ASK_NS     (2 * (uint64_t)NSEC_PER_SEC)

struct lease;
TAILQ_HEAD(lease_list, lease);

/* A client's side; a member of whatever a client is. */
struct lease_holder {
	struct lease_list held;     /* longest not granted anew first */
	struct lease_list recalled; /* in the order of their recalls */
	uint32_t nheld, nrecalled, nown;
	uint64_t until_ns;  /* end of the term */
	uint64_t pressed_ns; /* when it was asked to give some up; 0: it was not */
	bool told;           /* by lease_ask() */
};

/* May change at any time: whoever has more then is asked when the server next looks. */
struct lease_limits {
	uint32_t per_client; /* inodes */
	uint32_t total_mb;   /* of all clients: each may have its share; 0: no limit */
};

/* While an operation waits for leases of an inode, nobody gets new ones. */
struct lease_barrier {
	struct fid fid;
	uint32_t bits;
	LIST_ENTRY(lease_barrier) link;
};

struct lease_mgr;

struct lease_mgr_cfg {
	/* h has something to hear: lease_next(). */
	void (*recall)(void *arg, struct lease_holder *h);
	void *arg;
	const struct lease_limits *limits; /* NULL: LEASES_OF_CLIENT */
	/* Numbers begin behind it. Larger than any of an earlier life of the server: clients may
	 * still answer recalls of that. */
	uint64_t first_seq;
};

struct lease_stats {
	uint64_t grants, refusals, recalls, returns, expired;
	uint64_t asked;  /* how often a client was asked to give some up */
	uint64_t forced; /* recalls because it did not, or could not wait for that */
	uint64_t full;   /* refusals because it had too many */
	uint32_t held, holders, own;
	uint32_t most; /* that one client ever had */
};

must_check int lease_mgr_create(const struct lease_mgr_cfg *cfg, struct lease_mgr **out);
void lease_mgr_destroy(struct lease_mgr *m); /* holders are gone */
void lease_mgr_stats(const struct lease_mgr *m, struct lease_stats *out);

void lease_holder_init(struct lease_holder *h);
/* All its leases are gone; with dead, it may still write what it had leases to write. */
void lease_holder_drop(struct lease_mgr *m, struct lease_holder *h, bool dead);
/* A dead client of an earlier life may still write to this file, unless somebody has it EXCLUSIVE
 * now. */
void lease_note_dead(struct lease_mgr *m, const struct fid *fid, uint64_t now);
/* The term: until_ns only grows. */
void lease_renew(struct lease_holder *h, uint64_t until_ns);

/* The number that the next answer carries. */
uint64_t lease_seq(struct lease_mgr *m);
/* Gives what may be given of bits, now; the bits that h has from now on. 0: none (no term, a
 * barrier, a recall that is not answered, no memory). */
uint32_t lease_grant(struct lease_mgr *m, struct lease_holder *h, const struct fid *fid,
		     uint32_t bits, uint64_t now);
/* h has given up these bits by itself, as far as answers with numbers up to heard gave them: for
 * later ones it does not know of them yet. */
void lease_give_up(struct lease_mgr *m, struct lease_holder *h, const struct fid *fid,
		   uint32_t bits, uint64_t heard);

/* ---- limits ---- */
uint32_t lease_count(const struct lease_holder *h); /* inodes */
uint32_t lease_limit(const struct lease_mgr *m);    /* of one client, now */
/* Does what is due if h has too many: at every grant, and from time to time. */
void lease_press(struct lease_mgr *m, struct lease_holder *h, uint64_t now);
/* h has to hear that it should give some up. */
bool lease_asks(const struct lease_holder *h);
/* How many; it is told now. */
uint32_t lease_ask(const struct lease_mgr *m, struct lease_holder *h);

/* Nobody else has any lease, or had one that is not given back. */
bool lease_alone(const struct lease_mgr *m, const struct lease_holder *h);
/* When the leases of others than h on bits will be gone if nobody answers; 0: there are none. */
uint64_t lease_conflict(const struct lease_mgr *m, const struct lease_holder *h,
			const struct fid *fid, uint32_t bits, uint64_t now);
/* Recalls them, those of holders without a term as well; does nothing twice. OWN without a term is
 * fenced. */
void lease_recall(struct lease_mgr *m, const struct lease_holder *h, const struct fid *fid,
		  uint32_t bits, uint64_t now);
void lease_barrier_add(struct lease_mgr *m, struct lease_barrier *b);
void lease_barrier_del(struct lease_barrier *b);

/* Others than h (may be NULL) may write, without a lease. */
bool lease_unreturned(const struct lease_mgr *m, const struct lease_holder *h,
		      const struct fid *fid, uint64_t now);
/* They cannot any more. */
void lease_fenced(struct lease_mgr *m, const struct lease_holder *h, const struct fid *fid,
		  uint64_t now);
/* ---- OWN ---- */
/* Others than h have some directory for their own, if fid is NULL; or this one. */
bool lease_owned_elsewhere(const struct lease_mgr *m, const struct lease_holder *h,
			   const struct fid *fid);
/* h has the directory for its own, recalled or not, and it is not fenced. */
bool lease_owns(const struct lease_mgr *m, const struct lease_holder *h, const struct fid *fid);
/* OWN of an earlier life of the server, which nobody else could get anything beside. False: it is
 * lost. */
bool lease_own_again(struct lease_mgr *m, struct lease_holder *h, const struct fid *fid,
		     uint64_t now);
/* Others than h, dead or alive, have or had any of these bits, and have not given them back. */
bool lease_elsewhere(const struct lease_mgr *m, const struct lease_holder *h,
		     const struct fid *fid, uint32_t bits);
/* The data bits that h has and that are not recalled. */
uint32_t lease_data(const struct lease_mgr *m, const struct lease_holder *h,
		    const struct fid *fid);

/* What h has to give back, recalled with numbers above heard: *l walks from NULL; false at the
 * end. */
bool lease_next(const struct lease_holder *h, uint64_t heard, const struct lease **l,
		struct fid *fid, uint32_t *bits, uint64_t *seq);
/* When the data of *l was given: the number that the answer carried. */
uint64_t lease_granted(const struct lease *l);
/* h has given back everything but data and OWN that was recalled up to this number. True: something
 * was. */
bool lease_returned(struct lease_mgr *m, struct lease_holder *h, uint64_t seq);
/* h has given back what was recalled with this number. True: it was. */
bool lease_returned_one(struct lease_mgr *m, struct lease_holder *h, const struct fid *fid,
			uint64_t seq);
/* h owes an answer for longer than that, ns: names and attributes, or data. */
bool lease_overdue(const struct lease_holder *h, uint64_t now, uint64_t plain, uint64_t data);

/* For tests: everything that must hold inside; aborts if it does not. */
void lease_check(const struct lease_mgr *m, const struct lease_holder *h);
