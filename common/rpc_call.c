/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_call.c - calls over an import; see rpc.h.
 *
 * A call lives on the stack of the fiber that makes it, as a struct pending in the import's list;
 * it stays there until its reply is complete, whatever happens to connections meanwhile. Memory
 * that the caller lent for bulk is never left to the transport when the call returns: a call that
 * gives up while bytes are on their way closes the connection first.
 *
 * How the import gets and keeps its connection is rpc_import.c's business.
 */
#include "common/crc.h"
#include "common/log.h"
#include "common/rpc_client.h"
#include <stdatomic.h>
#include <stdlib.h>

enum {
	BULK_RETRIES = 3, /* sent again this often after a bad bulk checksum */
	RIDES_MAX = 8,	  /* more than that do not wait for another message */
};
#define RIDE_NS (20 * NSEC_PER_MSEC)

static struct pending *pending_find(struct rpc_import *imp, uint64_t xid)
{
	struct pending *p;

	LIST_FOREACH(p, &imp->hash[xid % PENDING_HASH], hash)
		if (p->call->xid == xid)
			return p;
	return NULL;
}

/* Wakes the caller if it may return: nothing of its memory is in the transport's hands. */
static void pending_check(struct pending *p)
{
	if ((p->done || p->timed_out) && !p->in_net && !p->receiving && p->fiber) {
		struct fiber *f = p->fiber;

		p->fiber = NULL;
		fiber_wake(f);
	}
}

static void pending_end(struct pending *p, int rc)
{
	if (p->done)
		return;
	p->done = true;
	p->rc = rc;
	pending_check(p);
}

/* ---- transport callbacks ---- */

static void import_send(struct rpc_import *imp, struct pending *p);

static void out_done(struct msg *m, int rc)
{
	struct pending *p = m->owner;

	if (!p)
		return;
	p->in_net = false;
	/* A lost message is sent again after the reconnect. */
	if (rc == 0 && p->again && !p->done && !p->timed_out)
		import_send(p->imp, p);
	pending_check(p);
}

static void in_done(struct msg *m, int rc)
{
	struct rpc_frame *f = container_of(m, struct rpc_frame, m);
	struct pending *p = m->owner;

	(void)rc;
	if (p) { /* given up in the middle of its bulk */
		p->receiving = false;
		pending_check(p);
	}
	rpc_frame_put(f);
}

static struct msg *import_get_msg(void *arg, struct net_conn *c, const struct wire_hdr *h)
{
	struct rpc_frame *f;

	(void)arg, (void)c;
	if (!(h->flags & WIRE_REPLY))
		return NULL; /* servers ask clients nothing in this version */
	f = rpc_frame_get();
	if (!f)
		return NULL;
	if (rpc_frame_reserve(f, h->body_len)) {
		rpc_frame_put(f);
		return NULL;
	}
	f->m.done = in_done;
	f->m.owner = NULL;
	return &f->m;
}

/* Bulk that nobody waits for any more still has to be read off the stream. */
static int import_discard(struct rpc_import *imp, struct msg *m, struct iovec *iov)
{
	uint32_t left = m->h.bulk_len, n = 0;

	if (!imp->discard)
		imp->discard = malloc(DISCARD_LEN);
	if (!imp->discard)
		return -ENOMEM;
	for (; left; n++) {
		iov[n].iov_base = imp->discard;
		iov[n].iov_len = left < DISCARD_LEN ? left : DISCARD_LEN;
		left -= (uint32_t)iov[n].iov_len;
	}
	static_assert(MAX_BULK / DISCARD_LEN <= MAX_BULK_IOV, "discard iovecs");
	m->iov = iov;
	m->iov_n = n;
	return 0;
}

static int import_want_bulk(void *arg, struct net_conn *c, struct msg *m)
{
	struct rpc_import *imp = arg;
	struct rpc_frame *f = container_of(m, struct rpc_frame, m);
	struct pending *p = pending_find(imp, m->h.xid);
	struct iovec *iov = rpc_frame_iov(f);
	int n;

	(void)c;
	if (!iov)
		return -ENOMEM;
	if (!p || p->done || p->timed_out)
		return import_discard(imp, m, iov);
	n = iov_head(p->call->in, p->call->in_n, m->h.bulk_len, iov, MAX_BULK_IOV);
	if (n < 0) {
		log_err("%s: reply to %s carries %u bytes where %llu were asked for", imp->target,
			p->desc->name, m->h.bulk_len,
			(unsigned long long)iov_len(p->call->in, p->call->in_n));
		return -EBADMSG;
	}
	m->iov = iov;
	m->iov_n = (uint32_t)n;
	m->owner = p;
	p->receiving = true;
	return 0;
}

/* A reply whose bulk is damaged is asked for again: both ends verify, the wire is to blame. */
static bool bulk_ok(struct rpc_import *imp, struct pending *p, struct msg *m)
{
	char what[256];
	uint32_t crc;

	if (!m->h.bulk_len || !(m->h.flags & WIRE_BULK_CRC) || m->owner != p)
		return true;
	crc = crc32c_iov(m->iov, m->iov_n);
	if (crc == m->h.bulk_crc)
		return true;
	rpc_request_text(p->desc, p->out->m.body, p->out->m.h.body_len, what, sizeof(what));
	log_err("%s: %s: checksum of %u bytes is %08x, the sender says %08x", imp->target, what,
		m->h.bulk_len, crc, m->h.bulk_crc);
	return false;
}

static void import_on_msg(void *arg, struct net_conn *c, struct msg *m)
{
	struct rpc_import *imp = arg;
	struct rpc_frame *f = container_of(m, struct rpc_frame, m);
	struct pending *p = pending_find(imp, m->h.xid);
	bool damaged;

	imp->last_recv_ns = loop_now(imp->l);
	rpc_soft_heard(imp);
	if (!p || p->done) {
		m->done(m, 0);
		return;
	}
	if (m->h.rpc != p->desc->nr) {
		log_err("%s: reply %llu is to %s, not to %s: connection closed", imp->target,
			(unsigned long long)m->h.xid, rpc_name(m->h.rpc), p->desc->name);
		m->done(m, 0);
		net_close(c, -EPROTO);
		return;
	}
	damaged = m->h.status == -EBADMSG || !bulk_ok(imp, p, m);
	m->owner = NULL;
	p->receiving = false;
	if (damaged && p->retries < BULK_RETRIES) {
		p->retries++;
		m->done(m, 0);
		/* An answer may be faster than the news that the request has left. */
		p->again = p->in_net;
		import_send(imp, p);
		return;
	}
	if (imp->cfg.on_reply && !damaged && !(p->out->m.h.flags & WIRE_REPLAY))
		imp->cfg.on_reply(imp->cfg.arg, &p->out->m, m);
	p->in = f;
	pending_end(p, damaged ? -EBADMSG : 0);
}

const struct net_ops rpc_import_net_ops = {
	.get_msg = import_get_msg,
	.want_bulk = import_want_bulk,
	.on_msg = import_on_msg,
	.on_close = rpc_import_on_close,
	.on_connect = rpc_import_on_connect,
};

/* ---- sending ---- */

static void send_now(struct rpc_import *imp, struct pending *p)
{
	struct msg *m = &p->out->m;

	if (!imp->conn || p->in_net)
		return; /* goes out when the import is connected, or is on its way */
	if (!(m->h.flags & WIRE_REPLAY))
		m->h.flags = (uint16_t)((m->h.flags & ~WIRE_RESENT) |
					(p->sent ? WIRE_RESENT : 0));
	m->h.session = imp->session;
	m->h.epoch = imp->epoch;
	m->h.boot_id = imp->boot_id;
	p->sent = true;
	p->again = false;
	p->in_net = true;
	net_send(imp->conn, m);
}

/* Waking the server, and being woken by its answer, costs more than the request itself: one that
 * nobody waits for leaves in front of the next one, or soon. */
static void ride(struct rpc_import *imp, struct pending *p)
{
	STAILQ_INSERT_TAIL(&imp->rides, p, ride);
	p->riding = true;
	if (++imp->nrides == 1)
		loop_timer_start(imp->l, &imp->ride_timer, RIDE_NS);
	if (imp->nrides == RIDES_MAX)
		rpc_import_send_rides(imp);
}

static void ride_end(struct rpc_import *imp, struct pending *p)
{
	STAILQ_REMOVE(&imp->rides, p, pending, ride);
	p->riding = false;
	if (--imp->nrides == 0)
		loop_timer_stop(imp->l, &imp->ride_timer);
}

void rpc_import_send_rides(void *arg)
{
	struct rpc_import *imp = arg;
	struct pending *p;

	while ((p = STAILQ_FIRST(&imp->rides))) {
		ride_end(imp, p);
		/* After a reconnect all is sent that has no answer. */
		if (imp->state == IMP_FULL && !p->done && !p->timed_out)
			send_now(imp, p);
	}
}

static void import_send(struct rpc_import *imp, struct pending *p)
{
	rpc_import_send_rides(imp);
	send_now(imp, p);
}

void rpc_import_resend_all(struct rpc_import *imp)
{
	struct pending *p;

	TAILQ_FOREACH(p, &imp->calls, link)
		if (!p->done)
			import_send(imp, p);
}

static bool call_may_send(const struct rpc_import *imp, const struct rpc_call *call,
			  const struct rpc_desc *d)
{
	if (imp->state == IMP_FULL)
		return true;
	if (imp->state == IMP_RECLAIM && (call->flags & RPC_CALL_RECLAIM))
		return true;
	return imp->state == IMP_CONNECTING && d->nr == RPC_any_connect;
}

static void call_timeout(void *arg)
{
	struct pending *p = arg;

	p->timed_out = true;
	if ((p->in_net || p->receiving) && p->imp->conn)
		net_close(p->imp->conn, -ETIMEDOUT);
	pending_check(p);
}

/* What was sent must not be executed when the server answers again: it takes nothing from an older
 * connection once there is a new one. */
void rpc_call_give_up(struct pending *p)
{
	p->timed_out = p->given_up = true;
	if (p->sent && p->imp->conn)
		net_close(p->imp->conn, -ETIMEDOUT);
	pending_check(p);
}

/* All others may be held by calls that wait for the end of the reclaim, whose calls come singly. */
#define SETUP_SLOT (1ULL << (SESSION_SLOTS - 1))

static int slot_co_take(struct rpc_import *imp, const struct rpc_desc *d,
			const struct rpc_call *call, bool setup, uint16_t *slot)
{
	uint64_t since = loop_clock(imp->l);
	uint64_t mine = setup ? SETUP_SLOT : ~SETUP_SLOT;
	int rc, bit;

	while (!(imp->slots & mine)) {
		rpc_import_send_rides(imp); /* they have slots */
		rc = setup ? co_wait(&imp->slot_q, 0) : rpc_soft_co_slot(imp, d, call, since);
		if (rc)
			return rc;
	}
	bit = __builtin_ctzll(imp->slots & mine);
	imp->slots &= ~(1ULL << bit);
	*slot = (uint16_t)(imp->client->lane * SESSION_SLOTS + (uint32_t)bit + 1);
	return 0;
}

/* The request that another process has sent for the same; its slot may be another lane's. */
static struct rpc_note *claim(struct rpc_import *imp, const struct rpc_desc *d)
{
	uint64_t tag = imp->cfg.nclaims ? fiber_tag() : 0;
	struct rpc_note *n;

	for (n = imp->cfg.claims; tag && n < imp->cfg.claims + imp->cfg.nclaims; n++)
		if (n->tag == tag && n->nr == d->nr && !atomic_exchange(&n->claimed, 1))
			return n;
	return NULL;
}

static void note(struct rpc_import *imp, const struct pending *p, uint16_t slot)
{
	struct rpc_note *n = imp->cfg.notes + slot - 1;

	n->tag = 0;
	atomic_signal_fence(memory_order_seq_cst); /* who reads it comes after our death */
	n->xid = p->call->xid;
	n->nr = p->desc->nr;
	atomic_signal_fence(memory_order_seq_cst);
	n->tag = fiber_tag();
}

/* Slots of this lane with notes of another process. */
static uint64_t slots_claimed(const struct rpc_import *imp, bool (*open)(void *arg, uint64_t tag),
			      void *arg)
{
	const struct rpc_note *n = imp->cfg.claims + imp->client->lane * SESSION_SLOTS;
	uint64_t bits = 0;
	uint32_t i;

	if ((imp->client->lane + 1) * SESSION_SLOTS > imp->cfg.nclaims)
		return 0;
	for (i = 0; i < SESSION_SLOTS; i++)
		if (n[i].tag && (!open || open(arg, n[i].tag)))
			bits |= 1ULL << i;
	return bits;
}

void rpc_import_settle(struct rpc_import *imp, bool (*open)(void *arg, uint64_t tag), void *arg)
{
	imp->slots |= slots_claimed(imp, NULL, NULL) & ~slots_claimed(imp, open, arg);
	co_wake_all(&imp->slot_q);
}

void rpc_import_hold_claimed(struct rpc_import *imp)
{
	imp->slots &= ~slots_claimed(imp, NULL, NULL) | SETUP_SLOT;
}

static void slot_give(struct rpc_import *imp, uint16_t slot)
{
	imp->slots |= 1ULL << ((slot - 1U) % SESSION_SLOTS);
	co_wake_one(&imp->slot_q);
}

static int call_prepare(struct rpc_import *imp, struct pending *p, const void *req)
{
	struct rpc_call *call = p->call;
	struct msg *m;

	p->out = rpc_frame_get();
	if (!p->out)
		return -ENOMEM;
	p->desc->req_enc(&p->out->body, req);
	if (p->out->body.rc)
		return p->out->body.rc;
	m = &p->out->m;
	m->h = (struct wire_hdr){
		.version = WIRE_VERSION,
		.rpc = p->desc->nr,
		.xid = ++imp->next_xid,
		.body_len = p->out->body.len,
		.deadline_ms = call->deadline_ms,
		.flags = call->flags & RPC_CALL_RECLAIM ? WIRE_RECLAIM : 0,
	};
	m->body = p->out->body.ptr;
	m->done = out_done;
	m->owner = p;
	if (call->out_n) {
		m->iov = (struct iovec *)(uintptr_t)call->out; /* only read from */
		m->iov_n = call->out_n;
		m->h.bulk_len = (uint32_t)iov_len(call->out, call->out_n);
		if (!(call->flags & RPC_CALL_NOCRC)) {
			m->h.bulk_crc = crc32c_iov(call->out, call->out_n);
			m->h.flags |= WIRE_BULK_CRC;
		}
	}
	call->xid = m->h.xid;
	return 0;
}

static void call_begin(struct rpc_import *imp, struct pending *p)
{
	p->start_ns = loop_clock(imp->l);
	p->timer = (struct loop_timer){.fn = call_timeout, .arg = p};
	TAILQ_INSERT_TAIL(&imp->calls, p, link);
	LIST_INSERT_HEAD(&imp->hash[p->call->xid % PENDING_HASH], p, hash);
}

/* Waits for the answer. */
static void call_co_finish(struct rpc_import *imp, struct pending *p)
{
	p->fiber = fiber_self();
	fiber_co_suspend();
	loop_timer_stop(imp->l, &p->timer);
	if (imp->cfg.timeo_ms)
		rpc_soft_end(p);
	if (p->riding)
		ride_end(imp, p);
	TAILQ_REMOVE(&imp->calls, p, link);
	LIST_REMOVE(p, hash);
}

static int call_reply(struct pending *p, void *rep)
{
	struct rpc_call *call = p->call;
	struct rbuf r;
	int rc = p->done ? p->rc : p->given_up ? -EIO : -ETIMEDOUT;

	if (!p->in)
		return rc;
	call->reply = &p->in->m;
	call->hdr = p->in->m.h;
	call->in_len = p->in->m.h.bulk_len;
	if (rc)
		return rc;
	if (call->hdr.status)
		return call->hdr.status < 0 && call->hdr.status > -4096 ? call->hdr.status : -EIO;
	r = (struct rbuf){p->in->m.body, call->hdr.body_len};
	rc = p->desc->rep_dec(&r, rep);
	if (rc)
		log_err("%s: cannot decode the reply to %s", p->imp->target, p->desc->name);
	return rc;
}

/* A call of the handshake or of the reclaim belongs to its connection. */
static bool is_setup(const struct rpc_desc *d, const struct rpc_call *call)
{
	return d->nr == RPC_any_connect || (call->flags & RPC_CALL_RECLAIM);
}

static int call_co_run(struct rpc_import *imp, struct pending *p, const void *req)
{
	struct rpc_call *call = p->call;
	struct rpc_note *old = NULL;
	uint16_t slot = 0;
	int rc;

	if (imp->cfg.co_room && (p->desc->flags & RPC_MODIFIES) && !is_setup(p->desc, call))
		imp->cfg.co_room(imp->cfg.arg, imp);
	if ((p->desc->flags & RPC_MODIFIES) && !is_setup(p->desc, call))
		old = claim(imp, p->desc);
	p->sent = old;
	if (old) {
		slot = (uint16_t)(old - imp->cfg.claims + 1);
	} else if (p->desc->flags & RPC_MODIFIES) {
		rc = slot_co_take(imp, p->desc, call, is_setup(p->desc, call), &slot);
		if (rc)
			return rc;
	}
	if (imp->closing)
		rc = -ENOTCONN;
	else if (!imp->conn && is_setup(p->desc, call))
		rc = -ECONNRESET;
	else
		rc = call_prepare(imp, p, req);
	if (rc) {
		if (slot && !old)
			slot_give(imp, slot);
		return rc;
	}
	p->out->m.h.slot = slot;
	if (old)
		p->out->m.h.xid = call->xid = old->xid;
	if (slot && imp->cfg.notes)
		note(imp, p, slot);
	call_begin(imp, p);
	if (call->deadline_ms)
		loop_timer_start(imp->l, &p->timer, call->deadline_ms * NSEC_PER_MSEC);
	if (imp->cfg.timeo_ms && !is_setup(p->desc, call))
		rpc_soft_begin(p);
	if (call->on_sent)
		call->on_sent(call->on_sent_arg, call->xid);
	if (imp->state == IMP_FULL && (p->desc->flags & RPC_RIDES) &&
	    !(call->flags & RPC_CALL_NOW))
		ride(imp, p);
	else if (call_may_send(imp, call, p->desc))
		import_send(imp, p);
	call_co_finish(imp, p);
	if (slot && !old)
		slot_give(imp, slot);
	stat_add(&imp->stats[p->desc->nr], (loop_clock(imp->l) - p->start_ns) / 1000);
	return 0;
}

int rpc_co_call(struct rpc_import *imp, const struct rpc_desc *d, struct rpc_call *call,
		const void *req, void *rep)
{
	struct pending p = {.imp = imp, .desc = d, .call = call};
	int rc;

	assert(!call->reply);
	if (imp->closing)
		return -ENOTCONN;
	if (!imp->active)
		return -EIO;
	rc = call_co_run(imp, &p, req);
	if (rc == 0)
		rc = call_reply(&p, rep);
	if (p.out)
		rpc_frame_put(p.out);
	return rc;
}

static int replay_prepare(struct pending *p, const struct rpc_kept *k)
{
	struct msg *m;

	p->out = rpc_frame_get();
	if (!p->out)
		return -ENOMEM;
	wbuf_put(&p->out->body, k->body, k->body_len);
	m = &p->out->m;
	m->h = (struct wire_hdr){
		.version = WIRE_VERSION,
		.rpc = k->rpc,
		.flags = WIRE_REPLAY,
		.slot = k->slot,
		.xid = k->xid,
		.transno = k->transno,
		.time = k->time,
		.body_len = k->body_len,
		.reply_len = k->reply_len,
	};
	m->body = p->out->body.ptr;
	m->done = out_done;
	m->owner = p;
	p->call->xid = k->xid;
	return p->out->body.rc;
}

int rpc_co_replay(struct rpc_import *imp, const struct rpc_kept *k, struct wire_hdr *hdr)
{
	RPC_CALL(call);
	struct pending p = {.imp = imp, .desc = rpc_desc_find(k->rpc), .call = &call};
	int rc;

	call.flags = RPC_CALL_RECLAIM;
	rc = !imp->conn ? -ECONNRESET : replay_prepare(&p, k);
	if (rc == 0) {
		call_begin(imp, &p);
		import_send(imp, &p);
		call_co_finish(imp, &p);
		rc = p.rc;
	}
	if (p.in) {
		call.reply = &p.in->m;
		*hdr = p.in->m.h;
		if (rc == 0)
			rc = hdr->status;
	}
	if (p.out)
		rpc_frame_put(p.out);
	return rc;
}

void rpc_call_fini(struct rpc_call *call)
{
	if (call->reply)
		rpc_frame_put(container_of(call->reply, struct rpc_frame, m));
	call->reply = NULL;
}

void rpc_import_fail_setup(struct rpc_import *imp, int rc)
{
	struct pending *p;

	TAILQ_FOREACH(p, &imp->calls, link)
		if (is_setup(p->desc, p->call))
			pending_end(p, rc);
}

void rpc_import_fail_calls(struct rpc_import *imp, int rc)
{
	struct pending *p;

	TAILQ_FOREACH(p, &imp->calls, link)
		pending_end(p, rc);
}
