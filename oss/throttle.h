/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.h - a target's limit of bytes a second: requests wait in their fibers until rate.h lets
 * them go. Off unless obdfilter.*.rate_limit_mb is set, and then it costs one comparison.
 *
 * One loop, except for the parameters, which any thread reads and sets.
 */
#pragma once
#include "common/co.h"
#include "oss/rate.h"

struct params;
struct throttle;

/* Adds the parameters of target `name`, which must stay, if there are params. -ENOMEM or what
 * param_add() says. */
must_check int throttle_create(struct loop *l, struct params *ps, const char *name,
			       struct throttle **out);
/* Nothing waits. */
void throttle_destroy(struct throttle *t);
/* Lets everything go, now and from now on; removes the parameters. Suspends. */
void throttle_co_stop(struct throttle *t);
/* So many bytes of a client are to be read or written. 0, -ENOMEM, or -ESTALE: the user left.
 * The session may have ended meanwhile. Suspends. */
must_check int throttle_co_pass(struct throttle *t, struct rate_user *u, uint32_t len);
/* Its requests end with -ESTALE; u may be freed then. */
void throttle_leave(struct throttle *t, struct rate_user *u);

/* "none" or MB (10^6 bytes) a second from 1 to 1000000, with up to three decimals: bytes. -EINVAL,
 * -ERANGE. */
must_check int throttle_parse(const char *text, uint64_t *bps);
