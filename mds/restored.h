/* SPDX-License-Identifier: Apache-2.0 */
/* restored.h - an MDT that was restored from a backup.
 *
 * Since the backup it may have given sequences of FIDs to clients, and objects of files that it
 * does not remember may have such FIDs. So a file db/restored, which sheenctl restore makes, lets
 * it skip as many sequences as it cannot have given out. Start-up only.
 */
#pragma once
#include "mds/schema.h"

/* Skips, if the file is there: before anything is served. */
must_check int restored_skip(struct txn *t, const char *dir);
/* That is on the disk: the file goes. */
void restored_done(const char *dir);
