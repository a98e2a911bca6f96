/* SPDX-License-Identifier: Apache-2.0 */
/* recovery.h - clients of the last life of the MDS, and what is waited for because of them; see
 * recovery.c. One loop; nothing here suspends.
 */
#pragma once
#include "common/buf.h"
#include "common/fid.h"
#include "common/loop.h"

struct client;
struct mds;

/* Clients of the last life: all, those that are here, those that have told what they held. */
struct recovery_count {
	uint32_t known, here, back;
};

struct recovery {
	struct loop_timer window, data, news;
	bool data_open; /* who is not back counts as dead: leases on data are given */
	uint32_t known;	   /* clients of the last life */
	uint32_t missing;  /* of them, those that are not back */
	uint32_t unopened; /* that have not told what they have open */
	bool aborted;
	struct recovery_count at_end;
	uint64_t took_ns;
};

/* term_ns: of leases. */
void recovery_start(struct mds *m, uint64_t term_ns);
void recovery_stop(struct mds *m);
/* A client has told all that it held, or that it has done everything again; or it has gone. When
 * there are very many, what follows from the former is found out a moment later, for many at once.
 */
void recovery_client_news(struct mds *m, bool gone);
/* Ends it now; who is not back is evicted. */
void recovery_abort(struct mds *m);
/* Another client than c may still have leases of the last life: any, or such under which it writes
 * this file. */
bool recovery_others_missing(struct mds *m, const struct client *c);
bool recovery_others_write(struct mds *m, const struct client *c, const struct fid *fid);
/* As Lustre's recovery_status. */
int recovery_status(struct mds *m, struct wbuf *w);
