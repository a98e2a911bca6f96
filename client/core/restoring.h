/* SPDX-License-Identifier: Apache-2.0 */
/* restoring.h - reading a file whose data are on their way back from the archive.
 *
 * The MDS gives the lease to read at once, and says that the file is released. What is back is read
 * from the objects like any other file; what is not is waited for (mds_hsm_wait), without being in
 * (data_co_enter()), so that nobody who wants the lease waits for it. An OST refuses a read when
 * its object has been emptied for another restore since, or its machine may have lost what the
 * mover wrote: then it is asked anew what is back.
 */
#pragma once
#include "common/fid.h"

struct data;
struct lane;
struct restoring; /* struct data has it: what is known to be back */

/* With the lease comes that the data are (not) all back. d->lock is held. */
void restoring_note(struct data *d, bool released);
/* May the bytes be read? 0 and *gen, for restoring_check(); -EAGAIN: restoring_co_wait() first. */
must_check int restoring_enter(struct data *d, uint64_t off, uint64_t len, uint32_t *gen);
/* Just before an object is read (its index is of objects.h): *gen and *power are for oss_read.
 * -EAGAIN: what was back is not any more. */
must_check int restoring_check(struct data *d, uint32_t *gen, uint32_t object, uint64_t *power);
/* Waits until one byte more of the range is back; after -EAGAIN of the two above or of the OST.
 * len 0: until all of the file is. -EIO: it cannot be brought back; errors of the MDS. */
must_check int restoring_co_wait(struct lane *ln, struct data *d, uint64_t off, uint64_t len);
bool restoring_is_on(struct data *d);
