/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - see config.h. */
#include "mds/config.h"
#include "common/log.h"
#include "common/wire.h"
#include "mds/dirent.h"
#include "mds/inode.h"
#include <inttypes.h>
#include <sys/stat.h>

int config_get(struct txn *t, const char *name, uint64_t *value)
{
	struct config_rec rec;
	int rc = config_rec_get(t, &(struct config_key){SPAN_STR(name)}, &rec);

	if (rc && rc != -ENOENT)
		return rc;
	*value = rc ? 0 : rec.value;
	return 0;
}

int config_set(struct txn *t, const char *name, uint64_t value)
{
	return config_rec_put(t, &(struct config_key){SPAN_STR(name)}, &(struct config_rec){value});
}

int config_alloc_seq(struct txn *t, uint64_t *seq)
{
	uint64_t next;
	int rc = config_get(t, "next_seq", &next);

	if (rc)
		return rc;
	if (next <= FID_SEQ_NORMAL)
		next = FID_SEQ_NORMAL + 1;
	if (next > FID_SEQ_MAX)
		return -EOVERFLOW;
	rc = config_set(t, "next_seq", next + 1);
	if (rc)
		return rc;
	*seq = next;
	return 0;
}

int config_next_life(struct txn *t, uint64_t *life)
{
	int rc = config_get(t, "life", life);

	if (rc)
		return rc;
	if (++*life > TRANSNO_LIFE(UINT64_MAX))
		return -EOVERFLOW;
	return config_set(t, "life", *life);
}

static int make_root(struct txn *t, int64_t now)
{
	struct inode_rec root = {
		.attr = {
			.mode = S_IFDIR | 0755,
			.nlink = 2,
			.size = 4096,
			.blocks = 8,
			.atime = now,
			.mtime = now,
			.ctime = now,
			.btime = now,
		},
		.parent = FID_ROOT,
		.next_cookie = DIRENT_FIRST_COOKIE,
	};

	return inode_put(t, &FID_ROOT, &root);
}

int config_init(struct txn *t, int64_t now)
{
	uint64_t version;
	int rc = config_get(t, "schema", &version);

	if (rc)
		return rc;
	if (version == MDS_SCHEMA_VERSION)
		return 0;
	if (version) {
		log_err("mds: the MDT has schema version %" PRIu64 ", this server knows version %d",
			version, MDS_SCHEMA_VERSION);
		return -EINVAL;
	}
	rc = make_root(t, now);
	if (rc == 0)
		rc = config_set(t, "next_seq", FID_SEQ_NORMAL + 1);
	return rc ? rc : config_set(t, "schema", MDS_SCHEMA_VERSION);
}
