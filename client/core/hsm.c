/* SPDX-License-Identifier: Apache-2.0 */
/* hsm.c - see hsm.h. */
#include "client/core/hsm.h"
#include "client/core/core.h"
#include <inttypes.h>
#include <stdarg.h>

static void put(struct wbuf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void put(struct wbuf *out, const char *fmt, ...)
{
	char line[HSM_NAME_MAX + 64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	wbuf_put(out, line, (uint32_t)min_u64((uint64_t)n, sizeof(line) - 1));
}

int fs_co_hsm_text(struct lane *ln, const struct fid *fid, struct wbuf *out)
{
	struct mds_hsm_state_req q = {.fid = *fid};
	struct mds_hsm_state_rep p;
	RPC_CALL(call);
	int rc;

	unlinks_co_wait(ln, fid);
	rc = mds_co_hsm_state(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	put(out, "flags 0x%x\narchive %u\naction %u\nrunning %u\nmoved %" PRIu64 "\n", p.flags,
	    p.archive, p.action, p.running, p.moved);
	put(out, "changed %u\nerror %d\n", p.changed, -p.error);
	put(out, "name %.*s\n", (int)p.name.len, p.name.len ? (const char *)p.name.ptr : "");
	put(out, "etag %.*s\n", (int)p.etag.len, p.etag.len ? (const char *)p.etag.ptr : "");
	return out->rc;
}

int fs_co_hsm_state(struct lane *ln, const struct fid *fid, struct fs_hsm_state *out)
{
	struct mds_hsm_state_req q = {.fid = *fid};
	struct mds_hsm_state_rep p;
	RPC_CALL(call);
	int rc;

	*out = (struct fs_hsm_state){0};
	unlinks_co_wait(ln, fid);
	rc = mds_co_hsm_state(ln->mdt->imp, &call, &q, &p);
	if (rc)
		return rc;
	if (p.name.len > HSM_NAME_MAX)
		return -EIO;
	out->flags = p.flags;
	out->archive = p.archive;
	out->action = p.action;
	out->changed = p.changed;
	out->error = p.error;
	if (p.name.len)
		memcpy(out->name, p.name.ptr, p.name.len);
	return 0;
}

static int check_owner(struct lane *ln, const struct fid *fid, const struct cred *cred)
{
	struct attr a;
	int rc;

	if (cred->uid == 0)
		return 0;
	rc = fs_co_getattr(ln, fid, &a);
	return rc ? rc : a.uid == cred->uid ? 0 : -EPERM;
}

int fs_co_hsm_set(struct lane *ln, const struct fid *fid, uint32_t set, uint32_t clear,
		  uint32_t archive, const struct cred *cred)
{
	struct mds_hsm_set_req q = {.fid = *fid, .set = set, .clear = clear, .archive = archive};
	struct mds_hsm_set_rep p;
	RPC_CALL(call);
	int rc = check_owner(ln, fid, cred);

	if (rc == 0 && cred->uid && (((set | clear) & ~(uint32_t)HSM_USER_FLAGS) || archive))
		rc = -EPERM;
	if (rc)
		return rc;
	unlinks_co_wait(ln, fid);
	return mds_co_hsm_set(ln->mdt->imp, &call, &q, &p);
}

int fs_co_hsm_request(struct lane *ln, const struct fid *fid, uint32_t action, uint32_t archive,
		      struct span data, const struct cred *cred, uint64_t *cookie)
{
	struct mds_hsm_request_req q = {
		.fid = *fid, .action = action, .archive = archive, .data = data};
	struct mds_hsm_request_rep p = {0};
	RPC_CALL(call);
	int rc = check_owner(ln, fid, cred);

	if (rc)
		return rc;
	unlinks_co_wait(ln, fid);
	rc = mds_co_hsm_request(ln->mdt->imp, &call, &q, &p);
	*cookie = p.cookie;
	return rc;
}

/* ---- movers ---- */

static int tell(struct span work, fs_hsm_work_fn *fn, void *arg)
{
	struct rbuf b = rbuf_of(work);
	struct mds_hsm_work w;
	int rc;

	while (b.len) {
		rc = dec_mds_hsm_work(&b, &w);
		if (rc)
			return rc;
		fn(arg, &(struct fs_hsm_work){w.cookie, w.action, w.fid, w.archive, w.name, w.etag,
					      w.data, w.same, w.released});
	}
	return 0;
}

int fs_co_hsm_next(struct lane *ln, uint32_t archives, uint32_t max, const uint64_t *have,
		   uint32_t nhave, fs_hsm_work_fn *fn, void *arg)
{
	struct mds_hsm_next_req q = {.archives = archives, .max = max};
	struct mds_hsm_next_rep p;
	struct wbuf w;
	RPC_CALL(call);
	uint32_t i;
	int rc;

	wbuf_init(&w, MAX_BODY / 2);
	for (i = 0; i < nhave; i++)
		enc_mds_hsm_cookie(&w, &(struct mds_hsm_cookie){have[i]});
	q.have = wbuf_span(&w);
	rc = w.rc;
	if (rc == 0)
		rc = mds_co_hsm_next(ln->mdt->imp, &call, &q, &p);
	if (rc == 0)
		rc = tell(p.work, fn, arg);
	wbuf_fini(&w);
	return rc;
}

int fs_co_hsm_progress(struct lane *ln, const struct fs_hsm_progress *p, bool *stop, bool *changed)
{
	struct mds_hsm_progress_req q = {
		.cookie = p->cookie,
		.moved = p->moved,
		.done = p->done,
		.error = p->error,
		.name = p->name ? SPAN_STR(p->name) : SPAN_NONE,
		.etag = p->etag ? SPAN_STR(p->etag) : SPAN_NONE,
	};
	struct mds_hsm_progress_rep r = {0};
	RPC_CALL(call);
	int rc = mds_co_hsm_progress(ln->mdt->imp, &call, &q, &r);

	*stop = r.stop;
	*changed = r.changed;
	return rc;
}

/* ---- import ---- */

enum { ENTRY_FIXED = 128 }; /* more than the fields of one length take, and the lengths of others */

uint32_t fs_hsm_import_size(const struct mds_import_entry *e)
{
	return ENTRY_FIXED + e->name.len + e->target.len + e->blob.len + e->etag.len;
}

static int import_results(struct span s, struct mds_import_result *results, uint32_t n)
{
	struct rbuf b = rbuf_of(s);
	uint32_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		rc = b.len ? dec_mds_import_result(&b, &results[i]) : -EPROTO;
	return rc;
}

int fs_co_hsm_import(struct lane *ln, uint32_t mode, uint32_t archive, struct mds_import_entry *e,
		     uint32_t n, struct mds_import_result *results)
{
	struct mds_hsm_import_req q = {.mode = mode, .archive = archive};
	struct mds_hsm_import_rep p;
	struct wbuf w;
	RPC_CALL(call);
	uint32_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		if (fid_is_zero(&e[i].fid))
			rc = seq_co_fid(ln, &e[i].fid);
	if (rc)
		return rc;
	wbuf_init(&w, FS_HSM_IMPORT_BYTES);
	for (i = 0; i < n; i++)
		enc_mds_import_entry(&w, &e[i]);
	q.entries = wbuf_span(&w);
	rc = w.rc;
	if (rc == 0)
		rc = mds_co_hsm_import(ln->mdt->imp, &call, &q, &p);
	if (rc == 0)
		rc = import_results(p.results, results, n);
	wbuf_fini(&w);
	return rc;
}
