/* SPDX-License-Identifier: Apache-2.0 */
/* pages.h - clean bytes of one file that were fetched before anybody read them.
 *
 * They lie in pieces that do not overlap. A piece is there from the moment its request leaves
 * (fetching). One that is cut is gone for all who look, at once; its memory goes when the last of
 * those who use it (the request, readers that copy) has let go of it.
 *
 * Pure: no locks (the owner has one), no messages.
 */
#pragma once
#include "common/base.h"
#include <sys/queue.h>

#define PAGES_PIECE (4U << 20) /* a piece never crosses a multiple of this */
#define PAGES_MAX   256        /* pieces */

struct pages_piece {
	uint64_t off;
	uint32_t len; /* as asked for; when it has come: as it is */
	uint32_t users;
	uint8_t *mem;
	bool fetching, cut, read;
	TAILQ_ENTRY(pages_piece) link;
};

struct pages {
	TAILQ_HEAD(piece_list, pages_piece) pieces; /* longest not read first */
	uint32_t n;
	uint64_t bytes;  /* of memory, with that of pieces that are cut */
	uint64_t unread; /* bytes of pieces that went without being read */
};

void pages_init(struct pages *p);
/* The piece that has this byte, or will. NULL: none. */
struct pages_piece *pages_find(struct pages *p, uint64_t off);
/* The first part of [*off, *off + *len) that is not here, at most to the end of its PAGES_PIECE.
 * False: all is here. */
bool pages_gap(struct pages *p, uint64_t *off, uint64_t *len);
/* Its request leaves; it has one user. It meets no other. NULL: out of memory, or there are too
 * many. */
struct pages_piece *pages_add(struct pages *p, uint64_t off, uint32_t len);
/* n bytes have come, fewer than len at the end of the file, or none; the request lets go of it. */
void pages_fetched(struct pages *p, struct pages_piece *e, uint32_t n);
void pages_use(struct pages *p, struct pages_piece *e);
void pages_unuse(struct pages *p, struct pages_piece *e);
/* What meets the range is gone; a len of 0 is everything from off on. True: some was on its way. */
bool pages_cut(struct pages *p, uint64_t off, uint64_t len);
/* Makes room: the piece that was not read for longest goes. False: there is none to go. */
bool pages_shrink(struct pages *p);
