/* SPDX-License-Identifier: Apache-2.0 */
/* fid.h - file identifiers.
 *
 * A FID names a file for ever: sequence, object id in the sequence, version; printed
 * [0x200000401:0x1:0x0] as Lustre does. Clients take FIDs for new files from sequences that the
 * MDS gives out, so a create can be sent again under the same identity.
 *
 * The inode number (and FUSE node id) is an injective 64-bit form of the FID, so neither side
 * needs a table to go from one to the other. Root is 1; the fixed directories below .lustre
 * follow; a normal FID is ((seq - FID_SEQ_NORMAL + 1) << 17) | oid.
 *
 * Pure; any thread; nothing here suspends.
 */
#pragma once
#include "common/base.h"

struct fid {
	uint64_t seq;
	uint32_t oid;
	uint32_t ver;
};

#define FID_SEQ_DOT_LUSTRE 0x200000002ULL
#define FID_SEQ_ROOT 0x200000007ULL
#define FID_SEQ_NORMAL 0x200000400ULL /* 0x200000401 is the first that is given out */
#define FID_SEQ_MAX (FID_SEQ_NORMAL + (1ULL << 46) - 2)
#define FID_OID_MAX 0x1ffffU	      /* last object id of a sequence; the first is 1 */

#define FID_ROOT ((struct fid){FID_SEQ_ROOT, 1, 0})
#define FID_DOT_LUSTRE ((struct fid){FID_SEQ_DOT_LUSTRE, 1, 0})	    /* /.lustre */
#define FID_DOT_LUSTRE_FID ((struct fid){FID_SEQ_DOT_LUSTRE, 2, 0}) /* /.lustre/fid */
#define FID_LOST_FOUND ((struct fid){FID_SEQ_DOT_LUSTRE, 3, 0})	    /* /.lustre/lost+found */

#define FID_STRLEN 48 /* longest printed form, with brackets and NUL */

static inline bool fid_eq(const struct fid *a, const struct fid *b)
{
	return a->seq == b->seq && a->oid == b->oid && a->ver == b->ver;
}

static inline bool fid_is_zero(const struct fid *f)
{
	return f->seq == 0 && f->oid == 0 && f->ver == 0;
}

/* A FID that may name a file: root, below .lustre, or normal, version 0. */
bool fid_is_sane(const struct fid *f);
bool fid_is_normal(const struct fid *f);

int fid_cmp(const struct fid *a, const struct fid *b);

/* Prints into buf (FID_STRLEN bytes) and returns buf. */
char *fid_str(const struct fid *f, char *buf);

/* Reads "[0x..:0x..:0x..]", brackets optional, nothing behind. -EINVAL otherwise. */
must_check int fid_parse(const char *text, struct fid *out);

/* The inode number of a sane FID (asserted). */
uint64_t fid_to_ino(const struct fid *f);

/* The FID of an inode number. -ESTALE when no FID has that number. */
must_check int fid_from_ino(uint64_t ino, struct fid *out);
