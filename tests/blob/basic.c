/* SPDX-License-Identifier: Apache-2.0 */
/* basic.c - cases without faults: what is written can be found, listed, read, changed, removed. */
#include "tests/blob/blob_test.h"
#include "common/co.h"

/* ---- lists ---- */

struct names {
	struct env *v;
	int n, prefixes, dirs, stop_at;
	char last[64];
	uint64_t bytes;
	bool has_meta;
};

static int take_name(void *arg, const struct blob_entry *entry)
{
	struct names *x = arg;

	x->n++;
	if (entry->is_prefix) {
		x->prefixes++;
	} else {
		x->bytes += entry->props->size;
		x->dirs += entry->props->is_dir;
		if (entry->has_meta && pairs_get(&entry->props->meta, "owner"))
			x->has_meta = true;
		CHECK(x->v, entry->props->mtime > 1600000000 && entry->props->etag[0] == '"');
	}
	snprintf(x->last, sizeof(x->last), "%s", entry->name);
	return x->n == x->stop_at ? -EINTR : 0;
}

static void put_many(struct env *v, const char *dir, int n)
{
	char name[64];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%c/%03d", dir, 'a' + i % 3, i);
		put(v, name, "12345", 5);
	}
}

static void lists_in_pages(struct env *v)
{
	struct blob_list q = {.prefix = "list/", .page = 4};
	struct names x = {.v = v};
	struct blob_error e;

	put_many(v, "list", 13);
	reset(v);
	if (!WORKS(v, blob_co_list(v->s, &q, take_name, &x, &e), &e))
		return;
	CHECK(v, x.n == 13 && x.bytes == 65 && !q.marker[0]);
	CHECK(v, strcmp(x.last, "list/c/011") == 0);
	CHECK(v, count(v, "prefix=list/") == 4);
	q = (struct blob_list){.prefix = "list/", .delimiter = true};
	x = (struct names){.v = v};
	CHECK(v, blob_co_list(v->s, &q, take_name, &x, &e) == 0 && x.n == 3 && x.prefixes == 3);
	CHECK(v, strcmp(x.last, "list/c/") == 0);
	q = (struct blob_list){.prefix = "nothing/"};
	x = (struct names){.v = v};
	CHECK(v, blob_co_list(v->s, &q, take_name, &x, &e) == 0 && x.n == 0);
}

static void lists_go_on_at_a_marker(struct env *v)
{
	struct blob_list q = {.prefix = "mark/", .page = 3, .pages = 2};
	struct names x = {.v = v};
	struct blob_error e;

	put_many(v, "mark", 10);
	CHECK(v, blob_co_list(v->s, &q, take_name, &x, &e) == 0 && x.n == 6 && q.marker[0]);
	q.pages = 0;
	CHECK(v, blob_co_list(v->s, &q, take_name, &x, &e) == 0 && x.n == 10);
	q = (struct blob_list){.prefix = "mark/"};
	x = (struct names){.v = v, .stop_at = 5};
	FAILS(v, blob_co_list(v->s, &q, take_name, &x, &e), &e, BLOB_LOCAL);
	CHECK(v, e.rc == -EINTR && x.n == 5);
}

/* ---- one blob ---- */

static void metadata_is_kept_and_replaced(struct env *v)
{
	CLEANUP(pairs_fini) struct pairs meta = PAIRS_INIT;
	CLEANUP(blob_props_fini) struct blob_props p = {0}, p2 = {0};
	struct iovec iov = {(char *)"hello", 5};
	struct blob_write w = {.name = "meta/x", .meta = &meta};
	struct blob_list q = {.prefix = "meta/"};
	struct names x = {.v = v};
	char etag[BLOB_ETAG_MAX], etag2[BLOB_ETAG_MAX];
	struct blob_error e;

	CHECK(v, pairs_add(&meta, "owner", "1000") == 0 &&
			 pairs_add(&meta, "permissions", "0644") == 0 &&
			 pairs_add(&meta, "modtime", "2021-02-03 04:05:06 -0700") == 0);
	WORKS(v, blob_co_put(v->s, &w, &iov, 1, etag, &e), &e);
	if (!WORKS(v, blob_co_stat(v->s, w.name, &p, &e), &e))
		return;
	CHECK(v,
	      p.size == 5 && strcmp(p.etag, etag) == 0 && pairs_same(&p.meta, &meta) && p.has_md5);
	CHECK(v, blob_co_list(v->s, &q, take_name, &x, &e) == 0 && x.has_meta == v->azure);
	pairs_fini(&meta);
	CHECK(v, pairs_add(&meta, "group", "7") == 0);
	WORKS(v, blob_co_set_meta(v->s, w.name, &meta, etag, etag2, &e), &e);
	if (!WORKS(v, blob_co_stat(v->s, w.name, &p2, &e), &e))
		return;
	CHECK(v, strcmp(p2.etag, etag2) == 0 && pairs_same(&p2.meta, &meta) && p2.size == 5);
	if (v->azure) /* s3rver's ETag is of the content alone */
		FAILS(v, blob_co_set_meta(v->s, w.name, &meta, etag, NULL, &e), &e, BLOB_CONFLICT);
	FAILS(v, blob_co_set_meta(v->s, w.name, &meta, "\"other\"", NULL, &e), &e, BLOB_CONFLICT);
	CHECK(v, pairs_add(&meta, "bad", "line\nbreak") == 0);
	FAILS(v, blob_co_put(v->s, &w, &iov, 1, NULL, &e), &e, BLOB_REFUSED);
}

static void names_of_all_kinds(struct env *v)
{
	static const char *const names[] = {
		"odd/a b",        "odd/a+b",      "odd/%41",   "odd/\xc3\xa4\xe2\x82\xac",
		"odd/q?x=1&y",    "odd/hash#tag", "odd/a'b",   "odd/(1)!*",
		"odd/x;y=z:1,@$", "odd/[1]",      "odd/~t-_.", "odd/&amp;",
	};
	struct blob_list q = {.prefix = "odd/"};
	struct names x = {.v = v};
	struct blob_error e;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!put(v, names[i], names[i], strlen(names[i])) ||
		    !holds(v, names[i], names[i], strlen(names[i])))
			printf("  name: %s\n", names[i]);
	}
	CHECK(v, blob_co_list(v->s, &q, take_name, &x, &e) == 0 && x.n == (int)ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		WORKS(v, blob_co_delete(v->s, names[i], NULL, &e), &e);
	x.n = 0;
	CHECK(v, blob_co_list(v->s, &q, take_name, &x, &e) == 0 && x.n == 0);
	FAILS(v, blob_co_delete(v->s, "", NULL, &e), &e, BLOB_REFUSED);
}

static void conditions_protect_what_is_there(struct env *v)
{
	struct iovec iov = {(char *)"one", 3};
	struct blob_write w = {.name = "cond/x", .if_none = true};
	char etag[BLOB_ETAG_MAX], etag2[BLOB_ETAG_MAX];
	struct blob_error e;

	WORKS(v, blob_co_put(v->s, &w, &iov, 1, etag, &e), &e);
	FAILS(v, blob_co_put(v->s, &w, &iov, 1, NULL, &e), &e, BLOB_CONFLICT);
	w = (struct blob_write){.name = "cond/x", .if_match = etag};
	iov.iov_base = (char *)"two";
	WORKS(v, blob_co_put(v->s, &w, &iov, 1, etag2, &e), &e);
	CHECK(v, strcmp(etag, etag2) != 0);
	FAILS(v, blob_co_put(v->s, &w, &iov, 1, NULL, &e), &e, BLOB_CONFLICT);
	FAILS(v, blob_co_delete(v->s, "cond/x", etag, &e), &e, BLOB_CONFLICT);
	WORKS(v, blob_co_delete(v->s, "cond/x", etag2, &e), &e);
	FAILS(v, blob_co_stat(v->s, "cond/x", &(struct blob_props){0}, &e), &e, BLOB_NOT_FOUND);
	FAILS(v, blob_co_delete(v->s, "cond/x", etag2, &e), &e,
	      v->azure ? BLOB_CONFLICT : BLOB_NOT_FOUND);
}

static void copies_and_renames(struct env *v)
{
	CLEANUP(pairs_fini) struct pairs meta = PAIRS_INIT;
	CLEANUP(blob_props_fini) struct blob_props p = {0};
	struct iovec iov = {(char *)"content", 7};
	struct blob_write w = {.name = "copy/from it", .meta = &meta};
	char etag[BLOB_ETAG_MAX], etag2[BLOB_ETAG_MAX];
	struct blob_error e;

	CHECK(v, pairs_add(&meta, "owner", "5") == 0);
	WORKS(v, blob_co_put(v->s, &w, &iov, 1, etag, &e), &e);
	WORKS(v, blob_co_copy(v->s, w.name, "copy/to", etag, etag2, &e), &e);
	holds(v, "copy/to", "content", 7);
	if (WORKS(v, blob_co_stat(v->s, "copy/to", &p, &e), &e))
		CHECK(v, strcmp(p.etag, etag2) == 0 && pairs_same(&p.meta, &meta));
	FAILS(v, blob_co_copy(v->s, w.name, "copy/to", "\"other\"", NULL, &e), &e, BLOB_CONFLICT);
	FAILS(v, blob_co_copy(v->s, "copy/none", "copy/to", NULL, NULL, &e), &e, BLOB_NOT_FOUND);
	WORKS(v, blob_co_rename(v->s, w.name, "copy/new", NULL, NULL, &e), &e);
	holds(v, "copy/new", "content", 7);
	FAILS(v, blob_co_stat(v->s, w.name, &(struct blob_props){0}, &e), &e, BLOB_NOT_FOUND);
}

/* ---- reads ---- */

struct sink {
	struct env *v;
	const uint8_t *want;
	uint64_t at, stop_at;
	bool sleeps;
};

static int take_bytes(void *arg, const void *p, size_t len)
{
	struct sink *x = arg;

	CHECK(x->v, memcmp(x->want + x->at, p, len) == 0);
	x->at += len;
	/* Long enough for more to come than is kept for a slow receiver. */
	if (x->sleeps)
		co_sleep(200 * (uint64_t)NSEC_PER_MSEC);
	x->sleeps = false;
	return x->stop_at && x->at >= x->stop_at ? -EFBIG : 0;
}

static void note_progress(void *arg, uint64_t got)
{
	uint64_t *last = arg;

	assert(got > *last);
	*last = got;
}

static void reads_ranges(struct env *v)
{
	const size_t size = 3 * MIB + 17;
	uint8_t *want = content(size, 1), *buf = malloc(size);
	struct blob_read r = {.name = "read/x", .buf = buf};
	struct sink x = {.v = v, .want = want, .sleeps = true};
	uint64_t got = 0;
	struct blob_error e;

	put(v, r.name, want, size);
	for (uint64_t off = 0; off < size; off += MIB) {
		r.offset = off;
		r.len = min_u64(MIB, size - off);
		r.verify = off > 0;
		WORKS(v, blob_co_read(v->s, &r, &e), &e);
		CHECK(v, memcmp(buf, want + off, r.len) == 0);
	}
	r = (struct blob_read){
		.name = "read/x", .buf = buf, .len = size, .arg = &got, .progress = note_progress};
	WORKS(v, blob_co_read(v->s, &r, &e), &e);
	CHECK(v, got == size && memcmp(buf, want, size) == 0);
	reset(v);
	r = (struct blob_read){.name = "read/x", .len = size, .sink = take_bytes, .arg = &x};
	WORKS(v, blob_co_read(v->s, &r, &e), &e);
	CHECK(v, x.at == size && count(v, "GET") == 1);
	x = (struct sink){.v = v, .want = want, .stop_at = 1000};
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_LOCAL);
	CHECK(v, e.rc == -EFBIG && x.at < size);
	r = (struct blob_read){.name = "read/x", .buf = buf, .offset = size - 10, .len = 20};
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_CONFLICT);
	r.offset = size + 10;
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_CONFLICT);
	r = (struct blob_read){.name = "read/none", .buf = buf, .len = 1};
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_NOT_FOUND);
	free(want);
	free(buf);
}

static void a_read_keeps_to_its_etag(struct env *v)
{
	char buf[8], etag[BLOB_ETAG_MAX];
	struct iovec iov = {(char *)"version1", 8};
	struct blob_write w = {.name = "etag/x"};
	struct blob_read r = {.name = "etag/x", .etag = etag, .buf = buf, .len = 8};
	struct blob_error e;

	WORKS(v, blob_co_put(v->s, &w, &iov, 1, etag, &e), &e);
	WORKS(v, blob_co_read(v->s, &r, &e), &e);
	iov.iov_base = (char *)"version2";
	WORKS(v, blob_co_put(v->s, &w, &iov, 1, NULL, &e), &e);
	memset(buf, 'x', sizeof(buf));
	FAILS(v, blob_co_read(v->s, &r, &e), &e, BLOB_CONFLICT);
	CHECK(v, memcmp(buf, "xxxxxxxx", 8) == 0);
}

struct many {
	struct env *v;
	int i;
};

static int co_one_of_many(void *arg)
{
	struct many *m = arg;
	uint8_t *want = content(100000, (uint64_t)m->i);
	char name[32];

	snprintf(name, sizeof(name), "many/%d", m->i);
	if (put(m->v, name, want, 100000))
		holds(m->v, name, want, 100000);
	free(want);
	return 0;
}

static void many_at_once_on_kept_connections(struct env *v)
{
	struct co_group g = CO_GROUP_INIT;
	struct many m[40];

	for (int i = 0; i < 40; i++) {
		m[i] = (struct many){v, i};
		co_spawn(&g, co_one_of_many, &m[i]);
	}
	CHECK(v, co_join(&g) == 0);
}

/* ---- logs ---- */

static void a_log_grows_line_by_line(struct env *v)
{
	struct blob_log *log, *again;
	struct blob_error e;
	const char *one = "{\"n\":1}\n{\"n\":2}\n", *all = "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n";

	CHECK(v, blob_log_open(v->s, "log/errors.json", &log) == 0);
	WORKS(v, blob_log_co_line(log, "{\"n\":1}", &e), &e);
	WORKS(v, blob_log_co_line(log, "{\"n\":2}", &e), &e);
	FAILS(v, blob_log_co_line(log, "{\n}", &e), &e, BLOB_REFUSED);
	WORKS(v, blob_log_co_flush(log, &e), &e);
	WORKS(v, blob_log_co_flush(log, &e), &e);
	holds(v, v->azure ? "log/errors.json" : "log/errors.json.000001", one, strlen(one));
	/* The answer of an append is lost: its lines must be there once. */
	WORKS(v, blob_log_co_line(log, "{\"n\":3}", &e), &e);
	fault(v, v->azure ? "match=appendblock&do=lose" : "match=PUT&do=lose");
	WORKS(v, blob_log_co_flush(log, &e), &e);
	blob_log_close(log);
	if (v->azure)
		holds(v, "log/errors.json", all, strlen(all));
	/* Another process goes on behind it. */
	CHECK(v, blob_log_open(v->s, "log/errors.json", &again) == 0);
	WORKS(v, blob_log_co_line(again, "{\"n\":4}", &e), &e);
	WORKS(v, blob_log_co_flush(again, &e), &e);
	blob_log_close(again);
	if (v->azure)
		holds(v, "log/errors.json", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n", 32);
	else
		holds(v, "log/errors.json.000003", "{\"n\":4}\n", 8);
}

const struct test_case basic_cases[] = {
	{"lists in pages", lists_in_pages, true, true, true},
	{"lists go on at a marker", lists_go_on_at_a_marker, true, true, true},
	{"metadata is kept and replaced", metadata_is_kept_and_replaced, true, true, true},
	{"names of all kinds", names_of_all_kinds, true, true, true},
	{"conditions protect what is there", conditions_protect_what_is_there, true, true, true},
	{"copies and renames", copies_and_renames, true, true, true},
	{"reads ranges", reads_ranges, true, true, true},
	{"a read keeps to its etag", a_read_keeps_to_its_etag, true, true, true},
	{"many at once on kept connections", many_at_once_on_kept_connections, true, true, true},
	{"a log grows line by line", a_log_grows_line_by_line, true, true, true},
	{0},
};
