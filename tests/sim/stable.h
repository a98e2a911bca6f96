/* SPDX-License-Identifier: Apache-2.0 */
/* stable.h - machines of OSTs lose their power: what fsync has promised is there, and fsync
 * promises nothing that was lost. */
#pragma once
#include "tests/sim/cluster.h"

/* Client 0 writes files and syncs some of them, or waits until the OSTs have made all stable by
 * themselves; then an OSS loses its power, and all files are read. What is wrong goes to
 * sim_fail().
 */
void stable_run(struct cluster *c);
