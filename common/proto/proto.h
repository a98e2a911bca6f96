/* SPDX-License-Identifier: Apache-2.0 */
/* proto.h - expands the RPC lists into structs, codecs, descriptors, client stubs.
 *
 * For a row X(200, mds, lookup, ...) this declares
 *   struct mds_lookup_req, struct mds_lookup_rep
 *   RPC_mds_lookup                          the number
 *   const struct rpc_desc mds_lookup_desc   name, flags, sizes, codecs
 *   mds_co_lookup(import, call, &req, &rep) the client stub (rpc.h); suspends
 * and a server that expands PROTO_SERVE(MDS_RPCS) must define
 *   int mds_lookup(struct rpc_op *op, const struct mds_lookup_req *q, struct mds_lookup_rep *p)
 * STRUCT_<name> lists become struct <name> with enc_<name>(), dec_<name>() for records in blobs.
 *
 * Adding an RPC: a row, two field lists, a handler file.
 */
#pragma once
#include "common/proto/common_proto.h"
#include "common/proto/field.h"
#include "common/proto/mds_proto.h"
#include "common/proto/mgs_proto.h"
#include "common/proto/oss_proto.h"

#define ALL_RPCS(X) COMMON_RPCS(X) MGS_RPCS(X) MDS_RPCS(X) OSS_RPCS(X)
#define ALL_STRUCTS(S)                                                                     \
	S(mgs_target) S(mgs_param) S(mds_dirent) S(mds_dirent_plus) S(mds_dirent_open) \
	S(mds_target_stat) \
	S(mds_recall) S(mds_fid) S(mds_xattr) S(mds_hsm_cookie) S(mds_hsm_work) \
	S(mds_power) S(mds_import_entry) S(mds_import_result) S(oss_object)

enum rpc_flags {
	RPC_MODIFIES = 1,  /* takes a slot; executed exactly once however often it is sent */
	RPC_NOSESSION = 2, /* allowed before connect */
	RPC_BULK_IN = 4,   /* request carries bulk data */
	RPC_BULK_OUT = 8,  /* reply carries bulk data */
	RPC_LONG = 16,	   /* may wait for other clients: no latency statistics */
	RPC_RIDES = 32,	   /* nobody waits for it: it may leave a little later, with the next one */
	RPC_LOSABLE = 64,  /* a client may stop waiting for the answer: it is as if it was lost */
};

/* Constants that travel in fields. */
enum peer_kind { PEER_CLIENT = 1, PEER_MDT = 2, PEER_OST = 3, PEER_MGS = 4, PEER_TOOL = 5 };
enum target_type { TARGET_MGS = 1, TARGET_MDT = 2, TARGET_OST = 3 };
enum target_state { /* bits; letters of lfs df */
	TARGET_DEGRADED = 1,
	TARGET_READONLY = 2,
	TARGET_NOCREATE = 4,
	TARGET_NOSPACE = 8,
	TARGET_NOINODES = 16,
	TARGET_INACTIVE = 32,
};
enum setattr_valid {
	SETATTR_MODE = 1,
	SETATTR_UID = 2,
	SETATTR_GID = 4,
	SETATTR_SIZE = 8,
	SETATTR_ATIME = 16,
	SETATTR_MTIME = 32,
	SETATTR_ATIME_NOW = 64,
	SETATTR_MTIME_NOW = 128,
	SETATTR_KILL_PRIV = 256, /* clear set-id bits (and file capabilities) after a write */
	/* What a client may answer itself, under LEASE_EXCLUSIVE and LEASE_UPDATE of a file that it
	 * alone has open for writing. */
	SETATTR_LATER = SETATTR_MODE | SETATTR_UID | SETATTR_GID | SETATTR_ATIME | SETATTR_MTIME,
};
enum lease_bits { /* D8; see mds/lease.h */
	LEASE_LOOKUP = 1, /* names that lead to the inode */
	LEASE_UPDATE = 2, /* attributes; of a directory its names as well */
	/* Data of a file, one of: */
	LEASE_SHARED = 4,     /* it may be cached; nobody writes */
	LEASE_EXCLUSIVE = 8,  /* that, and written behind; nobody else reads or writes */
	LEASE_CONTENDED = 16, /* all read and write at the objects, nobody caches */
	LEASE_DATA = LEASE_SHARED | LEASE_EXCLUSIVE | LEASE_CONTENDED,
	LEASE_XATTR = 32, /* extended attributes: ACLs, capabilities and the layout are such */
	LEASE_OWN = 64,   /* of a directory: nobody else looks at it, or at the files in it */
};
enum open_flags {
	OPEN_READ = 1,
	OPEN_WRITE = 2,
	OPEN_EXCL = 4,	 /* create only */
	OPEN_TRUNC = 8,
	OPEN_APPEND = 16, /* of a new file: chooses its layout */
	OPEN_DELAY_LAYOUT = 32, /* O_LOV_DELAY_CREATE: no objects yet, a layout will be set */
	OPEN_CREATED = 64,	/* reserved */
};
enum close_flags { CLOSE_WROTE = 1, CLOSE_READ = 2 };
enum { READDIR_PLUS = 1, READDIR_OPEN = 2 };
enum lock_space { LOCK_POSIX = 0, LOCK_FLOCK = 1, LOCK_APPEND = 2 };
enum { OBJ_EXISTS = 1 };
enum { OSS_WRITE_SYNC = 1 };
enum oss_what {
	AGAIN_WRITE = 1,
	AGAIN_FALLOCATE = 2,
	AGAIN_PUNCH = 3,
	AGAIN_DESTROY = 4,
	AGAIN_FENCE = 5,
};
/* Flags of oss_grant. */
enum { OSS_GRANT_RETURN = 1 };
enum { /* features in connect; none are optional yet */
	FEATURES_SUPPORTED = 0,
};

struct rpc_desc {
	uint16_t nr;
	uint16_t flags;
	const char *service, *name, *doc;
	const char *req_fields, *rep_fields; /* "fid:parent name:name" */
	uint32_t req_size, rep_size;	     /* of the structs */
	void (*req_enc)(struct wbuf *w, const void *v);
	int (*req_dec)(struct rbuf *r, void *v);
	void (*req_dbg)(FILE *f, const void *v);
	void (*rep_enc)(struct wbuf *w, const void *v);
	int (*rep_dec)(struct rbuf *r, void *v);
	void (*rep_dbg)(FILE *f, const void *v);
};

#define RPC_DECLARE(nr_, srv, nm, flags_, doc_)        \
	enum { RPC_##srv##_##nm = nr_ };               \
	struct srv##_##nm##_req {                      \
		REQ_##srv##_##nm(FIELD_MEMBER)         \
	};                                             \
	struct srv##_##nm##_rep {                      \
		REP_##srv##_##nm(FIELD_MEMBER)         \
	};                                             \
	extern const struct rpc_desc srv##_##nm##_desc;
ALL_RPCS(RPC_DECLARE)
#undef RPC_DECLARE

#define STRUCT_DECLARE(nm)                                                 \
	struct nm {                                                        \
		STRUCT_##nm(FIELD_MEMBER)                                  \
	};                                                                 \
	void enc_##nm(struct wbuf *w, const struct nm *v);                 \
	must_check int dec_##nm(struct rbuf *r, struct nm *v);
ALL_STRUCTS(STRUCT_DECLARE)
#undef STRUCT_DECLARE

enum { RPC_NR_MAX = 400 };

/* The descriptor of a number, or NULL. */
const struct rpc_desc *rpc_desc_find(uint16_t nr);
/* Calls fn for every RPC in the order of the lists. */
void rpc_desc_each(void (*fn)(const struct rpc_desc *d, void *arg), void *arg);
/* "lookup", or "rpc 4711". */
const char *rpc_name(uint16_t nr);
/* An encoded request for the log: "write fid=[0x200000401:0x1:0x0] comp=0 ..."; cut to out_len. */
void rpc_request_text(const struct rpc_desc *d, const void *body, uint32_t len, char *out,
		      size_t out_len);
