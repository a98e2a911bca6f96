/* SPDX-License-Identifier: Apache-2.0 */
/* broken.c - a client that does not tell the kernel everything: the test of the coherence test.
 *
 * Linked into build/tests/sheen-broken only, in place of notifier_co_invalidate() (ld --wrap). Of
 * what SHEEN_SKIP names every fourth is skipped: pages (recalls of data: the whole file), names, or
 * attributes.
 */
#include "client/fuse/face.h"
#include <stdlib.h>

enum { SKIP_EVERY = 4 };

__typeof__(notifier_co_invalidate) __wrap_notifier_co_invalidate, __real_notifier_co_invalidate;

static bool skips(const char *what)
{
	static atomic_uint count;
	const char *skip = getenv("SHEEN_SKIP");

	return skip && strcmp(skip, what) == 0 && atomic_fetch_add(&count, 1) % SKIP_EVERY == 0;
}

void __wrap_notifier_co_invalidate(void *face, struct lane *ln, const struct fs_inval *v,
				   uint32_t n, bool names)
{
	bool pages = n && v->pages;

	if (pages && !v->off && !v->len && skips("pages"))
		return;
	if (n && !pages && skips("attributes"))
		n = 0;
	if (names && skips("names"))
		names = false;
	__real_notifier_co_invalidate(face, ln, v, n, names);
}
