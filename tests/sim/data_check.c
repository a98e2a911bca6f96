/* SPDX-License-Identifier: Apache-2.0 */
/* data_check.c - takes operations down as the histories of blocks and sizes, and checks them.
 *
 * The value of a block is "value << 8 | words that are left of it", 0 is a hole. What is behind the
 * end of the file is a hole too: a read that ends early has seen zeros there.
 */
#include "tests/sim/data_int.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/trace.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void note_failures(const struct data_task *t)
{
	uint64_t n = pages_failures(t->pages);

	if (t->client != t->d->victim || n == t->d->failures)
		return;
	t->d->failures = n;
	t->d->failed_at = t->d->now;
}

void data_begin(struct data_op *op, struct data_task *t, struct data_file *f)
{
	note_failures(t);
	*op = (struct data_op){.t = t, .f = f, .start = ++t->d->now};
	op->connects = sim_net()->connects + sim_net()->dropped;
}

void data_end(struct data_op *op)
{
	op->end = ++op->t->d->now;
	op->again = (op->t->d->how.faults || op->t->client == op->t->d->victim) &&
		    op->connects != sim_net()->connects + sim_net()->dropped;
}

static void take_down(const struct data_op *op, struct linear_history *h, uint8_t kind, uint64_t a,
		      uint64_t b)
{
	struct linear_op l = {.start = op->start,
			      .end = op->end,
			      .kind = kind,
			      .a = a,
			      .b = b,
			      .who = op->t->id};

	linear_add(h, &l);
	if (!op->again || op->t->d->how.strict || kind == LINEAR_READ || kind == LINEAR_MIN ||
	    kind == LINEAR_MAX)
		return;
	if (kind == LINEAR_APPEND) {
		l.kind = LINEAR_RAISE;
		l.a += b;
	}
	l.maybe = true;
	linear_add(h, &l);
}

void data_fill(uint8_t *block, uint64_t value)
{
	for (uint64_t j = 0; j < DATA_WORDS; j++) {
		uint64_t word = value << 8 | (j + 1);

		memcpy(block + j * 8, &word, 8);
	}
}

/* What a block says it is; UINT64_MAX: a mixture. */
static uint64_t content(const uint8_t *block)
{
	uint64_t word[DATA_WORDS], n = 0, value;

	memcpy(word, block, DATA_BLOCK);
	value = word[0] >> 8;
	while (n < DATA_WORDS && word[n] == (value << 8 | (n + 1)))
		n++;
	for (uint64_t k = n; k < DATA_WORDS; k++)
		if (word[k])
			return UINT64_MAX;
	return n ? value << 8 | n : 0;
}

void data_did_read(const struct data_op *op, const uint8_t *buf, uint64_t off, uint64_t len,
		   uint64_t got)
{
	struct data_file *f = op->f;

	for (uint64_t at = 0; at < len; at += DATA_BLOCK) {
		uint64_t b = (off + at) / DATA_BLOCK, v = content(buf + at);

		if (v == UINT64_MAX)
			sim_fail("file %u block %" PRIu64 ": task %u reads a mixture of two values",
				 (uint32_t)(f - op->t->d->file), b, op->t->id);
		/* The end that was found and what is before it may be of two moments. */
		if (at < got && got < at + DATA_BLOCK && !op->t->d->how.strict)
			continue;
		take_down(op, &f->block[b], LINEAR_READ, v, 0);
	}
	if (got < len)
		take_down(op, &f->size, LINEAR_MAX, off + got, 0);
	if (got)
		take_down(op, &f->size, LINEAR_MIN, off + got, 0);
}

void data_did_load(const struct data_op *op, const uint8_t *buf, uint64_t off, uint64_t asked)
{
	uint64_t v = content(buf);

	if (v == UINT64_MAX)
		sim_fail("file %u block %" PRIu64 ": task %u loads a mixture of two values",
			 (uint32_t)(op->f - op->t->d->file), off / DATA_BLOCK, op->t->id);
	take_down(op, &op->f->block[off / DATA_BLOCK], LINEAR_READ, v, asked);
}

void data_did_store(const struct data_op *op, uint64_t off, uint64_t value, uint64_t asked)
{
	take_down(op, &op->f->block[off / DATA_BLOCK], LINEAR_WRITE, value << 8 | DATA_WORDS,
		  asked);
}

static void add_wide(const struct data_op *op, const struct data_wide *w)
{
	struct data_file *f = op->f;

	f->wide = realloc(f->wide, (f->nwide + 1) * sizeof(*f->wide));
	assert(f->wide);
	f->wide[f->nwide] = *w;
	f->wide[f->nwide].start = op->start;
	f->wide[f->nwide++].end = op->end;
}

void data_did_write(const struct data_op *op, uint64_t off, uint64_t len, uint64_t first,
		    bool append)
{
	struct data_wide w = {.from = off, .to = off + len, .first = first};
	uint64_t stripe = DATA_STRIPE * DATA_BLOCK;

	for (uint64_t at = 0; at < len; at += DATA_BLOCK)
		take_down(op, &op->f->block[(off + at) / DATA_BLOCK], LINEAR_WRITE,
			  (first + at / DATA_BLOCK) << 8 | DATA_WORDS, 0);
	if (append)
		take_down(op, &op->f->size, LINEAR_APPEND, off, len);
	else
		take_down(op, &op->f->size, LINEAR_RAISE, off + len, 0);
	w.append = append;
	w.last = first + len / DATA_BLOCK - 1;
	if (append || off / stripe != (off + len - 1) / stripe)
		add_wide(op, &w);
}

void data_did_truncate(const struct data_op *op, uint64_t size)
{
	struct data_wide w = {.truncate = true};
	uint64_t b = size / DATA_BLOCK;

	for (uint64_t k = b; k < DATA_BLOCKS; k++)
		take_down(op, &op->f->block[k], LINEAR_CUT,
			  k == b ? size % DATA_BLOCK / 8 : 0, 0);
	take_down(op, &op->f->size, LINEAR_WRITE, size, 0);
	add_wide(op, &w);
}

void data_did_punch(const struct data_op *op, uint64_t off, uint64_t len)
{
	for (uint64_t at = off; at < off + len; at += DATA_BLOCK)
		take_down(op, &op->f->block[at / DATA_BLOCK], LINEAR_CUT, 0, 0);
}

void data_did_stat(const struct data_op *op, uint64_t size)
{
	take_down(op, &op->f->size, LINEAR_READ, size, 0);
}

/* ------------------------------------------------------------------ the verdict */

/* What a client saw that was cut off may have been its own, and lost. What it wrote and had not
 * synced is there, or is not, but it did not come after the client was back. Its pages are
 * forgotten after that: a fault that the kernel waits for meanwhile has to be answered, and what is
 * stored into that page is refused as the rest is. fsync tells. */
static void soften(const struct data *d, struct linear_history *h, uint32_t file)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n && d->cut_from; i++) {
		struct linear_op op = h->op[i];
		const struct data_task *t = &d->task[op.who];
		bool sees = op.kind == LINEAR_READ || op.kind == LINEAR_MIN ||
			    op.kind == LINEAR_MAX;

		if (t->client == d->victim && op.start < d->cut_to) {
			if (sees)
				continue;
			op.maybe = op.maybe || op.end > t->synced[file];
			if (op.maybe && op.end < d->cut_to)
				op.end = d->cut_to;
		} else if (t->client == d->victim && op.end <= d->failed_at &&
			   op.end <= d->told[file]) {
			if (sees)
				continue;
			op.maybe = true;
		}
		h->op[n++] = op;
	}
	if (d->cut_from)
		h->n = n;
}

static bool meets_truncate(const struct data_file *f, uint64_t start, uint64_t end)
{
	for (uint32_t k = 0; k < f->nwide; k++)
		if (f->wide[k].truncate && f->wide[k].start < end && start < f->wide[k].end &&
		    f->wide[k].start != start)
			return true;
	return false;
}

/* Does the operation see a size that lies in a wide write of the same time? Appends are not seen
 * by appends. Truncates: while objects are cut one by one, the largest of what is left of them can
 * be anything; and an append that has chosen its place goes there, or does so again elsewhere. */
static bool sees_part(const struct data_file *f, const struct linear_op *op)
{
	bool append = op->kind == LINEAR_APPEND;

	for (uint32_t k = 0; k < f->nwide; k++) {
		const struct data_wide *w = &f->wide[k];

		if (w->start > op->end || op->start > w->end)
			continue;
		if (w->truncate ? f->striped || append
				: w->from < op->a && op->a < w->to && !(w->append && append))
			return true;
		if (w->append && w->start != op->start && meets_truncate(f, w->start, w->end))
			return true;
	}
	return false;
}

/* A write of the same time that makes the file longer? Whoever appends meanwhile has chosen
 * his place already; whoever reads may see its data before anybody sees the size. */
static bool meets_raise(const struct linear_history *h, const struct linear_op *op)
{
	for (uint32_t i = 0; i < h->n; i++) {
		const struct linear_op *w = &h->op[i];
		uint64_t to = w->kind == LINEAR_APPEND ? w->a + w->b : w->a;
		bool raises = w->kind == LINEAR_RAISE ||
			      (w->kind == LINEAR_APPEND && op->kind != LINEAR_APPEND);

		if (raises && w->start < op->end && op->start < w->end && to >= op->a)
			return true;
	}
	return false;
}

/* What is seen of half a write says nothing, and who appends to that writes into its middle. */
static void forget_parts(struct data_file *f)
{
	struct linear_history *h = &f->size, left = {0};

	for (uint32_t i = 0; i < h->n; i++) {
		struct linear_op op = h->op[i];
		bool append = op.kind == LINEAR_APPEND;
		bool sees = op.kind == LINEAR_READ || op.kind == LINEAR_MIN ||
			    op.kind == LINEAR_MAX;
		bool part = (sees || append) && sees_part(f, &op);

		if (append || op.kind == LINEAR_MIN)
			part = part || meets_raise(h, &op);
		if (part && append) {
			op.kind = LINEAR_RAISE;
			op.a += op.b;
		}
		if (!part || !sees)
			linear_add(&left, &op);
	}
	linear_free(h);
	*h = left;
}

/* A write that meets a truncate is sent again, with all its parts: perhaps it was done twice. */
static void add_repeats(const struct data_file *f, struct linear_history *h)
{
	uint32_t n = h->n;

	for (uint32_t i = 0; i < n; i++) {
		struct linear_op op = h->op[i];

		if (op.maybe || (op.kind != LINEAR_WRITE && op.kind != LINEAR_RAISE &&
				 op.kind != LINEAR_APPEND))
			continue;
		if (op.kind == LINEAR_APPEND) {
			op.kind = LINEAR_RAISE;
			op.a += op.b;
		}
		op.maybe = true;
		if (i + 1 < n && h->op[i + 1].maybe && h->op[i + 1].start == op.start)
			continue; /* has one */
		if (meets_truncate(f, op.start, op.end))
			linear_add(h, &op);
	}
}

static bool is_behind(const struct data_file *f, const struct linear_op *op)
{
	return op->b && (op->kind == LINEAR_READ || op->kind == LINEAR_WRITE) &&
	       meets_truncate(f, op->b, op->end);
}

/* It is of a store that was done behind the end, perhaps in part. */
static bool sees_behind(const struct data_file *f, const struct linear_history *h, uint64_t value)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (h->op[i].kind == LINEAR_WRITE && h->op[i].a >> 8 == value >> 8 &&
		    is_behind(f, &h->op[i]))
			return true;
	return false;
}

/* Whoever loads or stores while another mount cuts the file off, after he asked for its size, may
 * do that behind the end: then nobody else sees it, or only what is before the end. */
static void forget_behind(const struct data_file *f, struct linear_history *h)
{
	struct linear_history left = {0};

	for (uint32_t i = 0; i < h->n; i++) {
		struct linear_op op = h->op[i];
		bool behind = is_behind(f, &op);

		if (op.kind == LINEAR_READ && (behind || sees_behind(f, h, op.a)))
			continue;
		op.maybe = op.maybe || behind;
		linear_add(&left, &op);
	}
	linear_free(h);
	*h = left;
}

/* An append that meets a truncate goes to the new end, and what it had written at the old one may
 * be left there. */
static void forget_left(const struct data_file *f, struct linear_history *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n; i++) {
		const struct linear_op *op = &h->op[i];
		bool left = false;

		for (uint32_t k = 0; k < f->nwide && op->kind == LINEAR_READ && !left; k++) {
			const struct data_wide *w = &f->wide[k];

			left = w->append && w->first <= op->a >> 8 && op->a >> 8 <= w->last &&
			       meets_truncate(f, w->start, w->end);
		}
		if (!left)
			h->op[n++] = *op;
	}
	h->n = n;
}

static int by_start(const void *a, const void *b)
{
	const struct linear_op *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* What was seen, who wrote that, and what happened around it. */
static void show(struct linear_history *h, uint32_t culprit)
{
	enum { BEFORE = 20, AROUND = 40 };
	struct linear_op c = h->op[culprit];
	uint32_t first = 0, shown = 0;
	char text[128];

	qsort(h->op, h->n, sizeof(*h->op), by_start);
	for (uint32_t i = 0; i < h->n; i++) {
		if (h->op[i].start == c.start)
			first = i > BEFORE ? i - BEFORE : 0;
		if (h->op[i].a == c.a && h->op[i].kind == LINEAR_WRITE) {
			linear_text(&h->op[i], text, sizeof(text));
			trace("its value comes from:    %s", text);
		}
	}
	for (uint32_t i = first; i < h->n && shown < AROUND; i++) {
		if (h->op[i].start > c.end)
			break;
		linear_text(&h->op[i], text, sizeof(text));
		trace("%s %s", h->op[i].start == c.start ? "this has no place:      "
							 : "                        ", text);
		shown++;
	}
}

static void verdict(const struct data *d, struct linear_history *h, const char *what, uint32_t k,
		    int64_t block)
{
	uint32_t culprit = 0;
	enum linear_verdict v = linear_check(h, &culprit);
	char of[32] = "";

	/* With faults there are may-bes, and one in a hundred runs has too many; what a client that
	 * is cut off had not synced is one, too. */
	if (v == LINEAR_GOOD || sim_failed() ||
	    (v == LINEAR_UNKNOWN && (d->how.faults || d->how.cut)))
		return;
	if (block >= 0)
		snprintf(of, sizeof(of), ", block %" PRId64, block);
	if (v == LINEAR_BAD)
		show(h, culprit);
	sim_fail("%s %u%s: the history of %u operations %s", what, k, of, h->n,
		 v == LINEAR_BAD ? "is not linearizable" : "is too hard to check");
}

void data_verdict(struct data *d)
{
	for (uint32_t i = 0; i < d->nfiles; i++) {
		struct data_file *f = &d->file[i];

		soften(d, &f->size, i);
		if (!d->how.strict) {
			add_repeats(f, &f->size);
			forget_parts(f);
		}
		verdict(d, &f->size, "size of file", i, -1);
		for (uint32_t b = 0; b < DATA_BLOCKS; b++) {
			soften(d, &f->block[b], i);
			if (!d->how.strict) {
				forget_behind(f, &f->block[b]);
				forget_left(f, &f->block[b]);
				add_repeats(f, &f->block[b]);
			}
			verdict(d, &f->block[b], "file", i, b);
		}
	}
	for (uint32_t i = 0; i < DATA_NAMES; i++)
		verdict(d, &d->name[i], "name", i, -1);
}
