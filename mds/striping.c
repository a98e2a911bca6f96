/* SPDX-License-Identifier: Apache-2.0 */
/* striping.c - see striping.h. Arithmetic is layout.c's, the choice of OSTs alloc.c's. */
#include "mds/striping.h"
#include "common/lov.h"
#include "common/proto/proto.h"
#include "mds/attr.h"
#include <stdlib.h>
#include <sys/stat.h>

bool striping_made(const struct layout *l)
{
	uint32_t i;

	for (i = 0; l && i < l->ncomp; i++)
		if (l->comp[i].flags & LCME_INIT)
			return true;
	return false;
}

bool striping_is_xattr(struct span name)
{
	return span_eq(name, SPAN_STR("lustre.lov")) || span_eq(name, SPAN_STR("trusted.lov"));
}

int striping_inherited(struct txn *t, const struct fid *dir, const struct inode_rec *ino,
		       struct layout **out)
{
	struct inode_rec root;
	struct fid root_fid = FID_ROOT;
	int rc;

	rc = inode_layout(dir, ino, out);
	if (rc || *out || fid_eq(dir, &root_fid))
		return rc;
	rc = inode_get(t, &root_fid, &root);
	return rc ? rc : inode_layout(&root_fid, &root, out);
}

int striping_wish_dec(struct span s, struct layout **out)
{
	uint32_t i;
	int rc = layout_dec(s, out);

	if (rc)
		return rc == -EBADMSG ? -EINVAL : rc;
	for (i = 0; i < (*out)->ncomp; i++)
		(*out)->comp[i].flags &= ~LCME_INIT;
	return 0;
}

/* The wish of one component with the file system's values for what it leaves open. */
static struct layout_comp resolve(const struct striping_defaults *d, const struct layout_comp *w,
				  bool append)
{
	struct layout_comp c = *w;

	if (c.stripe_size == 0)
		c.stripe_size = d->stripe_size;
	if (c.stripe_count == 0)
		c.stripe_count = d->stripe_count;
	if (c.stripe_offset < 0)
		c.stripe_offset = d->stripe_offset;
	if (append && d->append_stripe_count && !c.ost)
		c.stripe_count = (int32_t)d->append_stripe_count;
	c.pattern = LAYOUT_RAID0;
	return c;
}

/* Objects of one component into ost; returns their number. */
static int make_comp(struct alloc *a, struct layout_comp *c, uint32_t *ost)
{
	int rc;

	if (c->ost) {
		rc = alloc_check_list(a, c->ost, (uint32_t)c->stripe_count);
		if (rc)
			return rc;
		memcpy(ost, c->ost, sizeof(*ost) * (uint32_t)c->stripe_count);
		rc = c->stripe_count;
	} else {
		rc = alloc_pick(a, c->stripe_count, c->stripe_offset, ost);
	}
	if (rc > 0) {
		c->ost = ost;
		c->stripe_count = rc;
		c->stripe_offset = (int32_t)ost[0];
		c->flags |= LCME_INIT;
	}
	return rc;
}

/* All components; the result is copied, so that memory is no larger than needed. */
static int make_all(struct alloc *a, const struct striping_defaults *d, const struct layout *wish,
		    bool append, uint32_t *ost, struct layout **out)
{
	struct layout_comp comp[MAX_LAYOUT_COMPS];
	struct layout l = {
		.gen = wish->gen, .flags = wish->flags, .ncomp = wish->ncomp, .comp = comp};
	uint32_t i;
	int n;

	assert(wish->ncomp <= MAX_LAYOUT_COMPS);
	for (i = 0; i < wish->ncomp; i++) {
		comp[i] = resolve(d, &wish->comp[i], append);
		n = make_comp(a, &comp[i], ost);
		if (n < 0)
			return n;
		ost += n;
	}
	return layout_dup(&l, out);
}

int striping_make(struct alloc *a, const struct striping_defaults *d, const struct layout *wish,
		  bool append, struct layout **out)
{
	CLEANUP(layout_freep) struct layout *plain = NULL;
	uint32_t *ost;
	int rc;

	if (a->made)
		return layout_dup(a->made, out);
	if (append && wish && wish->ncomp > 1 && d->append_stripe_count)
		wish = NULL; /* a log file does not grow through components */
	if (!wish) {
		rc = layout_plain(0, 0, -1, NULL, NULL, &plain);
		if (rc)
			return rc;
		wish = plain;
	}
	ost = malloc(sizeof(*ost) * MAX_STRIPES * wish->ncomp);
	if (!ost)
		return -ENOMEM;
	rc = make_all(a, d, wish, append, ost, out);
	free(ost);
	return rc;
}

/* An explicit list of OSTs is checked when it is set, not when the file is first opened. */
static int check_wish(const struct alloc *a, const struct layout *l)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < l->ncomp && rc == 0; i++) {
		const struct layout_comp *c = &l->comp[i];
		const struct alloc_ost *o;

		if (c->ost) {
			rc = alloc_check_list(a, c->ost, (uint32_t)c->stripe_count);
		} else if (c->stripe_offset >= 0) {
			o = alloc_find(a, (uint32_t)c->stripe_offset);
			rc = !o ? -EINVAL : o->state & TARGET_INACTIVE ? -ENODEV : 0;
		}
	}
	return rc;
}

static int store_layout(struct txn *t, const struct fid *fid, struct inode_rec *ino,
		      const struct layout *l, int64_t now)
{
	struct wbuf w;
	int rc = 0;

	wbuf_init(&w, MAX_LAYOUT_BLOB);
	if (l)
		rc = layout_enc(&w, l);
	if (rc == 0) {
		attr_touch_ctime(&ino->attr, now);
		if (S_ISREG(ino->attr.mode))
			ino->attr.flags |= ATTR_HAS_LAYOUT |
					   (striping_made(l) ? INODE_HAS_OBJECTS : 0);
		rc = inode_set_layout(t, fid, ino, wbuf_span(&w));
	}
	wbuf_fini(&w);
	return rc;
}

int striping_xattr_set(struct txn *t, const struct fid *fid, struct inode_rec *ino,
		       struct alloc *a, const struct striping_defaults *d, struct span blob,
		       int64_t now)
{
	CLEANUP(layout_freep) struct layout *l = NULL, *made = NULL;
	int rc;

	if (!S_ISREG(ino->attr.mode) && !S_ISDIR(ino->attr.mode))
		return -EOPNOTSUPP;
	if (ino->attr.flags & INODE_HAS_OBJECTS)
		return 0; /* what tar and rsync restore onto a file that has its objects */
	if (blob.len == 0)
		return S_ISDIR(ino->attr.mode) ? store_layout(t, fid, ino, NULL, now) : -EINVAL;
	rc = lov_dec(blob, &l);
	if (rc == 0 && a->n == 0 && S_ISREG(ino->attr.mode))
		return store_layout(t, fid, ino, l, now); /* checked when it is made */
	if (rc == 0)
		rc = check_wish(a, l);
	if (rc == 0 && S_ISREG(ino->attr.mode))
		rc = striping_make(a, d, l, false, &made);
	return rc ? rc : store_layout(t, fid, ino, made ? made : l, now);
}

int striping_xattr_get(const struct fid *fid, const struct inode_rec *ino, struct wbuf *w)
{
	CLEANUP(layout_freep) struct layout *l = NULL;
	int rc = inode_layout(fid, ino, &l);

	if (rc)
		return rc;
	return l ? lov_enc(w, l, fid) : -ENODATA;
}
