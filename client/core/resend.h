/* SPDX-License-Identifier: Apache-2.0 */
/* resend.h - what OSTs have answered and is not stable yet; see resend.c. On the lane's thread; co_
 * suspends. */
#pragma once
#include "client/core/core.h"

void resend_init(struct target *t);
/* Before bytes are written: waits while too much is kept. */
void resend_co_room(struct target *t, uint64_t len);
/* A change was answered: kept until it is stable. q: all but its number. bytes: where iov points
 * into, NULL: they are copied. */
void resend_co_keep(struct target *t, const struct wire_hdr *h, const struct oss_again_req *q,
		    uint64_t written_ns, struct bytes *bytes, const struct iovec *iov,
		    uint32_t niov);
/* An answer of the OST has come. */
void resend_heard(struct target *t, uint64_t stable);
/* It has begun a new life, or forgotten this client. */
void resend_co_restart(struct target *t, struct rpc_import *imp);
/* All that this lane has kept is asked to be made stable. */
void resend_press(struct lane *ln);
void resend_fini(struct target *t);
