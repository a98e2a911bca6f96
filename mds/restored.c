/* SPDX-License-Identifier: Apache-2.0 */
/* restored.c - see restored.h. */
#include "mds/restored.h"
#include "common/fid.h"
#include "common/limits.h"
#include "common/log.h"
#include "mds/config.h"
#include "mds/orphan.h"
#include "mds/slot.h"
#include <stdio.h>
#include <unistd.h>

enum { SCAN = 64 };

#define SKIP (1ULL << 24) /* each mount takes one, and one more for every 131071 files */

static char *mark(const char *dir, char path[MAX_PATH + 16])
{
	snprintf(path, MAX_PATH + 16, "%s/restored", dir);
	return path;
}

/* It is mounted nowhere: the clients of that time need not be waited for. */
static int forget_clients(struct txn *t)
{
	uint8_t uuid[UUID_LEN] = {0};
	int rc;

	while ((rc = slot_next_client(t, uuid, uuid)) == 0) {
		rc = slot_del_client(t, uuid);
		if (rc)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

/* Sizes that were young then are not measured (young.h): of a file that was removed since nothing
 * would be left, and it has to be seen that its data are gone. */
static int forget_young(struct txn *t)
{
	struct fid from = {0}, found[SCAN];
	int i, n, rc = 0;

	do {
		n = unsure_list(t, &from, found, SCAN);
		for (i = 0; rc == 0 && i < n; i++)
			if (!unsure_still(t, &found[i]))
				rc = unsure_del(t, &found[i]);
		if (n > 0)
			from = found[n - 1];
	} while (rc == 0 && n == SCAN);
	return n < 0 ? n : rc;
}

int restored_skip(struct txn *t, const char *dir)
{
	char path[MAX_PATH + 16];
	uint64_t next;
	int rc;

	if (access(mark(dir, path), F_OK))
		return 0;
	rc = config_get(t, "next_seq", &next);
	if (rc == 0 && next > FID_SEQ_MAX - SKIP)
		rc = -EOVERFLOW;
	if (rc)
		return rc;
	log_warn("mds: this MDT was restored from a backup: run lctl lfsck_start");
	rc = config_set(t, "next_seq", next + SKIP);
	if (rc == 0)
		rc = forget_young(t);
	return rc ? rc : forget_clients(t);
}

void restored_done(const char *dir)
{
	char path[MAX_PATH + 16];

	if (unlink(mark(dir, path)) && errno != ENOENT)
		log_err("mds: %s cannot be removed: %s", path, err_str(-errno));
}
