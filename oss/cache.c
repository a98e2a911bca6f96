/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c - see cache.h.
 *
 * A chained hash of all known objects; those that nobody uses stand in one of two LRU lists, open
 * ones and absent ones, each bounded by max_open, so that removing a million files does not push
 * out the open files.
 *
 * The time of the last change is kept here in nanoseconds, because the file's own mtime is as
 * coarse as the kernel's tick: it is saved in the record when an object leaves memory, so it never
 * goes back. After a crash the file's mtime counts.
 *
 * Changes are counted, so that an object that has not changed since the disk had it is not synced
 * again: by itself (object.synced), or with everything on the disk (stable). An object that is
 * opened again may be as new as anything.
 *
 * It does no reads or writes of data and knows nothing of requests.
 */
#include "oss/cache.h"
#include "common/late.h"
#include "common/log.h"
#include "common/proto/proto.h"
#include <stdlib.h>

enum { HASH_SIZE = 16384 }; /* chains stay short up to some 100k objects */
#define LATE_NS (5 * NSEC_PER_MSEC)
#define SYNCED_XATTR "sheen.synced"
#define SOMEBODY UINT64_MAX /* no session */

TAILQ_HEAD(object_list, object);

struct cache {
	struct loop *loop;
	struct disk *disk;
	const char *name;
	const uint32_t *max_open;
	struct object_list open_lru, absent_lru; /* unused, oldest first */
	struct cache_stats stats;
	uint64_t changes, stable;
	int sync_error; /* of cache_co_sync_all() */
	struct co_waitq change_q;
	struct object *hash[HASH_SIZE];
};

int cache_create(struct loop *l, struct disk *d, const char *name, const uint32_t *max_open,
		 struct cache **out)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = l;
	c->disk = d;
	c->name = name;
	c->max_open = max_open;
	c->changes = 1; /* what an earlier life has left */
	co_waitq_init(&c->change_q);
	TAILQ_INIT(&c->open_lru);
	TAILQ_INIT(&c->absent_lru);
	*out = c;
	return 0;
}

static struct object **hash_slot(struct cache *c, const struct object_id *id)
{
	struct object **at = &c->hash[object_id_hash(id) % HASH_SIZE];

	while (*at && !object_id_eq(&(*at)->id, id))
		at = &(*at)->hash_next;
	return at;
}

static void log_object(const struct cache *c, const struct object_id *id, const char *what, int rc)
{
	char buf[OBJECT_STRLEN];

	if (rc != -ENOSPC && rc != -EDQUOT) /* is told to the writer: no news */
		log_err("%s: object %s: %s: %s", c->name, object_str(id, buf), what, err_str(rc));
}

/* ---- the record ---- */

static int record_store(struct cache *c, struct object *o)
{
	struct object_record rec = {
		.fid = o->id.fid,
		.comp = o->id.comp,
		.stripe = o->id.stripe,
		.trunc_gen = o->trunc_gen,
		.vsize = o->vsize,
		.wtime = o->wtime,
		.layout = o->layout,
		.sealed = o->sealed,
	};
	struct disk_stat st;
	uint8_t mem[OBJECT_RECORD_MAX];
	struct wbuf w;
	int rc;

	if (disk_stat(o->file, &st) == 0)
		rec.mtime = st.mtime;
	wbuf_init_fixed(&w, mem, sizeof(mem));
	object_record_enc(&w, &rec);
	assert(w.rc == 0);
	rc = disk_setxattr(o->file, OBJECT_XATTR, w.ptr, w.len);
	if (rc)
		log_object(c, &o->id, "cannot store its record", rc);
	else
		o->wtime_unsaved = false;
	return rc;
}

/* A file without a record is one whose maker died in between, or what a crash left of it. */
static int record_load(struct cache *c, struct object *o)
{
	struct object_id found;
	struct object_record rec;
	uint8_t mem[OBJECT_RECORD_MAX];
	char buf[OBJECT_STRLEN], buf2[OBJECT_STRLEN];
	ssize_t len;
	int rc;

	len = disk_getxattr(o->file, OBJECT_XATTR, mem, sizeof(mem));
	if (len == -ENODATA) {
		if (o->stat.size > 0)
			log_warn("%s: object %s has data but no record; a new one is made", c->name,
				 object_str(&o->id, buf));
		if (o->stat.size > 0)
			o->wtime = max_i64(o->wtime, o->stat.mtime);
		return record_store(c, o);
	}
	if (len < 0 && len != -ERANGE)
		return (int)len;
	rc = len < 0 ? -EUCLEAN : object_record_dec((struct span){mem, (uint32_t)len}, &rec);
	if (rc) {
		log_object(c, &o->id, "its record is damaged, the object is refused", rc);
		return rc;
	}
	found = (struct object_id){rec.fid, rec.comp, rec.stripe};
	if (!object_id_eq(&found, &o->id)) {
		log_err("%s: the file of object %s says it is %s: the object is refused", c->name,
			object_str(&o->id, buf), object_str(&found, buf2));
		return -EUCLEAN;
	}
	if (rec.trunc_gen > o->trunc_gen)
		o->trunc_gen = rec.trunc_gen;
	o->vsize = rec.vsize;
	o->layout = rec.layout;
	o->sealed = rec.sealed;
	/* A crash may have left an old record; the file's own time is that of the disk write. */
	o->wtime = max_i64(o->wtime, rec.mtime == o->stat.mtime
					     ? rec.wtime
					     : max_i64(rec.wtime, o->stat.mtime));
	return 0;
}

/* ---- leaving memory ---- */

static void object_close(struct cache *c, struct object *o)
{
	if (!o->file)
		return;
	if (o->wtime_unsaved)
		(void)!record_store(c, o); /* logged; the file's mtime has to do */
	disk_file_close(o->file);
	o->file = NULL;
	if (o->seal)
		disk_file_close(o->seal);
	o->seal = NULL;
	o->nopened = 0;
	o->all_opened = false;
	o->stat_ok = false;
	c->stats.open--;
	c->stats.absent++;
}

static void object_drop(struct cache *c, struct object *o)
{
	struct object **slot = hash_slot(c, &o->id);

	assert(o->refs == 0 && *slot == o && co_waitq_empty(&o->q));
	object_close(c, o);
	*slot = o->hash_next;
	c->stats.absent--;
	free(o);
}

static bool evict_one(struct cache *c, struct object_list *lru)
{
	struct object *o = TAILQ_FIRST(lru);

	if (!o)
		return false;
	TAILQ_REMOVE(lru, o, lru);
	object_drop(c, o);
	c->stats.evicted++;
	return true;
}

static void evict(struct cache *c)
{
	while (c->stats.open > *c->max_open && evict_one(c, &c->open_lru))
		;
	while (c->stats.absent > *c->max_open && evict_one(c, &c->absent_lru))
		;
}

void cache_destroy(struct cache *c)
{
	while (evict_one(c, &c->open_lru) || evict_one(c, &c->absent_lru))
		;
	assert(c->stats.open == 0 && c->stats.absent == 0);
	free(c);
}

/* ---- references and locks ---- */

static int object_ref(struct cache *c, const struct object_id *id, struct object **out)
{
	struct object **slot = hash_slot(c, id), *o = *slot;

	if (o) {
		c->stats.hits++;
		if (o->refs++ == 0)
			TAILQ_REMOVE(o->file ? &c->open_lru : &c->absent_lru, o, lru);
		*out = o;
		return 0;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	c->stats.misses++;
	c->stats.absent++;
	o->id = *id;
	o->refs = 1;
	co_mutex_init(&o->seal_lock);
	co_waitq_init(&o->q);
	*slot = o;
	*out = o;
	return 0;
}

static void object_unref(struct cache *c, struct object *o)
{
	assert(o->refs > 0);
	if (--o->refs > 0)
		return;
	if (!o->loaded) { /* could not be opened: nothing is known of it */
		object_drop(c, o);
		return;
	}
	TAILQ_INSERT_TAIL(o->file ? &c->open_lru : &c->absent_lru, o, lru);
	evict(c);
}

static bool needs_load(const struct object *o, bool create)
{
	return !o->loaded || (create && !o->file);
}

/* Whoever wants it alone goes before new sharers, or writers could keep a truncation out for ever.
 * */
static bool lock_try(struct object *o, bool alone)
{
	if (o->exclusive || (alone ? o->readers : o->exclusive_waiting))
		return false;
	if (alone)
		o->exclusive = true;
	else
		o->readers++;
	return true;
}

/* Alone as well if the object must be opened first; that may be done when it is our turn. */
static void lock(struct object *o, uint32_t flags)
{
	bool exclusive = flags & CACHE_EXCLUSIVE;

	if (lock_try(o, exclusive || needs_load(o, flags & CACHE_CREATE)))
		return;
	o->exclusive_waiting += exclusive;
	do
		(void)!co_wait(&o->q, 0);
	while (!lock_try(o, exclusive || needs_load(o, flags & CACHE_CREATE)));
	o->exclusive_waiting -= exclusive;
}

static void unlock(struct object *o)
{
	if (o->exclusive)
		o->exclusive = false;
	else
		o->readers--;
	if (!o->exclusive && !o->readers)
		co_wake_all(&o->q);
}

static void downgrade(struct object *o)
{
	o->exclusive = false;
	o->readers = 1;
	co_wake_all(&o->q);
}

/* ---- what the disk has ---- */

static void note_change(struct cache *c, struct object *o)
{
	o->change = __atomic_add_fetch(&c->changes, 1, __ATOMIC_RELAXED);
	if (!co_waitq_empty(&c->change_q))
		co_wake_all(&c->change_q);
}

/* After a loss of power a client that has not heard of the sync sends its older changes again; they
 * must not come over newer ones of others, whose authors need not live any more. The number
 * follows the data to the disk. */
static int record_synced(struct object *o, uint64_t upto)
{
	uint64_t shared = o->shared;
	int rc = disk_setxattr(o->file, SYNCED_XATTR, &upto, sizeof(upto));

	if (rc == 0)
		rc = disk_co_sync_meta(o->file);
	if (rc == 0 && o->shared == shared)
		o->shared = 0;
	return rc;
}

int cache_synced_upto(struct object *o, uint64_t *number)
{
	ssize_t n;

	if (!o->file)
		return -ENODATA;
	n = disk_getxattr(o->file, SYNCED_XATTR, number, sizeof(*number));
	return n == sizeof(*number) ? 0 : n < 0 ? (int)n : -EUCLEAN;
}

void cache_writer(struct cache *c, struct object *o, uint64_t session)
{
	if (o->writer && o->writer != session && o->change > c->stable)
		o->shared = o->change;
	o->writer = session;
}

/* Which number this is, is read first: what comes meanwhile is synced or not. */
int cache_co_sync(struct cache *c, struct object *o)
{
	uint64_t upto = o->change;
	int rc;

	if (!o->file || max_u64(o->synced, c->stable) >= upto)
		return 0;
	rc = disk_co_sync(o->file);
	if (rc == 0 && o->shared > c->stable)
		rc = record_synced(o, upto);
	if (rc == 0)
		o->synced = max_u64(o->synced, upto);
	return rc;
}

int cache_co_sync_all(struct cache *c, uint64_t *upto)
{
	int rc;

	*upto = c->changes;
	rc = disk_co_sync_all(c->disk);
	if (rc)
		c->sync_error = rc;
	return c->sync_error;
}

void cache_is_stable(struct cache *c, uint64_t upto)
{
	if (upto > c->stable)
		__atomic_store_n(&c->stable, upto, __ATOMIC_RELAXED);
}

void cache_number_from(struct cache *c, uint64_t base, uint64_t stable)
{
	assert(stable <= base);
	__atomic_store_n(&c->changes, base, __ATOMIC_RELAXED);
	__atomic_store_n(&c->stable, stable, __ATOMIC_RELAXED);
}

void cache_co_wait_change(struct cache *c)
{
	if (c->stable >= c->changes)
		(void)!co_wait(&c->change_q, 0);
}

void cache_wake(struct cache *c)
{
	co_wake_all(&c->change_q);
}

uint64_t cache_changes(const struct cache *c)
{
	return __atomic_load_n(&c->changes, __ATOMIC_RELAXED);
}

uint64_t cache_stable(const struct cache *c)
{
	return __atomic_load_n(&c->stable, __ATOMIC_RELAXED);
}

/* ---- opening ---- */

/* The limit of descriptors may be nearer than max_open: then fewer have to do. */
static int open_path(struct cache *c, const char *path, bool create, struct disk_file **out)
{
	int rc;

	do
		rc = disk_co_open(c->disk, path, create, out);
	while ((rc == -EMFILE || rc == -ENFILE) && evict_one(c, &c->open_lru));
	return rc;
}

static int open_file(struct cache *c, struct object *o, bool create)
{
	char path[OBJECT_PATH_MAX];
	int rc = open_path(c, object_path(&o->id, path), create, &o->file);

	if (rc == 0) {
		c->stats.absent--;
		c->stats.open++;
	} else if (rc != -ENOENT) {
		log_object(c, &o->id, create ? "cannot be made" : "cannot be opened", rc);
	}
	/* Whoever asks would take it for a limit of his own. */
	return rc == -EMFILE || rc == -ENFILE ? -EIO : rc;
}

static int load_existing(struct cache *c, struct object *o)
{
	int rc = disk_stat(o->file, &o->stat);

	if (rc == 0)
		rc = record_load(c, o);
	if (rc)
		return rc;
	o->stat_ok = true;
	return 0;
}

static int load(struct cache *c, struct object *o, bool create, uint32_t gen)
{
	bool is_new = o->loaded; /* it was looked for and is not there */
	int rc;

	if (create && (o->destroyed || gen < o->trunc_gen))
		return -ESTALE;
	rc = open_file(c, o, create);
	if (rc == -ENOENT && !create) {
		o->loaded = true;
		return 0;
	}
	if (rc)
		return rc;
	rc = is_new ? record_store(c, o) : load_existing(c, o);
	if (rc) {
		o->wtime_unsaved = false;
		object_close(c, o);
		return rc;
	}
	o->loaded = true;
	if (create)
		note_change(c, o);
	else { /* it may have been changed before it left memory */
		o->change = c->changes;
		o->writer = SOMEBODY;
	}
	return 0;
}

/* What its maker says, if it is a layout, or nothing. */
static bool layout_is_sane(const struct object_id *id, const struct object_layout *l)
{
	return l->stripe_count <= MAX_STRIPES && id->stripe < l->stripe_count && l->stripe_size &&
	       l->stripe_size % STRIPE_SIZE_UNIT == 0;
}

static int get(struct cache *c, struct object *o, uint32_t flags, uint32_t gen,
	       const struct object_layout *l)
{
	bool tell = l && !o->layout.stripe_count && layout_is_sane(&o->id, l);
	int rc = 0;

	if (needs_load(o, flags & CACHE_CREATE)) {
		if (tell)
			o->layout = *l; /* is stored with the record of a new object */
		rc = load(c, o, flags & CACHE_CREATE, gen);
	}
	if (rc == 0 && tell && o->file && !o->layout.stripe_count) {
		o->layout = *l; /* an old one that did not know */
		rc = record_store(c, o);
	}
	if (rc && tell)
		o->layout = (struct object_layout){0};
	return rc;
}

int cache_co_make(struct cache *c, const struct object_id *id, uint32_t flags, uint32_t gen,
		  const struct object_layout *l, struct object **out)
{
	struct object *o;
	int rc = object_id_check(id);

	if (rc == 0)
		rc = object_ref(c, id, &o);
	if (rc)
		return rc;
	lock(o, flags);
	rc = get(c, o, flags, gen, l);
	if (rc) {
		unlock(o);
		object_unref(c, o);
		return rc;
	}
	if (o->exclusive && !(flags & CACHE_EXCLUSIVE))
		downgrade(o);
	*out = o;
	return 0;
}

int cache_co_get(struct cache *c, const struct object_id *id, uint32_t flags, uint32_t gen,
		 struct object **out)
{
	return cache_co_make(c, id, flags, gen, NULL, out);
}

void cache_put(struct cache *c, struct object *o)
{
	unlock(o);
	object_unref(c, o);
}

/* ---- what handlers do with an object ---- */

int cache_trunc_gen(struct cache *c, struct object *o, uint32_t gen)
{
	uint32_t before = o->trunc_gen;
	int rc;

	if (gen == before)
		return 0;
	if (gen < before)
		return -ESTALE;
	o->trunc_gen = gen;
	rc = o->file ? record_store(c, o) : 0;
	if (rc)
		o->trunc_gen = before;
	else
		note_change(c, o);
	return rc;
}

void cache_write_begin(struct object *o)
{
	o->writes++;
	o->stat_ok = false;
}

void cache_write_end(struct object *o)
{
	o->writes--;
}

static void changed(struct cache *c, struct object *o, int64_t now)
{
	note_change(c, o);
	o->version = max_u64(o->version + 1, (uint64_t)now);
	o->wtime_unsaved = true;
	o->stat_ok = false;
}

void cache_touch(struct cache *c, struct object *o)
{
	int64_t now = loop_realtime(c->loop);

	o->wtime = max_i64(now, o->wtime + 1);
	changed(c, o, now);
}

void cache_touch_late(struct cache *c, struct object *o, uint64_t age_ns, int64_t written)
{
	int64_t now = loop_realtime(c->loop);

	o->wtime = max_i64(late_time(now, age_ns, written), o->wtime);
	changed(c, o, now);
	/* After a crash the file's own time would have to do, which is that of now. */
	if (o->file && now - o->wtime > LATE_NS)
		(void)!record_store(c, o); /* logged */
}

/* What an earlier object of this name may have left there is none of this one's. */
static int seal_make(struct cache *c, struct object *o, struct disk_file *f)
{
	int rc = disk_co_truncate(f, 0);

	if (rc)
		return rc;
	o->sealed = true;
	rc = record_store(c, o);
	if (rc)
		o->sealed = false;
	return rc;
}

int cache_co_seal_file(struct cache *c, struct object *o, bool make)
{
	char path[OBJECT_PATH_MAX];
	struct disk_file *f;
	int rc;

	if (o->seal)
		return 0;
	if (!o->file || (!o->sealed && !make))
		return -ENOENT;
	rc = open_path(c, object_seal_path(&o->id, path), make, &f);
	if (rc) {
		if (rc != -ENOENT)
			log_object(c, &o->id, "its checksums cannot be opened", rc);
		return rc;
	}
	if (!o->sealed)
		rc = seal_make(c, o, f);
	if (rc == 0 && !o->seal)
		o->seal = f;
	else
		disk_file_close(f); /* somebody else was faster, or it failed */
	return rc;
}

int cache_set_vsize(struct cache *c, struct object *o, uint64_t vsize)
{
	uint64_t before = o->vsize;
	int rc;

	if (vsize == before)
		return 0;
	o->vsize = vsize;
	rc = record_store(c, o);
	if (rc)
		o->vsize = before;
	return rc;
}

int cache_attr(struct object *o, struct object_attr *out)
{
	int rc;

	*out = (struct object_attr){0};
	if (!o->file)
		return 0;
	if (!o->stat_ok) {
		rc = disk_stat(o->file, &o->stat);
		if (rc)
			return rc;
		o->stat_ok = !o->writes;
	}
	out->flags = OBJ_EXISTS;
	out->size = max_u64(o->stat.size, o->vsize);
	out->blocks = o->stat.blocks;
	out->mtime = o->wtime;
	out->version = max_u64(o->version, (uint64_t)o->wtime);
	return 0;
}

int cache_co_destroy_object(struct cache *c, struct object *o)
{
	char path[OBJECT_PATH_MAX];
	bool sealed = o->sealed;
	int rc;

	assert(o->exclusive);
	if (o->file) {
		/* Closed first: the space goes with the last use of the file, which shall be the
		 * unlink in the ring's worker, not a close() here. */
		o->wtime_unsaved = false;
		object_close(c, o);
	}
	note_change(c, o);
	o->destroyed = true;
	o->sealed = false;
	o->vsize = 0;
	rc = disk_co_unlink(c->disk, object_path(&o->id, path));
	if (rc == -ENOENT)
		rc = 0;
	if (rc == 0 && sealed && disk_co_unlink(c->disk, object_seal_path(&o->id, path)))
		log_dbg("%s: checksums of a removed object stay behind", c->name);
	if (rc) {
		log_object(c, &o->id, "cannot be removed", rc);
		o->loaded = o->destroyed = false;
	}
	return rc;
}

const struct cache_stats *cache_get_stats(const struct cache *c)
{
	return &c->stats;
}
