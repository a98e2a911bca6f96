/* SPDX-License-Identifier: Apache-2.0 */
/* slot.h - the last reply to each slot of a client, in the transaction of the operation it
 * answers.
 *
 * A client uses a slot for one modifying request at a time, so a row may be overwritten by the
 * next request. Pure storage. Never suspends.
 */
#pragma once
#include "mds/schema.h"

must_check int slot_put(struct txn *t, const uint8_t uuid[UUID_LEN], uint32_t slot,
			const struct slot_rec *rec);
/* 0 when the slot's last request was xid; -ENOENT, -EIO. */
must_check int slot_get(struct txn *t, const uint8_t uuid[UUID_LEN], uint32_t slot, uint64_t xid,
			struct slot_rec *out);
/* The highest transno of a client's rows; 0: none. */
must_check int slot_last(struct txn *t, const uint8_t uuid[UUID_LEN], uint64_t *transno);
/* Forgets a client. */
must_check int slot_del_client(struct txn *t, const uint8_t uuid[UUID_LEN]);
/* The first client with a row whose uuid is greater; 0, -ENOENT. */
must_check int slot_next_client(struct txn *t, const uint8_t after[UUID_LEN],
				uint8_t out[UUID_LEN]);
