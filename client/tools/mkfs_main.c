/* SPDX-License-Identifier: Apache-2.0 */
/* mkfs_main.c - mkfs.sheen: makes a directory a target (MGS, MDT or OST).
 *
 * Options, rules between them and messages follow mkfs.lustre. A target is a directory on any
 * local file system; its data structures are made by its server at the first start. What belongs to
 * devices (back-end file systems, sizes) has no meaning here and is refused.
 */
#include "client/tools/mkfs.h"
#include "client/tools/tool_size.h"
#include "common/daemon.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage_text[] =
	"usage: mkfs.sheen {--mgs | --mdt | --ost} [OPTIONS] DIR\n"
	"\n"
	"Makes DIR a target of a Sheen file system: the management server's, a metadata target\n"
	"or an object storage target.\n"
	"      --mgs                management server (one for any number of file systems)\n"
	"      --mdt                metadata target\n"
	"      --ost                object storage target\n"
	"      --fsname NAME        file system: 1 to 8 of letters, digits, '-' and '_'\n"
	"      --index N            number of the target in its file system, from 0\n"
	"      --mgsnode NID[,NID]  address of the MGS, ADDRESS@tcp[:PORT]; again for each MGS\n"
	"                           that may take over\n"
	"      --servicenode NIDS   addresses of a machine that may serve the target; again for\n"
	"                           each such machine; default: the one that reaches the MGS\n"
	"      --failnode NIDS      the same for the others than the one that serves it first\n"
	"      --port N             listen on this port\n"
	"      --param KEY=VALUE    parameter of the server; may be repeated\n"
	"      --comment TEXT       kept with the target\n"
	"      --reformat           over an existing target, whose data are deleted\n"
	"  -n, --dryrun             only say what would be done\n"
	"  -q, --quiet              no output but errors\n"
	"  -v, --verbose            more output\n"
	"  -V, --version            print the version and exit\n"
	"  -h, --help               print this and exit\n";

enum {
	OPT_MGS = 256,
	OPT_MDT,
	OPT_OST,
	OPT_FSNAME,
	OPT_INDEX,
	OPT_MGSNODE,
	OPT_SERVICENODE,
	OPT_FAILNODE,
	OPT_PORT,
	OPT_PARAM,
	OPT_COMMENT,
	OPT_REFORMAT,
	OPT_DEVICE,
};

static const struct option long_opts[] = {
	{"mgs", no_argument, NULL, OPT_MGS},
	{"mdt", no_argument, NULL, OPT_MDT},
	{"ost", no_argument, NULL, OPT_OST},
	{"fsname", required_argument, NULL, OPT_FSNAME},
	{"index", required_argument, NULL, OPT_INDEX},
	{"mgsnode", required_argument, NULL, OPT_MGSNODE},
	{"mgsnid", required_argument, NULL, OPT_MGSNODE},
	{"servicenode", required_argument, NULL, OPT_SERVICENODE},
	{"failnode", required_argument, NULL, OPT_FAILNODE},
	{"port", required_argument, NULL, OPT_PORT},
	{"param", required_argument, NULL, OPT_PARAM},
	{"comment", required_argument, NULL, OPT_COMMENT},
	{"reformat", no_argument, NULL, OPT_REFORMAT},
	{"dryrun", no_argument, NULL, 'n'},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{"backfstype", required_argument, NULL, OPT_DEVICE},
	{"mkfsoptions", required_argument, NULL, OPT_DEVICE},
	{"mountfsoptions", required_argument, NULL, OPT_DEVICE},
	{"device-size", required_argument, NULL, OPT_DEVICE},
	{"network", required_argument, NULL, OPT_DEVICE},
	{"replace", no_argument, NULL, OPT_DEVICE},
	{NULL, 0, NULL, 0},
};

static int bad(const char *fmt, ...) PRINTF_LIKE(1, 2);
static int bad(const char *fmt, ...)
{
	va_list ap;

	fputs("mkfs.sheen: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -EINVAL;
}

static int set_index(struct mkfs *m, const char *text)
{
	int64_t v;

	if (tool_parse_int(text, 0, UINT32_MAX, &v))
		return bad("Bad index '%s'", text);
	if (v > MAX_OST_INDEX)
		return bad("index %s is above the largest, %#x", text, MAX_OST_INDEX);
	m->label.index = (uint32_t)v;
	m->has_index = true;
	return 0;
}

/* Several MGS nodes are alternatives: joined as in a mount source. */
static int add_mgsnode(struct mkfs *m, const char *text)
{
	struct nid_list nids;
	char why[256];
	size_t at = strlen(m->label.mgsnode);

	if (nid_list_parse(text, PORT_MGS, &nids, why, sizeof(why)))
		return bad("--mgsnode=%s: %s", text, why);
	if (at + strlen(text) + 2 > sizeof(m->label.mgsnode))
		return bad("too many --mgsnode");
	snprintf(m->label.mgsnode + at, sizeof(m->label.mgsnode) - at, "%s%s", at ? ":" : "", text);
	return 0;
}

/* Machines are alternatives, too; max of their addresses all in all. */
static int add_node(const char *opt, char *to, size_t cap, uint32_t max, const char *text)
{
	size_t at = strlen(to);
	struct nid_list nids;
	char why[256];

	if (nid_list_parse(text, PORT_MGS, &nids, why, sizeof(why)))
		return bad("--%s=%s: %s", opt, text, why);
	if (at + strlen(text) + 2 > cap)
		return bad("too many --%s", opt);
	snprintf(to + at, cap - at, "%s%s", at ? ":" : "", text);
	if (nid_list_parse(to, PORT_MGS, &nids, why, sizeof(why)) || nids.n > max)
		return bad("--%s: more than %u addresses", opt, max);
	return 0;
}

static int add_param(struct mkfs *m, const char *text)
{
	size_t at = strlen(m->label.params);
	const char *eq = strchr(text, '=');

	if (!eq || eq == text || strchr(text, '\n'))
		return bad("--param: '%s' is not KEY=VALUE", text);
	if (at + strlen(text) + 2 > sizeof(m->label.params))
		return bad("too many --param");
	snprintf(m->label.params + at, sizeof(m->label.params) - at, "%s%s", at ? "\n" : "", text);
	return 0;
}

static int set_type(struct mkfs *m, uint8_t type)
{
	m->types |= 1U << type;
	m->label.type = type;
	return 0;
}

static int set_port(struct mkfs *m, const char *text)
{
	int64_t v;

	if (tool_parse_int(text, 1, 65535, &v))
		return bad("Bad port '%s'", text);
	m->label.port = (uint16_t)v;
	return 0;
}

static int set_fsname(struct mkfs *m, const char *text)
{
	if (strlen(text) > MAX_FSNAME)
		return bad("filesystem name must be 1-%d chars", MAX_FSNAME);
	if (!fsname_ok(text))
		return bad("filesystem name '%s': only letters, digits, '-' and '_' are allowed",
			   text);
	snprintf(m->label.fsname, sizeof(m->label.fsname), "%s", text);
	return 0;
}

static int one_option(struct mkfs *m, int opt, char **argv)
{
	switch (opt) {
	case OPT_MGS:
		return set_type(m, TARGET_MGS);
	case OPT_MDT:
		return set_type(m, TARGET_MDT);
	case OPT_OST:
		return set_type(m, TARGET_OST);
	case OPT_FSNAME:
		return set_fsname(m, optarg);
	case OPT_INDEX:
		return set_index(m, optarg);
	case OPT_MGSNODE:
		return add_mgsnode(m, optarg);
	case OPT_SERVICENODE:
		return add_node("servicenode", m->label.servicenode, sizeof(m->label.servicenode),
				MAX_NIDS, optarg);
	case OPT_FAILNODE: /* one more is that where it serves first */
		return add_node("failnode", m->label.failnode, sizeof(m->label.failnode),
				MAX_NIDS - 1, optarg);
	case OPT_PORT:
		return set_port(m, optarg);
	case OPT_PARAM:
		return add_param(m, optarg);
	case OPT_COMMENT:
		m->comment = optarg;
		return 0;
	case OPT_REFORMAT:
		m->reformat = true;
		return 0;
	case 'n':
		m->dryrun = true;
		return 0;
	case 'q':
		m->quiet = true;
		return 0;
	case 'v':
		m->verbose = true;
		return 0;
	case OPT_DEVICE:
		bad("option '%s' is not supported by Sheen", argv[optind - 1]);
		return -EOPNOTSUPP;
	default:
		bad("option '%s' is unknown or lacks its value", argv[optind - 1]);
		return MKFS_USAGE;
	}
}

int mkfs_check(struct mkfs *m)
{
	const uint32_t mgs = 1U << TARGET_MGS, ost = 1U << TARGET_OST;

	if (!m->types)
		return bad("must set target type: MDT,OST,MGS");
	if ((m->types & ost) && m->types != ost)
		return bad("OST type is exclusive with MDT,MGS");
	if (m->types & (m->types - 1)) {
		bad("an MGS and an MDT in one directory are not supported: format two");
		return -EOPNOTSUPP;
	}
	if (m->label.servicenode[0] && m->label.failnode[0])
		return bad("--failnode and --servicenode exclude each other");
	if (m->types == mgs && (m->label.servicenode[0] || m->label.failnode[0]))
		return bad("--servicenode and --failnode are not for an MGS: its addresses are "
			   "those of --mgsnode and of mount");
	if (m->types == mgs) {
		if (m->label.fsname[0] || m->has_index)
			return bad("--fsname and --index are not for an MGS");
		if (m->label.mgsnode[0])
			return bad("Can't specify --mgsnode with --mgs");
		return 0;
	}
	if (!m->label.fsname[0])
		return bad("Must specify --fsname for MDT/OST device");
	if (!m->has_index)
		return bad("Must specify --index for MDT/OST device");
	if (m->label.type == TARGET_MDT && m->label.index > 0)
		return bad("--index=%u: one MDT, index 0, is supported", m->label.index);
	if (!m->label.mgsnode[0])
		return bad("Must specify --mgsnode");
	return 0;
}

static int parse(struct mkfs *m, int argc, char **argv)
{
	int opt, rc;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "nqvVh", long_opts, NULL)) != -1) {
		if (opt == 'h') {
			fputs(usage_text, stdout);
			return MKFS_DONE;
		}
		if (opt == 'V') {
			puts("mkfs.sheen " SHEEN_VERSION);
			return MKFS_DONE;
		}
		rc = one_option(m, opt, argv);
		if (rc)
			return rc;
	}
	if (optind + 1 != argc) {
		bad(optind == argc ? "no directory given" : "more than one directory given");
		return MKFS_USAGE;
	}
	m->dir = argv[optind];
	return mkfs_check(m);
}

int main(int argc, char **argv)
{
	struct mkfs *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return ENOMEM;
	rc = parse(m, argc, argv);
	if (rc == MKFS_USAGE)
		fputs(usage_text, stderr);
	if (rc == 0)
		rc = mkfs_format(m);
	free(m);
	if (rc == MKFS_DONE)
		return 0;
	return rc == MKFS_USAGE ? 1 : -rc;
}
