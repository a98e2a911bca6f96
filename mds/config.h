/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - the MDT's counters, and what a new MDT contains.
 *
 * Pure storage. Never suspends.
 */
#pragma once
#include "mds/schema.h"

#define MDS_SCHEMA_VERSION 1

/* A new MDT gets the root directory and its counters; an old one is checked. -EINVAL with the
 * versions in the log when it was written by another version of Sheen. */
must_check int config_init(struct txn *t, int64_t now);
/* Counts the lives of the server, from 1 on. */
must_check int config_next_life(struct txn *t, uint64_t *life);
/* A fresh sequence for FIDs; never given out again. -EOVERFLOW after 2^46 of them. */
must_check int config_alloc_seq(struct txn *t, uint64_t *seq);
/* 0 when never set. */
must_check int config_get(struct txn *t, const char *name, uint64_t *value);
must_check int config_set(struct txn *t, const char *name, uint64_t value);
