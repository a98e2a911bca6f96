/* SPDX-License-Identifier: Apache-2.0 */
/* common_proto.h - RPCs that every service answers.
 *
 * Row: X(number, service, name, flags, what it does). Numbers are never reused.
 */
#pragma once
/* clang-format off */
#define COMMON_RPCS(X) \
	X(1, any, connect,    RPC_NOSESSION, "open or resume a session; the first request of every connection") \
	X(2, any, disconnect, 0,             "end the session: locks, opens and leases are given back") \
	X(3, any, ping,       0,             "keep the session alive") \
	X(4, any, get_param,  RPC_NOSESSION, "values of all parameters that match a pattern, as name=value text") \
	X(5, any, set_param,  RPC_NOSESSION, "set every parameter that matches a pattern") \
	X(6, any, list_param, RPC_NOSESSION, "names of all parameters that match a pattern")

/* kind: enum peer_kind. target: "MGS", "fsname-MDT0000", ... or empty for parameters only.
 * last_boot_id: what the server said last time, 0 the first time. */
#define REQ_any_connect(F) F(u32, version_min) F(u32, version_max) F(u64, features) F(blob, uuid) \
	F(u32, kind) F(str, name) F(str, target) F(u32, lane) F(u64, last_boot_id)
#define REP_any_connect(F) F(u32, version) F(u64, features) F(u64, session) F(u32, epoch) \
	F(u64, boot_id) F(u32, slots) F(u32, max_bulk) F(u32, ping_ms) F(u32, resumed) F(str, server)
#define REQ_any_disconnect(F)
#define REP_any_disconnect(F)
#define REQ_any_ping(F)
#define REP_any_ping(F)
/* Text is sent in pieces: skip says how many bytes the asker has; more is 1 while there is more. */
#define REQ_any_get_param(F) F(str, pattern) F(u32, skip)
#define REP_any_get_param(F) F(blob, text) F(u32, more)
#define REQ_any_set_param(F) F(str, pattern) F(str, value)
#define REP_any_set_param(F) F(blob, text)
#define REQ_any_list_param(F) F(str, pattern) F(u32, skip)
#define REP_any_list_param(F) F(blob, text) F(u32, more)
/* clang-format on */
