/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - the frame: a fixed header, a body in the field language, then bulk data.
 *
 * Everything common to all messages is in the header, so dispatch, resend, replay and fencing
 * never look into a body. Little-endian. `crc` is crc32c over the header (crc itself zero) and
 * the body; `bulk_crc` is crc32c over the bulk bytes, computed once by whoever produced them.
 *
 * Any thread; never suspends.
 */
#pragma once
#include "common/base.h"

#define WIRE_MAGIC 0x4e454853U /* "SHEN" */
#define WIRE_VERSION 1
#define WIRE_HDR_LEN 112

enum wire_flags {
	WIRE_REPLY = 1,
	WIRE_RESENT = 2,      /* the same xid was sent before */
	WIRE_REPLAY = 4,      /* done again after a restart of the server; see rpc_co_replay() */
	WIRE_BULK_CRC = 8,    /* bulk_crc is valid */
	WIRE_ONEWAY = 16,     /* no reply is wanted */
	WIRE_RECLAIM = 32,    /* tells a server that has restarted what the client holds */
};

struct wire_hdr {
	uint16_t version;
	uint16_t rpc;	     /* number in common/proto; the same in the reply */
	uint16_t flags;	     /* enum wire_flags */
	uint16_t slot;	     /* reply slot of a modifying request; 0 is unused */
	int32_t status;	     /* reply: 0 or -errno (Linux numbers) */
	uint32_t epoch;	     /* of the session; requests of an older one are refused */
	uint64_t xid;	     /* of the request, unique in a session; a resend keeps it */
	uint64_t session;    /* given by the server at connect; 0 in a reply that was stored:
			      * the leases in it were another life's, perhaps */
	/* reply: number of the change, 0 if there is none that could be lost; see TRANSNO_LIFE.
	 * WIRE_REPLAY: the number that it had */
	uint64_t transno;
	uint64_t last_committed; /* reply: changes up to this one are on disk */
	uint32_t body_len;
	uint32_t bulk_len;
	uint32_t bulk_crc;
	uint32_t deadline_ms; /* request: how long the sender will wait; 0 for ever */
	uint64_t boot_id;     /* of the server that the request is meant for or the reply is from */
	uint32_t job;	      /* reserved for job statistics */
	uint32_t reply_len;   /* WIRE_REPLAY: the end of the body is its reply; not checked */
	int64_t time;	      /* reply, WIRE_REPLAY: the server's clock at the change; 0: none */
};

/* Numbers of changes grow from one life of a server to the next: the life is in the upper bits.
 * last_committed says something of its own life only: what an older one had numbered may have been
 * lost with it. */
#define TRANSNO_LIFE_SHIFT 44
#define TRANSNO_LIFE(n) ((n) >> TRANSNO_LIFE_SHIFT)

static inline bool transno_covered(uint64_t transno, uint64_t last_committed)
{
	return TRANSNO_LIFE(transno) == TRANSNO_LIFE(last_committed) && transno <= last_committed;
}

/* Writes WIRE_HDR_LEN bytes to out, with crc over them and body. */
void wire_enc(const struct wire_hdr *h, const void *body, uint8_t *out);

/* Checks magic, version and lengths against MAX_BODY and MAX_BULK before anything is allocated.
 * -EPROTO: not this protocol; -EPROTONOSUPPORT: another version; -EMSGSIZE: a length too large. */
must_check int wire_dec(const uint8_t in[WIRE_HDR_LEN], struct wire_hdr *h);

/* The crc of header and body of a received frame. 0 or -EBADMSG. */
must_check int wire_check(const uint8_t in[WIRE_HDR_LEN], const void *body, uint32_t body_len);
