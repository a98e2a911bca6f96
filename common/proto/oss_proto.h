/* SPDX-License-Identifier: Apache-2.0 */
/* oss_proto.h - what an object storage target answers.
 *
 * An object is (fid, comp, stripe) as in layout.h. It comes to be at its first write, so asking
 * about one that is not there is no error: OBJ_EXISTS is clear and sizes are 0.
 */
#pragma once
/* clang-format off */
#define OSS_RPCS(X) \
	X(300, oss, read,      RPC_BULK_OUT | RPC_LOSABLE, "bytes of an object; fewer come back at its end") \
	X(301, oss, write,     RPC_BULK_IN,   "write bytes of an object, making it if need be") \
	X(302, oss, getattr,   RPC_LOSABLE, "size, blocks and times of an object") \
	X(303, oss, punch,     0,             "set the size of an object (truncate); from the MDS") \
	X(304, oss, fallocate, 0,             "preallocate, punch a hole or zero a range") \
	X(305, oss, seek,      RPC_LOSABLE, "next data or hole at or after an offset") \
	X(306, oss, sync,      RPC_LOSABLE, "make an object stable") \
	X(307, oss, destroy,   0,             "remove objects; done when answered; from the MDS") \
	X(308, oss, statfs,    RPC_LOSABLE, "space of the target") \
	X(309, oss, fence,     0,             "refuse writes of an older trunc_gen from now on; from the MDS") \
	X(310, oss, grant,     0,             "promise space to this client, or take it back") \
	X(311, oss, list,      0,             "objects that the target has; for the checker") \
	X(312, oss, commit,    RPC_LOSABLE,   "make all that was answered before stable") \
	X(313, oss, recover,   RPC_LONG,      "a lane of a client is back after a restart; waits, when it has sent all, until others have") \
	X(314, oss, again,     RPC_BULK_IN,   "a change that was answered before the target lost its power")

#define OBJ_FIELDS(F) F(fid, fid) F(u32, comp) F(u32, stripe)
/* flags: OBJ_EXISTS. size, blocks (512 bytes), mtime (ns, of the OST), version: counts changes. */
#define OBJ_ATTR_FIELDS(F) F(u32, flags) F(u64, size) F(u64, blocks) F(i64, mtime) F(u64, version)

/* trunc_gen, power: not 0: -ESTALE if the object has heard of a newer truncation, or the target has another power (see
 * oss_write) than that. */
#define REQ_oss_read(F)      OBJ_FIELDS(F) F(u64, off) F(u32, len) F(u32, trunc_gen) F(u64, power)
#define REP_oss_read(F)      OBJ_ATTR_FIELDS(F)
/* Of the component that the object belongs to, with the generation of the layout: whoever makes an object tells it, so
 * that the file could be put together from its objects. Zero: not told. */
#define OBJ_LAYOUT_FIELDS(F) F(u32, stripe_size) F(u32, stripe_count) F(u32, layout_gen)

/* flags: OSS_WRITE_SYNC: stable before the answer. age: ns since the bytes were written at the client, who kept them
 * for a while; written: when that was by its clock. The object's time is the latter, unless the clocks disagree.
 * grant_used: of the space promised to this client, this much is for these bytes; grant_want: and it would like so much
 * more; grant: so much it got.
 * The header has the change's number, and the one up to which all are stable: in the order of the changes, over all
 * lives of the target. power: the same as long as nothing that was answered can be lost; another one: what was not
 * stable then may be, and is to be sent again. */
#define REQ_oss_write(F)     OBJ_FIELDS(F) F(u64, off) F(u32, flags) F(u32, trunc_gen) F(u64, age) F(i64, written) \
	F(u64, grant_used) F(u64, grant_want) OBJ_LAYOUT_FIELDS(F)
#define REP_oss_write(F)     OBJ_ATTR_FIELDS(F) F(u64, grant) F(u64, power)
#define REQ_oss_getattr(F)   OBJ_FIELDS(F)
/* Besides, what the object says of itself; stripe_count 0: it does not know its layout. */
#define REP_oss_getattr(F)   OBJ_ATTR_FIELDS(F) F(u32, trunc_gen) OBJ_LAYOUT_FIELDS(F)
/* An object that is longer is cut, one that is shorter grows if extend is set. */
#define REQ_oss_punch(F)     OBJ_FIELDS(F) F(u64, size) F(u32, extend) F(u32, trunc_gen) F(u32, fence) OBJ_LAYOUT_FIELDS(F)
#define REP_oss_punch(F)     OBJ_ATTR_FIELDS(F)
/* mode: FALLOC_FL_* of fallocate(2). */
#define REQ_oss_fallocate(F) OBJ_FIELDS(F) F(u32, mode) F(u64, off) F(u64, len) F(u32, trunc_gen) OBJ_LAYOUT_FIELDS(F)
#define REP_oss_fallocate(F) OBJ_ATTR_FIELDS(F)
/* whence: SEEK_DATA 3 or SEEK_HOLE 4. -ENXIO as lseek(2). */
#define REQ_oss_seek(F)      OBJ_FIELDS(F) F(u64, off) F(u32, whence)
#define REP_oss_seek(F)      F(u64, off)
#define REQ_oss_sync(F)      OBJ_FIELDS(F)
/* power: as of a write. */
#define REP_oss_sync(F)      OBJ_ATTR_FIELDS(F) F(u64, power)
/* objects: oss_object records. */
#define REQ_oss_destroy(F)   F(blob, objects)
#define REP_oss_destroy(F)   F(u32, destroyed)
#define REQ_oss_statfs(F)
#define REP_oss_statfs(F)    F(u64, total) F(u64, free) F(u64, avail) F(u64, files) F(u64, ffree) F(u32, state)
/* The object is made if need be, to remember. */
#define REQ_oss_fence(F)     OBJ_FIELDS(F) F(u32, trunc_gen) OBJ_LAYOUT_FIELDS(F)
#define REP_oss_fence(F)     OBJ_ATTR_FIELDS(F)

/* flags: OSS_GRANT_RETURN: nothing that was promised before is needed any more. */
#define REQ_oss_grant(F)     F(u64, want) F(u32, flags)
#define REP_oss_grant(F)     F(u64, grant)

/* Objects lie in directories: one for each sequence, 256 below each, dir is its number. after: the last object in
 * that directory that is known already, zero: none. objects: oss_object records, in order; the next request has what
 * this reply says, eof: there are no more. */
#define OBJ_CURSOR_FIELDS(F) F(u64, seq) F(u32, dir) OBJ_FIELDS(F)
#define REQ_oss_list(F)      OBJ_CURSOR_FIELDS(F)
#define REP_oss_list(F)      OBJ_CURSOR_FIELDS(F) F(u32, eof) F(blob, objects)

#define REQ_oss_commit(F)
#define REP_oss_commit(F)
/* lanes: a bit for each lane of the client that has been connected to the target. done: this one has sent again what it
 * has kept; answered when others may go on. window: that is to be done now. stable: everything up to this number is on
 * the disk. */
#define REQ_oss_recover(F)   F(u32, lane) F(u64, lanes) F(u8, done)
#define REP_oss_recover(F)   F(u8, window) F(u64, power) F(u64, stable)
/* what: enum oss_what. number: as it was answered. off, len: of a write, with its bytes, or of a fallocate, with its mode;
 * off: of a punch, the size, mode: extend, len: not 0: the object is made if need be. age, written: as of a write. -ESTALE: it is too late. */
#define REQ_oss_again(F)     OBJ_FIELDS(F) F(u32, what) F(u64, number) F(u64, off) F(u64, len) F(u32, mode) \
	F(u32, trunc_gen) F(u64, age) F(i64, written) OBJ_LAYOUT_FIELDS(F)
#define REP_oss_again(F)

#define STRUCT_oss_object(F) OBJ_FIELDS(F)
/* clang-format on */
