/* SPDX-License-Identifier: Apache-2.0 */
/* orphans.c - see orphans.h. */
#include "tests/sim/orphans.h"
#include "oss/object.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/trace.h"
#include <dirent.h>
#include <stdlib.h>

enum { WAIT_S = 120 };

struct walk {
	struct lane *ln;
	struct fid *fid; /* all found: regular files and, while walking, directories */
	uint32_t n, cap;
	uint32_t next;
	uint64_t cookie;
	bool *is_dir;
};

static void found(struct walk *w, const struct fid *fid, bool is_dir)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 256;
		w->fid = realloc(w->fid, w->cap * sizeof(*w->fid));
		w->is_dir = realloc(w->is_dir, w->cap * sizeof(*w->is_dir));
		assert(w->fid && w->is_dir);
	}
	w->fid[w->n] = *fid;
	w->is_dir[w->n++] = is_dir;
}

static int one(void *arg, const struct fs_dirent *d)
{
	struct walk *w = arg;

	w->cookie = d->cookie;
	if (d->name.ptr[0] == '.' && (d->name.len == 1 || d->name.ptr[1] == '.'))
		return 0;
	if (d->dtype == DT_DIR || d->dtype == DT_REG)
		found(w, &d->e.fid, d->dtype == DT_DIR);
	return 0;
}

static int walk(void *arg)
{
	struct walk *w = arg;

	found(w, fs_root(lane_fs(w->ln)), true);
	for (uint32_t k = 0; k < w->n; k++) {
		struct fid dir = w->fid[k];
		bool eof = false;

		w->cookie = 0;
		while (w->is_dir[k] && !eof) {
			int rc = fs_co_readdir(w->ln, &dir, w->cookie, false, one, w, &eof);

			if (rc)
				return rc;
		}
	}
	return 0;
}

struct count {
	const struct walk *w;
	uint32_t orphans;
	char first[OBJECT_PATH_MAX];
};

static void look(void *arg, const char *path, uint64_t size)
{
	struct count *c = arg;
	struct object_id id;

	(void)size;
	if (object_path_parse(path, &id))
		return; /* the OST's own */
	for (uint32_t k = 0; k < c->w->n; k++)
		if (fid_eq(&c->w->fid[k], &id.fid))
			return;
	if (!c->orphans++)
		object_path(&id, c->first);
}

int orphans_check(struct cluster *c, uint32_t *files)
{
	struct cluster_client *cl = cluster_client(c, 0);
	struct walk w = {.ln = cl->lane[0]};
	struct count n = {.w = &w};
	int rc;

	rc = cluster_call(cl->loop[0], walk, &w);
	for (int s = 0; !rc && s < WAIT_S; s++) {
		n.orphans = 0;
		for (uint32_t i = 0; i < CLUSTER_OSTS; i++)
			sim_disk_each(cluster_ost_dir(c, i), look, &n);
		if (!n.orphans)
			break;
		sim_run_for(NSEC_PER_SEC);
	}
	if (rc)
		sim_fail("walking through all names: %s", strerror(-rc));
	else if (n.orphans)
		sim_fail("%u objects belong to no file, such as %s", n.orphans, n.first);
	if (files)
		*files = w.n;
	free(w.fid);
	free(w.is_dir);
	return rc;
}
