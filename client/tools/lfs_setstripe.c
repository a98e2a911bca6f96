/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_setstripe.c - lfs setstripe: a file with a wanted layout, or a directory's default.
 *
 * The layout goes into lustre.lov of a file that was opened without making objects. A file that
 * this made is removed again when the layout cannot be set. Options of Lustre that Sheen cannot
 * honour are refused, never ignored: a script must not believe in a mirror that is none.
 */
#include "client/tools/lfs.h"
#include "client/tools/tool_lov.h"
#include "client/tools/tool_mount.h"
#include "client/tools/tool_size.h"
#include "common/proto/field.h"
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Lustre's flag for "no objects yet", made of two that have no meaning for a regular file. */
#define O_LOV_DELAY_CREATE (O_NOCTTY | FASYNC)

const char lfs_setstripe_usage[] =
	"usage: setstripe [-c COUNT] [-S SIZE] [-i INDEX | -o LIST] [--mode MODE] DIR|FILE...\n"
	"       setstripe -d DIR...\n"
	"\n"
	"Makes an empty FILE with a layout, or sets the default of new files in DIR.\n"
	"  -c, --stripe-count N   OSTs to stripe over; 0: default, -1: all, at most 2000\n"
	"  -S, --stripe-size N    bytes on one OST before the next: 64K to 4G, a multiple of 64K;\n"
	"                         k, m, g behind it; a bare number below 4096 is KiB; 0: default\n"
	"  -i, --stripe-index N   OST of the first stripe; -1: the MDS chooses (default)\n"
	"  -o, --ost LIST         exactly these OSTs, in this order: 1,2-4,7; may be repeated\n"
	"  -d, --delete           remove the default of DIR\n"
	"      --mode MODE        permissions of a new FILE, octal\n";

struct setstripe {
	struct tool_stripe_wish wish;
	bool has_count, has_index, has_size, del;
	mode_t mode;
	struct tool_ost_list osts;
};

enum { OPT_MODE = 256, OPT_COMP, OPT_MIRROR, OPT_COPY, OPT_FOREIGN };

static const struct option long_opts[] = {
	{"stripe-count", required_argument, NULL, 'c'},
	{"stripe_count", required_argument, NULL, 'c'},
	{"stripe-size", required_argument, NULL, 'S'},
	{"stripe_size", required_argument, NULL, 'S'},
	{"stripe-index", required_argument, NULL, 'i'},
	{"stripe_index", required_argument, NULL, 'i'},
	{"ost", required_argument, NULL, 'o'},
	{"ost-list", required_argument, NULL, 'o'},
	{"ost_list", required_argument, NULL, 'o'},
	{"delete", no_argument, NULL, 'd'},
	{"mode", required_argument, NULL, OPT_MODE},
	{"layout", required_argument, NULL, 'L'},
	{"overstripe-count", required_argument, NULL, 'C'},
	{"pool", required_argument, NULL, 'p'},
	{"component-end", required_argument, NULL, 'E'},
	{"comp-end", required_argument, NULL, 'E'},
	{"component-id", required_argument, NULL, 'I'},
	{"comp-id", required_argument, NULL, 'I'},
	{"extension-size", required_argument, NULL, 'z'},
	{"ext-size", required_argument, NULL, 'z'},
	{"component-add", no_argument, NULL, OPT_COMP},
	{"comp-add", no_argument, NULL, OPT_COMP},
	{"component-del", no_argument, NULL, OPT_COMP},
	{"comp-del", no_argument, NULL, OPT_COMP},
	{"component-set", no_argument, NULL, OPT_COMP},
	{"comp-set", no_argument, NULL, OPT_COMP},
	{"component-flags", required_argument, NULL, OPT_COMP},
	{"comp-flags", required_argument, NULL, OPT_COMP},
	{"mirror-count", optional_argument, NULL, 'N'},
	{"flags", required_argument, NULL, OPT_MIRROR},
	{"yaml", required_argument, NULL, 'y'},
	{"copy", required_argument, NULL, OPT_COPY},
	{"foreign", optional_argument, NULL, OPT_FOREIGN},
	{"xattr", required_argument, NULL, 'x'},
	{NULL, 0, NULL, 0},
};

static int refuse(const char *opt, const char *what)
{
	return tool_fail(EOPNOTSUPP, "%s: %s not supported yet", opt, what);
}

static int refused_option(int opt)
{
	switch (opt) {
	case 'E':
		return refuse("-E", "composite layouts are");
	case 'I':
		return refuse("-I", "composite layouts are");
	case 'z':
		return refuse("-z", "self-extending layouts are");
	case OPT_COMP:
		return refuse("--comp-*", "composite layouts are");
	case 'N':
	case OPT_MIRROR:
		return refuse("-N", "mirrors are");
	case 'C':
		return refuse("-C", "overstriping is");
	case 'p':
		return refuse("-p", "pools are");
	case 'y':
	case OPT_COPY:
		return refuse("--yaml, --copy", "layouts from a template are");
	default:
		return refuse("--foreign", "foreign layouts are");
	}
}

/* Lustre prints the sub-command twice in these lines ("lfs setstripe setstripe: ..."), and scripts
 * match on the whole line. */
static int wrong(char **argv, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int wrong(char **argv, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s %s: ", tool_cmd_title(), argv[0]);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CMD_HELP;
}

static int invalid(char **argv, const char *what, const char *text)
{
	return wrong(argv, "invalid %s '%s'", what, text);
}

static int set_size(struct setstripe *s, char **argv)
{
	uint64_t size;
	int rc;

	rc = tool_parse_stripe_size(optarg, &size);
	if (rc == -EFBIG) {
		tool_say("error: stripe size '%s' over 4GB limit", optarg);
		return -EINVAL;
	}
	if (rc)
		return invalid(argv, "stripe size", optarg);
	s->wish.stripe_size = (uint32_t)size;
	s->has_size = true;
	return 0;
}

static int set_layout(char **argv)
{
	if (!strcmp(optarg, "raid0"))
		return 0;
	if (!strcmp(optarg, "mdt"))
		return wrong(argv, "Invalid pattern: '-L mdt', must be specified with -E");
	return wrong(argv, "error: layout '%s' is unknown, supported layouts are: 'mdt', 'raid0'",
		     optarg);
}

static int one_option(struct setstripe *s, int opt, char **argv)
{
	char *end;
	int64_t v;

	switch (opt) {
	case 'c':
		if (tool_parse_int(optarg, -1, MAX_STRIPES, &v))
			return invalid(argv, "stripe count", optarg);
		s->wish.stripe_count = (int32_t)v;
		s->has_count = true;
		return 0;
	case 'S':
		return set_size(s, argv);
	case 'i':
		if (tool_parse_int(optarg, -1, MAX_OST_INDEX, &v))
			return invalid(argv, "stripe offset", optarg);
		s->wish.stripe_offset = (int32_t)v;
		s->has_index = true;
		return 0;
	case 'o':
		if (tool_parse_ost_list(optarg, &s->osts))
			return invalid(argv, "OST list", optarg);
		return 0;
	case 'd':
		s->del = true;
		return 0;
	case 'L':
		return set_layout(argv);
	case OPT_MODE:
		s->mode = (mode_t)strtoul(optarg, &end, 8);
		return *end || end == optarg || s->mode > 07777 ? invalid(argv, "mode", optarg) : 0;
	case ':':
	case '?':
		return lfs_bad_option(opt, argv);
	default:
		return refused_option(opt);
	}
}

static bool has_duplicates(const struct tool_ost_list *l)
{
	uint32_t i, k;

	for (i = 0; i < l->n; i++)
		for (k = i + 1; k < l->n; k++)
			if (l->ost[i] == l->ost[k])
				return true;
	return false;
}

/* Lustre starts the round at -i when both are given. */
static int rotate_to(struct tool_ost_list *l, uint32_t first)
{
	struct tool_ost_list *copy;
	uint32_t i, at;

	for (at = 0; at < l->n && l->ost[at] != first; at++)
		;
	if (at == l->n)
		return -EINVAL;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	for (i = 0; i < l->n; i++)
		copy->ost[i] = l->ost[(at + i) % l->n];
	memcpy(l->ost, copy->ost, l->n * sizeof(l->ost[0]));
	free(copy);
	return 0;
}

static int check_list(struct setstripe *s, char **argv)
{
	struct tool_ost_list *l = &s->osts;
	int rc;

	if (l->n == 0)
		return 0;
	if (has_duplicates(l))
		return refuse("-o", "several stripes on one OST are");
	if (s->has_count && s->wish.stripe_count > 0 && (uint32_t)s->wish.stripe_count != l->n)
		return wrong(argv, "stripe count %d does not match the %u OSTs of the list",
			     s->wish.stripe_count, l->n);
	if (s->has_index && s->wish.stripe_offset >= 0) {
		rc = rotate_to(l, (uint32_t)s->wish.stripe_offset);
		if (rc == -EINVAL)
			return wrong(argv, "OST %d of -i is not in the list of -o",
				     s->wish.stripe_offset);
		if (rc)
			return rc;
	}
	s->wish.nost = l->n;
	s->wish.ost = l->ost;
	s->wish.stripe_offset = (int32_t)l->ost[0];
	return 0;
}

static int options(struct setstripe *s, int argc, char **argv)
{
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "c:S:i:o:dL:C:p:E:I:z:N::y:x:", long_opts, NULL)) !=
	       -1) {
		rc = one_option(s, opt, argv);
		if (rc)
			return rc;
	}
	if (optind >= argc)
		return wrong(argv, "FILE must be specified");
	if (s->del && (s->has_count || s->has_size || s->has_index || s->osts.n))
		return wrong(argv, "cannot specify -d with other layout options");
	return check_list(s, argv);
}

/* ---- one path ---- */

static int set_error(const char *path, int rc)
{
	rc = rc < 0 ? -rc : rc;
	if (rc == EEXIST || rc == EALREADY)
		tool_say("setstripe error for '%s': stripe already set", path);
	else if (rc == ENOTTY || rc == EOPNOTSUPP)
		tool_say("setstripe error for '%s': not on a Lustre filesystem", path);
	else
		tool_fail(rc, "setstripe error for '%s'", path);
	return -rc;
}

static int delete_default(const char *path)
{
	if (removexattr(path, "lustre.lov") == 0 || errno == ENODATA)
		return 0;
	return set_error(path, -errno);
}

/* Does the open file have objects already? */
static bool has_objects(int fd)
{
	struct tool_lov l;
	char *blob = malloc(MAX_XATTR_VALUE);
	bool yes = false;
	ssize_t n;

	if (!blob)
		return false;
	n = fgetxattr(fd, "lustre.lov", blob, MAX_XATTR_VALUE);
	if (n > 0 && tool_lov_parse(blob, (size_t)n, &l) == 0) {
		yes = l.ncomp && l.comp[0].nobj > 0;
		tool_lov_free(&l);
	}
	free(blob);
	return yes;
}

static int set_file(const struct setstripe *s, const char *path, struct span blob)
{
	const int flags = O_WRONLY | O_CLOEXEC | O_LOV_DELAY_CREATE;
	bool made = true;
	int fd, rc = 0;

	fd = open(path, flags | O_CREAT | O_EXCL, s->mode);
	if (fd < 0 && errno == EEXIST) {
		made = false;
		fd = open(path, flags);
	}
	if (fd < 0)
		return tool_fail(errno, "unable to open '%s'", path);
	if (!made && has_objects(fd))
		rc = -EEXIST;
	else if (fsetxattr(fd, "lustre.lov", blob.ptr, blob.len, 0))
		rc = -errno;
	close(fd);
	if (rc && made)
		unlink(path);
	return rc ? set_error(path, rc) : 0;
}

/* Before anything is made: is this, or where it will be, on Sheen? */
static int check_place(const char *path, bool exists)
{
	char *copy, *dir;
	int rc = 0;

	if (exists)
		return tool_on_sheen(path) ? 0 : set_error(path, -ENOTTY);
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	dir = dirname(copy);
	if (access(dir, F_OK))
		rc = tool_fail(errno, "unable to open '%s'", path);
	else if (!tool_on_sheen(dir))
		rc = set_error(path, -ENOTTY);
	free(copy);
	return rc;
}

static int one_path(const struct setstripe *s, const char *path, struct span blob)
{
	struct stat st;
	bool exists = stat(path, &st) == 0;
	int rc;

	rc = check_place(path, exists);
	if (rc)
		return rc;
	if (s->del && !exists)
		return tool_fail(ENOENT, "unable to open '%s'", path);
	if (s->del)
		return delete_default(path);
	if (exists && S_ISDIR(st.st_mode)) {
		if (setxattr(path, "lustre.lov", blob.ptr, blob.len, 0))
			return set_error(path, -errno);
		return 0;
	}
	return set_file(s, path, blob);
}

int lfs_setstripe(int argc, char **argv)
{
	struct setstripe *s = calloc(1, sizeof(*s)); /* the list is large */
	struct wbuf w;
	int i, rc, first = 0;

	if (!s)
		return -ENOMEM;
	s->wish.stripe_offset = -1;
	s->mode = 0644;
	rc = options(s, argc, argv);
	if (rc) {
		free(s);
		return rc;
	}
	wbuf_init(&w, MAX_XATTR_VALUE);
	rc = tool_lov_build(&s->wish, &w);
	if (rc)
		first = tool_fail(rc, "cannot make the layout");
	for (i = optind; rc == 0 && i < argc; i++) {
		int rc2 = one_path(s, argv[i], wbuf_span(&w));

		first = first ? first : rc2;
	}
	wbuf_fini(&w);
	free(s);
	return first;
}
