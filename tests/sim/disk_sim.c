/* SPDX-License-Identifier: Apache-2.0 */
/* disk_sim.c - common/disk.h in memory, with delays and a crash that loses what was not synced.
 *
 * A file is a sorted table of 4 KiB pages, as a local file system would allocate them: absent is a
 * hole, a page without a block is preallocated. Blocks are counted references, so that "what is on
 * the disk" (the table as of the last sync) costs no copy until a page changes. Every co_ operation
 * waits, acts on the file at one instant, and waits again: a caller that frees or changes memory
 * too early is found by the sanitizer or by the data.
 *
 * Times of files are coarse, like those of ext4. Not modelled: an unlink that a crash undoes,
 * directories, errors of the media other than a plain -EIO.
 */
#include "tests/sim/sim_disk.h"
#include "common/co.h"
#include "tests/sim/sim.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE 4096U
#define FILE_SIZE_MAX ((16ULL << 40) - PAGE) /* of ext4 */
#define TIME_GRAIN_NS (4 * NSEC_PER_MSEC)
enum { SECTOR = 512, MAX_XATTRS = 8, XATTR_MAX = 256 };

struct block {
	uint32_t refs;
	uint8_t data[PAGE];
};

struct page {
	uint64_t index;
	struct block *b; /* NULL: preallocated */
};

struct page_table {
	struct page *at;
	uint64_t n, cap;
	uint64_t size; /* of the file */
};

struct xattr {
	char name[32];
	uint32_t len;
	uint8_t value[XATTR_MAX];
};

struct inode {
	struct platter *on;
	char *path; /* NULL: unlinked */
	uint32_t refs;
	int64_t mtime;
	bool synced; /* at least once */
	struct page_table cur, stable;
	struct xattr xattr[MAX_XATTRS], xattr_stable[MAX_XATTRS];
	TAILQ_ENTRY(inode) link;
};

struct platter {
	char *dir;
	uint64_t capacity, used; /* bytes */
	bool open, dead; /* dead: it has no power until it is closed */
	TAILQ_HEAD(, inode) inodes; /* by path */
	TAILQ_ENTRY(platter) link;
};

struct disk {
	struct loop *loop;
	struct platter *on;
	uint32_t nfiles;
};

struct disk_file {
	struct disk *d;
	struct inode *i;
	uint32_t io;
	bool closed;
};

static struct {
	struct sim_disk pub;
	bool live;
	TAILQ_HEAD(, platter) platters;
} disks;

struct sim_disk *sim_disk(void)
{
	return &disks.pub;
}

void sim_disk_begin(void)
{
	memset(&disks, 0, sizeof(disks));
	TAILQ_INIT(&disks.platters);
	disks.live = true;
	disks.pub.delay_max_ns = 200000;
	disks.pub.slow_ns = 50 * NSEC_PER_MSEC;
	disks.pub.capacity = 16 * GIB;
}

/* ------------------------------------------------------------------ pages */

static void block_put(struct block *b)
{
	if (b && --b->refs == 0)
		free(b);
}

/* Index of the first page at or behind `index`. */
static uint64_t table_find(const struct page_table *t, uint64_t index)
{
	uint64_t lo = 0, hi = t->n;

	while (lo < hi) {
		uint64_t mid = (lo + hi) / 2;

		if (t->at[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct page *table_get(struct page_table *t, uint64_t index)
{
	uint64_t k = table_find(t, index);

	return k < t->n && t->at[k].index == index ? &t->at[k] : NULL;
}

static struct page *table_add(struct page_table *t, uint64_t index)
{
	uint64_t k = table_find(t, index);

	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 8;
		t->at = realloc(t->at, t->cap * sizeof(*t->at));
		assert(t->at);
	}
	memmove(&t->at[k + 1], &t->at[k], (t->n - k) * sizeof(*t->at));
	t->n++;
	t->at[k] = (struct page){.index = index};
	return &t->at[k];
}

/* Removes pages [from, to). */
static uint64_t table_cut(struct page_table *t, uint64_t from, uint64_t to)
{
	uint64_t a = table_find(t, from), b = table_find(t, to);

	for (uint64_t k = a; k < b; k++)
		block_put(t->at[k].b);
	if (a < b)
		memmove(&t->at[a], &t->at[b], (t->n - b) * sizeof(*t->at));
	t->n -= b - a;
	return b - a;
}

static void table_clear(struct page_table *t)
{
	table_cut(t, 0, UINT64_MAX);
	free(t->at);
	*t = (struct page_table){0};
}

static void table_copy(struct page_table *to, const struct page_table *from)
{
	table_clear(to);
	to->size = from->size;
	if (!from->n)
		return;
	to->at = malloc(from->n * sizeof(*to->at));
	assert(to->at);
	memcpy(to->at, from->at, from->n * sizeof(*to->at));
	to->n = to->cap = from->n;
	for (uint64_t k = 0; k < to->n; k++)
		if (to->at[k].b)
			to->at[k].b->refs++;
}

/* A block of its own for the page. */
static uint8_t *page_data(struct page *p)
{
	struct block *b;

	if (p->b && p->b->refs == 1)
		return p->b->data;
	b = calloc(1, sizeof(*b));
	assert(b);
	b->refs = 1;
	if (p->b)
		memcpy(b->data, p->b->data, PAGE);
	block_put(p->b);
	p->b = b;
	return b->data;
}

/* ------------------------------------------------------------------ platters and inodes */

static struct platter *platter_find(const char *dir)
{
	struct platter *p;

	TAILQ_FOREACH(p, &disks.platters, link)
		if (strcmp(p->dir, dir) == 0)
			return p;
	return NULL;
}

static struct platter *platter_get(const char *dir)
{
	struct platter *p = platter_find(dir);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	assert(p);
	p->dir = strdup(dir);
	assert(p->dir);
	p->capacity = disks.pub.capacity;
	TAILQ_INIT(&p->inodes);
	TAILQ_INSERT_TAIL(&disks.platters, p, link);
	return p;
}

static struct inode *inode_find(struct platter *on, const char *path)
{
	struct inode *i;

	TAILQ_FOREACH(i, &on->inodes, link)
		if (strcmp(i->path, path) == 0)
			return i;
	return NULL;
}

static struct inode *inode_new(struct platter *on, const char *path)
{
	struct inode *i = calloc(1, sizeof(*i)), *behind;

	assert(i);
	i->on = on;
	i->path = strdup(path);
	assert(i->path);
	i->refs = 1; /* of its name */
	TAILQ_FOREACH(behind, &on->inodes, link)
		if (strcmp(behind->path, path) > 0)
			break;
	if (behind)
		TAILQ_INSERT_BEFORE(behind, i, link);
	else
		TAILQ_INSERT_TAIL(&on->inodes, i, link);
	return i;
}

static void inode_put(struct inode *i)
{
	if (--i->refs)
		return;
	assert(!i->path);
	i->on->used -= i->cur.n * PAGE;
	table_clear(&i->cur);
	table_clear(&i->stable);
	free(i);
}

static void inode_unlink(struct inode *i)
{
	TAILQ_REMOVE(&i->on->inodes, i, link);
	free(i->path);
	i->path = NULL;
	inode_put(i);
}

void sim_disk_end(void)
{
	struct platter *p;
	struct inode *i;

	if (!disks.live)
		return;
	while ((p = TAILQ_FIRST(&disks.platters))) {
		assert(!p->open);
		TAILQ_REMOVE(&disks.platters, p, link);
		while ((i = TAILQ_FIRST(&p->inodes)))
			inode_unlink(i);
		assert(p->used == 0);
		free(p->dir);
		free(p);
	}
	disks.live = false;
}

void sim_disk_set_capacity(const char *dir, uint64_t bytes)
{
	platter_get(dir)->capacity = bytes;
}

void sim_disk_each(const char *dir, sim_disk_file_fn *fn, void *arg)
{
	struct platter *p = platter_find(dir);
	struct inode *i;

	if (p)
		TAILQ_FOREACH(i, &p->inodes, link)
			fn(arg, i->path, i->cur.size);
}

/* ------------------------------------------------------------------ crash */

/* Half of it reached the disk: some sectors are new, the others old. */
static void tear(struct page *p, const struct block *old)
{
	uint8_t *data = page_data(p);

	for (uint32_t at = 0; at < PAGE; at += SECTOR) {
		if (sim_random(SIM_FAULT) & 1)
			continue;
		if (old)
			memcpy(data + at, old->data + at, SECTOR);
		else
			memset(data + at, 0, SECTOR);
	}
}

static void zero_part(struct inode *i, uint64_t off, uint64_t len)
{
	struct page *p = table_get(&i->cur, off / PAGE);

	if (len && p && p->b)
		memset(page_data(p) + off % PAGE, 0, len);
}

static void crash_inode(struct inode *i)
{
	struct page_table now = {0};
	uint64_t k;

	now.size = sim_random(SIM_FAULT) & 1 ? i->cur.size : i->stable.size;
	for (k = 0; k < i->stable.n; k++) /* pages that were cut may be back */
		if (!table_get(&i->cur, i->stable.at[k].index) && sim_random(SIM_FAULT) & 1)
			*table_add(&now, i->stable.at[k].index) = i->stable.at[k];
	for (k = 0; k < i->cur.n; k++) {
		struct page *old = table_get(&i->stable, i->cur.at[k].index), *p;
		uint64_t how = sim_below(SIM_FAULT, 3);

		if (how == 0 && !old)
			continue;
		p = table_add(&now, i->cur.at[k].index);
		*p = how == 0 ? *old : i->cur.at[k];
	}
	for (k = 0; k < now.n; k++)
		if (now.at[k].b)
			now.at[k].b->refs++;
	for (k = 0; k < now.n; k++) {
		struct page *old = table_get(&i->stable, now.at[k].index);

		if (now.at[k].b && (!old || old->b != now.at[k].b) && sim_random(SIM_FAULT) & 1)
			tear(&now.at[k], old ? old->b : NULL);
	}
	table_cut(&now, (now.size + PAGE - 1) / PAGE, UINT64_MAX);
	i->on->used += (now.n - i->cur.n) * PAGE;
	table_clear(&i->cur);
	i->cur = now;
	/* File systems let nothing come back behind the end. */
	zero_part(i, now.size, (PAGE - now.size % PAGE) % PAGE);
	table_copy(&i->stable, &i->cur);
	if (sim_random(SIM_FAULT) & 1)
		memcpy(i->xattr, i->xattr_stable, sizeof(i->xattr));
	memcpy(i->xattr_stable, i->xattr, sizeof(i->xattr));
}

void sim_disk_crash(const char *dir)
{
	struct platter *p = platter_find(dir);
	struct inode *i, *next;

	if (p)
		p->dead = p->open;
	if (!p || p->dead)
		return;
	for (i = TAILQ_FIRST(&p->inodes); i; i = next) {
		next = TAILQ_NEXT(i, link);
		if (!i->synced && sim_random(SIM_FAULT) & 1)
			inode_unlink(i);
		else
			crash_inode(i);
	}
}

int disk_open(struct loop *l, const char *dir, struct disk **out)
{
	struct disk *d;
	struct platter *p;

	sim_own(l);
	if (!disks.live)
		sim_disk_begin();
	p = platter_get(dir);
	if (p->open)
		return -EBUSY;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->loop = l;
	d->on = p;
	p->open = true;
	sim_open_add(1);
	*out = d;
	return 0;
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	sim_own(d->loop);
	assert(d->nfiles == 0);
	d->on->open = false;
	sim_open_add(-1);
	free(d);
}

/* Half of an operation's time. */
static void co_half(struct disk *d)
{
	uint64_t ns = 1 + sim_below(SIM_DISK, disks.pub.delay_max_ns + 1);

	if (sim_chance(SIM_FAULT, disks.pub.slow_per_million))
		ns += sim_below(SIM_FAULT, disks.pub.slow_ns + 1);
	sim_own(d->loop);
	co_sleep(ns);
}

static int co_begin(struct disk *d)
{
	disks.pub.ops++;
	co_half(d);
	return d->on->dead || sim_chance(SIM_FAULT, disks.pub.error_per_million) ? -EIO : 0;
}

static void file_free(struct disk_file *f)
{
	f->d->nfiles--;
	inode_put(f->i);
	free(f);
}

static int file_co_begin(struct disk_file *f)
{
	assert(!f->closed);
	f->io++;
	return co_begin(f->d);
}

static void file_co_end(struct disk_file *f)
{
	co_half(f->d);
	if (--f->io == 0 && f->closed)
		file_free(f);
}

int disk_co_open(struct disk *d, const char *path, bool create, struct disk_file **out)
{
	struct disk_file *f;
	struct inode *i;
	int rc;

	rc = co_begin(d);
	if (rc)
		return rc;
	i = inode_find(d->on, path);
	if (!i && !create)
		return -ENOENT;
	if (!i) {
		i = inode_new(d->on, path);
		i->mtime = loop_realtime(d->loop) / TIME_GRAIN_NS * TIME_GRAIN_NS;
	}
	i->refs++;
	co_half(d);
	f = calloc(1, sizeof(*f));
	if (!f) {
		inode_put(i);
		return -ENOMEM;
	}
	f->d = d;
	f->i = i;
	d->nfiles++;
	*out = f;
	return 0;
}

void disk_file_close(struct disk_file *f)
{
	if (!f)
		return;
	sim_own(f->d->loop);
	assert(!f->closed);
	f->closed = true;
	if (!f->io)
		file_free(f);
}

static uint64_t iov_sum(const struct iovec *iov, uint32_t n)
{
	uint64_t len = 0;

	for (uint32_t k = 0; k < n; k++)
		len += iov[k].iov_len;
	return len;
}

static void touch(struct disk_file *f)
{
	f->i->mtime = loop_realtime(f->d->loop) / TIME_GRAIN_NS * TIME_GRAIN_NS;
}

static void read_bytes(struct inode *i, uint8_t *to, uint64_t off, uint64_t len)
{
	while (len) {
		struct page *p = table_get(&i->cur, off / PAGE);
		uint64_t n = min_u64(len, PAGE - off % PAGE);

		if (p && p->b)
			memcpy(to, p->b->data + off % PAGE, n);
		else
			memset(to, 0, n);
		to += n;
		off += n;
		len -= n;
	}
}

ssize_t disk_co_read(struct disk_file *f, struct iovec *iov, uint32_t n, uint64_t off)
{
	struct inode *i = f->i;
	uint64_t got = 0;
	int rc = file_co_begin(f);

	for (uint32_t k = 0; !rc && k < n && off < i->cur.size; k++) {
		uint64_t len = min_u64(iov[k].iov_len, i->cur.size - off);

		read_bytes(i, iov[k].iov_base, off, len);
		got += len;
		off += len;
	}
	file_co_end(f);
	return rc ? rc : (ssize_t)got;
}

/* The page at off, allocated if need be. NULL: no space. */
static struct page *page_for(struct inode *i, uint64_t off)
{
	struct page *p = table_get(&i->cur, off / PAGE);

	if (p)
		return p;
	if (i->on->used + PAGE > i->on->capacity)
		return NULL;
	i->on->used += PAGE;
	return table_add(&i->cur, off / PAGE);
}

static int write_bytes(struct inode *i, const uint8_t *from, uint64_t off, uint64_t len)
{
	while (len) {
		struct page *p = page_for(i, off);
		uint64_t n = min_u64(len, PAGE - off % PAGE);

		if (!p)
			return -ENOSPC;
		memcpy(page_data(p) + off % PAGE, from, n);
		from += n;
		off += n;
		len -= n;
		i->cur.size = max_u64(i->cur.size, off);
	}
	return 0;
}

int disk_co_write(struct disk_file *f, const struct iovec *iov, uint32_t n, uint64_t off)
{
	int rc = file_co_begin(f);

	if (!rc && (off > FILE_SIZE_MAX || iov_sum(iov, n) > FILE_SIZE_MAX - off))
		rc = -EFBIG;
	for (uint32_t k = 0; !rc && k < n; k++) {
		rc = write_bytes(f->i, iov[k].iov_base, off, iov[k].iov_len);
		off += iov[k].iov_len;
	}
	if (!rc)
		touch(f);
	file_co_end(f);
	return rc;
}

int disk_co_sync(struct disk_file *f)
{
	struct inode *i = f->i;
	int rc = file_co_begin(f);

	if (!rc) {
		table_copy(&i->stable, &i->cur);
		memcpy(i->xattr_stable, i->xattr, sizeof(i->xattr));
		i->synced = true;
	}
	file_co_end(f);
	return rc;
}

/* Zeroes bytes; whole pages go (punch) or become preallocated (zero). */
static void clear_range(struct inode *i, uint64_t off, uint64_t end)
{
	uint64_t first = (off + PAGE - 1) / PAGE, last = end / PAGE;

	if (first > last) { /* inside one page */
		zero_part(i, off, end - off);
		return;
	}
	zero_part(i, off, first * PAGE - off);
	zero_part(i, last * PAGE, end - last * PAGE);
	i->on->used -= table_cut(&i->cur, first, last) * PAGE;
}

static int preallocate(struct inode *i, uint64_t off, uint64_t end)
{
	uint64_t pages = (end + PAGE - 1) / PAGE - off / PAGE;

	if (pages > (i->on->capacity - i->on->used) / PAGE)
		return -ENOSPC;
	for (; off < end; off = (off / PAGE + 1) * PAGE)
		if (!page_for(i, off))
			return -ENOSPC;
	return 0;
}

static int allocate(struct inode *i, uint32_t mode, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;
	int rc = 0;

	if (len == 0 || mode & ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
					   FALLOC_FL_ZERO_RANGE))
		return len ? -EOPNOTSUPP : -EINVAL;
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
			return -EOPNOTSUPP;
		clear_range(i, off, min_u64(end, (i->cur.size + PAGE - 1) / PAGE * PAGE));
		return 0;
	}
	if (end < off || end > FILE_SIZE_MAX)
		return -EFBIG;
	if (mode & FALLOC_FL_ZERO_RANGE)
		clear_range(i, off, end);
	rc = preallocate(i, off, end);
	if (rc == 0 && !(mode & FALLOC_FL_KEEP_SIZE))
		i->cur.size = max_u64(i->cur.size, end);
	return rc;
}

int disk_co_fallocate(struct disk_file *f, uint32_t mode, uint64_t off, uint64_t len)
{
	int rc = file_co_begin(f);

	if (!rc)
		rc = allocate(f->i, mode, off, len);
	if (!rc)
		touch(f);
	file_co_end(f);
	return rc;
}

int disk_co_truncate(struct disk_file *f, uint64_t size)
{
	struct inode *i = f->i;
	int rc = file_co_begin(f);

	if (!rc && size > FILE_SIZE_MAX)
		rc = -EFBIG;
	if (!rc) {
		if (size % PAGE)
			zero_part(i, size, PAGE - size % PAGE);
		i->on->used -= table_cut(&i->cur, (size + PAGE - 1) / PAGE, UINT64_MAX) * PAGE;
		i->cur.size = size;
		touch(f);
	}
	file_co_end(f);
	return rc;
}

int disk_co_unlink(struct disk *d, const char *path)
{
	struct inode *i;
	int rc = co_begin(d);

	if (rc)
		return rc;
	i = inode_find(d->on, path);
	if (!i)
		return -ENOENT;
	inode_unlink(i);
	co_half(d);
	return 0;
}

int disk_stat(struct disk_file *f, struct disk_stat *out)
{
	sim_own(f->d->loop);
	*out = (struct disk_stat){
		.size = f->i->cur.size,
		.blocks = f->i->cur.n * (PAGE / 512),
		.mtime = f->i->mtime,
	};
	return 0;
}

int64_t disk_seek(struct disk_file *f, uint64_t off, int whence)
{
	struct page_table *t = &f->i->cur;
	uint64_t k, at = off;

	sim_own(f->d->loop);
	if (off >= t->size)
		return -ENXIO;
	k = table_find(t, off / PAGE);
	if (whence == SEEK_DATA) {
		while (k < t->n && !t->at[k].b)
			k++;
		if (k == t->n || t->at[k].index * PAGE >= t->size)
			return -ENXIO;
		return (int64_t)max_u64(off, t->at[k].index * PAGE);
	}
	if (whence != SEEK_HOLE)
		return -EINVAL;
	for (; k < t->n && t->at[k].index == at / PAGE && t->at[k].b; k++)
		at = (at / PAGE + 1) * PAGE;
	return (int64_t)min_u64(at, t->size);
}

int disk_space(struct disk *d, struct disk_space *out)
{
	struct inode *i;

	*out = (struct disk_space){.total = d->on->capacity, .files = 1000000};
	out->avail = out->free = d->on->capacity - d->on->used;
	out->ffree = out->files;
	TAILQ_FOREACH(i, &d->on->inodes, link)
		out->ffree--;
	return 0;
}

const char *sim_disk_next(struct disk *d, const char *path)
{
	struct inode *i;

	TAILQ_FOREACH(i, &d->on->inodes, link)
		if (strcmp(i->path, path) > 0)
			return i->path;
	return NULL;
}

static struct xattr *xattr_find(struct inode *i, const char *name)
{
	for (int k = 0; k < MAX_XATTRS; k++)
		if (strcmp(i->xattr[k].name, name) == 0)
			return &i->xattr[k];
	return NULL;
}

ssize_t disk_getxattr(struct disk_file *f, const char *name, void *value, size_t len)
{
	struct xattr *x = xattr_find(f->i, name);

	sim_own(f->d->loop);
	assert(*name);
	if (!x)
		return -ENODATA;
	if (len && len < x->len)
		return -ERANGE;
	if (len)
		memcpy(value, x->value, x->len);
	return (ssize_t)x->len;
}

int disk_setxattr(struct disk_file *f, const char *name, const void *value, size_t len)
{
	struct xattr *x = xattr_find(f->i, name);

	sim_own(f->d->loop);
	assert(*name && strlen(name) < sizeof(x->name));
	if (!x)
		x = xattr_find(f->i, "");
	if (!x || len > XATTR_MAX)
		return -ENOSPC;
	memset(x, 0, sizeof(*x));
	memcpy(x->name, name, strlen(name));
	memcpy(x->value, value, len);
	x->len = (uint32_t)len;
	return 0;
}
