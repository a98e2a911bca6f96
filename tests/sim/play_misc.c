/* SPDX-License-Identifier: Apache-2.0 */
/* play_misc.c - a player's extended attributes, locks and layouts; see play.h. */
#include "tests/sim/play.h"
#include "common/lov.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static struct model_node *any_for_xattr(struct play *p, const char *name)
{
	for (int i = 0; i < 20; i++) {
		struct model_node *n = play_any(p);

		if (S_ISREG(n->a.mode) || S_ISDIR(n->a.mode) || name[0] == 't')
			return n;
	}
	return model_root(p->m);
}

static const char *any_xattr(struct play *p)
{
	static const char *const names[] = {"user.a", "user.b", "user.long_name_of_an_attr",
					    "trusted.t"};

	return names[play_below(p, 4)];
}

void play_setxattr(struct play *p)
{
	const struct cred root = {.pid = 1};
	const char *name = any_xattr(p);
	struct model_node *n = any_for_xattr(p, name);
	uint32_t len = (uint32_t)play_below(p, play_one_in(p, 10) ? 65537 : 200);
	int flags = 0, rc;

	if (play_one_in(p, 3))
		flags = play_one_in(p, 2) ? XATTR_CREATE : XATTR_REPLACE;
	play_fill(p, p->buf, len);
	play_call(p);
	rc = fs_co_setxattr(p->ln, &n->fid, name, (struct span){p->buf, len}, flags, &root);
	play_called(p);
	trace("p%u c%u setxattr #%u %s len %u flags %d: %d", p->index, p->client, n->id, name, len,
	      flags, rc);
	play_same(p, "setxattr", rc, model_setxattr(p->m, n, name, p->buf, len, flags));
}

void play_getxattr(struct play *p)
{
	const char *name = any_xattr(p);
	struct model_node *n = any_for_xattr(p, name);
	size_t len = play_one_in(p, 4) ? play_below(p, 100) : 65536;
	int64_t rc, want;

	rc = fs_co_getxattr(p->ln, &n->fid, name, p->buf, len);
	want = model_getxattr(n, name, p->want, len);
	trace("p%u c%u getxattr #%u %s: %lld", p->index, p->client, n->id, name, (long long)rc);
	if (play_same(p, "getxattr", rc, want) && len && memcmp(p->buf, p->want, (size_t)rc) != 0)
		sim_fail("player %u, operation %u: getxattr #%u %s gives another value", p->index,
			 p->op, n->id, name);
}

void play_removexattr(struct play *p)
{
	const char *name = any_xattr(p);
	struct model_node *n = any_for_xattr(p, name);
	int rc;

	play_call(p);
	rc = fs_co_removexattr(p->ln, &n->fid, name);
	play_called(p);
	trace("p%u c%u removexattr #%u %s: %d", p->index, p->client, n->id, name, rc);
	play_same(p, "removexattr", rc, model_removexattr(p->m, n, name));
}

void play_listxattr(struct play *p)
{
	struct model_node *n = any_for_xattr(p, "trusted");
	struct model_xattr *x;
	uint32_t want = 0, got = 0;
	const char *at;
	ssize_t rc;

	rc = fs_co_listxattr(p->ln, &n->fid, (char *)p->buf, 65536);
	trace("p%u c%u listxattr #%u: %zd", p->index, p->client, n->id, rc);
	if (rc < 0) {
		play_same(p, "listxattr", rc, 0);
		return;
	}
	TAILQ_FOREACH(x, &n->xattrs, link)
		want++;
	for (at = (char *)p->buf; at < (char *)p->buf + rc; at += strlen(at) + 1) {
		if (strncmp(at, "user.", 5) != 0 && strcmp(at, "trusted.t") != 0)
			continue; /* of Sheen itself */
		got++;
		if (model_getxattr(n, at, NULL, 0) < 0)
			sim_fail("player %u: listxattr #%u gives %s", p->index, n->id, at);
	}
	if (got != want)
		sim_fail("player %u, operation %u: listxattr #%u gives %u names of %u", p->index,
			 p->op, n->id, got, want);
}

/* ------------------------------------------------------------------ locks */

enum { CELL = 10 };

struct any_lock {
	struct fs_lock lk;
	uint32_t owner, first, last;
	int space;
};

static struct any_lock any_lock(struct play *p)
{
	struct any_lock a = {.space = play_one_in(p, 4)};
	uint32_t owners = MODEL_LOCK_OWNERS / CLUSTER_CLIENTS;

	a.owner = (uint32_t)play_below(p, owners) * CLUSTER_CLIENTS + p->client;
	a.first = (uint32_t)play_below(p, MODEL_LOCK_CELLS);
	a.last = a.first + (uint32_t)play_below(p, MODEL_LOCK_CELLS - a.first);
	if (a.space) {
		a.first = 0;
		a.last = MODEL_LOCK_CELLS - 1;
	}
	a.lk = (struct fs_lock){
		.space = a.space ? LOCK_FLOCK : LOCK_POSIX,
		.type = (uint8_t)play_below(p, 3), /* F_RDLCK, F_WRLCK, F_UNLCK */
		.owner = 1 + p->index * 100 + a.owner,
		.start = a.first * CELL,
		.end = a.last == MODEL_LOCK_CELLS - 1 ? UINT64_MAX : (a.last + 1) * CELL - 1,
		.pid = 100 + a.owner,
	};
	return a;
}

void play_setlk(struct play *p)
{
	struct any_lock a = any_lock(p);
	struct model_node *n = p->h->n;
	int rc;

	rc = fs_co_setlk(p->ln, &n->fid, &a.lk, false, NULL);
	trace("p%u c%u setlk #%u %s owner %u type %u cells %u..%u: %d", p->index, p->client, n->id,
	      a.space ? "flock" : "posix", a.owner, a.lk.type, a.first, a.last, rc);
	play_same(p, "setlk", rc,
		  model_setlk(n, a.space, a.owner, a.lk.type, a.first, a.last));
}

void play_getlk(struct play *p)
{
	struct any_lock a = any_lock(p);
	struct model_node *n = p->h->n;
	int type = a.lk.type, who, rc;

	if (a.space || type == F_UNLCK)
		return;
	rc = fs_co_getlk(p->ln, &n->fid, &a.lk);
	who = model_getlk(n, 0, a.owner, type, a.first, a.last);
	trace("p%u c%u getlk #%u owner %u cells %u..%u: %d type %u pid %u", p->index, p->client,
	      n->id, a.owner, a.first, a.last, rc, a.lk.type, a.lk.pid);
	if (play_same(p, "getlk", rc, 0) && (a.lk.type == F_UNLCK) != (who < 0))
		sim_fail("player %u, operation %u: getlk finds type %u of pid %u, the model says "
			 "owner %d",
			 p->index, p->op, a.lk.type, a.lk.pid, who);
}

void play_flush(struct play *p)
{
	struct any_lock a = any_lock(p);
	int rc = fs_co_flush(p->ln, &p->h->n->fid, a.lk.owner);

	trace("p%u c%u flush #%u owner %u: %d", p->index, p->client, p->h->n->id, a.owner, rc);
	play_same(p, "flush", rc, 0);
	model_unlock_all(p->h->n, 0, a.owner);
}

/* ------------------------------------------------------------------ the rest */

void play_statfs(struct play *p)
{
	struct fs_space s = {0};
	int rc = fs_co_statfs(p->ln, &s);

	trace("p%u c%u statfs: %d", p->index, p->client, rc);
	if (play_same(p, "statfs", rc, 0) && (!s.bsize || s.bfree > s.blocks))
		sim_fail("player %u: statfs makes no sense", p->index);
}

void play_syncdir(struct play *p)
{
	struct model_node *dir = play_any_dir(p);
	int rc = fs_co_syncdir(p->ln, &dir->fid);

	trace("p%u c%u fsync of directory #%u: %d", p->index, p->client, dir->id, rc);
	play_same(p, "fsync of a directory", rc, 0);
}

void play_set_default(struct play *p, struct model_node *dir)
{
	static const uint32_t sizes[] = {65536, 65536, 131072, 1048576};
	static const int32_t counts[] = {1, 2, 3, 4, -1};
	const struct cred root = {.pid = 1};
	struct layout *l;
	struct wbuf w;
	int rc;

	wbuf_init(&w, MAX_LAYOUT_BLOB);
	rc = layout_plain(sizes[play_below(p, 4)], counts[play_below(p, 5)], -1, "", NULL, &l);
	assert(rc == 0);
	rc = lov_enc(&w, l, &dir->fid);
	assert(rc == 0);
	play_call(p);
	rc = fs_co_setxattr(p->ln, &dir->fid, "lustre.lov", wbuf_span(&w), 0, &root);
	play_called(p);
	trace("p%u c%u default layout of #%u: size %u count %d: %d", p->index, p->client, dir->id,
	      l->comp[0].stripe_size, l->comp[0].stripe_count, rc);
	if (play_same(p, "setxattr lustre.lov", rc, 0))
		dir->ctime.hi = loop_realtime(lane_loop(p->ln));
	layout_free(l);
	wbuf_fini(&w);
}

void play_setlayout(struct play *p)
{
	play_set_default(p, play_any_dir(p));
}
