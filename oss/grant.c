/* SPDX-License-Identifier: Apache-2.0 */
/* grant.c - space that is promised to clients, so that what they keep can be written later.
 *
 * A promise is made out of what the disk has, less all other promises, less a margin for the disk's
 * own tables. A write says how much of its client's promise it is for, and that much is not
 * promised any more. A write that no promise covers must leave the promised space alone, unless it
 * needs no space: what is on the disk already may be overwritten on a full disk.
 *
 * Promises end with their session; the disk knows nothing of them.
 */
#include "oss/ost.h"
#include <unistd.h>

#define MARGIN     (8 * MIB)
#define CLIENT_MAX (256 * MIB)
#define SPACE_NS   (100 * NSEC_PER_MSEC)

/* What the disk has for new bytes: looked up now, or a moment ago. */
static uint64_t space(struct ost *ost, bool now)
{
	struct disk_space sp;

	if (!now && ost->space_ns && loop_clock(ost->cfg.loop) - ost->space_ns < SPACE_NS)
		return ost->space;
	if (disk_space(ost->disk, &sp))
		return 0;
	ost->space = sp.avail;
	ost->space_ns = loop_clock(ost->cfg.loop);
	return ost->space;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

uint64_t ost_grant(struct ost *ost, struct ost_session *ses, uint64_t want)
{
	uint64_t avail = less(space(ost, false), ost->writing), room, most;

	room = less(less(avail, avail / 64 + MARGIN), ost->granted);
	most = less(min_u64(room / 8 + MIB, CLIENT_MAX), ses->granted);
	want = min_u64(min_u64(want, room), most);
	ses->granted += want;
	ost->granted += want;
	return want;
}

void ost_grant_return(struct ost *ost, struct ost_session *ses)
{
	assert(ost->granted >= ses->granted);
	ost->granted -= ses->granted;
	ses->granted = 0;
}

void ost_space_begin(struct ost *ost, struct ost_session *ses, uint64_t len, uint64_t used,
		     struct ost_space *sp)
{
	used = min_u64(used, ses->granted);
	ses->granted -= used;
	ost->granted -= used;
	ost->writing += len;
	*sp = (struct ost_space){.len = len, .covered = used >= len};
}

void ost_space_end(struct ost *ost, const struct ost_space *sp)
{
	ost->writing -= sp->len;
	ost->space = less(ost->space, sp->len);
}

/* All of it is on the disk. */
static bool has_blocks(struct object *o, uint64_t off, uint64_t len)
{
	struct object_attr a;

	if (!o->file || cache_attr(o, &a) || off + len > a.size)
		return false;
	return disk_seek(o->file, off, SEEK_HOLE) >= (int64_t)(off + len);
}

int ost_space_check(struct ost *ost, struct object *o, uint64_t off, uint64_t len, uint64_t more)
{
	uint64_t taken = ost->granted + ost->writing + more;

	if (!ost->granted || space(ost, false) >= taken || space(ost, true) >= taken)
		return 0;
	return has_blocks(o, off, len) ? 0 : -ENOSPC;
}
