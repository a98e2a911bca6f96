/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - see export.h: the walk, and what becomes of each file. */
#include "common/log.h"
#include "mover/export.h"
#include "mover/export_gone.h"
#include "mover/export_names.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SLEEP_MIN_NS (10 * (uint64_t)NSEC_PER_MSEC)
#define SLEEP_MAX_NS (500 * (uint64_t)NSEC_PER_MSEC)
enum { BATCH = 256, WAITING_MAX = 1024, TRIES = 5 };

struct item {
	struct fid fid;
	struct attr attr;
	uint64_t cookie; /* in its directory */
	STAILQ_ENTRY(item) link;
	char path[]; /* below the top; "" is the top */
};
STAILQ_HEAD(items, item);

/* The tree is walked several times. The blob of a released file that was renamed is the only copy
 * of its data, and other files may have its name by now, renamed ones among them ("log.1" is
 * "log.2", "log" is "log.1"): nothing goes to a name that is held so. Those that have exchanged
 * their names are restored. */
enum pass { LOOK, MOVE, RESTORE, REST };

struct export {
	struct mover *m;
	struct job *j;
	struct items dirs;  /* to be walked, the last found first */
	struct items items; /* to be looked at */
	uint32_t nitems;
	struct co_waitq item_q, room_q;
	enum pass pass;
	struct names *held;	  /* of released files that were renamed: see enum pass */
	bool renamed;		  /* there are some, released or not */
	uint64_t moved, deferred; /* in this pass */
	bool walked, failed;
	uint64_t done;
};

static bool stops(const struct export *x)
{
	return x->m->stopping || x->failed;
}

/* What cannot be exported. */
static void give_up(struct export *x, const char *path, int rc, const struct blob_error *e)
{
	char why[512] = "";

	if (e && e->rc == rc && e->kind != BLOB_OK)
		error_print(e, why, sizeof(why));
	if (!x->m->stopping && !job_co_error(x->j, path, rc, why[0] ? why : NULL))
		x->failed = true;
}

/* ---- the walk ---- */

struct batch {
	struct items found;
	const struct item *dir;
	uint32_t n;
	int rc;
};

static struct item *item_new(const char *dir, struct span name, const struct entry *e)
{
	size_t above = strlen(dir) + (dir[0] != 0), len = above + name.len + 1;
	struct item *it = calloc(1, sizeof(*it) + len);

	if (!it)
		return NULL;
	it->fid = e->fid;
	it->attr = e->attr;
	snprintf(it->path, len, "%s%s%.*s", dir, dir[0] ? "/" : "", (int)name.len,
		 name.len ? (const char *)name.ptr : "");
	return it;
}

static int collect(void *arg, const struct fs_dirent *d)
{
	struct batch *b = arg;
	struct item *it;

	if (span_eq(d->name, SPAN_STR(".")) || span_eq(d->name, SPAN_STR("..")))
		return 0;
	it = item_new(b->dir->path, d->name, &d->e);
	if (!it) {
		b->rc = -ENOMEM;
		return 1;
	}
	it->cookie = d->cookie;
	STAILQ_INSERT_TAIL(&b->found, it, link);
	return ++b->n == BATCH;
}

static void co_put_item(struct export *x, struct item *it)
{
	while (x->nitems >= WAITING_MAX && !stops(x))
		(void)!co_wait(&x->room_q, 0);
	STAILQ_INSERT_TAIL(&x->items, it, link);
	x->nitems++;
	co_wake_one(&x->item_q);
}

/* Directories are walked later, and looked at like files. */
static int take_found(struct export *x, struct item *it)
{
	struct span none = SPAN_STR("");
	struct item *dir;

	if (S_ISDIR(it->attr.mode)) {
		dir = item_new(it->path, none, &(struct entry){.fid = it->fid, .attr = it->attr});
		if (!dir) {
			free(it);
			return -ENOMEM;
		}
		dir->path[strlen(it->path)] = 0; /* without the '/' before the empty name */
		STAILQ_INSERT_HEAD(&x->dirs, dir, link);
	}
	co_put_item(x, it);
	return 0;
}

static int walk_dir(struct export *x, const struct item *dir)
{
	struct batch b = {.dir = dir};
	uint64_t cookie = 0;
	bool eof = false;
	struct item *it;
	int rc = 0;

	STAILQ_INIT(&b.found);
	while (rc == 0 && !eof && !stops(x)) {
		b.n = 0;
		rc = fs_co_readdir(x->m->lane, &dir->fid, cookie, true, collect, &b, &eof);
		rc = rc < 0 ? rc : b.rc;
		eof = eof && b.n < BATCH;
		while ((it = STAILQ_FIRST(&b.found))) {
			STAILQ_REMOVE_HEAD(&b.found, link);
			cookie = it->cookie;
			if (rc)
				free(it);
			else
				rc = take_found(x, it);
		}
	}
	return rc == -ENOENT ? 0 : rc; /* removed meanwhile */
}

static int walk(void *arg)
{
	struct export *x = arg;
	struct item *dir;
	int rc;

	while ((dir = STAILQ_FIRST(&x->dirs))) {
		STAILQ_REMOVE_HEAD(&x->dirs, link);
		rc = stops(x) ? 0 : walk_dir(x, dir);
		if (rc && x->pass == REST)
			give_up(x, dir->path, rc, NULL);
		free(dir);
	}
	x->walked = true;
	co_wake_all(&x->item_q);
	return 0;
}

/* ---- each file ---- */

static bool has_name(const struct export *x, const struct item *it, const struct fs_hsm_state *s)
{
	const char *prefix = x->m->cfg.prefix;
	size_t n = strlen(prefix);

	return strncmp(s->name, prefix, n) == 0 && strcmp(s->name + n, it->path) == 0;
}

static uint32_t archive_of(const struct export *x)
{
	return (uint32_t)__builtin_ctz(x->m->cfg.archives) + 1;
}

static bool is_there(const struct export *x, const struct item *it, const struct fs_hsm_state *s)
{
	return !s->changed && s->archive == archive_of(x) && has_name(x, it, s);
}

/* Until what is under way for it has ended. */
static int co_wait_end(struct export *x, const struct item *it, struct fs_hsm_state *s)
{
	uint64_t ns = SLEEP_MIN_NS;
	int rc;

	while ((rc = fs_co_hsm_state(x->m->lane, &it->fid, s)) == 0 && s->action != HSM_NOOP &&
	       !stops(x)) {
		co_sleep(ns);
		ns = min_u64(ns * 2, SLEEP_MAX_NS);
	}
	return rc;
}

static int co_ask(struct export *x, const struct item *it)
{
	const struct cred root = {0};
	uint64_t cookie;

	return fs_co_hsm_request(x->m->lane, &it->fid, HSM_ARCHIVE, archive_of(x),
				 SPAN_STR(HSM_DATA_MOVED), &root, &cookie);
}

/* 1: it is there as it is. A file that changes all the time is left to the next job. */
static int co_archive(struct export *x, const struct item *it, bool *moved)
{
	struct fs_hsm_state s;
	int rc = 0, tries;

	for (tries = 0; tries < TRIES && rc == 0 && !stops(x); tries++) {
		rc = co_wait_end(x, it, &s);
		if (rc || stops(x))
			break;
		if (is_there(x, it, &s))
			return tries == 0;
		if (tries && s.error && s.error != -EBUSY)
			return s.error;
		*moved = tries == 0 ? s.name[0] && !s.changed : *moved;
		rc = co_ask(x, it);
		if (rc == -EBUSY) /* something else is under way */
			rc = 0;
	}
	return rc ? rc : stops(x) ? -ECANCELED : -EBUSY;
}

static void co_restore(struct export *x, const struct item *it, struct fs_hsm_state *s)
{
	const struct cred root = {0};
	uint64_t cookie;

	if (fs_co_hsm_request(x->m->lane, &it->fid, HSM_RESTORE, 0, SPAN_STR(""), &root, &cookie) ||
	    co_wait_end(x, it, s) || (s->flags & HSM_RELEASED))
		return;
	names_del(x->held, s->name);
}

/* Whether it is to be archived in this pass; *s: as it is before. */
static bool co_is_now(struct export *x, const struct item *it, struct fs_hsm_state *s)
{
	const char *prefix = x->m->cfg.prefix;
	bool renamed, held;

	if (fs_co_hsm_state(x->m->lane, &it->fid, s))
		return x->pass == REST; /* which says why not */
	renamed = s->name[0] && !has_name(x, it, s);
	held = !has_name(x, it, s) && names_has(x->held, prefix, it->path);
	switch (x->pass) {
	case LOOK:
		x->renamed = x->renamed || renamed;
		if (renamed && (s->flags & HSM_RELEASED) && names_add(x->held, s->name))
			x->failed = true;
		return false;
	case MOVE:
		x->deferred += renamed && held;
		return renamed && !held;
	case RESTORE:
		if (renamed && (s->flags & HSM_RELEASED))
			co_restore(x, it, s);
		return false;
	case REST:
		if (held)
			give_up(x, it->path, -EBUSY, NULL);
		return !held;
	}
	return false;
}

/* Of a file with several names the container has the first; that comes on its own. */
static bool co_is_other_link(struct export *x, const struct item *it)
{
	const char *top = x->m->cfg.path;
	size_t n = strlen(top) + (top[0] != 0);
	char first[MAX_PATH + 1];
	ssize_t len;

	if (S_ISDIR(it->attr.mode) || it->attr.nlink < 2)
		return false;
	len = fs_co_fid2path(x->m->lane, &it->fid, 0, first, sizeof(first) - 1);
	if (len <= 0)
		return false;
	first[len] = 0;
	if (strncmp(first, top, n - (n > 0)) != 0 || (n && first[n - 1] != '/') ||
	    strcmp(first + n, it->path) == 0)
		return false;
	if (x->pass == REST)
		job_co_note(x->j, it->path, -EMLINK,
			    "another name of a file that the container has by its first");
	return true;
}

static void co_export_file(struct export *x, const struct item *it)
{
	struct job_counts *n = job_counts(x->j);
	bool link = S_ISLNK(it->attr.mode), moved = false;
	struct fs_hsm_state s;
	int rc;

	if (co_is_other_link(x, it) || !co_is_now(x, it, &s))
		return;
	if (x->pass == REST) {
		n->files++;
		n->bytes += link ? 0 : it->attr.size;
	}
	rc = co_archive(x, it, &moved);
	if (rc == 1 || rc == -ENOENT || rc == -ECANCELED)
		return;
	if (rc) {
		if (x->pass == REST) /* else it is tried again */
			give_up(x, it->path, rc, NULL);
		return;
	}
	if (x->pass == MOVE && (s.flags & HSM_RELEASED))
		names_del(x->held, s.name);
	x->moved += x->pass == MOVE;
	n->renamed_blobs += moved;
	n->exported_links += link;
	n->exported_files += !link;
	n->exported_bytes += link || moved ? 0 : it->attr.size;
}

static void co_export(struct export *x, const struct item *it)
{
	struct blob_error e;
	int rc;

	if (S_ISREG(it->attr.mode) || S_ISLNK(it->attr.mode)) {
		co_export_file(x, it);
	} else if (x->pass != REST) {
		return;
	} else if (S_ISDIR(it->attr.mode)) {
		rc = dirs_co_put_one(x->m, it->path,
				     &(struct entry){.fid = it->fid, .attr = it->attr}, &e);
		if (rc < 0)
			give_up(x, it->path, rc, &e);
		else
			job_counts(x->j)->exported_dirs += rc == 0;
	} else {
		job_co_note(x->j, it->path, -EOPNOTSUPP,
			    "a device, a socket or a FIFO: a container has none");
	}
}

static void note_percent(struct export *x)
{
	uint64_t found = x->done + x->nitems + 1;

	if (x->pass != REST)
		return;
	job_counts(x->j)->percent = x->walked ? x->done * 100 / found : x->done * 50 / found;
}

static int work(void *arg)
{
	struct export *x = arg;
	struct item *it;

	for (;;) {
		while (!(it = STAILQ_FIRST(&x->items)) && !x->walked)
			(void)!co_wait(&x->item_q, 0);
		if (!it)
			return 0;
		STAILQ_REMOVE_HEAD(&x->items, link);
		x->nitems--;
		co_wake_one(&x->room_q);
		if (!stops(x))
			co_export(x, it);
		x->done++;
		note_percent(x);
		free(it);
	}
}

/* ---- the job ---- */

static int co_begin(struct export *x)
{
	struct entry e = {.fid = *fs_root(x->m->fs)};
	struct item *top;
	int rc = path_co_find(x->m, "", &e);

	if (rc == 0 && !S_ISDIR(e.attr.mode))
		rc = -ENOTDIR;
	if (rc)
		return rc;
	top = item_new("", SPAN_STR(""), &e);
	if (!top)
		return -ENOMEM;
	STAILQ_INSERT_HEAD(&x->dirs, top, link);
	return 0;
}

/* The whole tree once. */
static int co_pass(struct export *x, enum pass pass)
{
	struct co_group g = CO_GROUP_INIT;
	uint32_t i;
	int rc = co_begin(x);

	if (rc)
		return rc;
	x->pass = pass;
	x->moved = x->deferred = 0;
	x->walked = false;
	x->done = 0;
	co_spawn(&g, walk, x);
	for (i = 0; i < x->m->cfg.jobs; i++)
		co_spawn(&g, work, x);
	if (co_join(&g))
		x->failed = true;
	return 0;
}

static int co_passes(struct export *x)
{
	int rc = co_pass(x, LOOK);

	if (x->renamed)
		do {
			rc = rc || stops(x) ? rc : co_pass(x, MOVE);
		} while (rc == 0 && x->moved && x->deferred && !stops(x));
	if (rc == 0 && names_count(x->held) && !stops(x))
		rc = co_pass(x, RESTORE);
	return rc || stops(x) ? rc : co_pass(x, REST);
}

static void co_end(struct export *x)
{
	if (x->m->stopping) {
		(void)!job_resume_put(x->j, "");
		job_co_end(x->j, JOB_IN_PROGRESS, "stopped");
	} else if (x->failed) {
		job_co_end(x->j, JOB_FAILED, "there were too many errors");
	} else {
		job_counts(x->j)->percent = 100;
		job_co_end(x->j, JOB_COMPLETED, "%s", "");
	}
}

void export_co_run(struct mover *m, struct job *j)
{
	struct export x = {.m = m, .j = j};
	int rc;

	STAILQ_INIT(&x.dirs);
	STAILQ_INIT(&x.items);
	co_waitq_init(&x.item_q);
	co_waitq_init(&x.room_q);
	*job_counts(j) = (struct job_counts){0}; /* all is looked at again */
	rc = names_create(&x.held);
	if (rc == 0)
		rc = co_passes(&x);
	names_destroy(x.held);
	if (rc) {
		job_co_end(j, JOB_FAILED, "/%s: %s", m->cfg.path, err_str(rc));
		return;
	}
	if (m->cfg.deletions && !stops(&x))
		x.failed = !gone_co_remove(m, j);
	co_end(&x);
}
