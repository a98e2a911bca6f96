/* SPDX-License-Identifier: Apache-2.0 */
/* import_page.c - a page of a container becomes names: what it says is read, links' targets are
 * fetched, directories are made from the top down, and then files and links in them. */
#include "client/core/hsm.h"
#include "common/log.h"
#include "mover/import_int.h"
#include "mover/import_name.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { LOOKS_AT_ONCE = 16 };

int importer_fail(struct importer *im, const char *fmt, ...)
{
	va_list ap;

	if (!im->failed) {
		im->failed = true;
		va_start(ap, fmt);
		vsnprintf(im->why, sizeof(im->why), fmt, ap);
		va_end(ap);
	}
	return -ECANCELED;
}

struct page *page_new(struct importer *im)
{
	struct page *p = calloc(1, sizeof(*p));

	if (p)
		p->im = im;
	return p;
}

void page_free(struct page *p)
{
	uint32_t i;

	if (!p)
		return;
	for (i = 0; i < p->n; i++) {
		free(p->item[i].name);
		free(p->item[i].target);
	}
	for (i = 0; i < p->nsub; i++)
		free(p->sub[i]);
	free(p->item);
	free(p->sub);
	free(p);
}

int page_co_error(struct page *p, const char *name, int rc, const char *why)
{
	struct importer *im = p->im;

	p->done.errors++;
	im->open_errors++;
	if (!job_co_error(im->job, name, rc, why))
		return importer_fail(im, "there are more errors than are allowed");
	return importer_stops(im) ? -ECANCELED : 0;
}

/* ---- what the list says ---- */

/* Room for one more. */
static bool grow(void **array, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t more = *cap ? *cap * 2 : 64;
	void *p;

	if (n < *cap)
		return true;
	p = realloc(*array, more * size);
	if (!p)
		return false;
	*array = p;
	*cap = more;
	return true;
}

static int take_prefix(struct page *p, const char *name)
{
	void *array = p->sub;
	char *copy;

	if (!grow(&array, p->nsub, &p->sub_cap, sizeof(*p->sub)))
		return -ENOMEM;
	p->sub = array;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	p->sub[p->nsub++] = copy;
	return 0;
}

int page_co_take(void *arg, const struct blob_entry *e)
{
	struct page *p = arg;
	void *array = p->item;
	struct import_path path = {0};
	const char *why;
	struct item *it;
	int rc;

	if (e->is_prefix)
		return take_prefix(p, e->name);
	p->done.blobs_walked++;
	rc = e->name_len < p->im->prefix_len ? -EINVAL : 0;
	why = "the service has listed another prefix";
	if (rc == 0)
		rc = import_name(e->name + p->im->prefix_len, e->name_len - p->im->prefix_len,
				 &path, &why);
	if (rc == 0 && strlen(e->name) > HSM_NAME_MAX) {
		rc = -ENAMETOOLONG;
		why = "the name is longer than 1024 bytes";
	}
	if (rc)
		return page_co_error(p, e->name, rc, why);
	if (!grow(&array, p->n, &p->cap, sizeof(*p->item)))
		return -ENOMEM;
	p->item = array;
	it = &p->item[p->n];
	*it = (struct item){.name = strdup(e->name), .path = p->im->prefix_len, .len = path.len};
	if (!it->name)
		return -ENOMEM;
	p->n++;
	it->size = e->props->size;
	it->mtime = e->props->mtime;
	it->is_dir = path.dir || e->props->is_dir;
	it->has_meta = e->has_meta;
	memcpy(it->etag, e->props->etag, sizeof(it->etag));
	meta_read(&e->props->meta, &it->attr);
	return 0;
}

/* ---- what it does not say ---- */

static int look(struct page *p, struct item *it)
{
	CLEANUP(blob_props_fini) struct blob_props props = {0};
	struct blob_error e;
	char why[512];
	int rc = blob_co_stat(p->im->m->store, it->name, &props, &e);

	if (rc) {
		it->done = true;
		error_print(&e, why, sizeof(why));
		return page_co_error(p, it->name, rc, why);
	}
	it->size = props.size;
	it->is_dir = it->is_dir || props.is_dir;
	memcpy(it->etag, props.etag, sizeof(it->etag));
	meta_read(&props.meta, &it->attr);
	return 0;
}

static int fetch_target(struct page *p, struct item *it)
{
	struct blob_read q = {.name = it->name, .etag = it->etag, .len = it->size};
	struct blob_error e;
	char why[512];
	int rc;

	it->target = calloc(1, it->size + 1);
	if (!it->target)
		return -ENOMEM;
	q.buf = it->target;
	rc = blob_co_read(p->im->m->store, &q, &e);
	if (rc) {
		it->done = true;
		error_print(&e, why, sizeof(why));
		return page_co_error(p, it->name, rc, why);
	}
	if (strlen(it->target) != it->size) {
		it->done = true;
		return page_co_error(p, it->name, -EINVAL, "a NUL is in the target of a link");
	}
	return 0;
}

static int judge(struct page *p, struct item *it)
{
	const char *why = NULL;

	if (it->attr.is_dir)
		it->is_dir = true;
	if (it->is_dir && it->size)
		why = "its name is that of a directory, but it has content";
	else if (!it->len && !it->is_dir)
		why = "its name is that of the whole tree";
	else if (it->attr.is_special)
		why = "it stands for a device, a socket or a FIFO";
	else if (it->attr.is_link && (it->size == 0 || it->size >= MAX_PATH))
		why = "it is no target of a symbolic link";
	else if (it->size > MAX_FILE_SIZE)
		why = "it is larger than a file can be";
	if (!why)
		return 0;
	it->done = true;
	return page_co_error(p, it->name, -EINVAL, why);
}

static int look_at_some(void *arg)
{
	struct page *p = arg;
	struct item *it;
	int rc = 0;

	while (rc == 0 && p->next < p->n) {
		it = &p->item[p->next++];
		if (!it->has_meta)
			rc = look(p, it);
		if (rc == 0 && !it->done)
			rc = judge(p, it);
		if (rc == 0 && !it->done && it->attr.is_link && !it->is_dir)
			rc = fetch_target(p, it);
		if (rc == 0 && importer_stops(p->im))
			rc = -ECANCELED;
	}
	return rc;
}

static int look_at_all(struct page *p)
{
	struct co_group g = CO_GROUP_INIT;
	bool requests = false;
	uint32_t i;

	for (i = 0; i < p->n && !requests; i++)
		requests = !p->item[i].has_meta || p->item[i].attr.is_link;
	p->next = 0;
	if (!requests)
		return look_at_some(p);
	for (i = 0; i < LOOKS_AT_ONCE; i++)
		co_spawn(&g, look_at_some, p);
	return co_join(&g);
}

/* ---- what becomes of it ---- */

static const char *words_of(const struct mds_import_result *r)
{
	switch (r->error) {
	case -EISDIR:
		return "a directory has that name";
	case -ENOTDIR:
		return "a file has that name";
	case -ENOENT:
		return "its directory was removed meanwhile";
	case -EEXIST:
		return "something of another type has that name";
	case -EBUSY:
		return "somebody writes the file, or a mover is at it";
	case -EPERM:
		return "the file must not be released, or the name is not to be had";
	default:
		return err_str(r->error);
	}
}

static const char *conflict_words(const struct mds_import_result *r)
{
	if (r->there & IMPORT_DIRTY)
		return "conflict: the file was changed here";
	if (r->there & IMPORT_CHANGED)
		return "conflict: the container has another version than the file is of";
	return "conflict: the file did not come from the container";
}

/* The counters of a type. */
static void count(struct page *p, uint32_t mode, bool imported)
{
	struct job_counts *n = &p->done;

	if (S_ISDIR(mode))
		(*(imported ? &n->imported_dirs : &n->preexisting_dirs))++;
	else if (S_ISLNK(mode))
		(*(imported ? &n->imported_links : &n->preexisting_links))++;
	else
		(*(imported ? &n->imported_files : &n->preexisting_files))++;
}

static int conflict(struct page *p, const struct item *it, const struct mds_import_result *r)
{
	struct importer *im = p->im;
	const char *words = conflict_words(r);

	p->done.conflicts++;
	job_co_note(im->job, it->name, -EEXIST,
		    r->what == IMPORT_SET ? "conflict: the container's version was taken" : words);
	return r->what != IMPORT_CONFLICT || im->cfg.mode != IMPORT_FAIL
		       ? 0
		       : importer_fail(im, "%s: %s", words, it->name);
}

static int blob_done(struct page *p, const struct item *it, const struct mds_import_entry *e,
		     const struct mds_import_result *r)
{
	bool imported = r->what == IMPORT_MADE || r->what == IMPORT_SET;

	if (r->what == IMPORT_ERROR)
		return page_co_error(p, it->name, r->error, words_of(r));
	p->done.blobs_imported += imported;
	count(p, e->mode, imported);
	return r->there ? conflict(p, it, r) : 0;
}

static int file_done(void *arg, void *of, const struct mds_import_entry *e,
		     const struct mds_import_result *r)
{
	return blob_done(arg, of, e, r);
}

static int dir_done(void *arg, void *of, const struct mds_import_entry *e,
		    const struct mds_import_result *r)
{
	struct page *p = arg;
	struct dir *d = of;

	d->ready = true;
	d->fid = r->fid;
	d->rc = r->what == IMPORT_ERROR ? r->error : 0;
	if (!d->rc)
		dir_cache_put(p->im->known, d->path, d->len, &d->fid);
	if (d->blob)
		return blob_done(p, d->blob, e, r);
	if (r->what == IMPORT_MADE)
		p->done.imported_dirs++;
	return 0;
}

/* ---- telling the MDS ---- */

static void entry_of(const struct page *p, const struct item *it, struct mds_import_entry *e)
{
	const struct import_cfg *cfg = &p->im->cfg;
	const struct meta_attr *a = &it->attr;
	uint32_t type = it->is_dir ? S_IFDIR : a->is_link ? S_IFLNK : S_IFREG;
	size_t up = import_parent(it->name + it->path, it->len), name = up ? up + 1 : 0;

	*e = (struct mds_import_entry){
		.parent = it->parent->fid,
		.name = {(const uint8_t *)it->name + it->path + name, (uint32_t)(it->len - name)},
		.mode = type | (a->has_mode  ? a->mode
				: it->is_dir ? cfg->dir_mode
					     : cfg->file_mode),
		.uid = a->has_uid ? a->uid : cfg->uid,
		.gid = a->has_gid ? a->gid : cfg->gid,
		.mtime = a->has_mtime ? a->mtime : it->mtime * NSEC_PER_SEC,
		.size = type == S_IFREG ? it->size : 0,
		.target = it->target && type == S_IFLNK ? SPAN_STR(it->target) : SPAN_NONE,
		.blob = SPAN_STR(it->name),
		.etag = SPAN_STR(it->etag),
	};
	e->atime = a->has_atime ? a->atime : e->mtime;
}

static void entry_of_dir(const struct page *p, const struct dir *d, struct mds_import_entry *e)
{
	const struct import_cfg *cfg = &p->im->cfg;
	size_t up = import_parent(d->path, d->len), name = up ? up + 1 : 0;
	int64_t now = loop_realtime(p->im->m->loop);

	*e = (struct mds_import_entry){
		.parent = d->parent->fid,
		.name = {(const uint8_t *)d->path + name, (uint32_t)(d->len - name)},
		.implied = 1,
		.mode = S_IFDIR | cfg->dir_mode,
		.uid = cfg->uid,
		.gid = cfg->gid,
		.atime = now,
		.mtime = now,
	};
}

static int left_out(struct page *p, const struct item *it, const struct dir *parent)
{
	return page_co_error(p, it->name, parent->rc,
			     parent->rc == -ENOTDIR ? "a file has the name of its directory"
						    : "its directory cannot be made");
}

/* All of one depth are in one batch: the next ones need their FIDs. */
static int make_dirs(struct page *p, struct dir_table *t)
{
	struct batch *b = batch_new(p->im, dir_done, p);
	struct mds_import_entry e;
	uint32_t i, depth = 0;
	struct dir *d;
	int rc = b ? 0 : -ENOMEM;

	dir_table_sort(t);
	for (i = 0; i < t->n && rc == 0; i++) {
		d = t->all[i];
		if (d->ready)
			continue;
		if (d->depth != depth)
			rc = batch_co_flush(b);
		depth = d->depth;
		if (rc)
			break;
		if (d->parent->rc) {
			d->rc = d->parent->rc;
			d->ready = true;
			rc = d->blob ? left_out(p, d->blob, d->parent) : 0;
			continue;
		}
		if (d->blob) {
			((struct item *)d->blob)->parent = d->parent;
			entry_of(p, d->blob, &e);
		} else {
			entry_of_dir(p, d, &e);
		}
		rc = batch_co_add(b, &e, d);
	}
	if (rc == 0)
		rc = batch_co_flush(b);
	batch_free(b);
	return rc;
}

static int need_dirs(struct page *p, uint32_t from, uint32_t to, struct dir_table *t)
{
	struct dir *d;
	uint32_t i;

	for (i = from; i < to; i++) {
		struct item *it = &p->item[i];
		const char *path = it->name + it->path;

		if (it->done)
			continue;
		d = it->is_dir ? dir_table_add_blob(t, path, it->len, it)
			       : dir_table_add(t, path, import_parent(path, it->len));
		if (!d)
			return -ENOMEM;
		it->parent = d;
		if (it->is_dir && d->blob != it) { /* "a" and "a/", or the top */
			it->done = true;
			p->done.preexisting_dirs++;
		}
	}
	return 0;
}

static int make_files(struct page *p, uint32_t from, uint32_t to)
{
	struct batch *b = batch_new(p->im, file_done, p);
	struct mds_import_entry e;
	uint32_t i;
	int rc = b ? 0 : -ENOMEM;

	for (i = from; i < to && rc == 0; i++) {
		struct item *it = &p->item[i];

		if (it->done || it->is_dir)
			continue;
		if (it->parent->rc) {
			rc = left_out(p, it, it->parent);
			continue;
		}
		entry_of(p, it, &e);
		rc = batch_co_add(b, &e, it);
	}
	if (rc == 0)
		rc = batch_co_flush(b);
	batch_free(b);
	return rc;
}

/* As many as fill a request: so the table of directories is bounded, however deep they are. */
static int make_some(struct page *p, uint32_t from, uint32_t to)
{
	struct dir_table *t = malloc(sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	dir_table_init(t, p->im->known, &p->im->top);
	rc = need_dirs(p, from, to, t);
	if (rc == 0)
		rc = make_dirs(p, t);
	if (rc == 0)
		rc = make_files(p, from, to);
	dir_table_fini(t);
	free(t);
	return rc;
}

int page_co_make(void *arg)
{
	struct page *p = arg;
	uint32_t i;
	int rc = look_at_all(p);

	for (i = 0; i < p->n && rc == 0; i += IMPORT_BATCH) {
		rc = importer_stops(p->im) ? -ECANCELED
					   : make_some(p, i,
						       p->n - i < IMPORT_BATCH ? p->n
									       : i + IMPORT_BATCH);
	}
	if (rc && rc != -ECANCELED)
		rc = importer_fail(p->im, "%s", err_str(rc));
	p->rc = rc;
	return rc;
}
