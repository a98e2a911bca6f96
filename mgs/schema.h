/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - every table of an MGS, declared once.
 *
 * A row T(number, name, what it holds) has a key list K_<name> and a value list V_<name>. Keys are
 * text, so that the order of bytes is the order of names; values are in the field language
 * (field.h), fields are only appended. Codec and text for SCHEMA.md come from the same lists. What
 * records mean is registry.c's business. Pure; never suspends.
 */
#pragma once
#include "common/proto/field.h"
#include "common/store.h"

/* clang-format off */
#define MGS_TABLES(T) \
	T(0, mgs_target, "targets of all file systems, by target name (lustre-OST0000)") \
	T(1, mgs_param,  "permanent parameters, by name or pattern") \
	T(2, mgs_config, "counters of the MGS: version of the configuration")

/* starts: registrations of the target, which are its starts. */
#define K_mgs_target(F) F(text, name)
#define V_mgs_target(F) F(str, fsname) F(u8, type) F(u32, index) F(blob, uuid) F(str, nids) \
	F(u64, starts)
#define K_mgs_param(F)  F(text, name)
#define V_mgs_param(F)  F(str, value)
#define K_mgs_config(F) F(text, name)
#define V_mgs_config(F) F(u64, value)
/* clang-format on */

#define MGS_TABLE_DECLARE(id_, nm, doc_)                                      \
	enum { TABLE_##nm = id_ };                                            \
	struct nm##_rec {                                                     \
		V_##nm(FIELD_MEMBER)                                          \
	};                                                                    \
	void enc_##nm##_rec(struct wbuf *w, const struct nm##_rec *v);        \
	/* The whole value, nothing missing. -EBADMSG. */                     \
	must_check int dec_##nm##_rec(struct span val, struct nm##_rec *v);
MGS_TABLES(MGS_TABLE_DECLARE)
#undef MGS_TABLE_DECLARE

#define MGS_TABLE_COUNT(id_, nm, doc_) +1
enum { MGS_NTABLES = 0 MGS_TABLES(MGS_TABLE_COUNT) };

extern const struct store_table mgs_tables[MGS_NTABLES];

struct mgs_table_text { /* for SCHEMA.md */
	uint32_t id;
	const char *name, *doc;
	const char *key, *value; /* " str:fsname u8:type" */
};
extern const struct mgs_table_text mgs_table_texts[MGS_NTABLES];
