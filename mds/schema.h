/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - every table of an MDT, declared once.
 *
 * A row T(number, name, what it holds) has a key list K_<name> and a value list V_<name>. Values
 * are in the field language of the wire (field.h); fields are only appended. Keys are big-endian,
 * so that the order of bytes is the order we want: fid, u64, u32, uuid (16 bytes) and tail (the
 * rest of the key, no length).
 * For each table this declares struct <name>_key, struct <name>_rec and
 *   <name>_rec_get/put/del   one record: 0, -ENOENT, -EIO (damaged: logged with table and key), or
 *                            LMDB's error
 *   <name>_rec_walk          records from a key on, in order
 * and SCHEMA.md is printed from the same lists. What records mean stands in the file of the
 * table's name.
 *
 * Spans in a record that was read point into the map: valid until the next put or the end of the
 * pass. One thread at a time in a transaction; never suspends.
 */
#pragma once
#include "common/proto/field.h"
#include "common/store.h"
#include "common/target.h"

struct uuid {
	uint8_t b[UUID_LEN];
};

/* clang-format off */
#define MDS_TABLES(T) \
	T(0, config,    "counters of the MDT by name: schema, next_seq, life (starts of the MDS)") \
	T(1, inode,     "attributes, first link, layout (a directory's default), symlink target") \
	T(2, dirent,    "names of a directory") \
	T(3, diridx,    "the same names in the order of their cookies, for readdir") \
	T(4, link,      "links of an inode beyond the first") \
	T(5, xattr,     "extended attributes, POSIX ACLs included") \
	T(6, orphan,    "inodes without a name that live until their last close") \
	T(7, unsure,    "regular files whose size stands at their objects, or did a minute ago") \
	T(8, unlinklog, "objects of removed files that their OST has yet to destroy") \
	T(9, slot,      "last reply to each slot of a client: a resend is answered, not executed") \
	T(10, hsm,      "what an archive has of a file") \
	T(11, hsmwork,  "what movers are to do, in the order in which it was asked for")

#define K_config(F)    F(tail, name)
#define V_config(F)    F(u64, value)
/* next_cookie: of a directory. parent and name: of the first link. */
#define K_inode(F)     F(fid, fid)
#define V_inode(F)     F(attr, attr) F(fid, parent) F(u64, next_cookie) \
	F(optname, name) F(blob, layout) F(str, target)
#define K_dirent(F)    F(fid, parent) F(tail, name)
#define V_dirent(F)    F(fid, child) F(u8, dtype) F(u64, cookie)
#define K_diridx(F)    F(fid, parent) F(u64, cookie)
#define V_diridx(F)    F(fid, child) F(u8, dtype) F(name, name)
#define K_link(F)      F(fid, fid) F(fid, parent) F(tail, name)
#define V_link(F)
#define K_xattr(F)     F(fid, fid) F(tail, name)
#define V_xattr(F)     F(blob, value)
/* linkable: made without a name (O_TMPFILE) and may still get one */
#define K_orphan(F)    F(fid, fid)
#define V_orphan(F)    F(u8, linkable)
#define K_unsure(F)    F(fid, fid)
#define V_unsure(F)
#define K_unlinklog(F) F(u32, ost) F(fid, fid) F(u32, comp) F(u32, stripe)
#define V_unlinklog(F)
/* open_id, open_flags: of an open that the operation made, to be made again when the reply is
 * repeated after a restart. transno: of the change; the highest of a client's rows tells which of
 * its changes there are */
#define K_slot(F)      F(uuid, client) F(u32, slot)
#define V_slot(F)      F(u64, xid) F(u32, rpc) F(i32, status) F(fid, open_fid) F(u64, open_id) \
	F(u32, open_flags) F(blob, body) F(u64, transno)
/* flags: HSM_*. ctime: of the inode when it was archived. name, etag: of the copy. */
#define K_hsm(F)       F(fid, fid)
#define V_hsm(F)       F(u32, flags) F(u32, archive) F(i64, ctime) F(str, name) F(str, etag)
/* action: HSM_ARCHIVE, HSM_REMOVE. asked: when. */
#define K_hsmwork(F)   F(u64, cookie)
#define V_hsmwork(F)   F(fid, fid) F(u32, action) F(u32, archive) F(i64, asked) F(str, data)
/* clang-format on */

#define KT_fid struct fid
#define KT_u64 uint64_t
#define KT_u32 uint32_t
#define KT_uuid struct uuid
#define KT_tail struct span
#define KEY_MEMBER(t, n) KT_##t n;

#define TABLE_DECLARE(id_, nm, doc_)                                                             \
	enum { TABLE_##nm = id_ };                                                               \
	struct nm##_key {                                                                        \
		K_##nm(KEY_MEMBER)                                                               \
	};                                                                                       \
	struct nm##_rec {                                                                        \
		V_##nm(FIELD_MEMBER)                                                             \
	};                                                                                       \
	must_check int nm##_rec_get(struct txn *t, const struct nm##_key *k, struct nm##_rec *v); \
	must_check int nm##_rec_put(struct txn *t, const struct nm##_key *k,                     \
				    const struct nm##_rec *v);                                   \
	must_check int nm##_rec_del(struct txn *t, const struct nm##_key *k);                    \
	/* v is NULL for a damaged record; result as in store_walk_fn */                         \
	typedef int nm##_walk_fn(void *arg, const struct nm##_key *k, const struct nm##_rec *v); \
	must_check int nm##_rec_walk(struct txn *t, const struct nm##_key *from, nm##_walk_fn *fn, \
				     void *arg);
MDS_TABLES(TABLE_DECLARE)
#undef TABLE_DECLARE

#define TABLE_COUNT(id_, nm, doc_) +1
enum { MDS_NTABLES = 0 MDS_TABLES(TABLE_COUNT) };

extern const struct store_table mds_tables[MDS_NTABLES];

struct table_text { /* for SCHEMA.md */
	uint32_t id;
	const char *name, *doc;
	const char *key, *value; /* " fid:parent tail:name" */
};
extern const struct table_text mds_table_texts[MDS_NTABLES];

/* Decodes a raw value; for the fuzz target. 0 or -EBADMSG. */
must_check int schema_value_check(uint32_t table, struct span val);
