/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - start-up that all servers share; see server.h. Nothing here knows what a server
 * does. */
#include "common/server.h"
#include "common/guard_file.h"
#include "common/log.h"
#include "common/proto/field.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PORT_TRIES = 100 };

static int explain(int rc, char *why, size_t why_len, const char *fmt, ...) PRINTF_LIKE(4, 5);
static int explain(int rc, char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	return rc;
}

/* ---- directories ---- */

int server_dir_open(const char *path, enum target_type type, struct server_dir *out, char *why,
		    size_t why_len)
{
	char *real = realpath(path, NULL); /* a daemon changes its directory */
	int rc;

	out->lock_fd = -1;
	out->guard = NULL;
	if (!real)
		return explain(-errno, why, why_len, "%s: %s", path, err_str(errno));
	rc = strlen(real) < sizeof(out->path) ? 0 : -ENAMETOOLONG;
	if (rc == 0)
		memcpy(out->path, real, strlen(real) + 1);
	free(real);
	if (rc)
		return explain(rc, why, why_len, "%s: path is too long", path);
	rc = target_label_read(out->path, &out->label, why, why_len);
	if (rc)
		return rc;
	if (out->label.type != type) {
		target_name(&out->label, out->name);
		return explain(-EINVAL, why, why_len, "%s is an %s (%s), not an %s", out->path,
			       target_type_name(out->label.type), out->name,
			       target_type_name((uint8_t)type));
	}
	rc = target_lock(out->path, &out->lock_fd, why, why_len);
	if (rc)
		return rc;
	target_name(&out->label, out->name);
	return 0;
}

int server_guard(struct server_dir *dirs, uint32_t ndirs, char *why, size_t why_len)
{
	const char **paths = calloc(ndirs, sizeof(*paths));
	int rc;

	if (!paths)
		return explain(-ENOMEM, why, why_len, "no memory");
	for (uint32_t i = 0; i < ndirs; i++)
		paths[i] = dirs[i].path;
	rc = guard_take(paths, ndirs, &dirs[0].guard, why, why_len);
	free(paths);
	return rc;
}

int server_dir_save(const struct server_dir *d, char *why, size_t why_len)
{
	return target_label_write(d->path, &d->label, why, why_len);
}

/* Where it serves is told to everybody at each start, with the port, unless the service addresses
 * name ports themselves. */
static bool port_may_change(const struct target_label *l)
{
	const char *text = l->servicenode[0] ? l->servicenode : l->failnode;
	struct nid_list nids;
	char why[256];

	if (!text[0] || nid_list_parse(text, 0, &nids, why, sizeof(why)))
		return false;
	for (uint32_t i = 0; i < nids.n; i++)
		if (nid_port(&nids.nid[i]))
			return false;
	return true;
}

/* The addresses without their ports: each start announces the one where it listens then. */
static int without_ports(const char *nids, char *text, size_t len)
{
	struct nid_list l;
	char why[256];
	int rc = nid_list_parse_numeric(nids, 0, &l, why, sizeof(why));

	for (uint32_t i = 0; rc == 0 && i < l.n; i++)
		nid_set_port(&l.nid[i], 0);
	if (rc == 0)
		nid_list_str(&l, 0, text, len);
	return rc;
}

/* A failover node is told when the target is made, but not where it serves first: that is known
 * now, and stays an address of the target when it serves elsewhere. */
void server_dir_joined(struct server_dir *d, const char *announced)
{
	bool changed = !d->label.registered;
	char why[SERVER_WHY], nodes[sizeof(d->label.servicenode)];

	if (changed)
		log_info("%s: joined file system %s", d->name, d->label.fsname);
	d->label.registered = true;
	if (d->label.failnode[0] && !d->label.servicenode[0] &&
	    strlen(announced) < sizeof(d->label.servicenode)) {
		snprintf(nodes, sizeof(nodes), "%s", announced);
		if (port_may_change(&d->label) && without_ports(announced, nodes, sizeof(nodes)))
			log_warn("%s: announced at \"%s\"", d->name, announced);
		snprintf(d->label.servicenode, sizeof(d->label.servicenode), "%s", nodes);
		d->label.failnode[0] = 0;
		changed = true;
	}
	if (changed && server_dir_save(d, why, sizeof(why)))
		log_warn("%s", why); /* it will register once more */
}

void server_dir_close(struct server_dir *d)
{
	guard_release(d->guard);
	d->guard = NULL;
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	d->lock_fd = -1;
}

int server_mgs_nids(const struct server_dir *d, struct nid_list *out, char *why, size_t why_len)
{
	char text[512];

	if (!d->label.mgsnode[0])
		return explain(-EINVAL, why, why_len, "%s: the label has no mgsnode", d->path);
	if (nid_list_parse(d->label.mgsnode, PORT_MGS, out, text, sizeof(text)))
		return explain(-EINVAL, why, why_len, "%s: mgsnode \"%s\": %s", d->path,
			       d->label.mgsnode, text);
	return 0;
}

/* ---- listening ---- */

static int save_port(struct server_dir *dirs, uint32_t ndirs, uint16_t port, char *why,
		     size_t why_len)
{
	int rc;

	for (uint32_t i = 0; i < ndirs; i++) {
		if (dirs[i].label.port == port)
			continue;
		dirs[i].label.port = port;
		rc = server_dir_save(&dirs[i], why, why_len);
		if (rc)
			return rc;
	}
	return 0;
}

static void wildcard(struct nid *at, uint16_t port)
{
	char why[64];

	if (nid_parse("0.0.0.0@tcp", port, at, why, sizeof(why)))
		abort(); /* a constant */
}

static int listen_failed(int rc, const struct nid *at, char *why, size_t why_len)
{
	char text[NID_STRLEN];

	return explain(rc, why, why_len, "cannot listen on %s: %s", nid_str(at, 0, text),
		       err_str(rc));
}

/* The default port, or the next one that is free (and allowed: below 1024 is for root). */
static int listen_first(struct rpc_service *svc, uint16_t port, struct nid *at, char *why,
			size_t why_len)
{
	int rc = 0, i;

	for (i = 0; i < PORT_TRIES; i++) {
		wildcard(at, (uint16_t)(port + i));
		rc = rpc_service_listen(svc, at);
		if (rc != -EADDRINUSE && rc != -EACCES)
			break;
	}
	return rc ? listen_failed(rc, at, why, why_len) : 0;
}

/* Two targets that were first served on different machines have the same port, and may meet on one
 * machine: the second one takes another port for this time. */
static int listen_again(struct rpc_service *svc, uint16_t port, uint16_t default_port,
			const struct target_label *l, struct nid *at, char *why, size_t why_len)
{
	int rc;

	wildcard(at, port);
	rc = rpc_service_listen(svc, at);
	if (rc == -EADDRINUSE && port_may_change(l)) {
		log_info("port %u is used by another server: taking another one", port);
		return listen_first(svc, default_port, at, why, why_len);
	}
	return rc ? listen_failed(rc, at, why, why_len) : 0;
}

int server_listen(struct rpc_service *svc, const char *listen, uint16_t default_port,
		  struct server_dir *dirs, uint32_t ndirs, struct nid *at, char *why,
		  size_t why_len)
{
	uint16_t port = 0;
	char text[NID_STRLEN];
	uint32_t i;
	int rc;

	for (i = 0; i < ndirs && !port; i++)
		port = dirs[i].label.port;
	if (listen) {
		rc = nid_parse(listen, port ? port : default_port, at, why, why_len);
		if (rc == 0)
			rc = rpc_service_listen(svc, at);
		else
			return rc;
	} else if (port) {
		rc = listen_again(svc, port, default_port, &dirs[0].label, at, why, why_len);
		if (rc)
			return rc;
	} else {
		rc = listen_first(svc, default_port, at, why, why_len);
		if (rc)
			return rc;
	}
	if (rc)
		return listen_failed(rc, at, why, why_len);
	rpc_service_local(svc, at);
	log_info("listening on %s", nid_str(at, 0, text));
	/* What the command line says holds for this time only, as does another port than usual. */
	if (listen || (port && nid_port(at) != port))
		return 0;
	return save_port(dirs, ndirs, nid_port(at), why, why_len);
}

/* ---- parameters ---- */

static int version_get(void *arg, struct wbuf *w)
{
	(void)arg;
	wbuf_put(w, SHEEN_VERSION, strlen(SHEEN_VERSION));
	return 0;
}

static int health_get(void *arg, struct wbuf *w)
{
	(void)arg;
	wbuf_put(w, "healthy", 7);
	return 0;
}

static int debug_get(void *arg, struct wbuf *w)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	const char *s = names[log_get_level()];

	(void)arg;
	wbuf_put(w, s, (uint32_t)strlen(s));
	return 0;
}

static int debug_set(void *arg, const char *value)
{
	enum log_level lvl;
	int rc = log_level_parse(value, &lvl);

	(void)arg;
	if (rc == 0)
		log_set_level(lvl);
	return rc;
}

static int guard_term_get(void *arg, struct wbuf *w)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", guard_term(arg) / 1000);

	wbuf_put(w, text, (uint32_t)n);
	return 0;
}

static int guard_term_set(void *arg, const char *value)
{
	char *end;
	unsigned long s = strtoul(value, &end, 10);

	if (*end || end == value || s * 1000 < GUARD_TERM_MIN_MS || s > GUARD_TERM_MAX_MS / 1000)
		return -EINVAL;
	guard_set_term(arg, (uint32_t)s * 1000);
	return 0;
}

/* "NAME=VALUE" */
static int apply_one(struct params *ps, const char *text, size_t len, char *why, size_t why_len)
{
	char copy[MAX_PARAM_NAME + 2048], *eq;
	int rc;

	if (len >= sizeof(copy))
		return explain(-EINVAL, why, why_len, "parameter \"%.40s...\" is too long", text);
	memcpy(copy, text, len);
	copy[len] = 0;
	eq = strchr(copy, '=');
	if (!eq)
		return explain(-EINVAL, why, why_len, "parameter \"%.80s\" is not NAME=VALUE",
			       copy);
	*eq = 0;
	rc = params_set_sticky(ps, copy, eq + 1);
	return rc ? explain(rc, why, why_len, "parameter %s=%.80s: %s", copy, eq + 1, err_str(rc))
		  : 0;
}

static int apply_label(struct params *ps, const struct target_label *l, char *why, size_t why_len)
{
	const char *s = l->params;
	size_t n;
	int rc;

	for (; *s; s += n + (s[n] == '\n')) {
		n = strcspn(s, "\n");
		rc = n ? apply_one(ps, s, n, why, why_len) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

int server_params_init(struct params *ps, const struct daemon_opts *o,
		       const struct server_dir *dirs, uint32_t ndirs, char *why, size_t why_len)
{
	uint32_t i;
	int rc;

	rc = param_add(ps, "version", version_get, NULL, NULL);
	if (rc == 0)
		rc = param_add(ps, "health_check", health_get, NULL, NULL);
	if (rc == 0)
		rc = param_add(ps, "debug", debug_get, debug_set, NULL);
	if (rc == 0 && dirs[0].guard)
		rc = param_add(ps, "guard_term", guard_term_get, guard_term_set, dirs[0].guard);
	if (rc)
		return explain(rc, why, why_len, "parameters: %s", err_str(rc));
	for (i = 0; i < ndirs && rc == 0; i++)
		rc = apply_label(ps, &dirs[i].label, why, why_len);
	for (i = 0; i < (uint32_t)o->nset && rc == 0; i++)
		rc = apply_one(ps, o->set[i], strlen(o->set[i]), why, why_len);
	return rc;
}

void server_reload(struct params *ps, struct server_dir *dirs, uint32_t ndirs)
{
	struct target_label l;
	char why[SERVER_WHY];

	for (uint32_t i = 0; i < ndirs; i++) {
		int rc = target_label_read(dirs[i].path, &l, why, sizeof(why));

		if (rc == 0)
			rc = apply_label(ps, &l, why, sizeof(why));
		if (rc)
			log_err("reload: %s", why);
		else
			memcpy(dirs[i].label.params, l.params, sizeof(l.params));
	}
	log_info("parameters reloaded");
}

struct stats_param {
	struct loop *l;
	struct rpc_service *svc;
	int64_t start;
};

static int stats_get(void *arg, struct wbuf *w)
{
	struct stats_param *sp = arg;

	stats_print_head(w, loop_realtime(sp->l), sp->start);
	stats_print(w, rpc_service_stats(sp->svc), RPC_NR_MAX);
	return 0;
}

static int stats_set(void *arg, const char *value)
{
	struct stats_param *sp = arg;
	struct stat_counter *c = (struct stat_counter *)(uintptr_t)rpc_service_stats(sp->svc);

	(void)value;
	for (int i = 0; i < RPC_NR_MAX; i++)
		stat_clear(&c[i]);
	sp->start = loop_realtime(sp->l);
	return 0;
}

int server_param_stats(struct params *ps, const char *name, struct loop *l, struct rpc_service *svc)
{
	struct stats_param *sp = calloc(1, sizeof(*sp));
	int rc;

	if (!sp)
		return -ENOMEM;
	*sp = (struct stats_param){l, svc, loop_realtime(l)};
	rc = params_own(ps, sp);
	if (rc)
		free(sp);
	return rc ? rc : param_add(ps, name, stats_get, stats_set, sp);
}

uint64_t server_boot_id(struct loop *l)
{
	uint64_t id;

	do
		id = loop_random(l);
	while (id == 0);
	return id;
}

void server_announce(struct daemon_opts *o, const struct server_dir *dirs, uint32_t ndirs,
		     const struct nid *at)
{
	for (uint32_t i = 0; i < ndirs; i++)
		daemon_announce(o, dirs[i].name, at);
}
