/* SPDX-License-Identifier: Apache-2.0 */
/* flush.h - the flusher of a target: makes what was answered stable in the background, every
 * obdfilter.*.stable_ms, with one sync of the whole file system below, in a thread: requests go on.
 *
 * One fiber on the target's loop. While nothing changes it sleeps.
 */
#pragma once
#include "oss/ost.h"

#define STABLE_MS 5000 /* as often as Lustre's OSTs commit */

struct flush;

must_check int flush_start(struct ost *ost, struct flush **out);
/* What was answered before is stable afterwards, without waiting for the pace; those who ask
 * meanwhile share a sync. -ESHUTDOWN, or what the disk says: final. Suspends. */
must_check int flush_co_now(struct flush *f);
/* Waits for a sync that is on its way. NULL: it was not started. Suspends. */
void flush_co_stop(struct flush *f);
