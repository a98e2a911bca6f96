/* SPDX-License-Identifier: Apache-2.0 */
/* history.c - the simulator's checker (tests/sim/linear.h) for histories that were recorded
 * elsewhere.
 *
 * usage: history FILE
 *
 * A line "object NAME FIRST" begins an object with its first value; each line after it is an
 * operation on it: "KIND START END A B WHO", with KIND one of read, write, min, append, make, take.
 * Says of each history that is not linearizable which operation has no place, and what went on
 * at that time. Exit status: 0 all are linearizable, 1 not, 2 the file cannot be read.
 */
#include "tests/sim/linear.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_LEN = 63, AROUND = 8, SHOWN_MAX = 24 };

struct object {
	char name[NAME_MAX_LEN + 1];
	struct linear_history h;
};

struct totals {
	uint64_t objects, ops, bad;
};

static const struct {
	const char *name;
	enum linear_kind kind;
} kinds[] = {
	{"read", LINEAR_READ},     {"write", LINEAR_WRITE}, {"min", LINEAR_MIN},
	{"append", LINEAR_APPEND}, {"make", LINEAR_MAKE},   {"take", LINEAR_TAKE},
};

static int by_start(const void *a, const void *b)
{
	const struct linear_op *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* What overlaps with it, and a few before and after. */
static void show(struct linear_history *h, struct linear_op bad)
{
	uint32_t i, at = 0, from, shown = 0;
	char text[128];

	qsort(h->op, h->n, sizeof(*h->op), by_start);
	while (at + 1 < h->n && h->op[at + 1].start <= bad.start)
		at++;
	from = at > AROUND ? at - AROUND : 0;
	for (i = from; i < h->n && shown < SHOWN_MAX; i++, shown++) {
		if (i > at + AROUND && h->op[i].start > bad.end)
			break;
		linear_text(&h->op[i], text, sizeof(text));
		printf("  %c %s\n", memcmp(&h->op[i], &bad, sizeof(bad)) == 0 ? '>' : ' ', text);
	}
}

static void judge(struct object *o, struct totals *t)
{
	uint32_t culprit = 0, n = o->h.n;
	enum linear_verdict v = linear_check(&o->h, &culprit);

	t->objects++;
	t->ops += n;
	if (v != LINEAR_GOOD) {
		t->bad++;
		printf("%s: %s\n", o->name,
		       v == LINEAR_BAD ? "no order of its operations gives these answers"
				       : "too much to try");
		if (v == LINEAR_BAD)
			show(&o->h, o->h.op[culprit]);
	}
	linear_free(&o->h);
}

static bool parse_op(const char *line, struct linear_op *op)
{
	char kind[16];
	size_t i;

	memset(op, 0, sizeof(*op));
	if (sscanf(line, "%15s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu32, kind,
		   &op->start, &op->end, &op->a, &op->b, &op->who) != 6 ||
	    op->end < op->start)
		return false;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kind, kinds[i].name) == 0) {
			op->kind = (uint8_t)kinds[i].kind;
			return true;
		}
	return false;
}

/* False: a line is not what it should be. */
static bool read_all(FILE *f, struct totals *t)
{
	struct object o = {0};
	struct linear_op op;
	bool any = false;
	char line[256];

	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "object ", 7) == 0) {
			if (any)
				judge(&o, t);
			any = true;
			if (sscanf(line, "object %63s %" SCNu64, o.name, &o.h.first) != 2)
				return false;
		} else if (any && parse_op(line, &op)) {
			linear_add(&o.h, &op);
		} else {
			printf("this is no operation: %s", line);
			linear_free(&o.h);
			return false;
		}
	}
	if (any)
		judge(&o, t);
	return any;
}

int main(int argc, char **argv)
{
	struct totals t = {0};
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (!f || !read_all(f, &t)) {
		fprintf(stderr, "history: %s\n", f ? "that is no history" : "usage: history FILE");
		return 2;
	}
	fclose(f);
	printf("%" PRIu64 " objects, %" PRIu64 " operations, %" PRIu64 " violations\n", t.objects,
	       t.ops, t.bad);
	return t.bad != 0;
}
