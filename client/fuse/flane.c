/* SPDX-License-Identifier: Apache-2.0 */
/* flane.c - a thread of the mount: reads requests from /dev/fuse and runs each in a fiber.
 *
 * The kernel wants every read to offer room for the largest WRITE. What is read is nearly
 * always small, so it is copied into a small buffer and the big one is read into again: only a
 * large WRITE keeps its big buffer, and the bytes to write stay where the kernel put them until
 * the servers have them. The buffer is placed so that they start on a page.
 *
 * A queue that holds more than one request is emptied at once, so that what they send to
 * servers goes out together. When they come one by one the second read would find nothing each
 * time: then it is only tried now and then.
 *
 * Back-pressure: with LANE_INFLIGHT requests or LANE_BIG large writes in flight the lane stops
 * reading the device, and the kernel's queue fills up.
 */
#include "client/fuse/again.h"
#include "client/fuse/soft.h"
#include "common/log.h"
#include "common/rpc_msg.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, DRAIN = 64, LOOK_AGAIN = 8, TMPFILE_OPCODE = 51 };
#define LOOK_NS ((uint64_t)NSEC_PER_SEC)
#define SETTLE_NS (2 * (uint64_t)NSEC_PER_SEC)
#define LEAVE_NS  (2 * (uint64_t)NSEC_PER_SEC)
#define BIG_CAP (REQ_HEAD + REQ_MAX_WRITE + PAGE) /* a WRITE with extensions behind it */

static __thread struct serve *here;

struct serve *serve_here(void)
{
	assert(here);
	return here;
}

uint64_t asked_here(void)
{
	return serve_here()->asked_ns;
}

struct flane *flane_here(void)
{
	return serve_here()->fl;
}

const void *serve_body(const struct serve *s, size_t len)
{
	return s->len >= sizeof(struct fuse_in_header) + len
		       ? s->data + sizeof(struct fuse_in_header)
		       : NULL;
}

/* ---- buffers ---- */

static struct serve *big_get(struct flane *fl)
{
	struct serve *s = fl->free_big;
	uint8_t *mem;

	if (s) {
		fl->free_big = s->next;
		return s;
	}
	if (fl->nbig == LANE_BIG)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	mem = aligned_alloc(PAGE, (PAGE + BIG_CAP + PAGE - 1) / PAGE * PAGE);
	if (!mem) {
		free(s);
		return NULL;
	}
	s->fl = fl;
	s->big = true;
	s->data = mem + PAGE - REQ_HEAD;
	fl->nbig++;
	return s;
}

static struct serve *small_get(struct flane *fl)
{
	struct serve *s = fl->free_small;

	if (s) {
		fl->free_small = s->next;
		return s;
	}
	s = malloc(sizeof(*s) + REQ_SMALL);
	if (s)
		*s = (struct serve){.fl = fl, .data = (uint8_t *)(s + 1)};
	return s;
}

struct serve *flane_serve_get(struct flane *fl)
{
	struct serve *s = small_get(fl);

	if (s)
		s->asked_ns = loop_clock(fl->loop);
	return s;
}

static void serve_put(struct serve *s)
{
	struct serve **list = s->big ? &s->fl->free_big : &s->fl->free_small;

	uring_serve_end(s);
	if (s->again)
		again_end(s->fl->face->agains, serve_tag(s));
	s->again = false;
	if (!s->big)
		s->data = (uint8_t *)(s + 1);
	s->next = *list;
	*list = s;
}

static void buffers_free(struct flane *fl)
{
	struct serve *s;

	while ((s = fl->free_big)) {
		fl->free_big = s->next;
		free(s->data - (PAGE - REQ_HEAD));
		free(s);
	}
	while ((s = fl->free_small)) {
		fl->free_small = s->next;
		free(s);
	}
}

struct buf *flane_co_buf(struct flane *fl, uint32_t len)
{
	struct buf *b;

	while (!(b = buf_get(fl->pool, len)))
		if (co_wait(&fl->mem_q, 0))
			continue;
	return b;
}

uint8_t *flane_co_read_mem(struct flane *fl, struct serve *s, uint32_t len, struct buf **b)
{
	uint8_t *mem = uring_reply_mem(s, len);

	*b = mem ? NULL : flane_co_buf(fl, len);
	return mem ? mem : (*b)->ptr;
}

static void buf_freed(void *arg)
{
	co_wake_all(&((struct flane *)arg)->mem_q);
}

/* ---- serving ---- */

static void serve_end(struct serve *s)
{
	struct flane *fl = s->fl;

	TAILQ_REMOVE(&fl->serving, s, link);
	glance_done(fl, s);
	serve_put(s);
	fl->inflight--;
	if (fl->blocked && !atomic_load(&fl->face->ended))
		balance_block(fl, false);
	if (!fl->inflight)
		co_wake_all(&fl->idle_q);
}

static void serve_fiber(void *arg)
{
	struct serve *s = arg;
	struct fuse_buf fb = {.size = s->len, .mem = s->data};

	here = s;
	fiber_set_tag(serve_tag(s));
	if (serve_head(s)->opcode == TMPFILE_OPCODE)
		tmpfile_co_serve(s->fl, s);
	else
		fuse_session_process_buf(s->fl->face->se, &fb);
	if (s->given_up)
		interrupt_co_over(s);
	serve_end(s);
}

/* INIT and INTERRUPT are not of the kind that waits; they need no fiber. */
static bool serve_inline(struct flane *fl, const struct serve *s)
{
	const struct fuse_in_header *h = serve_head(s);
	struct fuse_buf fb = {.size = s->len, .mem = s->data};

	if (h->opcode != FUSE_INIT && h->opcode != FUSE_INTERRUPT && h->opcode != FUSE_DESTROY)
		return glance_request(fl, s) || fast_serve(fl, s);
	if (h->opcode == FUSE_INTERRUPT) {
		interrupt_ask(fl->face, s);
		return true;
	}
	if (h->opcode == FUSE_INIT) {
		session_note_init(fl->face, s);
		transport_init_in(fl->face, serve_body(s, sizeof(struct fuse_init_in)));
	}
	fuse_session_process_buf(fl->face->se, &fb);
	return true;
}

static void look(void *arg)
{
	struct flane *fl = arg;

	if (interrupt_look(fl, loop_clock(fl->loop) - LOOK_NS))
		loop_timer_start(fl->loop, &fl->look, LOOK_NS);
}

void flane_look(struct flane *fl)
{
	if (!fl->look.due_ns)
		loop_timer_start(fl->loop, &fl->look, LOOK_NS);
}

static void serve_start(struct flane *fl, struct serve *s)
{
	fl->inflight++;
	TAILQ_INSERT_TAIL(&fl->serving, s, link);
	s->looked = s->given_up = false;
	s->kill_ns = 0;
	if (fl->face->opt.soft && !fl->soft.due_ns)
		soft_look(fl);
	if (s->ent)
		flane_look(fl);
	if (fiber_spawn(fl->loop, serve_fiber, s)) {
		log_err("out of memory: a request is refused");
		raw_reply(fl->face, serve_head(s)->unique, -ENOMEM, NULL, 0);
		serve_end(s);
	}
}

void flane_serve_put(struct serve *s)
{
	serve_put(s);
}

void flane_serve(struct flane *fl, struct serve *s)
{
	if (serve_inline(fl, s))
		serve_put(s);
	else
		serve_start(fl, s);
}

/* Takes over `big`, which holds a request of s->len bytes. */
static void dispatch(struct flane *fl, struct serve *big)
{
	struct serve *s = big;

	if (serve_inline(fl, big)) {
		serve_put(big);
		return;
	}
	if (big->len <= REQ_SMALL) {
		s = small_get(fl);
		if (s) {
			s->len = big->len;
			s->asked_ns = big->asked_ns;
			memcpy(s->data, big->data, big->len);
			s->again = big->again;
			big->again = false;
			serve_put(big);
		} else {
			s = big;
		}
	}
	serve_start(fl, s);
}

/* False: there is nothing more to read now. */
static bool read_one(struct flane *fl)
{
	/* What comes in by the device while there is a ring is never of the kind that waits. */
	bool room = fl->inflight < LANE_INFLIGHT || atomic_load(&fl->face->uring_on);
	struct serve *s = room ? big_get(fl) : NULL;
	ssize_t n;

	if (!s) {
		balance_block(fl, true); /* serve_end() goes on */
		return false;
	}
	n = read(fl->face->fd, s->data, BIG_CAP);
	if (n >= (ssize_t)sizeof(struct fuse_in_header)) {
		s->len = (uint32_t)n;
		s->asked_ns = loop_clock(fl->loop);
		s->again = serve_head(s)->unique & AGAIN_BIT;
		if (s->again)
			again_begin(fl->face->agains, serve_tag(s));
		dispatch(fl, s);
		return true;
	}
	serve_put(s);
	if (n < 0 && (errno == EINTR || errno == ENOENT)) /* ENOENT: the caller gave up meanwhile */
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n >= 0 || (errno != ENODEV && errno != ECONNABORTED))
		log_err("reading /dev/fuse: %s", n < 0 ? err_str(errno) : "short request");
	balance_stop(fl);
	face_end(fl->face);
	return false;
}

static void dev_ready(void *arg, int events)
{
	struct flane *fl = arg;
	bool look = fl->many || ++fl->wakes % LOOK_AGAIN == 0;
	int i;

	(void)events;
	balance_check(fl);
	for (i = 0; i < (look ? DRAIN : 1) && !atomic_load(&fl->face->ended) &&
		    !atomic_load(&fl->face->leaving);
	     i++)
		if (!read_one(fl))
			break;
	fl->many = look && i > 1;
}

/* ---- life of the thread ---- */

static void tell(struct flane *fl, bool *what)
{
	pthread_mutex_lock(&fl->lock);
	*what = true;
	pthread_cond_broadcast(&fl->cond);
	pthread_mutex_unlock(&fl->lock);
}

static void start_fiber(void *arg)
{
	struct flane *fl = arg;
	const struct options *o = &fl->face->opt;
	uint32_t try;

	for (try = 0;; try++) {
		fl->rc = lane_co_start(fl->ln, fl->why, sizeof(fl->why));
		if (fl->rc == 0 || try >= o->retry)
			break;
		log_warn("%s; trying again", fl->why);
		lane_co_stop(fl->ln);
		fl->rc = lane_create(fl->face->fs, fl->loop, fl->index, &fl->ln);
		if (fl->rc)
			break;
		co_sleep(NSEC_PER_SEC);
	}
	if (fl->rc == 0 && fl->face->inherited) {
		if (fl->index == 0)
			fs_co_take_over(fl->ln);
		loop_timer_start(fl->loop, &fl->settle, SETTLE_NS);
	}
	tell(fl, &fl->started);
}

/* What the last process had begun comes again at once, if it does. */
static void settle(void *arg)
{
	struct flane *fl = arg;

	if (fl->ln && atomic_load(&fl->face->serving))
		fs_settle(fl->ln, again_is_open, fl->face->agains);
	else
		loop_timer_start(fl->loop, &fl->settle, SETTLE_NS);
}

static void leave_fiber(void *arg)
{
	struct flane *fl = arg;
	uint64_t until = loop_now(fl->loop) + LEAVE_NS;

	balance_stop(fl);
	while (fl->inflight && co_wait(&fl->idle_q, until) == 0)
		continue;
	if (fl->ln)
		fs_co_settle_down(fl->ln);
	tell(fl, &fl->left);
}

static void on_leave(void *arg)
{
	struct flane *fl = arg;

	if (fiber_spawn(fl->loop, leave_fiber, fl))
		tell(fl, &fl->left);
}

void flane_leave(struct flane *fl)
{
	fl->leave_work = (struct loop_work){.fn = on_leave, .arg = fl};
	loop_post(fl->loop, &fl->leave_work);
}

static void stop_fiber(void *arg)
{
	struct flane *fl = arg;

	balance_stop(fl);
	while (fl->inflight)
		if (co_wait(&fl->idle_q, 0))
			continue;
	if (fl->ln)
		lane_co_stop(fl->ln);
	fl->ln = NULL;
	loop_timer_stop(fl->loop, &fl->look);
	loop_timer_stop(fl->loop, &fl->soft);
	loop_timer_stop(fl->loop, &fl->settle);
	loop_stop(fl->loop);
}

static void on_serve(void *arg)
{
	balance_start(arg);
}

static void on_stop(void *arg)
{
	struct flane *fl = arg;

	if (fiber_spawn(fl->loop, stop_fiber, fl))
		loop_stop(fl->loop);
}

static void *flane_main(void *arg)
{
	struct flane *fl = arg;
	int rc;

	transport_lane(fl, transport_lanes(fl->face));
	rc = fiber_spawn(fl->loop, start_fiber, fl); /* which may have ended already */
	if (rc) {
		fl->rc = rc;
		tell(fl, &fl->started);
	}
	loop_run(fl->loop);
	uring_stop(fl->uring);
	buffers_free(fl);
	fiber_pool_drain();
	rpc_frame_drain();
	tell(fl, &fl->stopped);
	return NULL;
}

int flane_create(struct face *f, uint32_t index, struct flane **out)
{
	struct flane *fl = calloc(1, sizeof(*fl));
	pthread_condattr_t ca;
	int rc;

	if (!fl)
		return -ENOMEM;
	fl->face = f;
	fl->index = index;
	TAILQ_INIT(&fl->serving);
	co_waitq_init(&fl->mem_q);
	co_waitq_init(&fl->idle_q);
	fl->serve_work = (struct loop_work){.fn = on_serve, .arg = fl};
	fl->look = (struct loop_timer){.fn = look, .arg = fl};
	fl->settle = (struct loop_timer){.fn = settle, .arg = fl};
	soft_init(fl);
	fl->stop_work = (struct loop_work){.fn = on_stop, .arg = fl};
	pthread_mutex_init(&fl->lock, NULL);
	pthread_condattr_init(&ca);
	pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	pthread_cond_init(&fl->cond, &ca);
	pthread_condattr_destroy(&ca);
	rc = loop_create(&fl->loop);
	if (rc == 0)
		rc = buf_pool_create(LANE_READ_BYTES, &fl->pool);
	if (rc == 0)
		rc = loop_fd_create(fl->loop, f->fd, dev_ready, fl, &fl->dev);
	if (rc == 0)
		rc = lane_create(f->fs, fl->loop, index, &fl->ln);
	if (rc) {
		flane_destroy(fl);
		return rc;
	}
	buf_pool_on_free(fl->pool, buf_freed, fl);
	*out = fl;
	return 0;
}

void flane_destroy(struct flane *fl)
{
	if (!fl)
		return;
	loop_fd_destroy(fl->dev);
	uring_destroy(fl->uring);
	if (fl->pool)
		buf_pool_destroy(fl->pool);
	loop_destroy(fl->loop);
	pthread_cond_destroy(&fl->cond);
	pthread_mutex_destroy(&fl->lock);
	free(fl);
}

static int wait_for(struct flane *fl, const bool *what, uint32_t timeout_s)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_s;
	pthread_mutex_lock(&fl->lock);
	while (!*what && rc == 0)
		rc = timeout_s ? pthread_cond_timedwait(&fl->cond, &fl->lock, &until)
			       : pthread_cond_wait(&fl->cond, &fl->lock);
	pthread_mutex_unlock(&fl->lock);
	return -rc;
}

bool flane_has_left(struct flane *fl, uint32_t timeout_s)
{
	return wait_for(fl, &fl->left, timeout_s) == 0;
}

int flane_start(struct flane *fl, char *why, size_t why_len)
{
	int rc = pthread_create(&fl->thread, NULL, flane_main, fl);

	if (rc) {
		snprintf(why, why_len, "cannot start a thread: %s", err_str(rc));
		return -rc;
	}
	rc = wait_for(fl, &fl->started, 0);
	if (rc == 0)
		rc = fl->rc;
	if (rc)
		snprintf(why, why_len, "%s", fl->why[0] ? fl->why : err_str(rc));
	return rc;
}

int flane_stop(struct flane *fl, uint32_t timeout_s)
{
	loop_post(fl->loop, &fl->stop_work);
	if (wait_for(fl, &fl->stopped, timeout_s))
		return -ETIMEDOUT;
	pthread_join(fl->thread, NULL);
	return 0;
}
