/* SPDX-License-Identifier: Apache-2.0 */
/* mgs_proto.h - what the management server answers. */
#pragma once
/* clang-format off */
#define MGS_RPCS(X) \
	X(100, mgs, register,    RPC_MODIFIES, "a target says that it serves and where; the first time it joins its file system") \
	X(101, mgs, config,      RPC_LONG,     "targets and permanent parameters of a file system; waits for news if asked to") \
	X(102, mgs, set_param,   RPC_MODIFIES, "set_param -P: a parameter of every node, for good") \
	X(103, mgs, filesystems, 0,            "names of the file systems this MGS knows")

/* type: enum target_type. nids: list text as in nid.h, with ports; first where it serves. boot: as
 * in its answers to connect. */
#define REQ_mgs_register(F) F(str, fsname) F(u8, type) F(u32, index) F(blob, uuid) F(str, nids) F(u64, boot)
#define REP_mgs_register(F) F(str, name) F(u64, version)
/* boots: u64 for each of targets, 0 when the MGS does not know.
 * Answers at once when version differs from have, else after at most wait_ms. */
#define REQ_mgs_config(F)   F(str, fsname) F(u64, have) F(u32, wait_ms)
#define REP_mgs_config(F)   F(u64, version) F(blob, targets) F(blob, params) F(blob, boots)
#define REQ_mgs_set_param(F) F(str, name) F(str, value) F(u32, del)
#define REP_mgs_set_param(F)
#define REQ_mgs_filesystems(F)
#define REP_mgs_filesystems(F) F(str, names)

/* Records that follow each other in a blob. */
#define STRUCT_mgs_target(F) F(u8, type) F(u32, index) F(str, name) F(str, nids) F(blob, uuid) F(u64, starts)
#define STRUCT_mgs_param(F)  F(str, name) F(str, value)
/* clang-format on */
