/* SPDX-License-Identifier: Apache-2.0 */
/* target.c - label and guard of a target's directory; see target.h.
 *
 * The label is a small text that an administrator can read; its last line proves that it is whole.
 * Every explanation names the file and, where there is one, the field. It does not know what the
 * rest of the directory holds.
 */
#include "common/target.h"
#include "common/crc.h"
#include "common/log.h"
#include "common/nid.h"
#include "common/proto/proto.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LABEL_FILE "sheen.target"
#define LABEL_TMP "sheen.target.new"
#define LOCK_FILE "sheen.lock"
#define LABEL_MAX 16384
#define CRC_KEY "crc32c="

static int explain(int rc, char *why, size_t why_len, const char *fmt, ...) PRINTF_LIKE(4, 5);
static int explain(int rc, char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	if (why_len) {
		va_start(ap, fmt);
		vsnprintf(why, why_len, fmt, ap);
		va_end(ap);
	}
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* ---- the fields ---- */

static int get_number(const char *s, uint64_t max, uint64_t *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	*out = strtoull(s, &end, 10);
	return errno || *end || *out > max ? -EINVAL : 0;
}

static int get_text(const char *s, char *out, size_t cap)
{
	size_t n = strlen(s);

	if (n >= cap)
		return -EINVAL;
	memcpy(out, s, n + 1);
	return 0;
}

static const char *const type_name[] = {[TARGET_MGS] = "MGS", [TARGET_MDT] = "MDT",
					[TARGET_OST] = "OST"};

const char *target_type_name(uint8_t type)
{
	return type >= TARGET_MGS && type <= TARGET_OST ? type_name[type] : "?";
}

static int get_type(const char *s, uint8_t *out)
{
	for (uint8_t t = TARGET_MGS; t <= TARGET_OST; t++)
		if (strcmp(s, type_name[t]) == 0) {
			*out = t;
			return 0;
		}
	return -EINVAL;
}

static int hex_value(char c)
{
	const char *digits = "0123456789abcdef0123456789ABCDEF";
	const char *d = c ? strchr(digits, c) : NULL;

	return d ? (int)(d - digits) % 16 : -1;
}

int uuid_parse(const char *s, uint8_t uuid[UUID_LEN])
{
	uint8_t out[UUID_LEN];
	int i, n = 0;

	if (strlen(s) != UUID_STRLEN - 1)
		return -EINVAL;
	for (i = 0; n < UUID_LEN; i += 2) {
		if ((i == 8 || i == 13 || i == 18 || i == 23) && s[i++] != '-')
			return -EINVAL;
		if (hex_value(s[i]) < 0 || hex_value(s[i + 1]) < 0)
			return -EINVAL;
		out[n++] = (uint8_t)(hex_value(s[i]) << 4 | hex_value(s[i + 1]));
	}
	memcpy(uuid, out, UUID_LEN);
	return 0;
}

static int add_param(struct target_label *l, const char *s)
{
	size_t at = strlen(l->params), n = strlen(s);

	if (!strchr(s, '=') || at + n + 2 > sizeof(l->params))
		return -EINVAL;
	if (at)
		l->params[at++] = '\n';
	memcpy(l->params + at, s, n + 1);
	return 0;
}

enum field { F_VERSION, F_TYPE, F_FSNAME, F_INDEX, F_UUID, F_MGSNODE, F_SERVICENODE, F_PORT,
	     F_REGISTERED, F_FAILNODE, F_PARAM, F_END };
static const char *const field_name[F_END] = {
	"version", "type", "fsname", "index", "uuid", "mgsnode", "servicenode", "port",
	"registered", "failnode", "param",
};
#define FIELDS_NEEDED (1U << F_VERSION | 1U << F_TYPE | 1U << F_UUID)

static int set_field(struct target_label *l, enum field f, const char *s)
{
	uint64_t v = 0;
	int rc;

	switch (f) {
	case F_VERSION:
		rc = get_number(s, UINT32_MAX, &v);
		l->version = (uint32_t)v;
		return rc;
	case F_TYPE:
		return get_type(s, &l->type);
	case F_FSNAME:
		return *s && !fsname_ok(s) ? -EINVAL : get_text(s, l->fsname, sizeof(l->fsname));
	case F_INDEX:
		rc = get_number(s, MAX_OST_INDEX, &v);
		l->index = (uint32_t)v;
		return rc;
	case F_UUID:
		return uuid_parse(s, l->uuid);
	case F_MGSNODE:
		return get_text(s, l->mgsnode, sizeof(l->mgsnode));
	case F_SERVICENODE:
		return get_text(s, l->servicenode, sizeof(l->servicenode));
	case F_PORT:
		rc = get_number(s, UINT16_MAX, &v);
		l->port = (uint16_t)v;
		return rc;
	case F_REGISTERED:
		rc = get_number(s, 1, &v);
		l->registered = v;
		return rc;
	case F_FAILNODE:
		return get_text(s, l->failnode, sizeof(l->failnode));
	case F_PARAM:
		return add_param(l, s);
	case F_END:
		break;
	}
	return -EINVAL;
}

/* ---- reading ---- */

/* One line, NUL-terminated. */
static int parse_line(struct target_label *l, uint32_t *seen, const char *path, char *line,
		      char *why, size_t why_len)
{
	char *eq = strchr(line, '=');
	int f;

	if (!eq)
		return explain(-EINVAL, why, why_len, "%s: line \"%.60s\" is not KEY=VALUE", path,
			       line);
	*eq = 0;
	for (f = 0; f < F_END && strcmp(field_name[f], line); f++)
		;
	if (f == F_END)
		return explain(-EINVAL, why, why_len, "%s: unknown field \"%.60s\"", path, line);
	if (f != F_PARAM && (*seen & 1U << f))
		return explain(-EINVAL, why, why_len, "%s: field %s stands there twice", path,
			       line);
	*seen |= 1U << f;
	if (set_field(l, (enum field)f, eq + 1))
		return explain(-EINVAL, why, why_len, "%s: field %s has the bad value \"%.80s\"",
			       path, line, eq + 1);
	if (f == F_VERSION && l->version != TARGET_VERSION)
		return explain(-EINVAL, why, why_len,
			       "%s: the target has format version %u, this program knows "
			       "version %d",
			       path, l->version, TARGET_VERSION);
	return 0;
}

static int check_whole(const struct target_label *l, uint32_t seen, const char *path, char *why,
		       size_t why_len)
{
	uint32_t need = FIELDS_NEEDED;
	int f;

	if (l->type != TARGET_MGS)
		need |= 1U << F_FSNAME | 1U << F_INDEX;
	for (f = 0; f < F_END; f++)
		if ((need & 1U << f) && !(seen & 1U << f))
			return explain(-EINVAL, why, why_len, "%s: field %s is missing", path,
				       field_name[f]);
	if (l->type != TARGET_MGS && !l->fsname[0])
		return explain(-EINVAL, why, why_len, "%s: field fsname is empty", path);
	return 0;
}

/* Exactly eight hexadecimal digits. */
static int get_crc(const char *s, uint32_t *out)
{
	int i;

	*out = 0;
	for (i = 0; i < 8 && hex_value(s[i]) >= 0; i++)
		*out = *out << 4 | (uint32_t)hex_value(s[i]);
	return i == 8 && !s[8] ? 0 : -EINVAL;
}

/* text is NUL-terminated; the last line is the crc of what stands before it. */
static int check_crc(char *text, size_t len, const char *path, char *why, size_t why_len)
{
	uint32_t have, want;
	char *last;

	if (len == 0 || text[len - 1] != '\n' || strlen(text) != len)
		return explain(-EUCLEAN, why, why_len, "%s is damaged: it is not whole text", path);
	text[len - 1] = 0;
	last = strrchr(text, '\n');
	if (!last || strncmp(last + 1, CRC_KEY, strlen(CRC_KEY)))
		return explain(-EUCLEAN, why, why_len, "%s is damaged: no checksum at the end",
			       path);
	have = crc32c_add(0, text, (size_t)(last + 1 - text));
	if (get_crc(last + 1 + strlen(CRC_KEY), &want) || want != have)
		return explain(-EUCLEAN, why, why_len,
			       "%s is damaged: its checksum is %08x, the last line says %.16s",
			       path, have, last + 1 + strlen(CRC_KEY));
	*last = 0;
	return 0;
}

static int parse_label(char *text, size_t len, const char *path, struct target_label *out,
		       char *why, size_t why_len)
{
	struct target_label l = {0};
	char *line, *next;
	uint32_t seen = 0;
	int rc;

	rc = check_crc(text, len, path, why, why_len);
	for (line = text; rc == 0 && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (*line != '#')
			rc = parse_line(&l, &seen, path, line, why, why_len);
	}
	if (rc == 0)
		rc = check_whole(&l, seen, path, why, why_len);
	if (rc == 0)
		*out = l;
	return rc;
}

static int make_path(char *path, size_t cap, const char *dir, const char *file, char *why,
		     size_t why_len)
{
	if ((size_t)snprintf(path, cap, "%s/%s", dir, file) >= cap)
		return explain(-ENAMETOOLONG, why, why_len, "%.60s...: path is too long", dir);
	return 0;
}

static ssize_t read_all(int fd, char *buf, size_t cap)
{
	size_t at = 0;
	ssize_t n;

	while (at < cap && (n = read(fd, buf + at, cap - at)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)at;
}

static void free_text(char **p)
{
	free(*p);
}

int target_label_read(const char *dir, struct target_label *out, char *why, size_t why_len)
{
	CLEANUP(free_text) char *text = malloc(LABEL_MAX + 1);
	CLEANUP(close_fd) int fd = -1;
	char path[1024];
	ssize_t n;
	int rc;

	if (!text)
		return explain(-ENOMEM, why, why_len, "out of memory");
	rc = make_path(path, sizeof(path), dir, LABEL_FILE, why, why_len);
	if (rc)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		if (rc == -ENOENT)
			return explain(rc, why, why_len,
				       "%s has not been formatted with mkfs.sheen (no %s)", dir,
				       LABEL_FILE);
		return explain(rc, why, why_len, "%s: %s", path, err_str(rc));
	}
	n = read_all(fd, text, LABEL_MAX);
	if (n < 0)
		return explain((int)n, why, why_len, "%s: %s", path, err_str((int)n));
	text[n] = 0;
	return parse_label(text, (size_t)n, path, out, why, why_len);
}

/* ---- writing ---- */

static void put(struct wbuf *w, const char *key, const char *value)
{
	wbuf_put(w, key, (uint32_t)strlen(key));
	wbuf_put(w, "=", 1);
	wbuf_put(w, value, (uint32_t)strlen(value));
	wbuf_put(w, "\n", 1);
}

static void put_number(struct wbuf *w, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	put(w, key, text);
}

static void put_params(struct wbuf *w, const char *s)
{
	char line[sizeof(((struct target_label *)0)->params)];
	size_t n;

	for (; *s; s += n + (s[n] == '\n')) {
		n = strcspn(s, "\n");
		memcpy(line, s, n);
		line[n] = 0;
		put(w, field_name[F_PARAM], line);
	}
}

static void print_label(struct wbuf *w, const struct target_label *l)
{
	static const char head[] = "# Sheen target: written by mkfs.sheen and the server, guarded "
				   "by its last line\n";
	char uuid[UUID_STRLEN], crc[16];

	wbuf_put(w, head, sizeof(head) - 1);
	put_number(w, field_name[F_VERSION], l->version);
	put(w, field_name[F_TYPE], target_type_name(l->type));
	put(w, field_name[F_FSNAME], l->fsname);
	put_number(w, field_name[F_INDEX], l->index);
	put(w, field_name[F_UUID], uuid_str(l->uuid, uuid));
	put(w, field_name[F_MGSNODE], l->mgsnode);
	put(w, field_name[F_SERVICENODE], l->servicenode);
	if (l->failnode[0]) /* not known to older servers */
		put(w, field_name[F_FAILNODE], l->failnode);
	put_number(w, field_name[F_PORT], l->port);
	put_number(w, field_name[F_REGISTERED], l->registered);
	put_params(w, l->params);
	if (w->rc)
		return;
	snprintf(crc, sizeof(crc), "%08x", crc32c_add(0, w->ptr, w->len));
	wbuf_put(w, CRC_KEY, strlen(CRC_KEY));
	wbuf_put(w, crc, 8);
	wbuf_put(w, "\n", 1);
}

static bool one_line(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ')
			return false;
	return true;
}

/* New file, synced, then renamed over the old one, then the directory synced. */
static int replace_file(int dirfd, const struct wbuf *w)
{
	CLEANUP(close_fd)
	int fd = openat(dirfd, LABEL_TMP, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, w->ptr, w->len);
	if (n != (ssize_t)w->len)
		return n < 0 ? -errno : -ENOSPC;
	if (fsync(fd) || renameat(dirfd, LABEL_TMP, dirfd, LABEL_FILE) || fsync(dirfd))
		return -errno;
	return 0;
}

int target_label_write(const char *dir, const struct target_label *l, char *why, size_t why_len)
{
	CLEANUP(free_text) char *text = malloc(LABEL_MAX);
	CLEANUP(close_fd) int dirfd = -1;
	struct wbuf w;
	int rc;

	if (!text)
		return explain(-ENOMEM, why, why_len, "out of memory");
	if (!one_line(l->mgsnode) || !one_line(l->servicenode) || !one_line(l->failnode))
		return explain(-EINVAL, why, why_len, "%s: addresses with control characters", dir);
	wbuf_init_fixed(&w, text, LABEL_MAX);
	print_label(&w, l);
	if (w.rc)
		return explain(w.rc, why, why_len, "%s: the label is too long", dir);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = dirfd < 0 ? -errno : replace_file(dirfd, &w);
	if (rc)
		return explain(rc, why, why_len, "%s/%s: cannot write: %s", dir, LABEL_FILE,
			       err_str(rc));
	return 0;
}

/* ---- guard ---- */

static void read_holder(int fd, char *out, size_t cap)
{
	ssize_t n = pread(fd, out, cap - 1, 0);

	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, "\n")] = 0;
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = '?';
}

static void now_text(char out[32])
{
	time_t now = time(NULL);
	struct tm tm;

	out[0] = 0;
	if (gmtime_r(&now, &tm))
		strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int target_lock(const char *dir, int *out, char *why, size_t why_len)
{
	char path[1024], host[128] = "?", holder[256], since[32];
	int fd, rc;

	rc = make_path(path, sizeof(path), dir, LOCK_FILE, why, why_len);
	if (rc)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		rc = -errno;
		return explain(rc, why, why_len, "%s: %s", path, err_str(rc));
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
		read_holder(fd, holder, sizeof(holder));
		close(fd);
		if (rc == -EBUSY)
			return explain(rc, why, why_len,
				       "%s is already served by another process (host, pid, since: "
				       "%s)",
				       dir, holder[0] ? holder : "unknown");
		return explain(rc, why, why_len, "%s: cannot lock: %s", path, err_str(rc));
	}
	/* For people only: the lock itself is the flock. */
	gethostname(host, sizeof(host) - 1);
	now_text(since);
	if (ftruncate(fd, 0) || dprintf(fd, "%s %d %s\n", host, (int)getpid(), since) < 0) {
		rc = -errno;
		close(fd);
		return explain(rc, why, why_len, "%s: %s", path, err_str(rc));
	}
	*out = fd;
	return 0;
}

/* ---- names ---- */

void target_name(const struct target_label *l, char out[MAX_TARGET_NAME])
{
	if (l->type == TARGET_MGS)
		snprintf(out, MAX_TARGET_NAME, "MGS");
	else
		target_name_make(l->fsname, l->type, l->index, out);
}

void target_name_make(const char *fsname, uint8_t type, uint32_t index, char out[MAX_TARGET_NAME])
{
	snprintf(out, MAX_TARGET_NAME, "%.8s-%s%04x", fsname, target_type_name(type), index);
}

int target_name_parse(const char *name, char fsname[MAX_FSNAME + 1], uint8_t *type, uint32_t *index)
{
	const char *dash = strrchr(name, '-');
	char fs[MAX_FSNAME + 1];
	uint32_t v = 0;
	uint8_t t;
	int i;

	if (!dash || dash - name > MAX_FSNAME || strlen(dash) != strlen("-OST0000"))
		return -EINVAL;
	memcpy(fs, name, (size_t)(dash - name));
	fs[dash - name] = 0;
	t = memcmp(dash + 1, "MDT", 3) == 0 ? TARGET_MDT : TARGET_OST;
	if (!fsname_ok(fs) || memcmp(dash + 1, type_name[t], 3))
		return -EINVAL;
	for (i = 4; i < 8; i++) {
		if (hex_value(dash[i]) < 0)
			return -EINVAL;
		v = v * 16 + (uint32_t)hex_value(dash[i]);
	}
	if (v > MAX_OST_INDEX)
		return -EINVAL;
	memcpy(fsname, fs, sizeof(fs));
	*type = t;
	*index = v;
	return 0;
}

void uuid_make(uint8_t uuid[UUID_LEN])
{
	ssize_t n = getrandom(uuid, UUID_LEN, 0);

	assert(n == UUID_LEN); /* cannot fail for so few bytes once the system is up */
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

char *uuid_str(const uint8_t uuid[UUID_LEN], char out[UUID_STRLEN])
{
	const uint8_t *u = uuid;

	snprintf(out, UUID_STRLEN,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		 u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		 u[15]);
	return out;
}
