/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_conf.c - cluster.conf: what was formatted and which process serves it where.
 *
 * Lines of key=value; server=NAME:PORT[:OST,OST...] once for each process. A target directory is
 * remembered once it is formatted: if it is empty later, its disk is missing, and formatting it
 * again would hide that.
 */
#include "client/tools/sheenctl.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_size.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char conf_head[] =
	"# sheenctl keeps here what it formatted and where it listens. Change it only while\n"
	"# everything is down.\n";

int ctl_set_dir(struct ctl_cluster *c, const char *dir)
{
	char cwd[MAX_PATH / 4] = "";
	int n;

	if (!dir || !*dir) {
		tool_say("--dir DIR must be given");
		return CMD_HELP;
	}
	if (dir[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return tool_fail(errno, "current directory");
	n = snprintf(c->dir, sizeof(c->dir), "%s%s%s", cwd, cwd[0] ? "/" : "", dir);
	if (n >= (int)sizeof(c->dir) || strchr(dir, '\n'))
		return tool_fail(ENAMETOOLONG, "%s", dir);
	while (n > 1 && c->dir[n - 1] == '/')
		c->dir[--n] = '\0';
	return 0;
}

int ctl_mkdirs(const char *path)
{
	char buf[MAX_PATH], *p;

	if (snprintf(buf, sizeof(buf), "%s", path) >= (int)sizeof(buf))
		return -ENAMETOOLONG;
	for (p = buf + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(buf, 0755) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(buf, 0755) && errno != EEXIST ? -errno : 0;
}

int ctl_lock(const struct ctl_cluster *c, int *fd)
{
	char path[CTL_MAX_PATH];
	int rc;

	snprintf(path, sizeof(path), "%s/run", c->dir);
	rc = ctl_mkdirs(path);
	if (rc)
		return tool_fail(rc, "cannot make %s", path);
	snprintf(path, sizeof(path), "%s/run/lock", c->dir);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (*fd < 0)
		return tool_fail(errno, "%s", path);
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	printf("waiting for another sheenctl that works on %s\n", c->dir);
	fflush(stdout);
	if (flock(*fd, LOCK_EX) == 0)
		return 0;
	rc = tool_fail(errno, "%s", path);
	close(*fd);
	return rc;
}

struct ctl_proc *ctl_add_proc(struct ctl_cluster *c, const char *name)
{
	struct ctl_proc *p;

	if (c->nprocs == CTL_MAX_PROCS || strlen(name) >= sizeof(p->name))
		return NULL;
	p = &c->proc[c->nprocs++];
	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->pidfd = -1;
	p->prog = "sheen-oss";
	if (!strcmp(name, "mgs"))
		p->prog = "sheen-mgs";
	if (!strcmp(name, "mds"))
		p->prog = "sheen-mds";
	if (!strncmp(name, "oss", 3))
		p->group = (uint32_t)strtoul(name + 3, NULL, 10);
	return p;
}

uint16_t ctl_mgs_port(const struct ctl_cluster *c)
{
	return c->proc[0].port;
}

char *ctl_nid(const struct ctl_cluster *c, const struct ctl_proc *p, char *buf)
{
	snprintf(buf, NID_STRLEN, "%.60s@tcp:%u", c->address, p->port);
	return buf;
}

int ctl_nids(const struct ctl_cluster *c, const struct ctl_proc *p, struct nid_list *out)
{
	char text[NID_STRLEN], why[256];

	if (nid_list_parse(ctl_nid(c, p, text), PORT_MGS, out, why, sizeof(why)) == 0)
		return 0;
	tool_say("%s", why);
	return -EINVAL;
}

bool ctl_is_formatted(const struct ctl_cluster *c, const char *target)
{
	uint32_t i;

	for (i = 0; i < c->nformatted; i++)
		if (!strcmp(c->formatted[i], target))
			return true;
	return false;
}

int ctl_set_formatted(struct ctl_cluster *c, const char *target)
{
	void *grown;

	if (ctl_is_formatted(c, target))
		return 0;
	grown = reallocarray(c->formatted, c->nformatted + 1, sizeof(*c->formatted));
	if (!grown)
		return -ENOMEM;
	c->formatted = grown;
	snprintf(c->formatted[c->nformatted++], sizeof(*c->formatted), "%.20s", target);
	return 0;
}

/* ---- reading ---- */

static int parse_server(struct ctl_cluster *c, char *text)
{
	char *name = strsep(&text, ":"), *port = strsep(&text, ":");
	struct tool_ost_list *l;
	struct ctl_proc *p;
	int64_t v;
	int rc = 0;

	if (!name || !port || tool_parse_int(port, 1, 65535, &v))
		return -EINVAL;
	p = ctl_add_proc(c, name);
	if (!p)
		return -EINVAL;
	p->port = (uint16_t)v;
	if (!text)
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	if (tool_parse_ost_list(text, l) || l->n > CTL_MAX_OSTS)
		rc = -EINVAL;
	p->nost = rc ? 0 : l->n;
	memcpy(p->ost, l->ost, p->nost * sizeof(p->ost[0]));
	free(l);
	return rc;
}

static int parse_line(struct ctl_cluster *c, const char *key, char *val)
{
	if (!strcmp(key, "fsname")) {
		if (!fsname_ok(val))
			return -EINVAL;
		snprintf(c->fsname, sizeof(c->fsname), "%s", val);
		return 0;
	}
	if (!strcmp(key, "address")) {
		snprintf(c->address, sizeof(c->address), "%.60s", val);
		return 0;
	}
	if (!strcmp(key, "server"))
		return parse_server(c, val);
	if (!strcmp(key, "formatted"))
		return ctl_set_formatted(c, val);
	return -EINVAL;
}

int ctl_conf_parse(struct ctl_cluster *c, FILE *f, const char *name)
{
	char *line = NULL, *eq;
	size_t cap = 0;
	int n = 0, rc = 0;

	while (rc == 0 && getline(&line, &cap, f) > 0) {
		n++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		eq = strchr(line, '=');
		if (eq)
			*eq = '\0';
		rc = eq ? parse_line(c, line, eq + 1) : -EINVAL;
		if (rc)
			tool_say("%s: line %d cannot be understood", name, n);
	}
	free(line);
	if (rc)
		return rc;
	if (!c->fsname[0] || !c->address[0] || c->nprocs < 2 || strcmp(c->proc[0].name, "mgs") ||
	    strcmp(c->proc[1].name, "mds")) {
		tool_say("%s: incomplete", name);
		return -EINVAL;
	}
	return 0;
}

int ctl_conf_read(struct ctl_cluster *c)
{
	char path[CTL_MAX_PATH];
	FILE *f;
	int rc;

	snprintf(path, sizeof(path), "%s/cluster.conf", c->dir);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ENOENT : tool_fail(errno, "%s", path);
	rc = ctl_conf_parse(c, f, path);
	fclose(f);
	return rc;
}

/* ---- writing ---- */

void ctl_conf_print(FILE *f, const struct ctl_cluster *c)
{
	uint32_t i, k;

	fputs(conf_head, f);
	fprintf(f, "fsname=%s\naddress=%s\n", c->fsname, c->address);
	for (i = 0; i < c->nprocs; i++) {
		fprintf(f, "server=%s:%u", c->proc[i].name, c->proc[i].port);
		for (k = 0; k < c->proc[i].nost; k++)
			fprintf(f, "%c%u", k ? ',' : ':', c->proc[i].ost[k]);
		fputc('\n', f);
	}
	for (i = 0; i < c->nformatted; i++)
		fprintf(f, "formatted=%s\n", c->formatted[i]);
}

int ctl_conf_write(const struct ctl_cluster *c)
{
	char path[CTL_MAX_PATH], tmp[CTL_MAX_PATH];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/cluster.conf", c->dir);
	snprintf(tmp, sizeof(tmp), "%s/cluster.conf.new", c->dir);
	f = fopen(tmp, "we");
	if (!f)
		return tool_fail(errno, "%s", tmp);
	ctl_conf_print(f, c);
	ok = fflush(f) == 0 && fsync(fileno(f)) == 0;
	ok = fclose(f) == 0 && ok;
	if (!ok || rename(tmp, path))
		return tool_fail(errno, "%s", path);
	return 0;
}
