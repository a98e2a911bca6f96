/* SPDX-License-Identifier: Apache-2.0 */
/* mgs_link.c - registration and the live configuration; see mgs_link.h.
 *
 * Fibers of a link wait only on wake_q (the import's state, the end of the link) and in calls,
 * which end when the import is destroyed. Permanent parameters are compared with the ones of the
 * version before, so that news of a target does not undo what somebody set by hand meanwhile.
 */
#include "common/mgs_link.h"
#include "common/log.h"
#include "common/param.h"
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	POLL_MS = 60000,	  /* the MGS holds a long poll this long */
	CALL_MS = 30000,	  /* for an answer that should come at once */
	RETRY_MS = 2000,	  /* after an error of the MGS */
	FIRST_COMPLAINT_MS = 3000,
	COMPLAIN_MS = 60000,	  /* between two log lines while waiting */
	DISCONNECT_MS = 1000,
	NIDS_TEXT = MAX_NIDS * NID_STRLEN,
};

/* A decoded configuration in one piece: arrays first, then the text they point to. */
struct config {
	struct mgs_config c;
	struct mgs_node *nodes;
	struct mgs_setting *settings;
	char *text;
};

struct mgs_link {
	struct mgs_link_cfg cfg;
	struct loop *l;
	struct rpc_import *imp;
	struct co_waitq wake_q; /* something changed: import, end */
	struct co_waitq idle_q; /* the last user left */
	uint32_t users;		/* fibers inside */
	bool closing;
	struct config now;
};

/* ---- waiting ---- */

static void link_on_state(void *arg, struct rpc_import *imp, enum import_state s)
{
	struct mgs_link *ml = arg;

	(void)imp, (void)s;
	co_wake_all(&ml->wake_q);
}

static void link_leave(struct mgs_link *ml)
{
	if (--ml->users == 0)
		co_wake_all(&ml->idle_q);
}

static void link_co_pause(struct mgs_link *ml, uint32_t ms)
{
	uint64_t until = loop_now(ml->l) + ms * NSEC_PER_MSEC;

	while (!ml->closing && loop_now(ml->l) < until)
		if (co_wait(&ml->wake_q, until) == -ETIMEDOUT)
			break;
}

static void complain(struct mgs_link *ml)
{
	char nids[NIDS_TEXT];
	int rc = rpc_import_error(ml->imp);

	log_warn("%s: waiting for the MGS at %s%s%s", ml->cfg.fsname,
		 nid_list_str(&ml->cfg.mgs, PORT_MGS, nids, sizeof(nids)), rc ? ": " : "",
		 rc ? err_str(rc) : "");
}

/* Until the import works. deadline 0: for ever, with a line in the log now and then. */
static int link_co_connected(struct mgs_link *ml, uint64_t deadline)
{
	uint64_t next = loop_now(ml->l) + FIRST_COMPLAINT_MS * NSEC_PER_MSEC;

	while (!ml->closing && rpc_import_state(ml->imp) != IMP_FULL) {
		if (deadline && rpc_import_refused(ml->imp))
			return rpc_import_error(ml->imp);
		if (co_wait(&ml->wake_q, deadline ? deadline : next) != -ETIMEDOUT)
			continue;
		if (deadline)
			return ml->closing ? -ESHUTDOWN : -ETIMEDOUT;
		complain(ml);
		next = loop_now(ml->l) + COMPLAIN_MS * NSEC_PER_MSEC;
	}
	return ml->closing ? -ESHUTDOWN : 0;
}

/* ---- registration ---- */

/* Names are resolved on the loop's main stack: the C library wants more stack than a fiber has. */
struct resolve {
	struct loop_work work;
	struct fiber *fiber;
	const char *text;
	uint16_t port;
	struct nid_list nids;
	int rc;
};

/* The address where this process serves comes first: who reads the list tries it first. */
static void own_first(struct nid_list *l, uint16_t port)
{
	struct ifaddrs *all = NULL, *a;
	struct nid n;

	if (getifaddrs(&all))
		log_warn("addresses of this machine: %s", err_str(errno));
	for (uint32_t i = 0; i < l->n; i++)
		for (a = all; a; a = a->ifa_next) {
			if (!a->ifa_addr || (a->ifa_addr->sa_family != AF_INET &&
					     a->ifa_addr->sa_family != AF_INET6))
				continue;
			nid_set_addr(&n, a->ifa_addr,
				     a->ifa_addr->sa_family == AF_INET
					     ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6));
			nid_set_port(&n, port);
			if (!nid_eq(&n, &l->nid[i]))
				continue;
			nid_list_to_front(l, i);
			freeifaddrs(all);
			return;
		}
	freeifaddrs(all);
	log_warn("no service address is one of this machine with port %u: who connects tries all",
		 port);
}

static void resolve_now(void *arg)
{
	struct resolve *r = arg;
	char why[256];

	r->rc = nid_list_parse(r->text, r->port, &r->nids, why, sizeof(why));
	if (r->rc)
		log_err("service addresses: %s", why);
	fiber_wake(r->fiber);
}

static void own_first_now(void *arg)
{
	struct resolve *r = arg;

	own_first(&r->nids, r->port);
	fiber_wake(r->fiber);
}

static void co_on_main_stack(struct mgs_link *ml, struct resolve *r, loop_fn *fn)
{
	r->work = (struct loop_work){.fn = fn, .arg = r};
	r->fiber = fiber_self();
	loop_defer(ml->l, &r->work);
	fiber_co_suspend();
}

static int own_address(struct mgs_link *ml, const struct mgs_register *r, struct nid *out)
{
	*out = r->listen;
	if (!nid_is_wildcard(&r->listen))
		return 0;
	if (!rpc_import_local(ml->imp, out))
		return -ENOTCONN;
	nid_set_port(out, nid_port(&r->listen));
	return 0;
}

/* Its own address, then those of the list that are others. */
static void put_own(struct nid_list *l, const struct nid *own)
{
	uint32_t i;

	for (i = 0; i < l->n && !nid_eq(&l->nid[i], own); i++)
		;
	if (i == l->n && l->n < MAX_NIDS)
		l->n++;
	else if (i == l->n) /* mkfs.sheen leaves room for one */
		i--;
	l->nid[i] = *own;
	nid_list_to_front(l, i);
}

/* What to announce: the service addresses, else where this process listens and the failover
 * nodes. */
static int co_own_nids(struct mgs_link *ml, const struct mgs_register *r, char *text, size_t len)
{
	bool service = r->servicenode && r->servicenode[0];
	struct resolve res = {.text = service ? r->servicenode : r->failnode,
			      .port = nid_port(&r->listen)};
	struct nid own;
	int rc = 0;

	if (res.text && res.text[0]) {
		co_on_main_stack(ml, &res, resolve_now);
		if (res.rc)
			return -EINVAL;
		if (ml->closing)
			return -ESHUTDOWN;
	}
	if (service && res.nids.n > 1)
		co_on_main_stack(ml, &res, own_first_now);
	if (!service) {
		rc = own_address(ml, r, &own);
		if (rc == 0)
			put_own(&res.nids, &own);
	}
	nid_list_str(&res.nids, 0, text, len);
	return rc;
}

static int register_co_once(struct mgs_link *ml, const struct mgs_register *r, uint64_t *version)
{
	struct mgs_register_rep p;
	struct mgs_register_req q = {
		.fsname = SPAN_STR(ml->cfg.fsname),
		.type = r->type,
		.index = r->index,
		.uuid = {r->uuid, UUID_LEN},
		.boot = r->boot,
	};
	char nids[NIDS_TEXT];
	RPC_CALL(call);
	int rc;

	rc = link_co_connected(ml, 0);
	if (rc == 0)
		rc = co_own_nids(ml, r, nids, sizeof(nids));
	if (rc)
		return rc;
	q.nids = SPAN_STR(nids);
	call.deadline_ms = CALL_MS;
	rc = mgs_co_register(ml->imp, &call, &q, &p);
	if (rc == 0 && version)
		*version = p.version;
	if (rc == 0 && r->announced)
		snprintf(r->announced, r->announced_len, "%s", nids);
	return rc;
}

int mgs_link_co_register(struct mgs_link *ml, const struct mgs_register *r, uint64_t *version)
{
	char name[MAX_TARGET_NAME];
	int rc, said = 0;

	target_name_make(ml->cfg.fsname, r->type, r->index, name);
	ml->users++;
	for (;;) {
		rc = ml->closing ? -ESHUTDOWN : register_co_once(ml, r, version);
		if (rc == 0 || rc == -EEXIST || rc == -EINVAL || rc == -ESHUTDOWN || ml->closing)
			break;
		if (rc != said && rc != -ENOTCONN)
			log_warn("%s: registration at the MGS: %s; trying again", name,
				 err_str(rc));
		said = rc;
		link_co_pause(ml, RETRY_MS);
	}
	if (ml->closing && rc)
		rc = -ESHUTDOWN;
	link_leave(ml);
	return rc;
}

/* ---- configuration ---- */

static void config_free(struct config *c)
{
	free(c->nodes);
	free(c->settings);
	free(c->text);
	*c = (struct config){0};
}

static int decode_node(struct rbuf *r, struct mgs_node *n)
{
	char nids[NIDS_TEXT], why[160];
	struct mgs_target t;

	if (dec_mgs_target(r, &t) || t.uuid.len != UUID_LEN || t.name.len >= MAX_TARGET_NAME ||
	    t.nids.len >= sizeof(nids))
		return -EBADMSG;
	*n = (struct mgs_node){.type = t.type, .index = t.index, .starts = t.starts};
	memcpy(n->name, t.name.ptr, t.name.len);
	memcpy(n->uuid, t.uuid.ptr, UUID_LEN);
	memcpy(nids, t.nids.ptr, t.nids.len);
	nids[t.nids.len] = 0;
	return nid_list_parse_numeric(nids, 0, &n->nids, why, sizeof(why)) ? -EBADMSG : 0;
}

static int node_cmp(const void *a, const void *b)
{
	const struct mgs_node *x = a, *y = b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int decode_nodes(struct span blob, struct span boots, struct config *c)
{
	struct rbuf r = rbuf_of(blob), rb = rbuf_of(boots);
	struct mgs_target t;
	uint32_t n = 0;
	int rc;

	while (r.len) {
		if (dec_mgs_target(&r, &t))
			return -EBADMSG;
		n++;
	}
	c->nodes = calloc(n ? n : 1, sizeof(*c->nodes));
	if (!c->nodes)
		return -ENOMEM;
	r = rbuf_of(blob);
	for (c->c.nnodes = 0; c->c.nnodes < n; c->c.nnodes++) {
		rc = decode_node(&r, &c->nodes[c->c.nnodes]);
		if (rc == 0 && rb.len) /* an older MGS does not tell */
			rc = dec_u64(&rb, &c->nodes[c->c.nnodes].boot);
		if (rc)
			return rc;
	}
	qsort(c->nodes, n, sizeof(*c->nodes), node_cmp);
	c->c.nodes = c->nodes;
	return 0;
}

static const char *take_text(char **at, struct span s)
{
	char *begin = *at;

	if (s.len)
		memcpy(begin, s.ptr, s.len);
	begin[s.len] = 0;
	*at += s.len + 1;
	return begin;
}

static int decode_settings(struct span blob, struct config *c)
{
	struct rbuf r = rbuf_of(blob);
	struct mgs_param p;
	uint32_t n = 0;
	char *at;

	while (r.len) {
		if (dec_mgs_param(&r, &p))
			return -EBADMSG;
		n++;
	}
	c->settings = calloc(n ? n : 1, sizeof(*c->settings));
	/* Each string takes its length field's place: 4 bytes there are more than a NUL here. */
	c->text = malloc(blob.len + 1);
	if (!c->settings || !c->text)
		return -ENOMEM;
	at = c->text;
	r = rbuf_of(blob);
	for (c->c.nsettings = 0; c->c.nsettings < n; c->c.nsettings++) {
		if (dec_mgs_param(&r, &p))
			return -EBADMSG;
		c->settings[c->c.nsettings].name = take_text(&at, p.name);
		c->settings[c->c.nsettings].value = take_text(&at, p.value);
	}
	c->c.settings = c->settings;
	return 0;
}

int mgs_config_decode(const struct mgs_config_rep *p, struct mgs_config **out)
{
	struct config *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->c.version = p->version;
	rc = decode_nodes(p->targets, p->boots, c);
	if (rc == 0)
		rc = decode_settings(p->params, c);
	if (rc) {
		config_free(c);
		free(c);
		return rc;
	}
	*out = &c->c;
	return 0;
}

void mgs_config_free(struct mgs_config *mc)
{
	struct config *c = container_of(mc, struct config, c);

	config_free(c);
	free(c);
}

static const char *setting_of(const struct mgs_config *c, const char *name)
{
	for (uint32_t i = 0; i < c->nsettings; i++)
		if (strcmp(c->settings[i].name, name) == 0)
			return c->settings[i].value;
	return NULL;
}

static void apply_settings(struct params *ps, const struct mgs_config *old,
			   const struct mgs_config *new)
{
	uint32_t i;
	int rc;

	for (i = 0; i < old->nsettings; i++)
		if (!setting_of(new, old->settings[i].name) &&
		    params_set_sticky(ps, old->settings[i].name, NULL))
			log_warn("permanent parameter %s: cannot be forgotten",
				 old->settings[i].name);
	for (i = 0; i < new->nsettings; i++) {
		const struct mgs_setting *s = &new->settings[i];
		const char *was = setting_of(old, s->name);

		if (was && strcmp(was, s->value) == 0)
			continue;
		rc = params_set_sticky(ps, s->name, s->value);
		if (rc)
			log_warn("permanent parameter %s=%s: %s", s->name, s->value, err_str(rc));
	}
}

static int deliver(struct mgs_link *ml, const struct mgs_config_rep *p)
{
	struct mgs_config *mc;
	int rc;

	rc = mgs_config_decode(p, &mc);
	if (rc) {
		log_err("%s: the configuration of the MGS cannot be read: %s", ml->cfg.fsname,
			err_str(rc));
		return rc;
	}
	if (ml->cfg.params)
		apply_settings(ml->cfg.params, &ml->now.c, mc);
	config_free(&ml->now);
	ml->now = *container_of(mc, struct config, c);
	free(container_of(mc, struct config, c));
	if (ml->cfg.on_config)
		ml->cfg.on_config(ml->cfg.arg, &ml->now.c);
	return 0;
}

/* Asks once and delivers what is new. */
static int config_co_get(struct mgs_link *ml, uint32_t wait_ms, uint32_t deadline_ms)
{
	struct mgs_config_req q = {
		.fsname = SPAN_STR(ml->cfg.fsname),
		.have = ml->now.c.version,
		.wait_ms = wait_ms,
	};
	struct mgs_config_rep p;
	RPC_CALL(call);
	int rc;

	call.deadline_ms = deadline_ms;
	rc = mgs_co_config(ml->imp, &call, &q, &p);
	if (ml->closing)
		return -ESHUTDOWN;
	if (rc || p.version == q.have)
		return rc;
	return deliver(ml, &p);
}

static void watch(void *arg)
{
	struct mgs_link *ml = arg;
	int rc, said = 0;

	while (!ml->closing) {
		rc = config_co_get(ml, POLL_MS, POLL_MS + CALL_MS);
		if (rc && rc != said && !ml->closing && rc != -ESHUTDOWN && rc != -ETIMEDOUT)
			log_warn("%s: configuration from the MGS: %s; trying again", ml->cfg.fsname,
				 err_str(rc));
		said = rc;
		if (rc)
			link_co_pause(ml, RETRY_MS);
	}
	link_leave(ml);
}

static uint32_t ms_until(struct mgs_link *ml, uint64_t deadline)
{
	uint64_t now = loop_now(ml->l), left = deadline > now ? deadline - now : 0;

	if (!deadline)
		return CALL_MS;
	return (uint32_t)min_u64(left / NSEC_PER_MSEC + 1, CALL_MS);
}

static int start_co(struct mgs_link *ml, uint32_t timeout_ms)
{
	uint64_t deadline = timeout_ms ? loop_now(ml->l) + timeout_ms * NSEC_PER_MSEC : 0;
	int rc;

	for (;;) {
		rc = link_co_connected(ml, deadline);
		if (rc)
			return rc;
		rc = config_co_get(ml, 0, ms_until(ml, deadline));
		if (rc == 0 || rc == -ENOENT || rc == -EINVAL || rc == -ESHUTDOWN || rc == -ENOMEM)
			return rc;
		if (deadline && loop_now(ml->l) >= deadline)
			return -ETIMEDOUT;
		link_co_pause(ml, deadline ? RETRY_MS / 10 : RETRY_MS);
	}
}

int mgs_link_co_start(struct mgs_link *ml, uint32_t timeout_ms)
{
	int rc;

	ml->users++;
	rc = ml->closing ? -ESHUTDOWN : start_co(ml, timeout_ms);
	if (rc == 0 && !ml->closing) {
		ml->users++;
		rc = fiber_spawn(ml->l, watch, ml);
		if (rc)
			ml->users--;
	}
	if (ml->closing)
		rc = -ESHUTDOWN;
	link_leave(ml);
	return rc;
}

/* ---- life ---- */

int mgs_link_create(const struct mgs_link_cfg *cfg, struct mgs_link **out)
{
	struct rpc_import_cfg icfg = {
		.client = cfg->client,
		.target = "MGS",
		.nids = cfg->mgs,
		.on_state = link_on_state,
	};
	struct mgs_link *ml;
	int rc;

	if (!cfg->mgs.n || !fsname_ok(cfg->fsname))
		return -EINVAL;
	ml = calloc(1, sizeof(*ml));
	if (!ml)
		return -ENOMEM;
	ml->cfg = *cfg;
	ml->l = cfg->client->loop;
	co_waitq_init(&ml->wake_q);
	co_waitq_init(&ml->idle_q);
	icfg.arg = ml;
	rc = rpc_import_create(&icfg, &ml->imp);
	if (rc) {
		free(ml);
		return rc;
	}
	*out = ml;
	return 0;
}

struct rpc_import *mgs_link_import(struct mgs_link *ml)
{
	return ml->imp;
}

uint64_t mgs_link_version(const struct mgs_link *ml)
{
	return ml->now.c.version;
}

const struct mgs_config *mgs_link_config(const struct mgs_link *ml)
{
	return &ml->now.c;
}

void mgs_link_co_destroy(struct mgs_link *ml)
{
	int rc = 0;

	ml->closing = true;
	co_wake_all(&ml->wake_q);
	rpc_import_co_destroy(ml->imp, DISCONNECT_MS);
	while (ml->users && rc == 0)
		rc = co_wait(&ml->idle_q, 0);
	config_free(&ml->now);
	free(ml);
}
