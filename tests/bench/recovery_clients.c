/* SPDX-License-Identifier: Apache-2.0 */
/* recovery_clients.c - very many clients of one MDS in one process, for tests/bench/recovery.
 *
 * usage: recovery_clients MDS_NID MDT_NAME CLIENTS FILES
 * Each client is a session with a connection of its own. It makes FILES files in the root, keeps
 * them open, and keeps what it would have to do again. Then "ready" is printed. When the MDS is
 * started anew every client does what a mount does: it says what it has changed and does again what
 * is missing, opens its files again, and says that it is back; besides, one of them makes a new
 * file. Printed are the milliseconds from the first new connection until all are back and until
 * that file is made, and what was done again.
 */
#include "common/log.h"
#include "common/rpc.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAN = 256, WAIT_MS = 300000 };

struct kept {
	struct rpc_kept k;
	TAILQ_ENTRY(kept) link;
};

struct client {
	struct rpc_client_cfg cfg;
	struct rpc_import *imp;
	TAILQ_HEAD(, kept) kept;
	struct fid first;
	uint32_t nfiles;
	bool back;
};

static struct loop *loop;
static struct client *clients;
static uint32_t nclients, nfiles, nback, next;
static uint64_t begun_ns, nreplayed, nreopened;
static struct fid free_fid;
static struct nid_list at;
static const char *mdt;

static void fail(const char *what, int rc)
{
	fprintf(stderr, "recovery_clients: %s: %s\n", what, err_str(rc));
	exit(1);
}

static void on_reply(void *arg, const struct msg *req, const struct msg *rep)
{
	struct client *c = arg;
	uint32_t len = req->h.body_len + rep->h.body_len;
	struct kept *q;
	uint8_t *body;

	if (!rep->h.transno || rep->h.status)
		return;
	q = malloc(sizeof(*q) + len);
	if (!q)
		fail("memory", -ENOMEM);
	body = (uint8_t *)(q + 1);
	memcpy(body, req->body, req->h.body_len);
	memcpy(body + req->h.body_len, rep->body, rep->h.body_len);
	q->k = (struct rpc_kept){
		.rpc = req->h.rpc,
		.slot = req->h.slot,
		.xid = req->h.xid,
		.transno = rep->h.transno,
		.time = rep->h.time,
		.body = body,
		.body_len = len,
		.reply_len = rep->h.body_len,
	};
	TAILQ_INSERT_TAIL(&c->kept, q, link);
}

/* ---- after the restart ---- */

static int co_ask(struct client *c, bool done, struct mds_replay_rep *p)
{
	struct mds_replay_req q = {.done = done};
	RPC_CALL(call);

	call.flags = RPC_CALL_RECLAIM;
	return mds_co_replay(c->imp, &call, &q, p);
}

static void replay(struct client *c)
{
	struct mds_replay_rep p;
	struct kept *q;
	int rc = co_ask(c, false, &p);

	TAILQ_FOREACH(q, &c->kept, link) {
		struct wire_hdr h = {0};

		if (rc || q->k.transno <= p.transno)
			continue;
		rc = rpc_co_replay(c->imp, &q->k, &h);
		nreplayed++;
	}
	rc = rc ? rc : co_ask(c, true, &p);
	if (rc)
		fail("doing it again", rc);
}

static void reopen(struct client *c)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < c->nfiles && rc == 0; i++, nreopened++) {
		struct mds_reopen_req q = {c->first, OPEN_READ, i + 1};
		struct mds_reopen_rep p;
		RPC_CALL(call);

		q.fid.oid += i;
		call.flags = RPC_CALL_RECLAIM;
		rc = mds_co_reopen(c->imp, &call, &q, &p);
	}
	if (rc)
		fail("opening again", rc);
}

static void on_restart(void *arg, struct rpc_import *imp, bool evicted)
{
	struct mds_reclaimed_req q = {.lanes = 1};
	struct mds_reclaimed_rep p;
	struct client *c = arg;
	RPC_CALL(call);
	int rc;

	if (evicted)
		fail("a client", -ESTALE);
	if (!begun_ns)
		begun_ns = loop_clock(loop);
	replay(c);
	reopen(c);
	call.flags = RPC_CALL_RECLAIM;
	q.session = rpc_import_session(imp);
	rc = mds_co_reclaimed(imp, &call, &q, &p);
	if (rc)
		fail("being back", rc);
	nback += !c->back;
	c->back = true;
}

/* ---- before ---- */

static void make_file(struct client *c, uint32_t k, const char *prefix)
{
	uint32_t nr = (uint32_t)(c - clients);
	char name[40];
	struct mds_create_req q = {.parent = FID_ROOT, .mode = S_IFREG | 0644,
				   .open_flags = OPEN_READ | OPEN_EXCL, .open_id = k + 1};
	struct mds_create_rep p;
	RPC_CALL(call);
	int rc;

	snprintf(name, sizeof(name), "%s%u.%u", prefix, nr, k);
	q.name = SPAN_STR(name);
	q.fid = c->first;
	q.fid.oid += k;
	rc = mds_co_create(c->imp, &call, &q, &p);
	if (rc)
		fail(name, rc);
}

/* The sequences that a client is given have room for many clients here. */
static void take_fids(struct client *c)
{
	struct mds_alloc_seq_req q = {};
	struct mds_alloc_seq_rep p;
	RPC_CALL(call);
	int rc;

	if (free_fid.oid == 0 || free_fid.oid + nfiles + 1 >= 1 << 17) {
		rc = mds_co_alloc_seq(c->imp, &call, &q, &p);
		if (rc)
			fail("a sequence", rc);
		free_fid = (struct fid){.seq = p.seq, .oid = 1};
	}
	c->first = free_fid;
	free_fid.oid += nfiles + 1;
}

static int worker_connect(void *arg)
{
	(void)arg;
	while (next < nclients) {
		struct client *c = &clients[next++];
		struct rpc_import_cfg cfg = {.client = &c->cfg, .target = mdt, .nids = at,
					     .on_restart = on_restart, .on_reply = on_reply,
					     .arg = c};
		uint64_t nr = (uint64_t)(c - clients);
		int rc;

		TAILQ_INIT(&c->kept);
		c->cfg = (struct rpc_client_cfg){
			.loop = loop, .kind = PEER_CLIENT, .name = "recovery_clients"};
		memcpy(c->cfg.uuid, &nr, sizeof(nr));
		c->cfg.uuid[15] = 1;
		rc = rpc_import_create(&cfg, &c->imp);
		rc = rc ? rc : rpc_import_co_wait(c->imp, WAIT_MS);
		if (rc)
			fail("connecting", rc);
	}
	return 0;
}

static int worker_files(void *arg)
{
	uint32_t k = *(uint32_t *)arg;

	while (next < nclients) {
		struct client *c = &clients[next++];

		make_file(c, k, "f");
		c->nfiles = k + 1;
	}
	return 0;
}

static void fan(co_fn *fn, void *arg)
{
	struct co_group g = CO_GROUP_INIT;

	next = 0;
	for (int i = 0; i < FAN; i++)
		co_spawn(&g, fn, arg);
	if (co_join(&g))
		abort();
}

static int new_file(void *arg)
{
	(void)arg;
	while (!begun_ns)
		co_sleep(NSEC_PER_MSEC);
	make_file(&clients[0], nfiles, "new");
	printf("made_ms: %.1f\n", (double)(loop_clock(loop) - begun_ns) / 1e6);
	return 0;
}

static void main_fiber(void *arg)
{
	struct co_group g = CO_GROUP_INIT;

	(void)arg;
	fan(worker_connect, NULL);
	for (uint32_t i = 0; i < nclients; i++)
		take_fids(&clients[i]);
	for (uint32_t k = 0; k < nfiles; k++)
		fan(worker_files, &k);
	printf("ready\n");
	fflush(stdout);
	co_spawn(&g, new_file, NULL);
	while (nback < nclients)
		co_sleep(NSEC_PER_MSEC);
	printf("back_ms: %.1f\n", (double)(loop_clock(loop) - begun_ns) / 1e6);
	if (co_join(&g))
		abort();
	printf("replayed: %" PRIu64 "\nreopened: %" PRIu64 "\n", nreplayed, nreopened);
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	char why[200];

	if (argc != 5) {
		fprintf(stderr, "usage: recovery_clients MDS_NID MDT_NAME CLIENTS FILES\n");
		return 2;
	}
	log_init("recovery_clients", false);
	log_set_level(LOG_LVL_ERROR);
	mdt = argv[2];
	nclients = (uint32_t)strtoul(argv[3], NULL, 10);
	nfiles = (uint32_t)strtoul(argv[4], NULL, 10);
	clients = calloc(nclients, sizeof(*clients));
	at.n = 1;
	if (!clients || nid_parse(argv[1], strlen(argv[1]), &at.nid[0], why, sizeof(why)))
		fail("arguments", -EINVAL);
	if (getrlimit(RLIMIT_NOFILE, &files))
		fail("open files", -errno);
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		fail("open files", -errno);
	if (loop_create(&loop) || fiber_spawn(loop, main_fiber, NULL))
		abort();
	loop_run(loop);
	return 1;
}
