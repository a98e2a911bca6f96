/* SPDX-License-Identifier: Apache-2.0 */
/* export_gone.c - see export_gone.h. */
#include "mover/export_gone.h"
#include "mover/meta.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct gone {
	struct mover *m;
	struct job *j;
	bool failed;
};

static int step(struct mover *m, const char **at, struct entry *e)
{
	size_t n = strcspn(*at, "/");
	struct span name = {(const uint8_t *)*at, (uint32_t)n};
	struct fid dir = e->fid;

	*at += n + ((*at)[n] == '/');
	return n ? fs_co_lookup(m->lane, &dir, name, e) : 0;
}

int path_co_find(struct mover *m, const char *path, struct entry *out)
{
	const char *at = m->cfg.path;
	int rc;

	out->fid = *fs_root(m->fs);
	rc = fs_co_getattr(m->lane, &out->fid, &out->attr);
	while (rc == 0 && *at)
		rc = step(m, &at, out);
	at = path;
	while (rc == 0 && *at)
		rc = S_ISDIR(out->attr.mode) ? step(m, &at, out) : -ENOTDIR;
	return rc;
}

/* 1: it is ours. S3 does not list what a blob says of itself. */
static int is_ours(struct gone *g, const struct blob_entry *b)
{
	CLEANUP(blob_props_fini) struct blob_props p = {0};
	struct blob_error e;
	int rc;

	if (b->has_meta)
		return meta_cookie(&b->props->meta) != 0;
	rc = blob_co_stat(g->m->store, b->name, &p, &e);
	return rc ? rc == -ENOENT ? 0 : rc : meta_cookie(&p.meta) != 0;
}

static int look(void *arg, const struct blob_entry *b)
{
	struct gone *g = arg;
	const char *path = b->name + strlen(g->m->cfg.prefix);
	struct blob_error err;
	char why[512];
	struct entry e;
	int rc;

	if (g->m->stopping)
		return -ECANCELED;
	if (b->is_prefix || b->name_len != strlen(b->name) || !*path)
		return 0;
	rc = path_co_find(g->m, path, &e);
	if ((rc != -ENOENT && rc != -ENOTDIR) || is_ours(g, b) <= 0)
		return 0;
	rc = blob_co_delete(g->m->store, b->name, b->props->etag[0] ? b->props->etag : NULL, &err);
	if (rc == 0) {
		job_counts(g->j)->deleted_blobs++;
	} else if (rc != -ENOENT) {
		error_print(&err, why, sizeof(why));
		g->failed = !job_co_error(g->j, path, rc, why);
	}
	return g->failed ? -ECANCELED : 0;
}

bool gone_co_remove(struct mover *m, struct job *j)
{
	struct gone g = {.m = m, .j = j};
	struct blob_list q = {.prefix = m->cfg.prefix};
	struct blob_error e;
	char why[512];
	int rc = blob_co_list(m->store, &q, look, &g, &e);

	if (rc && !m->stopping && !g.failed) {
		error_print(&e, why, sizeof(why));
		g.failed = !job_co_error(j, m->cfg.prefix, rc, why);
	}
	return !g.failed;
}
