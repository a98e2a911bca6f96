/* SPDX-License-Identifier: Apache-2.0 */
/* sweep.h - clients that remove files in a row, while others look: names of which somebody was told
 * that they are gone are seen by nobody, all others by everybody. */
#pragma once
#include "tests/sim/cluster.h"

struct sweep;

int sweep_start(struct cluster *cl, uint64_t seed, uint32_t rounds, struct sweep **out);
bool sweep_done(const struct sweep *s);
/* Nothing is left; every client says so. */
void sweep_check(struct sweep *s);
void sweep_free(struct sweep *s);
