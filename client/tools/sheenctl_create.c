/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_create.c - sheenctl create and update: a cluster under a name with the throughput that
 * was ordered.
 *
 * Create is sheenctl up and a limit for each OST, kept at the MGS as a permanent parameter. What
 * fails is noted as Failed with its reason and left as it is: the same command goes on from there,
 * because everything in it looks first what is there, and delete removes it.
 */
#include "client/tools/sheenctl_name.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_json.h"
#include "client/tools/tool_rpc.h"
#include "client/tools/tool_size.h"
#include "common/proto/field.h"
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

const char sheenctl_create_usage[] =
	"usage: sheenctl create --name NAME --sku SKU --storage-capacity TIB [local]\n"
	"                       [--dir DIR] [--oss N] [--osts N] [--port BASE]\n"
	"                       [--address ADDR] [--fsname NAME] [--timeout SECONDS] [--json]\n"
	"\n"
	"Makes a cluster on this machine: formats its targets, starts its servers, limits them\n"
	"to the throughput of the SKU. Progress goes to stderr, what show tells to stdout. After\n"
	"a failure the same command goes on.\n"
	"  --name NAME      by which it is known from now on\n"
	"  --sku SKU        Durable-Premium-40, -125, -250 or -500: MB/s for each TiB; none: no "
	"limit\n"
	"  --storage-capacity TIB\n"
	"                   what the throughput is reckoned from; in steps of 48, 16, 8 or 4\n"
	"  --dir DIR        where its data are (a directory in /var/lib/sheen/clusters)\n"
	"  --oss N          object storage servers (2)\n"
	"  --osts N         OSTs of each (2)\n"
	"  --port BASE      MGS at this port, the others behind it (a free range from 23700)\n"
	"  --address ADDR   listen at this address of the machine (127.0.0.1)\n"
	"  --fsname NAME    name of the file system (lustrefs)\n"
	"  --timeout S      give up after this time (60)\n"
	"  --json           in JSON\n";
const char sheenctl_update_usage[] =
	"usage: sheenctl update --name NAME [--sku SKU] [--storage-capacity TIB] [--json]\n"
	"\n"
	"Changes the throughput of a cluster while it is in use.\n"
	"  --sku SKU        Durable-Premium-40, -125, -250 or -500: MB/s for each TiB; none: no "
	"limit\n"
	"  --storage-capacity TIB\n"
	"                   what the throughput is reckoned from; in steps of 48, 16, 8 or 4\n"
	"  --json           in JSON\n";

enum { CALL_MS = 5000, SET_MS = 15000, STEP_MS = 20, DEFAULT_OSS = 2, DEFAULT_OSTS = 2 };

struct wanted {
	const char *name;
	const struct ctl_sku *sku;
	int64_t tib; /* -1: not given */
	bool json;
	struct ctl_wish up;
};

static const struct option long_opts[] = {
	{"name", required_argument, NULL, 'n'},
	{"sku", required_argument, NULL, 's'},
	{"json", no_argument, NULL, 'j'},
	{"storage-capacity", required_argument, NULL, 'c'},
	{"dir", required_argument, NULL, 'd'},
	{"oss", required_argument, NULL, 'O'},
	{"osts", required_argument, NULL, 'T'},
	{"port", required_argument, NULL, 'p'},
	{"address", required_argument, NULL, 'a'},
	{"fsname", required_argument, NULL, 'f'},
	{"timeout", required_argument, NULL, 't'},
	{NULL, 0, NULL, 0},
};
enum { UPDATE_OPTS = 4 }; /* the first of them */

static int number(const char *what, int64_t min, int64_t max, int64_t *out)
{
	if (tool_parse_int(optarg, min, max, out) == 0)
		return 0;
	tool_say("invalid %s '%s': a number from %lld to %lld", what, optarg, (long long)min,
		 (long long)max);
	return CMD_HELP;
}

static int up_option(struct ctl_wish *u, int opt, char **argv)
{
	switch (opt) {
	case 'd':
		u->dir = optarg;
		return 0;
	case 'a':
		u->address = optarg;
		return 0;
	case 'f':
		u->fsname = optarg;
		if (fsname_ok(optarg))
			return 0;
		tool_say("invalid --fsname '%s': 1 to %d letters, digits, '-' and '_'", optarg,
			 MAX_FSNAME);
		return CMD_HELP;
	case 'O':
		return number("--oss", 1, 64, &u->oss);
	case 'T':
		return number("--osts", 1, CTL_MAX_OSTS, &u->osts);
	case 'p':
		return number("--port", 1, 65000, &u->port);
	case 't':
		return number("--timeout", 1, 3600, &u->timeout_s);
	default:
		tool_say("option '%s' is unknown or lacks its value", argv[optind - 1]);
		return CMD_HELP;
	}
}

static int one_option(struct wanted *w, int opt, char **argv)
{
	switch (opt) {
	case 'n':
		w->name = optarg;
		return 0;
	case 'j':
		w->json = true;
		return 0;
	case 's':
		w->sku = ctl_sku_find(optarg);
		if (w->sku)
			return 0;
		tool_say("invalid --sku '%s': %s", optarg, ctl_sku_names());
		return CMD_HELP;
	case 'c':
		return number("--storage-capacity", 1, CTL_MAX_TIB, &w->tib);
	default:
		return up_option(&w->up, opt, argv);
	}
}

static int options(struct wanted *w, bool create, int argc, char **argv)
{
	struct option opts[ARRAY_SIZE(long_opts)] = {0};
	int opt, rc;

	memcpy(opts, long_opts, create ? sizeof(opts) : UPDATE_OPTS * sizeof(opts[0]));
	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		rc = one_option(w, opt, argv);
		if (rc)
			return rc;
	}
	if (create && optind < argc && !strcmp(argv[optind], "local"))
		optind++;
	if (optind < argc) {
		tool_say("what is '%s'?", argv[optind]);
		return CMD_HELP;
	}
	return ctl_name_check(w->name);
}

static int check_capacity(const struct ctl_sku *s, int64_t tib)
{
	if (tib % s->step_tib == 0)
		return 0;
	tool_say("invalid --storage-capacity %lld: %s comes in steps of %u TiB", (long long)tib,
		 s->name, s->step_tib);
	return -EINVAL;
}

/* ---- the limit ---- */

/* Has every OST of a process this limit? 0, -EAGAIN, or why it cannot be asked. */
static int has_limit(const struct ctl_cluster *c, const struct ctl_proc *p, const char *rate)
{
	char have[256];
	struct nid_list nids;
	struct wbuf w;
	uint32_t n = 0;
	char *line, *at;
	int rc;

	rc = ctl_nids(c, p, &nids);
	if (rc)
		return rc;
	wbuf_init(&w, 65536);
	rc = tool_get_param(&nids, "obdfilter.*.rate_limit_mb", false, &w, CALL_MS);
	wbuf_put(&w, "", 1);
	rc = rc ? rc : w.rc;
	at = rc ? NULL : (char *)w.ptr;
	while ((line = strsep(&at, "\n"))) {
		snprintf(have, sizeof(have), "%s", strchr(line, '=') ? strchr(line, '=') + 1 : "");
		/* As numbers: trailing zeros are not shown. */
		n += !strcmp(have, rate) ||
		     (have[0] >= '0' && have[0] <= '9' && strtod(have, NULL) == strtod(rate, NULL));
	}
	wbuf_fini(&w);
	return rc ? rc : n == p->nost ? 0 : -EAGAIN;
}

static int wait_limit(const struct ctl_cluster *c, const struct ctl_proc *p, const char *rate)
{
	uint64_t end = ctl_now_ms() + SET_MS;
	int rc;

	while ((rc = has_limit(c, p, rate)) == -EAGAIN && ctl_now_ms() < end)
		poll(NULL, 0, STEP_MS);
	if (rc == -EAGAIN)
		rc = -ETIMEDOUT;
	return rc ? tool_fail(rc, "%s does not take the limit", p->name) : 0;
}

static int set_limit(const struct ctl_cluster *c, const struct ctl_order *o)
{
	struct nid_list mgs;
	char rate[32];
	uint32_t i;
	int rc;

	ctl_sku_rate(ctl_sku_throughput(o->sku, o->tib), ctl_count_osts(c, -1), rate);
	rc = ctl_nids(c, &c->proc[0], &mgs);
	if (rc == 0)
		rc = tool_set_permanent(&mgs, "obdfilter.*.rate_limit_mb", rate, CALL_MS);
	if (rc)
		return tool_fail(rc, "the MGS does not take the limit");
	for (i = 2; rc == 0 && i < c->nprocs; i++)
		rc = wait_limit(c, &c->proc[i], rate);
	return rc;
}

/* ---- create ---- */

/* ctl_bring_up() tells its steps on stdout, which is for the result here. */
static int bring_up(struct ctl_cluster *c, struct ctl_wish *u)
{
	int out, rc;

	fflush(stdout);
	out = dup(STDOUT_FILENO);
	if (out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return tool_fail(errno, "stdout");
	rc = ctl_bring_up(c, u);
	fflush(stdout);
	if (dup2(out, STDOUT_FILENO) < 0 && rc == 0)
		rc = tool_fail(errno, "stdout");
	close(out);
	return rc;
}

static int print_result(struct ctl_cluster *c, const struct ctl_order *o, bool json)
{
	struct json_object *j = ctl_order_json(c, o);

	if (json)
		json_print(stdout, j);
	else
		ctl_order_print(j);
	return 0;
}

/* Nothing is there, or what an earlier attempt under this name left. */
static int check_dir(struct ctl_cluster *c, const char *name)
{
	char path[CTL_MAX_PATH];
	struct ctl_order o;
	int rc;

	rc = ctl_order_read(c->dir, &o);
	snprintf(path, sizeof(path), "%s/cluster.conf", c->dir);
	if (rc == -ENOENT && access(path, F_OK)) {
		return 0;
	} else if (rc == -ENOENT) {
		tool_say("%s has a cluster that sheenctl up made", c->dir);
		return -EEXIST;
	}
	if (rc)
		return rc;
	if (!strcmp(o.name, name) && (!strcmp(o.state, "Creating") || !strcmp(o.state, "Failed")))
		return 0;
	tool_say("there is a cluster '%s' already, in %s, state %s", o.name, c->dir, o.state);
	return -EEXIST;
}

static int create_locked(struct ctl_cluster *c, struct ctl_order *o, struct wanted *w)
{
	const char *doing = "starting servers";
	int rc;

	*o = (struct ctl_order){.sku = w->sku, .tib = (uint32_t)w->tib};
	snprintf(o->name, sizeof(o->name), "%s", w->name);
	rc = ctl_order_state(c->dir, o, "Creating");
	if (rc)
		return rc;
	rc = bring_up(c, &w->up);
	if (rc == 0) {
		doing = "setting the limit of the OSTs";
		rc = set_limit(c, o);
	}
	if (rc)
		return ctl_order_failed(c->dir, o, doing, rc);
	return ctl_order_state(c->dir, o, "Succeeded");
}

/* A new name, or that of a create that did not end. */
static int enter_name(struct ctl_cluster *c, const struct wanted *w, bool *added)
{
	struct ctl_cluster *asked = calloc(1, sizeof(*asked));
	int rc;

	if (!asked)
		return -ENOMEM;
	rc = ctl_name_add(w->name, w->up.dir, c);
	*added = rc == 0;
	if (rc == -EEXIST) {
		rc = ctl_name_find(w->name, c);
		if (rc == 0 && w->up.dir)
			rc = ctl_set_dir(asked, w->up.dir);
		if (rc == 0 && w->up.dir && strcmp(asked->dir, c->dir)) {
			tool_say("there is a cluster '%s' already, in %s", w->name, c->dir);
			rc = -EEXIST;
		}
	}
	free(asked);
	return rc;
}

static int create(struct ctl_cluster *c, struct wanted *w)
{
	struct ctl_order o;
	bool added = false;
	int lock, rc;

	rc = enter_name(c, w, &added);
	if (rc == 0)
		rc = ctl_lock(c, &lock);
	if (rc)
		return rc;
	rc = check_dir(c, w->name);
	if (rc && added) /* of another: the name leads nowhere */
		(void)!ctl_name_del(w->name);
	if (rc == 0)
		rc = create_locked(c, &o, w);
	if (rc == 0)
		rc = print_result(c, &o, w->json);
	close(lock);
	return rc;
}

int sheenctl_create(int argc, char **argv)
{
	static struct ctl_cluster c;
	struct wanted w = {.tib = -1, .up = CTL_WISH};
	int rc;

	w.up.fsname = "lustrefs";
	w.up.oss = DEFAULT_OSS;
	w.up.osts = DEFAULT_OSTS;
	rc = options(&w, true, argc, argv);
	if (rc)
		return rc;
	if (!w.sku || w.tib < 0) {
		tool_say("--sku and --storage-capacity must be given");
		return CMD_HELP;
	}
	rc = check_capacity(w.sku, w.tib);
	if (rc == 0)
		rc = create(&c, &w);
	free(c.formatted);
	return rc;
}

/* ---- update ---- */

static int update_locked(struct ctl_cluster *c, struct ctl_order *o, const struct wanted *w)
{
	int rc;

	rc = ctl_order_read(c->dir, o); /* it may have changed while we waited for the lock */
	if (rc)
		return rc;
	if (strcmp(o->state, "Succeeded") && strcmp(o->state, "Updating")) {
		tool_say("the state of '%s' is %s", o->name, o->state);
		return -EBUSY;
	}
	o->sku = w->sku ? w->sku : o->sku;
	o->tib = w->tib > 0 ? (uint32_t)w->tib : o->tib;
	rc = check_capacity(o->sku, o->tib);
	if (rc == 0)
		rc = ctl_order_state(c->dir, o, "Updating");
	if (rc == 0)
		rc = set_limit(c, o);
	/* State Updating stays: the same command goes on. */
	return rc ? rc : ctl_order_state(c->dir, o, "Succeeded");
}

int sheenctl_update(int argc, char **argv)
{
	static struct ctl_cluster c;
	struct wanted w = {.tib = -1, .up = CTL_WISH};
	struct ctl_order o;
	int lock, rc;

	rc = options(&w, false, argc, argv);
	if (rc)
		return rc;
	if (!w.sku && w.tib < 0) {
		tool_say("--sku or --storage-capacity must be given");
		return CMD_HELP;
	}
	rc = ctl_order_open(w.name, &c, &o);
	if (rc == 0)
		rc = ctl_lock(&c, &lock);
	if (rc)
		return rc;
	rc = update_locked(&c, &o, &w);
	if (rc == 0)
		rc = print_result(&c, &o, w.json);
	close(lock);
	free(c.formatted);
	return rc;
}
