/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_up.c - sheenctl up: whatever is missing between the wish and what runs.
 *
 * Wish: a number of OSS and of OSTs for each. What cluster.conf has is kept; more is added. An OSS
 * takes its directories when it starts, so more OSTs for an OSS that runs come up in a process of
 * their own beside it, and nothing restarts.
 */
#include "client/tools/sheenctl_archive.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_size.h"
#include <getopt.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char sheenctl_up_usage[] =
	"usage: sheenctl up --dir DIR [--mount MNT] [--fsname NAME] [--oss N] [--osts N]\n"
	"                   [--port BASE] [--address ADDR] [-o OPTIONS] [--timeout SECONDS]\n"
	"\n"
	"Starts a cluster with its data in DIR: formats what is new, starts what does not run,\n"
	"waits until everything serves. What runs already is left alone.\n"
	"  --dir DIR        the cluster's directory\n"
	"  --mount MNT      then mount it there\n"
	"  -o OPTIONS       mount options\n"
	"  --fsname NAME    name of the file system (lustre)\n"
	"  --oss N          object storage servers (2)\n"
	"  --osts N         OSTs of each (2); a larger number than before adds OSTs\n"
	"  --port BASE      MGS at this port, the others behind it (a free range from 23700)\n"
	"  --address ADDR   listen at this address of the machine (127.0.0.1)\n"
	"  --timeout S      give up after this time (60)\n";

enum { PORT_FIRST = 23700, PORT_STEP = 10, PORT_LAST = 32000 };

static const struct option long_opts[] = {
	{"dir", required_argument, NULL, 'd'},	   {"mount", required_argument, NULL, 'm'},
	{"options", required_argument, NULL, 'o'}, {"fsname", required_argument, NULL, 'f'},
	{"oss", required_argument, NULL, 'O'},	   {"osts", required_argument, NULL, 'T'},
	{"port", required_argument, NULL, 'p'},	   {"address", required_argument, NULL, 'a'},
	{"timeout", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
};

static int number(const char *what, const char *text, int64_t min, int64_t max, int64_t *out)
{
	if (tool_parse_int(text, min, max, out) == 0)
		return 0;
	tool_say("invalid %s '%s': a number from %lld to %lld", what, text, (long long)min,
		 (long long)max);
	return CMD_HELP;
}

static int one_option(struct ctl_wish *u, int opt, char **argv)
{
	switch (opt) {
	case 'd':
		u->dir = optarg;
		return 0;
	case 'm':
		u->mount = optarg;
		return 0;
	case 'o':
		u->opts = optarg;
		return 0;
	case 'f':
		u->fsname = optarg;
		if (fsname_ok(optarg))
			return 0;
		tool_say("invalid --fsname '%s': 1 to %d letters, digits, '-' and '_'", optarg,
			 MAX_FSNAME);
		return CMD_HELP;
	case 'a':
		u->address = optarg;
		return 0;
	case 'O':
		return number("--oss", optarg, 1, 64, &u->oss);
	case 'T':
		return number("--osts", optarg, 1, CTL_MAX_OSTS, &u->osts);
	case 'p':
		return number("--port", optarg, 1, 65000, &u->port);
	case 't':
		return number("--timeout", optarg, 1, 3600, &u->timeout_s);
	default:
		tool_say("option '%s' is unknown or lacks its value", argv[optind - 1]);
		return CMD_HELP;
	}
}

static int options(struct ctl_wish *u, int argc, char **argv)
{
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "o:", long_opts, NULL)) != -1) {
		rc = one_option(u, opt, argv);
		if (rc)
			return rc;
	}
	if (optind < argc) {
		tool_say("what is '%s'?", argv[optind]);
		return CMD_HELP;
	}
	return 0;
}

/* ---- the configuration ---- */

static bool port_taken(const struct ctl_cluster *c, uint32_t port)
{
	uint32_t i;

	for (i = 0; i < c->nprocs; i++)
		if (c->proc[i].port == port)
			return true;
	return false;
}

/* The next port from *from on that nobody has. */
static int next_port(const struct ctl_cluster *c, uint32_t *from, uint16_t *out)
{
	for (; *from <= 65535; (*from)++) {
		if (port_taken(c, *from) || !ctl_port_free(c->address, (uint16_t)*from))
			continue;
		*out = (uint16_t)(*from)++;
		return 0;
	}
	tool_say("no free port is left");
	return -EADDRINUSE;
}

static bool range_free(const char *address, uint32_t base, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (base + i > 65535 || !ctl_port_free(address, (uint16_t)(base + i)))
			return false;
	return true;
}

static int choose_base(const struct ctl_cluster *c, const struct ctl_wish *u, uint32_t *base)
{
	uint32_t need = 2 + (uint32_t)u->oss;

	if (u->port > 0) {
		*base = (uint32_t)u->port;
		if (ctl_port_free(c->address, (uint16_t)*base))
			return 0;
		tool_say("port %u of %s is in use or cannot be used (see ss -ltnp)", *base,
			 c->address);
		return -EADDRINUSE;
	}
	for (*base = PORT_FIRST; *base < PORT_LAST; *base += PORT_STEP)
		if (range_free(c->address, *base, need))
			return 0;
	tool_say("no free range of %u ports at %s: name one with --port", need, c->address);
	return -EADDRINUSE;
}

static int add_server(struct ctl_cluster *c, const char *name, uint32_t *port)
{
	uint16_t at;
	struct ctl_proc *p;
	int rc;

	rc = next_port(c, port, &at);
	if (rc)
		return rc;
	p = ctl_add_proc(c, name);
	if (!p) {
		tool_say("too many servers");
		return -E2BIG;
	}
	p->port = at;
	return 0;
}

uint32_t ctl_count_osts(const struct ctl_cluster *c, int64_t group)
{
	uint32_t i, n = 0;

	for (i = 0; i < c->nprocs; i++)
		if (group < 0 || (c->proc[i].nost && c->proc[i].group == group))
			n += c->proc[i].nost;
	return n;
}

static uint32_t count_groups(const struct ctl_cluster *c)
{
	uint32_t i, n = 0;

	for (i = 2; i < c->nprocs; i++)
		if (c->proc[i].group + 1 > n)
			n = c->proc[i].group + 1;
	return n;
}

/* One more process for an OSS, with so many new OSTs. */
static int add_oss(struct ctl_cluster *c, uint32_t group, uint32_t nost, uint32_t *port)
{
	uint32_t next = ctl_count_osts(c, -1), have = 0, i;
	char name[24];
	int rc;

	for (i = 2; i < c->nprocs; i++)
		have += c->proc[i].group == group;
	if (have)
		snprintf(name, sizeof(name), "oss%u.%u", group, have);
	else
		snprintf(name, sizeof(name), "oss%u", group);
	rc = add_server(c, name, port);
	if (rc)
		return rc;
	for (i = 0; i < nost; i++)
		c->proc[c->nprocs - 1].ost[i] = next + i;
	c->proc[c->nprocs - 1].nost = nost;
	return 0;
}

/* Brings the list of OSSes up to the wish. */
static int extend(struct ctl_cluster *c, const struct ctl_wish *u, uint32_t port)
{
	uint32_t groups = count_groups(c), osts, have, g;
	int rc = 0;

	osts = u->osts > 0 ? (uint32_t)u->osts : ctl_count_osts(c, 0);
	for (g = 0; rc == 0 && g < groups && u->osts > 0; g++) {
		have = ctl_count_osts(c, g);
		if (have < osts)
			rc = add_oss(c, g, osts - have, &port);
	}
	for (; rc == 0 && u->oss > 0 && g < (uint32_t)u->oss; g++)
		if (g >= groups)
			rc = add_oss(c, g, osts, &port);
	return rc;
}

static int new_cluster(struct ctl_cluster *c, struct ctl_wish *u)
{
	uint32_t base;
	int rc;

	snprintf(c->fsname, sizeof(c->fsname), "%s", u->fsname ? u->fsname : "lustre");
	snprintf(c->address, sizeof(c->address), "%.60s", u->address ? u->address : "127.0.0.1");
	u->oss = u->oss > 0 ? u->oss : 2;
	u->osts = u->osts > 0 ? u->osts : 2;
	rc = choose_base(c, u, &base);
	if (rc == 0)
		rc = add_server(c, "mgs", &base);
	if (rc == 0)
		rc = add_server(c, "mds", &base);
	return rc ? rc : extend(c, u, base);
}

/* What cannot be changed must fit. */
static int check_wish(const struct ctl_cluster *c, const struct ctl_wish *u)
{
	if (u->fsname && strcmp(u->fsname, c->fsname)) {
		tool_say("the cluster in %s is file system '%s', not '%s'", c->dir, c->fsname,
			 u->fsname);
		return -EINVAL;
	}
	if (u->port > 0 && u->port != ctl_mgs_port(c)) {
		tool_say("the cluster in %s has its MGS at port %u, not %lld", c->dir,
			 ctl_mgs_port(c), (long long)u->port);
		return -EINVAL;
	}
	if (u->address && strcmp(u->address, c->address)) {
		tool_say("the cluster in %s is at address %s, not %s", c->dir, c->address,
			 u->address);
		return -EINVAL;
	}
	return 0;
}

static int configure(struct ctl_cluster *c, struct ctl_wish *u)
{
	uint32_t n, i, port = 0;
	int rc;

	rc = ctl_conf_read(c);
	if (rc == -ENOENT)
		return new_cluster(c, u);
	if (rc == 0)
		rc = check_wish(c, u);
	if (rc)
		return rc;
	for (i = 0; i < c->nprocs; i++)
		if (c->proc[i].port >= port)
			port = c->proc[i].port + 1U;
	n = c->nprocs;
	rc = extend(c, u, port);
	if (rc == 0 && u->oss > 0 && (uint32_t)u->oss < count_groups(c))
		printf("note     the cluster has %u OSS; none is taken away\n", count_groups(c));
	for (i = n; rc == 0 && i < c->nprocs; i++)
		printf("%-8s new, with %u OST%s\n", c->proc[i].name, c->proc[i].nost,
		       c->proc[i].nost == 1 ? "" : "s");
	return rc;
}

/* ---- formatting ---- */

static bool has_label(const char *dir)
{
	char path[CTL_MAX_PATH];

	snprintf(path, sizeof(path), "%.1060s/sheen.target", dir);
	return access(path, F_OK) == 0;
}

static int run_mkfs(const struct ctl_cluster *c, const char *type, int64_t index, const char *dir)
{
	char nid[NID_STRLEN], fsname[32], idx[32], mgs[NID_STRLEN + 16];
	const char *args[8] = {"--quiet", type, dir};
	int rc, n = 3;

	if (index >= 0) {
		snprintf(fsname, sizeof(fsname), "--fsname=%s", c->fsname);
		snprintf(idx, sizeof(idx), "--index=%lld", (long long)index);
		snprintf(mgs, sizeof(mgs), "--mgsnode=%s", ctl_nid(c, &c->proc[0], nid));
		args[n++] = fsname;
		args[n++] = idx;
		args[n++] = mgs;
	}
	rc = ctl_run(NULL, "mkfs.sheen", args);
	if (rc)
		tool_say("formatting %s failed", dir);
	return rc > 0 ? -EIO : rc;
}

static int format_one(struct ctl_cluster *c, const char *type, int64_t index, const char *name)
{
	char dir[CTL_MAX_PATH];
	int rc;

	snprintf(dir, sizeof(dir), "%s/%s", c->dir, name);
	if (ctl_is_formatted(c, name)) {
		if (has_label(dir))
			return 0;
		tool_say("%s was formatted but holds no target now: is its disk mounted?", dir);
		return -ENOENT;
	}
	if (!has_label(dir)) { /* else: interrupted between formatting and noting it */
		rc = run_mkfs(c, type, index, dir);
		if (rc)
			return rc;
		printf("%-8s formatted\n", name);
	}
	rc = ctl_set_formatted(c, name);
	return rc ? rc : ctl_conf_write(c);
}

static int format_all(struct ctl_cluster *c)
{
	char name[24];
	uint32_t i, k;
	int rc;

	rc = format_one(c, "--mgs", -1, "mgs");
	if (rc == 0)
		rc = format_one(c, "--mdt", 0, "mdt0");
	for (i = 2; i < c->nprocs; i++) {
		for (k = 0; rc == 0 && k < c->proc[i].nost; k++) {
			snprintf(name, sizeof(name), "ost%u", c->proc[i].ost[k]);
			rc = format_one(c, "--ost", c->proc[i].ost[k], name);
		}
	}
	return rc;
}

/* ---- starting ---- */

static int start_one(struct ctl_cluster *c, struct ctl_proc *p)
{
	char nid[NID_STRLEN];
	int rc;

	if (p->pid) {
		printf("%-8s already runs, pid %d, %s\n", p->name, (int)p->pid, ctl_nid(c, p, nid));
		return 0;
	}
	rc = ctl_start(c, p);
	if (rc == 0)
		printf("%-8s started, pid %d, %s\n", p->name, (int)p->pid, ctl_nid(c, p, nid));
	fflush(stdout);
	return rc;
}

static int start_all(struct ctl_cluster *c, uint64_t deadline)
{
	uint32_t i;
	int rc;

	ctl_find_procs(c);
	rc = start_one(c, &c->proc[0]);
	if (rc == 0)
		rc = ctl_wait_mgs(c, deadline);
	for (i = 1; rc == 0 && i < c->nprocs; i++)
		rc = start_one(c, &c->proc[i]);
	if (rc == 0)
		rc = ctl_wait_all(c, deadline);
	return rc;
}

int ctl_bring_up(struct ctl_cluster *c, struct ctl_wish *u)
{
	uint64_t deadline = ctl_now_ms() + (uint64_t)u->timeout_s * 1000;
	char path[CTL_MAX_PATH], nid[NID_STRLEN];
	int rc;

	rc = configure(c, u);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/log", c->dir);
	rc = ctl_mkdirs(path);
	if (rc)
		return tool_fail(rc, "cannot make %s", path);
	rc = ctl_conf_write(c);
	if (rc == 0)
		rc = format_all(c);
	if (rc == 0)
		rc = start_all(c, deadline);
	if (rc)
		return rc;
	printf("ready    file system %s: 1 MDT, %u OSTs; mount source %s:/%s\n", c->fsname,
	       ctl_count_osts(c, -1), ctl_nid(c, &c->proc[0], nid), c->fsname);
	fflush(stdout);
	return u->mount ? ctl_mount(c, u->mount, u->opts) : 0;
}

int sheenctl_up(int argc, char **argv)
{
	static struct ctl_cluster c;
	struct ctl_wish u = CTL_WISH;
	int lock, rc;

	rc = options(&u, argc, argv);
	if (rc == 0)
		rc = ctl_set_dir(&c, u.dir);
	if (rc)
		return rc;
	rc = ctl_lock(&c, &lock);
	if (rc)
		return rc;
	rc = ctl_bring_up(&c, &u);
	if (rc == 0)
		rc = ctl_archives_start(&c);
	close(lock);
	free(c.formatted);
	return rc;
}
