/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c - reads all names of a directory in which names are looked up that are not there.
 *
 * Whoever makes files looks each name up first, and if this client did not make the directory it
 * has to ask the MDS for nothing each time. After some such questions it is cheaper to list the
 * directory once: while its lease lasts all its names are known then (leases_learn_begin()), and
 * the next name that is not there is not asked for. A directory with more names than the questions
 * were worth is left alone until there have been more of them; a very large one for good.
 */
#include "client/core/core.h"
#include "common/log.h"
#include <stdlib.h>

enum {
	NAMES_PER_MISS = 256, /* a request lists some 1500 */
	AGAIN = 4,            /* times as many questions, if it was too large */
};

struct scan {
	struct lane *ln;
	struct fid dir;
	uint64_t cookie;
	uint32_t left; /* names that may be read */
};

static int take_one(void *arg, const struct fs_dirent *d)
{
	struct scan *s = arg;

	s->cookie = d->cookie;
	return --s->left == 0;
}

static void scan_fiber(void *arg)
{
	struct scan s = *(struct scan *)arg;
	struct intent_dir *d;
	bool eof = false;
	int rc = 0;

	free(arg);
	while (rc == 0 && !eof && s.left && !s.ln->stopping)
		rc = fs_co_readdir(s.ln, &s.dir, s.cookie, false, take_one, &s, &eof);
	if (rc)
		log_dbg("a directory could not be listed: %s", err_str(rc));
	fs_lock(s.ln->fs);
	d = intent_dir_of(s.ln->fs, &s.dir);
	d->scanning = false;
	d->scan_at = eof ? d->missed + s.ln->fs->intents.scan_after : d->missed * AGAIN;
	s.ln->fs->intents.scans++;
	fs_unlock(s.ln->fs);
}

/* How many names the questions so far are worth; 0: not yet. */
static uint32_t names_due(struct fs *fs, const struct fid *dir)
{
	struct intents *in = &fs->intents;
	struct intent_dir *d;
	uint32_t n = 0;

	fs_lock(fs);
	d = intent_dir_of(fs, dir);
	d->missed++;
	if (!d->scan_at)
		d->scan_at = in->scan_after;
	if (in->scan_after && !d->scanning && d->missed >= d->scan_at) {
		d->scanning = true;
		n = (uint32_t)min_u64(d->missed * (uint64_t)NAMES_PER_MISS, LISTED_MAX);
	}
	fs_unlock(fs);
	return n;
}

void scan_missed(struct lane *ln, const struct fid *dir)
{
	struct scan *s;
	struct attr a;
	uint32_t n;

	/* Without the lease of the directory nothing could be learned. */
	if (ln->stopping || !leases_attr(ln->fs->leases, dir, loop_clock(ln->loop), &a))
		return;
	n = names_due(ln->fs, dir);
	s = n ? malloc(sizeof(*s)) : NULL;
	if (!s)
		return;
	*s = (struct scan){.ln = ln, .dir = *dir, .left = n};
	lane_background(ln, scan_fiber, s);
}
