/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c - lists a directory in which names are looked up one by one.
 *
 * Whoever makes files looks each name up first, and if this client did not make the directory it
 * has to ask the MDS for nothing each time; whoever unpacks, compares or checks a tree by a list
 * of his own (tar, git status) asks for each name that is there. After some such questions it is
 * cheaper to list the directory once: while its lease lasts all its names are known then
 * (leases_learn_begin()), and if most of those asked for were there, their attributes come along. A
 * directory with more names than the questions were worth is left alone until there have been more
 * of them; a very large one for good.
 *
 * Names that are asked for in the order of the listing, which is that in which they were made, need
 * no guess: what follows them is listed, a window at a time that grows. If opens follow, these are
 * brought as well (intent.h).
 */
#include "client/core/core.h"
#include "common/log.h"
#include <stdlib.h>

enum {
	NAMES_PER_MISS = 256, /* a request lists some 1500 */
	NAMES_PER_FOUND =
		32, /* with attributes and leases these cost about as much as a question */
	BYTES_PER_NAME = 256, /* of such a listing, about */
	AGAIN = 4,            /* times as many questions, if it was too large */
	ROW_GAP = 8,
	WINDOW_FIRST = 32,
	WINDOW_MAX = READDIR_OPENS,
};

struct scan {
	struct lane *ln;
	struct fid dir;
	uint64_t cookie;
	uint32_t left; /* names that may be read */
	bool plus, row;
};

static int take_one(void *arg, const struct fs_dirent *d)
{
	struct scan *s = arg;

	s->cookie = d->cookie;
	return --s->left == 0;
}

static void scan_end(struct fs *fs, const struct scan *s, bool eof)
{
	struct intent_dir *d;

	fs_lock(fs);
	d = intent_dir_of(fs, &s->dir);
	d->scanning = false;
	if (s->row)
		d->known_to = max_u64(d->known_to, s->cookie);
	else
		d->scan_at = eof ? d->asked + fs->intents.scan_after : d->asked * AGAIN;
	fs->intents.scans++;
	fs_unlock(fs);
}

static void scan_fiber(void *arg)
{
	struct scan s = *(struct scan *)arg;
	bool eof = false;
	int rc = 0;

	free(arg);
	while (rc == 0 && !eof && s.left && !s.ln->stopping)
		rc = fs_co_readdir_some(s.ln, &s.dir, s.cookie, s.plus, s.left * BYTES_PER_NAME,
					take_one, &s, &eof);
	if (rc)
		log_dbg("a directory could not be listed: %s", err_str(rc));
	scan_end(s.ln->fs, &s, eof);
}

/* In order, perhaps with some left out; an answer may have brought more than a window. */
static void note_row(struct intent_dir *d, uint64_t cookie)
{
	uint64_t gap = max_u64(ROW_GAP, 2ULL * d->window);
	bool next = cookie > d->known_to && cookie - d->known_to <= gap;

	d->row = next ? d->row + 1 : 1;
	if (!next)
		d->window = 0;
	d->known_to = cookie;
}

/* fs->lock is held. Notes a question: what should be listed, false: nothing. */
static bool plan(struct intents *in, struct intent_dir *d, uint64_t cookie, struct scan *s)
{
	d->asked++;
	d->found += cookie != 0;
	if (!d->scan_at)
		d->scan_at = in->scan_after;
	if (!in->scan_after || d->scanning)
		return false;
	if (cookie)
		note_row(d, cookie);
	if (cookie && d->row >= SCAN_ROW) {
		d->window = (uint32_t)min_u64(d->window ? d->window * 2 : WINDOW_FIRST, WINDOW_MAX);
		s->cookie = cookie;
		s->left = d->window;
		s->row = s->plus = true;
	} else if (d->asked >= d->scan_at) {
		s->plus = d->found > d->asked / 2;
		s->left =
			(uint32_t)min_u64(d->found * (uint64_t)NAMES_PER_FOUND +
						  (d->asked - d->found) * (uint64_t)NAMES_PER_MISS,
					  LISTED_MAX);
	}
	d->scanning = s->left != 0;
	return d->scanning;
}

void scan_asked(struct lane *ln, const struct fid *dir, uint64_t cookie)
{
	struct scan *s, plan_ = {.ln = ln, .dir = *dir};
	struct attr a;
	bool due;

	/* Without the lease of the directory nothing could be learned. */
	if (ln->stopping || !leases_attr(ln->fs->leases, dir, loop_clock(ln->loop), &a))
		return;
	fs_lock(ln->fs);
	due = plan(&ln->fs->intents, intent_dir_of(ln->fs, dir), cookie, &plan_);
	fs_unlock(ln->fs);
	if (!due)
		return;
	s = malloc(sizeof(*s));
	if (!s) {
		scan_end(ln->fs, &plan_, false);
		return;
	}
	*s = plan_;
	lane_background(ln, scan_fiber, s);
}
