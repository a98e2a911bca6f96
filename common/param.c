/* SPDX-License-Identifier: Apache-2.0 */
/* param.c - the registry of parameters; see param.h.
 *
 * Names are kept sorted, so output has one order whatever the order of registration. Patterns
 * come from peers: braces are expanded into a bounded number of plain globs and a glob is matched
 * without recursion, so no pattern costs more than its length times the names.
 */
#include "common/param.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/proto/field.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

enum { MAX_ALTERNATIVES = 64, MAX_STICKY = 1024, MAX_VALUE = MAX_PARAM_TEXT };

struct entry {
	char *name;
	param_get_fn *get;
	param_set_fn *set;
	void *arg;
	uint32_t *u32, min, max; /* of param_add_u32() */
	void (*changed)(void *arg);
};

struct sticky {
	char *pattern, *value;
};

struct params {
	pthread_mutex_t lock;
	struct entry *entry; /* by name */
	uint32_t n, cap;
	struct sticky *sticky; /* in the order they were given: the last one wins */
	uint32_t nsticky;
	void **owned;
	uint32_t nowned;
};

/* A pattern with its braces expanded. */
struct globs {
	uint32_t n;
	char text[MAX_ALTERNATIVES][MAX_PARAM_NAME + 1];
};

/* ---- patterns ---- */

/* The '}' that belongs to the '{' at s, or NULL. */
static const char *brace_end(const char *s)
{
	int depth = 0;

	for (; *s; s++) {
		depth += *s == '{';
		depth -= *s == '}';
		if (depth == 0)
			return s;
	}
	return NULL;
}

/* End of the alternative that begins at s: its ',' or the closing brace. */
static const char *alternative_end(const char *s, const char *close)
{
	int depth = 0;

	for (; s < close; s++) {
		if (*s == ',' && depth == 0)
			return s;
		depth += *s == '{';
		depth -= *s == '}';
	}
	return close;
}

/* Expands the first brace of g->text[at] in place; further alternatives are appended. */
static int expand_one(struct globs *g, uint32_t at)
{
	char text[MAX_PARAM_NAME + 1];
	const char *open, *close, *s, *e;
	bool first = true;

	memcpy(text, g->text[at], sizeof(text));
	open = strchr(text, '{');
	close = open ? brace_end(open) : NULL;
	if (!close)
		return open ? -EINVAL : 0;
	for (s = open + 1; s <= close; s = e + 1, first = false) {
		char *out;

		e = alternative_end(s, close);
		if (!first && g->n == MAX_ALTERNATIVES)
			return -E2BIG;
		out = g->text[first ? at : g->n++];
		snprintf(out, MAX_PARAM_NAME + 1, "%.*s%.*s%s", (int)(open - text), text,
			 (int)(e - s), s, close + 1);
	}
	return 1;
}

static int globs_make(const char *pattern, struct globs **out)
{
	size_t n = strlen(pattern);
	struct globs *g;
	uint32_t i;
	int rc = 0;

	if (n == 0 || n > MAX_PARAM_NAME)
		return n ? -ENAMETOOLONG : -EINVAL;
	g = malloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->n = 1;
	for (i = 0; i <= n; i++)
		g->text[0][i] = pattern[i] == '/' ? '.' : pattern[i];
	for (i = 0; i < g->n && rc == 0; i++)
		do
			rc = expand_one(g, i);
		while (rc > 0);
	if (rc) {
		free(g);
		return rc;
	}
	*out = g;
	return 0;
}

static void free_globs(struct globs **g)
{
	free(*g);
}

/* "[a-z]" at *p against c; *p moves behind it. Without a closing bracket '[' is itself. */
static bool match_set(const char **p, char c)
{
	const char *s = *p + 1;
	bool no = *s == '!' || *s == '^', hit = false;
	const char *close;

	s += no;
	close = *s ? strchr(s + 1, ']') : NULL;
	if (!close) {
		++*p;
		return c == '[';
	}
	for (; s < close; s++) {
		if (s[1] == '-' && s + 2 < close) {
			hit |= c >= s[0] && c <= s[2];
			s += 2;
		} else {
			hit |= c == *s;
		}
	}
	*p = close + 1;
	return hit != no;
}

/* One character of the pattern other than '*'. */
static bool match_char(const char **p, char c)
{
	if (**p == '[' && c != '.')
		return match_set(p, c);
	if (**p == '?' ? c == '.' : **p != c)
		return false;
	++*p;
	return true;
}

/* The usual one-star-back matcher; a star does not cross a dot, so passing one commits. *rest:
 * where the pattern ended in the name (a whole number of components of it). */
static bool glob_match(const char *p, const char *s, const char **rest)
{
	const char *star = NULL, *from = NULL;

	for (;;) {
		if (*p == '*') {
			star = ++p;
			from = s;
			continue;
		}
		if (*p == 0 && (*s == 0 || *s == '.')) {
			*rest = s;
			return true;
		}
		if (*p == '.' && *s == '.') {
			p++, s++;
			star = NULL;
			continue;
		}
		if (*p && *p != '.' && *s && *s != '.' && match_char(&p, *s)) {
			s++;
			continue;
		}
		if (!star || !*from || *from == '.')
			return false;
		s = ++from;
		p = star;
	}
}

static bool globs_match(const struct globs *g, const char *name)
{
	const char *rest;
	uint32_t i;

	for (i = 0; i < g->n; i++)
		if (glob_match(g->text[i], name, &rest) && *rest == 0)
			return true;
	return false;
}

/* ---- registry ---- */

int params_create(struct params **out)
{
	struct params *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return -ENOMEM;
	pthread_mutex_init(&ps->lock, NULL);
	*out = ps;
	return 0;
}

static void entry_free(struct entry *e)
{
	free(e->name);
}

void params_destroy(struct params *ps)
{
	uint32_t i;

	if (!ps)
		return;
	for (i = 0; i < ps->n; i++)
		entry_free(&ps->entry[i]);
	for (i = 0; i < ps->nsticky; i++) {
		free(ps->sticky[i].pattern);
		free(ps->sticky[i].value);
	}
	for (i = 0; i < ps->nowned; i++)
		free(ps->owned[i]);
	free(ps->owned);
	free(ps->entry);
	free(ps->sticky);
	pthread_mutex_destroy(&ps->lock);
	free(ps);
}

/* Index of the first entry whose name is not less. */
static uint32_t lower_bound(const struct params *ps, const char *name)
{
	uint32_t lo = 0, hi = ps->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (strcmp(ps->entry[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int u32_set(struct entry *e, const char *value)
{
	static const char units[] = "kmg";
	unsigned long long v;
	const char *unit;
	char *end;

	if (*value < '0' || *value > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(value, &end, 0);
	unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (errno || (*end && (!unit || end[1])))
		return errno ? -ERANGE : -EINVAL;
	if (unit && v >> 32)
		return -ERANGE;
	if (unit)
		v <<= 10 * (unit - units + 1);
	if (v < e->min || v > e->max)
		return -ERANGE;
	__atomic_store_n(e->u32, (uint32_t)v, __ATOMIC_RELAXED);
	if (e->changed)
		e->changed(e->arg);
	return 0;
}

static int entry_set(struct entry *e, const char *value)
{
	if (e->u32)
		return u32_set(e, value);
	return e->set ? e->set(e->arg, value) : -EACCES;
}

static bool entry_writable(const struct entry *e)
{
	return e->u32 || e->set;
}

static void apply_sticky(struct params *ps, struct entry *e)
{
	uint32_t i;
	int rc;

	for (i = 0; i < ps->nsticky; i++) {
		CLEANUP(free_globs) struct globs *g = NULL;

		if (globs_make(ps->sticky[i].pattern, &g) || !globs_match(g, e->name))
			continue;
		rc = entry_set(e, ps->sticky[i].value);
		if (rc)
			log_warn("parameter %s: cannot be set to \"%.80s\": %s", e->name,
				 ps->sticky[i].value, err_str(rc));
	}
}

static int grow(struct params *ps)
{
	uint32_t cap = ps->cap ? ps->cap * 2 : 64;
	struct entry *e;

	if (ps->n < ps->cap)
		return 0;
	e = realloc(ps->entry, cap * sizeof(*e));
	if (!e)
		return -ENOMEM;
	ps->entry = e;
	ps->cap = cap;
	return 0;
}

static int add_locked(struct params *ps, const struct entry *new)
{
	uint32_t at = lower_bound(ps, new->name);

	if (at < ps->n && strcmp(ps->entry[at].name, new->name) == 0)
		return -EEXIST;
	if (grow(ps))
		return -ENOMEM;
	memmove(&ps->entry[at + 1], &ps->entry[at], (ps->n - at) * sizeof(*new));
	ps->entry[at] = *new;
	ps->n++;
	apply_sticky(ps, &ps->entry[at]);
	return 0;
}

static int add(struct params *ps, const char *name, struct entry new)
{
	int rc;

	assert(name[0] && strlen(name) <= MAX_PARAM_NAME);
	new.name = strdup(name);
	if (!new.name)
		return -ENOMEM;
	pthread_mutex_lock(&ps->lock);
	rc = add_locked(ps, &new);
	pthread_mutex_unlock(&ps->lock);
	if (rc)
		entry_free(&new);
	return rc;
}

int param_add(struct params *ps, const char *name, param_get_fn *get, param_set_fn *set, void *arg)
{
	return add(ps, name, (struct entry){.get = get, .set = set, .arg = arg});
}

int param_add_u32(struct params *ps, const char *name, uint32_t *v, uint32_t min, uint32_t max)
{
	return param_add_u32_told(ps, name, v, min, max, NULL, NULL);
}

int param_add_u32_told(struct params *ps, const char *name, uint32_t *v, uint32_t min, uint32_t max,
		       void (*changed)(void *arg), void *arg)
{
	return add(ps, name,
		   (struct entry){
			   .u32 = v, .min = min, .max = max, .changed = changed, .arg = arg});
}

int params_own(struct params *ps, void *mem)
{
	void **owned;

	pthread_mutex_lock(&ps->lock);
	owned = realloc(ps->owned, (ps->nowned + 1) * sizeof(*owned));
	if (owned) {
		ps->owned = owned;
		owned[ps->nowned++] = mem;
	}
	pthread_mutex_unlock(&ps->lock);
	return owned ? 0 : -ENOMEM;
}

void param_del_prefix(struct params *ps, const char *prefix)
{
	uint32_t at, n = 0;

	pthread_mutex_lock(&ps->lock);
	at = lower_bound(ps, prefix);
	while (at + n < ps->n && strncmp(ps->entry[at + n].name, prefix, strlen(prefix)) == 0)
		entry_free(&ps->entry[at + n++]);
	if (n) {
		memmove(&ps->entry[at], &ps->entry[at + n],
			(ps->n - at - n) * sizeof(*ps->entry));
		ps->n -= n;
	}
	pthread_mutex_unlock(&ps->lock);
}

/* ---- use ---- */

static void put_text(struct wbuf *w, const char *s)
{
	wbuf_put(w, s, (uint32_t)strlen(s));
}

static void print_entry(struct entry *e, struct wbuf *out)
{
	struct wbuf v;
	char number[16];
	int rc = 0;

	wbuf_init(&v, MAX_VALUE);
	if (e->u32) {
		snprintf(number, sizeof(number), "%u", __atomic_load_n(e->u32, __ATOMIC_RELAXED));
		put_text(&v, number);
	} else {
		rc = e->get(e->arg, &v);
	}
	if (rc == 0)
		rc = v.rc;
	put_text(out, e->name);
	put_text(out, "=");
	if (rc) {
		put_text(out, "error: ");
		put_text(out, err_str(rc));
	} else if (v.len && memchr(v.ptr, '\n', v.len)) {
		put_text(out, "\n");
		if (v.ptr[v.len - 1] == '\n')
			v.len--;
	}
	if (rc == 0 && v.len)
		wbuf_put(out, v.ptr, v.len);
	put_text(out, "\n");
	wbuf_fini(&v);
}

int params_get(struct params *ps, const char *pattern, struct wbuf *out)
{
	CLEANUP(free_globs) struct globs *g = NULL;
	uint32_t i, hits = 0;
	int rc;

	rc = globs_make(pattern, &g);
	if (rc)
		return rc;
	pthread_mutex_lock(&ps->lock);
	for (i = 0; i < ps->n && out->rc == 0; i++) {
		struct entry *e = &ps->entry[i];

		if (!globs_match(g, e->name))
			continue;
		if (!e->get && !e->u32) {
			rc = rc ? rc : -EACCES; /* write-only, unless something else matches */
			continue;
		}
		print_entry(e, out);
		hits++;
	}
	pthread_mutex_unlock(&ps->lock);
	if (out->rc)
		return out->rc;
	return hits ? 0 : rc ? rc : -ENOENT;
}

int params_set(struct params *ps, const char *pattern, const char *value, struct wbuf *out)
{
	CLEANUP(free_globs) struct globs *g = NULL;
	uint32_t i, hits = 0;
	int rc, first;

	first = globs_make(pattern, &g);
	if (first)
		return first;
	pthread_mutex_lock(&ps->lock);
	for (i = 0; i < ps->n; i++) {
		struct entry *e = &ps->entry[i];

		if (!globs_match(g, e->name))
			continue;
		hits++;
		rc = entry_set(e, value);
		if (rc) {
			first = first ? first : rc;
			continue;
		}
		put_text(out, e->name);
		put_text(out, "=");
		put_text(out, value);
		put_text(out, "\n");
	}
	pthread_mutex_unlock(&ps->lock);
	if (first)
		return first;
	return hits ? out->rc : -ENOENT;
}

/* The pattern covers the name or the first components of it: what to list, else NULL. */
static const char *list_end(const struct globs *g, const char *name)
{
	const char *rest, *best = NULL;
	uint32_t i;

	for (i = 0; i < g->n; i++)
		if (glob_match(g->text[i], name, &rest) && (!best || rest < best))
			best = rest;
	return best;
}

int params_list(struct params *ps, const char *pattern, struct wbuf *out)
{
	CLEANUP(free_globs) struct globs *g = NULL;
	const char *last = "", *end;
	uint32_t i, last_len = 0;
	int rc;

	rc = globs_make(pattern, &g);
	if (rc)
		return rc;
	pthread_mutex_lock(&ps->lock);
	for (i = 0; i < ps->n && out->rc == 0; i++) {
		struct entry *e = &ps->entry[i];
		uint32_t len;

		end = list_end(g, e->name);
		if (!end)
			continue;
		len = (uint32_t)(end - e->name);
		/* Sorted, so the names below one directory follow each other. */
		if (*end && len == last_len && memcmp(last, e->name, len) == 0)
			continue;
		last = e->name;
		last_len = len;
		wbuf_put(out, e->name, len);
		put_text(out, *end ? "/\n" : entry_writable(e) ? "=\n" : "\n");
	}
	pthread_mutex_unlock(&ps->lock);
	if (out->rc)
		return out->rc;
	return last_len ? 0 : -ENOENT;
}

/* ---- sticky ---- */

static void sticky_del(struct params *ps, const char *pattern)
{
	uint32_t i;

	for (i = 0; i < ps->nsticky; i++) {
		if (strcmp(ps->sticky[i].pattern, pattern))
			continue;
		free(ps->sticky[i].pattern);
		free(ps->sticky[i].value);
		ps->nsticky--;
		memmove(&ps->sticky[i], &ps->sticky[i + 1],
			(ps->nsticky - i) * sizeof(*ps->sticky));
		return;
	}
}

static int sticky_add(struct params *ps, const char *pattern, const char *value)
{
	struct sticky *s = realloc(ps->sticky, (ps->nsticky + 1) * sizeof(*s));

	if (!s)
		return -ENOMEM;
	ps->sticky = s;
	s += ps->nsticky;
	s->pattern = strdup(pattern);
	s->value = strdup(value);
	if (!s->pattern || !s->value) {
		free(s->pattern);
		free(s->value);
		return -ENOMEM;
	}
	ps->nsticky++;
	return 0;
}

int params_set_sticky(struct params *ps, const char *pattern, const char *value)
{
	CLEANUP(free_globs) struct globs *g = NULL;
	uint32_t i;
	int rc, first;

	first = globs_make(pattern, &g);
	if (first)
		return first;
	pthread_mutex_lock(&ps->lock);
	sticky_del(ps, pattern);
	if (value)
		first = ps->nsticky < MAX_STICKY ? sticky_add(ps, pattern, value) : -ENOSPC;
	for (i = 0; i < ps->n && value && first == 0; i++) {
		if (!globs_match(g, ps->entry[i].name))
			continue;
		rc = entry_set(&ps->entry[i], value);
		first = first ? first : rc;
	}
	pthread_mutex_unlock(&ps->lock);
	return first;
}
