/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - what a run of the simulator did lately, and the first thing that went wrong.
 *
 * One line per operation, in a ring; printed when the run fails, or at once with trace_all.
 */
#pragma once
#include "common/base.h"

void trace_begin(bool all);
void trace(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The run is wrong: the first text is kept. Everybody stops as soon as he can. */
void sim_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
bool sim_failed(void);
/* The failure and the last lines, to stderr. */
void trace_dump(void);
