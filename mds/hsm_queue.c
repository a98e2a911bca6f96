/* SPDX-License-Identifier: Apache-2.0 */
/* hsm_queue.c - see hsm_queue.h. */
#include "mds/hsm_queue.h"
#include "mds/evict.h"
#include "mds/state.h"
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

enum {
	ENDED_MAX = 4096, /* remembered */
	MAX_REQUESTS = 64,
	TIMEOUT_S = 3600,
	GRACE_S = 60,
	LINE_MAX_LEN = 512, /* of hsm.actions, without data */
};

int hsm_queue_create(struct mds *m, struct hsm_queue **out)
{
	struct hsm_queue *h = calloc(1, sizeof(*h));
	uint32_t i;

	if (!h)
		return -ENOMEM;
	h->by_cookie = calloc(HSM_BUCKETS, sizeof(*h->by_cookie));
	h->by_fid = calloc(HSM_BUCKETS, sizeof(*h->by_fid));
	if (!h->by_cookie || !h->by_fid || evict_create(m, &h->evict)) {
		free(h->by_cookie);
		free(h->by_fid);
		free(h);
		return -ENOMEM;
	}
	h->m = m;
	h->control = HSM_ENABLED;
	h->max_requests = MAX_REQUESTS;
	h->timeout_s = TIMEOUT_S;
	h->grace_s = GRACE_S;
	h->default_archive = 1;
	for (i = 0; i < HSM_RANKS; i++)
		TAILQ_INIT(&h->waiting[i]);
	TAILQ_INIT(&h->running);
	TAILQ_INIT(&h->ended);
	TAILQ_INIT(&h->movers);
	co_waitq_init(&h->news);
	co_waitq_init(&h->ended_q);
	co_waitq_init(&h->back_q);
	*out = h;
	return 0;
}

void hsm_forget_ranges(struct hsm_work *w)
{
	ranges_free(w->ranges);
	free(w->power);
	w->ranges = NULL;
	w->power = NULL;
	w->nobjects = 0;
	w->trunc_gen = 0;
}

static void work_free(struct hsm_work *w)
{
	hsm_forget_ranges(w);
	free(w->data);
	free(w);
}

static void free_list(struct hsm_list *l)
{
	struct hsm_work *w;

	while ((w = TAILQ_FIRST(l))) {
		TAILQ_REMOVE(l, w, link);
		work_free(w);
	}
}

void hsm_queue_destroy(struct hsm_queue *h)
{
	struct hsm_mover *v;
	uint32_t i;

	for (i = 0; i < HSM_RANKS; i++)
		free_list(&h->waiting[i]);
	free_list(&h->running);
	free_list(&h->ended);
	while ((v = TAILQ_FIRST(&h->movers))) {
		TAILQ_REMOVE(&h->movers, v, link);
		free(v);
	}
	evict_destroy(h->evict);
	free(h->by_cookie);
	free(h->by_fid);
	free(h);
}

/* ---- the queue ---- */

static struct hsm_bucket *of_cookie(const struct hsm_queue *h, uint64_t cookie)
{
	return &h->by_cookie[cookie % HSM_BUCKETS];
}

static struct hsm_bucket *of_fid(const struct hsm_queue *h, const struct fid *fid)
{
	return &h->by_fid[((fid->seq * 31 + fid->oid) * 0x9e3779b97f4a7c15ULL >> 32) % HSM_BUCKETS];
}

static struct hsm_list *list_of(struct hsm_queue *h, const struct hsm_work *w)
{
	return &h->waiting[w->wanted			     ? HSM_WANTED
			   : w->begun			     ? HSM_BEGUN
			   : w->action == HSM_RESTORE ? HSM_RESTORES
							     : HSM_OTHERS];
}

static void insert_waiting(struct hsm_queue *h, struct hsm_work *w)
{
	if (w->wanted || w->begun)
		TAILQ_INSERT_HEAD(list_of(h, w), w, link);
	else
		TAILQ_INSERT_TAIL(list_of(h, w), w, link);
	h->nwaiting++;
	co_wake_all(&h->news);
}

static void remove_waiting(struct hsm_queue *h, struct hsm_work *w)
{
	TAILQ_REMOVE(list_of(h, w), w, link);
	h->nwaiting--;
}

void hsm_want(struct hsm_queue *h, struct hsm_work *w)
{
	if (w->wanted)
		return;
	if (!w->mover)
		remove_waiting(h, w);
	w->wanted = true;
	if (!w->mover)
		insert_waiting(h, w);
}

static void put_in(struct hsm_queue *h, struct hsm_work *w)
{
	insert_waiting(h, w);
	LIST_INSERT_HEAD(of_cookie(h, w->cookie), w, of_cookie);
	LIST_INSERT_HEAD(of_fid(h, &w->fid), w, of_fid);
}

static void take_out(struct hsm_queue *h, struct hsm_work *w)
{
	hsm_take_back(h, w);
	remove_waiting(h, w);
	LIST_REMOVE(w, of_cookie);
	LIST_REMOVE(w, of_fid);
}

static struct hsm_work *work_new(struct hsm_queue *h, uint64_t cookie, const struct hsmwork_rec *r)
{
	struct hsm_work *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->data = strndup((const char *)r->data.ptr, r->data.len);
	if (!w->data) {
		free(w);
		return NULL;
	}
	w->cookie = cookie;
	w->fid = r->fid;
	w->action = r->action;
	w->archive = r->archive;
	w->asked = r->asked;
	w->since_ns = loop_now(h->m->loop);
	put_in(h, w);
	return w;
}

static int load_row(void *arg, const struct hsmwork_key *k, const struct hsmwork_rec *v)
{
	struct hsm_queue *h = arg;

	if (k->cookie >= h->next_cookie)
		h->next_cookie = k->cookie + 1;
	if (!v)
		return 0; /* damaged, and in the log: it is asked for again by who misses it */
	return work_new(h, k->cookie, v) ? 0 : -ENOMEM;
}

int hsm_queue_start(struct hsm_queue *h)
{
	struct txn *t;
	bool in_batch;
	int rc = store_read(h->m->store, &t, &in_batch);

	/* Cookies of the last life that were done: a mover may still speak of them. */
	h->next_cookie = max_u64((uint64_t)h->m->started_real_ns / 1000, 1);
	evict_start(h->evict);
	return rc ? rc : hsmwork_rec_walk(t, &(struct hsmwork_key){0}, load_row, h);
}

struct hsm_work *hsm_find(const struct hsm_queue *h, uint64_t cookie)
{
	struct hsm_work *w;

	LIST_FOREACH(w, of_cookie(h, cookie), of_cookie)
	if (w->cookie == cookie)
		return w;
	return NULL;
}

struct hsm_work *hsm_find_file(const struct hsm_queue *h, const struct fid *fid)
{
	struct hsm_work *w;

	LIST_FOREACH(w, of_fid(h, fid), of_fid)
	if (fid_eq(&w->fid, fid))
		return w;
	return NULL;
}

const struct hsm_work *hsm_find_ended(const struct hsm_queue *h, const struct fid *fid)
{
	const struct hsm_work *w;

	TAILQ_FOREACH_REVERSE(w, &h->ended, hsm_list, link)
	if (fid_eq(&w->fid, fid))
		return w;
	return NULL;
}

static void add_undo(struct mds *m, void *arg)
{
	struct hsm_work *w = hsm_find(m->hsm, *(uint64_t *)arg);

	if (!w)
		return;
	take_out(m->hsm, w);
	work_free(w);
}

static int if_lost(struct mds *m, void (*fn)(struct mds *m, void *arg), uint64_t cookie)
{
	uint64_t *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = cookie;
	return op_undo(m, fn, copy);
}

int hsm_add(struct hsm_queue *h, struct txn *t, const struct hsmwork_rec *what, uint64_t *cookie)
{
	uint64_t c = h->next_cookie++;
	struct hsm_work *w;
	int rc = hsmwork_rec_put(t, &(struct hsmwork_key){c}, what);

	if (rc)
		return rc;
	w = work_new(h, c, what);
	rc = w ? if_lost(h->m, add_undo, c) : -ENOMEM;
	if (rc) {
		if (w) {
			take_out(h, w);
			work_free(w);
		}
		(void)!hsmwork_rec_del(t, &(struct hsmwork_key){c});
		return rc;
	}
	*cookie = c;
	return 0;
}

static void end_undo(struct mds *m, void *arg)
{
	struct hsm_queue *h = m->hsm;
	struct hsm_work *w;

	TAILQ_FOREACH(w, &h->ended, link)
	if (w->cookie == *(uint64_t *)arg)
		break;
	if (!w)
		return;
	TAILQ_REMOVE(&h->ended, w, link);
	h->nended--;
	w->ended = false;
	put_in(h, w);
}

static void forget_ended(struct hsm_queue *h)
{
	struct hsm_work *w = TAILQ_FIRST(&h->ended);

	TAILQ_REMOVE(&h->ended, w, link);
	h->nended--;
	work_free(w);
}

int hsm_end(struct hsm_queue *h, struct txn *t, struct hsm_work *w, int error)
{
	int rc = hsmwork_rec_del(t, &(struct hsmwork_key){w->cookie});
	struct hsm_mover *v;

	if (rc && rc != -ENOENT)
		return rc;
	rc = if_lost(h->m, end_undo, w->cookie);
	if (rc)
		return rc;
	TAILQ_FOREACH(v, &h->movers, link)
	if (v->client == w->mover) {
		v->ok += !error;
		v->errors += error != 0;
	}
	take_out(h, w);
	w->ended = true;
	w->error = error;
	co_wake_all(&h->ended_q);
	co_wake_all(&h->back_q);
	TAILQ_INSERT_TAIL(&h->ended, w, link);
	if (++h->nended > ENDED_MAX)
		forget_ended(h);
	return 0;
}

/* ---- movers ---- */

void hsm_give(struct hsm_queue *h, struct hsm_work *w, struct hsm_mover *v)
{
	remove_waiting(h, w);
	TAILQ_INSERT_TAIL(&h->running, w, link);
	h->nrunning++;
	v->current++;
	w->begun = true;
	w->mover = v->client;
	w->moved = 0;
	w->since_ns = loop_now(h->m->loop);
}

void hsm_take_back(struct hsm_queue *h, struct hsm_work *w)
{
	struct hsm_mover *v;

	if (!w->mover)
		return;
	TAILQ_FOREACH(v, &h->movers, link)
	if (v->client == w->mover)
		v->current--;
	TAILQ_REMOVE(&h->running, w, link);
	h->nrunning--;
	w->mover = NULL;
	w->told = false;
	hsm_forget_ranges(w);
	w->since_ns = loop_now(h->m->loop);
	insert_waiting(h, w);
	co_wake_all(&h->back_q); /* who waits for a part of it waits for the next mover */
}

void hsm_tidy(struct hsm_queue *h)
{
	uint64_t now = loop_now(h->m->loop);
	struct hsm_work *w, *next;
	char text[FID_STRLEN];

	for (w = TAILQ_FIRST(&h->running); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (now - w->since_ns < h->timeout_s * (uint64_t)NSEC_PER_SEC)
			continue;
		log_err("%s: %s of %s: its mover has not got on for %u s: another gets it",
			h->m->name, hsm_action_name(w->action), fid_str(&w->fid, text),
			h->timeout_s);
		hsm_take_back(h, w);
	}
	while ((w = TAILQ_FIRST(&h->ended)) &&
	       now - w->since_ns > h->grace_s * (uint64_t)NSEC_PER_SEC)
		forget_ended(h);
}

struct hsm_mover *hsm_mover_of(struct hsm_queue *h, struct client *c)
{
	struct hsm_mover *v;

	TAILQ_FOREACH(v, &h->movers, link)
	if (v->client == c)
		return v;
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->client = c;
	TAILQ_INSERT_TAIL(&h->movers, v, link);
	return v;
}

void hsm_client_gone(struct hsm_queue *h, const struct client *c)
{
	struct hsm_work *w, *next;
	struct hsm_mover *v;

	TAILQ_FOREACH(v, &h->movers, link)
	if (v->client == c)
		break;
	if (!v)
		return;
	for (w = TAILQ_FIRST(&h->running); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->mover == c)
			hsm_take_back(h, w);
	}
	TAILQ_REMOVE(&h->movers, v, link);
	free(v);
}

/* ---- parameters ---- */

const char *hsm_action_name(uint32_t action)
{
	switch (action) {
	case HSM_ARCHIVE:
		return "ARCHIVE";
	case HSM_RESTORE:
		return "RESTORE";
	case HSM_REMOVE:
		return "REMOVE";
	case HSM_CANCEL:
		return "CANCEL";
	default:
		return "NOOP";
	}
}

static const char *status_of(const struct hsm_work *w)
{
	if (w->ended)
		return w->error == -ECANCELED ? "CANCELED" : w->error ? "FAILED" : "SUCCEED";
	return w->mover ? "STARTED" : "WAITING";
}

static void put_work(struct wbuf *out, const struct hsm_work *w, bool *first)
{
	char text[FID_STRLEN];

	fid_str(&w->fid, text);
	text_put(out,
		 "%sfid=%s dfid=%s compound/cookie=0x0/0x%" PRIx64
		 " action=%s archive#=%u flags=0x0 extent=0x0-0xffffffffffffffff gid=0x0"
		 " datalen=%zu status=%s data=[%s]",
		 *first ? "" : "\n", text, text, w->cookie, hsm_action_name(w->action), w->archive,
		 strlen(w->data), status_of(w), w->data);
	*first = false;
}

/* As many of a list as there is room for; the rest is counted. */
static void put_list(struct wbuf *out, const struct hsm_work *w, bool back, bool *first,
		     uint32_t *more)
{
	for (; w; w = back ? TAILQ_PREV(w, hsm_list, link) : TAILQ_NEXT(w, link)) {
		if (out->len + LINE_MAX_LEN + HSM_DATA_MAX < MAX_PARAM_TEXT / 2)
			put_work(out, w, first);
		else
			++*more;
	}
}

static int get_actions(void *arg, struct wbuf *out)
{
	struct hsm_queue *h = arg;
	uint32_t more = 0, i;
	bool first = true;

	hsm_tidy(h);
	put_list(out, TAILQ_FIRST(&h->running), false, &first, &more);
	for (i = 0; i < HSM_RANKS; i++)
		put_list(out, TAILQ_FIRST(&h->waiting[i]), false, &first, &more);
	put_list(out, TAILQ_LAST(&h->ended, hsm_list), true, &first, &more);
	if (more)
		text_put(out, "\n... and %u more", more);
	return out->rc;
}

static int get_active(void *arg, struct wbuf *out)
{
	struct hsm_queue *h = arg;
	const struct hsm_work *w;
	bool first = true;

	TAILQ_FOREACH(w, &h->running, link)
	put_work(out, w, &first);
	return out->rc;
}

static int get_agents(void *arg, struct wbuf *out)
{
	const struct hsm_queue *h = arg;
	const struct hsm_mover *v;
	char text[UUID_STRLEN];
	bool first = true;
	uint32_t i, n;

	TAILQ_FOREACH(v, &h->movers, link) {
		text_put(out, "%suuid=%s archive_id=", first ? "" : "\n",
			 uuid_str(v->client->uuid, text));
		if (v->archives == UINT32_MAX)
			text_put(out, "ANY");
		for (i = n = 0; i < HSM_ARCHIVES && v->archives != UINT32_MAX; i++)
			if (v->archives & 1U << i)
				text_put(out, "%s%u", n++ ? "," : "", i + 1);
		text_put(out, " requests=[current:%u ok:%" PRIu64 " errors:%" PRIu64 "]",
			 v->current, v->ok, v->errors);
		first = false;
	}
	return out->rc;
}

static int get_control(void *arg, struct wbuf *out)
{
	static const char *const names[] = {"stopped", "disabled", "enabled"};

	return text_put(out, "%s", names[((struct hsm_queue *)arg)->control]);
}

/* Work that failed is not done again by itself; asking for that is refused. */
static int get_policy(void *arg, struct wbuf *out)
{
	bool on = ((struct hsm_queue *)arg)->nonblocking;

	return text_put(out, "%sNonBlockingRestore%s [NoRetryAction]", on ? "[" : "",
			on ? "]" : "");
}

/* "NBR" or "" as a whole, "+NBR" and "-NBR" by one. */
static int set_policy(void *arg, const char *value)
{
	struct hsm_queue *h = arg;
	char sign = value[0] == '+' || value[0] == '-' ? *value++ : 0;
	bool nbr = strcasecmp(value, "NBR") == 0 || strcasecmp(value, "NonBlockingRestore") == 0;
	bool nra = strcasecmp(value, "NRA") == 0 || strcasecmp(value, "NoRetryAction") == 0;

	if ((!nbr && !nra && *value) || (nra && sign == '-') || (!*value && sign))
		return -EINVAL;
	if (nbr || !sign)
		h->nonblocking = nbr && sign != '-';
	return 0;
}

/* What waits is forgotten, what runs is given up. */
static int purge(struct hsm_queue *h)
{
	struct hsm_work *w, *next;
	struct txn *t;
	uint32_t i;
	int rc = store_write(h->m->store, &t);

	for (i = 0; i < HSM_RANKS; i++)
		for (w = TAILQ_FIRST(&h->waiting[i]); w && rc == 0; w = next) {
			next = TAILQ_NEXT(w, link);
			rc = hsm_end(h, t, w, -ECANCELED);
		}
	TAILQ_FOREACH(w, &h->running, link)
	w->canceled = true;
	co_wake_all(&h->news);
	return rc;
}

static int set_control(void *arg, const char *value)
{
	struct hsm_queue *h = arg;

	if (strcmp(value, "purge") == 0)
		return purge(h);
	if (strcmp(value, "enabled") == 0)
		h->control = HSM_ENABLED;
	else if (strcmp(value, "disabled") == 0)
		h->control = HSM_DISABLED;
	else if (strcmp(value, "shutdown") == 0)
		h->control = HSM_STOPPED;
	else
		return -EINVAL;
	co_wake_all(&h->news);
	return 0;
}

static int add(struct hsm_queue *h, const char *mdt, const char *name, param_get_fn *get,
	       param_set_fn *set)
{
	char full[MAX_PARAM_NAME + 1];

	snprintf(full, sizeof(full), "%s.%s", mdt, name);
	return param_add(h->m->params, full, get, set, h);
}

static int add_u32(struct hsm_queue *h, const char *mdt, const char *name, uint32_t *v,
		   uint32_t min, uint32_t max)
{
	char full[MAX_PARAM_NAME + 1];

	snprintf(full, sizeof(full), "%s.%s", mdt, name);
	return param_add_u32(h->m->params, full, v, min, max);
}

int hsm_queue_params(struct hsm_queue *h, const char *mdt)
{
	int rc = add(h, mdt, "hsm_control", get_control, set_control);

	if (rc == 0)
		rc = add(h, mdt, "hsm.policy", get_policy, set_policy);
	if (rc == 0)
		rc = add(h, mdt, "hsm.actions", get_actions, NULL);
	if (rc == 0)
		rc = add(h, mdt, "hsm.active_requests", get_active, NULL);
	if (rc == 0)
		rc = add(h, mdt, "hsm.agents", get_agents, NULL);
	if (rc == 0)
		rc = add_u32(h, mdt, "hsm.max_requests", &h->max_requests, 1, 1U << 16);
	if (rc == 0)
		rc = add_u32(h, mdt, "hsm.active_request_timeout", &h->timeout_s, 1, 1U << 20);
	if (rc == 0)
		rc = add_u32(h, mdt, "hsm.grace_delay", &h->grace_s, 0, 1U << 20);
	if (rc == 0)
		rc = add_u32(h, mdt, "hsm.default_archive_id", &h->default_archive, 1,
			     HSM_ARCHIVES);
	return rc ? rc : evict_params(h->evict, mdt);
}
