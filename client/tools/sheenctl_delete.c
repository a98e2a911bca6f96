/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_delete.c - sheenctl delete: what create made, and nothing else, goes.
 *
 * The configuration goes after the targets and the name last, so a delete that was cut off is
 * repeated and ends.
 */
#include "client/tools/sheenctl_archive.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_rpc.h"
#include "common/proto/field.h"
#include <ftw.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char sheenctl_delete_usage[] =
	"usage: sheenctl delete --name NAME --yes [--discard-unexported] [--force]\n"
	"\n"
	"Stops a cluster and removes its data. Refuses while it is mounted anywhere, and while\n"
	"files of an archive are not in their container as they are.\n"
	"  --yes    really\n"
	"  --discard-unexported  what was not exported is lost\n"
	"  --force  though it is mounted: mounts of this machine are detached\n";

enum { STOP_MS = 20000, ASK_MS = 3000, LEAVE_MS = 5000, STEP_MS = 50, OPEN_DIRS = 16 };

/* Sessions of clients at the MDS, those of other machines as well; programs like this one are none.
 * Names each if asked. Their number or -errno. */
static int count_clients(const struct nid_list *mds, bool tell)
{
	struct wbuf w;
	char *at, *line;
	int rc, n = 0;

	wbuf_init(&w, 1 << 20);
	rc = tool_get_param(mds, "mdt.*.exports", false, &w, ASK_MS);
	wbuf_put(&w, "", 1);
	rc = rc ? rc : w.rc;
	at = rc ? NULL : (char *)w.ptr;
	while ((line = strsep(&at, "\n"))) {
		if (!strncmp(line, "mdt.", 4) && strchr(line, '='))
			line = strchr(line, '=') + 1; /* the parameter's name */
		if (!strstr(line, " nid=") || strstr(line, " tool nid="))
			continue;
		n++;
		if (tell)
			tool_say("in use by client %s", line);
	}
	wbuf_fini(&w);
	return rc ? tool_fail(rc, "the MDS does not say who has it mounted (--force)") : n;
}

/* A client that was unmounted a moment ago may still be saying so. */
static int wait_clients(const struct ctl_cluster *c)
{
	uint64_t end = ctl_now_ms() + LEAVE_MS;
	struct nid_list mds;
	int n;

	n = ctl_nids(c, &c->proc[1], &mds);
	if (n || tool_refused(&mds, ASK_MS))
		return n; /* it does not run: nobody can use it */
	while ((n = count_clients(&mds, false)) > 0 && ctl_now_ms() < end)
		poll(NULL, 0, STEP_MS);
	return n > 0 ? count_clients(&mds, true) : n;
}

static int check_unused(const struct ctl_cluster *c)
{
	struct ctl_mounts m;
	uint32_t i;
	int rc;

	rc = ctl_mounts(c, &m);
	if (rc)
		return rc;
	for (i = 0; i < m.n; i++)
		tool_say("mounted on %s", m.dir[i]);
	rc = m.n ? (int)m.n : wait_clients(c);
	ctl_mounts_free(&m);
	if (rc <= 0)
		return rc;
	tool_say("the cluster is in use: unmount it, or use --force");
	return -EBUSY;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) && errno != ENOENT ? tool_fail(errno, "cannot remove %s", path) : 0;
}

static int remove_tree(const struct ctl_cluster *c, const char *name)
{
	char path[CTL_MAX_PATH];
	int rc;

	snprintf(path, sizeof(path), "%.1000s/%s", c->dir, name);
	rc = nftw(path, remove_one, OPEN_DIRS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (rc == -1 && errno == ENOENT)
		return 0;
	return rc == -1 ? tool_fail(errno, "cannot remove %s", path) : rc;
}

static int remove_targets(const struct ctl_cluster *c)
{
	char name[24];
	uint32_t i, k;
	int rc;

	rc = remove_tree(c, "mgs");
	if (rc == 0)
		rc = remove_tree(c, "mdt0");
	for (i = 0; i < c->nprocs; i++) {
		for (k = 0; rc == 0 && k < c->proc[i].nost; k++) {
			snprintf(name, sizeof(name), "ost%u", c->proc[i].ost[k]);
			rc = remove_tree(c, name);
		}
	}
	return rc;
}

static int remove_data(const struct ctl_cluster *c)
{
	static const char *const rest[] = {
		"log",         "run", "archives", "cluster.conf.new", "cluster.conf", "cluster.json.new",
		"cluster.json"};
	uint32_t i;
	int rc = 0;

	if (c->nprocs)
		rc = remove_targets(c);
	for (i = 0; rc == 0 && i < ARRAY_SIZE(rest); i++)
		rc = remove_tree(c, rest[i]);
	if (rc)
		return rc;
	if (rmdir(c->dir) && errno != ENOENT)
		tool_say("%s stays: %s", c->dir, strerror(errno));
	return 0;
}

/* Movers are clients, too: they must be gone before it is looked who else there is. */
static int may_delete(struct ctl_cluster *c, bool force, bool discard)
{
	int rc = 0;

	if (!c->nprocs)
		return 0;
	ctl_find_procs(c);
	if (!discard && c->proc[1].pid)
		rc = ctl_check_exported(c);
	if (rc == 0)
		rc = ctl_archives_stop(c);
	if (rc == 0 && !force) {
		rc = check_unused(c);
		if (rc && ctl_archives_start(c))
			tool_say("its archives are not served any more: sheenctl up");
	}
	return rc;
}

static int delete_locked(struct ctl_cluster *c, struct ctl_order *o, bool force, bool discard)
{
	int rc = may_delete(c, force, discard);

	if (rc)
		return rc;
	rc = ctl_order_state(c->dir, o, "Deleting");
	if (rc == 0 && c->nprocs)
		rc = ctl_unmount_all(c, force);
	if (rc == 0 && c->nprocs)
		rc = ctl_stop_all(c, STOP_MS);
	if (rc == 0)
		rc = remove_data(c);
	return rc ? rc : ctl_name_del(o->name);
}

int sheenctl_delete(int argc, char **argv)
{
	static const struct option opts[] = {{"name", required_argument, NULL, 'n'},
					     {"yes", no_argument, NULL, 'y'},
					     {"force", no_argument, NULL, 'f'},
					     {"discard-unexported", no_argument, NULL, 'd'},
					     {NULL, 0, NULL, 0}};
	bool yes = false, force = false, discard = false;
	static struct ctl_cluster c;
	const char *name = NULL;
	struct ctl_order o;
	int opt, lock, rc;

	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == '?') {
			tool_say("option '%s' is unknown or lacks its value", argv[optind - 1]);
			return CMD_HELP;
		}
		yes |= opt == 'y';
		force |= opt == 'f';
		discard |= opt == 'd';
		if (opt == 'n')
			name = optarg;
	}
	if (optind < argc)
		return CMD_HELP;
	rc = ctl_order_open(name, &c, &o);
	if (rc == 0 && !yes) {
		tool_say("all data of '%s' in %s will be lost: say --yes", o.name, c.dir);
		rc = -EPERM;
	}
	if (rc == 0)
		rc = ctl_lock(&c, &lock);
	if (rc)
		return rc;
	rc = delete_locked(&c, &o, force, discard);
	if (rc == 0)
		fprintf(stderr, "%s: deleted\n", o.name);
	close(lock);
	free(c.formatted);
	return rc;
}
