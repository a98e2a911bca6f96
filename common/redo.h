/* SPDX-License-Identifier: Apache-2.0 */
/* redo.h - the redo log of a store: what its open batch has changed, in the page cache of the
 * system.
 *
 * LMDB commits every few tens of milliseconds; an operation is answered when its changes are in
 * the redo log. The log is written, not synced: it survives the death of the process, and
 * store_open() applies it. A loss of power may take it, which leaves what LMDB committed last.
 *
 * Two files, DIR/redo.0 and DIR/redo.1, take turns by the number of the batch and are overwritten
 * from the start, so that a full disk cannot stop a log that was once as long, and the log of a
 * batch stays whole until the next batch but one. A chunk is what one redo_flush() wrote:
 *   u32 magic, u32 crc32c of the rest, u64 batch, u32 number in the batch, u32 payload length,
 *   entries: u8 op, u8 table, u16 key length, u32 value length, key, value.
 *
 * Blocking file I/O of the page-cache kind; one thread; never suspends.
 */
#pragma once
#include "common/base.h"

struct redo;

enum redo_op { REDO_PUT = 1, REDO_DEL = 2 };

/* Makes the files if they are missing. -errno. */
must_check int redo_open(int dir_fd, struct redo **out);
void redo_close(struct redo *r);

/* What follows belongs to this batch; the log of the batch before the last is forgotten. */
void redo_begin(struct redo *r, uint64_t batch);
/* Remembers a change in memory until redo_flush(). Out of memory shows in redo_flush(). */
void redo_add(struct redo *r, enum redo_op op, uint32_t table, struct span key, struct span val);
/* True when redo_flush() has something to write. */
bool redo_pending(const struct redo *r);
/* Writes what was added. 0, or -ENOSPC, -EIO, -ENOMEM: then nothing of it counts, and the same
 * may be tried again. */
must_check int redo_flush(struct redo *r);

/* Calls fn for every change of a batch that is in the log, in order. *n counts them. What fn
 * returns if not 0, or -EIO, -ENOMEM. A damaged or torn chunk ends the log. */
typedef int redo_fn(void *arg, enum redo_op op, uint32_t table, struct span key, struct span val);
must_check int redo_replay(struct redo *r, uint64_t batch, redo_fn *fn, void *arg, uint64_t *n);
