/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - tells the kernel to forget what it was told: attributes and names of which the leases
 * are recalled.
 *
 * Threads of its own, which read no requests and hold no lock: a notification may have to wait
 * for the kernel, which may be waiting for an answer of ours. For attributes and names it uses
 * only two that take no lock of a directory and lock no page, so that a recall cannot wait for an
 * operation that is itself waiting for a recall somewhere else:
 *
 *   INVAL_INODE without a range: attributes and ACLs of one inode. An answer that is on its way to
 *	an inode that the kernel knows is discarded by the kernel's own version numbers. If it does
 *	not know the inode (yet), the notification says ENOENT, and an answer that was written just
 *	before may still make the inode: then it is repeated until it is there or forgotten.
 *   INC_EPOCH (FUSE 7.44, Linux 6.16): every name that was looked up before is looked up again
 *	when it is next used, answers on their way included. Older kernels get no names to keep.
 *
 * INVAL_INODE with a range is for pages, and does wait: for pages that are being read (such a READ
 * waits for no lease, see client/core/data.h), and for changed ones of mappings to be written.
 */
#include "client/fuse/face.h"
#include "common/log.h"
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

enum { NOTIFY_INVAL_INODE = 2, NOTIFY_INC_EPOCH = 8 };

/* An answer is taken in by the thread that asked, as soon as that runs; not later than this. */
#define TAKEN_IN_NS (5 * (uint64_t)NSEC_PER_SEC)
enum { PAUSE_MIN_NS = 20000, PAUSE_MAX_NS = 5000000 };

struct job {
	const struct fs_inval *v;
	uint32_t n;
	bool names;
	struct loop *loop;
	struct loop_work done;
	struct co_waitq q;
	bool finished;
	STAILQ_ENTRY(job) link;
};

/* Pages have a thread of their own, which may have to wait for reads: nobody else should. */
enum { ATTRS_AND_NAMES, PAGES, QUEUES };

struct queue {
	struct face *face;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool stop;
	STAILQ_HEAD(, job) jobs;
};

struct notifier {
	struct queue queue[QUEUES];
};

static int notify(struct face *f, int code, const void *body, size_t len)
{
	struct fuse_out_header h = {.len = (uint32_t)(sizeof(h) + len), .error = code};
	struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)body, len}};

	return writev(f->fd, iov, len ? 2 : 1) < 0 ? -errno : 0;
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void pause_ns(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};

	nanosleep(&ts, NULL);
}

static void forget_inode(struct face *f, const struct fs_inval *v)
{
	struct fuse_notify_inval_inode_out o = {.ino = face_node(f, &v->fid), .off = -1};
	uint64_t wait = PAUSE_MIN_NS;
	int rc;

	while ((rc = notify(f, NOTIFY_INVAL_INODE, &o, sizeof(o))) == -ENOENT && v->told_ns &&
	       known_count(f->known, o.ino) && clock_ns() < v->told_ns + TAKEN_IN_NS &&
	       !atomic_load(&f->ended)) {
		pause_ns(wait);
		wait = wait * 2 < PAUSE_MAX_NS ? wait * 2 : PAUSE_MAX_NS;
	}
	if (rc && rc != -ENOENT && rc != -ENODEV && rc != -ENOTCONN && rc != -EPERM)
		log_err("the kernel does not forget attributes: %s", err_str(rc));
}

/* Waits for pages that are just being read, and has changed ones written. */
static void forget_pages(struct face *f, const struct fs_inval *v)
{
	struct fuse_notify_inval_inode_out o = {
		.ino = face_node(f, &v->fid), .off = (int64_t)v->off, .len = (int64_t)v->len};
	int rc = notify(f, NOTIFY_INVAL_INODE, &o, sizeof(o));

	if (rc && rc != -ENOENT && rc != -ENODEV && rc != -ENOTCONN && rc != -EPERM)
		log_err("the kernel does not forget data: %s", err_str(rc));
}

static void run(struct face *f, const struct job *j)
{
	uint32_t i;
	int rc;

	if (j->names && f->keeps_names) {
		rc = notify(f, NOTIFY_INC_EPOCH, NULL, 0);
		if (rc && rc != -ENODEV && rc != -ENOTCONN && rc != -EPERM)
			log_err("the kernel does not forget names: %s", err_str(rc));
	}
	for (i = 0; i < j->n && !atomic_load(&f->ended); i++)
		(j->v[i].pages ? forget_pages : forget_inode)(f, &j->v[i]);
}

static void *notifier_main(void *arg)
{
	struct queue *n = arg;
	struct job *j;

	pthread_mutex_lock(&n->lock);
	while (!n->stop || !STAILQ_EMPTY(&n->jobs)) {
		j = STAILQ_FIRST(&n->jobs);
		if (!j) {
			pthread_cond_wait(&n->cond, &n->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&n->jobs, link);
		pthread_mutex_unlock(&n->lock);
		run(n->face, j);
		loop_post(j->loop, &j->done);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

static void job_done(void *arg)
{
	struct job *j = arg;

	j->finished = true;
	co_wake_all(&j->q);
}

void notifier_co_invalidate(void *face, struct lane *ln, const struct fs_inval *v, uint32_t n,
			    bool names)
{
	struct notifier *nt = ((struct face *)face)->notifier;
	struct queue *q = &nt->queue[n && v->pages ? PAGES : ATTRS_AND_NAMES];
	struct job j = {.v = v, .n = n, .names = names, .loop = lane_loop(ln)};

	j.done = (struct loop_work){.fn = job_done, .arg = &j};
	co_waitq_init(&j.q);
	pthread_mutex_lock(&q->lock);
	STAILQ_INSERT_TAIL(&q->jobs, &j, link);
	pthread_cond_signal(&q->cond);
	pthread_mutex_unlock(&q->lock);
	while (!j.finished)
		if (co_wait(&j.q, 0))
			continue;
}

static int queue_start(struct queue *q, struct face *f)
{
	int rc;

	q->face = f;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->cond, NULL);
	STAILQ_INIT(&q->jobs);
	rc = pthread_create(&q->thread, NULL, notifier_main, q);
	q->started = rc == 0;
	return -rc;
}

int notifier_create(struct face *f, struct notifier **out)
{
	struct notifier *n = calloc(1, sizeof(*n));
	int i, rc = n ? 0 : -ENOMEM;

	for (i = 0; i < QUEUES && rc == 0; i++)
		rc = queue_start(&n->queue[i], f);
	if (rc == 0)
		*out = n;
	else if (n)
		notifier_destroy(n);
	return rc;
}

static void queue_stop(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->cond);
	pthread_mutex_unlock(&q->lock);
	pthread_join(q->thread, NULL);
	pthread_cond_destroy(&q->cond);
	pthread_mutex_destroy(&q->lock);
}

void notifier_destroy(struct notifier *n)
{
	int i;

	for (i = 0; i < QUEUES; i++)
		if (n->queue[i].started)
			queue_stop(&n->queue[i]);
	free(n);
}
