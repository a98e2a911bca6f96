/* SPDX-License-Identifier: Apache-2.0 */
/* again.h - what a client of an OST does when it is back after a restart of that: if the OST's
 * machine has lost its power, what it had not on its disk is sent again (oss/window.h), before the
 * import is used for anything else.
 */
#pragma once
#include "common/rpc.h"
#include "common/unstable.h"

struct again {
	struct loop *loop;
	struct unstable *changes; /* none may go meanwhile, unless `busy` is looked at */
	bool *busy;
	uint32_t lane;
	uint64_t lanes;	 /* a bit for each that has been connected */
	uint64_t power;	 /* of the OST when it had all of these; 0: it has not told */
	bool nocrc;
	/* what came of it */
	uint64_t stable;
	uint32_t sent;
};

/* From on_restart. power is the new one if the OST has it all, even if the connection is lost after
 * that. 0: all that was kept is there again, or was never lost. -ESTALE: the OST has
 * lost it, and it is too late. Other errors: it could not be sent, if the connection still stands.
 * Suspends, until others may use the OST. */
must_check int again_co_restart(struct again *a, struct rpc_import *imp);
