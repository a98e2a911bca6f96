/* SPDX-License-Identifier: Apache-2.0 */
/* hsm.h - what an archive has of a file (table hsm).
 *
 * A file without a row was never archived and has no flags. DIRTY is set in the transaction in
 * which the MDS learns that data were written or cut, which is when the size becomes sure again;
 * until then the open writer tells (hsm_is_written()). Pure storage but for that. Spans of a row
 * that was read point into the map. Never suspends.
 */
#pragma once
#include "common/hsm.h"
#include "mds/open.h"
#include "mds/schema.h"

/* *out is all zero for a file without a row. Errors of the store. */
must_check int hsm_get(struct txn *t, const struct fid *fid, struct hsm_rec *out);
/* A row that says nothing is removed. */
must_check int hsm_put(struct txn *t, const struct fid *fid, const struct hsm_rec *rec);
/* The file's data were changed. */
must_check int hsm_wrote(struct txn *t, const struct fid *fid);
/* The inode is removed for good. */
must_check int hsm_forget(struct txn *t, const struct fid *fid);
/* Somebody writes it, or did, and what became of it is not known yet. */
bool hsm_is_written(const struct open_table *opens, const struct fid *fid, const struct attr *a);
