/* SPDX-License-Identifier: Apache-2.0 */
/* data.c - see data.h. Each task is one fiber on one lane of one client, with open files of its
 * own. */
#include "common/co.h"
#include "common/fiber.h"
#include "common/lov.h"
#include "tests/sim/data_int.h"
#include "tests/sim/sim.h"
#include "tests/sim/trace.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* So that what all tasks append between two looks at the size stays within the file's blocks. */
#define APPEND_MAX ((uint64_t)DATA_STRIPE / 2 * DATA_BLOCK)
#define BUF ((size_t)DATA_BLOCKS * DATA_BLOCK)

static const struct cred cred = {.pid = 4712};
static const char *const names[DATA_NAMES] = {"a", "b"};

static uint64_t below(struct data_task *t, uint64_t n)
{
	t->rng = t->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (t->rng >> 33) % n;
}

static bool is_victim(const struct data_task *t)
{
	return t->client == t->d->victim;
}

static bool may_fail(const struct data_task *t)
{
	return is_victim(t) && t->d->cut_from;
}

static bool ok(struct data_task *t, const char *what, int64_t rc)
{
	if (rc < 0 && may_fail(t))
		return false;
	if (rc < 0)
		sim_fail("data: task %u: %s: %s", t->id, what, strerror((int)-rc));
	return rc >= 0 && !sim_failed();
}

static uint32_t number(const struct data_op *op)
{
	return (uint32_t)(op->f - op->t->d->file);
}

/* Most of it around the first few blocks and the ends of stripes. */
static void any_range(struct data_task *t, uint64_t *off, uint64_t *len)
{
	uint64_t b = DATA_STRIPE * below(t, 4) + below(t, 8), n = 1 + below(t, 5);

	b = b > 4 ? b - 4 : 0;
	if (below(t, 12) == 0)
		n = 1 + below(t, 2 * DATA_STRIPE);
	if (n > DATA_SPAN - b)
		n = DATA_SPAN - b;
	*off = b * DATA_BLOCK;
	*len = n * DATA_BLOCK;
}

/* ------------------------------------------------------------------ files */

/* As the kernel does before it opens: the open may come with it. */
static bool look_up(struct data_task *t, uint32_t k)
{
	char name[16];
	struct entry e;

	snprintf(name, sizeof(name), "file%u", k);
	return ok(t, "lookup", fs_co_lookup(t->ln, &t->d->dir, SPAN_STR(name), &e));
}

static bool is_open(struct data_task *t, uint32_t k)
{
	bool trunc = below(t, 12) == 0 && !t->done && !is_victim(t); /* not in the last look */
	struct data_file *f = &t->d->file[k];
	struct data_op op;
	struct attr a = {0};
	int rc;

	if (t->f[k])
		return true;
	t->append[k] = f->appends && below(t, 2) && !is_victim(t);
	t->rdonly[k] = t->pages && !trunc && !t->append[k] && below(t, 2);
	if (t->rdonly[k] && !look_up(t, k))
		return false;
	data_begin(&op, t, f);
	rc = pages_co_open(t->pages, t->ln, &f->fid,
			   (t->rdonly[k] ? O_RDONLY : O_RDWR) | (t->append[k] ? O_APPEND : 0) |
				   (trunc ? O_TRUNC : 0),
			   &t->f[k], &a);
	data_end(&op);
	trace("%u c%u open #%u%s%s%s: %d size %" PRIu64 " [%" PRIu64 ", %" PRIu64 "]", t->id,
	      t->client, k, t->append[k] ? " append" : "", trunc ? " trunc" : "",
	      t->rdonly[k] ? rc == 0 && pages_is_cached(t->f[k]) ? " cached" : " rdonly" : "", rc,
	      a.size, op.start, op.end);
	if (!ok(t, "open", rc))
		return false;
	if (trunc)
		data_did_truncate(&op, 0);
	else if (!t->pages)
		data_did_stat(&op, a.size);
	return true;
}

static void do_close(struct data_task *t, uint32_t k)
{
	int rc;

	if (!t->f[k])
		return;
	rc = pages_co_close(t->ln, t->f[k]);
	t->f[k] = NULL;
	trace("%u c%u close #%u: %d", t->id, t->client, k, rc);
	if (!ok(t, "close", rc))
		t->d->told[k] = t->d->now;
}

static void do_sync(struct data_task *t, uint32_t k)
{
	uint64_t now = t->d->now;
	int rc = pages_co_sync(t->ln, t->f[k], below(t, 2));

	trace("%u c%u fsync #%u: %d", t->id, t->client, k, rc);
	if (!ok(t, "fsync", rc))
		t->d->told[k] = t->d->now;
	else if (!t->d->cut_from)
		t->synced[k] = now;
}

static void do_read(struct data_task *t, uint32_t k, uint64_t off, uint64_t len)
{
	struct data_op op;
	ssize_t rc;

	memset(t->buf, 0, len);
	data_begin(&op, t, &t->d->file[k]);
	rc = pages_co_read(t->ln, t->f[k], t->buf, len, off);
	data_end(&op);
	trace("%u c%u read #%u %" PRIu64 "+%" PRIu64 ": %zd [%" PRIu64 ", %" PRIu64 "]", t->id,
	      t->client, number(&op), off, len, rc, op.start, op.end);
	if (!ok(t, "read", rc))
		return;
	memset(t->buf + rc, 0, len - (uint64_t)rc);
	data_did_read(&op, t->buf, off, len, (uint64_t)rc);
}

static void do_write(struct data_task *t, uint32_t k)
{
	struct data_file *f = &t->d->file[k];
	uint64_t off, len, first, was;
	struct data_op op;
	ssize_t rc;

	if (f->paging[t->client] && !t->d->how.strict)
		return; /* data.h */
	any_range(t, &off, &len);
	if (t->append[k] && len > APPEND_MAX)
		len = APPEND_MAX;
	was = off;
	first = t->d->values + 1;
	t->d->values += len / DATA_BLOCK;
	for (uint64_t i = 0; i < len / DATA_BLOCK; i++)
		data_fill(t->buf + i * DATA_BLOCK, first + i);
	data_begin(&op, t, f);
	f->writing[t->client]++;
	rc = pages_co_write(t->ln, t->f[k], t->buf, len, &off, t->append[k]);
	f->writing[t->client]--;
	data_end(&op);
	trace("%u c%u write #%u %" PRIu64 "+%" PRIu64 "%s: %zd, values from %" PRIu64 " [%" PRIu64
	      ", %" PRIu64 "]", t->id, t->client, k, off, len, t->append[k] ? " append" : "", rc,
	      first, op.start, op.end);
	if (rc < 0 && may_fail(t)) {
		do_close(t, k);
		rc = (ssize_t)len; /* or not: data_check.c */
	}
	if (!ok(t, "write", rc))
		return;
	if ((uint64_t)rc != len || (!t->append[k] && off != was) || off % DATA_BLOCK ||
	    off + len > BUF)
		sim_fail("data: task %u: write of %" PRIu64 "+%" PRIu64 " did %zd at %" PRIu64,
			 t->id, was, len, rc, off);
	else
		data_did_write(&op, off, len, first, t->append[k]);
	t->at[k] = off + len;
}

static void do_truncate(struct data_task *t, uint32_t k)
{
	struct data_file *f = &t->d->file[k];
	bool by_name = below(t, 3) == 0;
	struct data_op op;
	uint64_t size, len;
	int rc;

	any_range(t, &size, &len);
	if (!f->appends)
		size += 8 * below(t, DATA_WORDS);
	else if (below(t, 2))
		size = 0;
	data_begin(&op, t, f);
	rc = pages_co_truncate(t->pages, t->ln, &f->fid, by_name ? NULL : t->f[k], size);
	data_end(&op);
	trace("%u c%u truncate #%u %" PRIu64 ": %d [%" PRIu64 ", %" PRIu64 "]", t->id, t->client,
	      k, size, rc, op.start, op.end);
	if (ok(t, "truncate", rc))
		data_did_truncate(&op, size);
}

/* The size, and when it was asked for. */
static uint64_t do_stat(struct data_task *t, uint32_t k, uint64_t *asked)
{
	struct data_op op;
	struct attr a = {0};
	int rc;

	data_begin(&op, t, &t->d->file[k]);
	rc = pages_co_getattr(t->pages, t->ln, &t->d->file[k].fid, &a);
	data_end(&op);
	trace("%u c%u stat #%u: %d size %" PRIu64 " [%" PRIu64 ", %" PRIu64 "]", t->id, t->client,
	      k, rc, a.size, op.start, op.end);
	*asked = op.start;
	if (!ok(t, "stat", rc))
		return 0;
	data_did_stat(&op, a.size);
	return a.size;
}

static void do_punch(struct data_task *t, uint32_t k)
{
	struct data_file *f = &t->d->file[k];
	struct data_op op;
	uint64_t off, len;
	int rc;

	if (f->paging[t->client] && !t->d->how.strict)
		return; /* data.h */
	any_range(t, &off, &len);
	data_begin(&op, t, f);
	f->writing[t->client]++;
	rc = pages_co_punch(t->ln, t->f[k], off, len);
	f->writing[t->client]--;
	data_end(&op);
	trace("%u c%u punch #%u %" PRIu64 "+%" PRIu64 ": %d [%" PRIu64 ", %" PRIu64 "]", t->id,
	      t->client, k, off, len, rc, op.start, op.end);
	if (ok(t, "punch", rc))
		data_did_punch(&op, off, len);
}

/* ------------------------------------------------------------------ mappings */

static void do_load(struct data_task *t, uint32_t k, uint64_t off, uint64_t asked)
{
	struct data_op op;
	int rc;

	data_begin(&op, t, &t->d->file[k]);
	rc = pages_co_load(t->ln, t->f[k], t->buf, DATA_BLOCK, off);
	data_end(&op);
	trace("%u c%u load #%u %" PRIu64 ": %d [%" PRIu64 ", %" PRIu64 "]", t->id, t->client, k,
	      off, rc, op.start, op.end);
	if (rc == 0)
		data_did_load(&op, t->buf, off, asked);
}

static void do_store(struct data_task *t, uint32_t k, uint64_t off, uint64_t asked)
{
	uint64_t value = ++t->d->values;
	struct data_op op;
	int rc;

	data_fill(t->buf, value);
	data_begin(&op, t, &t->d->file[k]);
	rc = pages_co_store(t->ln, t->f[k], t->buf, DATA_BLOCK, off);
	data_end(&op);
	trace("%u c%u store #%u %" PRIu64 ": %d, value %" PRIu64 " [%" PRIu64 ", %" PRIu64 "]",
	      t->id, t->client, k, off, rc, value, op.start, op.end);
	if (rc == 0)
		data_did_store(&op, off, value, asked);
	if (rc == 0 && below(t, 3) == 0)
		pages_write_behind(t->ln, t->f[k], 1 + below(t, 5000000));
}

/* A few times, around one place. Nobody tells a mapping that the file was cut on another mount, so
 * the size is asked for first. */
static void do_touch(struct data_task *t, uint32_t k)
{
	struct data_file *f = &t->d->file[k];
	uint64_t off, len, size, asked, n = 1 + below(t, 3);

	if (f->writing[t->client] && !t->d->how.strict)
		return; /* data.h */
	f->paging[t->client]++;
	any_range(t, &off, &len);
	if (!pages_is_mapped(t->f[k]))
		pages_co_map(t->ln, t->f[k]);
	size = do_stat(t, k, &asked);
	while (n--) {
		uint64_t at = off + below(t, len / DATA_BLOCK) * DATA_BLOCK;

		if (at + DATA_BLOCK > size)
			continue;
		if (t->rdonly[k] || below(t, 2))
			do_load(t, k, at, asked);
		else
			do_store(t, k, at, asked);
	}
	f->paging[t->client]--;
}

/* ------------------------------------------------------------------ names */

static uint64_t id_of(const struct fid *f)
{
	return f->seq << 32 | f->oid;
}

static void name_did(const struct data_op *op, uint64_t n, const char *what, int rc, uint8_t kind,
		     uint64_t a)
{
	struct linear_op l = {.start = op->start, .end = op->end, .kind = kind, .a = a,
			      .who = op->t->id};

	trace("%u c%u %s '%s': %d %" PRIx64 " [%" PRIu64 ", %" PRIu64 "]", op->t->id,
	      op->t->client, what, names[n], rc, a, op->start, op->end);
	linear_add(&op->t->d->name[n], &l);
}

static void make_name(struct data_task *t, uint64_t n)
{
	struct data_op op;
	struct entry e;
	struct file *f;
	int rc;

	data_begin(&op, t, NULL);
	rc = fs_co_create(t->ln, &t->d->dir, SPAN_STR(names[n]), O_CREAT | O_EXCL | O_RDWR, 0600,
			  &cred, &e, &f);
	data_end(&op);
	if (rc == -EEXIST)
		name_did(&op, n, "create", rc, LINEAR_MIN, 1);
	else if (ok(t, "create", rc))
		name_did(&op, n, "create", rc, LINEAR_MAKE, id_of(&e.fid));
	if (rc == 0)
		fs_co_release(t->ln, f);
}

static void replace_name(struct data_task *t, uint64_t n)
{
	char tmp[32];
	struct data_op op;
	struct entry e;
	int rc;

	snprintf(tmp, sizeof(tmp), "tmp%u", t->id);
	if (!ok(t, "mknod", fs_co_make(t->ln, &t->d->dir, SPAN_STR(tmp), S_IFREG | 0600, 0,
				       SPAN_NONE, &cred, &e)))
		return;
	data_begin(&op, t, NULL);
	rc = fs_co_rename(t->ln, &t->d->dir, SPAN_STR(tmp), &t->d->dir, SPAN_STR(names[n]), 0);
	data_end(&op);
	if (ok(t, "rename", rc))
		name_did(&op, n, "rename over", rc, LINEAR_WRITE, id_of(&e.fid));
}

static int next_name(void *arg, const struct fs_dirent *d)
{
	*(uint64_t *)arg = d->cookie;
	return 0;
}

/* Then the client knows what is not there. */
static void list_names(struct data_task *t)
{
	uint64_t cookie = 0;
	bool eof = false;
	int rc = 0;

	while (!eof && ok(t, "readdir", rc))
		rc = fs_co_readdir_some(t->ln, &t->d->dir, cookie, t->id % 2, 200, next_name,
					&cookie, &eof);
}

static void do_name(struct data_task *t)
{
	uint64_t n = below(t, DATA_NAMES), what = below(t, 6);
	struct data_op op;
	struct entry e;
	int rc;

	if (what == 0) {
		make_name(t, n);
	} else if (what == 1) {
		replace_name(t, n);
	} else if (what == 2) {
		data_begin(&op, t, NULL);
		rc = fs_co_unlink(t->ln, &t->d->dir, SPAN_STR(names[n]), false);
		data_end(&op);
		if (rc == -ENOENT || ok(t, "unlink", rc))
			name_did(&op, n, "unlink", rc, rc ? LINEAR_READ : LINEAR_TAKE, 0);
	} else {
		data_begin(&op, t, NULL);
		rc = fs_co_lookup(t->ln, &t->d->dir, SPAN_STR(names[n]), &e);
		data_end(&op);
		if (rc == -ENOENT || ok(t, "lookup", rc))
			name_did(&op, n, "lookup", rc, LINEAR_READ, rc ? 0 : id_of(&e.fid));
		if (rc == -ENOENT)
			list_names(t);
	}
}

/* ------------------------------------------------------------------ tasks */

static void one(struct data_task *t)
{
	uint32_t k = (uint32_t)below(t, t->d->nfiles);
	uint64_t off, len;

	if (below(t, 12) == 0 && !is_victim(t)) {
		do_name(t);
		return;
	}
	if (!is_open(t, k))
		return;
	if (t->pages && below(t, 2)) {
		do_touch(t, k);
		return;
	}
	any_range(t, &off, &len);
	/* Its truncates would hide what they meet: they are not one step (forget_parts). */
	switch (is_victim(t) ? below(t, 15) + (below(t, 3) ? 0 : 8) : below(t, 24)) {
	case 0 ... 8: do_read(t, k, off, len); break;
	case 9 ... 14:
		if (t->rdonly[k])
			do_close(t, k);
		else if (t->append[k] && t->at[k] > (uint64_t)DATA_SPAN / 2 * 3 * DATA_BLOCK)
			do_truncate(t, k);
		else
			do_write(t, k);
		break;
	case 15 ... 16:
		if (t->rdonly[k])
			do_close(t, k);
		else
			do_truncate(t, k);
		break;
	case 17 ... 20: do_stat(t, k, &off); break;
	case 21:
		if (!t->rdonly[k])
			do_punch(t, k);
		break;
	case 22: do_sync(t, k); break;
	default: do_close(t, k); break;
	}
}

static void run(void *arg)
{
	struct data_task *t = arg;

	while (t->left-- && !sim_failed()) {
		one(t);
		if (below(t, 4) == 0)
			co_sleep(1 + below(t, 3000000));
	}
	for (uint32_t k = 0; k < t->d->nfiles; k++)
		do_close(t, k);
	t->done = true;
}

static void begin(void *arg)
{
	struct data_task *t = arg;

	if (fiber_spawn(lane_loop(t->ln), run, t))
		sim_fail("data: no memory for a fiber");
}

/* ------------------------------------------------------------------ before and after */

static int make_file(struct data_task *t, uint32_t k)
{
	struct data_file *f = &t->d->file[k];
	int32_t stripes = 1 + (int32_t)below(t, CLUSTER_OSTS);
	struct layout *l;
	struct file *file;
	struct wbuf w;
	struct entry e;
	char name[32];
	int rc;

	f->appends = below(t, 2);
	wbuf_init(&w, MAX_LAYOUT_BLOB);
	f->striped = stripes > 1;
	rc = layout_plain(65536, stripes, -1, "", NULL, &l);
	assert(rc == 0);
	rc = lov_enc(&w, l, &t->d->dir);
	assert(rc == 0);
	layout_free(l);
	rc = fs_co_setxattr(t->ln, &t->d->dir, "lustre.lov", wbuf_span(&w), 0, &cred);
	wbuf_fini(&w);
	snprintf(name, sizeof(name), "file%u", k);
	/* The layout is taken over when it is first opened for writing. */
	if (!rc)
		rc = fs_co_create(t->ln, &t->d->dir, SPAN_STR(name), O_CREAT | O_RDWR, 0644, &cred,
				  &e, &file);
	if (rc)
		return rc;
	f->fid = e.fid;
	fs_co_release(t->ln, file);
	return 0;
}

static int set_up(void *arg)
{
	struct data_task *t = arg;
	struct entry e;
	int rc = fs_co_make(t->ln, fs_root(lane_fs(t->ln)), SPAN_STR("data"), S_IFDIR | 0755, 0,
			    SPAN_NONE, &cred, &e);

	t->d->dir = e.fid;
	for (uint32_t k = 0; !rc && k < t->d->nfiles; k++)
		rc = make_file(t, k);
	return ok(t, "making the files", rc) ? 0 : rc;
}

static void task_init(struct data *d, uint32_t id, uint64_t seed, uint32_t steps)
{
	struct data_task *t = &d->task[id];
	struct cluster_client *c;

	*t = (struct data_task){.d = d, .id = id, .rng = seed + id * 7919, .left = steps};
	t->client = id % cluster_clients(d->cl);
	c = cluster_client(d->cl, t->client);
	t->ln = c->lane[below(t, c->nlanes)];
	t->pages = c->pages;
	t->buf = malloc(BUF);
	assert(t->buf);
	t->w = (struct loop_work){.fn = begin, .arg = t};
}

int data_start(struct cluster *cl, uint64_t seed, uint32_t steps, struct data_how how,
	       struct data **out)
{
	struct data *d = calloc(1, sizeof(*d));
	uint32_t clients = cluster_clients(cl);
	int rc;

	assert(d);
	*out = d;
	d->cl = cl;
	d->how = how;
	d->victim = how.cut ? clients - 1 : UINT32_MAX;
	d->nfiles = 1 + (uint32_t)(seed % DATA_FILES);
	d->ntasks = clients + (uint32_t)(seed / 16 % (DATA_TASKS - clients + 1));
	for (uint32_t i = 0; i < d->ntasks; i++)
		task_init(d, i, seed, steps / d->ntasks);
	rc = cluster_call(lane_loop(d->task[0].ln), set_up, &d->task[0]);
	for (uint32_t i = 0; !rc && i < d->ntasks; i++)
		loop_post(lane_loop(d->task[i].ln), &d->task[i].w);
	return rc;
}

void data_cut(struct data *d, bool cut)
{
	if (cut)
		d->cut_from = ++d->now;
	else
		d->cut_to = ++d->now;
	trace("client %u is %s", d->victim, cut ? "cut off" : "back");
}

bool data_others_done(const struct data *d)
{
	for (uint32_t i = 0; i < d->ntasks; i++)
		if (!d->task[i].done && !is_victim(&d->task[i]))
			return false;
	return true;
}

bool data_done(const struct data *d)
{
	for (uint32_t i = 0; i < d->ntasks; i++)
		if (!d->task[i].done || !pages_idle(d->task[i].pages))
			return false;
	return true;
}

void data_stuck(const struct data *d)
{
	for (uint32_t i = 0; i < cluster_clients(d->cl) && d->how.maps; i++) {
		trace("client %u:", i);
		pages_trace(d->task[i].pages);
	}
}

/* One task of each client looks at everything. */
static int look(void *arg)
{
	struct data_task *t = arg;
	uint64_t asked;

	for (uint32_t k = 0; k < t->d->nfiles && is_open(t, k); k++) {
		do_stat(t, k, &asked);
		do_read(t, k, 0, BUF);
		do_close(t, k);
	}
	return 0;
}

void data_check(struct data *d)
{
	for (uint32_t i = 0; i < cluster_clients(d->cl) && !sim_failed(); i++)
		if (cluster_call(lane_loop(d->task[i].ln), look, &d->task[i]))
			sim_fail("data: the last look does not end");
	if (!sim_failed())
		data_verdict(d);
}

void data_free(struct data *d)
{
	if (!d)
		return;
	for (uint32_t i = 0; i < d->ntasks; i++)
		free(d->task[i].buf);
	for (uint32_t k = 0; k < d->nfiles; k++) {
		linear_free(&d->file[k].size);
		for (uint32_t b = 0; b < DATA_BLOCKS; b++)
			linear_free(&d->file[k].block[b]);
		free(d->file[k].wide);
	}
	for (uint32_t i = 0; i < DATA_NAMES; i++)
		linear_free(&d->name[i]);
	free(d);
}
