/* SPDX-License-Identifier: Apache-2.0 */
/* unstable.h - changes of one OST that it has answered and may not have on its disk: kept, with
 * their bytes, until it says that they are stable, to be sent again if it loses its power
 * (resend.c).
 *
 * OSTs number changes, over all their lives, and tell with each answer up to where all are stable.
 *
 * Pure: no clock, no messages; the owner's thread.
 */
#pragma once
#include "common/bytes.h"
#include "common/proto/proto.h"
#include <sys/queue.h>
#include <sys/uio.h>

struct unstable_change {
	uint64_t number;
	uint64_t when_ns; /* loop time of the answer */
	struct oss_again_req req;
	uint64_t written_ns; /* loop time of the write */
	struct bytes *bytes; /* or NULL */
	uint32_t counted;
	TAILQ_ENTRY(unstable_change) link;
	uint32_t niov;
	struct iovec iov[];
};

struct unstable {
	TAILQ_HEAD(unstable_list, unstable_change) changes; /* by number */
	uint32_t n;
	uint64_t counted; /* bytes of memory */
};

void unstable_init(struct unstable *u);
/* Room for a change of so many pieces; NULL: out of memory. */
struct unstable_change *unstable_new(uint32_t niov);
/* It has its number; its reference to bytes goes along. Answers come in nearly any order. */
void unstable_add(struct unstable *u, struct unstable_change *c);
/* All up to this number are stable. How much memory that has freed. */
uint64_t unstable_stable(struct unstable *u, uint64_t upto);
