/* SPDX-License-Identifier: Apache-2.0 */
/* intent.c - see intent.h. Both tables are only hints: of what falls into the same place the last
 * one stays. */
#include "client/core/core.h"

enum {
	SCORE_MAX = 8,
	SCORE_ASK = 2,
	SCORE_OPENED = 2,
	LISTED_MIN = 4, /* to know anything */
	LISTED_LATELY = 512,
	LISTED_PER_OPEN = 4, /* at most, for listings to ask */
	READS_MAX = 8,
	READS_FETCH = 2,
};
#define UNUSED_AGE_NS (10 * (uint64_t)NSEC_PER_SEC)

static uint64_t mix(const struct fid *fid)
{
	return (fid->seq * 31 + fid->oid) * 0x9e3779b97f4a7c15ULL >> 32;
}

struct intent_dir *intent_dir_of(struct fs *fs, const struct fid *dir)
{
	struct intent_dir *d = &fs->intents.dir[mix(dir) % INTENT_DIRS];

	if (!fid_eq(&d->fid, dir))
		*d = (struct intent_dir){.fid = *dir};
	return d;
}

static struct intent_seen *seen_slot(struct fs *fs, const struct fid *fid)
{
	return &fs->intents.seen[mix(fid) % INTENT_SEEN];
}

/* fs->lock is held. Ids for up to n opens; 0: there are enough that nobody has used. */
static uint64_t take_ids(struct fs *fs, uint32_t *n)
{
	uint64_t id = fs->next_open_id;

	*n = (uint32_t)min_u64(*n, INTENT_UNUSED - min_u64(fs->intents.unused, INTENT_UNUSED));
	fs->next_open_id += *n;
	return *n ? id : 0;
}

static bool may_ask(const struct lane *ln)
{
	/* Of an answer that a soft mount does not wait for nobody would close what it opened. */
	return ln->fs->cfg.cache_data && !ln->fs->cfg.soft &&
	       ln->fs->intents.mode != INTENT_NEVER && !ln->stopping;
}

/* Those that nobody wanted do not stand in the way of others for ever. */
static void make_room(struct lane *ln)
{
	uint64_t now = loop_clock(ln->loop);
	bool full;

	fs_lock(ln->fs);
	full = ln->fs->intents.unused >= INTENT_UNUSED;
	fs_unlock(ln->fs);
	if (full && now > UNUSED_AGE_NS)
		kept_drop_unused(ln, now - UNUSED_AGE_NS);
}

uint64_t intent_lookup(struct lane *ln, const struct fid *dir)
{
	struct fs *fs = ln->fs;
	uint64_t id = 0;
	uint32_t n = 1;

	if (!may_ask(ln))
		return 0;
	make_room(ln);
	fs_lock(fs);
	if (fs->intents.mode == INTENT_ALWAYS || intent_dir_of(fs, dir)->score >= SCORE_ASK)
		id = take_ids(fs, &n);
	fs_unlock(fs);
	return id;
}

static bool listings_are_followed(const struct intents *in)
{
	return in->mode == INTENT_ALWAYS ||
	       (in->nlisted >= LISTED_MIN && in->nopened * LISTED_PER_OPEN >= in->nlisted);
}

uint64_t intent_list(struct lane *ln, const struct fid *dir, uint64_t cookie, uint32_t *n)
{
	struct fs *fs = ln->fs;
	struct intent_dir *d;
	uint64_t id = 0;

	*n = 0;
	if (!may_ask(ln))
		return 0;
	make_room(ln);
	fs_lock(fs);
	d = intent_dir_of(fs, dir);
	if (d->scanning)
		d->list = d->row >= SCAN_ROW && d->score >= SCORE_ASK;
	else if (!cookie)
		d->list = listings_are_followed(&fs->intents);
	*n = d->list ? READDIR_OPENS : 0;
	id = take_ids(fs, n);
	fs_unlock(fs);
	return id;
}

void intent_looked_up(struct fs *fs, const struct fid *dir, const struct fid *fid, bool asked)
{
	struct intent_seen *s = seen_slot(fs, fid);
	struct intent_dir *d;

	fs_lock(fs);
	d = intent_dir_of(fs, dir);
	if (asked && d->score)
		d->score--;
	s->listed = s->listed && fid_eq(&s->fid, fid);
	s->fid = *fid;
	s->dir = *dir;
	fs_unlock(fs);
}

void intent_listed(struct fs *fs, const struct fid *dir, const struct fid *fid)
{
	struct intents *in = &fs->intents;

	fs_lock(fs);
	*seen_slot(fs, fid) = (struct intent_seen){*fid, *dir, true};
	if (++in->nlisted >= LISTED_LATELY) {
		in->nlisted /= 2;
		in->nopened /= 2;
	}
	fs_unlock(fs);
}

void intent_opened(struct fs *fs, const struct fid *fid)
{
	struct intents *in = &fs->intents;
	struct intent_seen *s = seen_slot(fs, fid);
	struct intent_dir *d;

	fs_lock(fs);
	if (fid_eq(&s->fid, fid)) {
		d = intent_dir_of(fs, &s->dir);
		d->score = (uint8_t)min_u64(d->score + SCORE_OPENED, SCORE_MAX);
		in->nopened += s->listed;
		*s = (struct intent_seen){0};
	}
	fs_unlock(fs);
}

void intent_closed(struct fs *fs, bool read)
{
	struct intents *in = &fs->intents;

	fs_lock(fs);
	if (!read)
		in->reads /= 2;
	else if (in->reads < READS_MAX)
		in->reads++;
	fs_unlock(fs);
}

uint32_t intent_fetches(const struct fs *fs)
{
	return fs->intents.reads >= READS_FETCH ? INTENT_FETCH : 0;
}
