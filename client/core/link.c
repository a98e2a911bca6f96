/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - targets of symbolic links, as they came with the answer to the lookup.
 *
 * A link is looked up and then read, in two requests of the kernel; if it is replaced in between,
 * it is gone when it is to be read, and a name that was always there would seem broken. The target
 * of an inode never changes, so what was told once is right for ever; how many are remembered is
 * only a matter of the time between the two requests.
 */
#include "client/core/core.h"
#include <stdlib.h>

static struct link_seen *slot_of(struct fs *fs, const struct fid *fid)
{
	return &fs->links[(fid->seq * 31 + fid->oid) % LINK_CACHE];
}

void link_note(struct fs *fs, const struct fid *fid, struct span target)
{
	struct link_seen *s = slot_of(fs, fid);
	uint8_t *copy;

	if (!target.len)
		return;
	fs_lock(fs);
	if (!fid_eq(&s->fid, fid)) {
		copy = realloc(s->target, target.len);
		if (copy) {
			memcpy(copy, target.ptr, target.len);
			s->target = copy;
			s->len = target.len;
			s->fid = *fid;
		}
	}
	fs_unlock(fs);
}

ssize_t link_find(struct fs *fs, const struct fid *fid, char *buf, size_t len)
{
	struct link_seen *s = slot_of(fs, fid);
	ssize_t n = -ENOENT;

	fs_lock(fs);
	if (s->len && fid_eq(&s->fid, fid)) {
		n = s->len;
		memcpy(buf, s->target, s->len < len ? s->len : len);
	}
	fs_unlock(fs);
	return n;
}

void link_fini(struct fs *fs)
{
	uint32_t i;

	for (i = 0; i < LINK_CACHE; i++)
		free(fs->links[i].target);
}
