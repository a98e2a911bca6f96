/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - see import.h: listers, what each has still to list, and the job's marker. */
#include "client/core/hsm.h"
#include "common/log.h"
#include "mover/import_int.h"
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define RESUME_NS (3 * (uint64_t)NSEC_PER_SEC)
#define JSON_STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
enum {
	LISTERS_MAX = 64,
	WANTED = 4,	    /* prefixes that wait, for each lister */
	LEVEL_PAGE = 1000,  /* entries of a page with levels: so many prefixes a lister may have */
};

/* A prefix that is not done. */
struct todo {
	char *prefix;
	char *marker; /* behind it nothing was made; NULL: from the start */
	bool flat;    /* all below, without levels */
	TAILQ_ENTRY(todo) link;
};
TAILQ_HEAD(todo_list, todo);

struct lister {
	struct run *run;
	struct todo *now;
	struct todo_list own; /* the others have enough */
	uint32_t nown;
};

struct run {
	struct importer im;
	struct todo_list waiting;
	uint32_t nwaiting, nlisters, nbusy;
	struct co_waitq news;
	struct lister lister[LISTERS_MAX];
	uint64_t saved_ns;
};

static struct todo *todo_new(const char *prefix, const char *marker, bool flat)
{
	struct todo *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->prefix = strdup(prefix);
	t->marker = marker && marker[0] ? strdup(marker) : NULL;
	t->flat = flat;
	if (t->prefix && (t->marker || !marker || !marker[0]))
		return t;
	free(t->prefix);
	free(t->marker);
	free(t);
	return NULL;
}

static void todo_free(struct todo *t)
{
	if (!t)
		return;
	free(t->prefix);
	free(t->marker);
	free(t);
}

static void free_list(struct todo_list *l)
{
	struct todo *t;

	while ((t = TAILQ_FIRST(l))) {
		TAILQ_REMOVE(l, t, link);
		todo_free(t);
	}
}

static void wait_for_taker(struct run *r, struct todo *t)
{
	TAILQ_INSERT_TAIL(&r->waiting, t, link);
	r->nwaiting++;
	co_wake_one(&r->news);
}

/* ---- the marker: an array of [prefix, marker, flat] ---- */

static void add_todo(struct json_object *a, const struct todo *t)
{
	struct json_object *o = json_object_new_array();

	json_object_array_add(o, json_object_new_string(t->prefix));
	json_object_array_add(o, json_object_new_string(t->marker ? t->marker : ""));
	json_object_array_add(o, json_object_new_boolean(t->flat));
	json_object_array_add(a, o);
}

/* Pages that are not done count for nothing: they are made again. */
static int save(struct run *r)
{
	struct job_counts *n = job_counts(r->im.job);
	struct json_object *a = json_object_new_array();
	const struct todo *t;
	uint32_t i;
	int rc;

	for (i = 0; i < r->nlisters; i++) {
		if (r->lister[i].now)
			add_todo(a, r->lister[i].now);
		TAILQ_FOREACH(t, &r->lister[i].own, link)
		add_todo(a, t);
	}
	TAILQ_FOREACH(t, &r->waiting, link)
	add_todo(a, t);
	n->errors -= r->im.open_errors;
	rc = job_resume_put(r->im.job, json_object_to_json_string_ext(a, JSON_STYLE));
	n->errors += r->im.open_errors;
	json_object_put(a);
	r->saved_ns = loop_now(r->im.m->loop);
	return rc;
}

static const char *text_at(struct json_object *a, size_t i)
{
	struct json_object *o = json_object_array_get_idx(a, i);

	return json_object_is_type(o, json_type_string) ? json_object_get_string(o) : NULL;
}

static int load_one(struct run *r, struct json_object *o)
{
	struct todo *t;

	if (!json_object_is_type(o, json_type_array) || !text_at(o, 0) || !text_at(o, 1) ||
	    strlen(text_at(o, 1)) >= BLOB_MARKER_MAX)
		return -EINVAL;
	t = todo_new(text_at(o, 0), text_at(o, 1),
		     json_object_get_boolean(json_object_array_get_idx(o, 2)));
	if (!t)
		return -ENOMEM;
	wait_for_taker(r, t);
	return 0;
}

/* What an earlier process has left, or all. */
static int load(struct run *r)
{
	const char *text = job_resume(r->im.job);
	struct json_object *a = text ? json_tokener_parse(text) : NULL;
	struct todo *all;
	size_t i;
	int rc = json_object_is_type(a, json_type_array) ? 0 : -EINVAL;

	for (i = 0; rc == 0 && i < json_object_array_length(a); i++)
		rc = load_one(r, json_object_array_get_idx(a, i));
	json_object_put(a);
	if (rc == 0)
		log_info("goes on where it was: %u prefixes", r->nwaiting);
	if (rc != -EINVAL)
		return rc;
	free_list(&r->waiting);
	r->nwaiting = 0;
	*job_counts(r->im.job) = (struct job_counts){0};
	all = todo_new(r->im.m->cfg.prefix, NULL, false);
	if (!all)
		return -ENOMEM;
	wait_for_taker(r, all);
	return 0;
}

/* ---- listing ---- */

static int list_page(struct run *r, const struct todo *t, const char *marker, struct page **out)
{
	struct blob_list *q = calloc(1, sizeof(*q));
	struct page *p = page_new(&r->im);
	struct blob_error e;
	char why[512];
	int rc = q && p ? 0 : -ENOMEM;

	if (rc == 0) {
		q->prefix = t->prefix;
		q->delimiter = !t->flat;
		q->page = t->flat ? 0 : LEVEL_PAGE;
		q->pages = 1;
		snprintf(q->marker, sizeof(q->marker), "%s", marker);
		rc = blob_co_list(r->im.m->store, q, page_co_take, p, &e);
		if (rc && !importer_stops(&r->im)) {
			error_print(&e, why, sizeof(why));
			rc = importer_fail(&r->im, "the container cannot be listed: %s", why);
		}
	}
	if (rc == 0) {
		memcpy(p->marker, q->marker, sizeof(p->marker));
		*out = p;
	} else {
		page_free(p);
	}
	free(q);
	return rc;
}

static void count(struct run *r, const struct page *p)
{
	struct job_counts *to = job_counts(r->im.job), n = p->done;

	n.errors = 0; /* these are counted already */
#define ADD(who, field, member) to->member += n.member;
	JOB_COUNTS(ADD)
#undef ADD
	r->im.open_errors -= p->done.errors;
}

/* All of it was answered: the todo goes on behind it, and the prefixes below are to be listed. */
static int commit(struct lister *l, struct page *p)
{
	struct run *r = l->run;
	struct todo *t;
	char *marker = p->marker[0] ? strdup(p->marker) : NULL;
	uint32_t i;

	if (p->marker[0] && !marker)
		return -ENOMEM;
	for (i = 0; i < p->nsub; i++) {
		t = todo_new(p->sub[i], NULL, false);
		if (!t) {
			free(marker);
			return -ENOMEM;
		}
		if (r->nwaiting < r->nlisters * WANTED) {
			wait_for_taker(r, t);
		} else {
			TAILQ_INSERT_TAIL(&l->own, t, link);
			l->nown++;
		}
	}
	count(r, p);
	free(l->now->marker);
	l->now->marker = marker;
	if (!marker) {
		todo_free(l->now);
		l->now = NULL;
	}
	if (loop_now(r->im.m->loop) - r->saved_ns > RESUME_NS)
		(void)!save(r);
	return 0;
}

/* A page is made while the next one is listed. A todo of which a page had prefixes waits until
 * these are done: it has as many as it may. */
static int list(struct lister *l)
{
	struct run *r = l->run;
	struct co_group g = CO_GROUP_INIT;
	struct page *p = NULL, *next = NULL;
	bool last, below;
	int rc = list_page(r, l->now, l->now->marker ? l->now->marker : "", &p), rc2;

	while (rc == 0) {
		last = !p->marker[0];
		below = p->nsub != 0;
		co_spawn(&g, page_co_make, p);
		next = NULL;
		if (!last && !below)
			rc = list_page(r, l->now, p->marker, &next);
		rc2 = co_join(&g);
		g = CO_GROUP_INIT;
		if (rc2 == 0)
			rc2 = commit(l, p);
		else if (r->im.failed) /* there is no resuming */
			count(r, p);
		rc = rc ? rc : rc2;
		page_free(p);
		p = next;
		if (last || below)
			break;
	}
	page_free(p);
	if (rc == 0 && l->now) {
		TAILQ_INSERT_TAIL(&l->own, l->now, link);
		l->nown++;
		l->now = NULL;
	}
	return rc;
}

/* Others have nothing to do. */
static void share(struct lister *l)
{
	struct run *r = l->run;
	struct todo *t;

	while (r->nwaiting < r->nlisters && l->nown > 1) {
		t = TAILQ_FIRST(&l->own);
		TAILQ_REMOVE(&l->own, t, link);
		l->nown--;
		wait_for_taker(r, t);
	}
}

static struct todo *take(struct lister *l)
{
	struct run *r = l->run;
	struct todo *t;

	share(l);
	t = TAILQ_FIRST(&l->own);
	if (t) {
		TAILQ_REMOVE(&l->own, t, link);
		l->nown--;
		t->flat = t->flat || !t->marker;
		return t;
	}
	t = TAILQ_FIRST(&r->waiting);
	if (t) {
		TAILQ_REMOVE(&r->waiting, t, link);
		r->nwaiting--;
	}
	return t;
}

static int lister_run(void *arg)
{
	struct lister *l = arg;
	struct run *r = l->run;
	int rc = 0;

	while (!importer_stops(&r->im)) {
		l->now = take(l);
		if (!l->now) {
			if (!r->nbusy)
				break;
			(void)!co_wait(&r->news, 0);
			continue;
		}
		r->nbusy++;
		rc = list(l);
		r->nbusy--;
		if (rc && rc != -ECANCELED)
			importer_fail(&r->im, "%s", err_str(rc));
	}
	co_wake_all(&r->news);
	return 0;
}

/* ---- the job ---- */

struct top {
	struct importer *im;
	int rc;
};

static int top_done(void *arg, void *of, const struct mds_import_entry *e,
		    const struct mds_import_result *res)
{
	struct top *t = arg;

	(void)of;
	(void)e;
	t->im->top = res->fid;
	t->rc = res->what == IMPORT_ERROR ? res->error : 0;
	return 0;
}

/* The directory that the container is imported to, with all above. */
static int make_top(struct importer *im)
{
	struct top t = {.im = im};
	struct batch *b = batch_new(im, top_done, &t);
	int64_t now = loop_realtime(im->m->loop);
	const char *p = im->cfg.path;
	size_t n;
	int rc = b ? 0 : -ENOMEM;

	im->top = *fs_root(im->m->fs);
	while (rc == 0 && *(p += strspn(p, "/"))) {
		struct mds_import_entry e = {
			.parent = im->top,
			.implied = 1,
			.mode = S_IFDIR | im->cfg.dir_mode,
			.uid = im->cfg.uid,
			.gid = im->cfg.gid,
			.atime = now,
			.mtime = now,
		};

		n = strcspn(p, "/");
		e.name = (struct span){(const uint8_t *)p, (uint32_t)n};
		p += n;
		rc = name_check(e.name);
		if (rc == 0)
			rc = batch_co_add(b, &e, NULL);
		if (rc == 0)
			rc = batch_co_flush(b);
		if (rc == 0)
			rc = t.rc;
	}
	batch_free(b);
	if (rc && rc != -ECANCELED)
		rc = importer_fail(im, "%s cannot be imported to: %s", im->cfg.path, err_str(rc));
	return rc;
}

static void end(struct run *r)
{
	struct importer *im = &r->im;

	if (im->failed) {
		job_co_end(im->job, JOB_FAILED, "%s", im->why);
	} else if (im->m->stopping) {
		(void)!save(r);
		job_co_end(im->job, JOB_IN_PROGRESS, "stopped; started again it goes on");
	} else {
		job_co_end(im->job, JOB_COMPLETED, "%s", "");
	}
}

static void run_fini(struct run *r)
{
	uint32_t i;

	for (i = 0; i < r->nlisters; i++) {
		free_list(&r->lister[i].own);
		todo_free(r->lister[i].now);
	}
	free_list(&r->waiting);
	dir_cache_destroy(r->im.known);
	free(r);
}

void import_co_run(struct mover *m, struct job *j, const struct import_cfg *cfg)
{
	struct co_group g = CO_GROUP_INIT;
	struct run *r = calloc(1, sizeof(*r));
	uint32_t i;
	int rc;

	if (!r) {
		job_co_end(j, JOB_FAILED, "%s", err_str(-ENOMEM));
		return;
	}
	r->im = (struct importer){.m = m, .job = j, .cfg = *cfg};
	r->im.prefix_len = strlen(m->cfg.prefix);
	r->nlisters = cfg->listers ? (uint32_t)min_u64(cfg->listers, LISTERS_MAX) : IMPORT_LISTERS;
	TAILQ_INIT(&r->waiting);
	co_waitq_init(&r->news);
	for (i = 0; i < r->nlisters; i++) {
		r->lister[i].run = r;
		TAILQ_INIT(&r->lister[i].own);
	}
	rc = dir_cache_create(&r->im.known);
	if (rc == 0)
		rc = make_top(&r->im);
	if (rc == 0)
		rc = load(r);
	if (rc && rc != -ECANCELED)
		importer_fail(&r->im, "%s", err_str(rc));
	for (i = 0; i < r->nlisters && !importer_stops(&r->im); i++)
		co_spawn(&g, lister_run, &r->lister[i]);
	(void)!co_join(&g);
	end(r);
	run_fini(r);
}
