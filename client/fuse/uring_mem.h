/* SPDX-License-Identifier: Apache-2.0 */
/* uring_mem.h - payload memory of ring entries, which can be taken from under the kernel.
 *
 * The kernel has one address for each entry, for ever. A request whose caller was killed is
 * answered at once, and with that the entry is the kernel's again, while its handler still sends
 * those bytes, or receives into them. So memory is slots of one file that is mapped twice: handlers
 * use our view, where a slot never moves; at the kernel's address another slot can be put.
 *
 * In front of the payloads lie records, one for each entry: the head that the kernel writes and
 * reads (uring_abi.h), and what another process would have to know to answer the request if this
 * one died. The kernel goes by addresses, so that process maps both where they were.
 *
 * Memory is used when it is touched. One thread. Never suspends.
 */
#pragma once
#include "client/core/book.h"
#include "client/fuse/uring_abi.h"
#include <linux/fuse.h>

struct uring_mem;

enum { URING_HEADROOM = 4096 }; /* in front of a payload in our view: for headers */

enum rec_state {
	REC_NONE,      /* no entry, or one that is dead in the kernel */
	REC_FETCH,     /* the kernel has it, for the first time */
	REC_HELD,      /* a request is in work */
	REC_ANSWERING, /* the answer is being put together over the request */
	REC_ANSWERED,  /* complete; perhaps the kernel has it, and has brought a new request */
};
enum { REC_SAVED = 512 };

struct uring_rec {
	struct uring_head head;
	uint64_t unique; /* of the last request that was taken */
	_Atomic uint32_t state;
	uint32_t queue, slot;
	uint32_t payload; /* bytes of the request */
	uint32_t saved;	  /* of them, that the answer is put over; more than REC_SAVED: not saved */
	struct fuse_in_header in;
	uint8_t save[REC_SAVED];
} __attribute__((aligned(1024)));

/* Where in the book's file, and at which addresses. */
struct uring_place {
	int fd;
	uint64_t off;
	struct book_ring *ring;
};
#define URING_LANE_BYTES (1ULL << 36) /* of the file, for each lane */

/* ents payloads of len bytes, and `spare` more slots for uring_mem_swap(). place NULL: of this
 * process only. -EEXIST: the addresses of the last process are taken here. */
must_check int uring_mem_create(uint32_t len, uint32_t ents, uint32_t spare,
				const struct uring_place *place, struct uring_mem **out);
struct uring_rec *uring_mem_rec(const struct uring_mem *m, uint32_t ent);
/* There was a last process; entries with used[i] keep the slots they have, the others get any. */
bool uring_mem_is_inherited(const struct uring_mem *m);
must_check int uring_mem_inherit(struct uring_mem *m, const bool *used);
void uring_mem_destroy(struct uring_mem *m);
/* Where the kernel finds the payload of an entry. */
uint8_t *uring_mem_kernel(const struct uring_mem *m, uint32_t ent);
/* At first entry i has slot i. */
uint8_t *uring_mem_slot(const struct uring_mem *m, uint32_t slot);
/* The entry gets another slot, without contents; the caller owns the old one. -ENOMEM. */
must_check int uring_mem_swap(struct uring_mem *m, uint32_t ent, uint32_t *slot);
/* Back from whoever owned it. */
void uring_mem_give(struct uring_mem *m, uint32_t slot);
/* Contents beyond the first URING_KEPT bytes are no longer needed: gives the memory back to the
 * system. */
enum { URING_KEPT = 8192 };
void uring_mem_trim(struct uring_mem *m, uint32_t slot);
