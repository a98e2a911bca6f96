/* SPDX-License-Identifier: Apache-2.0 */
/* away.h - attributes of the root of the mount while the MDS is away.
 *
 * df(1), lfs df and whatever lists mounts look at the root first. When the MDS has not answered for
 * a second they are told what was there last. Lane's thread.
 */
#pragma once
#include "client/core/fs.h"
#include <pthread.h>

struct flane;

/* As it was told last; under the lock. */
struct root_seen {
	pthread_mutex_t lock;
	struct attr attr;
	bool known;
	uint32_t nleft; /* questions that nobody waits for any more */
};

/* As fs_co_getattr() of the root. */
must_check int away_co_getattr_root(struct flane *fl, struct attr *out);
