/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sheen-copytool: the process around mover.h. */
#include "common/log.h"
#include "mover/options.h"
#include <stdio.h>
#include <unistd.h>

enum { STOP_S = 15 };

struct process {
	struct daemon_opts opts;
	struct mover mover;
	char name[96], log_name[96];
	struct loop_work stop;
	struct loop_timer too_late;
	bool ready;
	char why[512];
};

static void co_stop(struct mover *m)
{
	struct blob_error e;

	if (m->log && blob_log_co_flush(m->log, &e))
		log_err("the log container cannot be written: %s", e.words);
	lane_co_stop(m->lane);
	loop_stop(m->loop);
}

static void give_up(void *arg)
{
	struct process *p = arg;

	log_warn("servers do not answer: what was under way is left to others");
	daemon_exit(&p->opts);
	_exit(0);
}

static void stop(void *arg)
{
	struct process *p = arg;
	struct mover *m = &p->mover;

	if (m->stopping)
		return;
	m->stopping = true;
	log_info("stopping");
	p->too_late = (struct loop_timer){.fn = give_up, .arg = p};
	loop_timer_start(m->loop, &p->too_late, STOP_S * (uint64_t)NSEC_PER_SEC);
	blob_stop(m->store);
	co_wake_all(&m->idle_q);
}

static int open_stores(struct process *p)
{
	struct mover *m = &p->mover;
	struct blob_config log = m->cfg.blob;
	struct blob_error e;
	int rc = blob_open(m->loop, &m->cfg.blob, &m->store, &e);

	if (rc == 0 && m->cfg.log_container) {
		log.container = m->cfg.log_container;
		rc = blob_open(m->loop, &log, &m->log_store, &e);
		if (rc == 0)
			rc = blob_log_open(m->log_store, p->log_name, &m->log);
	}
	if (rc)
		error_print(&e, p->why, sizeof(p->why));
	return rc;
}

static int ignore(void *arg, const struct blob_entry *entry)
{
	(void)arg;
	(void)entry;
	return 0;
}

/* The first error of both is told at the start: a wrong key is not found out by the first file. */
static int co_look(struct process *p)
{
	struct mover *m = &p->mover;
	struct blob_list q = {.prefix = m->cfg.prefix, .page = 1, .pages = 1};
	struct blob_error e;
	int rc = lane_co_start(m->lane, p->why, sizeof(p->why));

	if (rc)
		return rc;
	rc = blob_co_list(m->store, &q, ignore, NULL, &e);
	if (rc) {
		error_print(&e, p->why, sizeof(p->why));
		lane_co_stop(m->lane);
	}
	return rc;
}

/* First of all it makes sure that nobody else has the job. Whoever starts it may stop it as soon as
 * there is a pid file. */
static void job_fiber(struct process *p)
{
	struct mover *m = &p->mover;
	struct job *j;

	if (job_run_open(m, &j, p->why, sizeof(p->why))) {
		loop_stop(m->loop);
		return;
	}
	if (co_look(p)) {
		p->ready = m->stopping;
		job_co_run(m, j, p->why);
		loop_stop(m->loop);
		return;
	}
	p->ready = true;
	daemon_ready(&p->opts);
	job_co_run(m, j, NULL);
	co_stop(m);
}

static void main_fiber(void *arg)
{
	struct process *p = arg;
	struct mover *m = &p->mover;

	if (m->cfg.kind != MOVER_SERVES) {
		job_fiber(p);
		return;
	}
	if (co_look(p)) {
		loop_stop(m->loop);
		return;
	}
	p->ready = true;
	log_info("serves %s, container %s at %s", fs_name(m->fs), m->cfg.blob.container,
		 m->cfg.blob.endpoint);
	daemon_ready(&p->opts);
	agent_co_run(m);
	co_stop(m);
}

static void start(struct process *p)
{
	struct mover *m = &p->mover;
	struct fs_cfg cfg = {.source = m->cfg.source, .name = p->name};
	char host[64] = "localhost";

	gethostname(host, sizeof(host) - 1);
	snprintf(p->name, sizeof(p->name), "%s %d", host, (int)getpid());
	snprintf(p->log_name, sizeof(p->log_name), "copytool/%s-%d.json", host, (int)getpid());
	co_waitq_init(&m->memory_q);
	co_waitq_init(&m->idle_q);
	co_mutex_init(&m->log_lock);
	LIST_INIT(&m->work);
	if (blob_init() || loop_create(&m->loop) || dirs_create(&m->dirs))
		daemon_fail(&p->opts, "no memory");
	if (open_stores(p)) {
		if (m->cfg.kind != MOVER_SERVES)
			job_run_failed(&m->cfg, p->why);
		daemon_fail(&p->opts, "%s", p->why);
	}
	if (fs_create(&cfg, &m->fs) || lane_create(m->fs, m->loop, 0, &m->lane) ||
	    fiber_spawn(m->loop, main_fiber, p))
		daemon_fail(&p->opts, "no memory");
	if (daemon_signals(m->loop, stop, NULL, p))
		daemon_fail(&p->opts, "signals cannot be set up");
}

int main(int argc, char **argv)
{
	static struct process p = {.opts = {.prog = "sheen-copytool"}};
	struct mover *m = &p.mover;

	mover_options(&p.opts, &m->cfg, argc, argv);
	log_init("sheen-copytool", p.opts.syslog);
	log_set_level((enum log_level)p.opts.debug);
	daemon_fork(&p.opts);
	start(&p);
	loop_run(m->loop);
	if (!p.ready)
		daemon_fail(&p.opts, "%s", p.why);
	daemon_exit(&p.opts);
	if (m->cfg.kind == MOVER_SERVES)
		log_info("%llu done, %llu failed", (unsigned long long)m->done,
			 (unsigned long long)m->failed);
	if (m->log)
		blob_log_close(m->log);
	if (m->log_store)
		blob_close(m->log_store);
	blob_close(m->store);
	dirs_destroy(m->dirs);
	fs_destroy(m->fs);
	fiber_pool_drain();
	loop_timer_stop(m->loop, &p.too_late);
	loop_destroy(m->loop);
	return 0;
}
