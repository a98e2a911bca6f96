/* SPDX-License-Identifier: Apache-2.0 */
/* import.h - the import job: what a container has becomes the name space below a directory: names
 * and attributes only; data come when somebody reads them.
 *
 * Several listers (fibers) list at once. Each takes a prefix and lists it page by page, one level;
 * the prefixes below go to the others as long as these want some, and are listed without levels by
 * the lister itself else, so that few requests are made for many small directories, and none is
 * idle while one has a large tree. Memory: a bounded number of prefixes, and two pages for each
 * lister, whatever the container has.
 *
 * Where all stand is kept as the job's marker: the prefixes that are not done, with the place in
 * each up to which everything was answered by the MDS. A job that was killed makes the page again
 * that it was at, which changes nothing.
 *
 * On the thread of the mover; functions with co_ in their name suspend.
 */
#pragma once
#include "mover/job.h"
#include "mover/mover.h"

struct import_cfg {
	const char *path; /* of the directory; made if it is not there */
	uint32_t mode;	  /* enum hsm_import_mode */
	uint32_t archive;
	/* Of what the container does not tell. */
	uint32_t uid, gid, file_mode, dir_mode;
	uint32_t listers; /* 0: IMPORT_LISTERS */
};
#define IMPORT_LISTERS 8

/* To the end, or until m->stopping; and ends the job then, with job_co_end(). */
void import_co_run(struct mover *m, struct job *j, const struct import_cfg *cfg);
