/* SPDX-License-Identifier: Apache-2.0 */
/* store_copy.c - a copy of a store that another process has open; see store.h. */
#include "common/store_int.h"
#include "common/log.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

int store_copy(const char *from, const char *to)
{
	char file[4200];
	MDB_env *env;
	int rc = mdb_env_create(&env);

	if (rc)
		return store_from_mdb(rc);
	rc = mdb_env_open(env, from, MDB_RDONLY, 0600);
	if (rc == 0)
		rc = mdb_env_copy2(env, to, MDB_CP_COMPACT);
	mdb_env_close(env);
	if (rc)
		return store_from_mdb(rc);
	if (snprintf(file, sizeof(file), "%s/data.mdb", to) >= (int)sizeof(file))
		return -ENAMETOOLONG;
	return sync_file(file);
}
