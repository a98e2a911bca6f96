/* SPDX-License-Identifier: Apache-2.0 */
/* export.h - the export job: what is new or changed below a directory goes to the container.
 *
 * One fiber walks the tree, others look at each file and have it archived by the coordinator
 * (mds_hsm_request) if data, attributes or the path are others than the copy's; movers do that,
 * and whatever changes meanwhile stays dirty and is tried again. What was renamed comes first, in
 * walks of their own: its blob may be the only copy, and another file may have the old name.
 * Directories are put by the job, over nothing that holds data. Last, if so asked, blobs go that
 * this file system has put and of which there is no file any more.
 * Nothing is remembered: what was exported by a job that was killed is found unchanged.
 *
 * On the thread of the mover; functions with co_ in their name suspend.
 */
#pragma once
#include "mover/job.h"
#include "mover/mover.h"

/* To the end, or until m->stopping; and ends the job then, with job_co_end(). */
void export_co_run(struct mover *m, struct job *j);
