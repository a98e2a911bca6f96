/* SPDX-License-Identifier: Apache-2.0 */
/* mgs.c - life of a management server and its way to the store; see mgs.h. The requests are in
 * op_*.c, what is known in registry.c. */
#include "mgs/mgs.h"
#include "common/log.h"
#include "common/param.h"
#include "common/server.h"
#include "mgs/schema.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define VERSION_KEY "version"
#define STORE_RESERVE MIB

PROTO_SERVE(MGS_RPCS, mgs_handlers)

/* ---- loading ---- */

static bool key_text(struct span key, char *out, size_t cap)
{
	if (key.len >= cap)
		return false;
	memcpy(out, key.ptr, key.len);
	out[key.len] = 0;
	return true;
}

/* A record that cannot be used is said and left where it is; the rest is served. */
static int skip(const char *what, struct span key)
{
	log_err("%s \"%.*s\" in the store is damaged and ignored", what, (int)key.len,
		(const char *)key.ptr);
	return 0;
}

static int load_target(void *arg, struct span key, struct span val)
{
	struct mgs *m = arg;
	struct reg_target t = {0};
	struct mgs_target_rec rec;

	if (!val.ptr || dec_mgs_target_rec(val, &rec) || rec.fsname.len > MAX_FSNAME ||
	    rec.nids.len > MAX_NIDS_TEXT || rec.uuid.len != UUID_LEN || rec.index > MAX_OST_INDEX)
		return skip("target", key);
	key_text(rec.fsname, t.fsname, sizeof(t.fsname));
	key_text(rec.nids, t.nids, sizeof(t.nids));
	memcpy(t.uuid, rec.uuid.ptr, UUID_LEN);
	t.type = rec.type;
	t.index = rec.index;
	t.starts = rec.starts;
	target_name_make(t.fsname, t.type, t.index, t.name);
	if (!span_eq(key, SPAN_STR(t.name)) || !fsname_ok(t.fsname))
		return skip("target", key);
	return registry_put_target(m->reg, &t);
}

static int load_param(void *arg, struct span key, struct span val)
{
	char name[MAX_PARAM_NAME + 1], value[MAX_PARAM_VALUE + 1];
	struct mgs_param_rec rec;
	struct mgs *m = arg;

	if (!val.ptr || dec_mgs_param_rec(val, &rec) || !key_text(key, name, sizeof(name)) ||
	    !key_text(rec.value, value, sizeof(value)))
		return skip("parameter", key);
	return registry_put_param(m->reg, name, value);
}

static int load_version(struct mgs *m, struct txn *t)
{
	struct mgs_config_rec rec;
	struct span val;
	int rc;

	rc = store_get(t, TABLE_mgs_config, SPAN_STR(VERSION_KEY), &val);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0)
		rc = dec_mgs_config_rec(val, &rec);
	if (rc == 0)
		registry_set_version(m->reg, rec.value);
	return rc;
}

static int load(struct mgs *m)
{
	bool in_batch;
	struct txn *t;
	int rc;

	rc = store_read(m->store, &t, &in_batch);
	if (rc == 0)
		rc = load_version(m, t);
	if (rc == 0)
		rc = store_walk(t, TABLE_mgs_target, SPAN_NONE, load_target, m);
	if (rc == 0)
		rc = store_walk(t, TABLE_mgs_param, SPAN_NONE, load_param, m);
	return rc;
}

/* ---- writing ---- */

static int put_version(struct mgs *m, struct txn *t)
{
	struct mgs_config_rec rec = {registry_version(m->reg) + 1};
	uint8_t mem[16];
	struct wbuf w;

	wbuf_init_fixed(&w, mem, sizeof(mem));
	enc_mgs_config_rec(&w, &rec);
	assert(w.rc == 0);
	return store_put(t, TABLE_mgs_config, SPAN_STR(VERSION_KEY), wbuf_span(&w));
}

int mgs_co_write(struct mgs *m, const struct mgs_change *c)
{
	struct txn *t;
	int rc;

	if (c->val && c->val->rc)
		return c->val->rc;
	rc = c->val ? store_space_check(m->store) : 0;
	if (rc == 0)
		rc = store_write(m->store, &t);
	if (rc)
		return rc;
	rc = c->val ? store_put(t, c->table, SPAN_STR(c->key), wbuf_span(c->val))
		    : store_del(t, c->table, SPAN_STR(c->key));
	if (rc == -ENOENT) /* a record to delete that is gone already */
		rc = 0;
	if (rc == 0)
		rc = put_version(m, t);
	return rc ? rc : store_co_sync(m->store);
}

void mgs_changed(struct mgs *m)
{
	registry_set_version(m->reg, registry_version(m->reg) + 1);
	co_wake_all(&m->news);
}

int mgs_op_blob(struct rpc_op *op, const struct wbuf *w, struct span *out)
{
	uint8_t *mem;

	if (w->rc)
		return w->rc;
	mem = rpc_op_alloc(op, w->len + 1);
	if (!mem)
		return -ENOMEM;
	if (w->len)
		memcpy(mem, w->ptr, w->len);
	*out = (struct span){mem, w->len};
	return 0;
}

/* ---- parameters ---- */

struct live_param {
	struct mgs *m;
	char fsname[MAX_FSNAME + 1];
};

static int live_get(void *arg, struct wbuf *w)
{
	struct live_param *lp = arg;

	registry_print_live(lp->m->reg, lp->fsname, w);
	return 0;
}

static int filesystems_get(void *arg, struct wbuf *w)
{
	struct mgs *m = arg;

	registry_print_filesystems(m->reg, w);
	return 0;
}

static int params_show(void *arg, struct wbuf *w)
{
	struct mgs *m = arg;

	registry_print_params(m->reg, w);
	return 0;
}

static int sessions_get(void *arg, struct wbuf *w)
{
	struct mgs *m = arg;
	char text[16];

	snprintf(text, sizeof(text), "%u", rpc_service_nsessions(m->svc));
	wbuf_put(w, text, (uint32_t)strlen(text));
	return 0;
}

void mgs_show_fs(struct mgs *m, const char *fsname)
{
	struct live_param *lp = calloc(1, sizeof(*lp));
	char name[64];

	if (!lp || params_own(m->cfg.params, lp)) {
		free(lp);
		log_warn("no memory to show file system %s", fsname);
		return;
	}
	lp->m = m;
	snprintf(lp->fsname, sizeof(lp->fsname), "%s", fsname);
	snprintf(name, sizeof(name), "mgs.MGS.live.%s", fsname);
	if (param_add(m->cfg.params, name, live_get, NULL, lp))
		log_warn("parameter %s cannot be added", name);
}

static int add_params(struct mgs *m)
{
	struct params *ps = m->cfg.params;
	struct wbuf names;
	char *fs, *save = NULL;
	int rc;

	rc = param_add(ps, "mgs.MGS.filesystems", filesystems_get, NULL, m);
	if (rc == 0)
		rc = param_add(ps, "mgs.MGS.params", params_show, NULL, m);
	if (rc == 0)
		rc = param_add(ps, "mgs.MGS.num_exports", sessions_get, NULL, m);
	if (rc == 0)
		rc = server_param_stats(ps, "mgs.MGS.stats", m->cfg.loop, m->svc);
	if (rc)
		return rc;
	wbuf_init(&names, MAX_BODY);
	registry_print_filesystems(m->reg, &names);
	wbuf_put(&names, "", 1);
	rc = names.rc;
	if (rc == 0)
		for (fs = strtok_r((char *)names.ptr, "\n", &save); fs;
		     fs = strtok_r(NULL, "\n", &save))
			mgs_show_fs(m, fs);
	wbuf_fini(&names);
	return rc;
}

/* ---- life ---- */

static int open_store(struct mgs *m, char *why, size_t why_len)
{
	char path[MAX_PATH];
	struct store_cfg cfg = {
		.loop = m->cfg.loop,
		.dir = path,
		.tables = mgs_tables,
		.ntables = MGS_NTABLES,
		.nosync = m->cfg.nosync,
		.reserve_bytes = STORE_RESERVE,
		.strict = true, /* few changes, and none that clients would send again */
	};
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/db", m->cfg.dir) >= sizeof(path)) {
		snprintf(why, why_len, "%s: path is too long", m->cfg.dir);
		return -ENAMETOOLONG;
	}
	rc = store_open(&cfg, &m->store);
	if (rc == 0)
		rc = load(m);
	if (rc)
		snprintf(why, why_len, "%s/db: %s", m->cfg.dir, err_str(rc));
	return rc;
}

/* Whoever left waits for news no more. */
static void session_co_close(void *arg, struct rpc_session *s, bool evicted)
{
	(void)s;
	(void)evicted;
	co_wake_all(&((struct mgs *)arg)->news);
}

static const struct rpc_service_ops service_ops = {
	.session_co_close = session_co_close,
};

static int create_service(struct mgs *m)
{
	struct rpc_service_cfg cfg = {
		.loop = m->cfg.loop,
		.name = "MGS",
		.handlers = mgs_handlers,
		.nhandlers = ARRAY_SIZE(mgs_handlers),
		.ops = &service_ops,
		.arg = m,
		.params = m->cfg.params,
		.boot_id = m->cfg.boot_id,
	};

	return rpc_service_create(&cfg, &m->svc);
}

/* What holds for every node holds for this one. */
static void apply_own(struct mgs *m)
{
	struct wbuf w;
	char *line, *eq, *save = NULL;

	wbuf_init(&w, MAX_BODY);
	registry_print_params(m->reg, &w);
	wbuf_put(&w, "", 1);
	for (line = w.rc ? NULL : strtok_r((char *)w.ptr, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		eq = strchr(line, '=');
		assert(eq); /* registry_check_param() lets no '=' into names */
		*eq = 0;
		if (params_set_sticky(m->cfg.params, line, eq + 1))
			log_warn("permanent parameter %s=%s cannot be set here", line, eq + 1);
	}
	wbuf_fini(&w);
}

int mgs_create(const struct mgs_cfg *cfg, struct mgs **out, char *why, size_t why_len)
{
	struct mgs *m = calloc(1, sizeof(*m));
	int rc;

	if (!m) {
		snprintf(why, why_len, "no memory");
		return -ENOMEM;
	}
	m->cfg = *cfg;
	co_mutex_init(&m->lock);
	co_waitq_init(&m->news);
	snprintf(why, why_len, "no memory");
	rc = registry_create(&m->reg);
	if (rc == 0)
		rc = open_store(m, why, why_len);
	if (rc == 0)
		rc = create_service(m);
	if (rc == 0)
		rc = add_params(m);
	if (rc) {
		mgs_destroy(m);
		return rc;
	}
	apply_own(m);
	log_info("MGS: version %" PRIu64 " of the configuration", registry_version(m->reg));
	*out = m;
	return 0;
}

void mgs_co_stop(struct mgs *m, uint32_t timeout_ms)
{
	m->stopping = true;
	co_wake_all(&m->news);
	rpc_service_co_stop(m->svc, timeout_ms);
}

void mgs_destroy(struct mgs *m)
{
	param_del_prefix(m->cfg.params, "mgs.MGS.");
	if (m->svc)
		rpc_service_destroy(m->svc);
	if (m->store)
		store_close(m->store);
	registry_destroy(m->reg);
	free(m);
}
