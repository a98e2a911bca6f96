/* SPDX-License-Identifier: Apache-2.0 */
/* unstable.c - see unstable.h. */
#include "common/unstable.h"
#include <stdlib.h>

void unstable_init(struct unstable *u)
{
	*u = (struct unstable){0};
	TAILQ_INIT(&u->changes);
}

struct unstable_change *unstable_new(uint32_t niov)
{
	struct unstable_change *c = calloc(1, sizeof(*c) + niov * sizeof(struct iovec));

	if (c)
		c->niov = niov;
	return c;
}

void unstable_add(struct unstable *u, struct unstable_change *c)
{
	struct unstable_change *after = TAILQ_LAST(&u->changes, unstable_list);
	uint64_t len = 0;

	while (after && after->number > c->number)
		after = TAILQ_PREV(after, unstable_list, link);
	if (after)
		TAILQ_INSERT_AFTER(&u->changes, after, c, link);
	else
		TAILQ_INSERT_HEAD(&u->changes, c, link);
	for (uint32_t i = 0; i < c->niov; i++)
		len += c->iov[i].iov_len;
	c->counted = (uint32_t)(sizeof(*c) + len);
	u->n++;
	u->counted += c->counted;
}

uint64_t unstable_stable(struct unstable *u, uint64_t upto)
{
	struct unstable_change *c;
	uint64_t before = u->counted;

	while ((c = TAILQ_FIRST(&u->changes)) && c->number <= upto) {
		TAILQ_REMOVE(&u->changes, c, link);
		u->n--;
		u->counted -= c->counted;
		bytes_put(c->bytes);
		free(c);
	}
	return before - u->counted;
}
