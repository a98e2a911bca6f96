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

/* 1: this file system has put it, of this file or directory. S3 does not list what a blob says of
 * itself. */
static int is_ours(struct gone *g, const struct blob_entry *b, struct fid *fid, bool *is_dir)
{
	const uint8_t *mdt = fs_mdt_uuid(g->m->lane);
	CLEANUP(blob_props_fini) struct blob_props p = {0};
	struct blob_error e;
	int rc;

	*is_dir = b->props->is_dir;
	if (b->has_meta)
		return meta_origin(&b->props->meta, mdt, fid);
	rc = blob_co_stat(g->m->store, b->name, &p, &e);
	*is_dir = p.is_dir;
	return rc ? rc == -ENOENT ? 0 : rc : meta_origin(&p.meta, mdt, fid);
}

/* 1: a file that was moved, after the walk or to where no export comes, has its copy there; it may
 * be the only one. */
static int is_needed(struct gone *g, const struct blob_entry *b, const struct fid *fid)
{
	struct fs_hsm_state s;
	int rc = fs_co_hsm_state(g->m->lane, fid, &s);

	return rc ? rc == -ENOENT ? 0 : rc : strcmp(s.name, b->name) == 0;
}

/* There is nothing of this name, or a directory where the blob is none. 1, 0 or an error. */
static int may_go(struct gone *g, const struct blob_entry *b, const char *path)
{
	bool is_dir;
	struct entry e;
	struct fid fid;
	int found = path_co_find(g->m, path, &e), rc;

	if (found && found != -ENOENT && found != -ENOTDIR)
		return found;
	if (found == 0 && !S_ISDIR(e.attr.mode))
		return 0;
	rc = is_ours(g, b, &fid, &is_dir);
	if (rc <= 0 || is_dir)
		return rc <= 0 ? rc : found != 0;
	rc = is_needed(g, b, &fid);
	if (rc == 1)
		job_co_note(g->j, path, -EBUSY, "kept: a file of another path has its copy there");
	return rc < 0 ? rc : !rc;
}

static int look(void *arg, const struct blob_entry *b)
{
	struct gone *g = arg;
	const char *path = b->name + strlen(g->m->cfg.prefix);
	struct blob_error err = {0};
	char why[512];
	int rc;

	if (g->m->stopping)
		return -ECANCELED;
	if (b->is_prefix || b->name_len != strlen(b->name) || !*path)
		return 0;
	rc = may_go(g, b, path);
	if (rc == 0)
		return 0;
	if (rc > 0)
		rc = blob_co_delete(g->m->store, b->name,
				    b->props->etag[0] ? b->props->etag : NULL, &err);
	if (rc == 0) {
		job_counts(g->j)->deleted_blobs++;
	} else if (rc != -ENOENT && !g->m->stopping) {
		error_print(&err, why, sizeof(why));
		g->failed = !job_co_error(g->j, path, rc, err.kind != BLOB_OK ? why : NULL);
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
