/* SPDX-License-Identifier: Apache-2.0 */
/* fill_mdt.c - makes directories with very many empty files in the tables of an MDT that does not
 * run, with the MDS's own functions: a million in a minute, where a mount takes some ten.
 *
 * usage: fill_mdt MDT_DIR/db OSTS NAME=COUNT...
 * In the root of the file system, each directory NAME gets COUNT files. Files have one stripe, as
 * an open for reading makes them. Their names are scattered (fill_name), so the pages of the
 * tables are as full as after long use, not as after one tar.
 */
#include "common/loop.h"
#include "mds/config.h"
#include "mds/ns.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILES_PER_BATCH = 20000 };

struct fill {
	struct loop *loop;
	struct store *store;
	struct txn *t;
	struct ns_env env;
	struct alloc alloc;
	struct striping_defaults striping;
	struct fid next;
	uint32_t in_batch;
};

static uint64_t random_of(void *arg)
{
	return loop_random(((struct fill *)arg)->loop);
}

static bool nobody(void *arg, const struct fid *fid)
{
	(void)arg;
	(void)fid;
	return false;
}

/* The same in tests/bench/scale. */
static void fill_name(uint32_t i, char out[16])
{
	snprintf(out, 16, "f%08" PRIx32, i * 2654435761U);
}

static int next_fid(struct fill *f, struct fid *out)
{
	int rc = 0;

	if (f->next.oid == 0 || f->next.oid >> 17) {
		f->next = (struct fid){.oid = 1};
		rc = config_alloc_seq(f->t, &f->next.seq);
	}
	*out = f->next;
	f->next.oid++;
	return rc;
}

static int make(struct fill *f, const struct fid *parent, const char *name, uint32_t mode,
		struct fid *fid)
{
	struct mds_create_req q = {
		.parent = *parent,
		.name = SPAN_STR(name),
		.mode = mode,
		.open_flags = S_ISREG(mode) ? OPEN_READ : 0,
		.open_id = S_ISREG(mode),
	};
	struct ns_created c;
	int rc = next_fid(f, &q.fid);

	if (rc == 0) {
		rc = ns_create(f->t, &f->env, &q, loop_realtime(f->loop), &c);
		wbuf_fini(&c.layout);
	}
	*fid = q.fid;
	return rc;
}

/* A batch of a bounded size: closing the store commits it. */
static int next_batch(struct fill *f, const char *db)
{
	struct store_cfg sc = {
		.loop = f->loop,
		.dir = db,
		.tables = mds_tables,
		.ntables = MDS_NTABLES,
		.nosync = true,
	};
	int rc;

	if (f->store)
		store_close(f->store);
	f->store = NULL;
	f->in_batch = 0;
	rc = store_open(&sc, &f->store);
	return rc ? rc : store_write(f->store, &f->t);
}

static int fill_dir(struct fill *f, const char *db, const char *name, uint32_t count)
{
	struct fid dir, fid;
	char text[16];
	uint32_t i;
	int rc = make(f, &FID_ROOT, name, S_IFDIR | 0755, &dir);

	for (i = 0; rc == 0 && i < count; i++) {
		if (++f->in_batch == FILES_PER_BATCH)
			rc = next_batch(f, db);
		fill_name(i, text);
		if (rc == 0)
			rc = make(f, &dir, text, S_IFREG | 0644, &fid);
	}
	return rc;
}

static int fill_all(struct fill *f, const char *db, char **arg)
{
	char *count;
	int rc = next_batch(f, db);

	if (rc == 0)
		rc = config_init(f->t, loop_realtime(f->loop));
	for (; rc == 0 && *arg; arg++) {
		count = strchr(*arg, '=');
		if (!count)
			return -EINVAL;
		*count++ = 0;
		rc = fill_dir(f, db, *arg, (uint32_t)strtoul(count, NULL, 10));
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct fill f = {.striping = {STRIPE_SIZE_DEFAULT, 1, -1, 1}};
	uint32_t i, osts = argc > 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	struct alloc_ost *o;
	int rc;

	if (!osts) {
		fprintf(stderr, "usage: fill_mdt MDT_DIR/db OSTS NAME=COUNT...\n");
		return 2;
	}
	alloc_init(&f.alloc, random_of, &f);
	f.env = (struct ns_env){&f.alloc, &f.striping, nobody, NULL, NULL};
	rc = loop_create(&f.loop);
	for (i = 0; rc == 0 && i < osts; i++) {
		o = alloc_add(&f.alloc, i);
		if (!o)
			rc = -ENOMEM;
		else
			*o = (struct alloc_ost){i, 0, true, 1ULL << 40, 1ULL << 39};
	}
	if (rc == 0)
		rc = fill_all(&f, argv[1], argv + 3);
	if (f.store)
		store_close(f.store);
	alloc_fini(&f.alloc);
	loop_destroy(f.loop);
	if (rc)
		fprintf(stderr, "fill_mdt: %s: %s\n", argv[1], strerror(-rc));
	return rc != 0;
}
