/* SPDX-License-Identifier: Apache-2.0 */
/* unlinklog.c - see unlinklog.h. Who sends the destroys: ost.c. */
#include "mds/unlinklog.h"

int unlinklog_add(struct txn *t, const struct fid *fid, const struct layout *l)
{
	const struct layout_comp *c;
	uint32_t i;
	int32_t s;
	int rc;

	for (i = 0; i < l->ncomp; i++) {
		c = &l->comp[i];
		for (s = 0; c->ost && s < c->stripe_count; s++) {
			rc = unlinklog_rec_put(t,
					       &(struct unlinklog_key){c->ost[s], *fid, c->id,
								       (uint32_t)s},
					       &(struct unlinklog_rec){});
			if (rc)
				return rc;
		}
	}
	return 0;
}

struct list {
	uint32_t ost;
	struct object_id *out;
	int n, max;
};

static int list_row(void *arg, const struct unlinklog_key *k, const struct unlinklog_rec *v)
{
	struct list *l = arg;

	(void)v; /* the value is empty: a damaged one says as much as a good one */
	if (k->ost != l->ost || l->n == l->max)
		return 1;
	l->out[l->n++] = (struct object_id){k->fid, k->comp, k->stripe};
	return 0;
}

int unlinklog_list(struct txn *t, uint32_t ost, struct object_id *out, int max)
{
	struct list l = {ost, out, 0, max};
	int rc = unlinklog_rec_walk(t, &(struct unlinklog_key){.ost = ost}, list_row, &l);

	return rc ? rc : l.n;
}

int unlinklog_del(struct txn *t, uint32_t ost, const struct object_id *o)
{
	int rc = unlinklog_rec_del(t, &(struct unlinklog_key){ost, o->fid, o->comp, o->stripe});

	return rc == -ENOENT ? 0 : rc;
}
