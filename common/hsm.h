/* SPDX-License-Identifier: Apache-2.0 */
/* hsm.h - what an archive has of a file, and what a mover may be asked to do with it: numbers and
 * names are Lustre's (lfs hsm_state, lfs hsm_action).
 */
#pragma once
#include "common/base.h"

enum hsm_flags {
	HSM_EXISTS = 0x1,     /* there may be something in the archive */
	HSM_DIRTY = 0x2,      /* the file was changed since */
	HSM_RELEASED = 0x4,   /* its data are only there */
	HSM_ARCHIVED = 0x8,   /* all of it is there, as it was then */
	HSM_NORELEASE = 0x10, /* its data must stay here */
	HSM_NOARCHIVE = 0x20, /* it must not be archived */
	HSM_LOST = 0x40,      /* what the archive had is gone */
};
#define HSM_USER_FLAGS (HSM_NORELEASE | HSM_NOARCHIVE | HSM_DIRTY) /* an owner may change these */
/* RELEASED nobody sets by hand. */
#define HSM_ALL_FLAGS  (HSM_USER_FLAGS | HSM_EXISTS | HSM_ARCHIVED | HSM_LOST)

enum hsm_action {
	HSM_NOOP = 10,
	HSM_ARCHIVE = 20, /* copy the file to the archive */
	HSM_RESTORE = 21, /* bring the data back */
	HSM_REMOVE = 22,  /* remove the copy */
	HSM_CANCEL = 23,  /* what is under way for the file */
	HSM_RELEASE = 24, /* the data here go, by the MDS itself; not of Lustre */
};

#define HSM_ARCHIVES 32	     /* ids are 1 to 32, as long as they are told as a mask */
#define HSM_DATA_MAX 1024    /* bytes of what a request tells the mover */
#define HSM_DATA_MOVED "moved" /* asks for an archive: the copy may have another name */
#define HSM_NAME_MAX 1024    /* of a name in the archive */
#define HSM_ETAG_MAX 128     /* of its version there */
#define MAX_HSM_WORKERS 16   /* of a mover, at one file */

/* ---- import: entries of a container become names (mds_hsm_import) ---- */

/* What becomes of a file that is there already and is not what the container has; Azure's words. */
enum hsm_import_mode {
	IMPORT_FAIL,		   /* it stays, and the job ends */
	IMPORT_SKIP,		   /* it stays */
	IMPORT_OVERWRITE_IF_DIRTY, /* it becomes the container's, if it was changed here or there */
	IMPORT_OVERWRITE_ALWAYS,   /* the same, and what was not changed is as it was first */
	IMPORT_MODES,
};

enum hsm_import_result {
	IMPORT_MADE,	 /* it was not there */
	IMPORT_SAME,	 /* it was */
	IMPORT_SET,	 /* it was another one, and is the container's now */
	IMPORT_CONFLICT, /* it is another one, and stays */
	IMPORT_ERROR,	 /* see error */
};

/* How what is there differs. */
enum hsm_import_there {
	IMPORT_LOCAL = 1,      /* it did not come from an archive */
	IMPORT_DIRTY = 2,      /* its data were changed here */
	IMPORT_CHANGED = 4,    /* the container has another version, or one of another name */
	IMPORT_OTHER_TYPE = 8, /* no mode replaces a directory by a file, or the like */
};

#define IMPORT_BATCH 1024 /* entries of one request */
