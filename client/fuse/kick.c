/* SPDX-License-Identifier: Apache-2.0 */
/* kick.c - threads that make requests to the mount itself, to set queues of the ring going.
 *
 * A request that finds no free entry waits in the kernel until an entry of its queue is committed;
 * one that is added does not take it. If all that are held wait for locks, and what would release
 * them is that request, nothing is ever committed. So when a queue was empty and got entries, some
 * requests are made on its CPU: each takes a new entry, and its answer takes the next that waits.
 * If others were quicker to take the new entries, the request waits itself: then the next kick
 * finds the thread busy and is made by another one.
 *
 * A process that makes way to another one must not leave entries in which the kernel could put a
 * request while it ends: Linux (6.18) lets such a request fail. They cannot be taken back either.
 * So all are filled before: by what users ask for, and by requests of our own, one thread for each.
 * The next process answers those that are in entries; the kernel keeps back what comes later.
 */
#include "client/fuse/face.h"
#include "client/fuse/keeper.h"
#include "common/log.h"
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/xattr.h>

enum { FILL_STACK = 64 << 10, FILL_POLL_MS = 1, FILL_AGAIN = 50 };
enum { TIMES = 64, THREADS = 32, WORDS = URING_QUEUES_MAX / 64 };

struct kicker {
	struct face *face;
	pthread_t thread[THREADS];
	uint32_t nthreads, busy;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool stop;
	uint64_t queue[WORDS]; /* bits of queues that want it */
};

static bool kick_next(struct kicker *k, uint32_t *queue)
{
	uint32_t i;

	for (i = 0; i < WORDS; i++)
		if (k->queue[i]) {
			*queue = i * 64 + (uint32_t)__builtin_ctzll(k->queue[i]);
			k->queue[i] &= k->queue[i] - 1;
			return true;
		}
	return false;
}

static void kick_now(const struct kicker *k, uint32_t queue)
{
	char text[16];
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	if (queue < CPU_SETSIZE)
		CPU_SET(queue, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return; /* then nobody else makes requests there either */
	for (i = 0; i < TIMES && !atomic_load(&k->face->ended); i++)
		if (getxattr(k->face->path, "system.sheen.info", text, 0) < 0)
			return;
}

static void *kick_main(void *arg)
{
	struct kicker *k = arg;
	uint32_t queue;

	pthread_setname_np(pthread_self(), KEEPER_KICK_THREAD);
	pthread_mutex_lock(&k->lock);
	while (!k->stop) {
		if (!kick_next(k, &queue)) {
			pthread_cond_wait(&k->cond, &k->lock);
			continue;
		}
		k->busy++;
		pthread_mutex_unlock(&k->lock);
		kick_now(k, queue);
		pthread_mutex_lock(&k->lock);
		k->busy--;
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

static int thread_add(struct kicker *k)
{
	int rc = pthread_create(&k->thread[k->nthreads], NULL, kick_main, k);

	k->nthreads += rc == 0;
	return -rc;
}

int kicker_create(struct face *f, struct kicker **out)
{
	struct kicker *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return -ENOMEM;
	k->face = f;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->cond, NULL);
	rc = thread_add(k);
	if (rc) {
		free(k);
		return rc;
	}
	*out = k;
	return 0;
}

void kicker_destroy(struct kicker *k)
{
	uint32_t i;

	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_broadcast(&k->cond);
	pthread_mutex_unlock(&k->lock);
	for (i = 0; i < k->nthreads; i++)
		pthread_join(k->thread[i], NULL);
	pthread_cond_destroy(&k->cond);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

void kicker_kick(struct kicker *k, uint32_t queue)
{
	pthread_mutex_lock(&k->lock);
	k->queue[queue / 64] |= 1ULL << queue % 64;
	if (k->busy == k->nthreads && k->nthreads < THREADS && thread_add(k))
		log_dbg("a thread cannot be started");
	pthread_cond_signal(&k->cond);
	pthread_mutex_unlock(&k->lock);
}

/* ---- before this process ends ---- */

static void *fill_main(void *arg)
{
	const struct face *f = arg;
	char text[16];

	pthread_setname_np(pthread_self(), KEEPER_KICK_THREAD);
	if (getxattr(f->path, "system.sheen.info", text, 0) < 0)
		log_dbg("a request to %s itself: %s", f->path, err_str(errno));
	return NULL;
}

/* On that CPU; where no thread can be, nobody else makes requests either. */
static bool fill_one(const struct face *f, uint32_t cpu)
{
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;
	bool made;

	CPU_ZERO(&set);
	if (cpu < CPU_SETSIZE)
		CPU_SET(cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, FILL_STACK);
	made = pthread_attr_setaffinity_np(&attr, sizeof(set), &set) == 0 &&
	       pthread_create(&thread, &attr, fill_main, (void *)(uintptr_t)f) == 0;
	pthread_attr_destroy(&attr);
	return made;
}

/* Entries that are free; a thread is started for each if `more`. */
static uint32_t fill_look(const struct face *f, bool more)
{
	uint32_t cpu, i, k, n, all = 0;

	for (cpu = 0; cpu < f->uring_queues; cpu++) {
		for (i = 0, n = 0; i < f->nlanes; i++)
			n += f->lane[i]->uring ? uring_free(f->lane[i]->uring, cpu) : 0;
		for (k = 0; more && k < n; k++)
			if (!fill_one(f, cpu))
				n = 0;
		all += n;
	}
	return all;
}

bool kicker_fill(const struct face *f, uint32_t timeout_ms)
{
	uint32_t ms;

	for (ms = 0; ms < timeout_ms; ms += FILL_POLL_MS) {
		if (fill_look(f, ms % FILL_AGAIN == 0) == 0)
			return true;
		poll(NULL, 0, FILL_POLL_MS);
	}
	return false;
}
