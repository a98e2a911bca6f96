/* SPDX-License-Identifier: Apache-2.0 */
/* ost_kept.h - what the MDS has changed at an OST that need not be on its disk yet: truncations,
 * fences, removed objects. They are kept until they are stable, and done again, among what clients
 * send again, when the OST's machine has lost its power.
 *
 * A loss of power of the MDS's own machine at the same time takes them along; docs/reliability.md
 * says what that means. One loop.
 */
#pragma once
#include "common/again.h"

struct ost_kept {
	struct loop *loop;
	const char *name; /* of the OST, for the log */
	struct unstable changes;
	bool busy;
};

void ost_kept_init(struct ost_kept *k, struct loop *l, const char *name);
void ost_kept_fini(struct ost_kept *k);
/* It was answered with this header. req: all but the number. */
void ost_kept_add(struct ost_kept *k, const struct wire_hdr *h, const struct oss_again_req *req);
/* An answer of the OST has come. */
void ost_kept_heard(struct ost_kept *k, uint64_t stable);
/* From on_restart. Suspends. */
void ost_kept_co_restart(struct ost_kept *k, struct rpc_import *imp);
