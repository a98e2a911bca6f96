/* SPDX-License-Identifier: Apache-2.0 */
/* uring_mem.h - payload memory of ring entries, which can be taken from under the kernel.
 *
 * The kernel has one address for each entry, for ever. A request whose caller was killed is
 * answered at once, and with that the entry is the kernel's again, while its handler still sends
 * those bytes, or receives into them. So memory is slots of one file that is mapped twice: handlers
 * use our view, where a slot never moves; at the kernel's address another slot can be put.
 *
 * Memory is used when it is touched. One thread. Never suspends.
 */
#pragma once
#include "common/base.h"

struct uring_mem;

enum { URING_HEADROOM = 4096 }; /* in front of a payload in our view: for headers */

/* ents payloads of len bytes, and `spare` more slots for uring_mem_swap(). */
must_check int uring_mem_create(uint32_t len, uint32_t ents, uint32_t spare,
				struct uring_mem **out);
void uring_mem_destroy(struct uring_mem *m);
/* Where the kernel finds the payload of an entry. */
uint8_t *uring_mem_kernel(const struct uring_mem *m, uint32_t ent);
/* At first entry i has slot i. */
uint8_t *uring_mem_slot(const struct uring_mem *m, uint32_t slot);
/* The entry gets another slot, without contents; the caller owns the old one. -ENOMEM. */
must_check int uring_mem_swap(struct uring_mem *m, uint32_t ent, uint32_t *slot);
/* Back from whoever owned it. */
void uring_mem_give(struct uring_mem *m, uint32_t slot);
/* Contents are no longer needed: gives the memory back to the system. */
void uring_mem_drop(struct uring_mem *m, uint32_t slot);
