/* SPDX-License-Identifier: Apache-2.0 */
/* hsm_import.h - an entry of a container beside what the name space has under its name: what is to
 * be done, and doing it. Each entry is decided and done in one transaction, so nobody's change
 * comes in between; doing it again does nothing.
 *
 * A file that is made has no objects: it is released, exists and is archived, as after an archive
 * and a release. One that is there is the container's if it has the row of that blob and that
 * version, and was not changed since. Directories have no versions: those that are there stay as
 * they are, unless the mode says to overwrite. Never suspends.
 */
#pragma once
#include "mds/hsm.h"
#include "mds/ns.h"

struct hsm_queue;

enum import_todo {
	IMPORT_DO_NOTHING, /* the result says it all */
	IMPORT_DO_MAKE,
	IMPORT_DO_SET,	   /* what is there gets other attributes; no data go */
	IMPORT_DO_REPLACE, /* data that are here go */
};

struct import {
	uint32_t mode, archive;
	const struct ns_env *env;
	const struct open_table *opens;
	const struct hsm_queue *queue;
};

/* A record that a request may have: of a type, and with names, that can be imported. */
bool import_is_sane(const struct mds_import_entry *e);
/* What an entry becomes. r: the result, if it ends well; error is set for one that cannot be done.
 * Errors of the store. */
must_check int import_look(const struct import *im, struct txn *t,
			   const struct mds_import_entry *e, enum import_todo *todo,
			   struct mds_import_result *r);
/* IMPORT_DO_MAKE and IMPORT_DO_SET. Errors of ns_create(). */
must_check int import_do(const struct import *im, struct txn *t, const struct mds_import_entry *e,
			 enum import_todo todo, const struct fid *fid, int64_t now);
/* Stores the version of the container: attributes, the row, and of a file that it is released.
 * ino: as read in t. */
must_check int import_set(struct txn *t, const struct fid *fid, struct inode_rec *ino,
			  const struct mds_import_entry *e, uint32_t archive, int64_t now);
