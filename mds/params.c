/* SPDX-License-Identifier: Apache-2.0 */
/* params.c - counters and tunables of the MDT under Lustre's names (mdt, lod, mdd); those of the
 * OSTs are in ost.c. */
#include "mds/hsm_queue.h"
#include "mds/inode.h"
#include "mds/lfsck.h"
#include "mds/state.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

int text_put(struct wbuf *w, const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	wbuf_put(w, buf, n < (int)sizeof(buf) ? (uint32_t)n : (uint32_t)sizeof(buf) - 1);
	return w->rc;
}

/* ---- counters ---- */

static int get_md_stats(void *arg, struct wbuf *w)
{
	struct mds *m = arg;

	stats_print_head(w, loop_realtime(m->loop), m->stats_since_ns);
	stats_print(w, m->md_stats, MD_NSTATS);
	return w->rc;
}

static int set_md_stats(void *arg, const char *value)
{
	struct mds *m = arg;
	uint32_t i;

	(void)value; /* anything clears */
	for (i = 0; i < MD_NSTATS; i++)
		stat_clear(&m->md_stats[i]);
	m->stats_since_ns = loop_realtime(m->loop);
	return 0;
}

/* Count and latency of every RPC, from the request's arrival to its answer, commit included. */
static int get_rpc_stats(void *arg, struct wbuf *w)
{
	struct mds *m = arg;
	const struct stat_counter *c = rpc_service_stats(m->svc);
	uint32_t i;

	text_put(w, "%-14s %12s %10s %10s %10s %10s", "rpc", "samples", "avg_us", "p50_us",
		 "p99_us", "max_us");
	for (i = 0; i < RPC_NR_MAX; i++)
		if (c[i].n)
			text_put(w,
				 "\n%-14s %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64
				 " %10" PRIu64,
				 c[i].name, c[i].n, c[i].sum / c[i].n, stat_quantile(&c[i], 0.5),
				 stat_quantile(&c[i], 0.99), c[i].max);
	return w->rc;
}

static int get_store_stats(void *arg, struct wbuf *w)
{
	struct mds *m = arg;
	struct store_stats st;

	store_get_stats(m->store, &st);
	return text_put(w,
			"commits: %" PRIu64 "\noperations: %" PRIu64 "\ncommit_avg_us: %" PRIu64
			"\ncommit_max_us: %" PRIu64 "\nmap_bytes: %" PRIu64 "\nused_bytes: %" PRIu64
			"\nlast_committed: %" PRIu64 "\ntransno: %" PRIu64,
			st.commits, st.ops, st.commits ? st.commit_ns_sum / st.commits / 1000 : 0,
			st.commit_ns_max / 1000, st.map_bytes, st.used_bytes,
			store_last_committed(m->store), store_transno(m->store));
}

static int get_num_exports(void *arg, struct wbuf *w)
{
	return text_put(w, "%u", rpc_service_nsessions(((struct mds *)arg)->svc));
}

static int get_exports(void *arg, struct wbuf *w)
{
	struct mds *m = arg;
	struct rpc_session *s = NULL;
	char text[UUID_STRLEN];
	bool first = true;

	while ((s = rpc_service_session_next(m->svc, s))) {
		const struct client *c = s->priv;

		text_put(w, "%s%s %s nid=%s connections=%u open=%u leases=%u", first ? "" : "\n",
			 uuid_str(s->uuid, text), s->name, s->peer, s->nconns, c ? c->nopens : 0,
			 c ? lease_count(&c->leases) : 0);
		first = false;
	}
	return w->rc;
}

static int get_recovery(void *arg, struct wbuf *w)
{
	return recovery_status(arg, w);
}

static int set_abort_recovery(void *arg, const char *value)
{
	if (strcmp(value, "1") != 0)
		return -EINVAL;
	recovery_abort(arg);
	return 0;
}

static int get_open_files(void *arg, struct wbuf *w)
{
	return text_put(w, "%u", open_table_count(((struct mds *)arg)->opens));
}

static int get_lock_count(void *arg, struct wbuf *w)
{
	return text_put(w, "%u", lock_mgr_count(((struct mds *)arg)->locks));
}

static int get_lease_stats(void *arg, struct wbuf *w)
{
	struct mds *m = arg;
	struct lease_stats st;

	lease_mgr_stats(m->leases, &st);
	text_put(w,
		 "held: %u\nclients: %u\nlimit: %u\nmost: %u\ngrants: %" PRIu64
		 "\nrefusals: %" PRIu64 "\nfull: %" PRIu64 "\nrecalls: %" PRIu64
		 "\nreturns: %" PRIu64 "\nexpired: %" PRIu64 "\nasked: %" PRIu64
		 "\nforced: %" PRIu64,
		 st.held, st.holders, lease_limit(m->leases), st.most, st.grants, st.refusals,
		 st.full, st.recalls, st.returns, st.expired, st.asked, st.forced);
	return text_put(w, "\nwaits: %" PRIu64 "\nwait_usec: %" PRIu64 "\nwait_max_usec: %" PRIu64,
			m->lease_waits.n, m->lease_waits.sum, m->lease_waits.max);
}

static int get_lease_count(void *arg, struct wbuf *w)
{
	struct lease_stats st;

	lease_mgr_stats(((struct mds *)arg)->leases, &st);
	return text_put(w, "%u", st.held);
}

static int get_settling(void *arg, struct wbuf *w)
{
	return text_put(w, "%u", settle_pending(((struct mds *)arg)->settle));
}

void mds_space(struct mds *m, struct mdt_space *out)
{
	struct store_stats st;
	struct statvfs v;

	*out = (struct mdt_space){0};
	if (m->cfg.nosync) { /* the simulator must not see the disk it happens to run on */
		*out = (struct mdt_space){GIB, GIB, GIB, 1U << 20, 1U << 20};
		return;
	}
	if (statvfs(m->dir, &v))
		return;
	out->total = (uint64_t)v.f_blocks * v.f_frsize;
	out->free = (uint64_t)v.f_bfree * v.f_frsize;
	out->avail = (uint64_t)v.f_bavail * v.f_frsize;
	/* A file takes about 700 bytes of the MDT; 1 KiB leaves room for long names and layouts.
	 * What else is on the disk counts neither as files nor as room for them. */
	store_get_stats(m->store, &st);
	out->ffree = out->avail / KIB;
	out->files = out->ffree + st.used_bytes / KIB;
}

#define GET_SPACE(fn, field, unit)                                \
	static int fn(void *arg, struct wbuf *w)                  \
	{                                                         \
		struct mdt_space sp;                              \
		mds_space(arg, &sp);                              \
		return text_put(w, "%" PRIu64, (uint64_t)(sp.field / (unit))); \
	}
GET_SPACE(get_kbytestotal, total, KIB)
GET_SPACE(get_kbytesfree, free, KIB)
GET_SPACE(get_kbytesavail, avail, KIB)
GET_SPACE(get_filestotal, files, 1)
GET_SPACE(get_filesfree, ffree, 1)

/* ---- tunables ---- */

static int get_stripesize(void *arg, struct wbuf *w)
{
	return text_put(w, "%u", ((struct mds *)arg)->striping.stripe_size);
}

static int set_stripesize(void *arg, const char *value)
{
	char *end;
	unsigned long long v = strtoull(value, &end, 0);

	if (*end == 'k' || *end == 'K')
		v <<= 10, end++;
	else if (*end == 'm' || *end == 'M')
		v <<= 20, end++;
	if (end == value || *end)
		return -EINVAL;
	if (v == 0 || v % STRIPE_SIZE_UNIT || v > STRIPE_SIZE_MAX)
		return -ERANGE;
	((struct mds *)arg)->striping.stripe_size = (uint32_t)v;
	return 0;
}

static int set_i32(const char *value, int32_t min, int32_t max, int32_t *out)
{
	char *end;
	long v = strtol(value, &end, 0);

	if (end == value || *end)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*out = (int32_t)v;
	return 0;
}

static int get_stripecount(void *arg, struct wbuf *w)
{
	return text_put(w, "%d", ((struct mds *)arg)->striping.stripe_count);
}

static int set_stripecount(void *arg, const char *value)
{
	int32_t v;
	int rc = set_i32(value, -1, MAX_STRIPES, &v);

	if (rc == 0)
		((struct mds *)arg)->striping.stripe_count = v ? v : 1;
	return rc;
}

static int get_stripeoffset(void *arg, struct wbuf *w)
{
	return text_put(w, "%d", ((struct mds *)arg)->striping.stripe_offset);
}

static int set_stripeoffset(void *arg, const char *value)
{
	return set_i32(value, -1, MAX_OST_INDEX, &((struct mds *)arg)->striping.stripe_offset);
}

static int get_strict(void *arg, struct wbuf *w)
{
	return text_put(w, "%d", store_is_strict(((struct mds *)arg)->store));
}

static int set_strict(void *arg, const char *value)
{
	int32_t v;
	int rc = set_i32(value, 0, 1, &v);

	if (rc == 0)
		store_set_strict(((struct mds *)arg)->store, v);
	return rc;
}

static int get_interval(void *arg, struct wbuf *w)
{
	return text_put(w, "%u", store_interval(((struct mds *)arg)->store));
}

static int set_interval(void *arg, const char *value)
{
	int32_t v;
	int rc = set_i32(value, 1, 60000, &v);

	if (rc == 0)
		store_set_interval(((struct mds *)arg)->store, (uint32_t)v);
	return rc;
}

static int get_session_timeout(void *arg, struct wbuf *w)
{
	return text_put(w, "%u", ((struct mds *)arg)->session_timeout_s);
}

static int set_session_timeout(void *arg, const char *value)
{
	struct mds *m = arg;
	int32_t v;
	int rc = set_i32(value, 1, 3600, &v);

	if (rc)
		return rc;
	m->session_timeout_s = (uint32_t)v;
	if (m->svc) /* the service is made with what --set says at the start */
		rpc_service_set_session_timeout(m->svc, m->session_timeout_s * 1000);
	return 0;
}

/* ---- registering ---- */

struct row {
	const char *name;
	param_get_fn *get;
	param_set_fn *set;
};

static int add_rows(struct mds *m, const char *prefix, const struct row *rows, size_t n)
{
	char name[MAX_PARAM_NAME + 1];
	size_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++) {
		snprintf(name, sizeof(name), "%s.%s", prefix, rows[i].name);
		rc = param_add(m->params, name, rows[i].get, rows[i].set, m);
	}
	return rc;
}

static int add_u32(struct mds *m, const char *prefix, const char *name, uint32_t *v, uint32_t min,
		   uint32_t max)
{
	char full[MAX_PARAM_NAME + 1];

	snprintf(full, sizeof(full), "%s.%s", prefix, name);
	return param_add_u32(m->params, full, v, min, max);
}

static const struct row mdt_rows[] = {
	{"strict", get_strict, set_strict},
	/* How long an absent client keeps what it has open. */
	{"session_timeout", get_session_timeout, set_session_timeout},
	{"commit_interval_ms", get_interval, set_interval},
	{"md_stats", get_md_stats, set_md_stats},
	{"rpc_stats", get_rpc_stats, NULL},
	{"store_stats", get_store_stats, NULL},
	{"num_exports", get_num_exports, NULL},
	{"exports", get_exports, NULL},
	{"recovery_status", get_recovery, NULL},
	{"abort_recovery", NULL, set_abort_recovery},
	{"open_files", get_open_files, NULL},
	{"lock_count", get_lock_count, NULL},
	{"lease_stats", get_lease_stats, NULL},
	{"settling", get_settling, NULL},
	{"kbytestotal", get_kbytestotal, NULL},
	{"kbytesfree", get_kbytesfree, NULL},
	{"kbytesavail", get_kbytesavail, NULL},
	{"filestotal", get_filestotal, NULL},
	{"filesfree", get_filesfree, NULL},
};

static const struct row lod_rows[] = {
	{"stripesize", get_stripesize, set_stripesize},
	{"stripecount", get_stripecount, set_stripecount},
	{"stripeoffset", get_stripeoffset, set_stripeoffset},
};

int mds_params_add_first(struct mds *m)
{
	char mdt[64];

	if (!m->params)
		return 0;
	snprintf(mdt, sizeof(mdt), "mdt.%s", m->name);
	return add_u32(m, mdt, "map_mb", &m->map_mb, 1, 1U << 24);
}

/* Leases are Lustre's DLM locks. */
static int add_ldlm(struct mds *m, const char *mdt)
{
	static const struct row ns_rows[] = {{"lock_count", get_lease_count, NULL}};
	static const struct row all_rows[] = {{"lock_granted_count", get_lease_count, NULL}};
	char ns[96];
	int rc;

	snprintf(ns, sizeof(ns), "ldlm.namespaces.mdt-%s_UUID", m->name);
	rc = add_rows(m, ns, ns_rows, ARRAY_SIZE(ns_rows));
	if (rc == 0)
		rc = add_rows(m, "ldlm", all_rows, ARRAY_SIZE(all_rows));
	if (rc == 0)
		rc = add_u32(m, "ldlm", "lock_limit_mb", &m->lease_limits.total_mb, 1, 1U << 24);
	return rc ? rc
		  : add_u32(m, mdt, "max_leases_per_client", &m->lease_limits.per_client,
			    LEASES_MIN, 1U << 24);
}

int mds_params_add(struct mds *m)
{
	char mdt[64], lod[64], mdd[64];
	int rc;

	if (!m->params)
		return 0;
	snprintf(mdt, sizeof(mdt), "mdt.%s", m->name);
	snprintf(lod, sizeof(lod), "lod.%s-mdtlov", m->name);
	snprintf(mdd, sizeof(mdd), "mdd.%s", m->name);
	rc = add_rows(m, mdt, mdt_rows, ARRAY_SIZE(mdt_rows));
	if (rc == 0)
		rc = add_rows(m, lod, lod_rows, ARRAY_SIZE(lod_rows));
	if (rc == 0)
		rc = add_u32(m, lod, "qos_threshold_rr", &m->alloc.threshold_rr, 0, 100);
	if (rc == 0)
		rc = add_u32(m, lod, "qos_prio_free", &m->alloc.prio_free, 0, 100);
	if (rc == 0)
		rc = add_u32(m, mdd, "append_stripe_count", &m->striping.append_stripe_count, 0,
			     MAX_STRIPES);
	if (rc == 0)
		rc = lfsck_params_add(m->lfsck);
	if (rc == 0)
		rc = hsm_queue_params(m->hsm, mdt);
	if (rc == 0)
		rc = add_u32(m, mdt, "commit_on_sharing", &m->commit_on_sharing, 0, 1);
	if (rc == 0)
		rc = add_ldlm(m, mdt);
	return rc;
}

void mds_params_del(struct mds *m)
{
	char prefix[64];

	if (!m->params)
		return;
	snprintf(prefix, sizeof(prefix), "mdt.%s.", m->name);
	param_del_prefix(m->params, prefix);
	snprintf(prefix, sizeof(prefix), "lod.%s-mdtlov.", m->name);
	param_del_prefix(m->params, prefix);
	snprintf(prefix, sizeof(prefix), "mdd.%s.", m->name);
	param_del_prefix(m->params, prefix);
	param_del_prefix(m->params, "ldlm.");
}
