/* SPDX-License-Identifier: Apache-2.0 */
/* mount_main.c - mount.sheen, what mount(8) runs for "-t sheen" and for fstab.
 *
 * Checks what can be checked without a network, drops options that are for mount(8) and init, and
 * becomes `sheen`, which connects, mounts and returns when the mount works. Called as
 * mount.lustre it does the same, so that Lustre's own fstab lines work.
 */
#include "client/tools/tool_mount.h"
#include "client/tools/tool_path.h"
#include "common/daemon.h"
#include "common/nid.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EX_USAGE = 1, EX_FAIL = 32 }; /* of mount(8) */

struct job {
	const char *prog, *source, *dir;
	char opts[4096];
	bool verbose, fake, no_mtab, sloppy;
};

static const char usage_text[] =
	"usage: mount.sheen SOURCE DIR [-fnsv] [-o OPTIONS]\n"
	"\n"
	"Mounts a Sheen file system. SOURCE is MGSNID[,NID...][:MGSNID...]:/FSNAME[/SUBDIR], a\n"
	"NID ADDRESS@tcp[:PORT]. mount(8) runs this for: mount -t sheen SOURCE DIR\n"
	"  -o, --options LIST  mount options, see sheen(8)\n"
	"  -f, --fake          check everything but do not mount\n"
	"  -n, --nomtab        accepted; there is no mtab to write\n"
	"  -s                  ignore options that are not known\n"
	"  -v, --verbose       say what is done\n"
	"  -V, --version       print the version and exit\n"
	"  -h, --help          print this and exit\n";

static const struct option long_opts[] = {
	{"options", required_argument, NULL, 'o'}, {"fake", no_argument, NULL, 'f'},
	{"nomtab", no_argument, NULL, 'n'},	   {"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, 'V'},	   {"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* Options of fstab that nobody behind mount(8) has a use for. */
static bool is_fstab_word(const char *opt, size_t len)
{
	static const char *const words[] = {"defaults", "auto",	  "noauto", "_netdev", "nofail",
					    "user",	"nouser", "users",  "owner",   "group"};
	static const char *const prefixes[] = {"x-", "X-", "comment=", "uhelper=", "helper="};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == len && !strncmp(opt, words[i], len))
			return true;
	for (i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(opt, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static int add_options(struct job *j, const char *list)
{
	size_t at = strlen(j->opts), len;

	for (; *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		if (len == 0 || is_fstab_word(list, len))
			continue;
		if (at + len + 2 > sizeof(j->opts)) {
			fprintf(stderr, "%s: the options are too long\n", j->prog);
			return EX_USAGE;
		}
		at += (size_t)snprintf(j->opts + at, sizeof(j->opts) - at, "%s%.*s", at ? "," : "",
				       (int)len, list);
	}
	return 0;
}

static int parse(struct job *j, int argc, char **argv)
{
	int opt, rc = 0;

	opterr = 0;
	while (rc == 0 && (opt = getopt_long(argc, argv, "o:fnsvVhN:t:", long_opts, NULL)) != -1) {
		switch (opt) {
		case 'o':
			rc = add_options(j, optarg);
			break;
		case 'f':
			j->fake = true;
			break;
		case 'n':
			j->no_mtab = true;
			break;
		case 's':
			j->sloppy = true;
			break;
		case 'v':
			j->verbose = true;
			break;
		case 'N': /* mount(8) passes its name space and the type: nothing depends on them */
		case 't':
			break;
		case 'V':
			printf("%s %s\n", j->prog, SHEEN_VERSION);
			exit(0);
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			fprintf(stderr, "%s: option '%s' is unknown or lacks its value\n", j->prog,
				argv[optind - 1]);
			rc = EX_USAGE;
		}
	}
	if (rc)
		return rc;
	if (argc - optind != 2) {
		fputs(usage_text, stderr);
		return EX_USAGE;
	}
	j->source = argv[optind];
	j->dir = argv[optind + 1];
	return 0;
}

static int fail(const struct job *j, const char *why, const char *hint)
{
	fprintf(stderr, "%s: mount %s at %s failed: %s\n", j->prog, j->source, j->dir, why);
	if (hint)
		fprintf(stderr, "%s\n", hint);
	return EX_FAIL;
}

static int check_dir(const struct job *j)
{
	struct tool_mounts ms;
	struct stat st;
	char *real;
	int rc = 0;
	uint32_t i;

	if (stat(j->dir, &st)) {
		/* A client that died leaves a mount that answers like this. */
		if (errno == ENOTCONN || errno == ECONNABORTED)
			return fail(j, strerror(errno),
				    "The client of this mount point is gone: umount it first.");
		return fail(j, strerror(errno), "Does the mount point exist?");
	}
	if (!S_ISDIR(st.st_mode))
		return fail(j, strerror(ENOTDIR), NULL);
	if (tool_mounts_read(&ms))
		return 0;
	real = realpath(j->dir, NULL);
	for (i = 0; real && i < ms.n; i++)
		if (!strcmp(ms.m[i].dir, real) && !strcmp(ms.m[i].source, j->source))
			rc = 1;
	tool_mounts_free(&ms);
	free(real);
	if (!rc)
		return 0;
	fprintf(stderr, "%s: according to /proc/self/mounts %s is already mounted on %s\n", j->prog,
		j->source, j->dir);
	return EX_FAIL;
}

static int check_source(const struct job *j)
{
	struct mount_source *src = malloc(sizeof(*src)); /* large */
	char why[512], text[600];
	int rc;

	if (!src)
		return fail(j, strerror(ENOMEM), NULL);
	rc = mount_source_parse(j->source, src, why, sizeof(why));
	free(src);
	if (!rc)
		return 0;
	snprintf(text, sizeof(text), "Invalid source: %s", why);
	return fail(j, text, "Is the MGS specification correct?");
}

static int become_sheen(struct job *j)
{
	static char dash_o[] = "-o";
	char path[MAX_PATH];
	char *args[8];
	int n = 0;

	if (tool_program("sheen", path, sizeof(path)))
		return fail(j, "the program 'sheen' is not found", NULL);
	args[n++] = path;
	args[n++] = (char *)(uintptr_t)j->source;
	args[n++] = (char *)(uintptr_t)j->dir;
	if (j->opts[0]) {
		args[n++] = dash_o;
		args[n++] = j->opts;
	}
	args[n] = NULL;
	if (j->verbose)
		printf("%s: %s %s %s%s%s\n", j->prog, path, j->source, j->dir,
		       j->opts[0] ? " -o " : "", j->opts);
	fflush(stdout);
	execv(path, args);
	return fail(j, strerror(errno), path);
}

int main(int argc, char **argv)
{
	static struct job j;
	int rc;

	j.prog = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	rc = parse(&j, argc, argv);
	if (rc == 0)
		rc = check_source(&j);
	if (rc == 0)
		rc = check_dir(&j);
	if (rc || j.fake)
		return rc;
	return become_sheen(&j);
}
