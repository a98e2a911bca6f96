/* SPDX-License-Identifier: Apache-2.0 */
/* micro_rpc.c - what a call costs: client and server threads over loopback, nothing behind them.
 *
 * usage: micro_rpc [SECONDS]
 * For 1, 16 and 64 fibers: empty calls, 4 KiB reads, 1 MiB writes; prints rate and CPU time of
 * the process.
 */
#include "common/log.h"
#include "common/rpc.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static struct rpc_service *svc;
static struct nid at;
static pthread_barrier_t ready;
static uint8_t *bulk_mem;
static bool stop;

static int h_getattr(struct rpc_op *op, const void *q, void *p)
{
	(void)op, (void)q, (void)p;
	return 0;
}

static int h_read(struct rpc_op *op, const void *q, void *p)
{
	const struct oss_read_req *req = q;
	struct iovec *iov = rpc_op_alloc(op, sizeof(*iov));

	(void)p;
	*iov = (struct iovec){bulk_mem, req->len};
	op->out = iov;
	op->out_n = 1;
	return 0;
}

static int h_write(struct rpc_op *op, const void *q, void *p)
{
	(void)op, (void)q, (void)p;
	return 0;
}

static int bulk_get(void *arg, uint32_t len, struct iovec **iov, uint32_t *n, void **cookie)
{
	static struct iovec one[64];
	static int i;

	(void)arg;
	i = (i + 1) % 64;
	one[i] = (struct iovec){bulk_mem, len};
	*iov = &one[i];
	*n = 1;
	*cookie = one;
	return 0;
}

static void bulk_put(void *arg, void *cookie)
{
	(void)arg, (void)cookie;
}

static const struct rpc_service_ops ops = {.bulk_get = bulk_get, .bulk_put = bulk_put};
static const struct rpc_handler handlers[] = {
	{RPC_mds_getattr, h_getattr}, {RPC_oss_read, h_read}, {RPC_oss_write, h_write}};

static void *server(void *arg)
{
	struct loop *l;
	struct rpc_service_cfg cfg = {.name = "x", .handlers = handlers,
				      .nhandlers = ARRAY_SIZE(handlers), .ops = &ops, .boot_id = 1};
	char why[100];

	(void)arg;
	if (loop_create(&l))
		abort();
	cfg.loop = l;
	if (rpc_service_create(&cfg, &svc) ||
	    nid_parse("127.0.0.1@tcp", 1, &at, why, sizeof(why)))
		abort();
	nid_set_port(&at, 0);
	if (rpc_service_listen(svc, &at))
		abort();
	rpc_service_local(svc, &at);
	pthread_barrier_wait(&ready);
	loop_run(l);
	return NULL;
}

struct job {
	struct rpc_import *imp;
	int kind;
	uint64_t n;
	uint8_t *mem;
};

static int call_once(struct job *j)
{
	struct iovec iov = {j->mem, j->kind == 1 ? 4096 : MIB};
	RPC_CALL(call);

	if (j->kind == 0) {
		struct mds_getattr_req q = {.fid = FID_ROOT};
		struct mds_getattr_rep p;

		return mds_co_getattr(j->imp, &call, &q, &p);
	}
	if (j->kind == 1) {
		struct oss_read_req q = {.fid = FID_ROOT, .len = 4096};
		struct oss_read_rep p;

		call.in = &iov;
		call.in_n = 1;
		return oss_co_read(j->imp, &call, &q, &p);
	}
	struct oss_write_req q = {.fid = FID_ROOT};
	struct oss_write_rep p;

	call.out = &iov;
	call.out_n = 1;
	return oss_co_write(j->imp, &call, &q, &p);
}

static int job_run(void *arg)
{
	struct job *j = arg;
	int rc = 0;

	for (; !stop && rc == 0; j->n++)
		rc = call_once(j);
	return rc;
}

static double cpu_now(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int seconds = 2;

static int stopper(void *arg)
{
	(void)arg;
	co_sleep((uint64_t)seconds * NSEC_PER_SEC);
	stop = true;
	return 0;
}

static void measure(struct rpc_import *imp, int kind, int fibers)
{
	static const char *const names[] = {"empty call", "read 4 KiB", "write 1 MiB"};
	struct job *jobs = calloc((size_t)fibers, sizeof(*jobs));
	struct co_group g = CO_GROUP_INIT;
	double cpu = cpu_now();
	uint64_t n = 0;

	stop = false;
	for (int i = 0; i < fibers; i++) {
		jobs[i] = (struct job){imp, kind, 0, calloc(1, MIB)};
		co_spawn(&g, job_run, &jobs[i]);
	}
	co_spawn(&g, stopper, NULL);
	if (co_join(&g))
		abort();
	cpu = cpu_now() - cpu;
	for (int i = 0; i < fibers; i++) {
		n += jobs[i].n;
		free(jobs[i].mem);
	}
	printf("%-12s %3d in flight: %9.0f/s  %6.1f us CPU each\n", names[kind], fibers,
	       (double)n / seconds, cpu * 1e6 / (double)n);
	free(jobs);
}

static void main_fiber(void *arg)
{
	struct rpc_client_cfg client = {.loop = arg, .kind = PEER_TOOL, .name = "bench"};
	struct rpc_import_cfg cfg = {.client = &client, .target = "x", .nids = {1, {at}}};
	struct rpc_import *imp;

	if (rpc_import_create(&cfg, &imp) || rpc_import_co_wait(imp, 5000))
		abort();
	for (int kind = 0; kind < 3; kind++)
		for (int fibers = 1; fibers <= 64; fibers *= fibers == 1 ? 16 : 4)
			measure(imp, kind, fibers);
	exit(0);
}

int main(int argc, char **argv)
{
	struct loop *l;
	pthread_t t;

	if (argc > 1)
		seconds = (int)strtol(argv[1], NULL, 10);
	log_init("micro_rpc", false);
	bulk_mem = calloc(1, MAX_BULK);
	pthread_barrier_init(&ready, NULL, 2);
	if (pthread_create(&t, NULL, server, NULL) || loop_create(&l))
		return 1;
	pthread_barrier_wait(&ready);
	if (fiber_spawn(l, main_fiber, l))
		return 1;
	loop_run(l);
	return 0;
}
