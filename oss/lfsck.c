/* SPDX-License-Identifier: Apache-2.0 */
/* lfsck.c - lists objects; see lfsck.h. And oss_list, which tells the MDT. */
#include "oss/lfsck.h"
#include "common/log.h"
#include "oss/ost.h"
#include <inttypes.h>
#include <stdlib.h>

enum {
	DIRS = 256, /* of each sequence */
	DIRS_OF_PIECE = 64,
	OBJECTS_OF_PIECE = 4096,
};

/* ---- which sequences ---- */

struct next_seq {
	uint64_t from, best;
	bool found;
};

static int seq_name(void *arg, const char *name)
{
	struct next_seq *s = arg;
	char again[20];
	uint64_t seq;

	if (sscanf(name, "%" SCNx64, &seq) != 1)
		return 0;
	snprintf(again, sizeof(again), "%" PRIx64, seq);
	if (strcmp(again, name) != 0 || seq < s->from || (s->found && seq >= s->best))
		return 0;
	s->best = seq;
	s->found = true;
	return 0;
}

/* ---- one directory ---- */

struct leaf {
	const char *dir;
	const struct object_id *after;
	struct object_id *all;
	uint32_t n, cap;
};

static int object_cmp(const void *x, const void *y)
{
	const struct object_id *a = x, *b = y;

	if (a->fid.oid != b->fid.oid)
		return a->fid.oid < b->fid.oid ? -1 : 1;
	if (a->comp != b->comp)
		return a->comp < b->comp ? -1 : 1;
	return a->stripe == b->stripe ? 0 : a->stripe < b->stripe ? -1 : 1;
}

static int leaf_name(void *arg, const char *name)
{
	struct leaf *l = arg;
	char path[OBJECT_PATH_MAX];
	struct object_id id;

	if (snprintf(path, sizeof(path), "%s/%s", l->dir, name) >= (int)sizeof(path) ||
	    object_path_parse(path, &id))
		return 0; /* no object of ours */
	if (!fid_is_zero(&l->after->fid) && object_cmp(&id, l->after) <= 0)
		return 0;
	if (l->n == l->cap) {
		uint32_t cap = l->cap ? 2 * l->cap : 256;
		struct object_id *grown = realloc(l->all, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		l->all = grown;
		l->cap = cap;
	}
	l->all[l->n++] = id;
	return 0;
}

/* What of the directory is still to come and fits; the cursor moves. */
static int take_leaf(struct disk *d, struct object_cursor *c, struct object_id *out, uint32_t max,
		     uint32_t *n)
{
	char dir[OBJECT_PATH_MAX];
	struct leaf l = {.dir = dir, .after = &c->after};
	uint32_t take;
	int rc;

	snprintf(dir, sizeof(dir), "O/%" PRIx64 "/%02x", c->seq, c->dir);
	rc = disk_list(d, dir, leaf_name, &l);
	if (rc == -ENOENT || rc == -ENOTDIR)
		rc = 0;
	take = (uint32_t)min_u64(l.n, max - *n);
	if (rc == 0 && l.n) {
		qsort(l.all, l.n, sizeof(*l.all), object_cmp);
		memcpy(out + *n, l.all, take * sizeof(*out));
		*n += take;
		c->after = l.all[take ? take - 1 : 0];
	}
	if (rc == 0 && take == l.n) {
		c->dir++;
		c->after = (struct object_id){0};
	}
	free(l.all);
	return rc;
}

int objects_list(struct disk *d, struct object_cursor *c, struct object_id *out, uint32_t max,
		 uint32_t *n)
{
	struct next_seq s;
	uint32_t dirs;
	int rc = 0;

	*n = 0;
	for (dirs = 0; rc == 0 && dirs < DIRS_OF_PIECE && *n < max; dirs++) {
		if (c->dir >= DIRS)
			*c = (struct object_cursor){.seq = c->seq + 1};
		s = (struct next_seq){.from = c->seq};
		if (c->dir == 0 || dirs == 0)
			rc = disk_list(d, "O", seq_name, &s);
		else
			s.found = true, s.best = c->seq;
		if (rc == 0 && !s.found)
			return 1;
		if (rc == 0 && s.best != c->seq)
			*c = (struct object_cursor){.seq = s.best};
		if (rc == 0)
			rc = take_leaf(d, c, out, max, n);
	}
	return rc == -ENOENT ? 1 : rc; /* no directory O: nothing was ever written */
}

/* ---- for the MDT ---- */

static int put_objects(struct rpc_op *op, const struct object_id *ids, uint32_t n,
		       struct oss_list_rep *p)
{
	struct wbuf w;
	uint32_t i, room = n * 32;
	void *mem = n ? rpc_op_alloc(op, room) : NULL;

	if (!n)
		return 0;
	if (!mem)
		return -ENOMEM;
	wbuf_init_fixed(&w, mem, room);
	for (i = 0; i < n; i++)
		enc_oss_object(&w, &(struct oss_object){ids[i].fid, ids[i].comp, ids[i].stripe});
	p->objects = wbuf_span(&w);
	return w.rc;
}

int oss_list(struct rpc_op *op, const struct oss_list_req *q, struct oss_list_rep *p)
{
	struct ost *ost = ost_session_of(op)->ost;
	struct object_cursor c = {q->seq, q->dir, OST_OBJECT_ID(q)};
	struct object_id *ids = malloc(OBJECTS_OF_PIECE * sizeof(*ids));
	uint32_t n = 0;
	int rc;

	if (!ids)
		return -ENOMEM;
	rc = objects_list(ost->disk, &c, ids, OBJECTS_OF_PIECE, &n);
	p->eof = rc == 1;
	if (rc >= 0)
		rc = put_objects(op, ids, n, p);
	p->seq = c.seq;
	p->dir = c.dir;
	p->fid = c.after.fid;
	p->comp = c.after.comp;
	p->stripe = c.after.stripe;
	free(ids);
	if (rc)
		log_err("%s: objects cannot be listed: %s", ost->name, err_str(rc));
	return rc;
}
