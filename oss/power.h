/* SPDX-License-Identifier: Apache-2.0 */
/* power.h - whether a target may have lost what it had answered and not synced, and the numbers of
 * its changes.
 *
 * A file of the target, O/power, has a number, the boot id of the machine that serves it, and
 * whether it was stopped in order. Who starts on the same boot of the same machine finds what the
 * last life wrote, in the page cache, and keeps the number, as after a stop in order; else it gets
 * a new one, and clients send again what they have kept (window.h). Answers to writes and syncs
 * carry it (ost.power).
 *
 * The file also has where the numbers of this life's changes begin, and a mark: up to there all
 * changes are on the disk. Nobody was told a higher number than the mark.
 */
#pragma once
#include "oss/ost.h"

#define POWER_PATH "O/power"

/* ost.power and ost.lost are set, the latter if changes may be missing, and changes are numbered. A
 * full disk is served, too: then the number is a new one. Suspends. */
void power_co_start(struct ost *ost);
/* Nothing is missing any more: a life that follows on this machine finds everything. Suspends. */
void power_co_recovered(struct ost *ost);
/* Syncs everything, and then tells of it. An error is final, see cache_co_sync_all(). Suspends. */
must_check int power_co_sync_all(struct ost *ost);
/* Nothing is served any more: all is synced, and the file says so. Suspends. */
void power_co_stop(struct ost *ost);
