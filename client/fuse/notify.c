/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - tells the kernel to forget what it was told: attributes and names of which the leases
 * are recalled.
 *
 * A thread of its own, which reads no requests and holds no lock: a notification may have to wait
 * for the kernel, which may be waiting for an answer of ours. Of all notifications it uses only two
 * that take no lock of a directory and lock no page, so that a recall cannot wait for an operation
 * that is itself waiting for a recall somewhere else:
 *
 *   INVAL_INODE without a range: attributes and ACLs of one inode. An answer that is on its way to
 *	an inode that the kernel knows is discarded by the kernel's own version numbers. If it does
 *	not know the inode (yet), the notification says ENOENT, and an answer that was written just
 *	before may still make the inode: then it is repeated until it is there or forgotten.
 *   INC_EPOCH (FUSE 7.44, Linux 6.16): every name that was looked up before is looked up again
 *	when it is next used, answers on their way included. Older kernels get no names to keep.
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

struct notifier {
	struct face *face;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool stop;
	STAILQ_HEAD(, job) jobs;
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
		forget_inode(f, &j->v[i]);
}

static void *notifier_main(void *arg)
{
	struct notifier *n = arg;
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
	struct job j = {.v = v, .n = n, .names = names, .loop = lane_loop(ln)};

	j.done = (struct loop_work){.fn = job_done, .arg = &j};
	co_waitq_init(&j.q);
	pthread_mutex_lock(&nt->lock);
	STAILQ_INSERT_TAIL(&nt->jobs, &j, link);
	pthread_cond_signal(&nt->cond);
	pthread_mutex_unlock(&nt->lock);
	while (!j.finished)
		if (co_wait(&j.q, 0))
			continue;
}

int notifier_create(struct face *f, struct notifier **out)
{
	struct notifier *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return -ENOMEM;
	n->face = f;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->cond, NULL);
	STAILQ_INIT(&n->jobs);
	rc = pthread_create(&n->thread, NULL, notifier_main, n);
	if (rc) {
		free(n);
		return -rc;
	}
	*out = n;
	return 0;
}

void notifier_destroy(struct notifier *n)
{
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_signal(&n->cond);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	pthread_cond_destroy(&n->cond);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
