/* SPDX-License-Identifier: Apache-2.0 */
/* known.h - the clients of a target that may have written what is not stable yet, in a file: after
 * a loss of power they are waited for (window.h), as they have it and send it again.
 *
 * O/clients has a line for each, of one length: the client's uuid in hex and its name; a blank line
 * is free. A client's line is on the disk before its first change is answered. It goes when its
 * session ends.
 *
 * One loop. Functions with co_ suspend.
 */
#pragma once
#include "oss/ost.h"

#define KNOWN_PATH "O/clients"

struct known_client {
	uint8_t uuid[UUID_LEN];
	char name[64];
	bool used, stored;
	bool old; /* of an earlier life, and not heard of in this one */
};

struct known;

/* Reads what the last life has left; lines that are none are free. 0, -ENOMEM, or what the disk
 * says: then nobody is known. */
must_check int known_co_open(struct ost *ost, struct known **out);
/* NULL: it was not opened. */
void known_close(struct known *k);
/* They are numbered from 0 to n - 1; used says which count. Valid until the next call with co_. */
const struct known_client *known_all(const struct known *k, uint32_t *n);
/* The peer of the session is among them, on the disk. Also for what the disk says. */
must_check int known_co_enter(struct known *k, const struct rpc_session *ses);
/* Its session has ended. Without a sync: it may be waited for in vain. */
void known_co_leave(struct known *k, const uint8_t uuid[UUID_LEN]);
/* Whoever was not heard of in this life is not known any more. */
void known_co_forget_old(struct known *k);
