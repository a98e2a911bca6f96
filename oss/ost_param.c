/* SPDX-License-Identifier: Apache-2.0 */
/* ost_param.c - what a target shows and lets be set: obdfilter.<name>.*, in Lustre's names.
 *
 * Callbacks run on whatever thread asks. They read words that the target's thread writes, which at
 * worst gives a value of a moment ago, and the space, which is one system call; tunables are
 * words that the target reads at each use.
 */
#include "common/log.h"
#include "common/param.h"
#include "oss/ost.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void print(struct wbuf *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void print(struct wbuf *w, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert(n >= 0 && n < (int)sizeof(text));
	wbuf_put(w, text, (uint32_t)n);
}

#define SPACE_PARAM(name, expr)                                \
	static int name##_get(void *arg, struct wbuf *w)       \
	{                                                      \
		struct ost *ost = arg;                         \
		struct disk_space sp;                          \
		int rc = disk_space(ost->disk, &sp);           \
                                                               \
		if (rc == 0)                                   \
			print(w, "%" PRIu64, (uint64_t)(expr)); \
		return rc;                                     \
	}
SPACE_PARAM(kbytestotal, sp.total / KIB)
SPACE_PARAM(kbytesfree, sp.free / KIB)
SPACE_PARAM(kbytesavail, sp.avail / KIB)
SPACE_PARAM(filestotal, sp.files)
SPACE_PARAM(filesfree, sp.ffree)

#define WORD_PARAM(name, expr)                           \
	static int name##_get(void *arg, struct wbuf *w) \
	{                                                \
		const struct ost *ost = arg;             \
                                                         \
		print(w, "%" PRIu64, (uint64_t)(expr));  \
		return 0;                                \
	}
WORD_PARAM(num_exports, rpc_service_nsessions(ost->svc))
WORD_PARAM(tot_granted, ost->granted)
WORD_PARAM(bulk_used, bulk_pool_used(ost->bulk))

static int brw_size_get(void *arg, struct wbuf *w)
{
	(void)arg;
	print(w, "%llu", MAX_BULK / MIB);
	return 0;
}

static int uuid_get(void *arg, struct wbuf *w)
{
	const struct ost *ost = arg;

	print(w, "%s_UUID", ost->name);
	return 0;
}

static int recovery_status_get(void *arg, struct wbuf *w)
{
	struct ost *ost = arg;
	const struct ost_recovery *r = &ost->recovery;
	uint64_t now = loop_now(ost->cfg.loop), took = atomic_load(&r->took_ns);
	uint64_t due = max_u64(atomic_load(&r->due_ns), now);
	uint32_t known = atomic_load(&r->known), here = atomic_load(&r->here);
	uint32_t back = atomic_load(&r->back);
	uint64_t began = (uint64_t)atomic_load(&r->began) / (uint64_t)NSEC_PER_SEC;

	/* A process that starts anew on the same machine finds everything. */
	if (!began) {
		print(w, "status: INACTIVE");
		return 0;
	}
	print(w, "status: %s\nrecovery_start: %" PRIu64 "\n",
	      took ? "COMPLETE" : here ? "RECOVERING" : "WAITING_FOR_CLIENTS", began);
	if (took)
		print(w,
		      "recovery_duration: %" PRIu64 "\ncompleted_clients: %u/%u"
		      "\nevicted_clients: %u",
		      took / (uint64_t)NSEC_PER_SEC, back, known, known - back);
	else
		print(w,
		      "time_remaining: %" PRIu64 "\nconnected_clients: %u/%u"
		      "\ncompleted_clients: %u",
		      (due - now) / (uint64_t)NSEC_PER_SEC, here, known, back);
	print(w, "\nreplayed_requests: %" PRIu64, atomic_load(&r->changes));
	return 0;
}

static int abort_recovery_set(void *arg, const char *value)
{
	struct ost *ost = arg;

	(void)value;
	loop_post(ost->cfg.loop, &ost->abort);
	return 0;
}

static int changes_get(void *arg, struct wbuf *w)
{
	const struct ost *ost = arg;
	uint64_t stable = cache_stable(ost->cache);

	print(w, "changes: %" PRIu64 "\nstable: %" PRIu64, cache_changes(ost->cache), stable);
	return 0;
}

static int open_objects_get(void *arg, struct wbuf *w)
{
	const struct ost *ost = arg;
	const struct cache_stats *s = cache_get_stats(ost->cache);

	print(w, "open: %u\nabsent: %u\nhits: %" PRIu64 "\nmisses: %" PRIu64 "\nevicted: %" PRIu64,
	      s->open, s->absent, s->hits, s->misses, s->evicted);
	return 0;
}

static int stats_get(void *arg, struct wbuf *w)
{
	const struct ost *ost = arg;

	stats_print_head(w, loop_realtime(ost->cfg.loop), ost->stats_start);
	stats_print(w, ost->stats, OST_NSTATS);
	return 0;
}

static int stats_clear(void *arg, const char *value)
{
	struct ost *ost = arg;

	(void)value;
	for (int i = 0; i < OST_NSTATS; i++)
		stat_clear(&ost->stats[i]);
	ost->stats_start = loop_realtime(ost->cfg.loop);
	return 0;
}

static const struct {
	const char *name;
	param_get_fn *get;
	param_set_fn *set;
} shown[] = {
	{"stats", stats_get, stats_clear},
	{"uuid", uuid_get, NULL},
	{"kbytestotal", kbytestotal_get, NULL},
	{"kbytesfree", kbytesfree_get, NULL},
	{"kbytesavail", kbytesavail_get, NULL},
	{"filestotal", filestotal_get, NULL},
	{"filesfree", filesfree_get, NULL},
	{"num_exports", num_exports_get, NULL},
	{"tot_granted", tot_granted_get, NULL},
	{"brw_size", brw_size_get, NULL},
	{"bulk_used_bytes", bulk_used_get, NULL},
	{"open_objects", open_objects_get, NULL},
	{"changes", changes_get, NULL},
	{"recovery_status", recovery_status_get, NULL},
	{"abort_recovery", NULL, abort_recovery_set},
};

static const struct {
	const char *name;
	size_t offset;
	uint32_t min, max;
} tunable[] = {
	{"degraded", offsetof(struct ost, degraded), 0, 1},
	{"no_create", offsetof(struct ost, no_create), 0, 1},
	{"stable_ms", offsetof(struct ost, stable_ms), 0, 3600000},
	{"sync_journal", offsetof(struct ost, sync_journal), 0, 1},
	{"max_open_objects", offsetof(struct ost, max_open_objects), 16, 1000000},
	{"bulk_limit_mb", offsetof(struct ost, bulk_limit_mb), OST_BULK_LIMIT_MB_MIN, 65536},
};

static void param_name(const struct ost *ost, const char *last, char out[MAX_PARAM_NAME])
{
	snprintf(out, MAX_PARAM_NAME, "obdfilter.%s.%s", ost->name, last);
}

int ost_param_add(struct ost *ost)
{
	char name[MAX_PARAM_NAME];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(shown); i++) {
		param_name(ost, shown[i].name, name);
		rc = param_add(ost->cfg.params, name, shown[i].get, shown[i].set, ost);
	}
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(tunable); i++) {
		uint32_t *v = (uint32_t *)((char *)ost + tunable[i].offset);

		param_name(ost, tunable[i].name, name);
		rc = param_add_u32(ost->cfg.params, name, v, tunable[i].min, tunable[i].max);
	}
	return rc;
}

void ost_param_del(struct ost *ost)
{
	char name[MAX_PARAM_NAME];

	param_name(ost, "", name);
	param_del_prefix(ost->cfg.params, name);
}
