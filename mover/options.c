/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - see options.h. */
#include "mover/options.h"
#include "common/log.h"
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	OPT_SYSLOG = 256,
	OPT_PID_FILE,
	OPT_SERVICE,
	OPT_ENDPOINT,
	OPT_CONTAINER,
	OPT_PREFIX,
	OPT_CREDENTIALS,
	OPT_REGION,
	OPT_VIRTUAL_HOST,
	OPT_CA_FILE,
	OPT_LOG_CONTAINER,
	OPT_JOBS,
	OPT_MEMORY,
	OPT_BLOCK_SIZE,
};

static const struct option long_options[] = {
	{"foreground", no_argument, NULL, 'f'},
	{"debug", required_argument, NULL, 'd'},
	{"syslog", no_argument, NULL, OPT_SYSLOG},
	{"pid-file", required_argument, NULL, OPT_PID_FILE},
	{"archive", required_argument, NULL, 'a'},
	{"service", required_argument, NULL, OPT_SERVICE},
	{"endpoint", required_argument, NULL, OPT_ENDPOINT},
	{"container", required_argument, NULL, OPT_CONTAINER},
	{"prefix", required_argument, NULL, OPT_PREFIX},
	{"credentials", required_argument, NULL, OPT_CREDENTIALS},
	{"region", required_argument, NULL, OPT_REGION},
	{"virtual-host", no_argument, NULL, OPT_VIRTUAL_HOST},
	{"ca-file", required_argument, NULL, OPT_CA_FILE},
	{"log-container", required_argument, NULL, OPT_LOG_CONTAINER},
	{"jobs", required_argument, NULL, OPT_JOBS},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"block-size", required_argument, NULL, OPT_BLOCK_SIZE},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static const char usage[] =
	"usage: sheen-copytool [OPTION]... --endpoint URL --container NAME "
	"MGSNID[:MGSNID]:/FSNAME\n"
	"Copy files of a file system to a blob store when the coordinator asks for it\n"
	"(lfs hsm_archive, lfs hsm_remove).\n"
	"\n"
	"  -a, --archive ID          serve this archive (1 to 32), and others; default: all\n"
	"      --service azure|s3    what the store speaks (default azure)\n"
	"      --endpoint URL        https://ACCOUNT.blob.core.windows.net, https://s3.REGION...\n"
	"      --container NAME      container or bucket\n"
	"      --prefix PATH         of all names in it\n"
	"      --credentials FILE    readable for its owner alone (default: the environment)\n"
	"      --region NAME         of S3\n"
	"      --virtual-host        S3: the bucket is in the host's name\n"
	"      --ca-file FILE        certificates to trust\n"
	"      --log-container NAME  gets a line of JSON for each failure\n"
	"      --jobs N              files at once (default 16)\n"
	"      --memory MIB          for their data (default 128)\n"
	"      --block-size MIB      of large files (default 8)\n"
	"  -f, --foreground          stay in the foreground, log to stderr\n"
	"  -d, --debug LEVEL         log error, warn, info (default) or debug\n"
	"      --syslog              log to syslog\n"
	"      --pid-file FILE       write the process id to FILE while serving\n"
	"  -h, --help                print this and exit\n"
	"  -V, --version             print the version and exit\n";

static void usage_error(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
static void usage_error(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "sheen-copytool: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'sheen-copytool --help'.\n");
	exit(1);
}

static uint32_t number(const char *what, const char *text, uint32_t min, uint32_t max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || v < min || v > max)
		usage_error("--%s: \"%s\" is not a number from %u to %u", what, text, min, max);
	return (uint32_t)v;
}

static void take_common(struct daemon_opts *o, int c)
{
	enum log_level lvl;

	switch (c) {
	case 'f':
		o->foreground = true;
		break;
	case 'd':
		if (log_level_parse(optarg, &lvl))
			usage_error("--debug: \"%s\" is not error, warn, info or debug", optarg);
		o->debug = lvl;
		break;
	case OPT_SYSLOG:
		o->syslog = true;
		break;
	case OPT_PID_FILE:
		o->pid_file = optarg;
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case 'V':
		printf("sheen-copytool %s\n", SHEEN_VERSION);
		exit(0);
	default:
		usage_error("unknown option, or its argument is missing");
	}
}

static void take(struct daemon_opts *o, struct mover_cfg *cfg, int c)
{
	switch (c) {
	case 'a':
		cfg->archives |= 1U << (number("archive", optarg, 1, HSM_ARCHIVES) - 1);
		break;
	case OPT_SERVICE:
		if (strcmp(optarg, "azure") && strcmp(optarg, "s3"))
			usage_error("--service: \"%s\" is not azure or s3", optarg);
		cfg->blob.service = strcmp(optarg, "s3") ? BLOB_AZURE : BLOB_S3;
		break;
	case OPT_ENDPOINT:
		cfg->blob.endpoint = optarg;
		break;
	case OPT_CONTAINER:
		cfg->blob.container = optarg;
		break;
	case OPT_PREFIX:
		cfg->prefix = optarg;
		break;
	case OPT_CREDENTIALS:
		cfg->blob.credentials = optarg;
		break;
	case OPT_REGION:
		cfg->blob.region = optarg;
		break;
	case OPT_VIRTUAL_HOST:
		cfg->blob.virtual_host = true;
		break;
	case OPT_CA_FILE:
		cfg->blob.ca_file = optarg;
		break;
	case OPT_LOG_CONTAINER:
		cfg->log_container = optarg;
		break;
	case OPT_JOBS:
		cfg->jobs = number("jobs", optarg, 1, 256);
		break;
	case OPT_MEMORY:
		cfg->memory = number("memory", optarg, 1, 1U << 20) * (uint64_t)MIB;
		break;
	case OPT_BLOCK_SIZE:
		cfg->blob.block_size = number("block-size", optarg, 1, 64) * (uint64_t)MIB;
		break;
	default:
		take_common(o, c);
	}
}

/* "data", "/data/" are "data/". */
static void set_prefix(struct mover_cfg *cfg)
{
	static char prefix[HSM_NAME_MAX / 2];
	size_t n;

	while (*cfg->prefix == '/')
		cfg->prefix++;
	n = strlen(cfg->prefix);
	while (n && cfg->prefix[n - 1] == '/')
		n--;
	if (n + 2 > sizeof(prefix))
		usage_error("--prefix is longer than %zu bytes", sizeof(prefix) - 2);
	snprintf(prefix, sizeof(prefix), "%.*s%s", (int)n, cfg->prefix, n ? "/" : "");
	cfg->prefix = prefix;
}

void mover_options(struct daemon_opts *o, struct mover_cfg *cfg, int argc, char **argv)
{
	char why[256];
	int c;

	o->debug = LOG_LVL_INFO;
	*cfg = (struct mover_cfg){
		.blob = {.service = BLOB_AZURE, .block_size = 8 * (uint64_t)MIB},
		.prefix = "",
		.jobs = 16,
		.memory = 128 * (uint64_t)MIB,
	};
	while ((c = getopt_long(argc, argv, "a:fd:hV", long_options, NULL)) != -1)
		take(o, cfg, c);
	if (argc != optind + 1)
		usage_error("exactly one file system is expected, as mgs@tcp:/lustre");
	if (!cfg->blob.endpoint || !cfg->blob.container)
		usage_error("--endpoint and --container are needed");
	if (mount_source_parse(argv[optind], &cfg->source, why, sizeof(why)))
		usage_error("%s", why);
	if (cfg->source.subdir[0])
		usage_error("a mover works on a whole file system, without \"%s\"",
			    cfg->source.subdir);
	if (!cfg->archives)
		cfg->archives = UINT32_MAX;
	set_prefix(cfg);
}
