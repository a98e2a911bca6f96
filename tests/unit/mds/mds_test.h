/* SPDX-License-Identifier: Apache-2.0 */
/* mds_test.h - an MDT's tables on a store of their own, without server, sockets or clock.
 *
 * All of a test runs in one batch that is never waited for, so the loop need not run.
 */
#pragma once
#include "common/log.h"
#include "mds/config.h"
#include "mds/dirent.h"
#include "mds/mds.h"
#include "mds/ns.h"
#include "mds/unlinklog.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>

#define T0 1000000000000LL /* "now" begins here and moves on with every operation */

struct mt {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct txn *t;
	struct alloc alloc;
	struct striping_defaults striping;
	struct ns_env env;
	struct fid open_fid; /* the one file that somebody has open */
	int64_t now;
	uint32_t next_oid;
	uint32_t logged; /* calls of env.logged */
	uint64_t logged_bytes; /* what the last of them said */
};

static const struct fid ROOT UNUSED = FID_ROOT;

static UNUSED uint64_t mt_random(void *arg)
{
	static uint64_t seed = 88172645463325252ULL;

	(void)arg;
	return rnd(&seed);
}

static UNUSED bool mt_is_open(void *arg, const struct fid *fid)
{
	return fid_eq(&((struct mt *)arg)->open_fid, fid);
}

static UNUSED void mt_logged(void *arg, uint32_t ost, uint64_t bytes)
{
	(void)ost;
	((struct mt *)arg)->logged++;
	((struct mt *)arg)->logged_bytes = bytes;
}

static UNUSED void mt_add_ost(struct mt *m, uint32_t index, uint64_t avail)
{
	struct alloc_ost *o = alloc_add(&m->alloc, index);

	assert_non_null(o);
	*o = (struct alloc_ost){index, 0, true, 1000 * GIB, avail};
}

static UNUSED void mt_init(struct mt *m)
{
	struct store_cfg cfg = {.tables = mds_tables, .ntables = MDS_NTABLES, .nosync = true};
	uint32_t i;

	*m = (struct mt){.now = T0, .next_oid = 1};
	log_set_level(LOG_LVL_ERROR);
	tmp_make(m->dir);
	assert_int_equal(loop_create(&m->loop), 0);
	cfg.loop = m->loop;
	cfg.dir = m->dir;
	assert_int_equal(store_open(&cfg, &m->store), 0);
	assert_int_equal(store_write(m->store, &m->t), 0);
	assert_int_equal(config_init(m->t, m->now), 0);
	alloc_init(&m->alloc, mt_random, NULL);
	m->striping = (struct striping_defaults){STRIPE_SIZE_DEFAULT, 1, -1, 1};
	m->env = (struct ns_env){&m->alloc, &m->striping, mt_is_open, mt_logged, m};
	for (i = 0; i < 4; i++)
		mt_add_ost(m, i, 500 * GIB);
}

static UNUSED void mt_fini(struct mt *m)
{
	assert_int_equal(mds_check_invariants(m->t), 0);
	store_close(m->store);
	alloc_fini(&m->alloc);
	loop_destroy(m->loop);
	tmp_remove(m->dir);
}

static UNUSED struct fid mt_fid(struct mt *m)
{
	return (struct fid){FID_SEQ_NORMAL + 1, m->next_oid++, 0};
}

/* A request to make a name; tests change what they want. */
static UNUSED struct mds_create_req mt_create_req(struct mt *m, struct fid parent, const char *name,
						  uint32_t mode)
{
	return (struct mds_create_req){
		.parent = parent,
		.name = SPAN_STR(name),
		.fid = mt_fid(m),
		.mode = mode,
		.umask = 022,
		.uid = 1000,
		.gid = 1000,
		.target = S_ISLNK(mode) ? SPAN_STR("over/there") : SPAN_NONE,
	};
}

static UNUSED int mt_try(struct mt *m, const struct mds_create_req *q, struct fid *fid,
			 struct attr *attr)
{
	struct ns_created c;
	int rc = ns_create(m->t, &m->env, q, m->now += 1000, &c);

	if (rc == 0 && fid)
		*fid = c.fid;
	if (rc == 0 && attr)
		*attr = c.attr;
	wbuf_fini(&c.layout);
	return rc;
}

static UNUSED int mt_make_rc(struct mt *m, struct fid parent, const char *name, uint32_t mode)
{
	struct mds_create_req q = mt_create_req(m, parent, name, mode);

	return mt_try(m, &q, NULL, NULL);
}

static UNUSED struct fid mt_make(struct mt *m, struct fid parent, const char *name, uint32_t mode)
{
	struct mds_create_req q = mt_create_req(m, parent, name, mode);
	struct fid fid;

	assert_int_equal(mt_try(m, &q, &fid, NULL), 0);
	return fid;
}

static UNUSED struct fid mt_dir(struct mt *m, struct fid parent, const char *name)
{
	return mt_make(m, parent, name, S_IFDIR | 0755);
}

static UNUSED struct fid mt_file(struct mt *m, struct fid parent, const char *name)
{
	return mt_make(m, parent, name, S_IFREG | 0644);
}

/* A file with objects, as create with open makes it; closed again. */
static UNUSED struct fid mt_open_file(struct mt *m, struct fid parent, const char *name)
{
	struct mds_create_req q = mt_create_req(m, parent, name, S_IFREG | 0644);
	struct fid fid;

	q.open_id = 1;
	q.open_flags = OPEN_READ;
	assert_int_equal(mt_try(m, &q, &fid, NULL), 0);
	return fid;
}

static UNUSED int mt_unlink(struct mt *m, struct fid parent, const char *name, bool rmdir)
{
	struct mds_unlink_req q = {.parent = parent, .name = SPAN_STR(name), .rmdir = rmdir};
	struct ns_removed gone;

	return ns_unlink(m->t, &m->env, &q, m->now += 1000, &gone);
}

static UNUSED int mt_link(struct mt *m, struct fid fid, struct fid parent, const char *name)
{
	struct mds_link_req q = {fid, parent, SPAN_STR(name)};
	struct attr attr;

	return ns_link(m->t, &q, m->now += 1000, &attr);
}

static UNUSED int mt_rename(struct mt *m, struct fid from_dir, const char *from, struct fid to_dir,
			    const char *to, uint32_t flags)
{
	struct mds_rename_req q = {from_dir, SPAN_STR(from), to_dir, SPAN_STR(to), flags};
	struct ns_removed gone;
	struct fid moved;

	return ns_rename(m->t, &m->env, &q, m->now += 1000, &moved, &gone);
}

static UNUSED struct attr mt_attr(struct mt *m, struct fid fid)
{
	struct inode_rec ino;

	assert_int_equal(ns_get(m->t, &fid, &ino), 0);
	return ino.attr;
}

static UNUSED bool mt_exists(struct mt *m, struct fid fid)
{
	struct inode_rec ino;

	return inode_get(m->t, &fid, &ino) == 0;
}

/* The FID under a name; all zero when there is none. */
static UNUSED struct fid mt_at(struct mt *m, struct fid parent, const char *name)
{
	struct fid fid = {0};
	struct inode_rec ino;

	if (ns_lookup(m->t, &parent, SPAN_STR(name), &fid, &ino))
		return (struct fid){0};
	return fid;
}

#define assert_fid_equal(a, b) assert_true(fid_eq(&(struct fid){(a).seq, (a).oid, (a).ver}, \
						  &(struct fid){(b).seq, (b).oid, (b).ver}))
