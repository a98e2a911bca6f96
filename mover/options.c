/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - see options.h. */
#include "mover/options.h"
#include "common/log.h"
#include "mover/job.h"
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
	OPT_PATH,
	OPT_IMPORT,
	OPT_EXPORT,
	OPT_DELETIONS,
	OPT_JOB,
	OPT_JOB_DIR,
	OPT_CONFLICTS,
	OPT_MAXIMUM_ERRORS,
	OPT_UID,
	OPT_GID,
	OPT_MODE,
	OPT_DIR_MODE,
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
	{"path", required_argument, NULL, OPT_PATH},
	{"import", no_argument, NULL, OPT_IMPORT},
	{"export", no_argument, NULL, OPT_EXPORT},
	{"deletions", required_argument, NULL, OPT_DELETIONS},
	{"job", required_argument, NULL, OPT_JOB},
	{"job-dir", required_argument, NULL, OPT_JOB_DIR},
	{"conflict-resolution-mode", required_argument, NULL, OPT_CONFLICTS},
	{"maximum-errors", required_argument, NULL, OPT_MAXIMUM_ERRORS},
	{"default-uid", required_argument, NULL, OPT_UID},
	{"default-gid", required_argument, NULL, OPT_GID},
	{"default-mode", required_argument, NULL, OPT_MODE},
	{"default-dir-mode", required_argument, NULL, OPT_DIR_MODE},
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
	"      --path DIR            whose files these are (default: the root)\n"
	"      --credentials FILE    readable for its owner alone (default: the environment)\n"
	"      --region NAME         of S3\n"
	"      --virtual-host        S3: the bucket is in the host's name\n"
	"      --ca-file FILE        certificates to trust\n"
	"      --log-container NAME  gets a line of JSON for each failure\n"
	"      --jobs N              files at once (default 16)\n"
	"      --memory MIB          for their data (default 128)\n"
	"      --block-size MIB      of large files (default 8)\n"
	"A job stays in the foreground, and ends when it is done; its status is DIR/NAME.status.\n"
	"      --export --job NAME --job-dir DIR\n"
	"                            what is new or changed goes to the container; a mover that\n"
	"                            serves the archive must run\n"
	"      --deletions keep|remove  blobs that movers have put, of files that are gone\n"
	"      --import --job NAME --job-dir DIR\n"
	"                            the names of the container become files, of which the data\n"
	"                            come when somebody reads them\n"
	"      --conflict-resolution-mode Fail|Skip|OverwriteIfDirty|OverwriteAlways\n"
	"      --maximum-errors N    more end the job (default 0, -1: no limit)\n"
	"      --default-uid N, --default-gid N, --default-mode OCTAL, --default-dir-mode OCTAL\n"
	"                            of what the container does not tell (0, 0, 0644, 0755)\n"
	"\n"
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

static uint32_t octal(const char *what, const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 8);

	if (end == text || *end || v > 07777)
		usage_error("--%s: \"%s\" is not a mode as 0644", what, text);
	return (uint32_t)v;
}

static uint32_t conflicts(const char *text)
{
	static const char *const name[] = {
		[IMPORT_FAIL] = "Fail",
		[IMPORT_SKIP] = "Skip",
		[IMPORT_OVERWRITE_IF_DIRTY] = "OverwriteIfDirty",
		[IMPORT_OVERWRITE_ALWAYS] = "OverwriteAlways",
	};
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(name); i++)
		if (strcasecmp(text, name[i]) == 0)
			return i;
	usage_error("--conflict-resolution-mode: \"%s\" is not Fail, Skip, OverwriteIfDirty or "
		    "OverwriteAlways",
		    text);
}

static void take_job(struct daemon_opts *o, struct mover_cfg *cfg, int c)
{
	switch (c) {
	case OPT_IMPORT:
		cfg->kind = MOVER_IMPORTS;
		o->foreground = true;
		break;
	case OPT_EXPORT:
		cfg->kind = MOVER_EXPORTS;
		o->foreground = true;
		break;
	case OPT_DELETIONS:
		if (strcmp(optarg, "keep") != 0 && strcmp(optarg, "remove") != 0)
			usage_error("--deletions: \"%s\" is not keep or remove", optarg);
		cfg->deletions = strcmp(optarg, "remove") == 0;
		break;
	case OPT_JOB:
		cfg->job = optarg;
		break;
	case OPT_JOB_DIR:
		cfg->job_dir = optarg;
		break;
	case OPT_CONFLICTS:
		cfg->conflicts = conflicts(optarg);
		break;
	case OPT_MAXIMUM_ERRORS:
		cfg->maximum_errors = -1;
		if (strcmp(optarg, "-1") != 0)
			cfg->maximum_errors = number("maximum-errors", optarg, 0, INT32_MAX);
		break;
	case OPT_UID:
		cfg->uid = number("default-uid", optarg, 0, UINT32_MAX - 1);
		break;
	case OPT_GID:
		cfg->gid = number("default-gid", optarg, 0, UINT32_MAX - 1);
		break;
	case OPT_MODE:
		cfg->file_mode = octal("default-mode", optarg);
		break;
	case OPT_DIR_MODE:
		cfg->dir_mode = octal("default-dir-mode", optarg);
		break;
	default:
		break;
	}
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
	case OPT_PATH:
		cfg->path = optarg;
		break;
	default:
		if (c >= OPT_IMPORT)
			take_job(o, cfg, c);
		else
			take_common(o, c);
	}
}

static void check_job(const struct mover_cfg *cfg)
{
	if (cfg->kind == MOVER_SERVES && (cfg->job || cfg->job_dir))
		usage_error("--job and --job-dir are of a job, as --import");
	if (cfg->kind != MOVER_SERVES && (!cfg->job || !cfg->job_dir))
		usage_error("a job needs --job and --job-dir");
	if (cfg->job && !job_name_ok(cfg->job))
		usage_error("--job: \"%s\" is no name of a job", cfg->job);
}

/* "/data/training/" is "data/training". */
static void set_path(struct mover_cfg *cfg)
{
	static char path[MAX_PATH];
	const char *p = cfg->path;
	size_t n = 0, k;

	while (*(p += strspn(p, "/"))) {
		k = strcspn(p, "/");
		if (name_check((struct span){(const uint8_t *)p, (uint32_t)k}) ||
		    n + k + 2 > sizeof(path))
			usage_error("--path: \"%s\" is not a directory of the file system",
				    cfg->path);
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%s%.*s", n ? "/" : "", (int)k,
				      p);
		p += k;
	}
	cfg->path = path;
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
		.path = "",
		.file_mode = 0644,
		.dir_mode = 0755,
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
	check_job(cfg);
	if (!cfg->archives)
		cfg->archives = UINT32_MAX;
	set_prefix(cfg);
	set_path(cfg);
}
