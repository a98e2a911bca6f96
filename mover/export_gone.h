/* SPDX-License-Identifier: Apache-2.0 */
/* export_gone.h - blobs of files that are not there any more. */
#pragma once
#include "mover/job.h"
#include "mover/mover.h"

/* Removes blobs below the prefix that this file system has put (they say of which file), and of
 * which there is no file, link or directory now. Whatever others have put stays, and what is the
 * copy of a file with another path. False: too many errors. Suspends. */
bool gone_co_remove(struct mover *m, struct job *j);
/* What a path below cfg.path leads to, without following links; "": that itself. -ENOENT, -ENOTDIR.
 * Suspends. */
must_check int path_co_find(struct mover *m, const char *path, struct entry *out);
