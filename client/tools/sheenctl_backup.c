/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_backup.c - sheenctl backup and restore: the metadata target of a cluster, copied while
 * it serves.
 *
 * LMDB lets another process read while the MDS writes: the copy is one read transaction, so it is
 * the MDT as it was at one moment, and the MDS waits for nothing (in its own process it could not
 * let its map grow meanwhile). A backup is a target directory: label and db/data.mdb. Both commands
 * write beside the place and rename at the end, so what is there under its name is whole.
 *
 * A restored MDT gives out sequences of FIDs far behind those that it remembers (mds/restored.c).
 */
#include "client/tools/sheenctl.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_rpc.h"
#include "common/store.h"
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

const char sheenctl_backup_usage[] =
	"usage: backup --dir DIR --to BACKUP\n"
	"\n"
	"Copies the metadata target of the cluster in DIR, while it serves, to the new directory\n"
	"BACKUP. Everything that was done before is in it. Data of files are not: they are on the\n"
	"OSTs.\n";
const char sheenctl_restore_usage[] =
	"usage: restore --dir DIR --from BACKUP\n"
	"\n"
	"Puts a backup in the place of the metadata target of the cluster in DIR, which must be\n"
	"missing or empty. The cluster is down, and mounted nowhere. After the next start, run\n"
	"sheenctl check: files that were made since have lost their names, those that were "
	"removed\n"
	"their data.\n";

enum { CALL_MS = 30000 };

struct copy {
	struct ctl_cluster c;
	const char *other;         /* BACKUP */
	char target[CTL_MAX_PATH]; /* DIR/mdt0 */
	char partial[MAX_PATH], db[MAX_PATH + 8];
};

/* ---- files ---- */

static int sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc ? tool_fail(rc, "%s", path) : 0;
}

static int copy_bytes(int in, int out)
{
	ssize_t n;

	do
		n = sendfile(out, in, NULL, 1 << 20);
	while (n > 0);
	return n < 0 || fsync(out) ? -errno : 0;
}

static int copy_file(const char *from_dir, const char *to_dir, const char *name)
{
	static char from[MAX_PATH + 32], to[MAX_PATH + 32];
	int in, out, rc;

	snprintf(from, sizeof(from), "%s/%s", from_dir, name);
	snprintf(to, sizeof(to), "%s/%s", to_dir, name);
	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return tool_fail(errno, "%s", from);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = out < 0 ? -errno : copy_bytes(in, out);
	if (out >= 0)
		close(out);
	close(in);
	return rc ? tool_fail(rc, "%s", to) : 0;
}

/* 0 when it is missing or has nothing in it. */
static int must_be_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	if (!d)
		return errno == ENOENT ? 0 : tool_fail(errno, "%s", path);
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n ? tool_fail(ENOTEMPTY, "%s", path) : 0;
}

/* The place that is renamed in the end. What an earlier try left there is written over. */
static int make_partial(struct copy *x, const char *final)
{
	int n = snprintf(x->partial, sizeof(x->partial), "%s.partial", final);

	if (n >= (int)sizeof(x->partial))
		return tool_fail(ENAMETOOLONG, "%s", final);
	snprintf(x->db, sizeof(x->db), "%s/db", x->partial);
	if ((mkdir(x->partial, 0700) && errno != EEXIST) || (mkdir(x->db, 0700) && errno != EEXIST))
		return tool_fail(errno, "%s", x->db);
	return 0;
}

static int finish(struct copy *x, const char *final)
{
	char parent[MAX_PATH];
	char *slash;
	int rc = sync_path(x->db);

	if (rc == 0)
		rc = sync_path(x->partial);
	if (rc)
		return rc;
	if (rename(x->partial, final)) /* over an empty directory as well */
		return tool_fail(errno, "%s", final);
	snprintf(parent, sizeof(parent), "%s", final);
	slash = strrchr(parent, '/');
	if (slash)
		*(slash == parent ? slash + 1 : slash) = 0;
	return sync_path(slash ? parent : ".");
}

/* ---- backup ---- */

struct ask {
	struct nid_list nids;
	char target[MAX_TARGET_NAME];
};

/* What has been answered is committed: the copy has it. */
static int sync_co(struct loop *l, void *arg)
{
	struct mds_sync_req q = {.fid = FID_ROOT};
	struct mds_sync_rep p;
	struct ask *a = arg;
	struct tool_import ti;
	RPC_CALL(call);
	int rc = tool_co_open(&ti, l, &a->nids, a->target, CALL_MS);

	if (rc)
		return rc;
	call.deadline_ms = CALL_MS;
	rc = mds_co_sync(ti.imp, &call, &q, &p);
	tool_co_close(&ti);
	return rc;
}

static int sync_mds(struct copy *x)
{
	struct ask a;
	int rc = ctl_nids(&x->c, &x->c.proc[1], &a.nids);

	if (rc == 0 && tool_refused(&a.nids, CALL_MS))
		return tool_fail(ECONNREFUSED,
				 "the MDS does not run: start it, or copy %s as it is", x->target);
	target_name_make(x->c.fsname, TARGET_MDT, 0, a.target);
	if (rc == 0)
		rc = tool_run(sync_co, &a);
	return rc ? tool_fail(rc, "the MDS cannot be asked to commit") : 0;
}

static int copy_db(const char *from, const char *to)
{
	char file[MAX_PATH + 32];
	int rc;

	snprintf(file, sizeof(file), "%s/data.mdb", to);
	(void)unlink(file); /* of an earlier try */
	rc = store_copy(from, to);
	return rc ? tool_fail(rc, "%s cannot be copied to %s", from, to) : 0;
}

static int backup(struct copy *x)
{
	char from[CTL_MAX_PATH + 8];
	int rc = must_be_empty(x->other);

	snprintf(from, sizeof(from), "%s/db", x->target);
	if (rc == 0)
		rc = sync_mds(x);
	if (rc == 0)
		rc = make_partial(x, x->other);
	if (rc == 0)
		rc = copy_db(from, x->db);
	if (rc == 0)
		rc = copy_file(x->target, x->partial, "sheen.target");
	return rc ? rc : finish(x, x->other);
}

/* ---- restore ---- */

static int mark_restored(struct copy *x)
{
	char path[MAX_PATH + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/restored", x->db);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fsync(fd))
		return tool_fail(errno, "%s", path);
	close(fd);
	return 0;
}

static int restore(struct copy *x)
{
	static char from[MAX_PATH + 8];
	int rc = must_be_empty(x->target);

	ctl_find_procs(&x->c);
	if (rc == 0 && x->c.proc[1].pid)
		return tool_fail(EBUSY, "the MDS runs");
	snprintf(from, sizeof(from), "%.4000s/db", x->other);
	if (rc == 0)
		rc = make_partial(x, x->target);
	if (rc == 0)
		rc = copy_file(x->other, x->partial, "sheen.target");
	if (rc == 0)
		rc = copy_file(from, x->db, "data.mdb");
	if (rc == 0)
		rc = mark_restored(x);
	return rc ? rc : finish(x, x->target);
}

static int run(int argc, char **argv, const char *option, int (*fn)(struct copy *x))
{
	const struct option opts[] = {{"dir", required_argument, NULL, 'd'},
				      {option, required_argument, NULL, 'o'},
				      {NULL, 0, NULL, 0}};
	static struct copy x;
	const char *dir = NULL;
	int opt, lock, rc;

	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == '?')
			return CMD_HELP;
		*(opt == 'd' ? &dir : &x.other) = optarg;
	}
	if (optind < argc || !x.other)
		return CMD_HELP;
	rc = ctl_set_dir(&x.c, dir);
	if (rc)
		return rc;
	rc = ctl_conf_read(&x.c);
	if (rc == -ENOENT)
		return tool_fail(rc, "there is no cluster in %s", x.c.dir);
	if (rc == 0)
		rc = ctl_lock(&x.c, &lock);
	if (rc)
		return rc;
	snprintf(x.target, sizeof(x.target), "%s/mdt0", x.c.dir);
	rc = fn(&x);
	close(lock);
	free(x.c.formatted);
	return rc;
}

int sheenctl_backup(int argc, char **argv)
{
	return run(argc, argv, "to", backup);
}

int sheenctl_restore(int argc, char **argv)
{
	return run(argc, argv, "from", restore);
}
