/* SPDX-License-Identifier: Apache-2.0 */
/* death.h - a client machine disappears: what it held is given back, and hurts nobody for long. */
#pragma once
#include "tests/sim/cluster.h"

/* Client 1 dies with open, unlinked, written and locked files; client 0 must get at all of it;
 * client 1 comes back and finds that it was evicted. restart: the MDS is started again right after
 * the death; power: its machine is, so that the dead one's last changes are only there because
 * client 0 has opened the newest of its files. What is wrong goes to sim_fail(). */
void death_run(struct cluster *c, bool restart, bool power);
