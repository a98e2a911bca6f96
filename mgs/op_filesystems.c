/* SPDX-License-Identifier: Apache-2.0 */
/* op_filesystems.c - names of the file systems, each with a newline. */
#include "mgs/mgs.h"

int mgs_filesystems(struct rpc_op *op, const struct mgs_filesystems_req *q,
		    struct mgs_filesystems_rep *p)
{
	struct mgs *m = rpc_service_arg(op->svc);
	struct wbuf w;
	int rc;

	(void)q;
	wbuf_init(&w, MAX_PATH); /* the limit of a str */
	registry_print_filesystems(m->reg, &w);
	rc = mgs_op_blob(op, &w, &p->names);
	wbuf_fini(&w);
	return rc;
}
