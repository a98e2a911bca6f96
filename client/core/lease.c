/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - see lease.h.
 *
 * An inode stays in the table until its lease is recalled or given back, even if nothing of it is
 * good any more: the kernel may have been told of it, and losing everything has to reach all such
 * inodes. The MDS bounds how many leases a client has, and with that the table.
 */
#include "client/core/lease_int.h"

int leases_create(struct leases **out)
{
	struct leases *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	TAILQ_INIT(&t->by_age);
	xattrs_init(&t->xattrs);
	TAILQ_INIT(&t->by_use);
	*out = t;
	return 0;
}

static struct inode *inode_make(struct leases *t, const struct fid *fid)
{
	struct inode *i = inode_find(t, fid);

	if (i)
		return i;
	i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->fid = *fid;
	i->used_ns = t->now_ns;
	LIST_INSERT_HEAD(&t->inodes[(mix(fid) >> 40) % INODE_BUCKETS], i, hash);
	TAILQ_INSERT_TAIL(&t->by_use, i, age);
	t->counts.inodes++;
	return i;
}

/* True once, when there are too many. */
static bool fills(struct leases *t)
{
	bool was = t->full;

	t->full = t->limit && t->counts.inodes > t->limit;
	return t->full && !was;
}

/* Under the same lease open_seq is the same: this client opens nothing for writing without losing
 * UPDATE. */
static void inode_set_attr(struct inode *i, const struct attr *attr, uint64_t open_seq)
{
	bool same = (i->bits & LEASE_UPDATE) && (i->attr.flags & ATTR_SIZE_UNSURE);

	if (open_seq || !same)
		i->open_seq = open_seq;
	i->attr = *attr;
}

void leases_note(struct leases *t, const struct fid *fid, const struct lease_grant *g,
		 struct attr *attr)
{
	struct fid_class *c = class_of(t, fid);
	bool full = false;
	struct inode *i;

	if (attr)
		attr->seq = 0;
	pthread_mutex_lock(&t->lock);
	if (!(g->bits & (LEASE_LOOKUP | LEASE_UPDATE)) || !g->session || g->session != t->session)
		goto out;
	i = g->seq < c->floor ? inode_find(t, fid) : inode_make(t, fid);
	if (i)
		i->heard = max_u64(i->heard, g->seq); /* whatever becomes of it */
	if (!i || g->seq < c->floor)
		goto out;
	used(t, i, t->now_ns);
	full = fills(t);
	if ((g->bits & LEASE_LOOKUP) && !(i->bits & LEASE_LOOKUP)) {
		i->bits |= LEASE_LOOKUP;
		i->lookup_since = g->seq;
	}
	if (g->bits & LEASE_OWN && !i->own)
		i->own = g->seq;
	if (!attr || !(g->bits & LEASE_UPDATE) || (c->flying && !(i->bits & LEASE_UPDATE)))
		goto out;
	attr->seq = g->seq;
	if (!(i->bits & LEASE_UPDATE))
		i->update_since = g->seq;
	/* What is on its way will have come last. */
	if (c->flying && S_ISDIR(attr->mode) && attr->ctime < i->attr.ctime) {
		attr->ctime = i->attr.ctime;
		attr->mtime = i->attr.mtime;
	}
	if (!(i->bits & LEASE_UPDATE) || i->attr.seq < g->seq)
		inode_set_attr(i, attr, g->open_seq);
	i->bits |= LEASE_UPDATE;
out:
	pthread_mutex_unlock(&t->lock);
	if (full)
		t->on_full(t->on_full_arg);
}

/* ---- names ---- */

static void not_complete(struct leases *t, const struct fid *dir)
{
	struct inode *i = inode_find(t, dir);

	if (i) {
		i->complete = false;
		i->known_to = 0;
	}
}

static struct name *name_make(struct leases *t, const struct fid *dir, struct span name)
{
	struct name *n = name_find(t, dir, name);

	if (n)
		return n;
	if (t->counts.names >= NAMES_MAX) {
		n = TAILQ_FIRST(&t->by_age);
		not_complete(t, &n->dir);
		name_drop(t, n);
	}
	n = calloc(1, sizeof(*n) + name.len);
	if (!n)
		return NULL;
	n->dir = *dir;
	n->len = name.len;
	memcpy(n->text, name.ptr, name.len);
	LIST_INSERT_HEAD(&t->names[name_bucket(dir, name)], n, hash);
	TAILQ_INSERT_TAIL(&t->by_age, n, age);
	t->counts.names++;
	return n;
}

void leases_note_name(struct leases *t, const struct fid *dir, struct span name,
		      const struct fid *child, const struct lease_grant *g)
{
	struct fid_class *d = class_of(t, dir), *c = class_of(t, child);
	struct name *n;

	pthread_mutex_lock(&t->lock);
	if ((g->bits & LEASE_LOOKUP) && g->session && g->session == t->session &&
	    g->seq >= d->floor && g->seq >= c->floor && !d->changing && !d->flying) {
		n = name_make(t, dir, name);
		if (n && n->seq < g->seq) {
			n->child = *child;
			n->seq = g->seq;
		}
	}
	pthread_mutex_unlock(&t->lock);
}

void leases_own_name(struct leases *t, const struct fid *dir, struct span name,
		     const struct fid *child, const struct lease_grant *g)
{
	struct name *n;
	bool led;

	pthread_mutex_lock(&t->lock);
	led = (g->bits & LEASE_LOOKUP) && g->session && g->session == t->session &&
	      g->seq >= class_of(t, child)->floor;
	n = name_make(t, dir, name);
	if (!n) {
		not_complete(t, dir);
	} else if (n->seq <= g->seq) {
		n->child = *child;
		n->seq = led ? g->seq : 0; /* 0: it is there, but where it leads must be asked */
	}
	pthread_mutex_unlock(&t->lock);
}

void leases_learn_name(struct leases *t, const struct fid *dir, struct span name,
		       const struct fid *child)
{
	struct name *n;

	pthread_mutex_lock(&t->lock);
	n = name_make(t, dir, name);
	if (!n)
		not_complete(t, dir);
	else if (!n->seq) /* where it leads must be asked */
		n->child = *child;
	pthread_mutex_unlock(&t->lock);
}

void leases_not_complete(struct leases *t, const struct fid *dir)
{
	pthread_mutex_lock(&t->lock);
	not_complete(t, dir);
	pthread_mutex_unlock(&t->lock);
}

void leases_forget_name(struct leases *t, const struct fid *dir, struct span name)
{
	struct name *n;

	pthread_mutex_lock(&t->lock);
	n = name_find(t, dir, name);
	if (n)
		name_drop(t, n);
	pthread_mutex_unlock(&t->lock);
}

/* ---- own changes ---- */

void leases_change_begin(struct leases *t, const struct fid *fid, uint32_t bits)
{
	struct fid_class *c = class_of(t, fid);

	pthread_mutex_lock(&t->lock);
	c->changing += (bits & LEASE_UPDATE) != 0;
	c->changing_xattrs += (bits & LEASE_XATTR) != 0;
	pthread_mutex_unlock(&t->lock);
}

/* What was granted before the change is not the truth any more. */
static void overtake(struct leases *t, const struct fid *fid, uint64_t seq)
{
	struct fid_class *c = class_of(t, fid);
	struct inode *i = inode_find(t, fid);

	if (i && i->attr.seq < seq)
		lose_bits(t, i, LEASE_UPDATE);
	if (c->floor < seq)
		c->floor = seq;
}

void leases_change_end(struct leases *t, const struct fid *fid, uint32_t bits, uint64_t seq,
		       uint64_t now)
{
	struct fid_class *c = class_of(t, fid);
	struct inode *i;

	pthread_mutex_lock(&t->lock);
	if (bits & LEASE_UPDATE) {
		assert(c->changing > 0);
		c->changing--;
		c->changed_ns = now;
	}
	if (bits & LEASE_XATTR) {
		assert(c->changing_xattrs > 0);
		c->changing_xattrs--;
	}
	i = inode_find(t, fid);
	if (!seq && i) /* a failed truncation may have changed something all the same */
		lose_bits(t, i, bits);
	if (i && (bits & LEASE_XATTR)) /* the lease stays */
		xattrs_drop(&t->xattrs, &i->xattrs);
	overtake(t, fid, seq);
	pthread_mutex_unlock(&t->lock);
}

void leases_names_changed(struct leases *t, const struct fid *fid, uint64_t seq, bool gone)
{
	struct inode *i;

	pthread_mutex_lock(&t->lock);
	overtake(t, fid, seq);
	i = inode_find(t, fid);
	if (i && gone)
		inode_drop(t, i);
	else if (i)
		i->bits &= ~(uint32_t)LEASE_LOOKUP;
	pthread_mutex_unlock(&t->lock);
}

/* ---- use ---- */

bool leases_attr(struct leases *t, const struct fid *fid, uint64_t now, struct attr *out)
{
	struct inode *i;
	bool good;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, fid);
	good = attr_good(t, i, now);
	if (good) {
		*out = i->attr;
		used(t, i, now);
	}
	t->counts.hits += good;
	t->counts.misses += !good;
	pthread_mutex_unlock(&t->lock);
	return good;
}

bool leases_name(struct leases *t, const struct fid *dir, struct span name, uint64_t now,
		 struct entry *out)
{
	struct inode *i;
	bool good;

	pthread_mutex_lock(&t->lock);
	good = name_leads(t, dir, name, now, &i) != NULL;
	if (good) {
		*out = (struct entry){i->fid, i->attr};
		used(t, i, now);
	}
	t->counts.hits += good;
	t->counts.misses += !good;
	pthread_mutex_unlock(&t->lock);
	return good;
}

bool leases_attr_unsure(struct leases *t, const struct fid *fid, uint64_t now, struct attr *out,
			uint64_t *open_seq)
{
	struct inode *i;
	bool held;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, fid);
	held = attr_held(t, i, now) && (i->attr.flags & ATTR_SIZE_UNSURE);
	if (held) {
		*out = i->attr;
		*open_seq = i->open_seq;
		used(t, i, now);
	}
	pthread_mutex_unlock(&t->lock);
	return held;
}

bool leases_child(struct leases *t, const struct fid *dir, struct span name, uint64_t now,
		  struct fid *child)
{
	const struct inode *i = NULL;
	const struct name *n;
	bool known;

	pthread_mutex_lock(&t->lock);
	n = name_find(t, dir, name);
	if (n && !class_of(t, dir)->changing)
		i = inode_find(t, &n->child);
	known = i && (i->bits & LEASE_LOOKUP) && n->seq >= i->lookup_since && now < t->until_ns;
	if (known)
		*child = n->child;
	pthread_mutex_unlock(&t->lock);
	return known;
}

bool leases_no_name(struct leases *t, const struct fid *dir, struct span name, uint64_t now)
{
	struct inode *i;
	bool none;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, dir);
	none = attr_good(t, i, now) && i->complete && !name_find(t, dir, name);
	if (none)
		used(t, i, now);
	t->counts.hits += none;
	pthread_mutex_unlock(&t->lock);
	return none;
}

uint64_t leases_tell(struct leases *t, const struct fid *fid, const struct attr *a, bool name,
		     uint64_t asked, uint64_t now)
{
	struct fid_class *c = class_of(t, fid);
	struct inode *i;
	uint64_t left = 0;

	if (!a->seq)
		return 0;
	pthread_mutex_lock(&t->lock);
	i = inode_find(t, fid);
	if (attr_good(t, i, now) && i->attr.seq == a->seq && c->changed_ns < asked &&
	    (!name || (i->bits & LEASE_LOOKUP))) {
		left = t->until_ns - now;
		i->told_ns = now;
		used(t, i, now);
	}
	pthread_mutex_unlock(&t->lock);
	return left;
}

/* The attributes tell: there are none. */
static bool has_no_xattr(const struct attr *a, struct span name)
{
	return !(a->flags & (ATTR_HAS_XATTR | ATTR_HAS_ACL)) &&
	       (S_ISREG(a->mode) || S_ISDIR(a->mode)) && xattrs_is_plain(name);
}

bool leases_xattr(struct leases *t, const struct fid *fid, struct span name, uint64_t now, int *rc,
		  struct wbuf *value)
{
	struct inode *i;
	struct span v = SPAN_NONE;
	bool known = true;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, fid);
	if (attr_held(t, i, now) && has_no_xattr(&i->attr, name))
		*rc = -ENODATA;
	else
		known = i && (i->bits & LEASE_XATTR) && now < t->until_ns &&
			!class_of(t, fid)->changing_xattrs && xattrs_get(&i->xattrs, name, rc, &v);
	wbuf_put(value, v.ptr, v.len);
	if (known)
		used(t, i, now);
	t->counts.hits += known;
	pthread_mutex_unlock(&t->lock);
	return known;
}

/* What was true when the answer was made is true now: the lease came with it or before, and was
 * not lost since. */
static bool take_xattr_lease(struct leases *t, const struct fid *fid, const struct lease_grant *g,
			     struct inode **out)
{
	struct fid_class *c = class_of(t, fid);
	bool fresh = g->session && g->session == t->session && g->seq >= c->floor;
	bool given = g->bits & LEASE_XATTR;
	struct inode *i = fresh && given ? inode_make(t, fid) : inode_find(t, fid);

	*out = i;
	if (!i)
		return false;
	if (given && g->session == t->session)
		i->heard = max_u64(i->heard, g->seq); /* whatever becomes of it */
	if (fresh && given && !(i->bits & LEASE_XATTR)) {
		i->bits |= LEASE_XATTR;
		i->xattr_since = g->seq;
	}
	return fresh && (i->bits & LEASE_XATTR) && g->seq >= i->xattr_since;
}

void leases_note_xattr(struct leases *t, const struct fid *fid, const struct lease_grant *g,
		       const struct xattr_answer *a)
{
	bool full = false;
	struct inode *i;

	pthread_mutex_lock(&t->lock);
	if (take_xattr_lease(t, fid, g, &i)) {
		used(t, i, t->now_ns);
		full = fills(t);
		if (!a->whole || !xattrs_put_all(&t->xattrs, &i->xattrs, a->all))
			xattrs_put(&t->xattrs, &i->xattrs, a->name, a->rc, a->value);
	}
	pthread_mutex_unlock(&t->lock);
	if (full)
		t->on_full(t->on_full_arg);
}

bool leases_list(struct leases *t, const struct fid *dir, uint64_t now, bool *keep)
{
	struct inode *i;
	bool good;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, dir);
	good = attr_good(t, i, now);
	*keep = good && i->listed;
	if (good)
		i->listed = true;
	pthread_mutex_unlock(&t->lock);
	return good;
}

/* ---- taking back ---- */

uint64_t leases_obey(struct leases *t, const struct fid *fid, uint32_t bits, uint64_t seq)
{
	struct fid_class *c = class_of(t, fid);
	struct inode *i;
	uint64_t told = 0;

	pthread_mutex_lock(&t->lock);
	if (c->floor < seq)
		c->floor = seq;
	i = inode_find(t, fid);
	if (i) {
		told = i->told_ns;
		i->told_ns = 0; /* it is told to forget */
		lose_bits(t, i, bits);
		if (bits & LEASE_UPDATE)
			i->complete = false;
		if (bits & LEASE_OWN)
			i->own = 0;
		if (!i->bits)
			inode_drop(t, i);
	}
	t->counts.recalls++;
	pthread_mutex_unlock(&t->lock);
	return told;
}

uint32_t leases_take_old(struct leases *t, uint32_t n, uint64_t before, struct lease_old *out)
{
	struct inode *i, *next;
	struct fid_class *c;
	uint32_t k = 0;

	pthread_mutex_lock(&t->lock);
	for (i = TAILQ_FIRST(&t->by_use); k < n && i && i->used_ns < before; i = next) {
		next = TAILQ_NEXT(i, age);
		if (class_of(t, &i->fid)->flying) /* its lease is needed for them */
			continue;
		out[k++] = (struct lease_old){i->fid, i->heard, i->told_ns, i->bits & LEASE_LOOKUP};
		/* Older answers that are still on their way give nothing any more. */
		c = class_of(t, &i->fid);
		c->floor = max_u64(c->floor, i->heard + 1);
		inode_drop(t, i);
	}
	fills(t);
	pthread_mutex_unlock(&t->lock);
	return k;
}

uint64_t leases_oldest(struct leases *t)
{
	const struct inode *i;
	uint64_t ns;

	pthread_mutex_lock(&t->lock);
	i = TAILQ_FIRST(&t->by_use);
	ns = i ? i->used_ns : UINT64_MAX;
	pthread_mutex_unlock(&t->lock);
	return ns;
}

void leases_set_limit(struct leases *t, uint32_t n, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&t->lock);
	t->limit = n;
	t->full = false;
	t->on_full = fn;
	t->on_full_arg = arg;
	pthread_mutex_unlock(&t->lock);
}

void leases_lose_all(struct leases *t, void (*fn)(void *arg, const struct fid *fid, uint64_t told),
		     void *arg)
{
	struct inode *i;
	uint32_t b;

	pthread_mutex_lock(&t->lock);
	t->session = 0;
	t->until_ns = 0;
	for (b = 0; b < INODE_BUCKETS; b++)
		while ((i = LIST_FIRST(&t->inodes[b]))) {
			if (fn)
				fn(arg, &i->fid, i->told_ns);
			inode_drop(t, i);
		}
	while (!TAILQ_EMPTY(&t->by_age))
		name_drop(t, TAILQ_FIRST(&t->by_age));
	for (b = 0; b < CLASSES; b++)
		t->class[b].floor = 0;
	pthread_mutex_unlock(&t->lock);
}

void leases_term(struct leases *t, uint64_t session, uint64_t until, uint64_t now)
{
	pthread_mutex_lock(&t->lock);
	t->now_ns = max_u64(t->now_ns, now);
	t->session = session;
	if (until > t->until_ns)
		t->until_ns = until;
	pthread_mutex_unlock(&t->lock);
}

uint64_t leases_session(struct leases *t)
{
	uint64_t s;

	pthread_mutex_lock(&t->lock);
	s = t->session;
	pthread_mutex_unlock(&t->lock);
	return s;
}

bool leases_told(struct leases *t, const struct fid *fid)
{
	const struct inode *i;
	bool told;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, fid);
	told = i && i->told_ns;
	pthread_mutex_unlock(&t->lock);
	return told;
}

bool leases_led(struct leases *t, const struct fid *fid)
{
	const struct inode *i;
	bool led;

	pthread_mutex_lock(&t->lock);
	i = inode_find(t, fid);
	led = i && (i->bits & LEASE_LOOKUP);
	pthread_mutex_unlock(&t->lock);
	return led;
}

bool leases_valid(struct leases *t, uint64_t session, uint64_t now)
{
	bool valid;

	pthread_mutex_lock(&t->lock);
	valid = session && session == t->session && now < t->until_ns;
	pthread_mutex_unlock(&t->lock);
	return valid;
}

void leases_counts(struct leases *t, struct lease_counts *out)
{
	pthread_mutex_lock(&t->lock);
	*out = t->counts;
	pthread_mutex_unlock(&t->lock);
}

void leases_destroy(struct leases *t)
{
	if (!t)
		return;
	leases_lose_all(t, NULL, NULL);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
