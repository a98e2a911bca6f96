/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - see options.h. It decides what is written, not what is possible: whether the
 * source can be reached or the mount point exists is found out later. */
#include "client/fuse/options.h"
#include "client/fuse/uring.h"
#include "common/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

enum { MAX_LANES_OPTION = 64, MAX_TIMEOUT_S = 86400, MAX_TIMEO_DS = 864000, TIMEO_DS = 600 };

#define OPT_ENUM(id, text, doc) OPT_##id,
#define OPT_ROW(id, text, doc) {text, doc},
enum opt { MOUNT_OPTIONS(OPT_ENUM) OPT_MAX };
static const struct {
	const char *text, *doc;
} opt_table[] = {MOUNT_OPTIONS(OPT_ROW)};

void options_init(struct options *o)
{
	*o = (struct options){
		.debug = LOG_LVL_INFO,
		.timeout_s = 30,
		.read_ahead_kb = 4096,
	};
}

struct option_list {
	char *text;
	size_t len, at;
};

static void add(struct option_list *l, bool if_, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void add(struct option_list *l, bool if_, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!if_ || l->at + 1 >= l->len)
		return;
	if (l->at)
		l->text[l->at++] = ',';
	va_start(ap, fmt);
	n = vsnprintf(l->text + l->at, l->len - l->at, fmt, ap);
	va_end(ap);
	l->at = min_u64(l->at + (n > 0 ? (size_t)n : 0), l->len - 1);
}

void options_text(const struct options *o, char *text, size_t len)
{
	static const char *const locks[] = {"flock", "localflock", "noflock"};
	static const struct {
		unsigned long bit;
		const char *name;
	} flags[] = {{MS_NOSUID, "nosuid"},   {MS_NODEV, "nodev"},     {MS_NOEXEC, "noexec"},
		     {MS_SYNCHRONOUS, "sync"}, {MS_DIRSYNC, "dirsync"},
		     {MS_NODIRATIME, "nodiratime"}};
	struct option_list l = {text, len, 0};
	size_t i;

	add(&l, true, "%s", o->ms_flags & MS_RDONLY ? "ro" : "rw");
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		add(&l, o->ms_flags & flags[i].bit, "%s", flags[i].name);
	add(&l, o->noatime, "noatime");
	add(&l, true, "%s", locks[o->locks]);
	add(&l, true, "%s", o->soft ? "soft" : "hard");
	add(&l, o->timeo_ds, "timeo=%u", o->timeo_ds);
	add(&l, o->lanes, "lanes=%u", o->lanes);
	add(&l, o->nocache, "nocache");
	add(&l, true, "read_ahead_kb=%u", o->read_ahead_kb);
	add(&l, o->uring == URING_ON && !o->uring_depth, "uring");
	add(&l, o->uring == URING_ON && o->uring_depth, "uring=%u", o->uring_depth);
	add(&l, o->uring == URING_OFF, "nouring");
	add(&l, o->keeper, "keeper");
}

void options_help(void)
{
	size_t i;

	printf("usage: sheen SOURCE MOUNTPOINT [-o OPTION[,OPTION]...] [-f] [-v] [--debug LEVEL]\n"
	       "Mounts a Sheen file system. Normally called by mount(8).\n"
	       "SOURCE is MGSNID[,MGSNID][:MGSNID]:/FSNAME[/SUBDIR], for example\n"
	       "10.0.0.1@tcp:/lustre.\n\n"
	       "  -f, --foreground   stay in the foreground, log to stderr\n"
	       "  -v, --verbose      say more while mounting\n"
	       "  -d, --debug LEVEL  error, warn, info (default) or debug\n"
	       "  -h, --help         this text\n"
	       "  -V, --version      the version\n\noptions of -o:\n");
	for (i = 0; i < OPT_MAX; i++)
		printf("  %-16s %s\n", opt_table[i].text, opt_table[i].doc);
}

/* What mount(8), fstab and systemd understand and pass on. */
static bool is_ignored(const char *s)
{
	static const char *const names[] = {
		"defaults", "auto",	 "noauto", "user",	"nouser",     "users",
		"owner",    "group",	 "_netdev", "nofail",	"allow_other", "acl",
		"lazytime", "nolazytime", "mand",  "nomand",	"silent",     "loud",
		"iversion", "noiversion", "norelatime", "nostrictatime", "lazystatfs",
		"encrypt",  "noencrypt", "always_ping", "user_fid2path",
		"default_permissions",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(s, names[i]) == 0)
			return true;
	return strncmp(s, "x-", 2) == 0 || strncmp(s, "X-", 2) == 0 ||
	       strncmp(s, "comment=", 8) == 0 || strncmp(s, "helper=", 7) == 0;
}

static int find_option(const char *s, const char **value)
{
	int i;

	*value = NULL;
	for (i = 0; i < OPT_MAX; i++) {
		size_t n = strlen(opt_table[i].text);

		if (opt_table[i].text[n - 1] == '=') {
			if (strncmp(s, opt_table[i].text, n) == 0) {
				*value = s + n;
				return i;
			}
		} else if (strcmp(s, opt_table[i].text) == 0) {
			return i;
		}
	}
	return -1;
}

static int number(const char *name, const char *text, uint32_t min, uint32_t max, uint32_t *out,
		  char *why, size_t len)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || !*text || *end || *text == '-' || *text == '+' || v < min || v > max) {
		snprintf(why, len, "option %s%s: the value must be a number from %u to %u", name,
			 text, min, max);
		return -EINVAL;
	}
	*out = (uint32_t)v;
	return 0;
}

static int set_param(struct options *o, const char *value, char *why, size_t len)
{
	if (o->nset_param == ARRAY_SIZE(o->set_param) || !strchr(value, '=') ||
	    strlen(value) >= sizeof(o->set_param[0])) {
		snprintf(why, len, "option param=%.64s: must be NAME=VALUE, and %zu times at most",
			 value, ARRAY_SIZE(o->set_param));
		return -EINVAL;
	}
	snprintf(o->set_param[o->nset_param++], sizeof(o->set_param[0]), "%s", value);
	return 0;
}

static void flag(struct options *o, unsigned long bit, bool on)
{
	o->ms_flags = on ? o->ms_flags | bit : o->ms_flags & ~bit;
}

static int apply_value(struct options *o, int opt, const char *value, char *why, size_t len)
{
	const char *name = opt_table[opt].text;

	switch (opt) {
	case OPT_lanes:
		return number(name, value, 1, MAX_LANES_OPTION, &o->lanes, why, len);
	case OPT_retry:
		return number(name, value, 0, 1000000, &o->retry, why, len);
	case OPT_mount_timeout:
		return number(name, value, 1, MAX_TIMEOUT_S, &o->timeout_s, why, len);
	case OPT_timeo:
		return number(name, value, 1, MAX_TIMEO_DS, &o->timeo_ds, why, len);
	case OPT_read_ahead_kb:
		return number(name, value, 0, 1 << 20, &o->read_ahead_kb, why, len);
	case OPT_uring_depth:
		o->uring = URING_ON;
		return number(name, value, 1, URING_DEPTH_MAX, &o->uring_depth, why, len);
	case OPT_param:
		return set_param(o, value, why, len);
	default:
		return 0;
	}
}

static void apply_flag(struct options *o, int opt)
{
	switch (opt) {
	case OPT_rw:
	case OPT_ro:
		flag(o, MS_RDONLY, opt == OPT_ro);
		break;
	case OPT_suid:
	case OPT_nosuid:
		flag(o, MS_NOSUID, opt == OPT_nosuid);
		break;
	case OPT_dev:
	case OPT_nodev:
		flag(o, MS_NODEV, opt == OPT_nodev);
		break;
	case OPT_exec:
	case OPT_noexec:
		flag(o, MS_NOEXEC, opt == OPT_noexec);
		break;
	case OPT_sync:
	case OPT_async:
		flag(o, MS_SYNCHRONOUS, opt == OPT_sync);
		break;
	case OPT_dirsync:
		flag(o, MS_DIRSYNC, true);
		break;
	case OPT_noatime:
	case OPT_atime:
	case OPT_relatime:
	case OPT_strictatime:
		o->noatime = opt == OPT_noatime;
		flag(o, MS_NOATIME, o->noatime);
		break;
	case OPT_diratime:
	case OPT_nodiratime:
		flag(o, MS_NODIRATIME, opt == OPT_nodiratime);
		break;
	case OPT_hard:
	case OPT_soft:
		o->soft = opt == OPT_soft;
		break;
	case OPT_nocache:
		o->nocache = true;
		break;
	case OPT_flock:
		o->locks = LOCKS_FLOCK;
		break;
	case OPT_localflock:
		o->locks = LOCKS_LOCAL;
		break;
	case OPT_noflock:
		o->locks = LOCKS_NONE;
		break;
	case OPT_keeper:
	case OPT_nokeeper:
		o->keeper = opt == OPT_keeper;
		break;
	case OPT_uring:
	case OPT_nouring:
		o->uring = opt == OPT_uring ? URING_ON : URING_OFF;
		break;
	default:
		break;
	}
}

static int apply_one(struct options *o, const char *text, char *why, size_t len)
{
	const char *value;
	int opt;

	if (!*text || is_ignored(text))
		return 0;
	opt = find_option(text, &value);
	if (opt < 0) {
		snprintf(why, len, "unknown mount option '%.100s'", text);
		return -EINVAL;
	}
	if (value)
		return apply_value(o, opt, value, why, len);
	apply_flag(o, opt);
	return 0;
}

int options_parse_list(struct options *o, const char *text, char *why, size_t len)
{
	char one[512];
	int rc = 0;

	while (*text && rc == 0) {
		size_t n = strcspn(text, ",");

		if (n >= sizeof(one)) {
			snprintf(why, len, "mount option too long: '%.32s...'", text);
			return -EINVAL;
		}
		memcpy(one, text, n);
		one[n] = 0;
		rc = apply_one(o, one, why, len);
		text += n;
		text += *text == ',';
	}
	return rc;
}

static int positional(struct options *o, const char *arg, char *why, size_t len)
{
	if (!o->source_text)
		o->source_text = arg;
	else if (!o->mountpoint)
		o->mountpoint = arg;
	else {
		snprintf(why, len, "too many arguments: '%.100s'", arg);
		return -EINVAL;
	}
	return 0;
}

static int debug_level(struct options *o, const char *text, char *why, size_t len)
{
	enum log_level lvl;
	int rc = text ? log_level_parse(text, &lvl) : -EINVAL;

	if (rc)
		snprintf(why, len, "--debug needs error, warn, info or debug");
	else
		o->debug = (int)lvl;
	return rc;
}

static bool is_arg(const char *a, const char *shorter, const char *longer)
{
	return strcmp(a, shorter) == 0 || strcmp(a, longer) == 0;
}

static int parse_arg(struct options *o, char **argv, int argc, int *i, char *why, size_t len)
{
	const char *a = argv[*i];
	const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;

	if (is_arg(a, "-f", "--foreground")) {
		o->foreground = true;
	} else if (is_arg(a, "-v", "--verbose")) {
		o->verbose = true;
	} else if (is_arg(a, "-h", "--help")) {
		o->help = true;
	} else if (is_arg(a, "-V", "--version")) {
		o->version = true;
	} else if (is_arg(a, "-d", "--debug")) {
		(*i)++;
		return debug_level(o, next, why, len);
	} else if (strncmp(a, "--debug=", 8) == 0) {
		return debug_level(o, a + 8, why, len);
	} else if (strncmp(a, "--take-over=", 12) == 0) {
		o->take_over = a + 12;
	} else if (strcmp(a, "-s") == 0 || strcmp(a, "-n") == 0) {
		/* mount(8): sloppy, no mtab */
	} else if (is_arg(a, "-o", "--options")) {
		(*i)++;
		if (!next) {
			snprintf(why, len, "-o needs a list of options");
			return -EINVAL;
		}
		return options_parse_list(o, next, why, len);
	} else if (strncmp(a, "-o", 2) == 0) {
		return options_parse_list(o, a + 2, why, len);
	} else if (a[0] == '-' && a[1]) {
		snprintf(why, len, "unknown option '%.100s'", a);
		return -EINVAL;
	} else {
		return positional(o, a, why, len);
	}
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, char *why, size_t len)
{
	int i, rc = 0;

	options_init(o);
	for (i = 1; i < argc && rc == 0; i++)
		rc = parse_arg(o, argv, argc, &i, why, len);
	if (rc || o->help || o->version)
		return rc;
	if (o->soft && !o->timeo_ds)
		o->timeo_ds = TIMEO_DS;
	if (!o->source_text || !o->mountpoint) {
		snprintf(why, len, "need a source and a mount point");
		return -EINVAL;
	}
	return mount_source_parse(o->source_text, &o->source, why, len);
}
