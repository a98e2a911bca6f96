/* SPDX-License-Identifier: Apache-2.0 */
/* append.c - O_APPEND: the end of the file is decided under a lock that all clients share.
 *
 * The lock is at the MDS (LOCK_APPEND, the whole file). Under it the objects tell the size,
 * then the data is written there. The unlock is sent without waiting for its answer: the next
 * taker waits at the MDS anyway.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdlib.h>

enum { STALE_TRIES = 64 };

int append_co_size(struct lane *ln, struct file *f, uint64_t *size)
{
	const struct layout *l;
	struct objs o = {0};
	int rc;

	rc = file_co_layout(ln, f, true, &l);
	if (rc == 0)
		rc = objs_init(&o, l);
	if (rc)
		return rc;
	rc = attr_co_learn(ln, &f->fid, l, &o);
	*size = objs_size(&o, l);
	objs_fini(&o);
	return rc;
}

static struct mds_setlk_req append_lock(struct lane *ln, struct file *f)
{
	struct mds_setlk_req q = {
		.fid = f->fid,
		.space = LOCK_APPEND,
		.type = F_WRLCK,
		.end = UINT64_MAX,
		.wait = 1,
	};

	fs_lock(ln->fs);
	q.owner = ln->fs->next_owner++;
	fs_unlock(ln->fs);
	return q;
}

struct unlock {
	struct lane *ln;
	struct mds_setlk_req q;
};

static void append_unlock(void *arg)
{
	struct unlock *u = arg;
	struct mds_setlk_rep p;
	RPC_CALL(call);
	int rc = mds_co_setlk(u->ln->mdt->imp, &call, &u->q, &p);

	if (rc)
		log_err("cannot give back the append lock: %s", err_str(rc));
	free(u);
}

ssize_t append_co_write(struct lane *ln, struct file *f, const uint8_t *buf, size_t len,
			uint64_t *off)
{
	struct mds_setlk_req q = append_lock(ln, f);
	struct unlock *u = malloc(sizeof(*u));
	struct mds_setlk_rep p;
	uint64_t size = 0;
	ssize_t n;
	int tries, rc;
	RPC_CALL(call);

	if (!u)
		return -ENOMEM;
	rc = mds_co_setlk(ln->mdt->imp, &call, &q, &p);
	if (rc) {
		free(u);
		return rc;
	}
	for (tries = 0, n = -ESTALE; tries < STALE_TRIES && n == -ESTALE; tries++) {
		rc = tries ? file_co_refresh(ln, f) : 0;
		if (rc == 0)
			rc = append_co_size(ln, f, &size);
		if (rc == 0 && size >= MAX_FILE_SIZE)
			rc = -EFBIG;
		n = rc ? rc
		       : io_co_write_once(ln, f, buf, min_u64(len, MAX_FILE_SIZE - size),
					  size);
	}
	q.type = F_UNLCK;
	q.wait = 0;
	*u = (struct unlock){ln, q};
	lane_background(ln, append_unlock, u);
	if (n >= 0)
		*off = size;
	return n == -ESTALE ? -EIO : n;
}
