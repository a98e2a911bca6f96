/* SPDX-License-Identifier: Apache-2.0 */
/* young.h - sizes that are sure, of files whose objects may not be on the disks of their OSTs yet.
 *
 * When a size becomes sure the file's row of table unsure stays for a minute, by when an OST's
 * machine has written the data by itself. A life of the MDS that begins after a loss of power
 * makes these sizes unsure again, so they are measured: if the OSTs have lost data that nobody
 * synced, the file is as long as what is left of it. Of files that were synced the objects say
 * what the MDT says. */
#pragma once
#include "mds/schema.h"

struct mds;
struct young;

must_check int young_create(struct mds *m, struct young **out);
void young_destroy(struct young *y);
/* The size has been made sure in t. */
must_check int young_add(struct young *y, struct txn *t, const struct fid *fid);
/* Once, before anybody is served. */
must_check int young_start(struct young *y);
/* For tests: so many seconds have gone by. */
void young_age(struct young *y, uint32_t seconds);
/* Forgets no rows: the next life does. */
void young_stop(struct young *y);
