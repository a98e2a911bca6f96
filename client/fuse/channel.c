/* SPDX-License-Identifier: Apache-2.0 */
/* channel.c - how lfs and lctl talk to a mounted client: attributes whose names begin with
 * "sheen.", on any file of the mount. They are made up on the spot and never listed.
 *
 * "system.sheen." is the same: for a name that the kernel does not know it checks permissions
 * first, and has to ask the MDS for them, which may be what is wrong; "system." names pass as
 * they are.
 *
 * Text that is longer than an attribute may be is given in pieces: "@<skip>" behind the verb
 * says how much the asker has. Reading is for everybody, setting parameters for root.
 */
#include "client/core/hsm.h"
#include "client/fuse/face.h"
#include "common/param.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PREFIX "sheen."
enum { TEXT_MAX = 4 << 20 };

struct ask {
	struct flane *fl;
	const struct fid *fid; /* of the file it is asked of */
	const char *arg; /* behind the colon, or "" */
	struct wbuf *w;
};
typedef int ask_fn(struct ask *a);

/* The name without "system.". */
static const char *plain_name(const char *name)
{
	static const char system[] = "system.";

	return strncmp(name, system, sizeof(system) - 1) ? name : name + sizeof(system) - 1;
}

bool channel_is_name(const char *name)
{
	return strncmp(plain_name(name), PREFIX, sizeof(PREFIX) - 1) == 0;
}

static int ask_get_param(struct ask *a)
{
	return params_get(fs_params(a->fl->face->fs), a->arg, a->w);
}

static int ask_list_param(struct ask *a)
{
	return params_list(fs_params(a->fl->face->fs), a->arg, a->w);
}

static int ask_targets(struct ask *a)
{
	fs_targets_text(a->fl->face->fs, a->w);
	return 0;
}

static int ask_info(struct ask *a)
{
	fs_info_text(a->fl->face->fs, a->w);
	return 0;
}

struct df {
	struct mds_target_stat *at;
	uint32_t n;
	int rc;
};

static void df_add(void *arg, const struct mds_target_stat *t)
{
	struct df *d = arg;
	struct mds_target_stat *more = reallocarray(d->at, d->n + 1, sizeof(*more));

	if (!more) {
		d->rc = -ENOMEM;
		return;
	}
	d->at = more;
	d->at[d->n++] = *t;
}

static int df_order(const void *a, const void *b)
{
	const struct mds_target_stat *x = a, *y = b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void df_line(struct ask *a, const struct mds_target_stat *t)
{
	bool mdt = t->type == TARGET_MDT;
	char line[320];
	int n;

	n = snprintf(line, sizeof(line),
		     "%s\t%u\t%s-%s%04x\t%u\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64
		     "\t%" PRIu64 "\t%d\n",
		     mdt ? "MDT" : "OST", t->index, fs_name(a->fl->face->fs), mdt ? "MDT" : "OST",
		     t->index, t->state, t->total, t->free, t->avail, t->files, t->ffree,
		     t->error < 0 ? -t->error : t->error);
	wbuf_put(a->w, line, (uint32_t)n);
}

static int ask_df(struct ask *a)
{
	struct df d = {0};
	uint32_t i;
	int rc = fs_co_statfs_targets(a->fl->ln, df_add, &d);

	if (rc == 0)
		rc = d.rc;
	if (d.n)
		qsort(d.at, d.n, sizeof(*d.at), df_order);
	for (i = 0; i < d.n && rc == 0; i++)
		df_line(a, &d.at[i]);
	free(d.at);
	return rc;
}

/* "[fid]" or "[fid]@n" */
static int ask_fid2path(struct ask *a)
{
	char text[FID_STRLEN], path[MAX_PATH + 1];
	const char *at = strchr(a->arg, '@');
	size_t n = at ? (size_t)(at - a->arg) : strlen(a->arg);
	unsigned long link = 0;
	struct fid fid;
	ssize_t len;
	char *end;
	int rc;

	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, a->arg, n);
	text[n] = 0;
	rc = fid_parse(text, &fid);
	if (rc)
		return rc;
	if (at) {
		link = strtoul(at + 1, &end, 10);
		if (!at[1] || *end || link > UINT32_MAX)
			return -EINVAL;
	}
	len = fs_co_fid2path(a->fl->ln, &fid, (uint32_t)link, path, sizeof(path));
	if (len < 0)
		return (int)len;
	wbuf_put(a->w, path, (uint32_t)len);
	return 0;
}

static int ask_hsm(struct ask *a)
{
	return fs_co_hsm_text(a->fl->ln, a->fid, a->w);
}

static const struct verb {
	const char *name;
	ask_fn *fn;
	bool arg;
} verbs[] = {
	{"get_param", ask_get_param, true}, {"list_param", ask_list_param, true},
	{"targets", ask_targets, false},    {"info", ask_info, false},
	{"df", ask_df, false},		    {"fid2path", ask_fid2path, true},
	{"hsm", ask_hsm, false},
};

/* Cuts "verb[@skip][:arg]". */
static int parse(const char *name, const struct verb **v, size_t *skip, const char **arg)
{
	const char *p = plain_name(name) + sizeof(PREFIX) - 1;
	size_t n = strcspn(p, "@:"), i;
	char *end;

	*v = NULL;
	*skip = 0;
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strlen(verbs[i].name) == n && strncmp(p, verbs[i].name, n) == 0)
			*v = &verbs[i];
	if (!*v)
		return -ENODATA;
	p += n;
	if (*p == '@') {
		*skip = strtoul(p + 1, &end, 10);
		if (end == p + 1)
			return -EINVAL;
		p = end;
	}
	if (*p != ((*v)->arg ? ':' : 0))
		return -EINVAL;
	*arg = (*v)->arg ? p + 1 : p;
	return 0;
}

ssize_t channel_co_get(struct flane *fl, const struct fid *fid, const char *name, char *buf,
		       size_t len)
{
	struct ask a = {.fl = fl, .fid = fid};
	const struct verb *v;
	struct wbuf w;
	size_t skip, n;
	ssize_t rc;

	rc = parse(name, &v, &skip, &a.arg);
	if (rc)
		return rc;
	wbuf_init(&w, TEXT_MAX);
	a.w = &w;
	rc = v->fn(&a);
	if (rc == 0)
		rc = w.rc;
	if (rc == 0) {
		n = skip < w.len ? w.len - skip : 0;
		n = n < MAX_XATTR_VALUE ? n : MAX_XATTR_VALUE;
		rc = len && n > len ? -ERANGE : (ssize_t)n;
		if (rc > 0 && len)
			memcpy(buf, w.ptr + skip, n);
	}
	wbuf_fini(&w);
	return rc;
}

static int set_param(struct flane *fl, const char *pattern, const char *text)
{
	struct wbuf w;
	int rc;

	wbuf_init(&w, TEXT_MAX);
	rc = params_set(fs_params(fl->face->fs), pattern, text, &w);
	wbuf_fini(&w);
	return rc;
}

/* "set clear archive" */
static int set_hsm(struct flane *fl, const struct fid *fid, const char *text,
		   const struct cred *cred)
{
	unsigned set, clear, archive;
	int end = 0;

	if (sscanf(text, "%i %i %u%n", (int *)&set, (int *)&clear, &archive, &end) != 3 ||
	    text[end])
		return -EINVAL;
	return fs_co_hsm_set(fl->ln, fid, set, clear, archive, cred);
}

/* "action archive data" */
static int request_hsm(struct flane *fl, const struct fid *fid, const char *text,
		       const struct cred *cred)
{
	unsigned action, archive;
	uint64_t cookie;
	int end = 0;

	if (sscanf(text, "%u %u %n", &action, &archive, &end) != 2 || !end)
		return -EINVAL;
	return fs_co_hsm_request(fl->ln, fid, action, archive, SPAN_STR(text + end), cred, &cookie);
}

int channel_co_set(struct flane *fl, const struct fid *fid, const char *name, struct span value,
		   const struct cred *cred)
{
	static const char param[] = PREFIX "set_param:";
	char text[4096];

	name = plain_name(name);
	if (value.len >= sizeof(text) || (value.len && memchr(value.ptr, 0, value.len)))
		return -EINVAL;
	if (value.len)
		memcpy(text, value.ptr, value.len);
	text[value.len] = 0;
	if (strcmp(name, PREFIX "hsm_set") == 0)
		return set_hsm(fl, fid, text, cred);
	if (strcmp(name, PREFIX "hsm_request") == 0)
		return request_hsm(fl, fid, text, cred);
	if (strncmp(name, param, sizeof(param) - 1))
		return -EOPNOTSUPP;
	return cred->uid ? -EPERM : set_param(fl, name + sizeof(param) - 1, text);
}
