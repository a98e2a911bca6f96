/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_down.c - sheenctl down: unmounts, then stops the MDS, the OSSes, the MGS, in that
 * order: each may still need the next one to end in good order. */
#include "client/tools/sheenctl_archive.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_size.h"
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

const char sheenctl_down_usage[] =
	"usage: sheenctl down --dir DIR [--force] [--timeout SECONDS]\n"
	"\n"
	"Unmounts the file system everywhere on this machine and stops the cluster in DIR. The\n"
	"data stay; 'sheenctl up' starts it again.\n"
	"  --force      detach mounts that are in use\n"
	"  --timeout S  kill a server that has not stopped by then (20)\n";

int ctl_unmount_all(const struct ctl_cluster *c, bool force)
{
	struct ctl_mounts m;
	uint32_t i;
	int rc, rc2;

	rc = ctl_mounts(c, &m);
	if (rc)
		return rc;
	for (i = m.n; i-- > 0;) { /* the last first: one may be mounted inside another */
		rc2 = ctl_umount(m.dir[i], force);
		rc = rc ? rc : rc2;
	}
	ctl_mounts_free(&m);
	return rc;
}

int ctl_stop_all(struct ctl_cluster *c, int timeout_ms)
{
	struct ctl_proc *oss[CTL_MAX_PROCS], *p;
	uint32_t i, n = 0, running = 0;
	int rc, rc2;

	ctl_find_procs(c);
	for (i = 0; i < c->nprocs; i++)
		running += c->proc[i].pid != 0;
	if (!running) {
		printf("nothing of the cluster in %s runs\n", c->dir);
		return 0;
	}
	for (i = 2; i < c->nprocs; i++)
		oss[n++] = &c->proc[i];
	p = &c->proc[1];
	rc = ctl_stop(c, &p, 1, timeout_ms);
	rc2 = ctl_stop(c, oss, (int)n, timeout_ms);
	rc = rc ? rc : rc2;
	p = &c->proc[0];
	rc2 = ctl_stop(c, &p, 1, timeout_ms);
	return rc ? rc : rc2;
}

static int options(int argc, char **argv, const char **dir, bool *force, int64_t *timeout_s)
{
	static const struct option opts[] = {{"dir", required_argument, NULL, 'd'},
					     {"force", no_argument, NULL, 'f'},
					     {"timeout", required_argument, NULL, 't'},
					     {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == 'd')
			*dir = optarg;
		else if (opt == 'f')
			*force = true;
		else if (opt != 't' || tool_parse_int(optarg, 1, 3600, timeout_s)) {
			tool_say("option '%s' is unknown or has a bad value", argv[optind - 1]);
			return CMD_HELP;
		}
	}
	return optind < argc ? CMD_HELP : 0;
}

int sheenctl_down(int argc, char **argv)
{
	static struct ctl_cluster c;
	int64_t timeout_s = 20;
	const char *dir = NULL;
	bool force = false;
	int lock, rc;

	rc = options(argc, argv, &dir, &force, &timeout_s);
	if (rc == 0)
		rc = ctl_set_dir(&c, dir);
	if (rc)
		return rc;
	rc = ctl_conf_read(&c);
	if (rc == -ENOENT)
		return tool_fail(rc, "there is no cluster in %s", c.dir);
	if (rc == 0)
		rc = ctl_lock(&c, &lock);
	if (rc)
		return rc;
	rc = ctl_unmount_all(&c, force);
	if (rc == 0)
		rc = ctl_archives_stop(&c);
	if (rc)
		tool_say("the servers were left running: something is still mounted");
	else
		rc = ctl_stop_all(&c, (int)timeout_s * 1000);
	close(lock);
	free(c.formatted);
	return rc;
}
