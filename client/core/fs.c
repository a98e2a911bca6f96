/* SPDX-License-Identifier: Apache-2.0 */
/* fs.c - a mount as a whole: what all lanes share. See fs.h and core.h.
 *
 * Nothing here talks to a server; lane.c does. The identity of the client (uuid, instance) is drawn
 * from lane 0's loop, so that the simulator draws the same one for the same seed.
 */
#include "client/core/core.h"
#include "common/log.h"
#include "common/param.h"
#include <stdlib.h>
#include <unistd.h>

void fs_lock(struct fs *fs)
{
	pthread_mutex_lock(&fs->lock);
}

void fs_unlock(struct fs *fs)
{
	pthread_mutex_unlock(&fs->lock);
}

static uint32_t half_of_memory_mb(void)
{
	uint64_t mb = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) >> 21;

	return (uint32_t)min_u64(max_u64(mb, MAX_DIRTY_MB), UINT32_MAX);
}

int fs_create(const struct fs_cfg *cfg, struct fs **out)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	int rc;

	if (!fs)
		return -ENOMEM;
	fs->cfg = *cfg;
	snprintf(fs->name, sizeof(fs->name), "%s", cfg->name ? cfg->name : "client");
	fs->cfg.name = fs->name;
	if (!fs->cfg.timeout_ms)
		fs->cfg.timeout_ms = 30000;
	fs->root = FID_ROOT;
	TAILQ_INIT(&fs->osts);
	locktab_init(&fs->locks);
	data_table_init(&fs->data);
	replay_init(&fs->replay);
	TAILQ_INIT(&fs->kept);
	fs->max_dirty_mb = MAX_DIRTY_MB;
	fs->max_unstable_mb = MAX_UNSTABLE_MB;
	xwait_init(&fs->unstable_room);
	fs->max_cached_mb = half_of_memory_mb();
	fs->max_read_ahead_mb = MAX_READ_AHEAD_MB;
	fs->max_read_ahead_per_file_mb = MAX_READ_AHEAD_PER_FILE_MB;
	fs->xattr_cache = 1;
	fs->set_later = 1;
	fs->intents.mode = INTENT_GUESS;
	fs->intents.scan_after = SCAN_AFTER;
	unlinks_init(&fs->unlinks);
	if (cfg->book && book_fd(cfg->book) >= 0) { /* what is answered shall outlive the process */
		fs->set_later = 0;
		fs->unlinks.max = 0;
	}
	rc = leases_create(&fs->leases);
	if (rc == 0)
		lru_init(fs);
	if (rc == 0)
		rc = params_create(&fs->params);
	if (rc) {
		unlinks_fini(&fs->unlinks);
		leases_destroy(fs->leases);
		free(fs);
		return rc;
	}
	pthread_mutex_init(&fs->lock, NULL);
	*out = fs;
	return 0;
}

void fs_destroy(struct fs *fs)
{
	struct ost *o;

	if (!fs)
		return;
	params_destroy(fs->params);
	while ((o = TAILQ_FIRST(&fs->osts))) {
		TAILQ_REMOVE(&fs->osts, o, link);
		free(o);
	}
	locktab_fini(&fs->locks);
	data_table_fini(fs);
	replay_fini(&fs->replay);
	unlinks_fini(&fs->unlinks);
	leases_destroy(fs->leases);
	link_fini(fs);
	free(fs->last.claims);
	pthread_mutex_destroy(&fs->lock);
	free(fs->space);
	free(fs);
}

uint64_t fs_lease_tell(struct fs *fs, const struct fid *fid, const struct attr *a, bool name,
		       uint64_t asked, uint64_t now)
{
	return leases_tell(fs->leases, fid, a, name, asked, now);
}

bool fs_lease_list(struct fs *fs, const struct fid *dir, uint64_t now, bool *keep)
{
	return leases_list(fs->leases, dir, now, keep);
}

bool fs_lease_attr(struct fs *fs, const struct fid *fid, uint64_t now, struct attr *out)
{
	return leases_attr(fs->leases, fid, now, out);
}

uint64_t fs_lost(struct fs *fs)
{
	uint64_t n;

	pthread_mutex_lock(&fs->replay.lock);
	n = fs->replay.nlost;
	pthread_mutex_unlock(&fs->replay.lock);
	return n;
}

struct params *fs_params(struct fs *fs)
{
	return fs->params;
}

const struct fid *fs_root(const struct fs *fs)
{
	return &fs->root;
}

const char *fs_name(const struct fs *fs)
{
	return fs->cfg.source.fsname;
}

const char *fs_instance(const struct fs *fs)
{
	return fs->instance;
}

const uint8_t *fs_uuid(const struct fs *fs)
{
	return fs->uuid;
}

const uint8_t *fs_mdt_uuid(const struct lane *ln)
{
	return ln->mdt->ost->uuid;
}

/* ---- newest times seen ----
 *
 * A setattr by path may reach the MDS before the close that tells it of the last write. The MDS
 * then must not let the older write's time win, so it is told what this client saw. One slot for
 * several files is enough: a lost entry matters only if an OST's clock is ahead of the MDS's. */

static struct mtime_seen *mtime_slot(struct fs *fs, uint64_t ino)
{
	return &fs->mtimes[(ino * 0x9e3779b97f4a7c15ULL >> 40) % MTIME_CACHE];
}

void fs_mtime_note(struct fs *fs, const struct fid *fid, int64_t mtime)
{
	uint64_t ino = fid_to_ino(fid);
	struct mtime_seen *m = mtime_slot(fs, ino);

	fs_lock(fs);
	if (m->ino != ino || m->mtime < mtime)
		*m = (struct mtime_seen){ino, mtime};
	fs_unlock(fs);
}

int64_t fs_mtime_get(struct fs *fs, const struct fid *fid)
{
	uint64_t ino = fid_to_ino(fid);
	const struct mtime_seen *m = mtime_slot(fs, ino);
	int64_t mtime;

	fs_lock(fs);
	mtime = m->ino == ino ? m->mtime : 0;
	fs_unlock(fs);
	return mtime;
}
