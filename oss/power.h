/* SPDX-License-Identifier: Apache-2.0 */
/* power.h - whether a target may have lost what it had answered and not synced.
 *
 * A file of the target, O/power, has a number, the boot id of the machine that serves it, and
 * whether it was stopped in order. Who starts on the same boot of the same machine finds what the
 * last life wrote, in the page cache, and keeps the number, as after a stop in order; else it gets
 * a new one. Answers to writes and syncs carry it (ost.power), so clients know what fsync must not
 * promise.
 */
#pragma once
#include "oss/ost.h"

#define POWER_PATH "O/power"

/* ost.power is set; to a new number if the file cannot be read or written: a full disk is served,
 * too. Suspends. */
void power_co_start(struct ost *ost);
/* Nothing is served any more: all is synced, and the file says so. Suspends. */
void power_co_stop(struct ost *ost);
