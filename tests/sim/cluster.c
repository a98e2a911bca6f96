/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c - see cluster.h. What the main() of each daemon does, without processes, labels and
 * signals. Ports are the defaults, addresses those of the simulated nodes. */
#include "tests/sim/cluster.h"
#include "common/log.h"
#include "common/param.h"
#include "common/rpc_msg.h"
#include "mds/lfsck.h"
#include "mds/mds.h"
#include "mgs/mgs.h"
#include "oss/oss.h"
#include "tests/lib/tmpdir.h"
#include "tests/sim/pages.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/trace.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALL_MAX_NS (600 * NSEC_PER_SEC)
#define DRAIN_NS (200 * NSEC_PER_MSEC)
#define SCRUB_NS (2 * NSEC_PER_MSEC) /* from one pass to the next */
#define SETTLE_NS (120 * NSEC_PER_SEC)
enum { STOP_MS = 10000, MANY_LEASES = 1024 };

struct ost_host {
	struct loop *loop;
	struct ost *ost;
	char dir[64], machine[16];
	char why[256];
};

struct oss_host {
	struct cluster *c;
	uint32_t index;
	struct loop *loop;
	struct params *params;
	struct router *router;
	struct rpc_client_cfg client;
	struct mgs_link *link;
	bool started; /* once before */
	uint32_t powered; /* how often its machine was started again */
	struct loop_timer scrub;
	struct ost_host ost[CLUSTER_OSTS_PER_OSS];
};

struct cluster {
	char dir[256], mgs_dir[300], mds_dir[300];
	struct loop *mgs_loop, *mds_loop;
	struct params *mgs_params, *mds_params;
	struct mgs *mgs;
	struct mds *mds;
	struct oss_host oss[CLUSTER_OSS];
	struct cluster_client client[CLUSTER_CLIENTS_MAX];
	uint32_t nclients, max_leases;
	bool many_leases, scrub;
	uint64_t boot_id;
	uint32_t powered; /* how often the machine of the MDS was started */
	uint32_t commit_ms; /* 0: as it is by itself */
	bool strict;
};

/* ------------------------------------------------------------------ running a fiber */

struct call {
	struct loop *l;
	cluster_fn *fn;
	void *arg;
	int rc;
	bool done;
	struct loop_work w;
};

static void call_fiber(void *arg)
{
	struct call *c = arg;

	c->rc = c->fn(c->arg);
	c->done = true;
}

static void call_begin(void *arg)
{
	struct call *c = arg;

	if (fiber_spawn(c->l, call_fiber, c)) {
		c->rc = -ENOMEM;
		c->done = true;
	}
}

static bool call_done(void *arg)
{
	return ((struct call *)arg)->done;
}

int cluster_call(struct loop *l, cluster_fn *fn, void *arg)
{
	struct call c = {.l = l, .fn = fn, .arg = arg};
	int rc;

	c.w = (struct loop_work){.fn = call_begin, .arg = &c};
	loop_post(l, &c.w);
	rc = sim_run_until(call_done, &c, CALL_MAX_NS);
	return rc ? rc : c.rc;
}

static int failed(const char *what, int rc)
{
	if (rc)
		sim_fail("%s: %s", what, err_str(rc));
	return rc;
}

static void uuid_of(uint8_t uuid[UUID_LEN], uint8_t kind, uint8_t index)
{
	memset(uuid, 0, UUID_LEN);
	uuid[0] = kind;
	uuid[1] = index;
	uuid[15] = 1;
}

static struct nid_list mgs_nids(void)
{
	struct nid_list l = {.n = 1};

	sim_net_nid(NODE_MGS, PORT_MGS, &l.nid[0]);
	return l;
}

/* ------------------------------------------------------------------ MGS, MDS */

static int mgs_up(struct cluster *c)
{
	struct mgs_cfg cfg = {.dir = c->mgs_dir, .boot_id = ++c->boot_id, .nosync = true};
	struct nid at;
	char why[512] = "";
	int rc;

	sim_set_node(NODE_MGS);
	rc = loop_create(&c->mgs_loop);
	if (!rc)
		rc = params_create(&c->mgs_params);
	cfg.loop = c->mgs_loop;
	cfg.params = c->mgs_params;
	if (!rc)
		rc = mgs_create(&cfg, &c->mgs, why, sizeof(why));
	sim_net_nid(NODE_MGS, PORT_MGS, &at);
	if (!rc)
		rc = rpc_service_listen(c->mgs->svc, &at);
	if (rc)
		sim_fail("MGS: %s %s", why, err_str(rc));
	return rc;
}

static void mds_fatal(void *arg, int rc)
{
	(void)arg;
	sim_fail("the store of the MDS failed: %s", err_str(rc));
}

static int mds_begin(void *arg)
{
	struct cluster *c = arg;
	struct nid at;

	sim_net_nid(NODE_MDS, PORT_MDS, &at);
	return mdt_co_start(c->mds, &at, "");
}

static int set_mds(struct cluster *c, const char *name, uint32_t value)
{
	char text[16];
	struct wbuf w;
	int rc;

	snprintf(text, sizeof(text), "%u", value);
	wbuf_init(&w, MAX_PARAM_TEXT);
	rc = params_set(c->mds_params, name, text, &w);
	wbuf_fini(&w);
	return rc;
}

/* How many leases a client may have, sometimes too few for what it does. */
static int few_leases(struct cluster *c, uint32_t n)
{
	c->max_leases = n;
	return set_mds(c, "mdt.*.max_leases_per_client", n);
}

static int apply_commits(struct cluster *c)
{
	int rc = c->commit_ms ? set_mds(c, "mdt.*.commit_interval_ms", c->commit_ms) : 0;

	return rc ? rc : c->strict ? set_mds(c, "mdt.*.strict", 1) : 0;
}

int cluster_commits(struct cluster *c, uint32_t ms, bool strict)
{
	c->commit_ms = ms;
	c->strict = strict;
	return failed("parameters of the MDS", apply_commits(c));
}

int cluster_many_leases(struct cluster *c)
{
	c->many_leases = true;
	return few_leases(c, MANY_LEASES);
}

/* It never had more, at whatever moment. */
static void check_leases(struct cluster *c)
{
	struct wbuf w;
	uint32_t most = 0;
	const char *at;

	wbuf_init(&w, MAX_PARAM_TEXT);
	if (params_get(c->mds_params, "mdt.*.lease_stats", &w) == 0)
		wbuf_put(&w, "", 1);
	at = w.len ? strstr((const char *)w.ptr, "most: ") : NULL;
	if (!at || sscanf(at, "most: %u", &most) != 1)
		sim_fail("the MDS does not say how many leases a client had");
	if (most > c->max_leases + c->max_leases / 4)
		sim_fail("a client had leases on %u inodes, of %u that it may have", most,
			 c->max_leases);
	wbuf_fini(&w);
}

static int mds_up(struct cluster *c)
{
	uint32_t size = (uint32_t)sim_below(SIM_WORK, 8);
	char machine[16];
	struct mds_cfg cfg = {
		.dir = c->mds_dir,
		.fsname = "lustre",
		.boot_id = ++c->boot_id,
		.mgs = mgs_nids(),
		/* small, so that it has to grow */
		.map_size = 262144ULL << size,
		.nosync = true,
		.machine = machine,
		.on_fatal = mds_fatal,
	};
	struct nid at;
	int rc;

	snprintf(machine, sizeof(machine), "%u", c->powered);
	sim_set_node(NODE_MDS);
	uuid_of(cfg.uuid, TARGET_MDT, 0);
	rc = loop_create(&c->mds_loop);
	if (!rc)
		rc = params_create(&c->mds_params);
	cfg.loop = c->mds_loop;
	cfg.params = c->mds_params;
	if (!rc)
		rc = mdt_create(&cfg, &c->mds);
	if (!rc)
		rc = few_leases(c, c->many_leases ? MANY_LEASES : 4U << size / 2);
	if (!rc)
		rc = apply_commits(c);
	sim_net_nid(NODE_MDS, PORT_MDS, &at);
	if (!rc)
		rc = rpc_service_listen(mdt_service(c->mds), &at);
	if (!rc)
		rc = cluster_call(c->mds_loop, mds_begin, c);
	return failed("MDS", rc);
}

/* ------------------------------------------------------------------ OSS */

static int ost_begin(void *arg)
{
	struct ost_host *h = arg;

	return ost_co_start(h->ost, h->why, sizeof(h->why));
}

static int scrub_all_the_time(struct oss_host *o);

static void scrub_again(void *arg)
{
	if (scrub_all_the_time(arg))
		sim_fail("a scrubber cannot be started");
}

static int scrub_all_the_time(struct oss_host *o)
{
	static const char *const set[][2] = {{"obdfilter.*.scrub_quiet", "0"},
					     {"obdfilter.*.scrub_speed_mb", "100000"},
					     {"obdfilter.*.scrub", "start"}};
	struct wbuf w;
	int rc = 0;

	o->scrub = (struct loop_timer){.fn = scrub_again, .arg = o};
	loop_timer_start(o->loop, &o->scrub, SCRUB_NS);

	wbuf_init(&w, MAX_PARAM_TEXT);
	for (size_t i = 0; !rc && i < ARRAY_SIZE(set); i++)
		rc = params_set(o->params, set[i][0], set[i][1], &w);
	wbuf_fini(&w);
	return rc;
}

int cluster_scrub(struct cluster *c)
{
	int rc = 0;

	c->scrub = true;
	for (uint32_t i = 0; !rc && i < CLUSTER_OSS; i++)
		rc = scrub_all_the_time(&c->oss[i]);
	return rc;
}

static int ost_up(struct oss_host *o, uint32_t k)
{
	struct ost_host *h = &o->ost[k];
	struct ost_cfg cfg = {
		.dir = h->dir,
		.fsname = "lustre",
		.index = o->index * CLUSTER_OSTS_PER_OSS + k,
		.params = o->params,
		.registered = o->started,
		.boot_id = ++o->c->boot_id,
		.machine = h->machine,
		/* few, so that objects are opened again */
		.max_open_objects = 4 + (uint32_t)sim_below(SIM_WORK, 60),
	};
	int rc;

	snprintf(h->dir, sizeof(h->dir), "/ost%u", cfg.index);
	snprintf(h->machine, sizeof(h->machine), "%u", o->powered);
	uuid_of(cfg.uuid, TARGET_OST, (uint8_t)cfg.index);
	rc = loop_create(&h->loop);
	cfg.loop = h->loop;
	if (!rc)
		rc = ost_create(&cfg, &h->ost);
	if (!rc)
		rc = cluster_call(h->loop, ost_begin, h);
	if (!rc)
		rc = router_add(o->router, h->ost);
	if (rc)
		sim_fail("OST %u: %s %s", cfg.index, h->why, err_str(rc));
	return rc;
}

static int oss_register(void *arg)
{
	struct oss_host *o = arg;
	int rc = 0;

	for (uint32_t k = 0; !rc && k < CLUSTER_OSTS_PER_OSS; k++) {
		struct mgs_register r = {.type = TARGET_OST, .servicenode = ""};

		r.index = o->index * CLUSTER_OSTS_PER_OSS + k;
		uuid_of(r.uuid, TARGET_OST, (uint8_t)r.index);
		sim_net_nid(NODE_OSS + o->index, PORT_OSS, &r.listen);
		rc = mgs_link_co_register(o->link, &r, NULL);
	}
	return rc ? rc : mgs_link_co_start(o->link, 0);
}

static int oss_up(struct cluster *c, uint32_t index)
{
	struct oss_host *o = &c->oss[index];
	struct router_cfg cfg = {.boot_id = ++c->boot_id};
	struct mgs_link_cfg link = {.client = &o->client, .mgs = mgs_nids(), .fsname = "lustre"};
	struct nid at;
	int rc;

	sim_set_node(NODE_OSS + index);
	o->c = c;
	o->index = index;
	rc = loop_create(&o->loop);
	if (!rc)
		rc = params_create(&o->params);
	cfg.loop = o->loop;
	cfg.params = o->params;
	if (!rc)
		rc = router_create(&cfg, &o->router);
	for (uint32_t k = 0; !rc && k < CLUSTER_OSTS_PER_OSS; k++)
		rc = ost_up(o, k);
	if (!rc && c->scrub)
		rc = scrub_all_the_time(o);
	sim_net_nid(NODE_OSS + index, PORT_OSS, &at);
	if (!rc)
		rc = rpc_service_listen(router_service(o->router), &at);
	o->client = (struct rpc_client_cfg){.loop = o->loop, .kind = PEER_OST, .name = "oss"};
	uuid_of(o->client.uuid, TARGET_OST, (uint8_t)(100 + index));
	link.params = o->params;
	if (!rc)
		rc = mgs_link_create(&link, &o->link);
	if (!rc)
		rc = cluster_call(o->loop, oss_register, o);
	o->started = true;
	return failed("OSS", rc);
}

const char *cluster_ost_dir(struct cluster *c, uint32_t ost)
{
	return c->oss[ost / CLUSTER_OSTS_PER_OSS].ost[ost % CLUSTER_OSTS_PER_OSS].dir;
}

static int ost_end(void *arg)
{
	struct ost_host *h = arg;

	ost_co_stop(h->ost, STOP_MS);
	return 0;
}

static int oss_end(void *arg)
{
	struct oss_host *o = arg;

	mgs_link_co_destroy(o->link);
	router_co_stop(o->router, STOP_MS);
	return 0;
}

static int oss_down(struct oss_host *o)
{
	int rc;

	if (o->c->scrub)
		loop_timer_stop(o->loop, &o->scrub);
	rc = cluster_call(o->loop, oss_end, o);

	for (uint32_t k = 0; !rc && k < CLUSTER_OSTS_PER_OSS; k++)
		rc = cluster_call(o->ost[k].loop, ost_end, &o->ost[k]);
	if (rc)
		return failed("end of an OSS", rc);
	for (uint32_t k = 0; k < CLUSTER_OSTS_PER_OSS; k++)
		ost_destroy(o->ost[k].ost);
	router_destroy(o->router);
	params_destroy(o->params);
	sim_run_for(DRAIN_NS);
	for (uint32_t k = 0; k < CLUSTER_OSTS_PER_OSS; k++)
		loop_destroy(o->ost[k].loop);
	loop_destroy(o->loop);
	return 0;
}

/* ------------------------------------------------------------------ clients */

static int lane_begin(void *arg)
{
	char why[512] = "";
	int rc = lane_co_start(arg, why, sizeof(why));

	if (rc)
		sim_fail("mount: %s (%s)", why, err_str(rc));
	return rc;
}

static int set_param(struct cluster_client *cl, const char *name, const char *value)
{
	struct wbuf w;
	int rc;

	wbuf_init(&w, MAX_PARAM_TEXT);
	rc = params_set(fs_params(cl->fs), name, value, &w);
	wbuf_fini(&w);
	return rc;
}

/* What a client is eager about, by its uuid, which the seed has drawn. Opens that come with lookups
 * and listings: half of them always ask for them. Names that are not there: half list the directory
 * at once. Files are removed without waiting as often as it may be; sometimes few at a time.
 */
static int choose_params(struct cluster_client *cl)
{
	static const char *const intent[] = {"0", "1", "2", "2"};
	static const char *const flying[] = {"1", "2", "32"};
	const uint8_t *uuid = fs_uuid(cl->fs);
	const char *set[][2] = {
		{"llite.*.intent_open", intent[uuid[15] % ARRAY_SIZE(intent)]},
		{"llite.*.scan_after", uuid[14] % 2 ? "1" : "4"},
		{"llite.*.unlinks_in_row", "1"},
		{"llite.*.unlinks_retry_ms", "0"},
		{"llite.*.unlinks_in_flight", flying[uuid[13] % ARRAY_SIZE(flying)]},
	};
	int rc = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(set) && !rc; i++)
		rc = set_param(cl, set[i][0], set[i][1]);
	return rc;
}

static void trace_unlinks(uint32_t k, struct fs *fs)
{
	struct wbuf w;

	wbuf_init(&w, MAX_PARAM_TEXT);
	if (params_get(fs_params(fs), "llite.*.unlink_stats", &w) == 0)
		trace("client %u: %.*s", k, (int)w.len, (const char *)w.ptr);
	wbuf_fini(&w);
}

static int mount_client(struct cluster *c, uint32_t k, uint32_t lanes, bool pages)
{
	struct cluster_client *cl = &c->client[k];
	struct fs_cfg *cfg = calloc(1, sizeof(*cfg)); /* too big for a stack */
	char name[32];
	int rc;

	assert(cfg);
	sim_set_node(NODE_CLIENT + k);
	snprintf(name, sizeof(name), "client%u", k);
	snprintf(cfg->source.fsname, sizeof(cfg->source.fsname), "lustre");
	cfg->source.mgs = mgs_nids();
	cfg->name = name;
	cfg->flock = true;
	cfg->cache_data = true;
	cfg->timeout_ms = 300000;
	cl->pages = pages ? pages_create() : NULL;
	cfg->co_invalidate = pages ? pages_co_invalidate : NULL;
	cfg->co_invalidate_arg = cl->pages;
	rc = fs_create(cfg, &cl->fs);
	free(cfg);
	for (uint32_t i = 0; !rc && i < lanes; i++) {
		rc = loop_create(&cl->loop[i]);
		if (!rc)
			rc = lane_create(cl->fs, cl->loop[i], i, &cl->lane[i]);
		if (!rc)
			rc = cluster_call(cl->loop[i], lane_begin, cl->lane[i]);
		cl->nlanes++;
	}
	if (!rc)
		rc = choose_params(cl);
	return failed("client", rc);
}

struct cluster_client *cluster_client(struct cluster *c, uint32_t k)
{
	return &c->client[k];
}

uint32_t cluster_clients(const struct cluster *c)
{
	return c->nclients;
}

static int lane_end(void *arg)
{
	lane_co_stop(arg);
	return 0;
}

int cluster_unmount(struct cluster *c)
{
	int rc = 0;

	for (uint32_t k = 0; !rc && k < c->nclients; k++) {
		struct cluster_client *cl = &c->client[k];

		for (uint32_t i = cl->nlanes; !rc && i-- > 0;)
			rc = cluster_call(cl->loop[i], lane_end, cl->lane[i]);
		if (!rc) {
			trace_unlinks(k, cl->fs);
			fs_destroy(cl->fs);
		}
		if (!rc)
			pages_destroy(cl->pages);
	}
	return failed("unmount", rc);
}

/* ------------------------------------------------------------------ the whole */

int cluster_start(const char *dir, uint32_t clients, uint32_t lanes, bool pages,
		  struct cluster **out)
{
	struct cluster *c = calloc(1, sizeof(*c));
	int rc;

	assert(c);
	*out = c;
	snprintf(c->dir, sizeof(c->dir), "%s", dir);
	snprintf(c->mgs_dir, sizeof(c->mgs_dir), "%s/mgs", c->dir);
	snprintf(c->mds_dir, sizeof(c->mds_dir), "%s/mds", c->dir);
	if (mkdir(c->mgs_dir, 0700) || mkdir(c->mds_dir, 0700))
		return failed(c->dir, -errno);
	rc = mgs_up(c);
	if (!rc)
		rc = mds_up(c);
	for (uint32_t i = 0; !rc && i < CLUSTER_OSS; i++)
		rc = oss_up(c, i);
	assert(clients <= CLUSTER_CLIENTS_MAX);
	for (c->nclients = 0; !rc && c->nclients < clients; c->nclients++)
		rc = mount_client(c, c->nclients, lanes, pages);
	return rc;
}

static bool mds_idle(void *arg)
{
	return mdt_idle(((struct cluster *)arg)->mds);
}

void cluster_settle(struct cluster *c)
{
	if (sim_run_until(mds_idle, c, SETTLE_NS))
		sim_fail("the MDS still has something to do after all clients have left");
}

void cluster_check_mds(struct cluster *c)
{
	int n = mdt_check(c->mds);

	if (n)
		sim_fail("the MDS finds %d breaches of its invariants", n);
}

static bool lfsck_ended(void *arg)
{
	return !((struct lfsck *)arg)->running;
}

/* Its own checker, objects included. */
void cluster_check_online(struct cluster *c)
{
	struct lfsck *l = c->mds->lfsck;
	int k, n = 0;

	if (lfsck_start(l, "reset=1") || sim_run_until(lfsck_ended, l, SETTLE_NS))
		sim_fail("the online checker does not run to its end");
	for (k = 0; k < FINDING_KINDS; k++)
		n += (int)l->found[k];
	if (n)
		sim_fail("the online checker finds %d: %.*s", n, (int)l->told.len, l->told.ptr);
	if (l->part[CHECK_LAYOUT].status != LFSCK_COMPLETED)
		sim_fail("the online checker could not look at everything");
}

static int mds_end(void *arg)
{
	struct cluster *c = arg;

	mdt_co_stop(c->mds, STOP_MS);
	return 0;
}

static int mgs_end(void *arg)
{
	struct cluster *c = arg;

	mgs_co_stop(c->mgs, STOP_MS);
	return 0;
}

static void loops_destroy(struct cluster *c)
{
	for (uint32_t k = 0; k < c->nclients; k++)
		for (uint32_t i = 0; i < c->client[k].nlanes; i++)
			loop_destroy(c->client[k].loop[i]);
}

static int mds_down(struct cluster *c)
{
	int rc = failed("end of the MDS", cluster_call(c->mds_loop, mds_end, c));

	if (rc)
		return rc;
	check_leases(c);
	mdt_destroy(c->mds);
	params_destroy(c->mds_params);
	sim_run_for(DRAIN_NS);
	loop_destroy(c->mds_loop);
	return 0;
}

static int mgs_down(struct cluster *c)
{
	int rc = failed("end of the MGS", cluster_call(c->mgs_loop, mgs_end, c));

	if (rc)
		return rc;
	mgs_destroy(c->mgs);
	params_destroy(c->mgs_params);
	sim_run_for(DRAIN_NS);
	loop_destroy(c->mgs_loop);
	return 0;
}

/* MGS and MDS may keep the store in the directory or below it. */
static void copy_store(const char *dir, const char *copy)
{
	char from[400], to[400];
	struct stat st;

	tmpdir_copy(dir, copy, "lock.mdb");
	snprintf(from, sizeof(from), "%s/db", dir);
	snprintf(to, sizeof(to), "%s/db", copy);
	if (stat(from, &st) == 0)
		tmpdir_copy(from, to, "lock.mdb");
}

/* LMDB's file has what was committed: without WRITEMAP nothing else gets there. The redo log is
 * never synced. */
static void lose_unsynced(struct cluster *c, const char *copy)
{
	char name[400];

	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s/redo.%d", copy, i);
		if (unlink(name))
			sim_fail("%s: %s", name, err_str(errno));
	}
	c->powered++;
}

static void oss_crash(struct oss_host *o)
{
	for (uint32_t k = 0; k < CLUSTER_OSTS_PER_OSS; k++)
		sim_disk_crash(o->ost[k].dir);
}

static int server_down(struct cluster *c, enum cluster_server which)
{
	if (which == SERVER_MGS)
		return mgs_down(c);
	return which == SERVER_MDS ? mds_down(c) : oss_down(&c->oss[which - SERVER_OSS]);
}

/* A killed process cannot be had inside this one. So its files are kept as they are now, it is cut
 * off, and then stopped in order where nobody sees what it still does; the copy is what is left.
 * The disk of an OST needs no copy: what its OSS wrote is there, and the rest was never
 * acknowledged. With its machine's power its disk goes first. */
int cluster_restart(struct cluster *c, enum cluster_server which, enum cluster_end how)
{
	static const uint32_t node[] = {NODE_MGS, NODE_MDS, NODE_OSS, NODE_OSS + 1};
	const char *dir = which == SERVER_MGS ? c->mgs_dir : c->mds_dir;
	bool kill = how != END_ORDER;
	char copy[320];
	int rc;

	static_assert(ARRAY_SIZE(node) == SERVER_MAX, "servers");
	snprintf(copy, sizeof(copy), "%s.copy", dir);
	if (kill && which < SERVER_OSS)
		copy_store(dir, copy);
	if (how == END_POWER && which == SERVER_MDS)
		lose_unsynced(c, copy);
	if (kill)
		sim_net_down(node[which], true);
	if (how == END_POWER && which >= SERVER_OSS)
		oss_crash(&c->oss[which - SERVER_OSS]);
	rc = server_down(c, which);
	if (rc)
		return rc;
	if (how == END_POWER && which >= SERVER_OSS) {
		oss_crash(&c->oss[which - SERVER_OSS]);
		c->oss[which - SERVER_OSS].powered++;
	}
	if (kill && which < SERVER_OSS) {
		tmpdir_remove(dir);
		if (rename(copy, dir))
			return failed(dir, -errno);
	}
	sim_net_down(node[which], false);
	if (which == SERVER_MGS)
		return mgs_up(c);
	return which == SERVER_MDS ? mds_up(c) : oss_up(c, which - SERVER_OSS);
}

int cluster_stop(struct cluster *c)
{
	int rc = mds_down(c);

	for (uint32_t i = 0; !rc && i < CLUSTER_OSS; i++)
		rc = oss_down(&c->oss[i]);
	if (!rc)
		rc = mgs_down(c);
	if (rc)
		return rc;
	if (fiber_count())
		sim_fail("%u fibers have not ended", fiber_count());
	loops_destroy(c);
	fiber_pool_drain();
	rpc_frame_drain();
	free(c);
	return 0;
}
