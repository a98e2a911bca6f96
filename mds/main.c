/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sheen-mds DIR: the metadata server.
 *
 * One thread, one loop, one MDT. Requests are answered as soon as the port is open; clients learn
 * of the server from the MGS, where it registers in a fiber that tries for as long as it takes.
 *
 * sheen-mds --check DIR reads the tables of a stopped MDT and reports what does not fit together.
 */
#include "common/log.h"
#include "common/mgs_link.h"
#include "common/rpc_msg.h"
#include "common/server.h"
#include "mds/mds.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STOP_TIMEOUT_MS = 10000 };

struct server {
	struct daemon_opts opts;
	struct loop *loop;
	struct params *params;
	struct mds *mds;
	struct server_dir dir;
	char db[MAX_PATH + 8];
	struct nid at;
	char announced[MAX_NIDS * NID_STRLEN];
	bool stopping;
	struct loop_work stop_work;
	int exit_status;
};

static const char usage[] =
	"usage: sheen-mds [OPTION]... DIR\n"
	"       sheen-mds --check DIR\n"
	"Serve the metadata target in DIR, formatted with mkfs.sheen --mdt.\n"
	"--check reads the target of a server that does not run and reports what is wrong in it;\n"
	"exit status 0: nothing, 1: something, 2: it cannot be read.\n";

static void db_path(const struct server_dir *d, char *out, size_t len)
{
	snprintf(out, len, "%s/db", d->path);
}

/* ---- end ---- */

static void server_co_stop(void *arg)
{
	struct server *s = arg;

	mdt_co_stop(s->mds, STOP_TIMEOUT_MS);
	loop_stop(s->loop);
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

static void reload_server(void *arg)
{
	struct server *s = arg;

	if (!s->stopping)
		server_reload(s->params, &s->dir, 1);
}

/* At once, as if it had been killed: nobody may hear from a server whose store is done for that his
 * request has failed, since the next life may find it in the redo log. Clients ask that one again.
 */
static void on_fatal(void *arg, int rc)
{
	struct server *s = arg;

	log_err("%s: the store failed: %s: the server ends", s->dir.name, err_str(rc));
	daemon_exit(&s->opts);
	_exit(1);
}

/* ---- start ---- */

static void join(void *arg)
{
	struct server *s = arg;
	int rc = mdt_co_start(s->mds, &s->at, s->dir.label.servicenode);

	if (s->stopping || rc == -ESHUTDOWN)
		return;
	if (rc) {
		log_err("%s: the MGS refuses this target: %s: the server ends", s->dir.name,
			rc == -EEXIST ? "its index belongs to another target" : err_str(rc));
		s->exit_status = 1;
		stop_server(s);
		return;
	}
	server_dir_joined(&s->dir, s->announced);
}

static void make_mds(struct server *s)
{
	struct mds_cfg cfg = {
		.loop = s->loop,
		.dir = s->db,
		.index = s->dir.label.index,
		.params = s->params,
		.boot_id = server_boot_id(s->loop),
		.failnode = s->dir.label.failnode,
		.announced = s->announced,
		.announced_len = sizeof(s->announced),
		.on_fatal = on_fatal,
		.fatal_arg = s,
	};
	char why[SERVER_WHY];
	int rc;

	if (s->dir.label.index != 0)
		daemon_fail(&s->opts, "%s: %s: this version serves one MDT, with index 0",
			    s->dir.path, s->dir.name);
	memcpy(cfg.fsname, s->dir.label.fsname, sizeof(cfg.fsname));
	memcpy(cfg.uuid, s->dir.label.uuid, UUID_LEN);
	if (server_mgs_nids(&s->dir, &cfg.mgs, why, sizeof(why)))
		daemon_fail(&s->opts, "%s", why);
	rc = mdt_create(&cfg, &s->mds);
	if (rc)
		daemon_fail(&s->opts, "%s: the store cannot be opened: %s", s->db, err_str(rc));
}

static void start_server(struct server *s)
{
	char why[SERVER_WHY];

	if (s->opts.argc != 1)
		daemon_fail(&s->opts, "one target directory must be given (see --help)");
	if (server_dir_open(s->opts.argv[0], TARGET_MDT, &s->dir, why, sizeof(why)))
		daemon_fail(&s->opts, "%s", why);
	if (server_guard(&s->dir, 1, why, sizeof(why)))
		daemon_fail(&s->opts, "%s", why);
	db_path(&s->dir, s->db, sizeof(s->db));
	if (params_create(&s->params) || loop_create(&s->loop))
		daemon_fail(&s->opts, "no memory");
	if (server_params_init(s->params, &s->opts, &s->dir, 1, why, sizeof(why)))
		daemon_fail(&s->opts, "%s", why);
	make_mds(s);
	if (server_listen(mdt_service(s->mds), s->opts.listen, PORT_MDS, &s->dir, 1, &s->at, why,
			  sizeof(why)))
		daemon_fail(&s->opts, "%s", why);
	if (fiber_spawn(s->loop, join, s))
		daemon_fail(&s->opts, "no memory");
	if (daemon_signals(s->loop, stop_server, reload_server, s))
		daemon_fail(&s->opts, "signals cannot be set up");
	server_announce(&s->opts, &s->dir, 1, &s->at);
}

static void free_server(struct server *s)
{
	mdt_destroy(s->mds);
	params_destroy(s->params);
	fiber_pool_drain();
	rpc_frame_drain();
	loop_destroy(s->loop);
	server_dir_close(&s->dir);
}

static int check_main(const char *path)
{
	static char why[SERVER_WHY], db[MAX_PATH + 8];
	static struct server_dir dir;
	struct loop *loop;
	int rc;

	log_init("sheen-mds", false);
	if (server_dir_open(path, TARGET_MDT, &dir, why, sizeof(why)) ||
	    server_guard(&dir, 1, why, sizeof(why))) {
		fprintf(stderr, "sheen-mds: %s\n", why);
		return 2;
	}
	db_path(&dir, db, sizeof(db));
	rc = loop_create(&loop);
	if (rc == 0) {
		rc = mdt_check_dir(loop, db);
		loop_destroy(loop);
	}
	server_dir_close(&dir);
	if (rc < 0) {
		fprintf(stderr, "sheen-mds: %s: %s\n", db, err_str(rc));
		return 2;
	}
	printf("%s: %d problem%s\n", dir.name, rc, rc == 1 ? "" : "s");
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct server s = {.opts = {.prog = "sheen-mds", .usage = usage}};

	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check_main(argv[2]);
	daemon_options(&s.opts, argc, argv);
	daemon_fork(&s.opts);
	start_server(&s);
	daemon_ready(&s.opts);
	loop_run(s.loop);
	daemon_exit(&s.opts);
	free_server(&s);
	return s.exit_status;
}
