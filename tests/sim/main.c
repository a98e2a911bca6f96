/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the simulator's command line: runs seeds, each in a process of its own.
 *
 * A seed decides everything: what the tasks do, when messages arrive, which loop runs next. Modes:
 * serial (one player, everything exact), crowd (several players side by side, the shared files, and
 * removals in a row), shared (only the latter two), sweep (only the last), each also with "+faults"
 * (connections break at random) or "+restarts" (servers end, die and come back); death (a client
 * disappears; with "+restarts" the MDS is started again without it). "+power": as "+restarts", and
 * the MDS's machine loses its power, with all that was not synced. "mixed" takes one of the first
 * of these by the seed. "data", alike, or "+cut" (a client is cut off; with "+restarts", the MDS
 * restarts meanwhile): the histories of files are checked. "maps": the same with a kernel's page
 * cache above each client.
 * A failure prints the last operations and how to repeat the run.
 */
#include "common/log.h"
#include "tests/lib/tmpdir.h"
#include "tests/sim/data.h"
#include "tests/sim/death.h"
#include "tests/sim/stable.h"
#include "tests/sim/orphans.h"
#include "tests/sim/past.h"
#include "tests/sim/play.h"
#include "tests/sim/shared.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sweep.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CROWD = 4,
	MIXED_MODES = 8,
	DATA_MODES = 3, /* of "data" and of "maps" */
	MAPS_MODES = 4, /* where those of "maps" begin */
	LIST_MAX = 1 << 20
};
#define RUN_MAX_NS (4 * 3600 * NSEC_PER_SEC)
#define CUT_NS (100 * NSEC_PER_SEC) /* longer than a session */

struct mode {
	const char *name;
	uint32_t players;
	bool shared, sweep, data, maps, cut, strict, faults, restarts, power, death, scrub, stable,
		past;
};

/* The first MIXED_MODES are what "mixed" chooses from. */
static const struct mode modes[] = {
	{.name = "serial", .players = 1},
	{.name = "crowd", .players = CROWD, .shared = true},
	{.name = "serial+faults", .players = 1, .faults = true},
	{.name = "crowd+faults", .players = CROWD, .shared = true, .faults = true},
	{.name = "serial+restarts", .players = 1, .restarts = true},
	{.name = "crowd+restarts", .players = CROWD, .shared = true, .restarts = true},
	{.name = "shared+faults", .shared = true, .faults = true},
	{.name = "death", .death = true},
	{.name = "shared", .shared = true},
	{.name = "shared+restarts", .shared = true, .restarts = true},
	{.name = "sweep", .sweep = true},
	{.name = "sweep+faults", .sweep = true, .faults = true},
	{.name = "sweep+restarts", .sweep = true, .restarts = true},
	{.name = "death+restarts", .death = true, .restarts = true},
	{.name = "death+power", .death = true, .restarts = true, .power = true},
	{.name = "serial+power", .players = 1, .restarts = true, .power = true},
	{.name = "crowd+power", .players = CROWD, .shared = true, .restarts = true, .power = true},
	{.name = "shared+power", .shared = true, .restarts = true, .power = true},
	{.name = "sweep+power", .sweep = true, .restarts = true, .power = true},
	{.name = "stable", .stable = true},
	{.name = "stable+faults", .stable = true, .faults = true},
	{.name = "past", .past = true},
};

/* The first DATA_MODES are what "data" chooses from; as many from MAPS_MODES on, "maps". "strict":
 * what is known not to be atomic counts as wrong too. */
static const struct mode data_modes[] = {
	{.name = "data+calm", .data = true},
	{.name = "data+restarts", .data = true, .restarts = true},
	{.name = "data+cut", .data = true, .cut = true},
	{.name = "data+faults", .data = true, .faults = true},
	{.name = "maps+calm", .data = true, .maps = true},
	{.name = "maps+restarts", .data = true, .maps = true, .restarts = true},
	{.name = "maps+cut", .data = true, .maps = true, .cut = true},
	{.name = "maps+faults", .data = true, .maps = true, .faults = true},
	{.name = "data+cut+restarts", .data = true, .cut = true, .restarts = true},
	{.name = "strict", .data = true, .strict = true},
	{.name = "strict+faults", .data = true, .strict = true, .faults = true},
	{.name = "strict+restarts", .data = true, .strict = true, .restarts = true},
	{.name = "data+power", .data = true, .restarts = true, .power = true},
	{.name = "maps+power", .data = true, .maps = true, .restarts = true, .power = true},
	{.name = "data+scrub", .data = true, .scrub = true},
	{.name = "data+scrub+restarts", .data = true, .scrub = true, .restarts = true},
	{.name = "strict+power", .data = true, .strict = true, .restarts = true, .power = true},
};

struct options {
	const char *mode;
	const char *list; /* file of seeds */
	uint32_t steps;
	uint64_t n;
	bool trace, here, verbose, twice, messages;
};

struct run {
	uint64_t seed;
	const struct mode *mode;
	uint32_t steps;
	struct cluster *cl;
	struct play play[CROWD];
	uint32_t nplay;
	struct shared *shared;
	struct sweep *sweep;
	struct data *data;
};

static const struct mode *mode_of(const char *name, uint64_t seed)
{
	if (strcmp(name, "mixed") == 0)
		return &modes[seed % MIXED_MODES];
	if (strcmp(name, "data") == 0)
		return &data_modes[seed % DATA_MODES];
	if (strcmp(name, "maps") == 0)
		return &data_modes[MAPS_MODES + seed % DATA_MODES];
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	for (size_t i = 0; i < ARRAY_SIZE(data_modes); i++)
		if (strcmp(data_modes[i].name, name) == 0)
			return &data_modes[i];
	fprintf(stderr, "sim: no mode '%s'\n", name);
	exit(2);
}

/* ------------------------------------------------------------------ one run */

static void set_faults(bool on)
{
	struct sim_net *n = sim_net();
	struct sim_disk *d = sim_disk();

	n->drop_per_million = on ? 200 + (uint32_t)sim_below(SIM_FAULT, 8000) : 0;
	n->refuse_per_million = on ? 100000 : 0;
	n->slow_per_million = on ? 5000 : 0;
	d->slow_per_million = on ? 2000 : 0;
}

static bool work_done(void *arg)
{
	struct run *r = arg;

	if (sim_failed())
		return true;
	for (uint32_t i = 0; i < r->nplay; i++)
		if (!play_done(&r->play[i]))
			return false;
	return (!r->shared || shared_done(r->shared)) && (!r->sweep || sweep_done(r->sweep)) &&
	       (!r->data || data_done(r->data));
}

static const char *const end_name[] = {"ends", "dies", "loses its power"};

/* The MDS loses its power; sometimes one client comes back later than the others, which must not
 * have done anything by then that its changes do not go with. */
static int lose_power(struct run *r)
{
	uint32_t late = (uint32_t)sim_below(SIM_FAULT, 2 * cluster_clients(r->cl));
	bool cut = late < cluster_clients(r->cl);
	int rc;

	if (cut)
		sim_net_down(NODE_CLIENT + late, true);
	rc = cluster_restart(r->cl, SERVER_MDS, END_POWER);
	if (cut && !rc)
		sim_run_for(1 + sim_below(SIM_FAULT, 3 * NSEC_PER_SEC));
	if (cut)
		sim_net_down(NODE_CLIENT + late, false);
	return rc;
}

/* Some servers end and come back at random moments. */
static int run_with_restarts(struct run *r)
{
	uint64_t n = 1 + sim_below(SIM_FAULT, 4);
	int rc = 0;

	while (n-- && !rc) {
		enum cluster_server which = (enum cluster_server)sim_below(SIM_FAULT, SERVER_MAX);
		enum cluster_end how = sim_below(SIM_FAULT, 2) ? END_KILL : END_ORDER;

		if (sim_below(SIM_FAULT, 2))
			which = SERVER_MDS;
		if (r->mode->power && sim_below(SIM_FAULT, 4)) {
			which = SERVER_MDS;
			how = END_POWER;
		}
		rc = sim_run_until(work_done, r, 1 + sim_below(SIM_FAULT, 400 * NSEC_PER_MSEC));
		if (rc != -ETIMEDOUT)
			return rc;
		trace("server %d %s", which, end_name[how]);
		rc = how == END_POWER ? lose_power(r) : cluster_restart(r->cl, which, how);
		trace("server %d is back: %d", which, rc);
	}
	return rc ? rc : sim_run_until(work_done, r, RUN_MAX_NS);
}

static bool others_done(void *arg)
{
	struct run *r = arg;

	return sim_failed() || data_others_done(r->data);
}

/* While one client cannot come back. */
static int restart_mds(struct run *r)
{
	enum cluster_end how = sim_below(SIM_FAULT, 2) ? END_KILL : END_ORDER;
	int rc = sim_run_until(others_done, r, 1 + sim_below(SIM_FAULT, 200 * NSEC_PER_MSEC));

	if (rc != -ETIMEDOUT)
		return rc;
	trace("the MDS %s", end_name[how]);
	rc = cluster_restart(r->cl, SERVER_MDS, how);
	trace("the MDS is back: %d", rc);
	return rc;
}

/* One client is cut off, long enough that it is given up, while the others work. */
static int run_with_cut(struct run *r)
{
	uint32_t node = NODE_CLIENT + cluster_clients(r->cl) - 1;
	int rc = sim_run_until(work_done, r, 1 + sim_below(SIM_FAULT, 300 * NSEC_PER_MSEC));

	if (rc != -ETIMEDOUT)
		return rc;
	data_cut(r->data, true);
	sim_net_down(node, true);
	rc = r->mode->restarts ? restart_mds(r) : 0;
	if (!rc)
		rc = sim_run_until(others_done, r, RUN_MAX_NS);
	if (!rc && sim_below(SIM_FAULT, 4))
		sim_run_for(CUT_NS);
	sim_net_down(node, false);
	data_cut(r->data, false);
	return rc ? rc : sim_run_until(work_done, r, RUN_MAX_NS);
}

static void work(struct run *r)
{
	struct data_how how = {r->mode->strict, r->mode->faults || r->mode->restarts, r->mode->cut,
			       r->mode->maps};
	uint32_t steps = r->steps;
	int rc = 0;

	/* Some runs have a slow network, some a fast one. */
	sim_net()->delay_max_ns = 20000ULL << sim_below(SIM_NET, 8);
	sim_disk()->delay_max_ns = 10000ULL << sim_below(SIM_DISK, 8);
	sim_net()->window_bytes = 65536U << sim_below(SIM_NET, 6);
	if (r->mode->faults)
		set_faults(true);
	if (r->mode->power)
		rc = cluster_commits(r->cl, 10U << sim_below(SIM_FAULT, 8),
				     sim_below(SIM_FAULT, 8) == 0);
	if (!rc && r->mode->shared)
		rc = shared_start(r->cl, sim_random(SIM_WORK), 4 + steps / 60,
				  &r->shared);
	if (!rc && (r->mode->shared || r->mode->sweep))
		rc = sweep_start(r->cl, sim_random(SIM_WORK), 1 + steps / 300, &r->sweep);
	if (!rc && r->mode->data)
		rc = data_start(r->cl, sim_random(SIM_WORK), steps, how, &r->data);
	if (rc)
		return;
	r->nplay = r->mode->players;
	for (uint32_t i = 0; i < r->nplay; i++) {
		play_start(&r->play[i], r->cl, i, sim_random(SIM_WORK), steps / r->nplay);
		r->play[i].restarts = r->mode->restarts;
	}
	if (r->mode->cut)
		rc = run_with_cut(r);
	else if (r->mode->restarts)
		rc = run_with_restarts(r);
	else
		rc = sim_run_until(work_done, r, RUN_MAX_NS);
	for (uint32_t i = 0; rc && i < r->nplay; i++)
		play_stuck(&r->play[i]);
	if (rc && r->data)
		data_stuck(r->data);
	if (rc)
		sim_fail("the work does not end: %s", rc == -EDEADLK ? "nothing happens any more"
								      : strerror(-rc));
	set_faults(false);
}

/* Whoever was there all the time has lost nothing. */
static void check_lost(struct run *r)
{
	uint64_t n;

	for (uint32_t k = 0; k < cluster_clients(r->cl); k++) {
		n = fs_lost(cluster_client(r->cl, k)->fs);
		if (n)
			sim_fail("client %u has lost %" PRIu64 " operations", k, n);
	}
}

static void finish(struct run *r)
{
	int rc = 0;

	if (r->mode->power && !r->mode->death)
		check_lost(r);

	if (r->mode->death)
		death_run(r->cl, r->mode->restarts, r->mode->power);
	if (r->mode->stable) {
		set_faults(r->mode->faults);
		stable_run(r->cl);
		set_faults(false);
	}
	if (r->mode->past)
		past_run(r->cl);
	if (r->shared)
		shared_check(r->shared);
	if (r->sweep && !sim_failed())
		sweep_check(r->sweep);
	if (r->data && !sim_failed())
		data_check(r->data);
	if (!sim_failed() && r->shared && r->seed % 2)
		shared_clean(r->shared);
	if (!sim_failed())
		rc = orphans_check(r->cl, NULL);
	if (!sim_failed() && !rc)
		rc = cluster_unmount(r->cl);
	if (!sim_failed() && !rc)
		cluster_settle(r->cl);
	if (!sim_failed() && !rc)
		cluster_check_mds(r->cl);
	if (!sim_failed() && !rc)
		cluster_check_online(r->cl);
	if (!sim_failed() && !rc)
		rc = cluster_stop(r->cl);
	if (sim_failed() || rc)
		return;
	for (uint32_t i = 0; i < r->nplay; i++)
		play_fini(&r->play[i]);
	shared_free(r->shared);
	sweep_free(r->sweep);
	data_free(r->data);
	sim_net_end();
	sim_disk_end();
	sim_end();
}

static void print_message(const char *from, const char *to, const struct msg *m)
{
	const struct rpc_desc *d = rpc_desc_find(m->h.rpc);
	bool reply = m->h.flags & WIRE_REPLY;
	struct rbuf r = {m->body, m->h.body_len};
	void *v = d ? calloc(1, d->req_size + d->rep_size + 1) : NULL;

	fprintf(stderr, "%12.6f %s -> %s %s %s xid %" PRIx64 " slot %u status %d flags %x bulk %u",
		(double)sim_now() / 1e9, from, to, rpc_name(m->h.rpc),
		reply ? "reply" : "request", m->h.xid, m->h.slot, m->h.status, m->h.flags,
		m->h.bulk_len);
	if (v && m->h.status == 0 && (reply ? d->rep_dec(&r, v) : d->req_dec(&r, v)) == 0)
		(reply ? d->rep_dbg : d->req_dbg)(stderr, v);
	fputc('\n', stderr);
	free(v);
}

/* True if all was well; then *digest says what happened. */
static bool run_here(uint64_t seed, const struct options *o, uint64_t *digest)
{
	struct run r = {.seed = seed, .mode = mode_of(o->mode, seed), .steps = o->steps};
	char dir[TMPDIR_LEN];
	uint32_t lanes, clients;
	int rc;

	log_init("sim", false);
	log_set_level(o->verbose ? LOG_LVL_DEBUG : LOG_LVL_ERROR);
	tmpdir_make(dir);
	sim_begin(seed);
	sim_net_begin();
	sim_disk_begin();
	trace_begin(o->trace);
	if (o->messages)
		sim_net_on_deliver(print_message);
	lanes = 1 + (uint32_t)sim_below(SIM_WORK, CLUSTER_LANES);
	clients = r.mode->data ? 2 + (uint32_t)sim_below(SIM_WORK, CLUSTER_CLIENTS_MAX - 1)
			       : CLUSTER_CLIENTS;
	rc = cluster_start(dir, clients, lanes, r.mode->maps, &r.cl);
	if (rc == 0 && r.mode->scrub)
		rc = cluster_scrub(r.cl);
	if (!rc)
		work(&r);
	*digest = sim_digest();
	if (!rc && !sim_failed())
		finish(&r);
	tmpdir_remove(dir);
	if (!sim_failed())
		return true;
	trace_dump();
	fprintf(stderr, "sim: failed at step %" PRIu64 "\n", sim_steps());
	return false;
}

/* ------------------------------------------------------------------ many runs */

static void show(FILE *f)
{
	char buf[4096];
	size_t n;

	rewind(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		fwrite(buf, 1, n, stderr);
}

/* In a process of its own, so that a crash is a failure of one seed. What it prints is shown if it
 * fails: with faults, errors in the log are no news. */
static bool run_forked(uint64_t seed, const struct options *o, uint64_t *digest)
{
	FILE *err = o->trace || o->verbose || o->messages ? NULL : tmpfile();
	int fd[2], status = 0;
	bool ok;
	pid_t pid;

	if (pipe(fd))
		die("pipe: %s", err_str(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork: %s", err_str(errno));
	if (pid == 0) {
		if (err)
			dup2(fileno(err), STDERR_FILENO);
		if (!run_here(seed, o, digest) ||
		    write(fd[1], digest, sizeof(*digest)) != sizeof(*digest))
			_exit(1);
		exit(0); /* the leak checker runs */
	}
	close(fd[1]);
	ok = read(fd[0], digest, sizeof(*digest)) == sizeof(*digest);
	close(fd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (err && !ok)
		show(err);
	if (err)
		fclose(err);
	if (WIFSIGNALED(status))
		fprintf(stderr, "sim: ended by signal %d\n", WTERMSIG(status));
	return ok;
}

static bool run_seed(uint64_t seed, const struct options *o)
{
	uint64_t digest = 0, again = 0;
	bool ok;

	if (o->here) {
		ok = run_here(seed, o, &digest);
	} else {
		ok = run_forked(seed, o, &digest);
		if (ok && o->twice && (!run_forked(seed, o, &again) || again != digest)) {
			fprintf(stderr, "sim: seed %" PRIu64 ": two runs differ: %016" PRIx64
				" and %016" PRIx64 "\n", seed, digest, again);
			ok = false;
		}
	}
	if (!ok)
		fprintf(stderr, "sim: to repeat: sim -m %s -s %u %" PRIu64 "\n",
			mode_of(o->mode, seed)->name, o->steps, seed);
	if (ok && o->n == 1)
		printf("seed %" PRIu64 " %s: digest %016" PRIx64 "\n", seed,
		       mode_of(o->mode, seed)->name, digest);
	return ok;
}

/* "SEED MODE STEPS what it was": a line for each run that once failed. The file is read first: a
 * process that ends would move the position in it for its parent too. */
static void run_list(struct options *o, uint32_t *passed, uint32_t *failed)
{
	FILE *f = fopen(o->list, "r");
	char mode[64], *text, *line, *next = NULL;
	size_t len;
	uint64_t seed;

	text = calloc(1, LIST_MAX);
	if (!f || !text)
		die("%s: %s", o->list, err_str(errno));
	len = fread(text, 1, LIST_MAX - 1, f);
	if (len == LIST_MAX - 1)
		die("%s: too long", o->list);
	fclose(f);
	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		if (line[0] == '#')
			continue;
		if (sscanf(line, "%" SCNu64 " %63s %u", &seed, mode, &o->steps) != 3)
			die("%s: cannot read: %s", o->list, line);
		o->mode = mode;
		if (run_seed(seed, o))
			++*passed;
		else
			++*failed;
	}
	free(text);
}

static const char usage[] =
	"usage: sim [OPTION]... SEED\n"
	"Run a whole Sheen on virtual time; the same seed is the same run.\n"
	"  -n N      run N seeds from SEED on (1)\n"
	"  -s STEPS  operations of the players together (600)\n"
	"  -m MODE   serial, crowd, shared, sweep, each also +faults, +restarts or +power\n"
	"            (the MDS's machine loses power); death, death+restarts, death+power;\n"
	"            stable[+faults] (machines of OSTs lose power);\n"
	"            past (what is over stays over);\n"
	"            data+power, maps+power; mixed (mixed);\n"
	"            data: data+calm, data+restarts, data+cut\n"
	"            data+faults, data+cut+restarts, data+scrub[+restarts];\n"
	"            strict, strict+faults, strict+restarts;\n"
	"            maps: maps+calm, maps+restarts, maps+cut, maps+faults: as data, with\n"
	"            page caches and mappings above the clients\n"
	"  -l FILE   run the seeds listed in FILE instead\n"
	"  -2        run each seed twice and compare the digests\n"
	"  -t        print every operation   -x  every message   -v  all log lines\n"
	"  -1        do not fork, for a debugger\n";

int main(int argc, char **argv)
{
	struct options o = {.mode = "mixed", .steps = 600, .n = 1};
	uint32_t passed = 0, failed = 0;
	uint64_t first = 1;
	int c;

	while ((c = getopt(argc, argv, "n:s:m:l:2tvx1h")) != -1) {
		switch (c) {
		case 'n': o.n = strtoull(optarg, NULL, 10); break;
		case 's': o.steps = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'm': o.mode = optarg; break;
		case 'l': o.list = optarg; break;
		case '2': o.twice = true; break;
		case 't': o.trace = true; break;
		case 'v': o.verbose = true; break;
		case 'x': o.messages = true; break;
		case '1': o.here = true; break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (optind < argc)
		first = strtoull(argv[optind], NULL, 10);
	if (o.list) {
		run_list(&o, &passed, &failed);
	} else {
		for (uint64_t k = 0; k < o.n; k++) {
			if (run_seed(first + k, &o))
				passed++;
			else
				failed++;
		}
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
