/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - the only place where the table lists are expanded into code; see schema.h.
 *
 * It knows bytes, not meaning: nothing here relates one record to another.
 */
#include "mds/schema.h"
#include "common/limits.h"
#include "common/log.h"
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>

/* The largest value: an inode with the largest layout, name and target; an xattr; a stored
 * reply. */
#define VALUE_MAX (2 * MAX_LAYOUT_BLOB)
#define KEY_MAX 511

/* Encoded values are copied by store_put(), so one buffer for each thread does. */
static _Thread_local uint8_t value_buf[VALUE_MAX];

/* ---- keys ---- */

static void key_enc_u32(struct wbuf *w, const uint32_t *v)
{
	uint32_t x = htobe32(*v);

	wbuf_put(w, &x, sizeof(x));
}

static void key_enc_u64(struct wbuf *w, const uint64_t *v)
{
	uint64_t x = htobe64(*v);

	wbuf_put(w, &x, sizeof(x));
}

static void key_enc_fid(struct wbuf *w, const struct fid *v)
{
	key_enc_u64(w, &v->seq);
	key_enc_u32(w, &v->oid);
	key_enc_u32(w, &v->ver);
}

static void key_enc_uuid(struct wbuf *w, const struct uuid *v)
{
	wbuf_put(w, v->b, sizeof(v->b));
}

static void key_enc_tail(struct wbuf *w, const struct span *v)
{
	wbuf_put(w, v->ptr, v->len);
}

static bool key_take(struct rbuf *r, void *out, uint32_t len)
{
	if (r->len < len)
		return false;
	memcpy(out, r->ptr, len);
	r->ptr += len;
	r->len -= len;
	return true;
}

static bool key_dec_u32(struct rbuf *r, uint32_t *v)
{
	bool ok = key_take(r, v, sizeof(*v));

	*v = be32toh(*v);
	return ok;
}

static bool key_dec_u64(struct rbuf *r, uint64_t *v)
{
	bool ok = key_take(r, v, sizeof(*v));

	*v = be64toh(*v);
	return ok;
}

static bool key_dec_fid(struct rbuf *r, struct fid *v)
{
	return key_dec_u64(r, &v->seq) && key_dec_u32(r, &v->oid) && key_dec_u32(r, &v->ver);
}

static bool key_dec_uuid(struct rbuf *r, struct uuid *v)
{
	return key_take(r, v->b, sizeof(v->b));
}

static bool key_dec_tail(struct rbuf *r, struct span *v)
{
	*v = (struct span){r->ptr, r->len};
	r->len = 0;
	return true;
}

#define key_dbg_u32(f, v) fprintf(f, "%" PRIu32, *(v))
#define key_dbg_u64(f, v) fprintf(f, "%" PRIu64, *(v))
#define key_dbg_fid(f, v) dbg_fid(f, v)
#define key_dbg_tail(f, v) dbg_blob(f, v)

static void key_dbg_uuid(FILE *f, const struct uuid *v)
{
	char text[UUID_STRLEN];

	fputs(uuid_str(v->b, text), f);
}

typedef void key_print_fn(FILE *f, const void *key);

/* Damage is reported by name, so that a person can find the file that is hurt. */
static int damaged(const char *table, key_print_fn *print, const void *key)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f) {
		print(f, key);
		fclose(f);
	}
	log_err("mds: damaged record in table %s:%s", table, text ? text : "");
	free(text);
	return -EIO;
}

/* ---- tables ---- */

#define KEY_ENC(t, n) key_enc_##t(w, &k->n);
#define KEY_DEC(t, n) &&key_dec_##t(r, &k->n)
#define KEY_DBG(t, n)            \
	fprintf(f, " " #n "="); \
	key_dbg_##t(f, &k->n);

#define TABLE_CODEC(id_, nm, doc_)                                                             \
	static struct span nm##_key_enc(void *mem, const struct nm##_key *k)                   \
	{                                                                                      \
		struct wbuf wb, *w = &wb;                                                      \
		wbuf_init_fixed(w, mem, KEY_MAX);                                              \
		K_##nm(KEY_ENC)                                                                \
		return w->rc ? SPAN_NONE : wbuf_span(w);                                       \
	}                                                                                      \
	static bool nm##_key_dec(struct span s, struct nm##_key *k)                            \
	{                                                                                      \
		struct rbuf rb = rbuf_of(s), *r = &rb;                                         \
		return true K_##nm(KEY_DEC) && r->len == 0;                                    \
	}                                                                                      \
	static void nm##_key_dbg(FILE *f, const void *p)                                       \
	{                                                                                      \
		const struct nm##_key *k = p;                                                  \
		K_##nm(KEY_DBG)                                                                \
	}                                                                                      \
	static int nm##_rec_dec(struct span s, struct nm##_rec *v)                             \
	{                                                                                      \
		struct rbuf rb = rbuf_of(s), *r = &rb;                                         \
		int rc = 0;                                                                    \
		(void)r, (void)v;                                                              \
		memset(v, 0, sizeof(*v));                                                      \
		V_##nm(FIELD_DEC)                                                              \
		return rc;                                                                     \
	}

#define TABLE_ACCESS(id_, nm, doc_)                                                            \
	int nm##_rec_get(struct txn *t, const struct nm##_key *k, struct nm##_rec *v)          \
	{                                                                                      \
		uint8_t mem[KEY_MAX];                                                          \
		struct nm##_rec rec;                                                           \
		struct span val;                                                               \
		int rc = store_get(t, id_, nm##_key_enc(mem, k), &val);                        \
		if (rc == 0)                                                                   \
			rc = nm##_rec_dec(val, &rec);                                          \
		if (rc == -EUCLEAN || rc == -EBADMSG)                                          \
			return damaged(#nm, nm##_key_dbg, k);                                  \
		if (rc == 0)                                                                   \
			*v = rec;                                                              \
		return rc;                                                                     \
	}                                                                                      \
	int nm##_rec_put(struct txn *t, const struct nm##_key *k, const struct nm##_rec *v)    \
	{                                                                                      \
		uint8_t mem[KEY_MAX];                                                          \
		struct wbuf wb, *w = &wb;                                                      \
		(void)v;                                                                       \
		wbuf_init_fixed(w, value_buf, sizeof(value_buf));                              \
		V_##nm(FIELD_ENC)                                                              \
		if (w->rc)                                                                     \
			return w->rc;                                                          \
		return store_put(t, id_, nm##_key_enc(mem, k), wbuf_span(w));                  \
	}                                                                                      \
	int nm##_rec_del(struct txn *t, const struct nm##_key *k)                              \
	{                                                                                      \
		uint8_t mem[KEY_MAX];                                                          \
		return store_del(t, id_, nm##_key_enc(mem, k));                                \
	}

#define TABLE_WALK(id_, nm, doc_)                                                              \
	struct nm##_walk {                                                                     \
		nm##_walk_fn *fn;                                                              \
		void *arg;                                                                     \
	};                                                                                     \
	static int nm##_walk_row(void *arg, struct span key, struct span val)                  \
	{                                                                                      \
		struct nm##_walk *wk = arg;                                                    \
		struct nm##_key k;                                                             \
		struct nm##_rec v;                                                             \
		if (!nm##_key_dec(key, &k)) {                                                  \
			log_err("mds: damaged key in table " #nm);                             \
			return 0;                                                              \
		}                                                                              \
		if (val.ptr && nm##_rec_dec(val, &v) == 0)                                     \
			return wk->fn(wk->arg, &k, &v);                                        \
		damaged(#nm, nm##_key_dbg, &k);                                                \
		return wk->fn(wk->arg, &k, NULL);                                              \
	}                                                                                      \
	int nm##_rec_walk(struct txn *t, const struct nm##_key *from, nm##_walk_fn *fn,        \
			  void *arg)                                                           \
	{                                                                                      \
		uint8_t mem[KEY_MAX];                                                          \
		struct nm##_walk wk = {fn, arg};                                               \
		return store_walk(t, id_, nm##_key_enc(mem, from), nm##_walk_row, &wk);        \
	}

MDS_TABLES(TABLE_CODEC)
MDS_TABLES(TABLE_ACCESS)
MDS_TABLES(TABLE_WALK)

#define TABLE_ROW(id_, nm, doc_) {id_, #nm},
const struct store_table mds_tables[MDS_NTABLES] = {MDS_TABLES(TABLE_ROW)};

#define LIST_TEXT(t, n) " " #t ":" #n
#define TEXT_ROW(id_, nm, doc_) {id_, #nm, doc_, "" K_##nm(LIST_TEXT), "" V_##nm(LIST_TEXT)},
const struct table_text mds_table_texts[MDS_NTABLES] = {MDS_TABLES(TEXT_ROW)};

#define VALUE_CASE(id_, nm, doc_)                    \
	if (table == id_) {                          \
		struct nm##_rec rec;                 \
		return nm##_rec_dec(val, &rec);      \
	}

int schema_value_check(uint32_t table, struct span val)
{
	MDS_TABLES(VALUE_CASE)
	return -EBADMSG;
}
