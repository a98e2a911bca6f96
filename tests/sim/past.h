/* SPDX-License-Identifier: Apache-2.0 */
/* past.h - what is over must not come back, and what was answered must stay. */
#pragma once
#include "tests/sim/cluster.h"

/* Rounds with client 0, and client 1, which is often cut off: leases after their term, bytes that
 * were read ahead or written behind before somebody else had the file, names that were answered by
 * an MDS whose process or machine then dies. What is wrong goes to sim_fail(). */
void past_run(struct cluster *c);
