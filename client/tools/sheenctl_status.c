/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_status.c - sheenctl status: what should be there, what is, and how full it is. Changes
 * nothing and works with any part of the cluster down. */
#include "client/tools/sheenctl_archive.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_json.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

const char sheenctl_status_usage[] =
	"usage: sheenctl status --dir DIR [--json]\n"
	"\n"
	"Shows every process, target, address, space, mount and archive of the cluster in DIR.\n"
	"  --json  in JSON: fsname, source, processes, targets, mounts, archives\n";

enum { ASK_MS = 3000 };

struct target {
	char name[MAX_TARGET_NAME], nid[NID_STRLEN];
	const char *state;
	const struct ctl_target_state *space; /* NULL: not known */
	const struct ctl_proc *proc;
};

/* A process that runs and a target that the MDS reaches. */
static const char *state_of(const struct ctl_proc *p, const struct ctl_state *s,
			    const struct ctl_target_state *t)
{
	if (!p->pid)
		return "stopped";
	if (!s->mds)
		return "running";
	return t && t->known && !t->error ? "serving" : "unreachable";
}

static void fill(const struct ctl_cluster *c, const struct ctl_proc *p, const struct ctl_state *s,
		 const struct ctl_target_state *t, struct target *out)
{
	ctl_nid(c, p, out->nid);
	out->proc = p;
	out->state = state_of(p, s, t);
	out->space = t && t->known && !t->error ? t : NULL;
}

/* MGS, MDT and OSTs in order. malloc'd; the count or -ENOMEM. */
static int list_targets(const struct ctl_cluster *c, const struct ctl_state *s, struct target **out)
{
	uint32_t n = 2, i, k, ost;
	struct target *t;

	for (i = 2; i < c->nprocs; i++)
		n += c->proc[i].nost;
	t = calloc(n, sizeof(*t));
	if (!t)
		return -ENOMEM;
	snprintf(t[0].name, sizeof(t[0].name), "MGS");
	fill(c, &c->proc[0], s, NULL, &t[0]);
	t[0].state = c->proc[0].pid ? "running" : "stopped";
	snprintf(t[1].name, sizeof(t[1].name), "%s-MDT0000", c->fsname);
	fill(c, &c->proc[1], s, s->mds ? &s->mdt : NULL, &t[1]);
	for (i = 2, n = 2; i < c->nprocs; i++) {
		for (k = 0; k < c->proc[i].nost; k++, n++) {
			ost = c->proc[i].ost[k];
			snprintf(t[n].name, sizeof(t[n].name), "%s-OST%04x", c->fsname, ost);
			fill(c, &c->proc[i], s, ost < s->nost ? &s->ost[ost] : NULL, &t[n]);
		}
	}
	*out = t;
	return (int)n;
}

static const char *human(uint64_t v, char buf[16])
{
	static const char units[] = " KMGTPE";
	double x = (double)v;
	int u = 0;

	for (; x >= 1024; u++)
		x /= 1024;
	snprintf(buf, 16, u ? "%.1f%c" : "%.0f%c", x, units[u]);
	return buf;
}

struct archives {
	struct ctl_archive *a;
	uint32_t n;
};

/* Of its mover and of its last jobs. */
static const char *mover_state(const struct ctl_cluster *c, const struct ctl_archive *a,
			       char jobs[CTL_JOBS][32])
{
	int k;

	for (k = 0; k < CTL_JOBS; k++)
		ctl_job_state(c->dir, a->name, (enum ctl_job)k, jobs[k]);
	return ctl_mover_runs(c, a) ? "running" : "stopped";
}

static void print_archives(const struct ctl_cluster *c, const struct archives *all)
{
	char jobs[CTL_JOBS][32];
	const char *mover;
	uint32_t i;

	if (all->n)
		printf("\n%-20s %-8s %-17s %-17s %s\n", "ARCHIVE", "MOVER", "IMPORT", "EXPORT",
		       "PATH");
	for (i = 0; i < all->n; i++) {
		mover = mover_state(c, &all->a[i], jobs);
		printf("%-20s %-8s %-17s %-17s %s\n", all->a[i].name, mover,
		       jobs[CTL_IMPORT][0] ? jobs[CTL_IMPORT] : "-",
		       jobs[CTL_EXPORT][0] ? jobs[CTL_EXPORT] : "-", all->a[i].path);
	}
}

static void archives_json(const struct ctl_cluster *c, const struct archives *all,
			  struct json_object *o)
{
	struct json_object *list = json_put_array(o, "archives"), *j;
	char jobs[CTL_JOBS][32];
	uint32_t i;

	for (i = 0; i < all->n; i++) {
		j = json_add_object(list);
		json_put_str(j, "name", all->a[i].name);
		json_put_str(j, "filesystemPath", all->a[i].path);
		json_put_str(j, "mover", mover_state(c, &all->a[i], jobs));
		json_put_str(j, "import", jobs[CTL_IMPORT]);
		json_put_str(j, "export", jobs[CTL_EXPORT]);
	}
}

static void print_text(const struct ctl_cluster *c, const struct target *t, int n,
		       const struct ctl_mounts *m, const struct archives *all)
{
	char a[16], b[16], d[16], nid[NID_STRLEN];
	uint32_t i;
	int k;

	printf("cluster in %s, file system %s, mount source %s:/%s\n\n", c->dir, c->fsname,
	       ctl_nid(c, &c->proc[0], nid), c->fsname);
	printf("%-10s %8s %-8s %s\n", "PROCESS", "PID", "STATE", "ADDRESS");
	for (i = 0; i < c->nprocs; i++) {
		const struct ctl_proc *p = &c->proc[i];

		if (p->pid)
			printf("%-10s %8d %-8s %s\n", p->name, (int)p->pid, "running",
			       ctl_nid(c, p, nid));
		else
			printf("%-10s %8s %-8s %s\n", p->name, "-", "stopped", ctl_nid(c, p, nid));
	}
	printf("\n%-20s %-11s %8s %8s %8s  %s\n", "TARGET", "STATE", "SIZE", "USED", "AVAIL",
	       "ADDRESS");
	for (k = 0; k < n; k++) {
		const struct ctl_target_state *s = t[k].space;

		if (s)
			printf("%-20s %-11s %8s %8s %8s  %s\n", t[k].name, t[k].state,
			       human(s->total, a), human(s->total - s->free, b), human(s->avail, d),
			       t[k].nid);
		else
			printf("%-20s %-11s %8s %8s %8s  %s\n", t[k].name, t[k].state, "-", "-",
			       "-", t[k].nid);
	}
	puts("\nMOUNTS");
	for (i = 0; i < m->n; i++)
		puts(m->dir[i]);
	if (!m->n)
		puts("none");
	print_archives(c, all);
}

static void print_json(const struct ctl_cluster *c, const struct target *t, int n,
		       const struct ctl_mounts *m, const struct archives *all)
{
	struct json_object *o = json_object_new_object(), *a, *j;
	char nid[NID_STRLEN], source[NID_STRLEN + 16];
	uint32_t i;
	int k;

	json_put_str(o, "dir", c->dir);
	json_put_str(o, "fsname", c->fsname);
	snprintf(source, sizeof(source), "%s:/%s", ctl_nid(c, &c->proc[0], nid), c->fsname);
	json_put_str(o, "source", source);
	a = json_put_array(o, "processes");
	for (i = 0; i < c->nprocs; i++) {
		j = json_add_object(a);
		json_put_str(j, "name", c->proc[i].name);
		json_put_str(j, "program", c->proc[i].prog);
		if (c->proc[i].pid)
			json_put_i64(j, "pid", c->proc[i].pid);
		else
			json_object_object_add(j, "pid", NULL);
		json_put_str(j, "state", c->proc[i].pid ? "running" : "stopped");
		json_put_str(j, "nid", ctl_nid(c, &c->proc[i], nid));
	}
	a = json_put_array(o, "targets");
	for (k = 0; k < n; k++) {
		j = json_add_object(a);
		json_put_str(j, "name", t[k].name);
		json_put_str(j, "nid", t[k].nid);
		json_put_str(j, "state", t[k].state);
		json_put_str(j, "process", t[k].proc->name);
		if (t[k].space) {
			json_put_u64(j, "bytes_total", t[k].space->total);
			json_put_u64(j, "bytes_free", t[k].space->free);
			json_put_u64(j, "bytes_avail", t[k].space->avail);
		}
	}
	a = json_put_array(o, "mounts");
	for (i = 0; i < m->n; i++)
		json_object_array_add(a, json_object_new_string(m->dir[i]));
	archives_json(c, all, o);
	json_print(stdout, o);
}

static int show(struct ctl_cluster *c, bool json)
{
	struct ctl_state s;
	struct ctl_mounts m;
	struct archives all;
	struct target *t = NULL;
	int n, rc;

	ctl_find_procs(c);
	rc = ctl_archives_read(c->dir, &all.a, &all.n);
	if (rc)
		return rc;
	rc = ctl_mounts(c, &m);
	if (rc) {
		free(all.a);
		return rc;
	}
	/* A silent MDS is a state like another. */
	if (!c->proc[1].pid || ctl_ask_mds(c, &s, ASK_MS))
		s = (struct ctl_state){0};
	n = list_targets(c, &s, &t);
	if (n >= 0 && json)
		print_json(c, t, n, &m, &all);
	else if (n >= 0)
		print_text(c, t, n, &m, &all);
	free(t);
	free(all.a);
	ctl_state_free(&s);
	ctl_mounts_free(&m);
	return n < 0 ? n : 0;
}

int sheenctl_status(int argc, char **argv)
{
	static const struct option opts[] = {{"dir", required_argument, NULL, 'd'},
					     {"json", no_argument, NULL, 'j'},
					     {NULL, 0, NULL, 0}};
	static struct ctl_cluster c;
	const char *dir = NULL;
	bool json = false;
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == '?') {
			tool_say("option '%s' is unknown or lacks its value", argv[optind - 1]);
			return CMD_HELP;
		}
		if (opt == 'd')
			dir = optarg;
		else
			json = true;
	}
	if (optind < argc)
		return CMD_HELP;
	rc = ctl_set_dir(&c, dir);
	if (rc)
		return rc;
	rc = ctl_conf_read(&c);
	if (rc == -ENOENT)
		return tool_fail(rc, "there is no cluster in %s", c.dir);
	if (rc == 0)
		rc = show(&c, json);
	free(c.formatted);
	return rc;
}
