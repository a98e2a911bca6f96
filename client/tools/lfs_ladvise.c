/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_ladvise.c - lfs ladvise: tells the client what will be done with a range of files. */
#include "client/tools/lfs.h"
#include "client/tools/tool_size.h"
#include "common/ladvise.h"
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char lfs_ladvise_usage[] =
	"usage: ladvise -a ADVICE [-b] [-m MODE] [-s START] [-e END|-l LENGTH] [-u] FILE...\n"
	"\n"
	"Says what will be done with a range of each file; without one, with all of it.\n"
	"  -a, --advice NAME    willread: it will be read soon, and is fetched;\n"
	"                       dontneed: this client and its kernel forget what they keep of it;\n"
	"                       lockahead, locknoexpand: of Lustre's locks, not supported\n"
	"  -b, --background     do not wait until it is fetched\n"
	"  -s, --start OFFSET   first byte (default 0)\n"
	"  -e, --end OFFSET     behind the last byte (default: the end of the file)\n"
	"  -l, --length LENGTH  of the range, instead of -e\n"
	"  -m, --mode MODE      READ or WRITE, of lockahead\n"
	"  -u, --unset          takes a locknoexpand back\n";

static const char *const names[] = {
	[LADVISE_WILLREAD] = "willread",
	[LADVISE_DONTNEED] = "dontneed",
	[LADVISE_LOCKNOEXPAND] = "locknoexpand",
	[LADVISE_LOCKAHEAD] = "lockahead",
};
enum { MODE_READ = 1, MODE_WRITE = 2 };

struct ladvise_call { /* as the kernel gets it */
	struct ladvise_head head;
	struct ladvise a;
};

static const struct option long_opts[] = {
	{"advice", required_argument, NULL, 'a'}, {"background", no_argument, NULL, 'b'},
	{"end", required_argument, NULL, 'e'},    {"length", required_argument, NULL, 'l'},
	{"mode", required_argument, NULL, 'm'},   {"start", required_argument, NULL, 's'},
	{"unset", no_argument, NULL, 'u'},        {NULL, 0, NULL, 0}};

static int say_valid(void)
{
	size_t i;

	fputs("Valid types:", stderr);
	for (i = 1; i < ARRAY_SIZE(names); i++)
		fprintf(stderr, " %s", names[i]);
	fputs("\n", stderr);
	return CMD_HELP;
}

static int parse_advice(const char *text, struct ladvise *a)
{
	uint16_t i;

	for (i = 1; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(text, names[i]) == 0) {
			a->advice = i;
			return 0;
		}
	tool_say("invalid advice type '%s'", text);
	return say_valid();
}

static int parse_offset(const char *what, const char *text, uint64_t *out)
{
	uint64_t unit;

	if (tool_parse_size(text, out, &unit) == 0)
		return 0;
	tool_say("bad %s '%s'", what, text);
	return CMD_HELP;
}

static int parse_mode(const char *text, struct ladvise *a)
{
	a->value1 = !strcasecmp(text, "READ")    ? MODE_READ
		    : !strcasecmp(text, "WRITE") ? MODE_WRITE
						 : 0;
	if (a->value1)
		return 0;
	tool_say("bad mode '%s', valid modes are READ or WRITE", text);
	return CMD_HELP;
}

static int options(struct ladvise_call *c, uint64_t *length, int argc, char **argv)
{
	int opt, rc = 0;

	while (rc == 0 && (opt = getopt_long(argc, argv, "a:be:l:m:s:u", long_opts, NULL)) != -1)
		switch (opt) {
		case 'a':
			rc = parse_advice(optarg, &c->a);
			break;
		case 'b':
			c->head.flags |= LADVISE_ASYNC;
			break;
		case 'e':
			rc = parse_offset("end offset", optarg, &c->a.end);
			break;
		case 'l':
			rc = parse_offset("length", optarg, length);
			break;
		case 'm':
			rc = parse_mode(optarg, &c->a);
			break;
		case 's':
			rc = parse_offset("start offset", optarg, &c->a.start);
			break;
		case 'u':
			c->head.flags |= LADVISE_UNSET;
			break;
		default:
			rc = lfs_bad_option(opt, argv);
		}
	return rc;
}

/* What the options say together. */
static int check(struct ladvise_call *c, uint64_t length, int files)
{
	struct ladvise *a = &c->a;

	if (!a->advice) {
		tool_say("please give an advice type");
		return say_valid();
	}
	if (a->advice == LADVISE_LOCKAHEAD ? !a->value1 : a->value1 != 0) {
		tool_say(a->value1 ? "--mode is only valid with lockahead"
				   : "lockahead needs a --mode");
		return CMD_HELP;
	}
	if (c->head.flags & LADVISE_UNSET && a->advice != LADVISE_LOCKNOEXPAND) {
		tool_say("--unset is only valid with locknoexpand");
		return CMD_HELP;
	}
	if (files < 1) {
		tool_say("please give one or more file names");
		return CMD_HELP;
	}
	if (length != UINT64_MAX && a->end != UINT64_MAX) {
		tool_say("--end and --length cannot be given together");
		return CMD_HELP;
	}
	if (length != UINT64_MAX)
		a->end = length < UINT64_MAX - a->start ? a->start + length : UINT64_MAX;
	if (a->end > a->start)
		return 0;
	tool_say("range [%llu, %llu] is invalid", (unsigned long long)a->start,
		 (unsigned long long)a->end);
	return CMD_HELP;
}

static int one(const char *path, struct ladvise_call *c)
{
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return tool_fail(errno, "cannot open file '%s'", path);
	if (ioctl(fd, IOC_LADVISE, c))
		rc = tool_fail(errno, "cannot give advice '%s' to file '%s'", names[c->a.advice],
			       path);
	close(fd);
	return rc;
}

int lfs_ladvise(int argc, char **argv)
{
	struct ladvise_call c = {.head = {.magic = LADVISE_MAGIC, .count = 1}, .a.end = UINT64_MAX};
	uint64_t length = UINT64_MAX;
	int first = 0, rc = options(&c, &length, argc, argv);

	if (rc == 0)
		rc = check(&c, length, argc - optind);
	if (rc)
		return rc;
	for (; optind < argc; optind++) {
		rc = one(argv[optind], &c);
		first = first ? first : rc;
	}
	return first;
}
