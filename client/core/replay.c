/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - see replay.h: the list. Who sends it, and when, is replay_run.c's
 * business. */
#include "client/core/replay.h"
#include <stdlib.h>

void replay_init(struct replay *r)
{
	*r = (struct replay){0};
	pthread_mutex_init(&r->lock, NULL);
	TAILQ_INIT(&r->list);
	xwait_init(&r->wait_q);
}

static void drop(struct replay *r, struct kept_req *q)
{
	TAILQ_REMOVE(&r->list, q, link);
	r->n--;
	r->bytes -= sizeof(*q) + q->k.body_len;
	free(q);
}

void replay_fini(struct replay *r)
{
	(void)replay_drop_all(r);
	pthread_mutex_destroy(&r->lock);
}

/* Answers of several lanes come in any order, but hardly ever far apart. */
static void insert(struct replay *r, struct kept_req *q)
{
	struct kept_req *at = TAILQ_LAST(&r->list, kept_reqs);

	while (at && at->k.transno > q->k.transno)
		at = TAILQ_PREV(at, kept_reqs, link);
	if (at)
		TAILQ_INSERT_AFTER(&r->list, at, q, link);
	else
		TAILQ_INSERT_HEAD(&r->list, q, link);
	r->n++;
	r->bytes += sizeof(*q) + q->k.body_len;
}

static struct kept_req *copy_of(const struct msg *req, const struct msg *rep)
{
	uint32_t len = req->h.body_len, reply_len = rep->h.body_len;
	struct kept_req *q = malloc(sizeof(*q) + len + reply_len);

	if (!q)
		return NULL;
	*q = (struct kept_req){
		.k =
			{
				.rpc = req->h.rpc,
				.slot = req->h.slot,
				.xid = req->h.xid,
				.transno = rep->h.transno,
				.time = rep->h.time,
				.body = q->body,
				.body_len = len + reply_len,
				.reply_len = reply_len,
			},
		.covered_by = rep->h.transno,
	};
	memcpy(q->body, req->body, len);
	if (reply_len)
		memcpy(q->body + len, rep->body, reply_len);
	return q;
}

/* Everything behind what is not covered has a later number. */
static void release(struct replay *r)
{
	struct kept_req *q;

	while ((q = TAILQ_FIRST(&r->list)) && transno_covered(q->covered_by, r->committed))
		drop(r, q);
}

static bool must_keep(const struct msg *req, const struct msg *rep)
{
	return rep->h.transno && rep->h.status == 0 && req->h.slot &&
	       req->h.body_len + rep->h.body_len <= MAX_BODY &&
	       !transno_covered(rep->h.transno, rep->h.last_committed);
}

void replay_heard(struct replay *r, const struct msg *req, const struct msg *rep)
{
	struct kept_req *q = must_keep(req, rep) ? copy_of(req, rep) : NULL;

	if (!q && !rep->h.last_committed)
		return;
	pthread_mutex_lock(&r->lock);
	if (q)
		insert(r, q);
	if (rep->h.last_committed > r->committed) {
		r->committed = rep->h.last_committed;
		release(r);
	}
	pthread_mutex_unlock(&r->lock);
}

bool replay_has_room(struct replay *r)
{
	bool room;

	pthread_mutex_lock(&r->lock);
	room = r->n < REPLAY_MAX && r->bytes < REPLAY_MAX_BYTES;
	pthread_mutex_unlock(&r->lock);
	return room;
}

void replay_drop_until(struct replay *r, uint64_t transno)
{
	struct kept_req *q;

	pthread_mutex_lock(&r->lock);
	while ((q = TAILQ_FIRST(&r->list)) && q->k.transno <= transno)
		drop(r, q);
	pthread_mutex_unlock(&r->lock);
}

uint32_t replay_drop_all(struct replay *r)
{
	struct kept_req *q;
	uint32_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	r->nlost += n;
	while ((q = TAILQ_FIRST(&r->list)))
		drop(r, q);
	pthread_mutex_unlock(&r->lock);
	return n;
}

struct kept_req *replay_next(struct replay *r, uint64_t after)
{
	struct kept_req *q;

	pthread_mutex_lock(&r->lock);
	TAILQ_FOREACH(q, &r->list, link)
	if (q->k.transno > after)
		break;
	pthread_mutex_unlock(&r->lock);
	return q;
}

void replay_done(struct replay *r, struct kept_req *q, uint64_t transno)
{
	pthread_mutex_lock(&r->lock);
	if (transno) {
		q->covered_by = transno;
		r->ndone++;
		release(r);
	} else {
		drop(r, q);
		r->nlost++;
	}
	pthread_mutex_unlock(&r->lock);
}
