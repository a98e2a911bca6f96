/* SPDX-License-Identifier: Apache-2.0 */
/* settle.h - what is left to do when a file is closed or a client is gone; see settle.c. */
#pragma once
#include "common/base.h"
#include "common/fid.h"

struct mds;
struct settle;

must_check int settle_create(struct mds *m, struct settle **out);
void settle_destroy(struct settle *s);
/* Looks at the file soon: measures it if its size is unsure, removes it if it has no name. */
void settle_add(struct settle *s, const struct fid *fid);
/* Queues what earlier lives left. */
must_check int settle_last_life(struct settle *s);
/* Begins nothing more; what is under way ends when its OSTs answer, or are stopped. */
void settle_stop(struct settle *s);
void settle_co_stop(struct settle *s);
/* Files that are queued or worked on. */
uint32_t settle_pending(const struct settle *s);
