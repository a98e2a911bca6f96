/* SPDX-License-Identifier: Apache-2.0 */
/* orphans.h - no object without a file: what is on the OSTs' disks against the names. */
#pragma once
#include "tests/sim/cluster.h"

/* Walks the whole name space through a client, waits until the unlink log has had its effect; what
 * is left over then goes to sim_fail(). *files: regular files found, may be NULL. */
must_check int orphans_check(struct cluster *c, uint32_t *files);
