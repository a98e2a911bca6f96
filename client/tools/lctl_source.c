/* SPDX-License-Identifier: Apache-2.0 */
/* lctl_source.c - the processes that lctl asks for parameters, and the split of their answers.
 *
 * Clients are asked through their mount, servers by RPC. Servers of this machine are found by the
 * files that they leave in /run/sheen; one that crashed leaves its file behind, so each is
 * tried with a plain connection first.
 */
#include "client/tools/lctl.h"
#include "client/tools/tool_mount.h"
#include "common/proto/field.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
	CALL_MS = 10000,
	PROBE_MS = 1000,
	MAX_TEXT = 16 << 20,
	XATTR_PIECE = 60000, /* an answer at least this long may go on */
};

static struct lctl_source *add_source(struct lctl_sources *ss)
{
	struct lctl_source *s = reallocarray(ss->s, ss->n + 1, sizeof(*s));

	if (!s)
		return NULL;
	ss->s = s;
	s += ss->n++;
	memset(s, 0, sizeof(*s));
	return s;
}

int lctl_sources_add_mount(struct lctl_sources *ss, const char *path)
{
	struct lctl_source *s;
	char *dir;
	int rc;

	rc = tool_mount_of(path, &dir);
	if (rc)
		return tool_fail(rc, "'%s' is not on a Lustre filesystem", path);
	s = add_source(ss);
	if (!s) {
		free(dir);
		return -ENOMEM;
	}
	s->mount = dir;
	snprintf(s->name, sizeof(s->name), "%.63s", dir);
	return 0;
}

int lctl_sources_add_nid(struct lctl_sources *ss, const char *nid)
{
	struct nid_list nids;
	struct lctl_source *s;
	char why[256];

	if (nid_list_parse(nid, PORT_MGS, &nids, why, sizeof(why))) {
		tool_say("%s", why);
		return -EINVAL;
	}
	s = add_source(ss);
	if (!s)
		return -ENOMEM;
	s->nids = nids;
	snprintf(s->name, sizeof(s->name), "%.63s", nid);
	return 0;
}

static bool known(const struct lctl_sources *ss, const struct nid *n)
{
	uint32_t i;

	/* One OSS announces every OST at the same address and answers for all of them. */
	for (i = 0; i < ss->n; i++)
		if (ss->s[i].nids.n && nid_eq(&ss->s[i].nids.nid[0], n) &&
		    nid_port(&ss->s[i].nids.nid[0]) == nid_port(n))
			return true;
	return false;
}

static int add_announced(struct lctl_sources *ss, const char *path)
{
	char text[NID_STRLEN + 2] = "", why[128];
	FILE *f = fopen(path, "re");
	struct lctl_source *s;
	struct nid_list nids = {.n = 1};
	bool ok;

	if (!f)
		return 0;
	ok = fgets(text, sizeof(text), f) != NULL;
	fclose(f);
	text[strcspn(text, " \n")] = '\0';
	if (!ok || nid_parse(text, PORT_MGS, &nids.nid[0], why, sizeof(why)))
		return 0;
	if (known(ss, &nids.nid[0]) || tool_refused(&nids, PROBE_MS))
		return 0;
	s = add_source(ss);
	if (!s)
		return -ENOMEM;
	s->nids = nids;
	s->found = true;
	path = strrchr(path, '/') + 1;
	snprintf(s->name, sizeof(s->name), "%.*s", (int)(strlen(path) - strlen(".nid")), path);
	return 0;
}

int lctl_sources_local(struct lctl_sources *out)
{
	struct tool_mounts ms;
	struct lctl_source *s;
	glob_t g;
	size_t i;
	int rc;

	*out = (struct lctl_sources){0};
	rc = tool_mounts_read(&ms);
	if (rc)
		return rc;
	for (i = 0; rc == 0 && i < ms.n; i++) {
		s = add_source(out);
		if (s) {
			s->mount = strdup(ms.m[i].dir);
			s->found = true;
		}
		if (s && s->mount)
			snprintf(s->name, sizeof(s->name), "%.63s", s->mount);
		else
			rc = -ENOMEM;
	}
	tool_mounts_free(&ms);
	if (rc == 0 && glob("/run/sheen/*.nid", 0, NULL, &g) == 0) {
		for (i = 0; rc == 0 && i < g.gl_pathc; i++)
			rc = add_announced(out, g.gl_pathv[i]);
		globfree(&g);
	}
	if (rc)
		lctl_sources_free(out);
	return rc;
}

void lctl_sources_free(struct lctl_sources *ss)
{
	uint32_t i;

	for (i = 0; i < ss->n; i++)
		free(ss->s[i].mount);
	free(ss->s);
	*ss = (struct lctl_sources){0};
}

bool lctl_source_ended(const struct lctl_source *s, int rc)
{
	struct tool_mounts ms;
	bool there = false;
	uint32_t i;

	if (!s->found)
		return false;
	if (!s->mount)
		return rc == -EPROTO || tool_refused(&s->nids, PROBE_MS);
	if (tool_mounts_read(&ms))
		return false;
	for (i = 0; i < ms.n && !there; i++)
		there = !strcmp(ms.m[i].dir, s->mount);
	tool_mounts_free(&ms);
	return !there;
}

static int mount_get(const char *dir, const char *pattern, bool list, struct wbuf *out)
{
	char name[256], *text;
	uint32_t skip = 0;
	size_t len;
	int rc, n;

	for (;;) {
		if (skip)
			n = snprintf(name, sizeof(name), "sheen.%s_param@%u:%s",
				     list ? "list" : "get", skip, pattern);
		else
			n = snprintf(name, sizeof(name), "sheen.%s_param:%s", list ? "list" : "get",
				     pattern);
		if (n > MAX_XATTR_NAME)
			return -ENAMETOOLONG;
		rc = tool_ask(dir, name, &text, &len);
		if (rc)
			return rc == -ENODATA ? -ENOENT : rc;
		wbuf_put(out, text, (uint32_t)len);
		free(text);
		skip += (uint32_t)len;
		if (out->rc || len < XATTR_PIECE)
			return out->rc;
	}
}

int lctl_source_get(const struct lctl_source *s, const char *pattern, bool list, struct wbuf *out)
{
	if (s->mount)
		return mount_get(s->mount, pattern, list, out);
	return tool_get_param(&s->nids, pattern, list, out, CALL_MS);
}

/* What a client set is not in an answer: an attribute has none. Its names are asked for. */
static int mount_set(const char *dir, const char *pattern, const char *value, struct wbuf *out)
{
	char name[256], *line, *save;
	struct wbuf names;
	int rc = 0;

	if (snprintf(name, sizeof(name), "sheen.set_param:%s", pattern) > MAX_XATTR_NAME)
		return -ENAMETOOLONG;
	if (setxattr(dir, name, value, strlen(value), 0))
		return errno == ENODATA ? -ENOENT : -errno;
	wbuf_init(&names, MAX_TEXT);
	rc = mount_get(dir, pattern, true, &names);
	wbuf_put(&names, "", 1);
	if (rc == 0 && names.rc == 0) {
		for (line = strtok_r((char *)names.ptr, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			wbuf_put(out, line, (uint32_t)strcspn(line, "="));
			wbuf_put(out, "=", 1);
			wbuf_put(out, value, (uint32_t)strlen(value));
			wbuf_put(out, "\n", 1);
		}
	}
	wbuf_fini(&names);
	return 0;
}

int lctl_source_set(const struct lctl_source *s, const char *pattern, const char *value,
		    struct wbuf *out)
{
	if (s->mount)
		return mount_set(s->mount, pattern, value, out);
	return tool_set_param(&s->nids, pattern, value, out, CALL_MS);
}

/* ---- answers ---- */

/* Cuts name behind depth components. True if there was more. */
static bool cut(char *name, int depth)
{
	char *p = name;

	for (; depth > 0 && p; depth--)
		p = strchr(p == name ? p : p + 1, '.');
	if (!p || p == name)
		return false;
	*p = '\0';
	return true;
}

static bool have(const struct lctl_params *ps, const char *name, const char *value)
{
	uint32_t i;

	for (i = 0; i < ps->n; i++)
		if (!strcmp(ps->p[i].name, name) &&
		    (!value || !ps->p[i].value || !strcmp(ps->p[i].value, value)))
			return true;
	return false;
}

static int add_param(struct lctl_params *ps, const char *name, const char *value, size_t value_len,
		     bool writable, bool branch)
{
	char *v = value ? strndup(value, value_len) : NULL;
	struct lctl_param *p;

	if (value && !v)
		return -ENOMEM;
	if (have(ps, name, v)) {
		free(v);
		return 0;
	}
	p = reallocarray(ps->p, ps->n + 1, sizeof(*p));
	if (!p) {
		free(v);
		return -ENOMEM;
	}
	ps->p = p;
	p += ps->n;
	*p = (struct lctl_param){strdup(name), v, writable, branch};
	if (!p->name) {
		free(v);
		return -ENOMEM;
	}
	ps->n++;
	return 0;
}

/* The line of text that begins with "name=", from at on; NULL. */
static const char *find_value(const char *at, const char *name)
{
	size_t len = strlen(name);

	while (at && *at) {
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return at + len + 1;
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return NULL;
}

static bool is_name(char *const *names, uint32_t n, const char *line)
{
	uint32_t i;
	size_t len;

	for (i = 0; i < n; i++) {
		len = strlen(names[i]);
		if (strncmp(line, names[i], len) == 0 && line[len] == '=')
			return true;
	}
	return false;
}

/* A value of several lines may hold lines with "=": it goes on until a line that begins with one of
 * the names. */
static size_t value_len(char *const *names, uint32_t n, const char *value)
{
	const char *end = strchr(value, '\n');

	while (end && end[1] && !is_name(names, n, end + 1))
		end = strchr(end + 1, '\n');
	return end ? (size_t)(end - value) : strlen(value);
}

static int split_names(char *text, char ***out)
{
	char **names = NULL, **grown, *line, *save;
	int n = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		grown = reallocarray(names, (size_t)n + 1, sizeof(*names));
		if (!grown) {
			free(names);
			return -ENOMEM;
		}
		names = grown;
		names[n++] = line;
	}
	*out = names;
	return n;
}

int lctl_params_parse(struct lctl_params *ps, char *names_text, const char *text, int depth)
{
	const char *value;
	char **names;
	enum { BRANCH = 1, WRITABLE = 2 };
	int n, i, rc = 0, *marks;
	bool branch;

	n = split_names(names_text, &names);
	if (n < 0)
		return n;
	marks = calloc((size_t)n + 1, sizeof(*marks));
	if (!marks)
		rc = -ENOMEM;
	for (i = 0; rc == 0 && i < n; i++) {
		char *mark = names[i] + strcspn(names[i], "=/");

		marks[i] = *mark == '=' ? WRITABLE : *mark == '/' ? BRANCH : 0;
		*mark = '\0';
	}
	for (i = 0; rc == 0 && i < n; i++) {
		value = text ? find_value(text, names[i]) : NULL;
		if (text && !value)
			continue; /* write-only, or a branch */
		branch = (depth > 0 && cut(names[i], depth)) || marks[i] == BRANCH;
		rc = add_param(ps, names[i], value,
			       value ? value_len(names, (uint32_t)n, value) : 0,
			       marks[i] == WRITABLE && !branch, branch);
	}
	free(marks);
	free(names);
	return rc;
}

void lctl_params_free(struct lctl_params *ps)
{
	uint32_t i;

	for (i = 0; i < ps->n; i++) {
		free(ps->p[i].name);
		free(ps->p[i].value);
	}
	free(ps->p);
	*ps = (struct lctl_params){0};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct lctl_param *)a)->name, ((const struct lctl_param *)b)->name);
}

void lctl_params_sort(struct lctl_params *ps)
{
	if (ps->n)
		qsort(ps->p, ps->n, sizeof(*ps->p), by_name);
}
