/* SPDX-License-Identifier: Apache-2.0 */
/* op_set_param.c - lctl set_param -P: keeps a parameter for good and tells every node. Whether a
 * value makes sense is for the nodes to say: the MGS does not know their parameters. */
#include "common/log.h"
#include "common/param.h"
#include "mgs/mgs.h"
#include "mgs/schema.h"
#include <stdio.h>

static int write_param(struct mgs *m, const char *name, const char *value)
{
	struct mgs_change c = {TABLE_mgs_param, name, NULL};
	struct mgs_param_rec rec;
	uint8_t mem[MAX_PARAM_VALUE + 16];
	struct wbuf w;

	wbuf_init_fixed(&w, mem, sizeof(mem));
	if (value) {
		rec.value = SPAN_STR(value);
		enc_mgs_param_rec(&w, &rec);
		c.val = &w;
	}
	return mgs_co_write(m, &c);
}

static int set_locked(struct mgs *m, const struct mgs_set_param_req *q)
{
	char name[MAX_PARAM_NAME + 1], value[MAX_PARAM_VALUE + 1];
	int rc;

	rc = registry_check_param(m->reg, q->name, q->del ? NULL : &q->value);
	if (rc)
		return rc;
	snprintf(name, sizeof(name), "%.*s", (int)q->name.len, (const char *)q->name.ptr);
	snprintf(value, sizeof(value), "%.*s", q->del ? 0 : (int)q->value.len,
		 q->value.ptr ? (const char *)q->value.ptr : "");
	rc = write_param(m, name, q->del ? NULL : value);
	if (rc == 0)
		rc = registry_put_param(m->reg, name, q->del ? NULL : value);
	if (rc) {
		log_err("MGS: parameter %s cannot be kept: %s", name, err_str(rc));
		return rc;
	}
	if (q->del)
		log_info("MGS: parameter %s is forgotten", name);
	else
		log_info("MGS: parameter %s=%s for every node", name, value);
	rc = params_set_sticky(m->cfg.params, name, q->del ? NULL : value);
	if (rc)
		log_warn("MGS: parameter %s=%s: %s", name, value, err_str(rc));
	mgs_changed(m);
	return 0;
}

int mgs_set_param(struct rpc_op *op, const struct mgs_set_param_req *q, struct mgs_set_param_rep *p)
{
	struct mgs *m = rpc_service_arg(op->svc);
	int rc;

	(void)p;
	co_mutex_lock(&m->lock);
	rc = m->stopping ? -ESHUTDOWN : set_locked(m, q);
	co_mutex_unlock(&m->lock);
	return rc;
}
