/* SPDX-License-Identifier: Apache-2.0 */
/* fake_cluster.h - servers for tests of the client core: they answer over real loopback
 * connections, but hold one file in memory and do what a test tells them. Everything runs on
 * one loop; a test body is a fiber. What they do not know they refuse.
 */
#pragma once
#include "client/core/core.h"
#include "common/hsm.h"
#include "common/log.h"
#include "common/rpc_msg.h"
#include "tests/unit/unit.h"
#include <fcntl.h>
#include <sys/stat.h>

enum { OSTS = 4, OBJ_MAX = 24 << 20, SS = 65536 };

struct fake_obj {
	bool exists;
	uint8_t *data;
	uint64_t size, version;
	uint32_t trunc_gen;
};

struct fake;
struct fake_server {
	struct fake *f;
	uint8_t type;
	uint32_t index;
	char name[MAX_TARGET_NAME];
	struct rpc_service *svc;
	struct nid at;
	struct fake_obj obj; /* stripe `index` of the file */
};

struct fake {
	struct loop *l;
	struct fs *fs;
	struct lane *ln;
	struct fake_server mgs, mdt, ost[OSTS];
	uint32_t osts_known; /* to the configuration */
	uint64_t version;
	struct co_waitq config_q, lock_q;
	/* the file */
	struct fid fid;
	struct attr attr;
	uint32_t lease; /* on data; 0: LEASE_CONTENDED */
	uint64_t promise; /* what an OST promises when asked */
	struct layout *layout;
	uint64_t open_seq;
	bool sole;
	/* what was asked */
	uint32_t calls[RPC_NR_MAX];
	struct mds_close_req closed;
	struct mds_setattr_req set;
	struct mds_setlk_req lock;
	/* what is to happen */
	int64_t now;
	void (*before_write)(struct fake *f);
	void (*after_oss_getattr)(struct fake *f); /* the answer is made, and not sent yet */
	uint32_t answered; /* by this OST */
	/* fills in what mds_create grants, and may do what comes before the answer */
	void (*on_create)(const struct mds_create_req *q, struct mds_create_rep *p);
	bool hold_reads; /* have seen the bytes, and do not answer yet */
	uint32_t held, ncopies;
	void *copies[16];
	void (*on_data)(struct fake *f, const struct mds_data_req *q);
	int write_rc;	 /* of the next oss_write */
	uint32_t stable_writes; /* with OSS_WRITE_SYNC */
	int set_rc;	 /* of mds_setattr */
	uint32_t closed_before_set;
	bool hold_unlinks; /* have come, and are not answered yet */
	int unlink_rc;
	struct fid own_files[8]; /* that the MDS says this client is alone with */
	bool cache_data; /* the mount keeps data */
	bool opens_ahead; /* a lookup may open the file */
	uint64_t opened_id; /* the last that did */
	uint32_t names;     /* in any directory that is listed */
	bool lookup_finds;  /* them */
	uint64_t listed;    /* bytes of them */
	bool released;	    /* mds_data says so; what is back: */
	int (*on_wait)(const struct mds_hsm_wait_req *q, struct mds_hsm_wait_rep *p);
	int (*on_read)(const struct oss_read_req *q); /* an error of oss_read */
};

static struct fake *fake;

static UNUSED struct fake_server *fake_of(struct rpc_op *op)
{
	struct fake_server *s = rpc_service_arg(op->svc);

	fake->calls[op->desc->nr]++;
	return s;
}

static UNUSED void *fake_blob(struct rpc_op *op, const struct wbuf *w)
{
	void *mem = rpc_op_alloc(op, w->len + 1);

	assert_non_null(mem);
	memcpy(mem, w->ptr, w->len);
	return mem;
}

static UNUSED struct span fake_layout(struct rpc_op *op)
{
	struct wbuf w;
	struct span s;

	wbuf_init(&w, MAX_BODY);
	assert_int_equal(layout_enc(&w, fake->layout), 0);
	s = (struct span){fake_blob(op, &w), w.len};
	wbuf_fini(&w);
	return s;
}

/* ---- MGS ---- */

static UNUSED void fake_add_target(struct wbuf *w, const struct fake_server *s)
{
	uint8_t uuid[UUID_LEN] = {s->type, (uint8_t)s->index};
	char nid[NID_STRLEN];
	struct mgs_target t = {.type = s->type, .index = s->index, .name = SPAN_STR(s->name),
			       .uuid = {uuid, UUID_LEN}, .starts = 1};

	nid_str(&s->at, 0, nid);
	t.nids = SPAN_STR(nid);
	enc_mgs_target(w, &t);
}

static UNUSED int fake_config(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mgs_config_req *q = qv;
	struct mgs_config_rep *p = pv;
	struct wbuf w;
	uint32_t i;

	fake_of(op);
	if (!span_eq(q->fsname, SPAN_STR("lustre")))
		return -ENOENT;
	if (q->have == fake->version && q->wait_ms) { /* news or the end of the wait: both answer */
		int rc = co_wait(&fake->config_q, loop_now(fake->l) + q->wait_ms * NSEC_PER_MSEC);

		assert_true(rc == 0 || rc == -ETIMEDOUT);
	}
	p->version = fake->version;
	if (q->have == fake->version)
		return 0;
	wbuf_init(&w, MAX_BODY);
	fake_add_target(&w, &fake->mdt);
	for (i = 0; i < fake->osts_known; i++)
		fake_add_target(&w, &fake->ost[i]);
	p->targets = (struct span){fake_blob(op, &w), w.len};
	wbuf_fini(&w);
	return 0;
}

static UNUSED int fake_filesystems(struct rpc_op *op, const void *qv, void *pv)
{
	struct mgs_filesystems_rep *p = pv;

	(void)qv;
	fake_of(op);
	p->names = SPAN_STR("lustre");
	return 0;
}

/* ---- MDS ---- */

/* Its cookie, 0: there is none. */
static UNUSED uint64_t fake_listed(struct span name)
{
	char s[24];
	uint32_t i;

	for (i = 0; i < fake->names; i++) {
		snprintf(s, sizeof(s), "name%u", (unsigned)i);
		if (span_eq(name, SPAN_STR(s)))
			return fake->lookup_finds ? i + 10 : 0;
	}
	return 0;
}

static UNUSED int fake_lookup(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mds_lookup_req *q = qv;
	struct mds_lookup_rep *p = pv;

	fake_of(op);
	if (!span_eq(q->name, SPAN_STR("file")) && !fake_listed(q->name))
		return -ENOENT;
	p->fid = fake->fid;
	p->attr = fake->attr;
	p->layout = fake_layout(op);
	p->seq = fake->calls[op->desc->nr];
	p->cookie = fake_listed(q->name);
	p->lease = fake->cache_data ? LEASE_LOOKUP | LEASE_UPDATE : 0;
	p->opened = fake->opens_ahead && q->open_id;
	if (p->opened) {
		p->lease |= LEASE_SHARED;
		fake->opened_id = q->open_id;
	}
	return 0;
}

/* Each leads to the file; a piece holds some thousand, or what is asked for. */
static UNUSED int fake_readdir(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mds_readdir_req *q = qv;
	struct mds_readdir_rep *p = pv;
	struct mds_dirent_plus e = {.fid = fake->fid, .dtype = 8, .attr = fake->attr};
	uint64_t i = q->cookie < 10 ? 0 : q->cookie - 9;
	char name[24];
	struct wbuf w;

	fake_of(op);
	e.lease = fake->cache_data ? LEASE_LOOKUP | LEASE_UPDATE : 0;
	wbuf_init(&w, MAX_BODY);
	for (; i < fake->names && w.len < q->max_bytes - 100; i++) {
		snprintf(name, sizeof(name), "name%u", (unsigned)i);
		e.cookie = i + 10;
		e.name = SPAN_STR(name);
		if (q->flags & READDIR_PLUS)
			enc_mds_dirent_plus(&w, &e);
		else
			enc_mds_dirent(&w, &(struct mds_dirent){i + 10, e.fid, e.dtype, e.name});
	}
	p->entries = (struct span){fake_blob(op, &w), w.len};
	p->seq = 1000;
	p->parent = FID_ROOT;
	p->eof = i == fake->names;
	fake->listed += w.len;
	wbuf_fini(&w);
	return 0;
}

/* A term that never ends, and nothing is ever recalled. */
static UNUSED int fake_recalls(struct rpc_op *op, const void *req, void *rep)
{
	const struct mds_recalls_req *q = req;
	struct mds_recalls_rep *p = rep;

	fake->calls[op->desc->nr]++;
	if (q->wait)
		co_sleep(20 * NSEC_PER_MSEC);
	p->renewed = 1;
	p->term_ms = 3600 * 1000;
	return 0;
}

/* Everything goes straight to the objects, unless the test wants more. */
static UNUSED int fake_data(struct rpc_op *op, const void *req, void *rep)
{
	struct mds_data_rep *p = rep;

	if (fake->on_data)
		fake->on_data(fake, req);
	p->seq = ++fake->calls[op->desc->nr];
	p->lease = fake->lease ? fake->lease : LEASE_CONTENDED;
	p->attr = fake->attr;
	p->released = fake->released;
	return 0;
}

static UNUSED int fake_give_back(struct rpc_op *op, const void *req, void *rep)
{
	(void)req;
	(void)rep;
	fake->calls[op->desc->nr]++;
	return 0;
}

static UNUSED int fake_unlink(struct rpc_op *op, const void *req, void *rep)
{
	const struct mds_unlink_req *q = req;
	struct mds_unlink_rep *p = rep;

	fake->calls[op->desc->nr]++;
	while (fake->hold_unlinks)
		co_sleep(NSEC_PER_MSEC);
	if (fake->unlink_rc)
		return fake->unlink_rc;
	p->fid = fid_is_zero(&q->child) ? (struct fid){FID_SEQ_NORMAL + 1, 50, 0} : q->child;
	p->parent_attr = (struct attr){
		.mode = S_IFDIR | 0755, .nlink = 2, .ctime = q->when, .mtime = q->when};
	p->seq = 1000 + fake->calls[op->desc->nr];
	p->parent_lease = LEASE_UPDATE;
	return 0;
}

static UNUSED int fake_own(struct rpc_op *op, const void *req, void *rep)
{
	struct mds_own_rep *p = rep;
	struct wbuf w;
	uint32_t i;

	(void)req;
	p->seq = 1000 + fake->calls[RPC_mds_unlink];
	p->lease = LEASE_UPDATE | LEASE_OWN;
	p->now = loop_realtime(fake->l);
	p->attr = (struct attr){.mode = S_IFDIR | 0755, .nlink = 2, .ctime = 7, .mtime = 7};
	wbuf_init(&w, 4096);
	for (i = 0; i < ARRAY_SIZE(fake->own_files); i++)
		if (!fid_is_zero(&fake->own_files[i]))
			enc_mds_fid(&w, &(struct mds_fid){fake->own_files[i]});
	p->files = (struct span){fake_blob(op, &w), w.len};
	wbuf_fini(&w);
	fake->calls[op->desc->nr]++;
	return 0;
}

static UNUSED int fake_getattr(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mds_getattr_req *q = qv;
	struct mds_getattr_rep *p = pv;

	fake_of(op);
	if (!fid_eq(&q->fid, &fake->fid)) {
		p->attr = (struct attr){.mode = S_IFDIR | 0755, .nlink = 2};
		return 0;
	}
	p->attr = fake->attr;
	p->layout = fake_layout(op);
	p->open_seq = fake->open_seq;
	return 0;
}

static UNUSED int fake_setattr(struct rpc_op *op, const void *qv, void *pv)
{
	struct mds_setattr_rep *p = pv;

	fake_of(op);
	fake->set = *(const struct mds_setattr_req *)qv;
	fake->closed_before_set = fake->calls[RPC_mds_close];
	if (fake->set_rc)
		return fake->set_rc;
	if (fake->set.valid & SETATTR_KILL_PRIV)
		fake->attr.mode &= ~(uint32_t)S_ISUID;
	p->attr = fake->attr;
	p->layout = fake_layout(op);
	p->open_seq = fake->open_seq;
	return 0;
}

static UNUSED int fake_open(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mds_open_req *q = qv;
	struct mds_open_rep *p = pv;

	fake_of(op);
	if (q->open_flags & OPEN_WRITE) {
		fake->attr.flags |= ATTR_SIZE_UNSURE;
		fake->open_seq++;
	}
	p->attr = fake->attr;
	p->layout = fake_layout(op);
	p->open_seq = fake->open_seq;
	p->sole = fake->sole;
	return 0;
}

static UNUSED int fake_alloc_seq(struct rpc_op *op, const void *qv, void *pv)
{
	struct mds_alloc_seq_rep *p = pv;

	(void)qv;
	fake_of(op);
	p->seq = FID_SEQ_NORMAL + 2;
	return 0;
}

/* The file becomes that one. */
static UNUSED int fake_create(struct rpc_op *op, const void *qv, void *pv)
{
	const struct mds_create_req *q = qv;
	struct mds_create_rep *p = pv;

	fake_of(op);
	p->fid = fake->fid = q->fid;
	p->attr = fake->attr;
	p->layout = fake_layout(op);
	if (fake->on_create)
		fake->on_create(q, p);
	return 0;
}

static UNUSED int fake_close(struct rpc_op *op, const void *qv, void *pv)
{
	(void)pv;
	fake_of(op);
	fake->closed = *(const struct mds_close_req *)qv;
	return 0;
}

static UNUSED int fake_layout_rpc(struct rpc_op *op, const void *qv, void *pv)
{
	struct mds_layout_rep *p = pv;

	(void)qv;
	fake_of(op);
	p->layout = fake_layout(op);
	return 0;
}

static UNUSED int fake_setlk(struct rpc_op *op, const void *qv, void *pv)
{
	(void)pv;
	fake_of(op);
	fake->lock = *(const struct mds_setlk_req *)qv;
	if (!fake->lock.wait || fake->lock.space == LOCK_APPEND)
		return 0;
	return co_wait(&fake->lock_q, 0); /* until a test or a cancel says so */
}

static UNUSED int fake_cancel(struct rpc_op *op, const void *qv, void *pv)
{
	(void)qv, (void)pv;
	fake_of(op);
	co_wake_all_rc(&fake->lock_q, -EINTR);
	return 0;
}

static UNUSED int fake_sync(struct rpc_op *op, const void *qv, void *pv)
{
	(void)qv, (void)pv;
	fake_of(op);
	return 0;
}

/* ---- OSTs ---- */

#define FAKE_ATTR(p, o)                           \
	((p)->flags = (o)->exists ? OBJ_EXISTS : 0, \
	 (p)->size = (o)->size, (p)->blocks = ((o)->size + 511) / 512, \
	 (p)->mtime = (o)->exists ? fake->now : 0, (p)->version = (o)->version)

static UNUSED int fake_oss_getattr(struct rpc_op *op, const void *qv, void *pv)
{
	struct fake_server *s = fake_of(op);
	struct fake_obj *o = &s->obj;
	struct oss_getattr_rep *p = pv;
	void (*fn)(struct fake *) = fake->after_oss_getattr;

	(void)qv;
	FAKE_ATTR(p, o);
	fake->answered = s->index;
	fake->after_oss_getattr = NULL;
	if (fn)
		fn(fake);
	return 0;
}

static UNUSED void fake_put_bytes(struct fake_obj *o, uint64_t off, const void *src, size_t len)
{
	assert_true(off + len <= OBJ_MAX);
	if (!o->data)
		o->data = calloc(1, OBJ_MAX);
	assert_non_null(o->data);
	memcpy(o->data + off, src, len);
	o->exists = true;
	o->version++;
	if (off + len > o->size)
		o->size = off + len;
}

static UNUSED int fake_oss_grant(struct rpc_op *op, const void *qv, void *pv)
{
	struct oss_grant_rep *p = pv;

	(void)qv;
	fake->calls[op->desc->nr]++;
	p->grant = fake->promise;
	return 0;
}

static UNUSED int fake_oss_write(struct rpc_op *op, const void *qv, void *pv)
{
	struct fake_server *s = fake_of(op);
	const struct oss_write_req *q = qv;
	struct oss_write_rep *p = pv;
	uint64_t off = q->off;
	uint32_t i;

	assert_int_equal(q->stripe, s->index);
	if (fake->before_write) {
		void (*fn)(struct fake *) = fake->before_write;

		fake->before_write = NULL;
		fn(fake);
	}
	if (fake->write_rc) {
		int rc = fake->write_rc;

		fake->write_rc = 0;
		return rc;
	}
	if (q->trunc_gen < s->obj.trunc_gen)
		return -ESTALE;
	for (i = 0; i < op->in_n; i++) {
		fake_put_bytes(&s->obj, off, op->in[i].iov_base, op->in[i].iov_len);
		off += op->in[i].iov_len;
	}
	fake->stable_writes += q->flags & OSS_WRITE_SYNC ? 1 : 0;
	FAKE_ATTR(p, &s->obj);
	return 0;
}

/* The reply has the bytes of now, whatever becomes of the object. */
static UNUSED void fake_hold_read(struct iovec *iov)
{
	void *copy = malloc(iov->iov_len);

	assert_non_null(copy);
	memcpy(copy, iov->iov_base, iov->iov_len);
	fake->held++;
	while (fake->hold_reads)
		co_sleep(NSEC_PER_MSEC);
	fake->held--;
	iov->iov_base = copy;
	assert_true(fake->ncopies < ARRAY_SIZE(fake->copies));
	fake->copies[fake->ncopies++] = copy; /* freed at the end: it is sent after this */
}

static UNUSED int fake_oss_read(struct rpc_op *op, const void *qv, void *pv)
{
	struct fake_obj *o = &fake_of(op)->obj;
	const struct oss_read_req *q = qv;
	struct oss_read_rep *p = pv;
	int rc = fake->on_read ? fake->on_read(q) : 0;

	if (rc)
		return rc;
	if (q->off < o->size) {
		struct iovec *iov = rpc_op_alloc(op, sizeof(*iov));

		assert_non_null(iov);
		*iov = (struct iovec){o->data + q->off, min_u64(q->len, o->size - q->off)};
		op->out = iov;
		op->out_n = 1;
		if (fake->hold_reads)
			fake_hold_read(iov);
	}
	FAKE_ATTR(p, o);
	return 0;
}

/* Objects without holes. */
static UNUSED int fake_oss_seek(struct rpc_op *op, const void *qv, void *pv)
{
	struct fake_obj *o = &fake_of(op)->obj;
	const struct oss_seek_req *q = qv;
	struct oss_seek_rep *p = pv;

	if (q->off >= o->size)
		return -ENXIO;
	p->off = q->whence == SEEK_DATA ? q->off : o->size;
	return 0;
}

static UNUSED int fake_oss_sync(struct rpc_op *op, const void *qv, void *pv)
{
	(void)qv, (void)pv;
	fake_of(op);
	return 0;
}

static UNUSED int fake_oss_commit(struct rpc_op *op, const void *qv, void *pv)
{
	(void)qv, (void)pv;
	fake_of(op);
	return 0;
}

#include "tests/unit/client/core/fake_hsm.h"

static const struct rpc_handler fake_handlers[] = {
	{RPC_mds_hsm_request, fake_hsm_request}, {RPC_mds_hsm_set, fake_hsm_set},
	{RPC_mds_hsm_next, fake_hsm_next}, {RPC_mds_hsm_progress, fake_hsm_progress},
	{RPC_mgs_filesystems, fake_filesystems},
	{RPC_mds_recalls, fake_recalls},   {RPC_mds_data, fake_data},
	{RPC_mds_give_back, fake_give_back}, {RPC_mds_unlink, fake_unlink},
	{RPC_mds_own, fake_own},	   {RPC_mds_hsm_wait, fake_wait},
	{RPC_mgs_config, fake_config},	   {RPC_mds_lookup, fake_lookup},
	{RPC_mds_readdir, fake_readdir},   {RPC_oss_grant, fake_oss_grant},
	{RPC_mds_getattr, fake_getattr},   {RPC_mds_setattr, fake_setattr},
	{RPC_mds_open, fake_open},	   {RPC_mds_close, fake_close},
	{RPC_mds_create, fake_create},	   {RPC_mds_alloc_seq, fake_alloc_seq},
	{RPC_mds_layout, fake_layout_rpc}, {RPC_mds_setlk, fake_setlk},
	{RPC_mds_sync, fake_sync},	   {RPC_mds_cancel, fake_cancel},
	{RPC_oss_getattr, fake_oss_getattr},
	{RPC_oss_write, fake_oss_write},   {RPC_oss_read, fake_oss_read},
	{RPC_oss_seek, fake_oss_seek},	   {RPC_oss_sync, fake_oss_sync},
	{RPC_oss_commit, fake_oss_commit},
};

static UNUSED int fake_bulk_get(void *arg, uint32_t len, struct iovec **iov, uint32_t *n,
				void **cookie)
{
	struct iovec *v = malloc(sizeof(*v) + len);

	(void)arg;
	if (!v)
		return -ENOMEM;
	*v = (struct iovec){v + 1, len};
	*iov = v;
	*n = 1;
	*cookie = v;
	return 0;
}

static UNUSED void fake_bulk_put(void *arg, void *cookie)
{
	(void)arg;
	free(cookie);
}

static const struct rpc_service_ops fake_ops = {.bulk_get = fake_bulk_get,
						.bulk_put = fake_bulk_put};

/* ---- the whole ---- */

static UNUSED void fake_serve(struct fake_server *s, uint8_t type, uint32_t index, const char *name)
{
	struct rpc_service_cfg cfg = {.loop = fake->l, .name = s->name, .handlers = fake_handlers,
				      .nhandlers = ARRAY_SIZE(fake_handlers), .ops = &fake_ops,
				      .arg = s, .boot_id = 1};
	char why[128];

	s->f = fake;
	s->type = type;
	s->index = index;
	snprintf(s->name, sizeof(s->name), "%s", name);
	assert_int_equal(rpc_service_create(&cfg, &s->svc), 0);
	assert_int_equal(nid_parse("127.0.0.1@tcp", 1, &s->at, why, sizeof(why)), 0);
	nid_set_port(&s->at, 0);
	assert_int_equal(rpc_service_listen(s->svc, &s->at), 0);
	rpc_service_local(s->svc, &s->at);
}

static UNUSED void fake_stop(struct fake_server *s)
{
	rpc_service_co_stop(s->svc, 1000);
	rpc_service_destroy(s->svc);
	free(s->obj.data);
}

/* A file of `stripes` stripes of 64 KiB, empty. */
static UNUSED void fake_file(int32_t stripes)
{
	uint32_t ost[OSTS] = {0, 1, 2, 3};

	layout_free(fake->layout);
	assert_int_equal(layout_plain(SS, stripes, -1, NULL, ost, &fake->layout), 0);
	fake->fid = (struct fid){FID_SEQ_NORMAL + 1, 1, 0};
	fake->attr = (struct attr){.mode = S_IFREG | 0644, .nlink = 1, .ctime = 1, .mtime = 1};
	fake->sole = true;
}

static UNUSED struct file *fake_open_file(int flags)
{
	struct file *file;

	assert_int_equal(fs_co_open(fake->ln, &fake->fid, flags, &file, NULL), 0);
	return file;
}

typedef void fake_fn(struct fake *f);

static UNUSED void fake_fiber(void *arg)
{
	fake_fn *fn = *(fake_fn **)arg;
	char name[MAX_TARGET_NAME];
	uint32_t i;

	fake_serve(&fake->mgs, TARGET_MGS, 0, "MGS");
	fake_serve(&fake->mdt, TARGET_MDT, 0, "lustre-MDT0000");
	for (i = 0; i < OSTS; i++) {
		snprintf(name, sizeof(name), "lustre-OST%04x", i);
		fake_serve(&fake->ost[i], TARGET_OST, i, name);
	}
	fn(fake);
	co_wake_all(&fake->config_q);
	for (i = 0; i < OSTS; i++)
		fake_stop(&fake->ost[i]);
	fake_stop(&fake->mdt);
	fake_stop(&fake->mgs);
	loop_stop(fake->l);
}

/* Starts a lane on what the fake servers tell; text of the error in why. */
static UNUSED int fake_mount(const char *fsname, const char *subdir, char *why, size_t why_len)
{
	struct fs_cfg cfg = {.timeout_ms = 5000, .name = "test 1", .flock = true,
			     .cache_data = fake->cache_data};
	int rc;

	cfg.source.mgs.nid[0] = fake->mgs.at;
	cfg.source.mgs.n = 1;
	snprintf(cfg.source.fsname, sizeof(cfg.source.fsname), "%s", fsname);
	snprintf(cfg.source.subdir, sizeof(cfg.source.subdir), "%s", subdir);
	assert_int_equal(fs_create(&cfg, &fake->fs), 0);
	assert_int_equal(lane_create(fake->fs, fake->l, 0, &fake->ln), 0);
	rc = lane_co_start(fake->ln, why, why_len);
	return rc;
}

static UNUSED void fake_unmount(void)
{
	lane_co_stop(fake->ln);
	fs_destroy(fake->fs);
}

/* Runs body in a mount; what it finds is set before. */
static UNUSED void fake_mounted(fake_fn *body)
{
	char why[256];

	assert_int_equal(fake_mount("lustre", "", why, sizeof(why)), 0);
	body(fake);
	fake_unmount();
}

/* A test of cmocka: in the fiber of the fake cluster, mounted(body). */
#define FAKE_MOUNTED_TEST(name, mounted, body)          \
	static void body##_mounted(struct fake *f)      \
	{                                               \
		(void)f;                                \
		mounted(body);                          \
	}                                               \
	static void name(void **state)                  \
	{                                               \
		(void)state;                            \
		fake_run(body##_mounted);               \
	}

static UNUSED void fake_run(fake_fn *fn)
{
	fake = calloc(1, sizeof(*fake));
	assert_non_null(fake);
	fake->osts_known = OSTS;
	fake->version = 1;
	fake->now = 1000;
	co_waitq_init(&fake->config_q);
	co_waitq_init(&fake->lock_q);
	assert_int_equal(loop_create(&fake->l), 0);
	assert_int_equal(fiber_spawn(fake->l, fake_fiber, &fn), 0);
	loop_run(fake->l);
	loop_destroy(fake->l);
	layout_free(fake->layout);
	fiber_pool_drain();
	rpc_frame_drain();
	while (fake->ncopies)
		free(fake->copies[--fake->ncopies]);
	free(fake);
}
