/* SPDX-License-Identifier: Apache-2.0 */
/* dirty.h - bytes of one file that were written and are not at the objects yet.
 *
 * They lie in extents; an extent never crosses a multiple of DIRTY_CHUNK. Extents do not overlap.
 * One that is being sent (sending) does not change any more; whoever wants to write there waits.
 *
 * Pure: no locks (the owner has one), no clock, no messages.
 */
#pragma once
#include "common/bytes.h"
#include <sys/queue.h>

#define DIRTY_CHUNK   (1U << 20)
#define DIRTY_EXTENTS 64 /* more are not begun before some are sent */

struct file;
struct grant;

struct dirty_extent {
	uint64_t off;
	uint32_t len, cap;
	struct bytes *bytes;
	uint8_t *mem;	   /* bytes->mem */
	uint64_t id;       /* counts up */
	uint64_t since_ns; /* when it began */
	uint64_t last_ns;  /* of its newest bytes */
	struct file *file; /* whoever sends it does so through this open file */
	struct grant *grant; /* the owner's */
	bool sending;
	bool stable; /* it is sent to be on the disk when that is answered */
	TAILQ_ENTRY(dirty_extent) link;
};

struct dirty {
	TAILQ_HEAD(dirty_list, dirty_extent) extents; /* in the order in which they began */
	uint32_t n, nsending;
	uint64_t next_id, bytes; /* of memory */
};

enum dirty_rc {
	DIRTY_OK,
	DIRTY_SEND, /* send *e, wait until it is gone, and try again */
	DIRTY_WAIT, /* *e is being sent: wait, and try again */
};

void dirty_init(struct dirty *d);
/* Where [off, off + len) may go; it does not cross a multiple of DIRTY_CHUNK. DIRTY_OK: *e is an
 * extent to add it to, or NULL: a new one is needed. */
enum dirty_rc dirty_place(struct dirty *d, uint64_t off, uint32_t len, struct dirty_extent **e);
/* Memory that e needs to take it as well; e->cap if it has enough. */
uint32_t dirty_cap(const struct dirty_extent *e, uint64_t off, uint32_t len);
/* A new extent for it with memory of dirty_cap(NULL, ...); NULL: out of memory. */
struct dirty_extent *dirty_new(struct dirty *d, struct file *f, uint64_t off, uint32_t len,
			       uint64_t now);
/* -ENOMEM: nothing changed. */
must_check int dirty_add(struct dirty *d, struct dirty_extent *e, uint64_t off, const void *buf,
			 uint32_t len, uint64_t now);
/* It reaches the end of its chunk. */
bool dirty_full(const struct dirty_extent *e);
void dirty_send(struct dirty *d, struct dirty_extent *e);
/* It was sent, or is given up. */
void dirty_drop(struct dirty *d, struct dirty_extent *e);
/* The oldest that is not being sent; NULL: none. */
struct dirty_extent *dirty_oldest(const struct dirty *d);

/* What is here of [off, off + len): all of it, in one extent, copied to buf; a part; nothing. */
enum dirty_part { DIRTY_NONE, DIRTY_PART, DIRTY_ALL };
enum dirty_part dirty_read(const struct dirty *d, uint64_t off, void *buf, size_t len);
bool dirty_overlaps(const struct dirty *d, uint64_t off, uint64_t len);
uint64_t dirty_end(const struct dirty *d); /* of the last byte; 0: nothing is here */
