/* SPDX-License-Identifier: Apache-2.0 */
/* dirs.c - a directory is an empty blob with hdi_isfolder, so that its attributes are kept. It is
 * put when a file below is archived, once for each state of its attributes: what this process has
 * put it remembers. */
#include "mover/meta.h"
#include "mover/mover.h"
#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 4096, DIRS_MAX = 1 << 16 };

struct dir {
	uint64_t state;
	LIST_ENTRY(dir) link;
	char path[];
};

struct dirs {
	LIST_HEAD(, dir) bucket[BUCKETS];
	uint32_t n;
};

/* FNV-1a */
static uint32_t bucket_of(const char *path)
{
	uint32_t h = 2166136261U;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 16777619U;
	return h % BUCKETS;
}

int dirs_create(struct dirs **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void forget_all(struct dirs *d)
{
	struct dir *e;
	uint32_t i;

	for (i = 0; i < BUCKETS; i++)
		while ((e = LIST_FIRST(&d->bucket[i]))) {
			LIST_REMOVE(e, link);
			free(e);
		}
	d->n = 0;
}

void dirs_destroy(struct dirs *d)
{
	if (d)
		forget_all(d);
	free(d);
}

static struct dir *find(struct dirs *d, const char *path)
{
	struct dir *e;

	LIST_FOREACH(e, &d->bucket[bucket_of(path)], link)
	if (strcmp(e->path, path) == 0)
		return e;
	return NULL;
}

static bool is_put(struct dirs *d, const char *path, uint64_t state)
{
	const struct dir *e = find(d, path);

	return e && e->state == state;
}

/* A hint: without memory it is put again. */
static void note_put(struct dirs *d, const char *path, uint64_t state)
{
	struct dir *e = find(d, path);

	if (!e) {
		if (d->n >= DIRS_MAX)
			forget_all(d);
		e = calloc(1, sizeof(*e) + strlen(path) + 1);
		if (!e)
			return;
		memcpy(e->path, path, strlen(path) + 1);
		LIST_INSERT_HEAD(&d->bucket[bucket_of(path)], e, link);
		d->n++;
	}
	e->state = state;
}

/* Of what is told of it. Times of change are not: links and ACLs move them. */
static uint64_t state_of(const struct attr *a)
{
	return (uint64_t)a->mtime * 31 + a->mode * 7919ULL + a->uid * 104729ULL +
	       a->gid * 1299709ULL;
}

/* What has the name: 0 nothing, 1 a directory of other attributes, 2 this one. A blob with data
 * stays whatever it is: of a file that has another name now it may be the only copy. */
static int look_there(struct mover *m, const char *name, const struct pairs *meta,
		      char etag[BLOB_ETAG_MAX], struct blob_error *e)
{
	CLEANUP(blob_props_fini) struct blob_props p = {0};
	int rc = blob_co_stat(m->store, name, &p, e);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (p.size)
		return error_local(e, -EEXIST, "a blob with data has its name");
	memcpy(etag, p.etag, BLOB_ETAG_MAX);
	return meta_same(meta, &p.meta) ? 2 : 1;
}

int dirs_co_put_one(struct mover *m, const char *path, const struct entry *dir,
		    struct blob_error *e)
{
	CLEANUP(pairs_fini) struct pairs meta = PAIRS_INIT;
	char name[HSM_NAME_MAX + 1], etag[BLOB_ETAG_MAX];
	struct blob_write bw = {.name = name, .meta = &meta};
	int rc = meta_of_attr(&dir->attr, 0, &meta), there, tries = 0;

	if (rc == 0)
		rc = meta_add_origin(fs_mdt_uuid(m->lane), &dir->fid, &meta);
	/* S3's tools know no hdi_isfolder, but that such a name is that of a directory. */
	if (rc == 0 && snprintf(name, sizeof(name), "%s%s%s", m->cfg.prefix, path,
				m->cfg.blob.service == BLOB_S3 ? "/" : "") > HSM_NAME_MAX)
		rc = -ENAMETOOLONG;
	if (rc)
		return error_local(e, rc, "the name or the attributes are too long");
	do { /* another mover may put it now */
		there = look_there(m, name, &meta, etag, e);
		if (there < 0 || there == 2)
			return there < 0 ? there : 1;
		bw.if_match = there ? etag : NULL;
		bw.if_none = !there;
		rc = blob_co_put(m->store, &bw, NULL, 0, NULL, e);
	} while (rc == -ESTALE && tries++ < 3);
	return rc;
}

int dirs_co_put(struct work *w, const char *path)
{
	struct mover *m = w->m;
	struct fid dir = *fs_root(m->fs);
	size_t above = m->cfg.path[0] ? strlen(m->cfg.path) + 1 : 0, len = above + strlen(path) + 1;
	char *all = malloc(len), *copy = all + above, *slash, *from = all;
	struct entry e;
	struct span name;
	int rc = all ? 0 : -ENOMEM;

	if (rc == 0)
		snprintf(all, len, "%s%s%s", m->cfg.path, above ? "/" : "", path);
	while (rc == 0 && (slash = strchr(from, '/'))) {
		name = (struct span){(uint8_t *)from, (uint32_t)(slash - from)};
		rc = fs_co_lookup(m->lane, &dir, name, &e);
		if (rc)
			break;
		*slash = 0;
		if (slash > copy && !is_put(m->dirs, copy, state_of(&e.attr))) {
			rc = dirs_co_put_one(m, copy, &e, &w->error);
			/* What is below does without: an export job says so. */
			if (rc >= 0 || rc == -EEXIST) {
				note_put(m->dirs, copy, state_of(&e.attr));
				w->error = (struct blob_error){0};
				rc = 0;
			}
		}
		*slash = '/';
		from = slash + 1;
		dir = e.fid;
	}
	free(all);
	return rc;
}
