/* SPDX-License-Identifier: Apache-2.0 */
/* param.c - counters and tunables of a mount under the names that Lustre's admins know.
 *
 * llite.<fs>-<instance>.*, osc.<target>-osc-<instance>.*, mdc.<target>-mdc-<instance>.*, mgc.*,
 * ldlm.namespaces.<target>-mdc-<instance>.*.
 * Getters run on any thread: they take fs->lock to look at lanes and add up what the lanes
 * counted; a sample that is half counted at that moment is harmless. Nothing here makes a
 * request.
 */
#include "client/core/core.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/param.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void put(struct wbuf *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(struct wbuf *w, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		wbuf_put(w, line, (uint32_t)n < sizeof(line) ? (uint32_t)n : sizeof(line) - 1);
}

static int64_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void stat_merge(struct stat_counter *to, const struct stat_counter *from)
{
	uint32_t i;

	if (!from->n)
		return;
	to->min = !to->n || from->min < to->min ? from->min : to->min;
	to->max = from->max > to->max ? from->max : to->max;
	to->n += from->n;
	to->sum += from->sum;
	to->sumsq += from->sumsq;
	for (i = 0; i < ARRAY_SIZE(to->hist); i++)
		to->hist[i] += from->hist[i];
}

/* ---- llite ---- */

static int get_stats(void *arg, struct wbuf *w)
{
	struct fs *fs = arg;
	struct stat_counter *sum = calloc(FS_STAT_MAX, sizeof(*sum));
	uint32_t i, k;

	if (!sum)
		return -ENOMEM;
	fs_lock(fs);
	for (i = 0; i < MAX_LANES; i++) {
		if (!fs->lanes[i])
			continue;
		for (k = 0; k < FS_STAT_MAX; k++) {
			sum[k].name = fs->lanes[i]->stats[k].name;
			sum[k].unit = fs->lanes[i]->stats[k].unit;
			stat_merge(&sum[k], &fs->lanes[i]->stats[k]);
		}
	}
	fs_unlock(fs);
	stats_print_head(w, real_now(), fs->stats_start);
	stats_print(w, sum, FS_STAT_MAX);
	free(sum);
	return 0;
}

static int clear_stats(void *arg, const char *value)
{
	struct fs *fs = arg;
	uint32_t i, k;

	(void)value;
	fs_lock(fs);
	for (i = 0; i < MAX_LANES; i++)
		for (k = 0; fs->lanes[i] && k < FS_STAT_MAX; k++)
			stat_clear(&fs->lanes[i]->stats[k]);
	fs->stats_start = real_now();
	fs_unlock(fs);
	return 0;
}

static int get_uuid(void *arg, struct wbuf *w)
{
	struct fs *fs = arg;
	char text[UUID_STRLEN];

	put(w, "%s", uuid_str(fs->uuid, text));
	return 0;
}

static int get_version(void *arg, struct wbuf *w)
{
	(void)arg;
	put(w, "%s", SHEEN_VERSION);
	return 0;
}

static int get_fstype(void *arg, struct wbuf *w)
{
	(void)arg;
	put(w, "lustre");
	return 0;
}

static int get_blocksize(void *arg, struct wbuf *w)
{
	(void)arg;
	put(w, "4096");
	return 0;
}

static int get_lanes(void *arg, struct wbuf *w)
{
	struct fs *fs = arg;
	uint32_t i, n = 0;

	fs_lock(fs);
	for (i = 0; i < MAX_LANES; i++)
		n += fs->lanes[i] != NULL;
	fs_unlock(fs);
	put(w, "%u", n);
	return 0;
}

/* As Lustre: [ "10.0.0.1@tcp", "10.0.0.2@tcp" ] */
static void put_nids(struct wbuf *w, const struct nid_list *l, uint16_t port)
{
	char nid[NID_STRLEN];

	put(w, "       failover_nids: [ ");
	for (uint32_t i = 0; i < l->n; i++)
		put(w, "%s\"%s\"", i ? ", " : "", nid_str(&l->nid[i], port, nid));
	put(w, " ]\n");
}

/* The link to the MGS is lane 0's. */
static int get_mgc_import(void *arg, struct wbuf *w)
{
	struct fs *fs = arg;
	struct rpc_import *imp = NULL;

	fs_lock(fs);
	if (fs->lanes[0] && fs->lanes[0]->mgs)
		imp = mgs_link_import(fs->lanes[0]->mgs);
	put(w, "import:\n    name: MGC-%s\n    target: MGS\n    state: %s\n    connection:\n",
	    fs->instance, imp ? rpc_import_state_name(rpc_import_state(imp)) : "NEW");
	put_nids(w, &fs->cfg.source.mgs, PORT_MGS);
	put(w, "       current_connection: \"%s\"\n       last_error: %d\n",
	    imp ? rpc_import_peer(imp) : "", imp ? rpc_import_error(imp) : 0);
	put(w, "    config_version: %" PRIu64, fs->config_version);
	fs_unlock(fs);
	return 0;
}

static int get_health(void *arg, struct wbuf *w)
{
	(void)arg;
	put(w, "healthy");
	return 0;
}

/* Clients and the connection to the MGS, in Lustre's order of devices. */
static int get_devices(void *arg, struct wbuf *w)
{
	struct fs *fs = arg;
	char uuid[UUID_STRLEN];
	uint32_t n = 0;
	struct ost *o;

	uuid_str(fs->uuid, uuid);
	put(w, "%3u UP mgc MGC%s %s 4\n", n++, "", uuid);
	fs_lock(fs);
	TAILQ_FOREACH(o, &fs->osts, link)
		put(w, "%3u %s %s %s-%s-%s %s 4\n", n++, o->active ? "UP" : "IN",
		    o->type == TARGET_MDT ? "mdc" : "osc", o->name,
		    o->type == TARGET_MDT ? "mdc" : "osc", fs->instance, uuid);
	fs_unlock(fs);
	return 0;
}

static int get_lease_stats(void *arg, struct wbuf *w)
{
	struct fs *fs = arg;
	struct lease_counts c;

	leases_counts(fs->leases, &c);
	put(w, "inodes: %llu\nnames: %llu\nhits: %llu\nmisses: %llu\nrecalls: %llu",
	    (unsigned long long)c.inodes, (unsigned long long)c.names, (unsigned long long)c.hits,
	    (unsigned long long)c.misses, (unsigned long long)c.recalls);
	fs_lock(fs);
	put(w, "\ndata: %u\nasked: %" PRIu64 "\nreturned: %" PRIu64, fs->data.nleases,
	    fs->lru.nasked, fs->lru.nreturned);
	fs_unlock(fs);
	return w->rc;
}

static int get_data_stats(void *arg, struct wbuf *w)
{
	struct fs *fs = arg;

	fs_lock(fs);
	put(w,
	    "dirty_bytes: %llu\ncached_bytes: %llu\nread_ahead_bytes: %llu\nidle_files: %u\n"
	    "kept_open: %u\nopened_ahead: %llu\nopened_ahead_used: %llu\nopened_ahead_unused: %u\n"
	    "acquired: %llu\nrecalled: %llu",
	    (unsigned long long)fs->data.dirty_bytes,
	    (unsigned long long)fs->data.cached_bytes,
	    (unsigned long long)fs->data.ahead_bytes, fs->data.nidle, fs->nkept,
	    (unsigned long long)fs->intents.given, (unsigned long long)fs->intents.used,
	    fs->intents.unused,
	    (unsigned long long)fs->data.acquired, (unsigned long long)fs->data.recalled);
	fs_unlock(fs);
	return w->rc;
}

/* unstable_pages, unstable_mb: as Lustre shows them. */
static int get_unstable_stats(void *arg, struct wbuf *w)
{
	struct fs *fs = arg;
	char text[256];
	int n;

	fs_lock(fs);
	n = snprintf(text, sizeof(text),
		     "unstable_pages: %" PRIu64 "\nunstable_mb: %" PRIu64
		     "\nunstable_bytes: %" PRIu64 "\ncommits: %" PRIu64
		     "\nwaits: %" PRIu64 "\nsent_again: %" PRIu64 "\nlost: %" PRIu64,
		     fs->unstable_bytes / 4096, fs->unstable_bytes >> 20,
		     fs->unstable_bytes, fs->unstable_count.commits, fs->unstable_count.waits,
		     fs->unstable_count.again, fs->unstable_count.lost);
	fs_unlock(fs);
	wbuf_put(w, text, (uint32_t)n);
	return w->rc;
}

static int get_read_ahead_stats(void *arg, struct wbuf *w)
{
	struct fs *fs = arg;
	struct data_table *t = &fs->data;

	stats_print_head(w, real_now(), fs->start_real);
	put(w,
	    "hits %llu samples [pages]\nmisses %llu samples [pages]\n"
	    "read but discarded %llu samples [pages]\nhit max r-a issue %llu samples [reqs]\n"
	    "async readahead %llu samples [reqs]",
	    atomic_load(&t->ahead.hits), atomic_load(&t->ahead.misses),
	    atomic_load(&t->ahead.unread), atomic_load(&t->ahead.full),
	    atomic_load(&t->ahead.fetches));
	return w->rc;
}

static int get_unlink_stats(void *arg, struct wbuf *w)
{
	struct unlinks *u = &((struct fs *)arg)->unlinks;

	pthread_mutex_lock(&u->lock);
	put(w,
	    "early: %" PRIu64 "\nin_flight: %u\nfailed: %" PRIu64 "\nasked: %" PRIu64
	    "\ngranted: %" PRIu64 "\nrecalled: %" PRIu64,
	    u->early, u->nflights, u->failed, u->asked, u->granted, u->recalled);
	pthread_mutex_unlock(&u->lock);
	return w->rc;
}

struct row {
	const char *name;
	param_get_fn *get;
	param_set_fn *set;
};

static int add_rows(struct params *ps, const char *dev, const struct row *rows, uint32_t n,
		    void *arg)
{
	char name[MAX_PARAM_NAME];
	uint32_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++) {
		snprintf(name, sizeof(name), "%s.%s", dev, rows[i].name);
		rc = param_add(ps, name, rows[i].get, rows[i].set, arg);
	}
	return rc;
}

/* Less may be kept now, or more go on. */
static void tunable_changed(void *arg)
{
	target_refresh_all(arg);
}

static int add_tunables(struct fs *fs)
{
	const struct {
		const char *name;
		uint32_t *v, min, max;
	} rows[] = {
		{"max_dirty_mb", &fs->max_dirty_mb, 1, UINT32_MAX},
		{"max_cached_mb", &fs->max_cached_mb, 1, UINT32_MAX},
		{"max_unstable_mb", &fs->max_unstable_mb, 16, UINT32_MAX},
		{"max_read_ahead_mb", &fs->max_read_ahead_mb, 0, UINT32_MAX},
		{"max_read_ahead_per_file_mb", &fs->max_read_ahead_per_file_mb, 0, UINT32_MAX},
		{"xattr_cache", &fs->xattr_cache, 0, 1},
		{"set_later", &fs->set_later, 0, 1},
		{"intent_open", &fs->intents.mode, INTENT_NEVER, INTENT_ALWAYS},
		{"scan_after", &fs->intents.scan_after, 0, UINT32_MAX},
		{"unlinks_in_flight", &fs->unlinks.max, 0, UNLINKS_MAX},
		{"unlinks_in_row", &fs->unlinks.in_row, 1, UINT32_MAX},
		{"unlinks_retry_ms", &fs->unlinks.retry_ms, 0, UINT32_MAX},
	};
	char name[MAX_PARAM_NAME];
	uint32_t i;
	int rc = 0;

	for (i = 0; i < ARRAY_SIZE(rows) && rc == 0; i++) {
		snprintf(name, sizeof(name), "llite.%s-%s.%s", fs->cfg.source.fsname, fs->instance,
			 rows[i].name);
		rc = param_add_u32_told(fs->params, name, rows[i].v, rows[i].min, rows[i].max,
					tunable_changed, fs);
	}
	return rc;
}

int param_add_fs(struct fs *fs)
{
	static const struct row rows[] = {
		{"stats", get_stats, clear_stats},
		{"uuid", get_uuid, NULL},
		{"fstype", get_fstype, NULL},
		{"blocksize", get_blocksize, NULL},
		{"lanes", get_lanes, NULL},
		{"lease_stats", get_lease_stats, NULL},
		{"data_stats", get_data_stats, NULL},
		{"unstable_stats", get_unstable_stats, NULL},
		{"read_ahead_stats", get_read_ahead_stats, NULL},
		{"unlink_stats", get_unlink_stats, NULL},
	};
	char dev[MAX_PARAM_NAME - 32], name[MAX_PARAM_NAME];
	int rc;

	snprintf(dev, sizeof(dev), "llite.%s-%s", fs->cfg.source.fsname, fs->instance);
	rc = add_rows(fs->params, dev, rows, ARRAY_SIZE(rows), fs);
	if (rc == 0)
		rc = add_tunables(fs);
	snprintf(name, sizeof(name), "mgc.MGC-%s.import", fs->instance);
	if (rc == 0)
		rc = param_add(fs->params, name, get_mgc_import, NULL, fs);
	if (rc == 0)
		rc = param_add(fs->params, "version", get_version, NULL, fs);
	if (rc == 0)
		rc = param_add(fs->params, "health_check", get_health, NULL, fs);
	if (rc == 0)
		rc = param_add(fs->params, "devices", get_devices, NULL, fs);
	return rc;
}

/* ---- osc and mdc ---- */

/* fs->lock is held. The target of an ost on the first lane that has one. */
static const struct target *any_target(const struct ost *o, uint32_t *lane)
{
	for (; *lane < MAX_LANES; (*lane)++) {
		const struct lane *ln = o->fs->lanes[*lane];
		const struct target *t;

		if (!ln)
			continue;
		t = o->type == TARGET_MDT ? ln->mdt
					  : o->index < ln->nost ? ln->ost[o->index] : NULL;
		if (t)
			return t;
	}
	return NULL;
}

static const char *state_text(const struct ost *o, const struct target *t)
{
	return !o->active ? "CLOSED" : t ? rpc_import_state_name(t->state) : "NEW";
}

static int get_rpc_stats(void *arg, struct wbuf *w)
{
	struct ost *o = arg;
	struct stat_counter *sum = calloc(RPC_NR_MAX, sizeof(*sum));
	const struct target *t;
	uint32_t lane, i;

	if (!sum)
		return -ENOMEM;
	fs_lock(o->fs);
	for (lane = 0; (t = any_target(o, &lane)); lane++) {
		const struct stat_counter *s = rpc_import_stats(t->imp);

		for (i = 0; i < RPC_NR_MAX; i++) {
			sum[i].name = s[i].name;
			sum[i].unit = s[i].unit;
			stat_merge(&sum[i], &s[i]);
		}
	}
	fs_unlock(o->fs);
	stats_print_head(w, real_now(), o->fs->start_real);
	stats_print(w, sum, RPC_NR_MAX);
	free(sum);
	return 0;
}

static int clear_rpc_stats(void *arg, const char *value)
{
	struct ost *o = arg;
	const struct target *t;
	uint32_t lane, i;

	(void)value;
	fs_lock(o->fs);
	for (lane = 0; (t = any_target(o, &lane)); lane++) {
		const struct stat_counter *s = rpc_import_stats(t->imp);

		/* Const because others only read; a sample lost in this moment is harmless. */
		for (i = 0; i < RPC_NR_MAX; i++)
			stat_clear((struct stat_counter *)(uintptr_t)&s[i]);
	}
	fs_unlock(o->fs);
	return 0;
}

static int get_state(void *arg, struct wbuf *w)
{
	struct ost *o = arg;
	const struct target *t;
	uint32_t lane = 0;

	fs_lock(o->fs);
	t = any_target(o, &lane);
	put(w, "current_state: %s\nstate_history:", state_text(o, t));
	if (t)
		put(w, "\n - [ %" PRId64 ", %s ]", (int64_t)(t->since / NSEC_PER_SEC),
		    state_text(o, t));
	fs_unlock(o->fs);
	return 0;
}

static int get_import(void *arg, struct wbuf *w)
{
	struct ost *o = arg;
	const struct target *t;
	const char *kind = o->type == TARGET_MDT ? "mdc" : "osc";
	uint32_t lane = 0, inflight = 0, l2;

	fs_lock(o->fs);
	t = any_target(o, &lane);
	for (l2 = 0; l2 < MAX_LANES; l2++) {
		const struct target *each = any_target(o, &l2);

		inflight += each ? each->inflight : 0;
	}
	put(w, "import:\n    name: %s-%s-%s\n    target: %s_UUID\n    state: %s\n", o->name, kind,
	    o->fs->instance, o->name, state_text(o, t));
	put(w, "    connect_flags: [ bulk_crc32c ]\n    connection:\n");
	put_nids(w, &o->nids, 0);
	put(w, "       current_connection: \"%s\"\n", t ? t->peer : "");
	put(w, "       connection_attempts: %u\n       generation: %u\n", t ? t->attempts : 0,
	    o->generation);
	put(w, "       last_error: %d\n    rpcs:\n       inflight: %u", t ? t->error : 0, inflight);
	fs_unlock(o->fs);
	return 0;
}

static int get_active(void *arg, struct wbuf *w)
{
	put(w, "%u", ((struct ost *)arg)->active);
	return 0;
}

static int set_active(void *arg, const char *value)
{
	struct ost *o = arg;

	if (strcmp(value, "0") && strcmp(value, "1"))
		return -EINVAL;
	fs_lock(o->fs);
	o->active = *value == '1';
	fs_unlock(o->fs);
	atomic_store(&o->told_off, false);
	target_refresh_all(o->fs);
	return 0;
}

static int get_checksum_type(void *arg, struct wbuf *w)
{
	(void)arg;
	put(w, "[crc32c]");
	return 0;
}

static int get_server_uuid(void *arg, struct wbuf *w)
{
	struct ost *o = arg;
	uint32_t lane = 0;

	fs_lock(o->fs);
	put(w, "%s_UUID\t%s", o->name, state_text(o, any_target(o, &lane)));
	fs_unlock(o->fs);
	return 0;
}

static int get_grant(void *arg, struct wbuf *w)
{
	struct ost *o = arg;

	fs_lock(o->fs);
	put(w, "%" PRIu64, o->grant);
	fs_unlock(o->fs);
	return 0;
}

static int get_pages_per_rpc(void *arg, struct wbuf *w)
{
	(void)arg;
	put(w, "%llu", (unsigned long long)MAX_BULK / 4096);
	return 0;
}

/* ---- ldlm ---- leases are Lustre's DLM locks, and all of them are the MDT's */

static int get_lock_count(void *arg, struct wbuf *w)
{
	struct fs *fs = ((struct ost *)arg)->fs;
	struct lease_counts c;

	leases_counts(fs->leases, &c);
	put(w, "%" PRIu64, c.inodes + fs->data.nleases);
	return 0;
}

static int get_lock_unused_count(void *arg, struct wbuf *w)
{
	put(w, "%u", lru_unused(((struct ost *)arg)->fs));
	return 0;
}

/* As Lustre: without a limit it shows how many there are. */
static int get_lru_size(void *arg, struct wbuf *w)
{
	struct fs *fs = ((struct ost *)arg)->fs;
	uint32_t size;

	fs_lock(fs);
	size = fs->lru.size;
	fs_unlock(fs);
	put(w, "%u", size ? size : lru_unused(fs));
	return 0;
}

static int set_lru_size(void *arg, const char *value)
{
	struct fs *fs = ((struct ost *)arg)->fs;
	unsigned long v;
	char *end;

	if (strcmp(value, "clear") == 0) {
		lru_clear(fs);
		return 0;
	}
	if (*value < '0' || *value > '9')
		return -EINVAL;
	v = strtoul(value, &end, 10);
	if (*end)
		return -EINVAL;
	if (v > UINT32_MAX)
		return -ERANGE;
	lru_set_size(fs, (uint32_t)v);
	return 0;
}

static int add_ldlm(struct ost *o, const char *mdc)
{
	static const struct row rows[] = {
		{"lru_size", get_lru_size, set_lru_size},
		{"lock_count", get_lock_count, NULL},
		{"lock_unused_count", get_lock_unused_count, NULL},
	};
	char dev[MAX_PARAM_NAME - 16], name[MAX_PARAM_NAME];
	int rc;

	snprintf(dev, sizeof(dev), "ldlm.namespaces.%s", mdc);
	rc = add_rows(o->fs->params, dev, rows, ARRAY_SIZE(rows), o);
	snprintf(name, sizeof(name), "%s.lru_max_age", dev);
	return rc ? rc : param_add_u32(o->fs->params, name, &o->fs->lru.max_age_ms, 1, UINT32_MAX);
}

void param_add_target(struct ost *o)
{
	static const struct row rows[] = {
		{"stats", get_rpc_stats, clear_rpc_stats},
		{"rpc_stats", get_rpc_stats, clear_rpc_stats},
		{"state", get_state, NULL},
		{"import", get_import, NULL},
		{"active", get_active, set_active},
	};
	static const struct row osc_rows[] = {
		{"checksum_type", get_checksum_type, NULL},
		{"ost_server_uuid", get_server_uuid, NULL},
		{"max_pages_per_rpc", get_pages_per_rpc, NULL},
		{"cur_grant_bytes", get_grant, NULL},
	};
	static const struct row mdc_rows[] = {{"mdt_server_uuid", get_server_uuid, NULL}};
	bool mdt = o->type == TARGET_MDT;
	const struct row *more = mdt ? mdc_rows : osc_rows;
	uint32_t nmore = mdt ? ARRAY_SIZE(mdc_rows) : ARRAY_SIZE(osc_rows);
	char dev[128], name[MAX_PARAM_NAME];
	struct params *ps = o->fs->params;
	int rc;

	snprintf(dev, sizeof(dev), "%s.%s-%s-%s", mdt ? "mdc" : "osc", o->name,
		 mdt ? "mdc" : "osc", o->fs->instance);
	rc = add_rows(ps, dev, rows, ARRAY_SIZE(rows), o);
	if (rc == 0)
		rc = add_rows(ps, dev, more, nmore, o);
	snprintf(name, sizeof(name), "%s.max_rpcs_in_flight", dev);
	if (rc == 0)
		rc = param_add_u32(ps, name, &o->max_rpcs, 1, 512);
	snprintf(name, sizeof(name), "%s.checksums", dev);
	if (rc == 0 && !mdt)
		rc = param_add_u32(ps, name, &o->checksums, 0, 1);
	if (rc == 0 && mdt)
		rc = add_ldlm(o, dev + strlen("mdc."));
	if (rc)
		log_err("parameters of %s: %s", o->name, err_str(rc));
}

/* ---- text for tools ---- */

void fs_targets_text(struct fs *fs, struct wbuf *w)
{
	char nid[NID_STRLEN], uuid[UUID_STRLEN];
	struct ost *o;

	fs_lock(fs);
	TAILQ_FOREACH(o, &fs->osts, link) {
		uint32_t lane = 0;
		const struct target *t = any_target(o, &lane);
		bool mdt = o->type == TARGET_MDT;

		put(w, "%s\t%u\t%s\t%s\t%u\t%s\t%s\t%s-%s-%s\t%d\n", mdt ? "MDT" : "OST", o->index,
		    o->name, state_text(o, t), o->active,
		    o->nids.n ? nid_str(&o->nids.nid[0], 0, nid) : "", uuid_str(o->uuid, uuid),
		    o->name, mdt ? "mdc" : "osc", fs->instance, t ? t->error : 0);
	}
	fs_unlock(fs);
}

void fs_info_text(struct fs *fs, struct wbuf *w)
{
	char nids[512], uuid[UUID_STRLEN], fid[FID_STRLEN];

	nid_list_str(&fs->cfg.source.mgs, PORT_MGS, nids, sizeof(nids));
	put(w, "fsname=%s\ninstance=%s\nuuid=%s\nmgs=%s\nversion=%s\npid=%d\nroot=%s\nsubdir=%s\n",
	    fs->cfg.source.fsname, fs->instance, uuid_str(fs->uuid, uuid), nids, SHEEN_VERSION,
	    (int)getpid(), fid_str(&fs->root, fid), fs->cfg.source.subdir);
}
