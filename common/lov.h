/* SPDX-License-Identifier: Apache-2.0 */
/* lov.h - Lustre's binary layout format, as `lustre.lov` and `trusted.lov` carry it.
 *
 * Source of the format: lustre_user.h of Lustre 2.17 (lov_user_md_v1/v3, lov_comp_md_v1); the
 * facts stand in docs/formats.md. Little-endian. Plain layouts become v1 (v3 with a pool),
 * others composite. A layout with OSTs shows its generation where a wish has the first OST
 * index. Object ids print as oid | stripe << 32 in group = sequence of the file.
 *
 * Pure; any thread.
 */
#pragma once
#include "common/layout.h"

struct wbuf;

#define LOV_MAGIC_V1 0x0BD10BD0U
#define LOV_MAGIC_V3 0x0BD30BD0U
#define LOV_MAGIC_SPECIFIC 0x0BD50BD0U
#define LOV_MAGIC_COMP_V1 0x0BD60BD0U

/* Appends the blob for a file's or directory's layout. fid fills lmm_oi. -EMSGSIZE, -ENOMEM. */
must_check int lov_enc(struct wbuf *w, const struct layout *l, const struct fid *fid);

/* Reads a blob as setxattr gets it: a wish. Objects in it (a copy of another file's layout) are
 * dropped, and with them the first OST: stripe_offset becomes -1. An explicit OST list
 * (LOV_MAGIC_SPECIFIC) is kept in comp->ost, without LCME_INIT. -EINVAL for garbage or a layout
 * that breaks a rule, -EOPNOTSUPP for a form that Sheen does not build, -ENOMEM. */
must_check int lov_dec(struct span blob, struct layout **out);

/* Object number and group that tools show for a stripe. */
static inline uint64_t lov_objid(const struct object_id *o)
{
	return (uint64_t)o->fid.oid | (uint64_t)o->stripe << 32;
}
