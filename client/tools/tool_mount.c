/* SPDX-License-Identifier: Apache-2.0 */
/* tool_mount.c - the mount table and the attribute channel; see tool_mount.h. */
#include "client/tools/tool_mount.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MAX_COLS = 16 };

/* The kernel writes blanks and backslashes of paths as \ooo. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static int add_mount(struct tool_mounts *ms, const char *source, const char *dir)
{
	struct tool_mount *m = realloc(ms->m, (ms->n + 1) * sizeof(*m));

	if (!m)
		return -ENOMEM;
	ms->m = m;
	m += ms->n;
	m->dir = strdup(dir);
	m->source = strdup(source);
	if (!m->dir || !m->source) {
		free(m->dir);
		free(m->source);
		return -ENOMEM;
	}
	ms->n++;
	return 0;
}

int tool_mounts_parse(FILE *f, struct tool_mounts *out)
{
	char *line = NULL, *save, *source, *dir, *type;
	size_t cap = 0;
	int rc = 0;

	*out = (struct tool_mounts){0};
	while (rc == 0 && getline(&line, &cap, f) > 0) {
		source = strtok_r(line, " \n", &save);
		dir = strtok_r(NULL, " \n", &save);
		type = strtok_r(NULL, " \n", &save);
		if (!source || !dir || !type)
			continue;
		if (strcmp(type, "fuse.sheen") && strcmp(type, "sheen"))
			continue;
		unescape(source);
		unescape(dir);
		rc = add_mount(out, source, dir);
	}
	free(line);
	if (rc)
		tool_mounts_free(out);
	return rc;
}

int tool_mounts_read(struct tool_mounts *out)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	int rc;

	if (!f)
		return -errno;
	rc = tool_mounts_parse(f, out);
	fclose(f);
	return rc;
}

void tool_mounts_free(struct tool_mounts *ms)
{
	uint32_t i;

	for (i = 0; i < ms->n; i++) {
		free(ms->m[i].dir);
		free(ms->m[i].source);
	}
	free(ms->m);
	*ms = (struct tool_mounts){0};
}

/* Is there a client of Sheen behind path? -ENOTTY: something else. -EACCES: path cannot be read, so
 * it was not asked. Another error is the client's. */
static int ask_client(const char *path)
{
	if (getxattr(path, "system.sheen.info", NULL, 0) >= 0 ||
	    getxattr(path, "sheen.info", NULL, 0) >= 0)
		return 0;
	return errno == ENODATA || errno == EOPNOTSUPP ? -ENOTTY : -errno;
}

static bool same_device(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1)
		return true;
	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

int tool_mount_of(const char *path, char **dir)
{
	struct tool_mounts ms;
	const char *best = NULL;
	char *real;
	uint32_t i;
	int rc;

	real = realpath(path, NULL);
	if (!real)
		return -errno;
	rc = tool_mounts_read(&ms);
	if (rc)
		goto out;
	/* The longest one wins; the attribute tells whether something else is mounted inside. */
	for (i = 0; i < ms.n; i++)
		if (is_below(real, ms.m[i].dir) && (!best || strlen(ms.m[i].dir) >= strlen(best)))
			best = ms.m[i].dir;
	rc = best ? ask_client(real) : -ENOTTY;
	if (rc == -EACCES)
		rc = same_device(real, best) ? 0 : -ENOTTY;
	if (rc == 0) {
		*dir = strdup(best);
		rc = *dir ? 0 : -ENOMEM;
	}
	tool_mounts_free(&ms);
out:
	free(real);
	return rc;
}

bool tool_on_sheen(const char *path)
{
	int rc = ask_client(path);
	char *dir;

	if (rc == -EACCES) {
		rc = tool_mount_of(path, &dir);
		if (rc == 0)
			free(dir);
	}
	return rc == 0;
}

int tool_xattr(const char *path, const char *name, bool nofollow, char **out, size_t *len)
{
	size_t cap = 4096;
	ssize_t n;
	char *buf;

	for (;;) {
		buf = malloc(cap + 1);
		if (!buf)
			return -ENOMEM;
		n = nofollow ? lgetxattr(path, name, buf, cap) : getxattr(path, name, buf, cap);
		if (n >= 0)
			break;
		free(buf);
		if (errno != ERANGE || cap >= MAX_XATTR_VALUE)
			return -errno;
		cap *= 4; /* up to the kernel's limit */
	}
	buf[n] = '\0';
	*out = buf;
	if (len)
		*len = (size_t)n;
	return 0;
}

int tool_ask(const char *dir, const char *name, char **out, size_t *len)
{
	char longer[MAX_XATTR_NAME + 1];
	int rc;

	/* The VFS asks for the permissions of the file before it passes a name on, and that takes
	 * the MDS, except for names in the name space "system". */
	if (snprintf(longer, sizeof(longer), "system.%s", name) < (int)sizeof(longer)) {
		rc = tool_xattr(dir, longer, false, out, len);
		if (rc != -ENODATA && rc != -EOPNOTSUPP)
			return rc;
	}
	return tool_xattr(dir, name, false, out, len);
}

static void copy_text(char *dst, size_t cap, const char *src)
{
	snprintf(dst, cap, "%.*s", (int)(cap - 1), src);
}

static void info_line(struct tool_info *i, const char *key, const char *val)
{
	if (!strcmp(key, "fsname"))
		copy_text(i->fsname, sizeof(i->fsname), val);
	else if (!strcmp(key, "instance"))
		copy_text(i->instance, sizeof(i->instance), val);
	else if (!strcmp(key, "uuid"))
		copy_text(i->uuid, sizeof(i->uuid), val);
	else if (!strcmp(key, "mgs"))
		copy_text(i->mgs, sizeof(i->mgs), val);
	else if (!strcmp(key, "version"))
		copy_text(i->version, sizeof(i->version), val);
	else if (!strcmp(key, "pid"))
		i->pid = (int)strtol(val, NULL, 10);
	else if (!strcmp(key, "root"))
		copy_text(i->root, sizeof(i->root), val);
}

int tool_info_read(const char *dir, struct tool_info *out)
{
	char *text, *line, *save, *eq;
	int rc;

	rc = tool_ask(dir, "sheen.info", &text, NULL);
	if (rc)
		return rc;
	memset(out, 0, sizeof(*out));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		eq = strchr(line, '=');
		if (!eq)
			continue;
		*eq = '\0';
		info_line(out, line, eq + 1);
	}
	free(text);
	return out->fsname[0] ? 0 : -EBADMSG;
}

/* Cuts a line at its tabs. The number of columns; those that are missing are "". */
static int columns(char *line, char *col[MAX_COLS])
{
	static char none[] = "";
	int n = 0, i;

	for (i = 0; i < MAX_COLS; i++)
		col[i] = none;
	while (line && n < MAX_COLS)
		col[n++] = strsep(&line, "\t");
	return n;
}

static uint64_t num(const char *s)
{
	return strtoull(s, NULL, 0);
}

static bool is_mdt(const char *type)
{
	return strcasecmp(type, "MDT") == 0;
}

/* Grows the array by one. */
static void *grow(void *array, int n, size_t size)
{
	return reallocarray(array, (size_t)n + 1, size);
}

int tool_targets_parse(char *text, struct tool_target **out)
{
	struct tool_target *a = NULL, *t;
	char *line, *save, *col[MAX_COLS];
	int n = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (columns(line, col) < 5)
			continue;
		t = grow(a, n, sizeof(*a));
		if (!t) {
			free(a);
			return -ENOMEM;
		}
		a = t;
		t = &a[n++];
		memset(t, 0, sizeof(*t));
		t->mdt = is_mdt(col[0]);
		t->index = (uint32_t)num(col[1]);
		copy_text(t->name, sizeof(t->name), col[2]);
		copy_text(t->state, sizeof(t->state), col[3]);
		t->active = num(col[4]) != 0;
		copy_text(t->nid, sizeof(t->nid), col[5]);
		copy_text(t->uuid, sizeof(t->uuid), col[6]);
		copy_text(t->import, sizeof(t->import), col[7][0] ? col[7] : col[2]);
		t->error = abs((int)strtol(col[8], NULL, 10));
	}
	*out = a;
	return n;
}

static int by_target(const void *a, const void *b)
{
	const struct tool_target *x = a, *y = b;

	if (x->mdt != y->mdt)
		return x->mdt ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int by_space(const void *a, const void *b)
{
	const struct tool_space *x = a, *y = b;

	if (x->mdt != y->mdt)
		return x->mdt ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

int tool_targets_read(const char *dir, struct tool_target **out)
{
	char *text;
	int rc;

	rc = tool_ask(dir, "sheen.targets", &text, NULL);
	if (rc)
		return rc;
	rc = tool_targets_parse(text, out);
	if (rc > 0)
		qsort(*out, (size_t)rc, sizeof(**out), by_target);
	free(text);
	return rc;
}

int tool_space_parse(char *text, struct tool_space **out)
{
	struct tool_space *a = NULL, *t;
	char *line, *save, *col[MAX_COLS];
	int n = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (columns(line, col) < 9)
			continue;
		t = grow(a, n, sizeof(*a));
		if (!t) {
			free(a);
			return -ENOMEM;
		}
		a = t;
		t = &a[n++];
		memset(t, 0, sizeof(*t));
		t->mdt = is_mdt(col[0]);
		t->index = (uint32_t)num(col[1]);
		copy_text(t->name, sizeof(t->name), col[2]);
		t->state = (uint32_t)num(col[3]);
		t->total = num(col[4]);
		t->free = num(col[5]);
		t->avail = num(col[6]);
		t->files = num(col[7]);
		t->ffree = num(col[8]);
		t->error = abs((int)strtol(col[9], NULL, 10));
	}
	*out = a;
	return n;
}

int tool_space_read(const char *dir, struct tool_space **out)
{
	char *text;
	int rc;

	rc = tool_ask(dir, "sheen.df", &text, NULL);
	if (rc)
		return rc;
	rc = tool_space_parse(text, out);
	if (rc > 0)
		qsort(*out, (size_t)rc, sizeof(**out), by_space);
	free(text);
	return rc;
}
