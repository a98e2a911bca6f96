/* SPDX-License-Identifier: Apache-2.0 */
/* kick.c - threads that make requests to the mount itself, to set queues of the ring going.
 *
 * A request that finds no free entry waits in the kernel until an entry of its queue is committed;
 * one that is added does not take it. If all that are held wait for locks, and what would release
 * them is that request, nothing is ever committed. So when a queue was empty and got entries, some
 * requests are made on its CPU: each takes a new entry, and its answer takes the next that waits.
 * If others were quicker to take the new entries, the request waits itself: then the next kick
 * finds the thread busy and is made by another one.
 */
#include "client/fuse/face.h"
#include "common/log.h"
#include <sched.h>
#include <stdlib.h>
#include <sys/xattr.h>

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
