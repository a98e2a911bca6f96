/* SPDX-License-Identifier: Apache-2.0 */
/* import_batch.c - entries go to the MDS, as many at once as a request holds, and again if somebody
 * was in the way. */
#include "client/core/hsm.h"
#include "common/log.h"
#include "mover/import_int.h"
#include <stdlib.h>

#define AGAIN_NS (50 * (uint64_t)NSEC_PER_MSEC)
#define AWAY_NS	 ((uint64_t)NSEC_PER_SEC)
enum { TRIES = 100 };

struct batch {
	struct importer *im;
	batch_fn *fn;
	void *arg;
	struct mds_import_entry *e;
	struct mds_import_result *r;
	void **of;
	uint32_t n, bytes;
};

struct batch *batch_new(struct importer *im, batch_fn *fn, void *arg)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	*b = (struct batch){.im = im, .fn = fn, .arg = arg};
	b->e = calloc(IMPORT_BATCH, sizeof(*b->e));
	b->r = calloc(IMPORT_BATCH, sizeof(*b->r));
	b->of = calloc(IMPORT_BATCH, sizeof(*b->of));
	if (b->e && b->r && b->of)
		return b;
	batch_free(b);
	return NULL;
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	free(b->e);
	free(b->r);
	free(b->of);
	free(b);
}

int batch_co_add(struct batch *b, const struct mds_import_entry *e, void *of)
{
	uint32_t size = fs_hsm_import_size(e);
	int rc = 0;

	if (b->n == IMPORT_BATCH || b->bytes + size > FS_HSM_IMPORT_BYTES)
		rc = batch_co_flush(b);
	if (rc)
		return rc;
	b->e[b->n] = *e;
	b->of[b->n++] = of;
	b->bytes += size;
	return 0;
}

/* Until it is answered: the MDS may be away, and forget who we are. */
static int tell(struct batch *b)
{
	struct importer *im = b->im;
	int rc;

	for (;;) {
		rc = fs_co_hsm_import(im->m->lane, im->cfg.mode, im->cfg.archive, b->e, b->n, b->r);
		if (rc == 0 || importer_stops(im))
			return rc ? -ECANCELED : 0;
		if (rc != -ESTALE && rc != -ESHUTDOWN && rc != -EAGAIN && rc != -ENODEV)
			return importer_fail(im, "the MDS does not take entries: %s", err_str(rc));
		log_warn("the MDS does not take entries now: %s", err_str(rc));
		co_sleep(AWAY_NS);
	}
}

int batch_co_flush(struct batch *b)
{
	uint32_t i, left, tries = 0;
	int rc = 0;

	while (rc == 0 && b->n) {
		rc = tell(b);
		for (i = left = 0; i < b->n && rc == 0; i++) {
			if (b->r[i].what == IMPORT_ERROR && b->r[i].error == -EAGAIN &&
			    tries < TRIES) {
				b->e[left] = b->e[i];
				b->of[left++] = b->of[i];
				continue;
			}
			rc = b->fn(b->arg, b->of[i], &b->e[i], &b->r[i]);
		}
		b->n = left;
		if (rc == 0 && left && tries++)
			co_sleep(AGAIN_NS);
	}
	b->n = b->bytes = 0;
	return rc;
}
