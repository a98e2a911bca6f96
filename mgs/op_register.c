/* SPDX-License-Identifier: Apache-2.0 */
/* op_register.c - a target says that it serves: joins its file system the first time, and tells
 * its addresses every time. Sent again after a lost answer it counts one start more, which harms
 * nobody. */
#include "common/log.h"
#include "mgs/mgs.h"
#include "mgs/schema.h"
#include <stdio.h>

static int write_target(struct mgs *m, const struct reg_target *t)
{
	struct mgs_target_rec rec = {
		.fsname = SPAN_STR(t->fsname),
		.type = t->type,
		.index = t->index,
		.uuid = {t->uuid, UUID_LEN},
		.nids = SPAN_STR(t->nids),
		.starts = t->starts,
	};
	struct mgs_change c = {TABLE_mgs_target, t->name, NULL};
	uint8_t mem[1024];
	struct wbuf w;

	wbuf_init_fixed(&w, mem, sizeof(mem));
	enc_mgs_target_rec(&w, &rec);
	c.val = &w;
	return mgs_co_write(m, &c);
}

static int register_locked(struct mgs *m, const struct mgs_register_req *q, struct reg_target *t)
{
	char why[1024] = "";
	bool new_fs;
	int rc;

	rc = registry_check_target(m->reg, q, t, why, sizeof(why));
	if (rc) {
		log_warn("MGS: registration refused: %s", why);
		return rc;
	}
	rc = write_target(m, t);
	if (rc == 0) {
		new_fs = !registry_has_fs(m->reg, t->fsname);
		rc = registry_put_target(m->reg, t);
		if (rc == 0 && new_fs)
			mgs_show_fs(m, t->fsname);
	}
	if (rc) {
		log_err("MGS: %s: cannot be registered: %s", t->name, err_str(rc));
		return rc;
	}
	if (t->starts == 1)
		log_info("MGS: %s joins file system %s, at %s", t->name, t->fsname, t->nids);
	else
		log_info("MGS: %s serves at %s", t->name, t->nids);
	mgs_changed(m);
	return 0;
}

int mgs_register(struct rpc_op *op, const struct mgs_register_req *q, struct mgs_register_rep *p)
{
	struct mgs *m = rpc_service_arg(op->svc);
	struct reg_target t;
	char *name;
	int rc;

	co_mutex_lock(&m->lock);
	rc = m->stopping ? -ESHUTDOWN : register_locked(m, q, &t);
	co_mutex_unlock(&m->lock);
	if (rc)
		return rc;
	name = rpc_op_alloc(op, sizeof(t.name));
	if (!name)
		return -ENOMEM;
	memcpy(name, t.name, sizeof(t.name));
	p->name = SPAN_STR(name);
	p->version = registry_version(m->reg);
	return 0;
}
