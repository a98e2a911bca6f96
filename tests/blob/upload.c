/* SPDX-License-Identifier: Apache-2.0 */
/* upload.c - cases of large blobs in blocks: interrupted, resumed, damaged, overtaken. */
#include "common/co.h"
#include "tests/blob/blob_test.h"

struct data {
	uint8_t *p;
	uint64_t size, block;
};

/* Two blocks and a bit, of the smallest size that the service takes. */
static struct data data_of(struct env *v, uint64_t seed)
{
	struct data d = {.block = v->azure ? MIB : 5 * MIB};

	d.size = 2 * d.block + 17;
	d.p = content(d.size, seed);
	return d;
}

static struct blob_store *small_blocks(struct env *v)
{
	struct blob_config cfg = v->cfg;

	cfg.block_size = v->azure ? MIB : 5 * MIB;
	return open_like(v, &cfg);
}

static bool send_block(struct env *v, struct blob_upload *u, const struct data *d, uint32_t n)
{
	struct iovec iov[2] = {{d->p + n * d->block, 10}};
	struct blob_error e;

	iov[1].iov_base = d->p + n * d->block + 10;
	iov[1].iov_len = min_u64(d->block, d->size - n * d->block) - 10;
	return WORKS(v, blob_co_upload_block(u, n, iov, 2, &e), &e);
}

static struct blob_upload *begin(struct env *v, struct blob_store *s, const struct blob_write *w,
				 const struct data *d, const char *resume)
{
	struct blob_upload *u = NULL;
	struct blob_error e;

	WORKS(v, blob_co_upload_begin(s, w, d->size, resume, &u, &e), &e);
	return u;
}

struct sender {
	struct env *v;
	struct blob_upload *u;
	const struct data *d;
	uint32_t n;
};

static int co_sender(void *arg)
{
	struct sender *x = arg;

	send_block(x->v, x->u, x->d, x->n);
	return 0;
}

static void blocks_make_a_blob(struct env *v)
{
	CLEANUP(pairs_fini) struct pairs meta = PAIRS_INIT;
	CLEANUP(blob_props_fini) struct blob_props p = {0};
	struct blob_write w = {.name = "up/x", .meta = &meta};
	struct data d = data_of(v, 10);
	struct blob_upload *u = begin(v, small_blocks(v), &w, &d, NULL);
	struct sender x[3];
	struct co_group g = CO_GROUP_INIT;
	char etag[BLOB_ETAG_MAX];
	struct blob_error e;

	if (!u)
		return;
	CHECK(v, blob_upload_blocks(u) == 3 && blob_upload_block_size(u) == d.block);
	FAILS(v, blob_co_upload_commit(u, NULL, &e), &e, BLOB_REFUSED);
	for (uint32_t i = 0; i < 3; i++) {
		x[i] = (struct sender){v, u, &d, 2 - i};
		co_spawn(&g, co_sender, &x[i]);
	}
	CHECK(v, co_join(&g) == 0);
	FAILS(v, blob_co_stat(v->s, w.name, &p, &e), &e, BLOB_NOT_FOUND);
	WORKS(v, blob_co_upload_commit(u, etag, &e), &e);
	holds(v, w.name, d.p, d.size);
	if (WORKS(v, blob_co_stat(v->s, w.name, &p, &e), &e))
		CHECK(v, strcmp(p.etag, etag) == 0);
	blob_upload_free(u);
	free(d.p);
}

static void metadata_comes_with_the_commit(struct env *v)
{
	CLEANUP(pairs_fini) struct pairs meta = PAIRS_INIT;
	CLEANUP(blob_props_fini) struct blob_props p = {0};
	struct blob_write w = {.name = "up/meta", .meta = &meta};
	struct data d = data_of(v, 11);
	struct blob_upload *u;
	struct blob_error e;

	CHECK(v, pairs_add(&meta, "owner", "77") == 0);
	u = begin(v, small_blocks(v), &w, &d, NULL);
	for (uint32_t i = 0; u && i < 3; i++)
		send_block(v, u, &d, i);
	if (u)
		WORKS(v, blob_co_upload_commit(u, NULL, &e), &e);
	if (WORKS(v, blob_co_stat(v->s, w.name, &p, &e), &e))
		CHECK(v, pairs_same(&p.meta, &meta));
	blob_upload_free(u);
	free(d.p);
}

static int keep_id(void *arg, const struct blob_entry *entry)
{
	snprintf(arg, 1200, "%s", entry->name);
	return 0;
}

static unsigned blocks_sent(struct env *v)
{
	return count(v, v->azure ? "comp=block&" : "partNumber=");
}

static void an_interrupted_upload_goes_on(struct env *v)
{
	struct blob_write w = {.name = "up/resumed"};
	struct data d = data_of(v, 12);
	struct blob_upload *u = begin(v, small_blocks(v), &w, &d, NULL);
	char id[1200] = "", found[1200] = "";
	struct blob_error e;

	if (!u)
		return;
	snprintf(id, sizeof(id), "%s", blob_upload_id(u));
	send_block(v, u, &d, 0);
	send_block(v, u, &d, 2);
	blob_upload_free(u); /* the mover dies */
	WORKS(v, blob_co_upload_list(v->s, w.name, keep_id, found, &e), &e);
	CHECK(v, strcmp(strchr(found, ':') ? strchr(found, ':') : "", strchr(id, ':')) == 0);
	reset(v);
	/* The block size of the id counts, not that of the configuration. */
	u = begin(v, v->s, &w, &d, id);
	if (!u)
		return;
	CHECK(v, blob_upload_has(u, 0) && !blob_upload_has(u, 1) && blob_upload_has(u, 2));
	d.p[d.size - 1] ^= 1; /* the last block has changed meanwhile */
	for (uint32_t i = 0; i < 3; i++)
		send_block(v, u, &d, i);
	CHECK(v, blocks_sent(v) == 2);
	WORKS(v, blob_co_upload_commit(u, NULL, &e), &e);
	holds(v, w.name, d.p, d.size);
	blob_upload_free(u);
	FAILS(v, blob_co_upload_begin(v->s, &w, d.size, "7:nonsense", &u, &e), &e,
	      v->azure ? BLOB_REFUSED : BLOB_NOT_FOUND);
	FAILS(v, blob_co_upload_begin(v->s, &w, d.size, "x", &u, &e), &e, BLOB_REFUSED);
	free(d.p);
}

static void a_lost_commit_has_happened(struct env *v)
{
	/* Swift would refuse the condition, and the lost answer would be that. */
	struct blob_write w = {.name = "up/lost", .if_none = v->azure};
	struct data d = data_of(v, 13);
	struct blob_upload *u = begin(v, small_blocks(v), &w, &d, NULL);
	char etag[BLOB_ETAG_MAX] = "";
	struct blob_error e;

	for (uint32_t i = 0; u && i < 3; i++)
		send_block(v, u, &d, i);
	if (!u)
		return;
	fault(v, v->azure ? "match=comp%3Dblocklist&do=lose" : "match=POST&do=lose");
	if (!v->azure) /* as AWS does; Swift answers a repetition as it did the first time */
		fault(v, "match=POST&do=status&arg=404,NoSuchUpload");
	WORKS(v, blob_co_upload_commit(u, etag, &e), &e);
	CHECK(v, etag[0] == '"');
	holds(v, w.name, d.p, d.size);
	blob_upload_free(u);
	free(d.p);
}

static void a_commit_heeds_what_others_did(struct env *v)
{
	struct blob_write w = {.name = "up/race", .if_none = true};
	struct data d = data_of(v, 14);
	struct blob_upload *u = begin(v, small_blocks(v), &w, &d, NULL);
	struct blob_error e;

	for (uint32_t i = 0; u && i < 3; i++)
		send_block(v, u, &d, i);
	put(v, w.name, "other", 5); /* on Azure this drops our blocks as well */
	if (u)
		FAILS(v, blob_co_upload_commit(u, NULL, &e), &e, BLOB_CONFLICT);
	holds(v, w.name, "other", 5);
	if (u)
		WORKS(v, blob_co_upload_abort(u, &e), &e);
	blob_upload_free(u);
	free(d.p);
}

static void blocks_survive_a_bad_way(struct env *v)
{
	const char *match = v->azure ? "comp%3Dblock%26" : "partNumber%3D";
	struct blob_write w = {.name = "up/bad"};
	struct data d = data_of(v, 15);
	struct blob_upload *u = begin(v, small_blocks(v), &w, &d, NULL);
	struct blob_error e;
	char text[256];

	snprintf(text, sizeof(text), "match=%s&do=corruptup", match);
	fault(v, text);
	snprintf(text, sizeof(text), "match=%s&do=drop&skip=1", match);
	fault(v, text);
	snprintf(text, sizeof(text), "match=%s&do=status&arg=503,SlowDown,0&skip=1", match);
	fault(v, text);
	snprintf(text, sizeof(text), "match=%s&do=lose", match);
	fault(v, text);
	for (uint32_t i = 0; u && i < 3; i++)
		send_block(v, u, &d, i);
	if (u)
		WORKS(v, blob_co_upload_commit(u, NULL, &e), &e);
	CHECK(v, blocks_sent(v) == 7);
	holds(v, w.name, d.p, d.size);
	blob_upload_free(u);
	free(d.p);
}

const struct test_case upload_cases[] = {
	{"blocks make a blob", blocks_make_a_blob, true, true, true},
	{"metadata comes with the commit", metadata_comes_with_the_commit, true, true, true},
	{"an interrupted upload goes on", an_interrupted_upload_goes_on, true, true, false},
	{"a lost commit has happened", a_lost_commit_has_happened, true, true, false},
	{"a commit heeds what others did", a_commit_heeds_what_others_did, true, true, false},
	{"blocks survive a bad way", blocks_survive_a_bad_way, true, true, true},
	{0},
};
