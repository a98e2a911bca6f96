/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sheen-oss DIR...: the object storage server.
 *
 * The main thread takes connections, talks to the MGS and handles signals. Each target has a thread
 * with a loop and a disk of its own; a connection moves there with its first request, and from then
 * on the main thread has nothing to do with it.
 *
 * End: no new connections, then all targets at once, then the main loop.
 */
#include "common/log.h"
#include "common/mgs_link.h"
#include "common/rpc_msg.h"
#include "common/server.h"
#include "oss/oss.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum {
	STOP_TIMEOUT_MS = 10000,
	FDS_FOR_REST = 512, /* descriptors that are not objects: connections, rings, logs */
};

struct server;

struct target {
	struct server *server;
	struct server_dir *dir;
	struct ost_cfg cfg;
	pthread_t thread;
	struct loop *loop;
	struct ost *ost;
	sem_t started; /* rc and why are set */
	int rc;
	char why[SERVER_WHY];
	struct loop_work stop;	  /* to the target's loop */
	struct loop_work stopped; /* to the main loop */
};

/* One tie to an MGS for each file system that has targets here. */
struct fs_link {
	struct server *server;
	struct rpc_client_cfg client;
	char name[MAX_TARGET_NAME + 8];
	struct mgs_link *link;
	char fsname[MAX_FSNAME + 1];
};

struct server {
	struct daemon_opts opts;
	struct loop *loop;
	struct params *params;
	struct router *router;
	struct nid at;
	uint64_t boot_id;
	struct server_dir *dirs;
	struct target *targets;
	struct fs_link *links;
	uint32_t ntargets, nlinks, nrunning;
	bool stopping;
	struct loop_work stop_work;
	int exit_status;
};

static const char usage[] =
	"usage: sheen-oss [OPTION]... DIR...\n"
	"Serve the object storage targets in DIR..., each formatted with mkfs.sheen --ost.\n"
	"One process serves any number of targets, each on a thread of its own.\n";

/* ---- a target's thread ---- */

static void target_start(void *arg)
{
	struct target *t = arg;

	t->rc = ost_co_start(t->ost, t->why, sizeof(t->why));
	sem_post(&t->started);
}

static void target_co_stop(void *arg)
{
	struct target *t = arg;

	ost_co_stop(t->ost, STOP_TIMEOUT_MS);
	loop_post(t->server->loop, &t->stopped);
}

static void target_stop(void *arg)
{
	struct target *t = arg;

	if (fiber_spawn(t->loop, target_co_stop, t))
		die("%s: no memory to stop in order", t->dir->name);
}

static void target_end(void *arg)
{
	struct target *t = arg;

	loop_stop(t->loop);
}

static void *target_main(void *arg)
{
	struct target *t = arg;
	int rc = loop_create(&t->loop);

	if (rc == 0) {
		t->cfg.loop = t->loop;
		rc = ost_create(&t->cfg, &t->ost);
	}
	if (rc == 0)
		rc = fiber_spawn(t->loop, target_start, t); /* says by itself how it went */
	if (rc) {
		t->rc = rc;
		snprintf(t->why, sizeof(t->why), "%s: %s", t->cfg.dir, err_str(rc));
		sem_post(&t->started);
		return NULL;
	}
	loop_run(t->loop);
	ost_destroy(t->ost);
	fiber_pool_drain();
	rpc_frame_drain();
	loop_destroy(t->loop);
	return NULL;
}

/* ---- start ---- */

/* Objects, connections and the rest share the descriptors of the process; daemon_fork() has raised
 * their limit. */
static uint32_t open_objects_limit(uint32_t ntargets)
{
	struct rlimit lim;
	uint64_t each;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return OST_MAX_OPEN;
	each = lim.rlim_cur > 2 * FDS_FOR_REST ? (lim.rlim_cur - FDS_FOR_REST) / ntargets : 64;
	return (uint32_t)min_u64(OST_MAX_OPEN, each);
}

static void open_dirs(struct server *s)
{
	char why[SERVER_WHY];

	s->ntargets = (uint32_t)s->opts.argc;
	if (s->opts.argc < 1)
		daemon_fail(&s->opts, "no target directory is given (see --help)");
	if (s->ntargets > MAX_OSTS)
		daemon_fail(&s->opts, "more than %d targets in one process", MAX_OSTS);
	s->dirs = calloc(s->ntargets, sizeof(*s->dirs));
	s->targets = calloc(s->ntargets, sizeof(*s->targets));
	s->links = calloc(s->ntargets, sizeof(*s->links));
	if (!s->dirs || !s->targets || !s->links)
		daemon_fail(&s->opts, "no memory");
	for (uint32_t i = 0; i < s->ntargets; i++) {
		if (server_dir_open(s->opts.argv[i], TARGET_OST, &s->dirs[i], why, sizeof(why)))
			daemon_fail(&s->opts, "%s", why);
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(s->dirs[k].name, s->dirs[i].name) == 0)
				daemon_fail(&s->opts, "%s and %s are both %s", s->dirs[k].path,
					    s->dirs[i].path, s->dirs[i].name);
	}
	if (server_guard(s->dirs, s->ntargets, why, sizeof(why)))
		daemon_fail(&s->opts, "%s", why);
}

static void target_stopped(void *arg);

static void start_target(struct server *s, uint32_t i, uint32_t max_open)
{
	struct target *t = &s->targets[i];
	struct server_dir *d = &s->dirs[i];
	int rc;

	t->server = s;
	t->dir = d;
	t->cfg = (struct ost_cfg){
		.dir = d->path,
		.fsname = d->label.fsname,
		.index = d->label.index,
		.registered = d->label.registered,
		.params = s->params,
		.boot_id = s->boot_id,
		.max_open_objects = max_open,
	};
	memcpy(t->cfg.uuid, d->label.uuid, UUID_LEN);
	t->stop = (struct loop_work){.fn = target_stop, .arg = t};
	t->stopped = (struct loop_work){.fn = target_stopped, .arg = t};
	if (sem_init(&t->started, 0, 0))
		daemon_fail(&s->opts, "semaphore: %s", err_str(errno));
	rc = pthread_create(&t->thread, NULL, target_main, t);
	if (rc)
		daemon_fail(&s->opts, "thread of %s: %s", d->name, err_str(rc));
}

static void start_targets(struct server *s)
{
	uint32_t max_open = open_objects_limit(s->ntargets);

	for (uint32_t i = 0; i < s->ntargets; i++)
		start_target(s, i, max_open);
	for (uint32_t i = 0; i < s->ntargets; i++) {
		struct target *t = &s->targets[i];

		while (sem_wait(&t->started))
			;
		if (t->rc == 0)
			t->rc = router_add(s->router, t->ost);
		if (t->rc)
			daemon_fail(&s->opts, "%s", t->why[0] ? t->why : err_str(t->rc));
	}
	s->nrunning = s->ntargets;
}

/* ---- the tie to the MGS ---- */

static void stop_server(void *arg);

static int register_target(struct fs_link *f, struct server_dir *d)
{
	struct mgs_register r = {
		.type = TARGET_OST,
		.index = d->label.index,
		.servicenode = d->label.servicenode,
		.failnode = d->label.failnode,
		.listen = f->server->at,
		.boot = f->server->boot_id,
	};
	char announced[MAX_NIDS * NID_STRLEN];
	int rc;

	memcpy(r.uuid, d->label.uuid, UUID_LEN);
	r.announced = announced;
	r.announced_len = sizeof(announced);
	rc = mgs_link_co_register(f->link, &r, NULL);
	if (rc && rc != -ESHUTDOWN)
		log_err("%s: the MGS refuses this target: %s", d->name,
			rc == -EEXIST ? "its index belongs to another target" : err_str(rc));
	if (rc == 0)
		server_dir_joined(d, announced);
	return rc;
}

static void fs_link_main(void *arg)
{
	struct fs_link *f = arg;
	struct server *s = f->server;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < s->ntargets; i++)
		if (strcmp(s->dirs[i].label.fsname, f->fsname) == 0)
			rc = register_target(f, &s->dirs[i]);
	if (rc == 0)
		rc = mgs_link_co_start(f->link, 0);
	if (rc == 0 || rc == -ESHUTDOWN || s->stopping)
		return;
	log_err("file system %s: %s: the server ends", f->fsname, err_str(rc));
	s->exit_status = 1;
	stop_server(s);
}

static struct fs_link *fs_link_find(struct server *s, const char *fsname)
{
	for (uint32_t i = 0; i < s->nlinks; i++)
		if (strcmp(s->links[i].fsname, fsname) == 0)
			return &s->links[i];
	return NULL;
}

static void start_links(struct server *s)
{
	char why[SERVER_WHY];

	for (uint32_t i = 0; i < s->ntargets; i++) {
		struct server_dir *d = &s->dirs[i];
		struct mgs_link_cfg cfg = {.params = s->params};
		struct fs_link *f = &s->links[s->nlinks];

		if (fs_link_find(s, d->label.fsname))
			continue;
		f->server = s;
		snprintf(f->fsname, sizeof(f->fsname), "%s", d->label.fsname);
		snprintf(f->name, sizeof(f->name), "oss of %s", d->name);
		f->client = (struct rpc_client_cfg){
			.loop = s->loop, .kind = PEER_OST, .name = f->name};
		memcpy(f->client.uuid, d->label.uuid, UUID_LEN);
		cfg.client = &f->client;
		memcpy(cfg.fsname, f->fsname, sizeof(cfg.fsname));
		if (server_mgs_nids(d, &cfg.mgs, why, sizeof(why)))
			daemon_fail(&s->opts, "%s", why);
		if (mgs_link_create(&cfg, &f->link) || fiber_spawn(s->loop, fs_link_main, f))
			daemon_fail(&s->opts, "no memory");
		s->nlinks++;
	}
}

/* ---- end ---- */

static void server_co_stop(void *arg)
{
	struct server *s = arg;

	for (uint32_t i = 0; i < s->nlinks; i++)
		mgs_link_co_destroy(s->links[i].link);
	router_co_stop(s->router, STOP_TIMEOUT_MS);
	for (uint32_t i = 0; i < s->ntargets; i++)
		loop_post(s->targets[i].loop, &s->targets[i].stop);
}

static void begin_stop(void *arg)
{
	struct server *s = arg;

	if (fiber_spawn(s->loop, server_co_stop, s))
		die("no memory to stop in order");
}

/* A signal, or a failure in a fiber of ours: the work starts from the main stack. */
static void stop_server(void *arg)
{
	struct server *s = arg;

	if (s->stopping)
		return;
	s->stopping = true;
	s->stop_work = (struct loop_work){.fn = begin_stop, .arg = s};
	loop_defer(s->loop, &s->stop_work);
}

/* Any target's thread may show the parameters of another one, so all go when none serves any more.
 * */
static void target_stopped(void *arg)
{
	struct target *t = arg;
	struct server *s = t->server;

	if (--s->nrunning)
		return;
	for (uint32_t i = 0; i < s->ntargets; i++) {
		s->targets[i].stop.fn = target_end;
		loop_post(s->targets[i].loop, &s->targets[i].stop);
	}
	loop_stop(s->loop);
}

static void reload_server(void *arg)
{
	struct server *s = arg;

	if (!s->stopping)
		server_reload(s->params, s->dirs, s->ntargets);
}

static void free_server(struct server *s)
{
	for (uint32_t i = 0; i < s->ntargets; i++) {
		pthread_join(s->targets[i].thread, NULL);
		sem_destroy(&s->targets[i].started);
	}
	router_destroy(s->router);
	params_destroy(s->params);
	fiber_pool_drain();
	rpc_frame_drain();
	loop_destroy(s->loop);
	for (uint32_t i = 0; i < s->ntargets; i++)
		server_dir_close(&s->dirs[i]);
	free(s->links);
	free(s->targets);
	free(s->dirs);
}

static void start_server(struct server *s)
{
	struct router_cfg cfg;
	char why[SERVER_WHY];

	open_dirs(s);
	if (params_create(&s->params) || loop_create(&s->loop))
		daemon_fail(&s->opts, "no memory");
	if (server_params_init(s->params, &s->opts, s->dirs, s->ntargets, why, sizeof(why)))
		daemon_fail(&s->opts, "%s", why);
	s->boot_id = server_boot_id(s->loop);
	cfg = (struct router_cfg){.loop = s->loop, .params = s->params, .boot_id = s->boot_id};
	if (router_create(&cfg, &s->router))
		daemon_fail(&s->opts, "no memory");
	start_targets(s);
	if (server_listen(router_service(s->router), s->opts.listen, PORT_OSS, s->dirs, s->ntargets,
			  &s->at, why, sizeof(why)))
		daemon_fail(&s->opts, "%s", why);
	start_links(s);
	if (daemon_signals(s->loop, stop_server, reload_server, s))
		daemon_fail(&s->opts, "signals cannot be set up");
	server_announce(&s->opts, s->dirs, s->ntargets, &s->at);
}

int main(int argc, char **argv)
{
	struct server s = {.opts = {.prog = "sheen-oss", .usage = usage}};

	daemon_options(&s.opts, argc, argv);
	daemon_fork(&s.opts);
	start_server(&s);
	daemon_ready(&s.opts);
	loop_run(s.loop);
	daemon_exit(&s.opts);
	free_server(&s);
	return s.exit_status;
}
