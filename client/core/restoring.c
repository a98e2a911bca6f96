/* SPDX-License-Identifier: Apache-2.0 */
/* restoring.c - see restoring.h. */
#include "client/core/restoring.h"
#include "client/core/core.h"
#include <stdlib.h>

#define REFUSED_NS (20 * (uint64_t)NSEC_PER_MSEC) /* until the mover has found it out, too */
enum { UNITS_MAX = 1 << 21 };

struct restoring {
	uint32_t trunc_gen, nunits, nobjects;
	uint64_t size, unit;
	uint64_t *power;
	uint8_t back[]; /* of each unit */
};

static void forget(struct data *d)
{
	if (d->restoring)
		free(d->restoring->power);
	free(d->restoring);
	d->restoring = NULL;
}

/* What was back under an earlier lease may be of another version of the file. */
void restoring_note(struct data *d, bool released)
{
	d->released = released;
	forget(d);
}

/* The first byte of the range that is not known to be back; UINT64_MAX: there is none. */
static uint64_t first_missing(const struct restoring *r, uint64_t off, uint64_t len)
{
	uint64_t end = len < UINT64_MAX - off ? off + len : UINT64_MAX, u;

	if (!r)
		return off;
	end = min_u64(end, r->size);
	for (u = off / r->unit; u * r->unit < end; u++)
		if (!r->back[u])
			return max_u64(off, u * r->unit);
	return UINT64_MAX;
}

int restoring_enter(struct data *d, uint64_t off, uint64_t len, uint32_t *gen)
{
	int rc = 0;

	*gen = 0;
	pthread_mutex_lock(&d->lock);
	if (d->released && first_missing(d->restoring, off, len) != UINT64_MAX)
		rc = -EAGAIN;
	else if (d->released)
		*gen = d->restoring->trunc_gen;
	pthread_mutex_unlock(&d->lock);
	return rc;
}

int restoring_check(struct data *d, uint32_t *gen, uint32_t object, uint64_t *power)
{
	const struct restoring *r;
	int rc = 0;

	*power = 0;
	if (!*gen)
		return 0;
	pthread_mutex_lock(&d->lock);
	r = d->restoring;
	if (!d->released)
		*gen = 0; /* all is back */
	else if (!r || r->trunc_gen != *gen)
		rc = -EAGAIN;
	else if (object < r->nobjects)
		*power = r->power[object];
	pthread_mutex_unlock(&d->lock);
	return rc;
}

bool restoring_is_on(struct data *d)
{
	bool on;

	pthread_mutex_lock(&d->lock);
	on = d->released;
	pthread_mutex_unlock(&d->lock);
	return on;
}

static struct restoring *restoring_new(const struct mds_hsm_wait_rep *p)
{
	uint64_t n = p->unit ? (p->size + p->unit - 1) / p->unit : UINT64_MAX;
	struct restoring *r;

	if (n > UNITS_MAX || p->from > p->to || p->to > p->size)
		return NULL;
	r = calloc(1, sizeof(*r) + n);
	if (!r)
		return NULL;
	r->trunc_gen = p->trunc_gen;
	r->size = p->size;
	r->unit = p->unit;
	r->nunits = (uint32_t)n;
	return r;
}

/* Objects are written one after the other, so there may be more that have one than before. */
static int note_powers(struct restoring *r, struct span powers)
{
	uint32_t i, n = powers.len / (uint32_t)sizeof(uint64_t);
	struct rbuf b = rbuf_of(powers);
	struct mds_power p;
	uint64_t *mem = calloc(n + 1, sizeof(*mem));
	int rc = mem ? 0 : -ENOMEM;

	for (i = 0; rc == 0 && i < n; i++) {
		rc = dec_mds_power(&b, &p);
		if (rc == 0)
			mem[i] = p.power;
	}
	if (rc) {
		free(mem);
		return rc;
	}
	free(r->power);
	r->power = mem;
	r->nobjects = n;
	return 0;
}

/* d->lock is held. */
static int note_back(struct data *d, const struct mds_hsm_wait_rep *p)
{
	struct restoring *r = d->restoring;
	uint64_t u;

	if (p->whole) {
		restoring_note(d, false);
		return 0;
	}
	if (r && (r->trunc_gen != p->trunc_gen || r->size != p->size || r->unit != p->unit)) {
		forget(d);
		r = NULL;
	}
	if (!r)
		r = d->restoring = restoring_new(p);
	if (!r)
		return p->unit && p->size / p->unit < UNITS_MAX ? -ENOMEM : -EIO;
	if (p->to > r->size || p->from > p->to)
		return -EIO;
	for (u = p->from / r->unit; u * r->unit < p->to; u++)
		r->back[u] = 1;
	return note_powers(r, p->power);
}

int restoring_co_wait(struct lane *ln, struct data *d, uint64_t off, uint64_t len)
{
	struct mds_hsm_wait_req q = {.fid = d->fid, .off = UINT64_MAX};
	struct mds_hsm_wait_rep p;
	uint64_t session, seq;
	RPC_CALL(call);
	bool refused;
	int rc;

	pthread_mutex_lock(&d->lock);
	if (len)
		q.off = first_missing(d->restoring, off, len);
	refused = len && q.off == UINT64_MAX;
	if (refused) {
		forget(d);
		q.off = off;
	}
	session = d->session;
	seq = d->seq;
	pthread_mutex_unlock(&d->lock);
	if (refused)
		co_sleep(REFUSED_NS);
	rc = mds_co_hsm_wait(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	pthread_mutex_lock(&d->lock);
	/* Else it is about another time. */
	if (d->released && d->session == session && d->seq == seq)
		rc = note_back(d, &p);
	pthread_mutex_unlock(&d->lock);
	return rc;
}
