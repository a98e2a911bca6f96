/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c - asks the coordinator for work, lets a fiber do each piece, tells what became of it. */
#include "common/log.h"
#include "mover/mover.h"
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <time.h>

#define TELL_NS	 ((uint64_t)NSEC_PER_SEC)
#define AGAIN_NS ((uint64_t)NSEC_PER_SEC) /* after an error of the MDS */
#define JSON_STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
enum { ASK_MAX = 64 };

/* ---- memory ---- */

void *mover_co_memory(struct mover *m, size_t len)
{
	while (m->memory_used && m->memory_used + len > m->cfg.memory)
		(void)!co_wait(&m->memory_q, 0);
	m->memory_used += len;
	void *p = malloc(len);

	if (!p)
		m->memory_used -= len;
	return p;
}

void mover_memory_put(struct mover *m, void *p, size_t len)
{
	free(p);
	m->memory_used -= len;
	co_wake_all(&m->memory_q);
}

/* ---- telling ---- */

int work_co_tell(struct work *w, bool *changed)
{
	struct fs_hsm_progress p = {.cookie = w->cookie, .moved = w->moved};
	bool stop, other;
	int rc;

	if (w->stop || w->m->stopping)
		return -ECANCELED;
	w->told_ns = loop_now(w->m->loop);
	rc = fs_co_hsm_progress(w->m->lane, &p, &stop, &other);
	if (rc)
		return rc;
	if (changed)
		*changed = other;
	w->stop = stop;
	return stop ? -ECANCELED : 0;
}

int work_co_tell_now_and_then(struct work *w)
{
	if (w->stop || w->m->stopping)
		return -ECANCELED;
	return loop_now(w->m->loop) - w->told_ns < TELL_NS ? 0 : work_co_tell(w, NULL);
}

static const char *action_name(const struct work *w)
{
	return w->action == HSM_REMOVE	  ? "remove"
	       : w->action == HSM_RELEASE ? "release"
	       : w->action == HSM_RESTORE ? "restore"
					  : "archive";
}

/* One line of JSON for each failure, in the container for logs. */
static void log_failure(struct work *w, int rc, const char *why)
{
	struct mover *m = w->m;
	struct json_object *o = m->log ? json_object_new_object() : NULL;
	time_t now = (time_t)(loop_realtime(m->loop) / NSEC_PER_SEC);
	char text[FID_STRLEN], when[32];
	struct blob_error e;
	struct tm tm;

	if (!o)
		return;
	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_object_add(o, "time", json_object_new_string(when));
	json_object_object_add(o, "action", json_object_new_string(action_name(w)));
	json_object_object_add(o, "fid", json_object_new_string(fid_str(&w->fid, text)));
	json_object_object_add(o, "name",
			       json_object_new_string(w->new_name[0] ? w->new_name : w->name));
	json_object_object_add(o, "error", json_object_new_string(err_str(rc)));
	json_object_object_add(o, "why", json_object_new_string(why));
	co_mutex_lock(&m->log_lock);
	if (blob_log_co_line(m->log, json_object_to_json_string_ext(o, JSON_STYLE), &e) ||
	    blob_log_co_flush(m->log, &e))
		log_err("the log container cannot be written: %s", e.words);
	co_mutex_unlock(&m->log_lock);
	json_object_put(o);
}

static void failed(struct work *w, int rc)
{
	char text[FID_STRLEN], why[512];

	if (w->error.rc == rc && w->error.kind != BLOB_OK)
		error_print(&w->error, why, sizeof(why));
	else
		snprintf(why, sizeof(why), "%s", err_str(rc));
	w->m->failed++;
	log_err("%s of %s (%s): %s", action_name(w), fid_str(&w->fid, text),
		w->new_name[0] ? w->new_name : w->name, why);
	log_failure(w, rc, why);
}

/* Until the MDS has heard of it: else another mover would do it once more. */
static void tell_end(struct work *w, int rc)
{
	struct fs_hsm_progress p = {
		.cookie = w->cookie,
		.moved = w->moved,
		.done = true,
		.error = rc,
		.name = rc || w->action != HSM_ARCHIVE ? NULL : w->new_name,
		.etag = rc || w->action != HSM_ARCHIVE ? NULL : w->new_etag,
	};
	bool stop, changed;

	do {
		rc = fs_co_hsm_progress(w->m->lane, &p, &stop, &changed);
		if (rc && !p.error && (rc == -EIO || rc == -ESTALE))
			p.error = rc; /* what came back is not what the file should be */
		else if (rc && !w->m->stopping)
			co_sleep(AGAIN_NS);
	} while (rc && !w->m->stopping);
}

/* ---- working ---- */

static void work_free(struct work *w)
{
	free(w->name);
	free(w->etag);
	free(w->data);
	free(w);
}

static void work_fiber(void *arg)
{
	struct work *w = arg;
	struct mover *m = w->m;
	int rc = w->action == HSM_REMOVE    ? remove_co_run(w)
		 : w->action == HSM_RESTORE ? restore_co_run(w)
		 : w->action == HSM_RELEASE ? release_co_run(w)
					    : archive_co_run(w);

	/* What a mover that ends was at, others do: the MDS hears that its session is over. */
	if (!m->stopping || rc == 0) {
		if (rc == 0)
			m->done++;
		else if (rc != -ECANCELED)
			failed(w, rc);
		if (w->action != HSM_RELEASE)
			tell_end(w, rc);
	}
	LIST_REMOVE(w, link);
	m->nwork--;
	work_free(w);
	co_wake_all(&m->idle_q);
}

static struct work *find(struct mover *m, uint64_t cookie)
{
	struct work *w;

	LIST_FOREACH(w, &m->work, link)
	if (w->cookie == cookie)
		return w;
	return NULL;
}

static char *text_of(struct span s)
{
	return strndup(s.len ? (const char *)s.ptr : "", s.len);
}

static void begin(void *arg, const struct fs_hsm_work *h)
{
	struct mover *m = arg;
	struct work *w = find(m, h->cookie);

	if (h->action == HSM_CANCEL || w) {
		if (w && h->action == HSM_CANCEL)
			w->stop = true;
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return; /* the coordinator tells it again */
	w->m = m;
	w->cookie = h->cookie;
	w->action = h->action;
	w->fid = h->fid;
	w->same = h->same;
	w->released = h->released;
	w->name = text_of(h->name);
	w->etag = text_of(h->etag);
	w->data = text_of(h->data);
	w->told_ns = loop_now(m->loop);
	if (!w->name || !w->etag || !w->data || strlen(w->etag) >= BLOB_ETAG_MAX ||
	    fiber_spawn(m->loop, work_fiber, w)) {
		work_free(w);
		return;
	}
	LIST_INSERT_HEAD(&m->work, w, link);
	m->nwork++;
}

static int ask(struct mover *m)
{
	uint64_t *have = calloc(m->nwork + 1, sizeof(*have));
	uint32_t n = 0, room = m->cfg.jobs - m->nwork;
	struct work *w;
	int rc;

	if (!have)
		return -ENOMEM;
	LIST_FOREACH(w, &m->work, link)
	have[n++] = w->cookie;
	rc = fs_co_hsm_next(m->lane, m->cfg.archives, room < ASK_MAX ? room : ASK_MAX, have, n,
			    begin, m);
	free(have);
	return rc;
}

void agent_co_run(struct mover *m)
{
	int rc;

	while (!m->stopping) {
		if (m->nwork >= m->cfg.jobs) {
			(void)!co_wait(&m->idle_q, 0);
			continue;
		}
		rc = ask(m);
		if (rc && !m->stopping) {
			log_warn("the MDS gives out no work: %s", err_str(rc));
			co_sleep(AGAIN_NS);
		}
	}
	while (m->nwork)
		(void)!co_wait(&m->idle_q, 0);
}
