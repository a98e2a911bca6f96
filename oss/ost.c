/* SPDX-License-Identifier: Apache-2.0 */
/* ost.c - one target from its creation to its end; see oss.h.
 *
 * Start: the directory must hold this target's objects, or nothing yet. The file O/target says
 * whose objects they are, apart from the label, so that directories mixed up by hand are noticed.
 * End: the service answers what runs, then every object is closed.
 *
 * What requests do stands in ops/; this file handles none.
 */
#include "oss/ost.h"
#include "oss/flush.h"
#include "oss/known.h"
#include "oss/power.h"
#include "oss/scrub.h"
#include "oss/window.h"
#include "common/log.h"
#include <stdio.h>
#include <stdlib.h>

#define OWNER_PATH "O/target"
enum { OWNER_MAX = 128 };

/* ---- identity ---- */

static void owner_text(const struct ost *ost, char out[OWNER_MAX])
{
	char uuid[UUID_STRLEN];

	snprintf(out, OWNER_MAX, "%s %s\n", ost->name, uuid_str(ost->cfg.uuid, uuid));
}

static int owner_check(struct ost *ost, struct disk_file *f, char *why, size_t why_len)
{
	char want[OWNER_MAX], have[OWNER_MAX];
	struct iovec iov = {have, sizeof(have) - 1};
	ssize_t n = disk_co_read(f, &iov, 1, 0);

	if (n < 0) {
		snprintf(why, why_len, "%s/%s: %s", ost->cfg.dir, OWNER_PATH, err_str((int)n));
		return (int)n;
	}
	have[n] = 0;
	owner_text(ost, want);
	if (strcmp(have, want) == 0)
		return 0;
	have[strcspn(have, "\n")] = 0;
	want[strcspn(want, "\n")] = 0;
	for (char *p = have; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	snprintf(why, why_len, "%s: the objects there belong to target %s, the label says %s",
		 ost->cfg.dir, have, want);
	return -EUCLEAN;
}

static int owner_claim(struct ost *ost, char *why, size_t why_len)
{
	char text[OWNER_MAX];
	struct iovec iov = {text, 0};
	struct disk_file *f;
	int rc = disk_co_open(ost->disk, OWNER_PATH, true, &f);

	if (rc) {
		snprintf(why, why_len, "%s/%s: %s", ost->cfg.dir, OWNER_PATH, err_str(rc));
		return rc;
	}
	owner_text(ost, text);
	iov.iov_len = strlen(text);
	/* Objects need extended attributes: better said now than at the first write. */
	rc = disk_setxattr(f, OBJECT_XATTR, text, iov.iov_len);
	if (rc) {
		snprintf(why, why_len, "%s: extended attributes (user.*) do not work there: %s",
			 ost->cfg.dir, err_str(rc));
	} else {
		rc = disk_co_write(f, &iov, 1, 0);
		if (rc == 0)
			rc = disk_co_sync(f);
		if (rc)
			snprintf(why, why_len, "%s/%s: %s", ost->cfg.dir, OWNER_PATH, err_str(rc));
	}
	disk_file_close(f);
	return rc;
}

static int check_owner(struct ost *ost, char *why, size_t why_len)
{
	struct disk_file *f;
	struct disk_stat st = {0};
	int rc = disk_co_open(ost->disk, OWNER_PATH, false, &f);

	if (rc == 0) {
		rc = disk_stat(f, &st);
		/* Empty: a start was cut off before anything was served. */
		if (rc == 0 && st.size > 0)
			rc = owner_check(ost, f, why, why_len);
		else if (rc)
			snprintf(why, why_len, "%s/%s: %s", ost->cfg.dir, OWNER_PATH, err_str(rc));
		disk_file_close(f);
		if (rc || st.size > 0)
			return rc;
		return owner_claim(ost, why, why_len);
	}
	if (rc != -ENOENT) {
		snprintf(why, why_len, "%s/%s: %s", ost->cfg.dir, OWNER_PATH, err_str(rc));
		return rc;
	}
	if (ost->cfg.registered) {
		snprintf(why, why_len,
			 "%s: the objects are gone: the target has served, but %s is missing",
			 ost->cfg.dir, OWNER_PATH);
		return -EUCLEAN;
	}
	return owner_claim(ost, why, why_len);
}

int ost_co_start(struct ost *ost, char *why, size_t why_len)
{
	int rc = check_owner(ost, why, why_len);

	if (rc)
		return rc;
	power_co_start(ost);
	rc = known_co_open(ost, &ost->known);
	if (rc == -ENOMEM)
		return rc;
	if (rc)
		log_err("%s: %s/%s: %s: after a loss of power nobody will be waited for", ost->name,
			ost->cfg.dir, KNOWN_PATH, err_str(rc));
	rc = window_co_start(ost, &ost->window);
	if (rc == 0)
		rc = scrub_start(ost->scrub);
	return rc ? rc : flush_start(ost, &ost->flush);
}

/* ---- what rpc.h asks of a service ---- */

static int session_open(void *arg, struct rpc_session *s, const struct any_connect_req *q)
{
	struct ost *ost = arg;
	struct ost_session *ses;
	int rc;

	stat_add(&ost->stats[OST_STAT_connect], 1);
	if (window_is_open(ost->window)) {
		/* One without a memory is a new process, or a lane that had no connection yet:
		 * then the other lanes have what there is. Its requests would only wait. */
		if (s->kind == PEER_CLIENT && !q->last_boot_id)
			return -EAGAIN;
		window_here(ost->window, s->uuid, !q->last_boot_id);
	}
	if (s->priv)
		return 0;
	ses = calloc(1, sizeof(*ses));
	if (!ses)
		return -ENOMEM;
	ses->ost = ost;
	rate_user_init(&ses->rate);
	rc = bulk_user_create(&ses->reads);
	if (rc) {
		free(ses);
		return rc;
	}
	s->priv = ses;
	return 0;
}

static void session_free(struct rpc_session *s)
{
	struct ost_session *ses = s->priv;

	s->priv = NULL;
	if (!ses)
		return;
	ost_grant_return(ses->ost, ses);
	throttle_leave(ses->ost->throttle, &ses->rate);
	bulk_user_put(ses->reads);
	free(ses);
}

static void session_co_close(void *arg, struct rpc_session *s, bool evicted)
{
	struct ost *ost = arg;

	(void)evicted;
	stat_add(&ost->stats[OST_STAT_disconnect], 1);
	session_free(s);
	window_gone(ost->window, s->uuid);
	known_co_leave(ost->known, s->uuid);
}

static bool changes(uint16_t nr)
{
	return nr == RPC_oss_write || nr == RPC_oss_fallocate || nr == RPC_oss_punch ||
	       nr == RPC_oss_fence || nr == RPC_oss_destroy;
}

/* Nobody sees, or builds on, what is not whole yet. A client is known before it has changed
 * anything. */
static int co_admit(void *arg, struct rpc_op *op)
{
	struct ost *ost = arg;
	uint16_t nr = op->desc->nr;
	struct ost_session *ses;
	int rc = 0;

	if (nr < RPC_oss_read || nr == RPC_oss_recover || nr == RPC_oss_again ||
	    nr == RPC_oss_statfs)
		return 0;
	if (window_is_open(ost->window))
		rc = window_co_wait(ost->window, 0);
	ses = ost_session_of(op);
	if (rc || !ses || ses->known || !changes(nr))
		return rc;
	rc = known_co_enter(ost->known, op->session);
	ses = ost_session_of(op);
	if (ses)
		ses->known = true;
	if (rc)
		log_warn("%s: %s/%s: %s: a loss of power may cost %s what is not synced", ost->name,
			 ost->cfg.dir, KNOWN_PATH, err_str(rc), op->session->name);
	return 0;
}

static int service_bulk_get(void *arg, uint32_t len, struct iovec **iov, uint32_t *n, void **cookie)
{
	struct ost *ost = arg;
	struct bulk *b = bulk_get(ost->bulk, len);

	if (!b)
		return -EAGAIN;
	*iov = &b->iov;
	*n = 1;
	*cookie = b;
	return 0;
}

static void service_bulk_put(void *arg, void *cookie)
{
	(void)arg;
	bulk_put(cookie);
}

static void bulk_ready(void *arg)
{
	struct ost *ost = arg;

	rpc_service_bulk_ready(ost->svc);
}

/* Of changes: what is stable. */
static uint64_t last_committed(void *arg)
{
	struct ost *ost = arg;

	return cache_stable(ost->cache);
}

static const struct rpc_service_ops service_ops = {
	.session_open = session_open,
	.session_co_close = session_co_close,
	.co_admit = co_admit,
	.last_committed = last_committed,
	.bulk_get = service_bulk_get,
	.bulk_put = service_bulk_put,
};

/* ---- life ---- */

static void stats_init(struct ost *ost)
{
	static const struct {
		const char *name;
		enum stat_unit unit;
	} kind[OST_NSTATS] = {
#define OST_STAT_KIND(name, unit) {#name, unit},
		OST_STATS(OST_STAT_KIND)
#undef OST_STAT_KIND
	};

	for (int i = 0; i < OST_NSTATS; i++) {
		ost->stats[i].name = kind[i].name;
		ost->stats[i].unit = kind[i].unit;
	}
	ost->stats_start = loop_realtime(ost->cfg.loop);
}

static int ost_init(struct ost *ost)
{
	struct rpc_service_cfg svc = {
		.loop = ost->cfg.loop,
		.name = ost->name,
		.handlers = ost_handlers,
		.nhandlers = ost_nhandlers,
		.ops = &service_ops,
		.arg = ost,
		.params = ost->cfg.params,
		.boot_id = ost->cfg.boot_id,
		.session_timeout_ms = ost->cfg.session_timeout_ms,
	};
	int rc;

	rc = disk_open(ost->cfg.loop, ost->cfg.dir, &ost->disk);
	if (rc)
		return rc;
	rc = cache_create(ost->cfg.loop, ost->disk, ost->name, &ost->max_open_objects, &ost->cache);
	if (rc)
		return rc;
	rc = bulk_pool_create(ost->cfg.loop, &ost->bulk_limit_mb, bulk_ready, ost, &ost->bulk);
	if (rc)
		return rc;
	rc = rpc_service_create(&svc, &ost->svc);
	if (rc)
		return rc;
	rc = scrub_create(ost, &ost->scrub);
	if (rc)
		return rc;
	rc = throttle_create(ost->cfg.loop, ost->cfg.params, ost->name, &ost->throttle);
	if (rc)
		return rc;
	return ost->cfg.params ? ost_param_add(ost) : 0;
}

static void abort_recovery(void *arg)
{
	struct ost *ost = arg;

	if (ost->window)
		window_abort(ost->window);
}

int ost_create(const struct ost_cfg *cfg, struct ost **out)
{
	struct ost *ost = calloc(1, sizeof(*ost));
	struct target_label label = {.type = TARGET_OST, .index = cfg->index};
	int rc;

	if (!ost)
		return -ENOMEM;
	ost->cfg = *cfg;
	snprintf(label.fsname, sizeof(label.fsname), "%s", cfg->fsname);
	target_name(&label, ost->name);
	ost->max_open_objects = cfg->max_open_objects ? cfg->max_open_objects : OST_MAX_OPEN;
	ost->bulk_limit_mb = cfg->bulk_limit_mb ? cfg->bulk_limit_mb : OST_BULK_LIMIT_MB;
	if (ost->bulk_limit_mb < OST_BULK_LIMIT_MB_MIN)
		ost->bulk_limit_mb = OST_BULK_LIMIT_MB_MIN;
	ost->stable_ms = STABLE_MS;
	ost->abort = (struct loop_work){.fn = abort_recovery, .arg = ost};
	co_waitq_init(&ost->idle);
	stats_init(ost);
	ost->cfg.dir = strdup(cfg->dir);
	ost->cfg.fsname = NULL; /* is in name */
	rc = ost->cfg.dir ? ost_init(ost) : -ENOMEM;
	if (rc) {
		ost_destroy(ost);
		return rc;
	}
	*out = ost;
	return 0;
}

void ost_co_stop(struct ost *ost, uint32_t timeout_ms)
{
	throttle_co_stop(ost->throttle); /* what waits is answered first */
	window_end(ost->window);
	rpc_service_co_stop(ost->svc, timeout_ms);
	scrub_co_stop(ost->scrub);
	flush_co_stop(ost->flush);
	ost->flush = NULL;
	/* A disk may be slower than the timeout, but it ends, and its buffers must still be there.
	 * */
	while (ost->running)
		(void)!co_wait(&ost->idle, 0);
	window_co_destroy(ost->window);
	ost->window = NULL;
	power_co_stop(ost);
	known_close(ost->known);
	ost->known = NULL;
	if (ost->cfg.params)
		ost_param_del(ost);
	while (ost->abort.queued)
		co_yield();
	/* The last ones drop their replies. */
	do
		co_yield();
	while (!bulk_pool_idle(ost->bulk));
}

static void service_destroy(struct rpc_service *svc)
{
	struct rpc_session *s = NULL;

	/* Sessions outlive a stop in the peers' minds; what hangs on them here does not. */
	while ((s = rpc_service_session_next(svc, s)))
		session_free(s);
	rpc_service_destroy(svc);
}

void ost_destroy(struct ost *ost)
{
	if (ost->cfg.params)
		ost_param_del(ost); /* it was not stopped, as it did not start */
	if (ost->scrub)
		scrub_destroy(ost->scrub);
	if (ost->svc)
		service_destroy(ost->svc);
	if (ost->throttle)
		throttle_destroy(ost->throttle);
	if (ost->bulk)
		bulk_pool_destroy(ost->bulk);
	if (ost->cache)
		cache_destroy(ost->cache);
	if (ost->disk)
		disk_close(ost->disk);
	free((char *)(uintptr_t)ost->cfg.dir);
	free(ost);
}

struct rpc_service *ost_service(struct ost *ost)
{
	return ost->svc;
}

const char *ost_name(const struct ost *ost)
{
	return ost->name;
}

/* ---- for handlers ---- */

int ost_target_state(const struct ost *ost, const struct disk_space *sp)
{
	uint64_t least = max_u64(sp->total / 1000, MIB);
	int state = 0;

	if (ost->degraded)
		state |= TARGET_DEGRADED;
	if (ost->no_create)
		state |= TARGET_NOCREATE;
	if (sp->avail < least)
		state |= TARGET_NOSPACE;
	if (sp->files && sp->ffree < 32)
		state |= TARGET_NOINODES;
	return state;
}

int ost_io_error(const struct ost *ost, const struct object_id *id, const char *what, int rc)
{
	char buf[OBJECT_STRLEN];

	if (rc != -ENOSPC && rc != -EDQUOT && rc != -EFBIG)
		log_err("%s: object %s: %s: %s", ost->name, object_str(id, buf), what, err_str(rc));
	return rc;
}
