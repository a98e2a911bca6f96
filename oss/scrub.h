/* SPDX-License-Identifier: Apache-2.0 */
/* scrub.h - the scrubber of a target: reads all objects at a set pace, compares their blocks with
 * the checksums that are stored (seal.h), and stores those that are missing of objects at rest.
 *
 * Each damaged block is told once: in the log and in obdfilter.*.scrub, whether the scrubber or a
 * read meets it. Reads of it give -EIO. One fiber on the target's loop; parameters may be asked for
 * and set on any thread.
 */
#pragma once
#include "oss/ost.h"

#define SCRUB_TOLD 64 /* damaged blocks that are shown */

struct scrub;

must_check int scrub_create(struct ost *ost, struct scrub **out);
/* Its fiber has ended. */
void scrub_destroy(struct scrub *s);
must_check int scrub_start(struct scrub *s);
void scrub_co_stop(struct scrub *s);
/* This block is not what was written. */
void scrub_damage(struct scrub *s, const struct object_id *id, uint64_t block);
