/* SPDX-License-Identifier: Apache-2.0 */
/* scrub.c - see scrub.h. The rules about checksums are seal.c's.
 *
 * A pass goes through the list of objects (lfsck.h), each a MiB at a time, so that nobody waits for
 * an object for longer than one read. An object that was written lately is looked at in the next
 * pass. Data that are to be sealed are synced first: what is sealed is on the disk. They are read
 * from the disk, not from the system's cache.
 */
#include "oss/scrub.h"
#include "common/log.h"
#include "common/param.h"
#include "oss/lfsck.h"
#include "oss/seal.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PIECE = SEAL_PIECE * SEAL_BLOCK,
	LIST = 64,
	LOOK_S = 1, /* how often it is looked whether a pass is due */
	SPEED_MB = 64,
	QUIET_S = 30,
};

enum request { NOTHING, START, STOP };

struct scrub {
	struct ost *ost;
	bool ends, runs; /* the fiber */
	struct co_waitq q, done_q;
	uint8_t *data; /* a piece */
	struct loop_work wake;
	uint32_t woken; /* wake is on its way */

	/* set on any thread, read here */
	uint32_t speed_mb, interval_s, quiet_s, request;
	/* set here, read on any thread */
	uint32_t scanning, passes;
	int64_t started, completed;
	uint64_t objects, bytes, sealed, busy, errors, damaged;
	uint32_t ntold;
	struct scrub_told {
		struct object_id id;
		uint64_t block;
	} told[SCRUB_TOLD];
};

#define READ(x)   __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define SET(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELEASE)

/* ---- damage ---- */

static bool is_told(const struct scrub *s, const struct object_id *id, uint64_t block)
{
	for (uint32_t i = 0; i < s->ntold; i++)
		if (s->told[i].block == block && object_id_eq(&s->told[i].id, id))
			return true;
	return false;
}

void scrub_damage(struct scrub *s, const struct object_id *id, uint64_t block)
{
	char text[OBJECT_STRLEN];

	if (is_told(s, id, block))
		return;
	SET(s->damaged, s->damaged + 1);
	if (s->ntold < SCRUB_TOLD) {
		s->told[s->ntold] = (struct scrub_told){*id, block};
		SET(s->ntold, s->ntold + 1);
	}
	log_err("%s: object %s is damaged: block %" PRIu64 ", offset %" PRIu64
		": its bytes are not those that were written; reads give EIO",
		s->ost->name, object_str(id, text), block, block * SEAL_BLOCK);
}

/* ---- one object ---- */

struct target {
	struct scrub *s;
	const struct object_id *id;
	uint64_t version; /* when it was synced; 0: not */
};

static void bad_block(void *arg, uint64_t block)
{
	const struct target *t = arg;

	scrub_damage(t->s, t->id, block);
}

static bool is_quiet(const struct scrub *s, const struct object *o)
{
	int64_t age = loop_realtime(s->ost->cfg.loop) - o->wtime;

	return !o->writes && age >= READ(s->quiet_s) * NSEC_PER_SEC;
}

/* Bytes read, 0 at the end, or -errno. */
static int co_piece(struct scrub *s, struct target *t, struct object *o, uint64_t off)
{
	struct iovec iov = {s->data, PIECE};
	struct cache *c = s->ost->cache;
	uint64_t now;
	ssize_t n;
	int rc = 0;

	if (!t->version) {
		t->version = o->version;
		rc = disk_co_sync(o->file);
	}
	if (rc)
		return rc;
	disk_uncache(o->file, off, PIECE);
	now = o->version;
	n = disk_co_read(o->file, &iov, 1, off);
	if (n <= 0)
		return (int)n;
	rc = seal_co_verify(c, o, s->data, off, (uint32_t)n, now, bad_block, t);
	if (rc >= 0 && o->version == t->version)
		rc = seal_co_seal(c, o, s->data, off, (uint32_t)n, t->version);
	if (rc > 0)
		SET(s->sealed, s->sealed + (uint32_t)rc);
	return rc < 0 && rc != -EAGAIN ? rc : (int)n;
}

/* The pace: waits as long as n bytes may take. True: the pass ends. */
static bool co_pace(struct scrub *s, uint64_t began, uint64_t n)
{
	struct loop *l = s->ost->cfg.loop;
	uint64_t until = began + n * NSEC_PER_SEC / (READ(s->speed_mb) * MIB);

	co_yield ();
	while (!s->ends && READ(s->request) != STOP && loop_now(l) < until)
		(void)!co_wait(&s->q, min_u64(until, loop_now(l) + LOOK_S * NSEC_PER_SEC));
	return s->ends || READ(s->request) == STOP;
}

/* Objects are let go of between pieces: a truncation may want them alone. */
static bool co_object(struct scrub *s, const struct object_id *id)
{
	struct target t = {.s = s, .id = id};
	struct object *o;
	uint64_t off, began;
	int n = PIECE;

	for (off = 0; n == PIECE; off += PIECE) {
		began = loop_now(s->ost->cfg.loop);
		if (cache_co_get(s->ost->cache, id, CACHE_SHARED, 0, &o)) {
			SET(s->errors, s->errors + 1);
			return false;
		}
		n = 0;
		if (o->file && !is_quiet(s, o))
			SET(s->busy, s->busy + 1);
		else if (o->file)
			n = co_piece(s, &t, o, off);
		cache_put(s->ost->cache, o);
		if (n < 0) {
			SET(s->errors, s->errors + 1);
			(void)ost_io_error(s->ost, id, "cannot be scrubbed", n);
			return false;
		}
		SET(s->bytes, s->bytes + (uint32_t)n);
		if (co_pace(s, began, (uint32_t)n))
			return true;
	}
	SET(s->objects, s->objects + 1);
	return false;
}

/* ---- a pass ---- */

static void co_pass(struct scrub *s)
{
	struct object_id ids[LIST];
	struct object_cursor c = {.seq = 0};
	uint32_t i, n;
	int rc;

	do {
		rc = objects_list(s->ost->disk, &c, ids, LIST, &n);
		for (i = 0; i < n && rc >= 0; i++)
			if (co_object(s, &ids[i]))
				return;
		co_yield ();
	} while (rc == 0 && !s->ends && READ(s->request) != STOP);
	if (rc < 0)
		log_err("%s: scrub: objects cannot be listed: %s", s->ost->name, err_str(rc));
	if (rc == 1) {
		SET(s->completed, loop_realtime(s->ost->cfg.loop));
		SET(s->passes, s->passes + 1);
	}
}

static bool is_due(const struct scrub *s)
{
	int64_t interval = (int64_t)READ(s->interval_s) * NSEC_PER_SEC;

	return READ(s->request) == START ||
	       (interval && loop_realtime(s->ost->cfg.loop) - s->started >= interval);
}

static void run_pass(struct scrub *s)
{
	SET(s->request, NOTHING);
	SET(s->started, loop_realtime(s->ost->cfg.loop));
	SET(s->objects, 0);
	SET(s->bytes, 0);
	SET(s->sealed, 0);
	SET(s->busy, 0);
	SET(s->errors, 0);
	SET(s->scanning, 1);
	s->data = malloc(PIECE);
	if (s->data)
		co_pass(s);
	free(s->data);
	SET(s->scanning, 0);
	if (READ(s->request) == STOP)
		SET(s->request, NOTHING);
}

static void scrub_main(void *arg)
{
	struct scrub *s = arg;
	struct loop *l = s->ost->cfg.loop;

	while (!s->ends) {
		if (is_due(s))
			run_pass(s);
		else
			(void)!co_wait(&s->q, loop_now(l) + LOOK_S * (uint64_t)NSEC_PER_SEC);
	}
	s->runs = false;
	co_wake_all(&s->done_q);
}

/* ---- parameters ---- */

static void print(struct wbuf *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void print(struct wbuf *w, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	wbuf_put(w, text, (uint32_t)strlen(text));
}

static int get_scrub(void *arg, struct wbuf *w)
{
	struct scrub *s = arg;
	uint32_t i, n = READ(s->ntold);
	char text[OBJECT_STRLEN];

	print(w, "status: %s\npasses: %u\nlatest_start_time: %lld\nlast_completed_time: %lld",
	      READ(s->scanning) ? "scanning"
	      : READ(s->passes) ? "completed"
				: "init",
	      READ(s->passes), READ(s->started) / NSEC_PER_SEC, READ(s->completed) / NSEC_PER_SEC);
	print(w,
	      "\nchecked_objects: %" PRIu64 "\nchecked_bytes: %" PRIu64 "\nnew_checksums: %" PRIu64
	      "\nbusy_objects: %" PRIu64 "\nerrors: %" PRIu64 "\ndamaged_blocks: %" PRIu64,
	      READ(s->objects), READ(s->bytes), READ(s->sealed), READ(s->busy), READ(s->errors),
	      READ(s->damaged));
	for (i = 0; i < n; i++)
		print(w, "\ndamaged: object %s block %" PRIu64 " offset %" PRIu64,
		      object_str(&s->told[i].id, text), s->told[i].block,
		      s->told[i].block * SEAL_BLOCK);
	return w->rc;
}

static int set_scrub(void *arg, const char *value)
{
	struct scrub *s = arg;

	if (!strcmp(value, "start"))
		SET(s->request, START);
	else if (!strcmp(value, "stop"))
		SET(s->request, READ(s->scanning) ? STOP : NOTHING);
	else
		return -EINVAL;
	if (!__atomic_exchange_n(&s->woken, 1, __ATOMIC_ACQ_REL))
		loop_post(s->ost->cfg.loop, &s->wake);
	return 0;
}

static void wake(void *arg)
{
	struct scrub *s = arg;

	SET(s->woken, 0);
	co_wake_all(&s->q);
}

static int add_params(struct scrub *s)
{
	struct params *ps = s->ost->cfg.params;
	char name[MAX_PARAM_NAME];
	int rc;

	snprintf(name, sizeof(name), "obdfilter.%s.scrub", s->ost->name);
	rc = param_add(ps, name, get_scrub, set_scrub, s);
	snprintf(name, sizeof(name), "obdfilter.%s.scrub_speed_mb", s->ost->name);
	if (rc == 0)
		rc = param_add_u32(ps, name, &s->speed_mb, 1, 1000000);
	snprintf(name, sizeof(name), "obdfilter.%s.scrub_interval", s->ost->name);
	if (rc == 0)
		rc = param_add_u32(ps, name, &s->interval_s, 0, UINT32_MAX);
	snprintf(name, sizeof(name), "obdfilter.%s.scrub_quiet", s->ost->name);
	return rc ? rc : param_add_u32(ps, name, &s->quiet_s, 0, 86400);
}

/* ---- life ---- */

int scrub_create(struct ost *ost, struct scrub **out)
{
	struct scrub *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->ost = ost;
	s->speed_mb = SPEED_MB;
	s->quiet_s = QUIET_S;
	s->started = loop_realtime(ost->cfg.loop);
	co_waitq_init(&s->q);
	co_waitq_init(&s->done_q);
	s->wake = (struct loop_work){.fn = wake, .arg = s};
	rc = ost->cfg.params ? add_params(s) : 0;
	if (rc) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void scrub_destroy(struct scrub *s)
{
	assert(!s->runs);
	free(s);
}

int scrub_start(struct scrub *s)
{
	int rc;

	s->runs = true;
	rc = fiber_spawn(s->ost->cfg.loop, scrub_main, s);
	if (rc)
		s->runs = false;
	return rc;
}

void scrub_co_stop(struct scrub *s)
{
	char name[MAX_PARAM_NAME];

	s->ends = true;
	co_wake_all(&s->q);
	snprintf(name, sizeof(name), "obdfilter.%s.scrub", s->ost->name);
	if (s->ost->cfg.params)
		param_del_prefix(s->ost->cfg.params, name);
	while (READ(s->woken))
		co_yield();
	while (s->runs)
		(void)!co_wait(&s->done_q, 0);
}
