/* SPDX-License-Identifier: Apache-2.0 */
/* fake_hsm.h - the part of fake_cluster.h that is about the archive; included there. */
#pragma once

static UNUSED int fake_wait(struct rpc_op *op, const void *req, void *rep)
{
	fake_of(op);
	return fake->on_wait(req, rep);
}

static UNUSED int fake_hsm_request(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mds_hsm_request_req *q = qv;
	struct mds_hsm_request_rep *p = pv;

	fake_of(op);
	p->cookie = q->action * 1000 + q->archive;
	return 0;
}

static UNUSED int fake_hsm_set(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mds_hsm_set_req *q = qv;
	struct mds_hsm_set_rep *p = pv;

	fake_of(op);
	p->flags = q->set;
	return 0;
}

/* One piece of work for each cookie that the mover has, and one that it has not. */
static UNUSED int fake_hsm_next(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mds_hsm_next_req *q = qv;
	struct mds_hsm_next_rep *p = pv;
	struct rbuf b = rbuf_of(q->have);
	struct mds_hsm_work work = {.action = HSM_CANCEL, .fid = fake->fid};
	struct mds_hsm_cookie c;
	struct wbuf w;

	fake_of(op);
	wbuf_init_fixed(&w, rpc_op_alloc(op, 4096), 4096);
	while (b.len && dec_mds_hsm_cookie(&b, &c) == 0) {
		work.cookie = c.cookie;
		enc_mds_hsm_work(&w, &work);
	}
	enc_mds_hsm_work(&w, &(struct mds_hsm_work){.cookie = 99,
						    .action = HSM_ARCHIVE,
						    .fid = fake->fid,
						    .archive = q->archives,
						    .name = SPAN_STR("d/f"),
						    .etag = SPAN_STR("tag"),
						    .data = SPAN_STR("how"),
						    .same = 1});
	p->work = wbuf_span(&w);
	return w.rc;
}

static UNUSED int fake_hsm_progress(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mds_hsm_progress_req *q = qv;
	struct mds_hsm_progress_rep *p = pv;

	fake_of(op);
	p->stop = q->cookie == 1;
	p->changed = q->moved == 7;
	return 0;
}
