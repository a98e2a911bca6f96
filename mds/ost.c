/* SPDX-License-Identifier: Apache-2.0 */
/* ost.c - the OSTs as the MDS sees them: connection, space, and the objects they have yet to
 * destroy.
 *
 * One struct ost for each OST of the configuration, with two fibers: one asks for its space every
 * few seconds and tells alloc.c, one sends what the unlink log holds for it. An object is
 * destroyed only after the transaction that removed its file is on disk, and its row goes only
 * after the OST has answered.
 */
#include "mds/inode.h"
#include "mds/ost_kept.h"
#include "mds/state.h"
#include "mds/unlinklog.h"
#include <inttypes.h>
#include <stdlib.h>

enum {
	POLL_S = 5,
	POLL_SOON_S = 1,	/* while it does not answer, or is nearly full */
	STATFS_MS = 10000,
	DESTROY_MS = 60000,
	DESTROY_MAX = 512,	/* objects in one request */
	STOP_MS = 2000,
	COMES_S = 20,		/* for the configuration to name it, after a start */
	QUIET_MS = 200,		/* small objects go when no file was removed for so long, */
	LATEST_MS = 3000,	/* or after that, */
	HURRY_BYTES = 64 << 20,	/* or when they are as large as this together */
};

struct ost {
	struct mds *m;
	uint32_t index;
	char name[MAX_TARGET_NAME];
	struct rpc_import *imp; /* NULL while it is stopped */
	struct ost_kept kept;
	bool active;	 /* the admin's switch */
	bool has_stat;
	int error;	 /* of the last statfs */
	struct oss_statfs_rep stat;
	bool stopping;
	bool log_dirty;	 /* the unlink log may have something */
	bool puts_off;	 /* log_fiber waits for a quiet moment */
	uint64_t first_logged_ns, last_logged_ns; /* since the log was empty; 0: nothing */
	uint64_t logged_bytes;
	uint64_t destroyed;
	uint32_t fibers;
	struct co_waitq poll_q, log_q, done_q;
	TAILQ_ENTRY(ost) link;
};

static struct ost *find(struct mds *m, uint32_t index)
{
	struct ost *o;

	TAILQ_FOREACH(o, &m->osts, link)
		if (o->index == index)
			return o;
	return NULL;
}

struct rpc_import *ost_co_import(struct mds *m, uint32_t index)
{
	uint64_t deadline = loop_now(m->loop) + COMES_S * (uint64_t)NSEC_PER_SEC;
	struct ost *o;

	while (!(o = find(m, index)) && !m->stopping)
		if (co_wait(&m->osts_q, deadline) == -ETIMEDOUT)
			break;
	return o ? o->imp : NULL;
}

bool ost_next(struct mds *m, uint32_t *index)
{
	struct ost *o, *best = NULL;

	TAILQ_FOREACH(o, &m->osts, link)
		if (o->index >= *index && (!best || o->index < best->index))
			best = o;
	if (best)
		*index = best->index;
	return best;
}

void ost_logged(struct mds *m, uint32_t index, uint64_t bytes)
{
	struct ost *o = find(m, index);

	if (!o)
		return; /* when it comes, it looks by itself */
	o->log_dirty = true;
	o->last_logged_ns = loop_now(m->loop);
	if (!o->first_logged_ns)
		o->first_logged_ns = o->last_logged_ns;
	o->logged_bytes += min_u64(bytes, HURRY_BYTES);
	if (!o->puts_off || o->logged_bytes >= HURRY_BYTES)
		co_wake_all(&o->log_q);
}

/* ---- space ---- */

/* What alloc.c should know now. */
static void tell_alloc(struct ost *o)
{
	struct alloc_ost *a = alloc_find(&o->m->alloc, o->index);
	uint32_t usable = alloc_usable(&o->m->alloc);

	if (!a)
		return;
	a->known = o->has_stat && o->error == 0;
	a->state = o->stat.state | (o->active ? 0 : TARGET_INACTIVE);
	a->total = o->stat.total;
	a->avail = o->stat.avail;
	if (usable == 0 && alloc_usable(&o->m->alloc))
		co_wake_all(&o->m->osts_q);
}

static bool nearly_full(const struct ost *o)
{
	return o->stat.avail < o->stat.total / 20;
}

static void poll_once(struct ost *o)
{
	struct oss_statfs_rep p;
	struct oss_statfs_req q;
	RPC_CALL(call);

	memset(&q, 0, sizeof(q));
	call.deadline_ms = STATFS_MS;
	o->error = oss_co_statfs(o->imp, &call, &q, &p);
	if (o->error == 0) {
		o->stat = p;
		o->has_stat = true;
	}
	tell_alloc(o);
}

static void fiber_end(struct ost *o)
{
	if (--o->fibers == 0)
		co_wake_all(&o->done_q);
}

static void poll_fiber(void *arg)
{
	struct ost *o = arg;
	uint64_t wait_s;

	while (!o->stopping) {
		poll_once(o);
		if (o->stopping)
			break;
		wait_s = o->error || nearly_full(o) ? POLL_SOON_S : POLL_S;
		(void)!co_wait(&o->poll_q,
			       loop_now(o->m->loop) + wait_s * (uint64_t)NSEC_PER_SEC);
	}
	fiber_end(o);
}

/* Another poll now: the connection came or went. */
static void on_state(void *arg, struct rpc_import *imp, enum import_state s)
{
	struct ost *o = arg;

	(void)imp;
	if (s == IMP_FULL && o->error)
		co_wake_all(&o->poll_q);
	if (s == IMP_FULL)
		co_wake_all(&o->log_q);
	if (s == IMP_DISCONN && !o->error) {
		o->error = -ENOTCONN; /* no new objects there until it answers again */
		tell_alloc(o);
		co_wake_all(&o->poll_q);
	}
}

/* ---- the unlink log ---- */

/* Copies the next objects to destroy, all of them of transactions that are on disk. Count or
 * -errno. */
static int next_batch(struct ost *o, struct object_id *objs)
{
	struct store *s = o->m->store;
	struct txn *t;
	bool in_batch;
	int n, rc;

	o->log_dirty = false;
	n = store_read(s, &t, &in_batch);
	if (n == 0)
		n = unlinklog_list(t, o->index, objs, DESTROY_MAX);
	if (n <= 0)
		return n;
	rc = store_co_settled(s);
	return rc ? rc : o->stopping ? -ESHUTDOWN : n;
}

static void on_reply(void *arg, const struct msg *req, const struct msg *rep)
{
	struct ost *o = arg;

	(void)req;
	ost_kept_heard(&o->kept, rep->h.last_committed);
}

static void on_restart(void *arg, struct rpc_import *imp, bool evicted)
{
	struct ost *o = arg;

	(void)evicted;
	ost_kept_co_restart(&o->kept, imp);
}

void ost_keep(struct mds *m, uint32_t index, const struct wire_hdr *h,
	      const struct oss_again_req *req)
{
	struct ost *o = find(m, index);

	if (o)
		ost_kept_add(&o->kept, h, req);
}

static int send_destroy(struct ost *o, const struct object_id *objs, int n)
{
	struct oss_destroy_rep p;
	struct oss_destroy_req q;
	struct wbuf w;
	RPC_CALL(call);
	int i, rc;

	wbuf_init(&w, MAX_BODY);
	for (i = 0; i < n; i++) {
		struct oss_object obj = {objs[i].fid, objs[i].comp, objs[i].stripe};

		enc_oss_object(&w, &obj);
	}
	q.objects = wbuf_span(&w);
	call.deadline_ms = DESTROY_MS;
	rc = w.rc ? w.rc : oss_co_destroy(o->imp, &call, &q, &p);
	wbuf_fini(&w);
	for (i = 0; i < n && rc == 0; i++)
		ost_kept_add(&o->kept, &call.hdr,
			     &(struct oss_again_req){.fid = objs[i].fid,
						     .comp = objs[i].comp,
						     .stripe = objs[i].stripe,
						     .what = AGAIN_DESTROY});
	if (rc == 0)
		o->destroyed += p.destroyed;
	return rc;
}

static int forget(struct ost *o, const struct object_id *objs, int n)
{
	struct txn *t;
	int i, rc = store_write(o->m->store, &t);

	for (i = 0; i < n && rc == 0; i++)
		rc = unlinklog_del(t, o->index, &objs[i]);
	return rc;
}

/* 1: there may be more, 0: the log is empty, -errno. */
static int drain_once(struct ost *o, struct object_id *objs)
{
	int rc, n = next_batch(o, objs);

	if (n <= 0)
		return n;
	rc = send_destroy(o, objs, n);
	if (rc == 0)
		rc = forget(o, objs, n);
	return rc ? rc : 1;
}

/* Whoever removes many small files shall not share the CPUs with what is only clearing up: to
 * remove an object costs an OST more than the name costs the MDS. But space that is missed comes
 * back at once. */
static void co_until_quiet(struct ost *o)
{
	uint64_t until;

	o->puts_off = true;
	while (o->first_logged_ns && !o->stopping && o->logged_bytes < HURRY_BYTES &&
	       o->has_stat && !nearly_full(o)) {
		until = min_u64(o->last_logged_ns + QUIET_MS * NSEC_PER_MSEC,
				o->first_logged_ns + LATEST_MS * NSEC_PER_MSEC);
		if (until <= loop_now(o->m->loop))
			break;
		(void)!co_wait(&o->log_q, until);
	}
	o->puts_off = false;
}

/* Until nothing is left. 0 or -errno. */
static int drain(struct ost *o, struct object_id *objs)
{
	int rc;

	do
		rc = drain_once(o, objs);
	while (!o->stopping && (rc > 0 || (rc == 0 && o->log_dirty)));
	return rc < 0 ? rc : 0;
}

static void log_fiber(void *arg)
{
	struct object_id *objs = malloc(DESTROY_MAX * sizeof(*objs));
	struct ost *o = arg;
	uint64_t again;
	int rc;

	while (objs && !o->stopping) {
		co_until_quiet(o);
		rc = drain(o, objs);
		o->first_logged_ns = o->logged_bytes = 0;
		if (o->stopping)
			break;
		if (rc < 0)
			log_dbg("%s: destroying objects: %s", o->name, err_str(rc));
		again = loop_now(o->m->loop) + POLL_S * (uint64_t)NSEC_PER_SEC;
		(void)!co_wait(&o->log_q, rc < 0 ? again : 0);
	}
	free(objs);
	fiber_end(o);
}

/* ---- coming and going ---- */

static int get_active(void *arg, struct wbuf *w)
{
	return text_put(w, "%d", ((struct ost *)arg)->active);
}

static int set_active(void *arg, const char *value)
{
	struct ost *o = arg;

	if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return -EINVAL;
	if (!o->imp)
		return -ENODEV;
	o->active = value[0] == '1';
	rpc_import_set_active(o->imp, o->active);
	tell_alloc(o);
	co_wake_all(&o->poll_q);
	return 0;
}

static int get_state(void *arg, struct wbuf *w)
{
	struct ost *o = arg;

	if (!o->imp)
		return -ENODEV;
	return text_put(w, "current_state: %s\npeer: %s\nlast_error: %d",
			rpc_import_state_name(rpc_import_state(o->imp)), rpc_import_peer(o->imp),
			-rpc_import_error(o->imp));
}

static int get_destroyed(void *arg, struct wbuf *w)
{
	return text_put(w, "%" PRIu64, ((struct ost *)arg)->destroyed);
}

#define GET_STAT(fn, field, unit)                                                    \
	static int fn(void *arg, struct wbuf *w)                                     \
	{                                                                            \
		return text_put(w, "%" PRIu64,                                       \
				(uint64_t)((struct ost *)arg)->stat.field / (unit)); \
	}
GET_STAT(get_kbytestotal, total, 1024)
GET_STAT(get_kbytesfree, free, 1024)
GET_STAT(get_kbytesavail, avail, 1024)
GET_STAT(get_filestotal, files, 1)
GET_STAT(get_filesfree, ffree, 1)

static void param_prefix(const struct ost *o, char *buf, size_t len)
{
	snprintf(buf, len, "osp.%s-osc-MDT%04x.", o->name, o->m->cfg.index);
}

static int add_params(struct ost *o)
{
	static const struct {
		const char *name;
		param_get_fn *get;
		param_set_fn *set;
	} list[] = {
		{"active", get_active, set_active},
		{"state", get_state, NULL},
		{"objects_destroyed", get_destroyed, NULL},
		{"kbytestotal", get_kbytestotal, NULL},
		{"kbytesfree", get_kbytesfree, NULL},
		{"kbytesavail", get_kbytesavail, NULL},
		{"filestotal", get_filestotal, NULL},
		{"filesfree", get_filesfree, NULL},
	};
	char name[MAX_PARAM_NAME + 1], prefix[64];
	size_t i;
	int rc = 0;

	if (!o->m->params)
		return 0;
	param_prefix(o, prefix, sizeof(prefix));
	for (i = 0; i < ARRAY_SIZE(list) && rc == 0; i++) {
		snprintf(name, sizeof(name), "%s%s", prefix, list[i].name);
		rc = param_add(o->m->params, name, list[i].get, list[i].set, o);
	}
	return rc;
}

static void ost_free(struct ost *o)
{
	char prefix[64];

	param_prefix(o, prefix, sizeof(prefix));
	if (o->m->params)
		param_del_prefix(o->m->params, prefix);
	ost_kept_fini(&o->kept);
	free(o);
}

static int start_fibers(struct ost *o)
{
	int rc;

	o->fibers = 2;
	rc = fiber_spawn(o->m->loop, poll_fiber, o);
	if (rc)
		fiber_end(o);
	if (fiber_spawn(o->m->loop, log_fiber, o)) {
		fiber_end(o);
		rc = -ENOMEM;
	}
	return rc;
}

static int add(struct mds *m, const struct mgs_node *node)
{
	struct rpc_import_cfg cfg = {
		.client = &m->rpc_client,
		.nids = node->nids,
		.on_state = on_state,
		.on_reply = on_reply,
		.on_restart = on_restart,
	};
	struct ost *o = calloc(1, sizeof(*o));
	int rc;

	if (!o)
		return -ENOMEM;
	o->m = m;
	o->index = node->index;
	o->active = true;
	o->log_dirty = true;
	snprintf(o->name, sizeof(o->name), "%s", node->name);
	ost_kept_init(&o->kept, m->loop, o->name);
	co_waitq_init(&o->poll_q);
	co_waitq_init(&o->log_q);
	co_waitq_init(&o->done_q);
	cfg.target = o->name;
	cfg.arg = o;
	rc = alloc_add(&m->alloc, node->index) ? 0 : -ENOMEM;
	if (rc == 0)
		rc = rpc_import_create(&cfg, &o->imp);
	if (rc) {
		free(o);
		return rc;
	}
	TAILQ_INSERT_TAIL(&m->osts, o, link);
	m->nosts++;
	co_wake_all(&m->osts_q);
	log_info("%s: %s is part of the file system", m->name, o->name);
	rc = add_params(o);
	return rc ? rc : start_fibers(o);
}

void ost_update(struct mds *m, const struct mgs_config *c)
{
	const struct mgs_node *node;
	struct ost *o;
	uint32_t i;
	int rc;

	for (i = 0; i < c->nnodes && !m->stopping; i++) {
		node = &c->nodes[i];
		if (node->type != TARGET_OST || node->index > MAX_OST_INDEX)
			continue;
		o = find(m, node->index);
		if (o) {
			rpc_import_set_nids(o->imp, &node->nids, node->boot);
			continue;
		}
		rc = add(m, node);
		if (rc)
			log_err("%s: %s cannot be used: %s", m->name, node->name, err_str(rc));
	}
}

void ost_co_stop_all(struct mds *m)
{
	struct ost *o;

	TAILQ_FOREACH(o, &m->osts, link) {
		o->stopping = true;
		co_wake_all(&o->poll_q);
		co_wake_all(&o->log_q);
	}
	TAILQ_FOREACH(o, &m->osts, link) {
		struct rpc_import *imp = o->imp;

		o->imp = NULL; /* nobody begins a call any more */
		rpc_import_co_destroy(imp, STOP_MS);
		while (o->fibers)
			(void)!co_wait(&o->done_q, 0);
	}
	while ((o = TAILQ_FIRST(&m->osts))) {
		TAILQ_REMOVE(&m->osts, o, link);
		ost_free(o);
	}
	m->nosts = 0;
}

void ost_stat_all(struct mds *m, struct wbuf *w)
{
	struct ost *o;

	TAILQ_FOREACH(o, &m->osts, link) {
		struct mds_target_stat st = {
			.type = TARGET_OST,
			.index = o->index,
			.state = o->stat.state | (o->active ? 0 : TARGET_INACTIVE),
			.total = o->stat.total,
			.free = o->stat.free,
			.avail = o->stat.avail,
			.files = o->stat.files,
			.ffree = o->stat.ffree,
			.error = o->has_stat ? o->error : o->error ? o->error : -EINPROGRESS,
		};

		enc_mds_target_stat(w, &st);
	}
}
