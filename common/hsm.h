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
#define HSM_NAME_MAX 1024    /* of a name in the archive */
#define HSM_ETAG_MAX 128     /* of its version there */
#define MAX_HSM_WORKERS 16   /* of a mover, at one file */
