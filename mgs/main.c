/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sheen-mgs DIR: the management server.
 *
 * One thread: loop, store and service. It tells nodes where the targets are and keeps permanent
 * parameters; no file operation ever passes here. */
#include "common/log.h"
#include "common/server.h"
#include "mgs/mgs.h"
#include <unistd.h>
#include <stdio.h>

enum { STOP_TIMEOUT_MS = 5000 };

struct process {
	struct daemon_opts opts;
	struct server_dir dir;
	struct params *params;
	struct loop *loop;
	struct mgs *mgs;
	struct nid at;
	struct loop_work stop;
	bool stopping;
};

static const char usage[] =
	"usage: sheen-mgs [OPTION]... DIR\n"
	"Serve the configuration kept in DIR, formatted with mkfs.sheen --mgs.\n";

static void co_stop(void *arg)
{
	struct process *p = arg;

	mgs_co_stop(p->mgs, STOP_TIMEOUT_MS);
	loop_stop(p->loop);
}

static void begin_stop(void *arg)
{
	struct process *p = arg;

	if (fiber_spawn(p->loop, co_stop, p))
		die("no memory to stop in order");
}

static void stop(void *arg)
{
	struct process *p = arg;

	if (p->stopping)
		return;
	p->stopping = true;
	log_info("stopping");
	p->stop = (struct loop_work){.fn = begin_stop, .arg = p};
	loop_defer(p->loop, &p->stop);
}

static void reload(void *arg)
{
	struct process *p = arg;

	server_reload(p->params, &p->dir, 1);
}

/* At once: whoever waits for an answer asks the next life, which knows what became of it. */
static void store_failed(void *arg, int rc)
{
	struct process *p = arg;

	log_err("the store failed: %s: the server ends", err_str(rc));
	daemon_exit(&p->opts);
	_exit(1);
}

static void start(struct process *p)
{
	struct mgs_cfg cfg = {.dir = p->dir.path};
	char why[SERVER_WHY];

	if (p->opts.argc != 1)
		daemon_fail(&p->opts, "exactly one directory is expected (see --help)");
	if (server_dir_open(p->opts.argv[0], TARGET_MGS, &p->dir, why, sizeof(why)))
		daemon_fail(&p->opts, "%s", why);
	if (server_guard(&p->dir, 1, why, sizeof(why)))
		daemon_fail(&p->opts, "%s", why);
	if (params_create(&p->params) || loop_create(&p->loop))
		daemon_fail(&p->opts, "no memory");
	if (server_params_init(p->params, &p->opts, &p->dir, 1, why, sizeof(why)))
		daemon_fail(&p->opts, "%s", why);
	cfg.loop = p->loop;
	cfg.params = p->params;
	cfg.boot_id = server_boot_id(p->loop);
	if (mgs_create(&cfg, &p->mgs, why, sizeof(why)))
		daemon_fail(&p->opts, "%s", why);
	store_on_fatal(p->mgs->store, store_failed, p);
	if (server_listen(p->mgs->svc, p->opts.listen, PORT_MGS, &p->dir, 1, &p->at, why,
			  sizeof(why)))
		daemon_fail(&p->opts, "%s", why);
	if (daemon_signals(p->loop, stop, reload, p))
		daemon_fail(&p->opts, "signals cannot be set up");
	server_announce(&p->opts, &p->dir, 1, &p->at);
}

int main(int argc, char **argv)
{
	static struct process p = {.opts = {.prog = "sheen-mgs", .usage = usage}};

	daemon_options(&p.opts, argc, argv);
	daemon_fork(&p.opts);
	start(&p);
	daemon_ready(&p.opts);
	loop_run(p.loop);
	daemon_exit(&p.opts);
	mgs_destroy(p.mgs);
	params_destroy(p.params);
	fiber_pool_drain();
	loop_destroy(p.loop);
	server_dir_close(&p.dir);
	return 0;
}
