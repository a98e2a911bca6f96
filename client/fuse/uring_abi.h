/* SPDX-License-Identifier: Apache-2.0 */
/* uring_abi.h - FUSE over io_uring as the kernel defines it.
 *
 * Source of the facts: include/uapi/linux/fuse.h and fs/fuse/dev_uring.c of Linux 6.14 to 6.18;
 * Debian 12's headers are older. An entry of a queue is two pieces of memory, this head and a
 * payload. The kernel fills in request and fuse_in_header, and completes the entry's command. The
 * answer goes where the request was, and the next command hands it over and waits for the next
 * request. Every possible CPU has a queue; the kernel switches over when each has an entry.
 */
#pragma once
#include <stdint.h>

#define INIT_OVER_IO_URING (1U << (41 - 32)) /* flags2 of FUSE_INIT */

enum { URING_CMD_REGISTER = 1, URING_CMD_COMMIT_AND_FETCH = 2 };
enum { URING_OP_MAX = 128 };

struct uring_head {
	uint8_t in_out[128];         /* fuse_in_header, fuse_out_header */
	uint8_t op_in[URING_OP_MAX]; /* what of the request has a fixed length */
	uint64_t flags;
	uint64_t commit_id; /* to be repeated with the answer */
	uint32_t payload_len;
	uint32_t padding;
	uint64_t reserved;
};

/* Behind the usual 64 bytes of a submission (SQE128). */
struct uring_cmd {
	uint64_t flags, commit_id;
	uint16_t qid;
	uint8_t padding[6];
};

_Static_assert(sizeof(struct uring_head) == 288, "the kernel's struct fuse_uring_req_header");
_Static_assert(sizeof(struct uring_cmd) == 24, "the kernel's struct fuse_uring_cmd_req");
