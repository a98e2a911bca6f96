/* SPDX-License-Identifier: Apache-2.0 */
/* known.c - see known.h. Many clients come at once after a restart: one sync is for all whose lines
 * were written before it began. */
#include "oss/known.h"
#include "common/log.h"
#include <ctype.h>
#include <stdlib.h>

enum { HEX_LEN = 2 * UUID_LEN, LINE_LEN = HEX_LEN + 1 + 63 + 1, MAX_KNOWN = 1 << 16 };

struct known {
	struct ost *ost;
	struct disk_file *f;
	struct known_client *at;
	uint32_t n;
	uint64_t written, synced; /* lines */
	bool syncing;
	struct co_waitq q;
};

static int parse_hex(const char *s, uint8_t out[UUID_LEN])
{
	unsigned v;

	for (uint32_t i = 0; i < UUID_LEN; i++) {
		if (!isxdigit((uint8_t)s[2 * i]) || !isxdigit((uint8_t)s[2 * i + 1]) ||
		    sscanf(s + 2 * (size_t)i, "%2x", &v) != 1)
			return -EINVAL;
		out[i] = (uint8_t)v;
	}
	return 0;
}

static void parse_line(const char *line, struct known_client *c)
{
	int len = 63;

	*c = (struct known_client){0};
	if (parse_hex(line, c->uuid) || line[HEX_LEN] != ' ' || line[LINE_LEN - 1] != '\n')
		return;
	while (len && line[HEX_LEN + len] == ' ')
		len--;
	for (int i = 0; i < len; i++) {
		char ch = line[HEX_LEN + 1 + i];

		c->name[i] = (char)(isprint((uint8_t)ch) ? ch : '?');
	}
	c->used = c->stored = c->old = true;
}

static int grow(struct known *k, uint32_t n)
{
	struct known_client *at = reallocarray(k->at, n, sizeof(*at));

	if (!at)
		return -ENOMEM;
	memset(at + k->n, 0, (n - k->n) * sizeof(*at));
	k->at = at;
	k->n = n;
	return 0;
}

static int load(struct known *k)
{
	char line[LINE_LEN];
	struct disk_stat st;
	uint32_t n;
	int rc = disk_stat(k->f, &st);

	if (rc || !st.size)
		return rc;
	n = (uint32_t)min_u64(st.size / LINE_LEN, MAX_KNOWN);
	rc = n ? grow(k, n) : 0;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		struct iovec iov = {line, LINE_LEN};
		ssize_t got = disk_co_read(k->f, &iov, 1, (uint64_t)i * LINE_LEN);

		if (got < 0)
			return (int)got;
		if (got == LINE_LEN)
			parse_line(line, &k->at[i]);
	}
	return rc;
}

int known_co_open(struct ost *ost, struct known **out)
{
	struct known *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return -ENOMEM;
	k->ost = ost;
	co_waitq_init(&k->q);
	rc = disk_co_open(ost->disk, KNOWN_PATH, true, &k->f);
	if (rc == 0)
		rc = load(k);
	if (rc) {
		known_close(k);
		return rc;
	}
	*out = k;
	return 0;
}

void known_close(struct known *k)
{
	if (!k)
		return;
	if (k->f)
		disk_file_close(k->f);
	free(k->at);
	free(k);
}

const struct known_client *known_all(const struct known *k, uint32_t *n)
{
	*n = k ? k->n : 0;
	return k ? k->at : NULL;
}

/* c as it is now: a blank line if it is not used. */
static int co_write(struct known *k, uint32_t i)
{
	const struct known_client *c = &k->at[i];
	char line[LINE_LEN + 1];
	struct iovec iov = {line, LINE_LEN};
	int n = 0;

	for (uint32_t b = 0; c->used && b < UUID_LEN; b++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%02x", c->uuid[b]);
	snprintf(line + n, sizeof(line) - (size_t)n, "%-*.*s\n", LINE_LEN - 1 - n, 0, "");
	if (c->used)
		memcpy(line + HEX_LEN + 1, c->name, strlen(c->name));
	return disk_co_write(k->f, &iov, 1, (uint64_t)i * LINE_LEN);
}

/* What was written before this is on the disk. */
static int co_sync(struct known *k)
{
	uint64_t mine = k->written, upto;
	int rc;

	while (k->synced < mine) {
		if (k->syncing) {
			if (co_wait(&k->q, 0))
				continue;
			continue;
		}
		upto = k->written;
		k->syncing = true;
		rc = disk_co_sync(k->f);
		k->syncing = false;
		if (rc == 0)
			k->synced = max_u64(k->synced, upto);
		co_wake_all(&k->q);
		if (rc)
			return rc;
	}
	return 0;
}

/* The place of the uuid, or a free one; -1: there is none. */
static int64_t place(struct known *k, const uint8_t uuid[UUID_LEN])
{
	int64_t free_at = -1;

	for (uint32_t i = 0; i < k->n; i++) {
		if (k->at[i].used && memcmp(k->at[i].uuid, uuid, UUID_LEN) == 0)
			return i;
		if (free_at < 0 && !k->at[i].used)
			free_at = i;
	}
	if (free_at < 0 && k->n < MAX_KNOWN) {
		free_at = k->n;
		if (grow(k, k->n ? min_u64(2ULL * k->n, MAX_KNOWN) : 16))
			return -1;
	}
	return free_at;
}

int known_co_enter(struct known *k, const struct rpc_session *ses)
{
	int64_t i = k ? place(k, ses->uuid) : -1;
	struct known_client *c;
	int rc;

	if (i < 0)
		return k ? -ENOMEM : -EIO;
	c = &k->at[i];
	c->old = false;
	if (c->used && c->stored)
		return 0;
	memcpy(c->uuid, ses->uuid, UUID_LEN);
	snprintf(c->name, sizeof(c->name), "%.63s", ses->name);
	c->used = true;
	rc = co_write(k, (uint32_t)i);
	if (rc == 0) {
		k->written++;
		rc = co_sync(k);
	}
	if (rc == 0)
		k->at[i].stored = true; /* the memory may have moved */
	return rc;
}

static void co_clear(struct known *k, uint32_t i)
{
	int rc;

	k->at[i].used = k->at[i].stored = false;
	rc = co_write(k, i);
	if (rc)
		log_dbg("%s: %s: %s", k->ost->name, KNOWN_PATH, err_str(rc));
}

void known_co_leave(struct known *k, const uint8_t uuid[UUID_LEN])
{
	for (uint32_t i = 0; k && i < k->n; i++)
		if (k->at[i].used && memcmp(k->at[i].uuid, uuid, UUID_LEN) == 0)
			co_clear(k, i);
}

void known_co_forget_old(struct known *k)
{
	for (uint32_t i = 0; k && i < k->n; i++)
		if (k->at[i].used && k->at[i].old)
			co_clear(k, i);
}
