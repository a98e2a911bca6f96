/* SPDX-License-Identifier: Apache-2.0 */
/* play_file.c - a player's operations on open files; see play.h. */
#include "tests/sim/play.h"
#include "common/fiber.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL 40000U
#define UNIT 65536U /* smallest stripe */

static int any_flags(struct play *p)
{
	static const int modes[] = {O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY};
	int flags = modes[play_below(p, 5)];

	if (flags != O_RDONLY && play_one_in(p, 6))
		flags |= O_TRUNC;
	if (flags != O_RDONLY && play_one_in(p, 5))
		flags |= O_APPEND;
	return flags;
}

static void opened(struct play *p, struct handle *h, struct model_node *n, struct file *f,
		   int flags)
{
	*h = (struct handle){.f = f, .n = n, .client = p->client, .flags = flags};
}

static void truncated_by_open(struct play *p, struct model_node *n)
{
	const struct attr zero = {0};
	int rc = model_setattr(p->m, n, SETATTR_SIZE, &zero);

	assert(rc == 0);
}

/* As the kernel does before it opens: by one of its names. */
static void look_up(struct play *p, struct model_node *n)
{
	struct model_node *dir;
	struct model_dent *d = NULL;
	struct entry e;
	uint32_t i;

	for (i = 0; i < model_count(p->m) && !d; i++) {
		dir = model_pick(p->m, i);
		if (!S_ISDIR(dir->a.mode))
			continue;
		TAILQ_FOREACH(d, &dir->dents, link)
			if (d->node == n)
				break;
	}
	if (d && play_same(p, "lookup", fs_co_lookup(p->ln, &dir->fid, SPAN_STR(d->name), &e), 0))
		play_check_entry(p, n, &e);
}

void play_open(struct play *p)
{
	struct model_node *n = play_any_of(p, S_IFREG);
	struct handle *h = play_handle_free(p);
	int flags = any_flags(p), rc;
	struct file *f;
	struct attr a;

	if (!n || !h)
		return;
	if (flags == O_RDONLY)
		look_up(p, n);
	play_call(p);
	rc = fs_co_open(p->ln, &n->fid, flags, &f, &a);
	play_called(p);
	trace("p%u c%u open #%u flags %o: %d", p->index, p->client, n->id, flags, rc);
	if (!play_same(p, "open", rc, 0))
		return;
	model_open(n);
	opened(p, h, n, f, flags);
	if (flags & O_TRUNC)
		truncated_by_open(p, n);
	play_check_attr(p, n, &a);
}

void play_create(struct play *p)
{
	struct model_node *dir = play_any_dir(p), *n;
	struct handle *h = play_handle_free(p);
	struct cred cred = play_cred(p);
	struct model_new w = play_new(p, S_IFREG, &cred);
	int flags = any_flags(p) | O_CREAT, rc, want;
	char name[PLAY_NAME];
	struct file *f;
	struct entry e;

	if (!h)
		return;
	if (play_one_in(p, 3))
		flags |= O_EXCL;
	play_name(p, dir, name);
	want = model_lookup(dir, name, &n);
	if (want == 0 && !S_ISREG(n->a.mode))
		flags |= O_EXCL; /* the kernel does not ask otherwise */
	if (want == 0)
		cred.uid = 0; /* who may open what was there is checked */
	play_call(p);
	rc = fs_co_create(p->ln, &dir->fid, SPAN_STR(name), flags, w.mode, &cred, &e, &f);
	play_called(p);
	trace("p%u c%u create #%u/%s flags %o: %d (%s)", p->index, p->client, dir->id,
	      play_short(name), flags, rc, want ? "new" : "there");
	if (want == 0)
		want = flags & O_EXCL ? -EEXIST : 0;
	else
		want = model_make(p->m, dir, name, &w, &n);
	if (!play_same(p, "create", rc, want))
		return;
	model_open(n);
	opened(p, h, n, f, flags);
	if (flags & O_TRUNC && !fid_is_zero(&n->fid))
		truncated_by_open(p, n);
	play_check_entry(p, n, &e);
}

void play_tmpfile(struct play *p)
{
	struct model_node *dir = play_any_dir(p), *n;
	struct handle *h = play_handle_free(p);
	struct cred cred = play_cred(p);
	struct model_new w = play_new(p, S_IFREG, &cred);
	struct file *f;
	struct entry e;
	int rc;

	if (!h)
		return;
	play_call(p);
	rc = fs_co_tmpfile(p->ln, &dir->fid, O_RDWR | O_TMPFILE, w.mode, &cred, &e, &f);
	play_called(p);
	trace("p%u c%u tmpfile in #%u: %d", p->index, p->client, dir->id, rc);
	if (!play_same(p, "tmpfile", rc, model_tmpfile(p->m, dir, &w, &n)))
		return;
	opened(p, h, n, f, O_RDWR);
	play_check_entry(p, n, &e);
}

static bool last_of_client(const struct play *p, const struct handle *h)
{
	for (int i = 0; i < PLAY_HANDLES; i++)
		if (&p->handle[i] != h && p->handle[i].f && p->handle[i].n == h->n &&
		    p->handle[i].client == h->client)
			return false;
	return true;
}

/* Locks of a client go with its last close of the file, as the kernel would ask for. */
static void drop_locks(struct play *p, struct handle *h)
{
	for (uint32_t o = h->client; o < MODEL_LOCK_OWNERS; o += CLUSTER_CLIENTS) {
		struct fs_lock lk = {.space = LOCK_FLOCK, .type = F_UNLCK, .end = UINT64_MAX};

		lk.owner = 1 + p->index * 100 + o;
		if (model_getlk(h->n, 0, MODEL_LOCK_OWNERS, F_WRLCK, 0, MODEL_LOCK_CELLS - 1) >= 0)
			play_same(p, "flush", fs_co_flush(p->ln, &h->n->fid, lk.owner), 0);
		if (model_getlk(h->n, 1, MODEL_LOCK_OWNERS, F_WRLCK, 0, MODEL_LOCK_CELLS - 1) >= 0)
			play_same(p, "unlock",
				  fs_co_setlk(p->ln, &h->n->fid, &lk, false, NULL), 0);
		model_unlock_all(h->n, 0, o);
		model_unlock_all(h->n, 1, o);
	}
}

struct release {
	struct play *p;
	struct lane *ln;
	struct file *f;
};

static void release_run(void *arg)
{
	struct release r = *(struct release *)arg;

	free(arg);
	fs_co_release(r.ln, r.f);
	r.p->releases--;
}

/* As the kernel does it: nobody waits for the last close. */
static void release_later(struct play *p, struct file *f)
{
	struct release *r = malloc(sizeof(*r));

	assert(r);
	*r = (struct release){p, p->ln, f};
	p->releases++;
	if (fiber_spawn(lane_loop(p->ln), release_run, r))
		release_run(r);
}

void play_close(struct play *p, struct handle *h)
{
	struct model_node *n = h->n;

	trace("p%u c%u close #%u", p->index, p->client, n->id);
	if (last_of_client(p, h))
		drop_locks(p, h);
	if (h->did_read) /* the close tells the MDS of the access */
		n->atime_known = false;
	if (play_one_in(p, 2))
		fs_co_release(p->ln, h->f);
	else
		release_later(p, h->f);
	h->f = NULL;
	model_pin(n);
	model_close(p->m, n);
	/* The last close of an unlinked file takes effect a little later. */
	model_unpin(p->m, n);
}

void play_release(struct play *p)
{
	play_close(p, p->h);
}

static uint64_t any_offset(struct play *p)
{
	switch (play_below(p, 10)) {
	case 0 ... 4:
		return play_below(p, SMALL);
	case 5 ... 7: /* around the end of a stripe */
		return UNIT * (1 + play_below(p, 9)) - play_below(p, 5000);
	case 8:
		return play_below(p, 2U << 20);
	default:
		return play_below(p, 1ULL << (20 + play_below(p, 23)));
	}
}

static uint64_t any_length(struct play *p)
{
	switch (play_below(p, 40)) {
	case 0:
		return play_below(p, PLAY_IO_MAX / 16);
	case 1 ... 8:
		return 1 + play_below(p, 3 * UNIT);
	case 9:
		return 4096 * (1 + play_below(p, 40));
	default:
		return 1 + play_below(p, SMALL);
	}
}

static bool can(const struct handle *h, int how)
{
	int mode = h->flags & O_ACCMODE;

	return mode == O_RDWR || mode == how;
}

static void check_bytes(struct play *p, struct model_node *n, uint64_t off, int64_t len)
{
	for (int64_t i = 0; i < len; i++) {
		if (p->buf[i] == p->want[i])
			continue;
		sim_fail("player %u, operation %u, client %u: #%u at %llu (%lld of read %lld at "
			 "%llu) is %02x, the model says %02x",
			 p->index, p->op, p->client, n->id, (unsigned long long)off + (uint64_t)i,
			 (long long)i, (long long)len, (unsigned long long)off, p->buf[i],
			 p->want[i]);
		return;
	}
}

static void read_at(struct play *p, struct handle *h, uint64_t off, uint64_t len)
{
	int64_t rc, want = model_read(h->n, p->want, len, off);

	memset(p->buf, 0x5a, len);
	rc = fs_co_read(p->ln, h->f, p->buf, len, off);
	trace("p%u c%u read #%u %llu+%llu: %lld", p->index, p->client, h->n->id,
	      (unsigned long long)off, (unsigned long long)len, (long long)rc);
	h->n->atime_known = false;
	h->did_read = true;
	if (play_same(p, "read", rc, want))
		check_bytes(p, h->n, off, rc);
}

void play_read(struct play *p)
{
	uint64_t off = any_offset(p);

	if (!can(p->h, O_RDONLY))
		return;
	if (play_one_in(p, 4) && p->h->n->a.size > 100)
		off = p->h->n->a.size - play_below(p, 100);
	read_at(p, p->h, off, any_length(p));
}

/* Around every page that has data: the rest of a sparse file would take for ever. */
void play_read_all(struct play *p, struct model_node *n)
{
	struct handle h = {.n = n, .client = p->client};
	uint64_t k, next = 0;
	struct attr a;

	if (!play_same(p, "open at the end", fs_co_open(p->ln, &n->fid, O_RDONLY, &h.f, &a), 0))
		return;
	for (k = 0; k < n->npages && !sim_failed(); k++) {
		uint64_t at = n->page[k].index * 4096;

		if (at < next)
			continue;
		at = at > 5000 ? at - 5000 : 0;
		read_at(p, &h, at, 60000);
		next = at + 60000;
	}
	release_later(p, h.f);
}

/* A client knows of set-id bits what it saw last: another one's chmod escapes it (docs/posix.md).
 */
static bool learn_mode(struct play *p, struct model_node *n)
{
	struct attr w = {.mode = n->a.mode}, a;
	int rc;

	play_call(p);
	rc = fs_co_setattr(p->ln, &n->fid, p->h->f, SETATTR_MODE, &w, &a);
	play_called(p);
	return play_same(p, "chmod", rc, model_setattr(p->m, n, SETATTR_MODE, &w));
}

void play_write(struct play *p)
{
	bool append = p->h->flags & O_APPEND, kill = play_one_in(p, 6);
	uint64_t off = any_offset(p), len = any_length(p), at;
	struct model_node *n = p->h->n;
	int64_t rc;

	if (!can(p->h, O_WRONLY))
		return;
	if (append && n->a.size > (1ULL << 43))
		return; /* behind the end of an object's largest file */
	play_fill(p, p->buf, len);
	at = off;
	if (kill && n->a.mode & (S_ISUID | S_ISGID) && !learn_mode(p, n))
		return;
	play_call(p);
	rc = fs_co_write(p->ln, p->h->f, p->buf, len, &at, append, kill);
	play_called(p);
	trace("p%u c%u write #%u %llu+%llu%s%s: %lld", p->index, p->client, n->id,
	      (unsigned long long)off, (unsigned long long)len, append ? " append" : "",
	      kill ? " kill" : "", (long long)rc);
	if (append)
		off = n->a.size;
	if (!play_same(p, "write", rc, (int64_t)len))
		return;
	if (append && at != off)
		sim_fail("player %u, operation %u: append at %llu, the model says %llu", p->index,
			 p->op, (unsigned long long)at, (unsigned long long)off);
	model_write(p->m, n, p->buf, len, off);
	if (kill) {
		n->a.mode &= ~(uint32_t)S_ISUID;
		if (n->a.mode & S_IXGRP)
			n->a.mode &= ~(uint32_t)S_ISGID;
	}
}

void play_truncate(struct play *p)
{
	struct model_node *n = p->h->n;
	struct attr w = {.size = any_offset(p)}, a;
	int rc;

	if (!can(p->h, O_WRONLY))
		return;
	if (play_one_in(p, 3))
		w.size = play_below(p, n->a.size + 1);
	play_call(p);
	rc = fs_co_setattr(p->ln, &n->fid, p->h->f, SETATTR_SIZE, &w, &a);
	play_called(p);
	trace("p%u c%u truncate #%u %llu: %d", p->index, p->client, n->id,
	      (unsigned long long)w.size, rc);
	if (play_same(p, "truncate", rc, model_setattr(p->m, n, SETATTR_SIZE, &w)))
		play_check_attr(p, n, &a);
}

void play_fallocate(struct play *p)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
	int mode = modes[play_below(p, 5)], rc;
	uint64_t off = play_below(p, 2U << 20), len = any_length(p);
	struct model_node *n = p->h->n;

	if (!can(p->h, O_WRONLY))
		return;
	if (play_one_in(p, 2))
		off = play_below(p, SMALL);
	play_call(p);
	rc = fs_co_fallocate(p->ln, p->h->f, mode, off, len);
	play_called(p);
	trace("p%u c%u fallocate #%u mode %x %llu+%llu: %d", p->index, p->client, n->id, mode,
	      (unsigned long long)off, (unsigned long long)len, rc);
	play_same(p, "fallocate", rc, model_fallocate(p->m, n, mode, off, len));
}

static bool only_zeros(struct play *p, struct model_node *n, uint64_t off, uint64_t len)
{
	int64_t got = model_read(n, p->want, len, off);

	for (int64_t i = 0; i < got; i++)
		if (p->want[i])
			return false;
	return true;
}

void play_lseek(struct play *p)
{
	int whence = play_one_in(p, 2) ? SEEK_DATA : SEEK_HOLE;
	uint64_t off = any_offset(p);
	struct model_node *n = p->h->n;
	int64_t rc, want;

	if (play_one_in(p, 2) && n->a.size)
		off = play_below(p, n->a.size);
	rc = fs_co_lseek(p->ln, p->h->f, off, whence);
	trace("p%u c%u lseek #%u %llu %s: %lld", p->index, p->client, n->id,
	      (unsigned long long)off, whence == SEEK_DATA ? "data" : "hole", (long long)rc);
	want = model_seek(n, off, whence);
	/* Behind the end of an object is a hole, in the middle of a page too. */
	if (whence == SEEK_HOLE && rc >= (int64_t)off && rc < want && want - rc < 4096 &&
	    only_zeros(p, n, (uint64_t)rc, (uint64_t)(want - rc)))
		return;
	if (whence == SEEK_DATA && rc != want && want >= 0 &&
	    only_zeros(p, n, (uint64_t)want, 4096 - (uint64_t)want % 4096))
		want = model_seek(n, ((uint64_t)want / 4096 + 1) * 4096, whence);
	play_same(p, "lseek", rc, want);
}

void play_fsync(struct play *p)
{
	int rc = fs_co_fsync(p->ln, p->h->f, play_one_in(p, 2));

	trace("p%u c%u fsync #%u: %d", p->index, p->client, p->h->n->id, rc);
	play_same(p, "fsync", rc, 0);
}

void play_copy_range(struct play *p)
{
	uint64_t from = play_below(p, SMALL), to = play_below(p, SMALL), len = any_length(p);
	struct handle *in = p->h, *out = NULL;
	int64_t rc, want;

	for (int i = 0; i < PLAY_HANDLES; i++)
		if (p->handle[i].f && p->handle[i].client == p->client &&
		    p->handle[i].n != in->n && can(&p->handle[i], O_WRONLY) &&
		    !(p->handle[i].flags & O_APPEND))
			out = &p->handle[i];
	if (!can(in, O_RDONLY) || !out)
		return;
	want = model_read(in->n, p->want, len, from);
	play_call(p);
	rc = fs_co_copy_range(p->ln, in->f, from, out->f, to, len);
	play_called(p);
	trace("p%u c%u copy #%u %llu to #%u %llu+%llu: %lld", p->index, p->client, in->n->id,
	      (unsigned long long)from, out->n->id, (unsigned long long)to,
	      (unsigned long long)len, (long long)rc);
	in->n->atime_known = false;
	in->did_read = true;
	if (rc < 0 || rc > want || (want && !rc)) {
		play_same(p, "copy_file_range", rc, want);
		return;
	}
	if (rc)
		model_write(p->m, out->n, p->want, (uint64_t)rc, to);
}
