/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - the only place where the table lists of the MGS are expanded into code; see
 * schema.h. */
#include "mgs/schema.h"

#define MUST_DEC(t, n) || dec_##t(r, &v->n)
#define TABLE_CODEC(id_, nm, doc_)                                            \
	void enc_##nm##_rec(struct wbuf *w, const struct nm##_rec *v)         \
	{                                                                     \
		V_##nm(FIELD_ENC)                                             \
	}                                                                     \
	int dec_##nm##_rec(struct span val, struct nm##_rec *v)               \
	{                                                                     \
		struct rbuf rb = rbuf_of(val), *r = &rb;                      \
                                                                              \
		return 0 V_##nm(MUST_DEC) ? -EBADMSG : 0;                     \
	}
MGS_TABLES(TABLE_CODEC)

#define TABLE_ROW(id_, nm, doc_) [id_] = {id_, #nm},
const struct store_table mgs_tables[MGS_NTABLES] = {MGS_TABLES(TABLE_ROW)};

#define FIELD_TEXT(t, n) " " #t ":" #n
#define TABLE_TEXT(id_, nm, doc_)                                                                  \
	[id_] = {id_, #nm, doc_, "" K_##nm(FIELD_TEXT), "" V_##nm(FIELD_TEXT)},
const struct mgs_table_text mgs_table_texts[MGS_NTABLES] = {MGS_TABLES(TABLE_TEXT)};
