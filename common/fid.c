/* SPDX-License-Identifier: Apache-2.0 */
/* fid.c - text and inode-number forms of FIDs; see fid.h. It hands none out: that is the MDS's
 * (sequences) and the client's (object ids) business. */
#include "common/fid.h"
#include <inttypes.h>
#include <stdio.h>

/* Inode number = (sequence part << OID_BITS) | oid. Sequence part 0 holds the root (1) and, from
 * INO_DOT_LUSTRE on, the fixed objects below .lustre. */
enum { OID_BITS = 17, INO_ROOT = 1, INO_DOT_LUSTRE = 2, N_DOT_LUSTRE = 3 };

bool fid_is_normal(const struct fid *f)
{
	return f->seq > FID_SEQ_NORMAL && f->seq <= FID_SEQ_MAX && f->oid >= 1 &&
	       f->oid <= FID_OID_MAX && f->ver == 0;
}

static bool is_dot_lustre(const struct fid *f)
{
	return f->seq == FID_SEQ_DOT_LUSTRE && f->oid >= 1 && f->oid <= N_DOT_LUSTRE && f->ver == 0;
}

static bool is_root(const struct fid *f)
{
	return f->seq == FID_SEQ_ROOT && f->oid == 1 && f->ver == 0;
}

bool fid_is_sane(const struct fid *f)
{
	return fid_is_normal(f) || is_root(f) || is_dot_lustre(f);
}

int fid_cmp(const struct fid *a, const struct fid *b)
{
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	if (a->oid != b->oid)
		return a->oid < b->oid ? -1 : 1;
	if (a->ver != b->ver)
		return a->ver < b->ver ? -1 : 1;
	return 0;
}

char *fid_str(const struct fid *f, char *buf)
{
	snprintf(buf, FID_STRLEN, "[0x%" PRIx64 ":0x%x:0x%x]", f->seq, f->oid, f->ver);
	return buf;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* "0x" and 1 or more hex digits whose value is at most max; moves *p behind them. */
static int parse_hex(const char **p, uint64_t max, uint64_t *out)
{
	const char *s = *p;
	uint64_t v = 0;
	int d;

	if (s[0] != '0' || (s[1] != 'x' && s[1] != 'X') || hex_digit(s[2]) < 0)
		return -EINVAL;
	for (s += 2; (d = hex_digit(*s)) >= 0; s++) {
		if (v > (max - (uint64_t)d) / 16)
			return -EINVAL;
		v = v * 16 + (uint64_t)d;
	}
	*p = s;
	*out = v;
	return 0;
}

int fid_parse(const char *text, struct fid *out)
{
	bool bracket = text[0] == '[';
	const char *p = text + bracket;
	uint64_t seq, oid, ver;

	if (parse_hex(&p, UINT64_MAX, &seq) || *p++ != ':' || parse_hex(&p, UINT32_MAX, &oid) ||
	    *p++ != ':' || parse_hex(&p, UINT32_MAX, &ver))
		return -EINVAL;
	if (bracket && *p++ != ']')
		return -EINVAL;
	if (*p)
		return -EINVAL;
	*out = (struct fid){seq, (uint32_t)oid, (uint32_t)ver};
	return 0;
}

uint64_t fid_to_ino(const struct fid *f)
{
	assert(fid_is_sane(f));
	if (is_root(f))
		return INO_ROOT;
	if (is_dot_lustre(f))
		return INO_DOT_LUSTRE + f->oid - 1;
	return (f->seq - FID_SEQ_NORMAL + 1) << OID_BITS | f->oid;
}

int fid_from_ino(uint64_t ino, struct fid *out)
{
	struct fid f = {0};

	if (ino == INO_ROOT)
		f = FID_ROOT;
	else if (ino >= INO_DOT_LUSTRE && ino < INO_DOT_LUSTRE + N_DOT_LUSTRE)
		f = (struct fid){FID_SEQ_DOT_LUSTRE, (uint32_t)(ino - INO_DOT_LUSTRE + 1), 0};
	else if (ino >> OID_BITS)
		f = (struct fid){FID_SEQ_NORMAL + (ino >> OID_BITS) - 1, ino & FID_OID_MAX, 0};
	if (!fid_is_sane(&f))
		return -ESTALE;
	*out = f;
	return 0;
}
