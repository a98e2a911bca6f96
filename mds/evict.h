/* SPDX-License-Identifier: Apache-2.0 */
/* evict.h - when the OSTs are full, data that the archive has go.
 *
 * If more than hsm.release_high percent of their space are used, the MDS looks through the files
 * that are archived as they are, and has those released that were not used for longest, until
 * hsm.release_low percent are. It is movers who do that, like any client (mds_hsm_request): so what
 * may be released, and how, stands in one place. One loop; nothing here suspends.
 */
#pragma once
#include "mds/schema.h"

struct evict;
struct mds;

must_check int evict_create(struct mds *m, struct evict **out);
void evict_destroy(struct evict *e);
/* Adds parameters of the MDT of this name. */
must_check int evict_params(struct evict *e, const char *mdt);
/* Looks at the space from now on, every few seconds. */
void evict_start(struct evict *e);
/* A file that a mover is to have released; each is told once. False: there is none. */
bool evict_next(struct evict *e, struct fid *fid);
/* For tests: looks now, all at once; the parts of the OSTs' space are given. */
void evict_look(struct evict *e, uint64_t total, uint64_t used);
