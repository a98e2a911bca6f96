/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - targets, permanent parameters and their version in memory; see registry.h.
 *
 * Two sorted arrays: a file system is the run of targets with its name. Some thousand targets are
 * changed a few times a day, so nothing cleverer is worth it.
 */
#include "mgs/registry.h"
#include "common/nid.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

struct reg_param {
	char *name, *value;
};

struct registry {
	uint64_t version;
	struct reg_target *target; /* by fsname, type, index */
	uint32_t ntargets;
	struct reg_param *param; /* by name */
	uint32_t nparams;
};

static int explain(int rc, char *why, size_t why_len, const char *fmt, ...) PRINTF_LIKE(4, 5);
static int explain(int rc, char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	return rc;
}

int registry_create(struct registry **out)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->version = 1;
	*out = r;
	return 0;
}

void registry_destroy(struct registry *r)
{
	uint32_t i;

	if (!r)
		return;
	for (i = 0; i < r->nparams; i++) {
		free(r->param[i].name);
		free(r->param[i].value);
	}
	free(r->param);
	free(r->target);
	free(r);
}

uint64_t registry_version(const struct registry *r)
{
	return r->version;
}

void registry_set_version(struct registry *r, uint64_t version)
{
	r->version = version;
}

/* Copies text of a peer that must be printable and fit. */
static bool take(struct span s, char *out, size_t cap)
{
	uint32_t i;

	if (s.len >= cap)
		return false;
	for (i = 0; i < s.len; i++)
		if (s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
			return false;
	if (s.len)
		memcpy(out, s.ptr, s.len);
	out[s.len] = 0;
	return true;
}

/* ---- targets ---- */

static int target_cmp(const struct reg_target *a, const struct reg_target *b)
{
	int rc = strcmp(a->fsname, b->fsname);

	if (rc)
		return rc;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* Place of t in the array; *found: it is there. */
static uint32_t target_place(const struct registry *r, const struct reg_target *t, bool *found)
{
	uint32_t lo = 0, hi = r->ntargets;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (target_cmp(&r->target[mid], t) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < r->ntargets && target_cmp(&r->target[lo], t) == 0;
	return lo;
}

static void enc_target(struct wbuf *w, const struct reg_target *t)
{
	struct mgs_target m = {
		.type = t->type,
		.index = t->index,
		.name = SPAN_STR(t->name),
		.nids = SPAN_STR(t->nids),
		.uuid = {t->uuid, UUID_LEN},
		.starts = t->starts,
	};

	enc_mgs_target(w, &m);
}

/* Every node gets the whole list in one reply, which has an end. */
static bool target_fits(const struct registry *r, const struct reg_target *new)
{
	struct wbuf w;
	uint32_t i;
	int rc;

	wbuf_init(&w, MAX_CONFIG_TARGETS);
	for (i = 0; i < r->ntargets; i++)
		if (strcmp(r->target[i].fsname, new->fsname) == 0 &&
		    target_cmp(&r->target[i], new) != 0)
			enc_target(&w, &r->target[i]);
	enc_target(&w, new);
	rc = w.rc;
	wbuf_fini(&w);
	return rc == 0;
}

static int check_values(const struct mgs_register_req *q, struct reg_target *t, char *why,
			size_t why_len)
{
	char text[160];
	struct nid_list l;

	if (!take(q->fsname, t->fsname, sizeof(t->fsname)) || !fsname_ok(t->fsname))
		return explain(-EINVAL, why, why_len, "bad file system name");
	if (q->type != TARGET_MDT && q->type != TARGET_OST)
		return explain(-EINVAL, why, why_len, "bad target type %u", q->type);
	if (q->index > MAX_OST_INDEX)
		return explain(-EINVAL, why, why_len, "index %u is above %u", q->index,
			       MAX_OST_INDEX);
	if (q->uuid.len != UUID_LEN)
		return explain(-EINVAL, why, why_len, "uuid of %u bytes", q->uuid.len);
	if (!take(q->nids, t->nids, sizeof(t->nids)))
		return explain(-EINVAL, why, why_len, "bad text of addresses");
	/* Default port 0 is refused below: whoever connects needs to know the port. */
	if (nid_list_parse_numeric(t->nids, 0, &l, text, sizeof(text)))
		return explain(-EINVAL, why, why_len, "addresses \"%s\": %s", t->nids, text);
	for (uint32_t i = 0; i < l.n; i++)
		if (nid_port(&l.nid[i]) == 0 || nid_is_wildcard(&l.nid[i]))
			return explain(-EINVAL, why, why_len,
				       "addresses \"%s\": port missing, or a wildcard", t->nids);
	t->type = q->type;
	t->index = q->index;
	memcpy(t->uuid, q->uuid.ptr, UUID_LEN);
	target_name_make(t->fsname, t->type, t->index, t->name);
	return 0;
}

int registry_check_target(const struct registry *r, const struct mgs_register_req *q,
			  struct reg_target *out, char *why, size_t why_len)
{
	char have[UUID_STRLEN], wants[UUID_STRLEN];
	struct reg_target t = {.starts = 1, .boot = q->boot};
	uint32_t at;
	bool found;
	int rc;

	rc = check_values(q, &t, why, why_len);
	if (rc)
		return rc;
	at = target_place(r, &t, &found);
	if (found) {
		const struct reg_target *old = &r->target[at];

		if (memcmp(old->uuid, t.uuid, UUID_LEN))
			return explain(-EEXIST, why, why_len,
				       "%s: index already in use: it belongs to target %s at %s, "
				       "not to target %s at %s",
				       t.name, uuid_str(old->uuid, have), old->nids,
				       uuid_str(t.uuid, wants), t.nids);
		t.starts = old->starts + 1;
	}
	if (!target_fits(r, &t))
		return explain(-ENOSPC, why, why_len,
			       "%s: the list of targets of %s would exceed %d bytes", t.name,
			       t.fsname, MAX_CONFIG_TARGETS);
	*out = t;
	return 0;
}

int registry_put_target(struct registry *r, const struct reg_target *t)
{
	struct reg_target *grown;
	bool found;
	uint32_t at = target_place(r, t, &found);

	if (!found) {
		grown = realloc(r->target, (r->ntargets + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		r->target = grown;
		memmove(&grown[at + 1], &grown[at], (r->ntargets - at) * sizeof(*grown));
		r->ntargets++;
	}
	r->target[at] = *t;
	return 0;
}

const struct reg_target *registry_find(const struct registry *r, const char *name)
{
	for (uint32_t i = 0; i < r->ntargets; i++)
		if (strcmp(r->target[i].name, name) == 0)
			return &r->target[i];
	return NULL;
}

/* ---- parameters ---- */

static int param_find(const struct registry *r, const char *name)
{
	for (uint32_t i = 0; i < r->nparams; i++)
		if (strcmp(r->param[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

static void enc_param(struct wbuf *w, const char *name, const char *value)
{
	struct mgs_param p = {SPAN_STR(name), SPAN_STR(value)};

	enc_mgs_param(w, &p);
}

static bool param_fits(const struct registry *r, const char *name, const char *value)
{
	struct wbuf w;
	uint32_t i;
	int rc;

	wbuf_init(&w, MAX_CONFIG_PARAMS);
	for (i = 0; i < r->nparams; i++)
		if (strcmp(r->param[i].name, name))
			enc_param(&w, r->param[i].name, r->param[i].value);
	enc_param(&w, name, value);
	rc = w.rc;
	wbuf_fini(&w);
	return rc == 0;
}

int registry_check_param(const struct registry *r, struct span name, const struct span *value)
{
	char n[MAX_PARAM_NAME + 1], v[MAX_PARAM_VALUE + 1];

	if (!take(name, n, sizeof(n)) || !n[0] || strpbrk(n, "= "))
		return -EINVAL;
	if (!value)
		return param_find(r, n) < 0 ? -ENOENT : 0;
	if (!take(*value, v, sizeof(v)))
		return -EINVAL;
	return param_fits(r, n, v) ? 0 : -ENOSPC;
}

static int param_add_new(struct registry *r, char *name, char *value)
{
	struct reg_param *grown;
	uint32_t at = 0;

	grown = realloc(r->param, (r->nparams + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	r->param = grown;
	while (at < r->nparams && strcmp(grown[at].name, name) < 0)
		at++;
	memmove(&grown[at + 1], &grown[at], (r->nparams - at) * sizeof(*grown));
	grown[at] = (struct reg_param){name, value};
	r->nparams++;
	return 0;
}

static void param_remove(struct registry *r, uint32_t at)
{
	free(r->param[at].name);
	free(r->param[at].value);
	r->nparams--;
	memmove(&r->param[at], &r->param[at + 1], (r->nparams - at) * sizeof(*r->param));
}

int registry_put_param(struct registry *r, const char *name, const char *value)
{
	int at = param_find(r, name), rc = -ENOMEM;
	char *n, *v;

	if (!value) {
		if (at >= 0)
			param_remove(r, (uint32_t)at);
		return 0;
	}
	n = strdup(name);
	v = strdup(value);
	if (n && v && at >= 0) {
		free(n);
		free(r->param[at].value);
		r->param[at].value = v;
		return 0;
	}
	if (n && v)
		rc = param_add_new(r, n, v);
	if (rc) {
		free(n);
		free(v);
	}
	return rc;
}

/* ---- printing ---- */

bool registry_has_fs(const struct registry *r, const char *fsname)
{
	for (uint32_t i = 0; i < r->ntargets; i++)
		if (strcmp(r->target[i].fsname, fsname) == 0)
			return true;
	return false;
}

int registry_enc(const struct registry *r, struct span fsname, struct wbuf *targets,
		 struct wbuf *params, struct wbuf *boots)
{
	char fs[MAX_FSNAME + 1];
	uint32_t i;

	if (!take(fsname, fs, sizeof(fs)) || !registry_has_fs(r, fs))
		return -ENOENT;
	for (i = 0; i < r->ntargets; i++)
		if (strcmp(r->target[i].fsname, fs) == 0) {
			enc_target(targets, &r->target[i]);
			enc_u64(boots, &r->target[i].boot);
		}
	for (i = 0; i < r->nparams; i++)
		enc_param(params, r->param[i].name, r->param[i].value);
	return targets->rc ? targets->rc : params->rc ? params->rc : boots->rc;
}

static void put_text(struct wbuf *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put_text(struct wbuf *w, const char *fmt, ...)
{
	char text[MAX_PARAM_NAME + MAX_PARAM_VALUE + 64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	wbuf_put(w, text, (uint32_t)min_u64((uint64_t)n, sizeof(text) - 1));
}

void registry_print_filesystems(const struct registry *r, struct wbuf *w)
{
	for (uint32_t i = 0; i < r->ntargets; i++)
		if (i == 0 || strcmp(r->target[i - 1].fsname, r->target[i].fsname))
			put_text(w, "%s\n", r->target[i].fsname);
}

void registry_print_live(const struct registry *r, const char *fsname, struct wbuf *w)
{
	char uuid[UUID_STRLEN];
	uint32_t i;

	put_text(w, "fsname: %s\n", fsname);
	put_text(w, "nids_version: %" PRIu64 "\n", r->version);
	put_text(w, "targets:\n");
	for (i = 0; i < r->ntargets; i++) {
		const struct reg_target *t = &r->target[i];

		if (strcmp(t->fsname, fsname))
			continue;
		put_text(w, "- name: %s\n  nids: [ %s ]\n", t->name, t->nids);
		put_text(w, "  uuid: %s\n  starts: %" PRIu64 "\n", uuid_str(t->uuid, uuid),
			 t->starts);
	}
}

void registry_print_params(const struct registry *r, struct wbuf *w)
{
	for (uint32_t i = 0; i < r->nparams; i++)
		put_text(w, "%s=%s\n", r->param[i].name, r->param[i].value);
}
