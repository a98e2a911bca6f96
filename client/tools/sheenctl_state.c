/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_state.c - is it serving? The servers themselves are asked: the MGS for a sign of life,
 * each target for a session, the MDS for the space of everything, as clients will. */
#include "client/tools/sheenctl.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_rpc.h"
#include <stdlib.h>

enum { TRY_MS = 1000, PAUSE_MS = 50 };

struct ask {
	struct nid_list nids;
	char target[MAX_TARGET_NAME];
	struct ctl_state *state;
	uint32_t timeout_ms;
};

static int note_target(struct ctl_state *s, const struct mds_target_stat *t)
{
	struct ctl_target_state *at = &s->mdt, *grown;

	if (t->type == TARGET_OST) {
		if (t->index > MAX_OST_INDEX)
			return -EBADMSG;
		if (t->index >= s->nost) {
			grown = reallocarray(s->ost, t->index + 1, sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			memset(grown + s->nost, 0, (t->index + 1 - s->nost) * sizeof(*grown));
			s->ost = grown;
			s->nost = t->index + 1;
		}
		at = &s->ost[t->index];
	}
	*at = (struct ctl_target_state){true, t->total, t->free, t->avail, abs(t->error)};
	return 0;
}

static int statfs_co(struct rpc_import *imp, struct ask *a)
{
	struct mds_target_stat t;
	struct mds_statfs_req q;
	struct mds_statfs_rep p;
	struct rbuf r;
	RPC_CALL(call);
	int rc;

	memset(&q, 0, sizeof(q));
	call.deadline_ms = a->timeout_ms;
	rc = mds_co_statfs(imp, &call, &q, &p);
	if (rc)
		return rc;
	a->state->mds = true;
	for (r = rbuf_of(p.targets); rc == 0 && r.len;) {
		rc = dec_mds_target_stat(&r, &t);
		if (rc == 0)
			rc = note_target(a->state, &t);
	}
	return rc;
}

static int ask_mds_co(struct loop *l, void *arg)
{
	struct ask *a = arg;
	struct tool_import ti;
	int rc;

	rc = tool_co_open(&ti, l, &a->nids, a->target, a->timeout_ms);
	if (rc)
		return rc;
	rc = statfs_co(ti.imp, a);
	tool_co_close(&ti);
	return rc;
}

int ctl_ask_mds(const struct ctl_cluster *c, struct ctl_state *out, uint32_t timeout_ms)
{
	struct ask a = {.state = out, .timeout_ms = timeout_ms};
	int rc;

	*out = (struct ctl_state){0};
	rc = ctl_nids(c, &c->proc[1], &a.nids);
	if (rc)
		return rc;
	if (tool_refused(&a.nids, timeout_ms))
		return -ECONNREFUSED;
	target_name_make(c->fsname, TARGET_MDT, 0, a.target);
	rc = tool_run(ask_mds_co, &a);
	if (rc)
		ctl_state_free(out);
	return rc;
}

void ctl_state_free(struct ctl_state *s)
{
	free(s->ost);
	*s = (struct ctl_state){0};
}

static int failed(const struct ctl_cluster *c, const struct ctl_proc *p, int rc, const char *what)
{
	if (rc == -ECHILD)
		tool_say("%s (%s) ended", p->name, p->prog);
	else
		tool_fail(rc, "%s (%s, pid %d) %s", p->name, p->prog, (int)p->pid, what);
	ctl_show_log(c, p);
	return rc;
}

int ctl_wait_mgs(struct ctl_cluster *c, uint64_t deadline)
{
	struct ctl_proc *p = &c->proc[0];
	struct nid_list nids;
	int rc;

	rc = ctl_wait_listen(c, p, deadline);
	if (rc)
		return failed(c, p, rc, "does not listen");
	rc = ctl_nids(c, p, &nids);
	while (rc == 0) {
		rc = tool_ping(&nids, TRY_MS);
		if (rc == 0)
			return 0;
		if (ctl_ended(p) || ctl_now_ms() >= deadline)
			break;
		rc = 0;
	}
	return failed(c, p, ctl_ended(p) ? -ECHILD : rc, "does not answer");
}

/* Is every OST of the configuration there for the MDS? *missing names one that is not. */
static bool all_there(const struct ctl_cluster *c, const struct ctl_state *s, char *missing,
		      size_t len)
{
	uint32_t i, k;

	for (i = 2; i < c->nprocs; i++) {
		const struct ctl_proc *p = &c->proc[i];

		for (k = 0; k < p->nost; k++) {
			const struct ctl_target_state *t =
				p->ost[k] < s->nost ? &s->ost[p->ost[k]] : NULL;

			if (t && t->known && !t->error)
				continue;
			snprintf(missing, len, "%s-OST%04x (process %s): %s", c->fsname, p->ost[k],
				 p->name,
				 t && t->error ? strerror(t->error) : "not known to the MDS");
			return false;
		}
	}
	return true;
}

static int check_alive(const struct ctl_cluster *c)
{
	uint32_t i;

	for (i = 0; i < c->nprocs; i++)
		if (ctl_ended(&c->proc[i]))
			return failed(c, &c->proc[i], -ECHILD, "");
	return 0;
}

int ctl_wait_all(struct ctl_cluster *c, uint64_t deadline)
{
	char missing[256] = "the MDS does not answer";
	struct ctl_state s;
	uint32_t i;
	bool there;
	int rc;

	for (i = 1; i < c->nprocs; i++) {
		rc = ctl_wait_listen(c, &c->proc[i], deadline);
		if (rc)
			return failed(c, &c->proc[i], rc, "does not listen");
	}
	for (;;) {
		rc = check_alive(c);
		if (rc)
			return rc;
		if (ctl_ask_mds(c, &s, TRY_MS) == 0) {
			there = all_there(c, &s, missing, sizeof(missing));
			ctl_state_free(&s);
			if (there)
				return 0;
		}
		if (ctl_now_ms() >= deadline)
			break;
		ctl_pause(&c->proc[1], PAUSE_MS);
	}
	tool_say("not everything serves in time: %s", missing);
	ctl_show_log(c, &c->proc[1]);
	return -ETIMEDOUT;
}
