/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck.c - the run of the online checker: its fiber, its pace, what becomes of a finding, and the
 * part that looks at the tables. See lfsck.h. Facts are check.c's, repairs lfsck_fix.c's, objects
 * lfsck_layout.c's, texts lfsck_report.c's. */
#include "mds/lfsck.h"
#include "mds/lfsck_fix.h"
#include <inttypes.h>
#include <stdlib.h>

enum {
	STEP_ROWS = 256,
	LOGGED_MAX = 200, /* findings that are not repaired, of one run */
	TOLD_TEXT_MAX = LFSCK_TOLD_MAX * (FINDING_STRLEN + 16),
};

int lfsck_create(struct mds *m, struct lfsck **out)
{
	struct lfsck *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->m = m;
	l->batch = calloc(LFSCK_BATCH, sizeof(*l->batch));
	if (!l->batch) {
		free(l);
		return -ENOMEM;
	}
	co_waitq_init(&l->q);
	co_waitq_init(&l->done_q);
	wbuf_init(&l->told, TOLD_TEXT_MAX);
	l->max_repairs = 10000;
	*out = l;
	return 0;
}

void lfsck_destroy(struct lfsck *l)
{
	assert(!l->running);
	wbuf_fini(&l->told);
	free(l->batch);
	free(l);
}

/* ---- pace ---- */

static bool ends(const struct lfsck *l)
{
	return l->stop || l->closing;
}

bool lfsck_co_pace(struct lfsck *l, uint64_t began, uint64_t rows)
{
	struct loop *loop = l->m->loop;
	uint64_t until = loop_clock(loop), limit = 0;

	until += until - began;
	if (l->speed)
		limit = rows * NSEC_PER_SEC / l->speed;
	until = max_u64(until, began + limit);
	co_yield ();
	while (!ends(l) && loop_now(loop) < until)
		(void)!co_wait(&l->q, until);
	return ends(l);
}

/* What clients of the last life will do again is not there yet. */
static bool co_wait_recovery(struct lfsck *l)
{
	struct mds *m = l->m;

	while (!ends(l) && (m->recovery_end_ns || m->inherited_until_ns > loop_now(m->loop)))
		(void)!co_wait(&l->q, loop_now(m->loop) + NSEC_PER_SEC / 10);
	return ends(l);
}

/* ---- a finding ---- */

static void tell(struct lfsck *l, const struct finding *f, const char *what)
{
	char text[FINDING_STRLEN];

	finding_str(f, text);
	if (l->ntold < LFSCK_TOLD_MAX) {
		if (l->ntold++)
			wbuf_put(&l->told, "\n", 1);
		(void)!text_put(&l->told, "%s ", what);
		wbuf_put(&l->told, text, (uint32_t)strlen(text));
	}
	if (l->repair || l->ntold < LOGGED_MAX)
		log_warn("%s: lfsck: %s: %s", l->m->name, what, text);
}

#define REVOKED ((uint32_t)(LEASE_LOOKUP | LEASE_UPDATE | LEASE_XATTR | LEASE_OWN))

static uint64_t conflict(struct mds *m, const struct fid *fid, uint32_t n)
{
	uint64_t until = 0, now = loop_now(m->loop);

	while (n--) {
		lease_recall(m->leases, NULL, &fid[n], REVOKED, now);
		until = max_u64(until, lease_conflict(m->leases, NULL, &fid[n], REVOKED, now));
	}
	return until;
}

/* Takes back what clients know of the inode, the directory and lost+found, and runs the repair
 * before anybody can know it again. */
static int co_fix(struct lfsck *l, const struct finding *f, lfsck_fix_fn *fix, void *arg)
{
	struct fid fid[] = {f->fid, f->parent, FID_LOST_FOUND};
	struct lease_barrier barrier[ARRAY_SIZE(fid)];
	struct mds *m = l->m;
	struct txn *t;
	uint64_t until;
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_SIZE(fid); i++) {
		barrier[i] = (struct lease_barrier){.fid = fid[i], .bits = REVOKED};
		lease_barrier_add(m->leases, &barrier[i]);
	}
	while (!ends(l) && (until = conflict(m, fid, ARRAY_SIZE(fid))))
		(void)!co_wait(&m->lease_q, until);
	rc = ends(l) ? -ECANCELED : store_space_check(m->store);
	/* Committed by itself: no client does it again after a loss of power, so nothing that a
	 * client would do again may depend on it, nor it on that. */
	if (rc == 0)
		rc = store_commit(m->store);
	if (rc == 0)
		rc = store_write(m->store, &t);
	if (rc == 0)
		rc = fix(arg, t, f, loop_realtime(m->loop));
	if (rc == 0)
		rc = store_commit(m->store);
	for (i = 0; i < ARRAY_SIZE(fid); i++)
		lease_barrier_del(&barrier[i]);
	if (rc == 0) /* its size may have to be measured, its objects to be destroyed */
		settle_add(m->settle, &f->fid);
	return rc;
}

void lfsck_co_found(struct lfsck *l, const struct finding *f, lfsck_fix_fn *fix, void *arg)
{
	int rc = -EOPNOTSUPP;

	if (!l->repair) {
		l->found[f->kind]++;
		tell(l, f, "found");
		return;
	}
	if (!l->repairs_left) {
		l->out_of_repairs = true;
		rc = -EDQUOT;
	} else if (fix) {
		rc = co_fix(l, f, fix, arg);
	}
	if (rc == -ENOENT || rc == -ECANCELED)
		return; /* gone by itself, or left for another run */
	l->found[f->kind]++;
	l->repairs_left -= rc == 0;
	*(rc ? &l->failed[f->kind] : &l->fixed[f->kind]) += 1;
	tell(l, f, rc == 0 ? "repaired" : "uncorrected");
	if (rc && rc != -EOPNOTSUPP && rc != -EDQUOT)
		log_err("%s: lfsck: that cannot be repaired: %s", l->m->name, err_str(rc));
}

/* ---- the tables ---- */

/* One row makes at most so many findings. */
enum { FINDINGS_OF_ROW = 6 };

struct step {
	struct checker c;
	struct lfsck *l;
};

static void step_found(void *arg, const struct finding *f)
{
	struct step *s = arg;
	struct lfsck *l = s->l;

	assert(l->nbatch < LFSCK_BATCH);
	l->batch[l->nbatch++] = *f;
	s->c.pause = l->nbatch > LFSCK_BATCH - FINDINGS_OF_ROW;
}

static int fix_row(void *arg, struct txn *t, const struct finding *f, int64_t now)
{
	(void)arg;
	return lfsck_fix(t, f, now);
}

static int step(struct lfsck *l, uint32_t max)
{
	struct step s = {.l = l, .c = {.found = step_found, .arg = &s}};
	bool in_batch;
	int rc = store_read(l->m->store, &s.c.t, &in_batch);

	l->nbatch = 0;
	if (rc)
		return rc;
	check_step(&s.c, &l->pos, max);
	return s.c.rc;
}

static int co_namespace(struct lfsck *l)
{
	struct lfsck_part *p = &l->part[CHECK_NAMESPACE];
	uint64_t began, rows;
	uint32_t i;
	int rc = 0;

	while (rc == 0 && !l->pos.end && !co_wait_recovery(l)) {
		began = loop_clock(l->m->loop);
		rows = l->pos.rows;
		rc = step(l, l->speed && l->speed < STEP_ROWS ? l->speed : STEP_ROWS);
		rows = l->pos.rows - rows;
		p->checked += rows;
		for (i = 0; i < l->nbatch; i++)
			lfsck_co_found(l, &l->batch[i], fix_row, NULL);
		if (lfsck_co_pace(l, began, rows))
			break;
	}
	p->skipped = l->pos.skipped;
	return rc ? rc : p->skipped ? -EAGAIN : 0;
}

/* ---- a run ---- */

static void run_part(struct lfsck *l, enum check_part part)
{
	struct lfsck_part *p = &l->part[part];
	struct mds *m = l->m;
	int rc = 0;

	p->began_ns = loop_now(m->loop);
	p->started = loop_realtime(m->loop);
	if (!co_wait_recovery(l))
		rc = part == CHECK_NAMESPACE ? co_namespace(l) : lfsck_co_layout(l);
	p->took_ns = loop_now(m->loop) - p->began_ns;
	if (ends(l)) {
		p->status = LFSCK_STOPPED;
		return;
	}
	p->completed = loop_realtime(m->loop);
	p->runs += rc == 0;
	p->status = rc == 0 ? LFSCK_COMPLETED : rc == -EAGAIN ? LFSCK_PARTIAL : LFSCK_FAILED;
	if (p->status == LFSCK_FAILED)
		log_err("%s: lfsck failed: %s", m->name, err_str(rc));
}

static void main_fiber(void *arg)
{
	struct lfsck *l = arg;
	uint32_t part;

	for (part = 0; part < CHECK_PARTS; part++)
		if (l->parts[part])
			run_part(l, part);
	if (l->pos.end)
		l->pos = (struct check_pos){0};
	l->running = false;
	co_wake_all(&l->done_q);
}

/* ---- control ---- */

static int take_types(struct lfsck *l, char *types)
{
	char *save, *type;
	uint32_t part;

	memset(l->parts, 0, sizeof(l->parts));
	for (type = strtok_r(types, ",", &save); type; type = strtok_r(NULL, ",", &save)) {
		bool all = !strcmp(type, "all");

		for (part = 0; part < CHECK_PARTS; part++)
			l->parts[part] |= all;
		if (!strcmp(type, "namespace"))
			l->parts[CHECK_NAMESPACE] = true;
		else if (!strcmp(type, "layout"))
			l->parts[CHECK_LAYOUT] = true;
		else if (!all)
			return -EINVAL;
	}
	return l->parts[CHECK_NAMESPACE] || l->parts[CHECK_LAYOUT] ? 0 : -EINVAL;
}

static int take_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return end == text || *end || errno || *text == '-' || *out > max ? -EINVAL : 0;
}

static int take_option(struct lfsck *l, const char *name, char *value, bool *reset)
{
	uint64_t v = 0;
	int rc;

	if (!strcmp(name, "types"))
		return take_types(l, value);
	rc = take_number(value, UINT32_MAX, &v);
	if (rc)
		return rc;
	if (!strcmp(name, "dryrun"))
		l->repair = v == 0;
	else if (!strcmp(name, "speed"))
		l->speed = (uint32_t)v;
	else if (!strcmp(name, "max_repairs"))
		l->repairs_left = v ? v : UINT64_MAX;
	else if (!strcmp(name, "reset"))
		*reset = v != 0;
	else
		return -EINVAL;
	return 0;
}

static int take_options(struct lfsck *l, const char *options, bool *reset)
{
	char text[256], *save, *word, *value;
	int rc = 0;

	if (snprintf(text, sizeof(text), "%s", options) >= (int)sizeof(text))
		return -EINVAL;
	for (word = strtok_r(text, " \n", &save); word && rc == 0;
	     word = strtok_r(NULL, " \n", &save)) {
		value = strchr(word, '=');
		if (!value)
			return -EINVAL;
		*value++ = 0;
		rc = take_option(l, word, value, reset);
	}
	return rc;
}

/* Counters are of one run; one that goes on where it was stopped has those of both. */
static void forget_run(struct lfsck *l, bool reset)
{
	uint32_t part;

	if (l->pos.rows && l->parts[CHECK_NAMESPACE] && !reset)
		return;
	l->pos = (struct check_pos){0};
	memset(l->found, 0, sizeof(l->found));
	memset(l->fixed, 0, sizeof(l->fixed));
	memset(l->failed, 0, sizeof(l->failed));
	for (part = 0; part < CHECK_PARTS; part++)
		if (l->parts[part])
			l->part[part].checked = l->part[part].objects = l->part[part].skipped = 0;
	l->told.len = 0;
	l->ntold = 0;
}

static void begin(struct lfsck *l)
{
	uint32_t part;

	for (part = 0; part < CHECK_PARTS; part++) {
		if (!l->parts[part])
			continue;
		l->part[part].status = LFSCK_SCANNING;
		l->part[part].began_ns = loop_now(l->m->loop);
	}
	l->running = true;
}

int lfsck_start(struct lfsck *l, const char *options)
{
	bool reset = false;
	int rc;

	if (l->running)
		return -EALREADY;
	if (l->closing)
		return -ESHUTDOWN;
	l->repair = l->stop = l->out_of_repairs = false;
	l->parts[CHECK_NAMESPACE] = l->parts[CHECK_LAYOUT] = true;
	l->speed = l->speed_limit;
	l->repairs_left = l->max_repairs ? l->max_repairs : UINT64_MAX;
	rc = take_options(l, options, &reset);
	if (rc)
		return rc;
	forget_run(l, reset);
	begin(l);
	log_info("%s: lfsck starts%s", l->m->name, l->repair ? ", with repairs" : "");
	rc = fiber_spawn(l->m->loop, main_fiber, l);
	if (rc)
		l->running = false;
	return rc;
}

int lfsck_stop(struct lfsck *l)
{
	if (!l->running)
		return -EALREADY;
	l->stop = true;
	co_wake_all(&l->q);
	co_wake_all(&l->m->lease_q);
	return 0;
}

void lfsck_close(struct lfsck *l)
{
	l->closing = true;
	co_wake_all(&l->q);
}

void lfsck_co_close(struct lfsck *l)
{
	lfsck_close(l);
	while (l->running)
		(void)!co_wait(&l->done_q, 0);
}
