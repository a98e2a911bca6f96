/* SPDX-License-Identifier: Apache-2.0 */
/* slot.c - see slot.h. */
#include "mds/slot.h"

static struct slot_key key_of(const uint8_t uuid[UUID_LEN], uint32_t slot)
{
	struct slot_key k = {.slot = slot};

	memcpy(k.client.b, uuid, UUID_LEN);
	return k;
}

int slot_put(struct txn *t, const uint8_t uuid[UUID_LEN], uint32_t slot, const struct slot_rec *rec)
{
	struct slot_key k = key_of(uuid, slot);

	return slot_rec_put(t, &k, rec);
}

int slot_get(struct txn *t, const uint8_t uuid[UUID_LEN], uint32_t slot, uint64_t xid,
	     struct slot_rec *out)
{
	struct slot_key k = key_of(uuid, slot);
	struct slot_rec rec;
	int rc = slot_rec_get(t, &k, &rec);

	if (rc)
		return rc;
	if (rec.xid != xid)
		return -ENOENT;
	*out = rec;
	return 0;
}

struct last {
	const uint8_t *uuid;
	uint64_t transno;
};

static int last_row(void *arg, const struct slot_key *k, const struct slot_rec *v)
{
	struct last *l = arg;

	if (memcmp(k->client.b, l->uuid, UUID_LEN) != 0)
		return 1;
	if (v) /* a damaged one is in the log */
		l->transno = max_u64(l->transno, v->transno);
	return 0;
}

int slot_last(struct txn *t, const uint8_t uuid[UUID_LEN], uint64_t *transno)
{
	struct slot_key from = key_of(uuid, 0);
	struct last l = {.uuid = uuid};
	int rc = slot_rec_walk(t, &from, last_row, &l);

	*transno = l.transno;
	return rc;
}

struct find {
	struct slot_key key;
	bool found;
};

static int first_row(void *arg, const struct slot_key *k, const struct slot_rec *v)
{
	struct find *f = arg;

	(void)v;
	f->key = *k;
	f->found = true;
	return 1;
}

int slot_del_client(struct txn *t, const uint8_t uuid[UUID_LEN])
{
	struct slot_key from = key_of(uuid, 0);
	struct find f;
	int rc;

	for (;;) {
		f.found = false;
		rc = slot_rec_walk(t, &from, first_row, &f);
		if (rc || !f.found || memcmp(f.key.client.b, uuid, UUID_LEN) != 0)
			return rc;
		rc = slot_rec_del(t, &f.key);
		if (rc)
			return rc;
	}
}

int slot_next_client(struct txn *t, const uint8_t after[UUID_LEN], uint8_t out[UUID_LEN])
{
	struct slot_key from = key_of(after, UINT32_MAX);
	struct find f = {.found = false};
	int rc = slot_rec_walk(t, &from, first_row, &f);

	if (rc)
		return rc;
	if (!f.found)
		return -ENOENT;
	memcpy(out, f.key.client.b, UUID_LEN);
	return 0;
}
