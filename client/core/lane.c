/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c - one thread's share of a mount: start, stop, fan-out, scratch memory.
 *
 * Lane 0 also watches the configuration at the MGS and tells the others. Only lane 0 says
 * goodbye to the servers, because all lanes share one session there: it is stopped last.
 */
#include "client/core/core.h"
#include "client/core/resend.h"
#include "common/log.h"
#include "common/param.h"
#include <inttypes.h>
#include <stdlib.h>

enum {
	GOODBYE_MS = 2000,
	ASK_AGAIN_MS = 250,
	UNKNOWN_MS = 5000, /* a file system may be just about to be born */
};

static void lane_refresh(void *arg)
{
	struct lane *ln = arg;

	if (!ln->started || ln->stopping)
		return;
	target_refresh(ln);
	if (ln->index == 0) {
		lru_start(ln);
		data_trim(ln);
	}
}

static void lane_press(void *arg)
{
	resend_press(arg);
}

static void draw_identity(struct fs *fs, struct loop *l)
{
	uint64_t r[2] = {loop_random(l), loop_random(l)};

	static_assert(sizeof(r) == UUID_LEN, "uuid");
	memcpy(fs->uuid, r, UUID_LEN);
	fs->uuid[6] = (uint8_t)((fs->uuid[6] & 0x0f) | 0x40); /* version 4 */
	fs->uuid[8] = (uint8_t)((fs->uuid[8] & 0x3f) | 0x80);
	snprintf(fs->instance, sizeof(fs->instance), "ffff%012" PRIx64,
		 (uint64_t)(loop_random(l) & 0xffffffffffffULL));
	fs->next_open_id = fs->cfg.book ? (uint64_t)book_head(fs->cfg.book)->generation << 40 : 1;
	fs->next_owner = fs->next_open_id;
	fs->start_real = fs->stats_start = loop_realtime(l);
}

int lane_create(struct fs *fs, struct loop *l, uint32_t index, struct lane **out)
{
#define FS_STAT_INIT(name, unit) [FS_STAT_##name] = {#name, unit, 0, 0, 0, 0, 0, {0}},
	static const struct stat_counter blank[] = {FS_STATS(FS_STAT_INIT)};
	struct lane *ln;
	int rc;

	if (index >= MAX_LANES)
		return -EINVAL;
	ln = calloc(1, sizeof(*ln));
	if (!ln)
		return -ENOMEM;
	ln->fs = fs;
	ln->loop = l;
	ln->index = index;
	memcpy(ln->stats, blank, sizeof(blank));
	co_waitq_init(&ln->config_q);
	co_waitq_init(&ln->background_q);
	co_waitq_init(&ln->flusher_q);
	co_mutex_init(&ln->seq_lock);
	ln->refresh = (struct loop_work){.fn = lane_refresh, .arg = ln};
	ln->press = (struct loop_work){.fn = lane_press, .arg = ln};
	if (index == 0 && !fs->instance[0]) { /* not when starting again */
		draw_identity(fs, l);
		rc = fs->cfg.book ? takeover_load(fs) : 0;
		if (rc == 0)
			rc = param_add_fs(fs);
		if (rc) {
			free(ln);
			return rc;
		}
	}
	ln->client = (struct rpc_client_cfg){
		.loop = l, .kind = PEER_CLIENT, .name = fs->name, .lane = index};
	memcpy(ln->client.uuid, fs->uuid, UUID_LEN);
	*out = ln;
	return 0;
}

struct fs *lane_fs(struct lane *ln)
{
	return ln->fs;
}

struct loop *lane_loop(struct lane *ln)
{
	return ln->loop;
}

/* ---- start ---- */

static void on_config(void *arg, const struct mgs_config *c)
{
	struct lane *ln = arg;

	target_apply_config(ln->fs, c);
}

static int why_set(char *why, size_t len, int rc, const char *text)
{
	snprintf(why, len, "%s", text);
	return rc;
}

/* An MGS that knows no file system at all has just been made: its MDT is on its way. One that
 * knows others will hardly learn of this one by waiting. */
static bool knows_others(struct lane *ln)
{
	struct mgs_filesystems_req q = {};
	struct mgs_filesystems_rep p;
	RPC_CALL(call);

	call.deadline_ms = UNKNOWN_MS;
	return mgs_co_filesystems(mgs_link_import(ln->mgs), &call, &q, &p) == 0 && p.names.len;
}

static int start_config(struct lane *ln, char *why, size_t why_len)
{
	struct fs *fs = ln->fs;
	uint64_t give_up;
	struct mgs_link_cfg cfg = {
		.client = &ln->client,
		.mgs = fs->cfg.source.mgs,
		.on_config = on_config,
		.arg = ln,
		.params = fs->params,
	};
	char nids[256];
	int rc;

	memcpy(cfg.fsname, fs->cfg.source.fsname, sizeof(cfg.fsname));
	nid_list_str(&cfg.mgs, PORT_MGS, nids, sizeof(nids));
	rc = mgs_link_create(&cfg, &ln->mgs);
	if (rc)
		return why_set(why, why_len, rc, err_str(rc));
	rc = mgs_link_co_start(ln->mgs, fs->cfg.timeout_ms);
	/* Since the MGS has answered: it may have come just now, and the MDS comes after it. */
	give_up = loop_now(ln->loop) + min_u64(fs->cfg.timeout_ms, UNKNOWN_MS) * NSEC_PER_MSEC;
	while (rc == -ENOENT && loop_now(ln->loop) < give_up && !knows_others(ln)) {
		co_sleep(ASK_AGAIN_MS * NSEC_PER_MSEC);
		rc = mgs_link_co_start(ln->mgs, fs->cfg.timeout_ms);
	}
	if (rc == -ENOENT)
		snprintf(why, why_len, "the MGS at %s knows no file system named '%s'", nids,
			 cfg.fsname);
	else if (rc == -ETIMEDOUT)
		snprintf(why, why_len, "no MGS answered at %s within %u seconds", nids,
			 fs->cfg.timeout_ms / 1000);
	else if (rc == -EPROTONOSUPPORT)
		snprintf(why, why_len, "the MGS at %s speaks another version of the protocol",
			 nids);
	else if (rc)
		snprintf(why, why_len, "configuration from the MGS at %s: %s", nids, err_str(rc));
	return rc;
}

static int start_mdt(struct lane *ln, uint64_t deadline, char *why, size_t why_len)
{
	uint64_t now = loop_now(ln->loop);
	int rc = 0;

	while (!ln->mdt && rc == 0)
		rc = co_wait(&ln->config_q, deadline);
	if (!ln->mdt)
		return why_set(why, why_len, -ENOENT, "no MDT has joined this file system yet");
	now = loop_now(ln->loop);
	rc = rpc_import_co_wait(ln->mdt->imp,
				deadline > now ? (uint32_t)((deadline - now) / NSEC_PER_MSEC) : 1);
	if (rc)
		snprintf(why, why_len, "%s: %s", ln->mdt->ost->name,
			 err_str(rc == -ETIMEDOUT && rpc_import_error(ln->mdt->imp)
					 ? rpc_import_error(ln->mdt->imp)
					 : rc));
	return rc;
}

/* Walks to the subdirectory of the mount source, which becomes the root. */
static int start_root(struct lane *ln, char *why, size_t why_len)
{
	struct fs *fs = ln->fs;
	const char *p = fs->cfg.source.subdir;
	struct entry e = {.fid = FID_ROOT};
	int rc;

	rc = fs_co_getattr(ln, &e.fid, &e.attr);
	while (rc == 0 && *p) {
		struct fid dir = e.fid;
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (!n)
			break;
		rc = fs_co_lookup(ln, &dir, (struct span){(const uint8_t *)p, (uint32_t)n}, &e);
		if (rc == 0 && (e.attr.mode & 0170000) != 0040000)
			rc = -ENOTDIR;
		p += n;
	}
	if (rc) {
		snprintf(why, why_len, "%s%s: %s",
			 *fs->cfg.source.subdir ? "subdirectory " : "root", fs->cfg.source.subdir,
			 err_str(rc));
		return rc;
	}
	fs->root = e.fid;
	return 0;
}

int lane_co_start(struct lane *ln, char *why, size_t why_len)
{
	struct fs *fs = ln->fs;
	uint64_t deadline = loop_now(ln->loop) + fs->cfg.timeout_ms * NSEC_PER_MSEC;
	int rc;

	why_set(why, why_len, 0, "");
	fs_lock(fs);
	assert(!fs->lanes[ln->index]);
	fs->lanes[ln->index] = ln;
	fs_unlock(fs);
	ln->started = true;
	if (ln->index) {
		target_refresh(ln);
		return 0;
	}
	rc = start_config(ln, why, why_len);
	if (rc == 0)
		rc = start_mdt(ln, deadline, why, why_len);
	if (rc == 0)
		rc = start_root(ln, why, why_len);
	return rc;
}

/* ---- stop ---- */

void lane_co_stop(struct lane *ln)
{
	struct fs *fs = ln->fs;
	struct mgs_link *mgs;
	struct io *io;

	ln->stopping = true;
	fs_lock(fs); /* parameters look at it */
	mgs = ln->mgs;
	ln->mgs = NULL;
	fs_unlock(fs);
	if (mgs)
		mgs_link_co_destroy(mgs);
	co_wake_all(&ln->flusher_q);
	resend_press(ln);
	if (ln->index == 0)
		kept_drop_all(ln);
	while (ln->background)
		if (co_wait(&ln->background_q, 0))
			continue;
	recall_co_stop(ln);
	target_co_destroy_all(ln, ln->index == 0 ? GOODBYE_MS : 0);
	fs_lock(fs);
	fs->lanes[ln->index] = NULL;
	fs_unlock(fs);
	/* Nobody finds the lane any more, but a refresh may have been posted before that. */
	while (ln->refresh.queued || ln->press.queued)
		co_yield();
	while ((io = ln->free_io)) {
		ln->free_io = io->next;
		free(io);
	}
	free(ln->ost);
	free(ln);
}

/* ---- fan-out ---- */

struct fan {
	fan_fn *fn;
	void *arg;
	uint32_t next, n;
	int rc;
};

static int fan_worker(void *arg)
{
	struct fan *f = arg;

	while (f->next < f->n && !f->rc) {
		int rc = f->fn(f->arg, f->next++);

		if (rc && !f->rc)
			f->rc = rc;
	}
	return 0;
}

int lane_co_fan(struct lane *ln, uint32_t n, fan_fn *fn, void *arg)
{
	struct fan f = {.fn = fn, .arg = arg, .n = n};
	struct co_group g = CO_GROUP_INIT;
	uint32_t i;
	int rc;

	(void)ln;
	if (n == 1)
		return fn(arg, 0);
	for (i = 1; i < n && i < FAN_MAX; i++)
		co_spawn(&g, fan_worker, &f);
	fan_worker(&f);
	rc = co_join(&g);
	return rc ? rc : f.rc;
}

struct background {
	struct lane *ln;
	void (*fn)(void *arg);
	void *arg;
};

static void background_run(void *arg)
{
	struct background b = *(struct background *)arg;

	free(arg);
	b.fn(b.arg);
	if (--b.ln->background == 0)
		co_wake_all(&b.ln->background_q);
}

void lane_background(struct lane *ln, void (*fn)(void *arg), void *arg)
{
	struct background *b = malloc(sizeof(*b));

	if (b) {
		*b = (struct background){ln, fn, arg};
		ln->background++;
		if (fiber_spawn(ln->loop, background_run, b) == 0)
			return;
		ln->background--;
		free(b);
	}
	fn(arg);
}

/* ---- scratch ---- */

struct io *lane_io_get(struct lane *ln)
{
	struct io *io = ln->free_io;

	if (io)
		ln->free_io = io->next;
	else
		io = malloc(sizeof(*io));
	if (io)
		io->lane = ln;
	return io;
}

void lane_io_put(struct lane *ln, struct io *io)
{
	io->next = ln->free_io;
	ln->free_io = io;
}

void op_timer_end(struct op_timer *t)
{
	stat_add(&t->ln->stats[t->stat], (loop_clock(t->ln->loop) - t->start) / 1000);
}
