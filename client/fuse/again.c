/* SPDX-License-Identifier: Apache-2.0 */
/* again.c - requests that the last process left unanswered, and when all of them are over.
 *
 * By /dev/fuse the kernel sends them again when it is asked to (FUSE_NOTIFY_RESEND, Linux 6.9); of
 * those of the ring it does not know any more that they are ours, but they lie in the memory that
 * the last process shared with this one (uring.c).
 */
#include "client/fuse/again.h"
#include "common/log.h"
#include <stdlib.h>
#include <sys/uio.h>

enum { NOTIFY_RESEND = 7 };

struct agains {
	pthread_mutex_t lock;
	uint64_t *tag;
	uint32_t n, cap;
};

int agains_create(struct agains **out)
{
	struct agains *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	pthread_mutex_init(&a->lock, NULL);
	*out = a;
	return 0;
}

void agains_destroy(struct agains *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a->tag);
	free(a);
}

void again_begin(struct agains *a, uint64_t tag)
{
	uint32_t cap = a->cap ? 2 * a->cap : 64;
	uint64_t *at;

	pthread_mutex_lock(&a->lock);
	if (a->n == a->cap) {
		at = realloc(a->tag, cap * sizeof(*at));
		a->tag = at ? at : a->tag;
		a->cap = at ? cap : a->cap;
	}
	if (a->n < a->cap)
		a->tag[a->n++] = tag;
	pthread_mutex_unlock(&a->lock);
}

void again_end(struct agains *a, uint64_t tag)
{
	uint32_t i;

	pthread_mutex_lock(&a->lock);
	for (i = 0; i < a->n; i++)
		if (a->tag[i] == tag) {
			a->tag[i] = a->tag[--a->n];
			break;
		}
	pthread_mutex_unlock(&a->lock);
}

bool again_is_open(void *agains, uint64_t tag)
{
	struct agains *a = agains;
	bool found = false;
	uint32_t i;

	pthread_mutex_lock(&a->lock);
	for (i = 0; i < a->n && !found; i++)
		found = a->tag[i] == tag;
	pthread_mutex_unlock(&a->lock);
	return found;
}

void again_ask(struct face *f)
{
	struct fuse_out_header h = {.len = sizeof(h), .error = NOTIFY_RESEND};
	struct iovec iov = {&h, sizeof(h)};

	if (writev(f->fd, &iov, 1) < 0)
		log_err("requests of the last process are not sent again: %s", err_str(errno));
}
