/* SPDX-License-Identifier: Apache-2.0 */
/* uring.c - see uring.h.
 *
 * An entry belongs to the request that it brought until the answer is committed, so requests in
 * work are bounded by entries, and a request that comes when all are taken stays in the kernel
 * until one is committed: not until one is added. Lock requests wait for each other, so there must
 * always be entries left: as soon as fewer than half the depth are, more are registered, up to
 * ENTS_MAX; if it was too late for some request, kick.c helps. Entries cost little: memory of a
 * payload is used only when something large comes.
 *
 * Small requests are copied out of the entry, as what came from /dev/fuse is. Large ones stay where
 * the kernel put them until the handler has returned, and only then the answer is committed. What
 * is read goes into the entry's memory directly.
 *
 * Entries are gathered and submitted once before the loop waits. A request that comes while it
 * waits interrupts the wait (EINTR), so completions are looked for after every wait; the ring's
 * descriptor wakes the loop for those that come in between.
 */
#include "client/fuse/uring.h"
#include "client/fuse/again.h"
#include "client/fuse/face.h"
#include "client/fuse/uring_abi.h"
#include "client/fuse/uring_mem.h"
#include "common/log.h"
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/uio.h>

enum {
	SQ_ENTRIES = 256,
	ENTS_MAX = 512, /* of a lane, besides one of each queue */
	LOW = 4,        /* entries that a queue has left, or more come */
	SPARE = 64,
	TABLE = 256,
	REAP_MAX = 256,
	OP_URING_CMD = 46
};

struct uring_ent {
	struct uring_rec *rec; /* the kernel writes and reads here, and so may the next process */
	struct uring *u;
	uint32_t index, slot;
	uint32_t queue;
	bool registering;
	bool adopting; /* the last process has answered it, perhaps in vain */
	bool in_place;  /* the request is read where it lies: answer it when its handler is done */
	bool reply_mem; /* the handler writes its answer into the slot */
	bool answered;
	bool warm; /* the slot has memory */
	uint64_t unique;
	struct serve *serve;
	struct iovec iov[2];
	LIST_ENTRY(uring_ent) link; /* while the request is not answered */
};

struct uring_queue {
	uint32_t ents, held;
	bool dry; /* had none left: requests may wait in the kernel */
};

struct uring {
	struct flane *fl;
	struct uring_cfg cfg;
	struct io_uring ring;
	struct uring_mem *mem;
	struct loop_fd *w;
	struct loop_work submit_work, wake_work;
	struct loop_timer retry;
	bool open;
	uint32_t nents, ents_max, nplace, nwarm;
	uint32_t next; /* no place before it is free */
	struct uring_queue *queue;
	struct uring_ent **ent; /* by index; they stay */
	LIST_HEAD(, uring_ent) table[TABLE];
};

static __thread struct uring *mine;

/* ---- commands ---- */

static struct io_uring_sqe *sqe_get(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (!sqe) {
		if (io_uring_submit(&u->ring) < 0)
			return NULL;
		sqe = io_uring_get_sqe(&u->ring);
	}
	return sqe;
}

/* False: the kernel takes nothing more now. */
static bool command(struct uring_ent *e, uint32_t op)
{
	struct uring *u = e->u;
	struct io_uring_sqe *sqe = sqe_get(u);
	struct uring_cmd *cmd;

	if (!sqe)
		return false;
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = OP_URING_CMD;
	sqe->fd = u->fl->face->fd;
	sqe->cmd_op = op;
	sqe->addr = (uintptr_t)e->iov;
	sqe->len = ARRAY_SIZE(e->iov);
	sqe->user_data = (uintptr_t)e;
	cmd = (struct uring_cmd *)sqe->cmd;
	cmd->commit_id = e->unique;
	cmd->qid = (uint16_t)(u->cfg.first + e->queue);
	loop_before_wait(u->fl->loop, &u->submit_work);
	return true;
}

static struct uring_ent *ent_new(struct uring *u, uint32_t i, uint32_t queue)
{
	struct uring_ent *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct uring_ent){.u = u, .index = i, .queue = queue};
	e->rec = uring_mem_rec(u->mem, i);
	e->slot = e->rec->slot;
	e->iov[0] = (struct iovec){&e->rec->head, sizeof(e->rec->head)};
	e->iov[1] = (struct iovec){uring_mem_kernel(u->mem, i), u->cfg.payload};
	u->ent[i] = e;
	u->nents++;
	u->queue[queue].ents++;
	return e;
}

static bool ent_register(struct uring_ent *e)
{
	e->registering = true;
	e->adopting = false;
	e->unique = 0;
	e->rec->unique = e->rec->head.commit_id = 0;
	e->rec->queue = e->queue;
	atomic_store(&e->rec->state, REC_FETCH);
	return command(e, URING_CMD_REGISTER);
}

static void ent_add(struct uring *u, uint32_t queue)
{
	struct uring_ent *e;

	while (u->next < u->ents_max && u->ent[u->next])
		u->next++;
	e = u->next < u->ents_max ? ent_new(u, u->next, queue) : NULL;
	if (!e || ent_register(e))
		return; /* with fewer it works as well */
	u->ent[e->index] = NULL;
	u->nents--;
	u->queue[queue].ents--;
	atomic_store(&e->rec->state, REC_NONE);
	free(e);
}

static uint32_t low_water(const struct uring *u)
{
	return u->cfg.depth / 2 > LOW ? u->cfg.depth / 2 : LOW;
}

/* Large requests that are held are no reason: the kernel shall wait then. */
static void ents_grow(struct uring *u)
{
	uint32_t i, low = low_water(u);

	for (i = 0; i < u->cfg.nqueues; i++) {
		const struct uring_queue *q = &u->queue[i];
		uint32_t want = q->held && q->ents - q->held < low ? low - (q->ents - q->held) : 0;

		while (want-- && u->nents < u->ents_max && u->nplace < LANE_BIG)
			ent_add(u, i);
	}
}

static void ents_kick(struct uring *u)
{
	uint32_t i;

	for (i = 0; i < u->cfg.nqueues; i++) {
		struct uring_queue *q = &u->queue[i];

		if (q->dry && q->held < q->ents)
			kicker_kick(u->fl->face->kicker, u->cfg.first + i);
		q->dry = q->dry && q->held == q->ents;
	}
}

static void submit(void *arg)
{
	struct uring *u = arg;
	int rc;

	if (!u->open)
		return;
	ents_grow(u);
	rc = io_uring_submit(&u->ring);
	if (rc >= 0 && !io_uring_sq_ready(&u->ring)) {
		ents_kick(u);
		return;
	}
	if (rc < 0 && rc != -EAGAIN && rc != -EBUSY && rc != -EINTR)
		log_err("FUSE over io_uring: submit: %s", err_str(rc));
	if (!u->retry.due_ns)
		loop_timer_start(u->fl->loop, &u->retry, (uint64_t)NSEC_PER_MSEC);
}

/* ---- memory ---- */

static void warm_set(struct uring_ent *e)
{
	if (!e->warm)
		e->u->nwarm++;
	e->warm = true;
}

/* Nobody needs what is in the slot. */
static void warm_trim(struct uring_ent *e)
{
	if (!e->warm || e->u->nwarm <= e->u->cfg.keep)
		return;
	uring_mem_trim(e->u->mem, e->slot);
	e->warm = false;
	e->u->nwarm--;
}

/* ---- answers ---- */

static struct uring_ent *find(struct uring *u, uint64_t unique)
{
	struct uring_ent *e;

	LIST_FOREACH(e, &u->table[unique / 2 % TABLE], link)
	if (e->unique == unique)
		return e;
	return NULL;
}

/* Hands the answer over; what is in the slot is the kernel's from now on. */
static void commit(struct uring_ent *e)
{
	struct uring *u = e->u;

	u->queue[e->queue].held--;
	u->nplace -= e->in_place;
	if (e->in_place)
		warm_trim(e);
	if (e->serve)
		e->serve->ent = NULL;
	e->serve = NULL;
	e->in_place = e->reply_mem = e->answered = false;
	if (u->open && !command(e, URING_CMD_COMMIT_AND_FETCH))
		log_err("FUSE over io_uring: an answer cannot be submitted");
}

/* The answer goes where the request lies; if it does not get finished, that is needed again. */
static void save(struct uring_ent *e, uint64_t len)
{
	struct uring_rec *r = e->rec;

	if (r->saved)
		return;
	len = min_u64(len, r->payload);
	if (len <= REC_SAVED)
		memcpy(r->save, uring_mem_slot(e->u->mem, e->slot), len);
	atomic_signal_fence(memory_order_seq_cst);
	r->saved = (uint32_t)len;
	atomic_signal_fence(memory_order_seq_cst);
}

static void fill(struct uring_ent *e, const struct iovec *iov, int n)
{
	uint8_t *at = uring_mem_slot(e->u->mem, e->slot);
	struct fuse_out_header h;
	uint64_t len = 0;
	int i;

	memcpy(&h, iov[0].iov_base, sizeof(h));
	for (i = 1; i < n; i++)
		len += iov[i].iov_len;
	save(e, len);
	atomic_store_explicit(&e->rec->state, REC_ANSWERING, memory_order_release);
	if (len > e->u->cfg.payload) {
		log_err("FUSE over io_uring: an answer of %llu bytes", (unsigned long long)len);
		h.error = -EIO;
		len = 0;
	}
	for (i = 1; i < n && len; i++) {
		if (at != iov[i].iov_base)
			memmove(at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	if (len > REQ_SMALL)
		warm_set(e);
	h.len = (uint32_t)(sizeof(h) + len);
	memcpy(e->rec->head.in_out, &h, sizeof(h));
	e->rec->head.payload_len = (uint32_t)len;
	atomic_store_explicit(&e->rec->state, REC_ANSWERED, memory_order_release);
}

static void answer(struct uring_ent *e, const struct iovec *iov, int n)
{
	fill(e, iov, n);
	LIST_REMOVE(e, link);
	e->answered = true;
	if (!e->in_place)
		commit(e);
}

static void answer_error(struct uring_ent *e, int rc)
{
	struct fuse_out_header h = {.error = rc, .unique = e->unique};
	struct iovec iov = {&h, sizeof(h)};

	answer(e, &iov, 1);
}

bool uring_reply(const struct iovec *iov, int n)
{
	const struct fuse_out_header *h = iov[0].iov_base;
	struct uring_ent *e = mine ? find(mine, h->unique) : NULL;

	if (e)
		answer(e, iov, n);
	return e;
}

uint8_t *uring_reply_mem(struct serve *s, uint32_t len)
{
	struct uring_ent *e = s->ent;

	if (!e || e->in_place || len > e->u->cfg.payload)
		return NULL;
	if (len > REQ_SMALL)
		warm_set(e);
	save(e, len);
	e->reply_mem = true;
	return uring_mem_slot(e->u->mem, e->slot);
}

int uring_abandon(struct serve *s)
{
	struct uring_ent *e = s->ent;
	uint32_t slot;
	int rc;

	if (!e || e->answered)
		return 0;
	if (e->in_place || e->reply_mem) {
		rc = uring_mem_swap(e->u->mem, e->index, &slot);
		if (rc)
			return rc;
		s->slot = e->slot + 1;
		e->slot = slot;
		e->u->nplace -= e->in_place;
		e->u->nwarm -= e->warm;
		e->in_place = e->reply_mem = e->warm = false;
	}
	return 0;
}

void uring_serve_end(struct serve *s)
{
	struct uring_ent *e = s->ent;

	if (s->slot) {
		uring_mem_give(s->fl->uring->mem, s->slot - 1);
		s->slot = 0;
	}
	if (!e)
		return;
	if (!e->answered) {
		log_err("request %u was not answered", serve_head(s)->opcode);
		answer_error(e, -EIO);
	}
	if (s->ent)
		commit(e);
}

/* ---- requests ---- */

/* Puts the request together as /dev/fuse would have brought it. The kernel is believed, but what
 * does not fit is refused. */
static int gather(struct uring_ent *e, struct serve *s)
{
	const struct uring_head *head = &e->rec->head;
	uint8_t *payload = uring_mem_slot(e->u->mem, e->slot);
	struct fuse_in_header h;
	uint32_t op;

	memcpy(&h, head->in_out, sizeof(h));
	if (head->payload_len > e->u->cfg.payload || h.len < sizeof(h) + head->payload_len)
		return -EIO;
	op = h.len - (uint32_t)sizeof(h) - head->payload_len;
	if (op > URING_OP_MAX)
		return -EIO;
	e->in_place = h.len > REQ_SMALL;
	e->u->nplace += e->in_place;
	if (e->in_place) {
		s->data = payload - op - sizeof(h);
		warm_set(e);
	} else {
		memcpy(s->data + sizeof(h) + op, payload, head->payload_len);
		warm_trim(e); /* not of the request: it may be needed again */
	}
	memcpy(s->data, &h, sizeof(h));
	memcpy(s->data + sizeof(h), head->op_in, op);
	s->len = h.len;
	return 0;
}

/* The request is in the entry. again: the last process had it. */
static void serve_taken(struct uring_ent *e, bool again)
{
	struct uring *u = e->u;
	struct uring_queue *q = &u->queue[e->queue];
	struct serve *s = flane_serve_get(u->fl);
	int rc = s ? 0 : -ENOMEM;

	q->held++;
	q->dry |= q->held == q->ents;
	LIST_INSERT_HEAD(&u->table[e->unique / 2 % TABLE], e, link);
	if (s) {
		s->ent = e;
		s->again = again;
		e->serve = s;
		rc = gather(e, s);
	}
	if (rc) {
		log_err("FUSE over io_uring: a request is refused: %s", err_str(rc));
		answer_error(e, rc);
		if (s)
			flane_serve_put(s);
		return;
	}
	if (q->ents - q->held < low_water(u))
		loop_before_wait(u->fl->loop, &u->submit_work);
	flane_serve(u->fl, s);
}

static void take(struct uring_ent *e)
{
	e->registering = e->adopting = false;
	e->unique = e->rec->head.commit_id;
	e->rec->unique = e->unique;
	e->rec->payload = e->rec->head.payload_len;
	e->rec->saved = 0;
	memcpy(&e->rec->in, e->rec->head.in_out, sizeof(e->rec->in));
	atomic_store_explicit(&e->rec->state, REC_HELD, memory_order_release);
	serve_taken(e, false);
}

/* It brings nothing any more. */
static void lost(struct uring_ent *e, int rc)
{
	struct uring *u = e->u;
	bool over = rc == -ENOTCONN || rc == -ECONNABORTED || rc == -ECANCELED || rc == -ENODEV;

	if (e->adopting && rc == -ENOENT && ent_register(e))
		return; /* the kernel had the answer: the entry died with the last process */
	atomic_store(&e->rec->state, REC_NONE);
	u->queue[e->queue].ents--;
	if (e->registering && !over)
		transport_refused(u->fl->face, rc);
	else if (!over)
		log_err("FUSE over io_uring: an answer is refused: %s", err_str(rc));
}

void uring_reap(struct uring *u)
{
	struct io_uring_cqe *cqe;
	int i;

	for (i = 0; i < REAP_MAX && u->open && !atomic_load(&u->fl->face->ended) &&
		    !atomic_load(&u->fl->face->leaving);
	     i++) {
		struct uring_ent *e;
		int rc;

		if (io_uring_peek_cqe(&u->ring, &cqe))
			return;
		e = io_uring_cqe_get_data(cqe);
		rc = cqe->res;
		io_uring_cqe_seen(&u->ring, cqe);
		if (rc)
			lost(e, rc);
		else
			take(e);
	}
}

static void after_wait(void *arg)
{
	uring_reap(arg);
}

static void ring_ready(void *arg, int events)
{
	(void)events;
	uring_reap(arg);
}

/* ---- life ---- */

static int ring_init(struct uring *u)
{
	const unsigned common = IORING_SETUP_SQE128 | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
	const unsigned coop = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
	struct io_uring_params p = {
		.flags = common | coop | IORING_SETUP_SINGLE_ISSUER,
		.cq_entries = u->ents_max,
	};

	return io_uring_queue_init_params(SQ_ENTRIES, &u->ring, &p);
}

/* What the kernel has given to the last process, and was not answered or not surely. */
static bool is_pending(const struct uring_rec *r)
{
	return r->state >= REC_HELD || (r->state == REC_FETCH && r->head.commit_id);
}

static int memory(struct uring *u)
{
	struct book *b = u->fl->face->book;
	struct uring_place place = {
		.fd = book_fd(b),
		.off = book_size() + u->fl->index * URING_LANE_BYTES,
		.ring = &book_head(b)->ring[u->fl->index],
	};
	int rc = uring_mem_create(u->cfg.payload, u->ents_max, SPARE, place.fd < 0 ? NULL : &place,
				  &u->mem);
	bool *used;
	uint32_t i;

	if (rc)
		return rc;
	used = calloc(u->ents_max, sizeof(*used));
	if (!used)
		return -ENOMEM;
	for (i = 0; i < u->ents_max && uring_mem_is_inherited(u->mem); i++)
		used[i] = is_pending(uring_mem_rec(u->mem, i));
	rc = uring_mem_inherit(u->mem, used);
	free(used);
	return rc;
}

int uring_create(struct flane *fl, const struct uring_cfg *cfg, struct uring **out)
{
	struct uring *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return -ENOMEM;
	u->fl = fl;
	u->cfg = *cfg;
	u->ents_max = cfg->nqueues + ENTS_MAX;
	u->submit_work = (struct loop_work){.fn = submit, .arg = u};
	u->wake_work = (struct loop_work){.fn = after_wait, .arg = u};
	u->retry = (struct loop_timer){.fn = submit, .arg = u};
	u->queue = calloc(cfg->nqueues, sizeof(*u->queue));
	u->ent = calloc(u->ents_max, sizeof(struct uring_ent *));
	rc = u->queue && u->ent ? 0 : -ENOMEM;
	if (rc == 0)
		rc = memory(u);
	if (rc == 0)
		rc = ring_init(u);
	if (rc) {
		uring_destroy(u);
		return rc;
	}
	u->open = true;
	rc = loop_fd_create(fl->loop, u->ring.ring_fd, ring_ready, u, &u->w);
	if (rc) {
		uring_stop(u);
		uring_destroy(u);
		return rc;
	}
	*out = u;
	return 0;
}

/* To the CPUs whose requests it serves, as far as it may use them. */
static void bind_thread(const struct uring *u)
{
	cpu_set_t set;
	uint32_t i;

	CPU_ZERO(&set);
	for (i = 0; i < u->cfg.nqueues; i++)
		if (u->cfg.first + i < CPU_SETSIZE)
			CPU_SET(u->cfg.first + i, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		log_dbg("lane %u is not bound to its processors: %s", u->fl->index, err_str(errno));
}

/* The request as it was, whatever has been put over it. */
static void serve_again(struct uring_ent *e)
{
	struct uring_rec *r = e->rec;

	e->unique = r->unique;
	memcpy(r->head.in_out, &r->in, sizeof(r->in));
	r->head.payload_len = r->payload;
	if (r->saved > REC_SAVED) {
		e->u->queue[e->queue].held++;
		LIST_INSERT_HEAD(&e->u->table[e->unique / 2 % TABLE], e, link);
		log_err("a request cannot be served again");
		answer_error(e, -EIO);
		return;
	}
	memcpy(uring_mem_slot(e->u->mem, e->slot), r->save, r->saved);
	r->saved = 0;
	atomic_store(&r->state, REC_HELD);
	serve_taken(e, true);
}

/* The entries that the last process had; see enum rec_state. */
static void adopt(struct uring *u)
{
	uint32_t i, n = 0;

	for (i = 0; i < u->ents_max; i++) {
		struct uring_rec *r = uring_mem_rec(u->mem, i);

		if (!is_pending(r) || r->queue >= u->cfg.nqueues) {
			atomic_store(&r->state, REC_NONE);
			continue;
		}
		if (!ent_new(u, i, r->queue))
			log_err("out of memory: a request is not answered");
		else if (r->head.commit_id == r->unique && r->state != REC_ANSWERED)
			again_begin(u->fl->face->agains, r->unique);
	}
	for (i = 0; i < u->ents_max; i++) {
		struct uring_ent *e = u->ent[i];

		if (!e)
			continue;
		n++;
		if (e->rec->head.commit_id != e->rec->unique) {
			take(e);
		} else if (e->rec->state != REC_ANSWERED) {
			serve_again(e);
		} else {
			e->adopting = true;
			e->unique = e->rec->unique;
			if (!command(e, URING_CMD_COMMIT_AND_FETCH))
				log_err("FUSE over io_uring: an answer cannot be submitted");
		}
	}
	log_dbg("lane %u took over %u requests", u->fl->index, n);
	for (i = 0; i < u->cfg.nqueues; i++)
		u->queue[i].dry = true; /* others wait in the kernel */
}

void uring_start(struct uring *u)
{
	uint32_t i, k;

	mine = u;
	bind_thread(u);
	if (uring_mem_is_inherited(u->mem))
		adopt(u);
	for (i = 0; i < u->cfg.nqueues; i++)
		for (k = 0; k < u->cfg.depth && u->nents < u->ents_max; k++)
			if (k == 0 || u->nents + u->cfg.nqueues - i < u->ents_max)
				ent_add(u, i);
	loop_after_wait(u->fl->loop, &u->wake_work);
	loop_fd_set(u->w, LOOP_READ);
}

void uring_stop(struct uring *u)
{
	if (!u || !u->open)
		return;
	u->open = false;
	if (u->w)
		loop_fd_set(u->w, 0);
	loop_timer_stop(u->fl->loop, &u->retry);
	loop_after_wait(u->fl->loop, NULL);
	io_uring_queue_exit(&u->ring);
	mine = NULL;
}

void uring_destroy(struct uring *u)
{
	uint32_t i;

	if (!u)
		return;
	loop_fd_destroy(u->w);
	for (i = 0; u->ent && i < u->ents_max; i++)
		free(u->ent[i]);
	uring_mem_destroy(u->mem);
	free(u->ent);
	free(u->queue);
	free(u);
}

/* A request is in it as soon as the kernel has written its number. */
uint32_t uring_free(const struct uring *u, uint32_t cpu)
{
	uint32_t i, n = 0;

	for (i = 0; i < u->ents_max; i++) {
		const struct uring_ent *e = u->ent[i];
		uint64_t brought;

		if (!e || u->cfg.first + e->queue != cpu)
			continue;
		brought = *(const volatile uint64_t *)&e->rec->head.commit_id;
		if (e->rec->state == REC_FETCH)
			n += brought == 0;
		else if (e->rec->state == REC_ANSWERED)
			n += brought == e->rec->unique;
	}
	return n;
}

uint32_t uring_entries(const struct uring *u)
{
	return __atomic_load_n(&u->nents, __ATOMIC_RELAXED);
}
