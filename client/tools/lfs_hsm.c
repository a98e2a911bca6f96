/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_hsm.c - lfs hsm_*: what an archive has of files, and what is to be done with them. */
#include "client/tools/lfs.h"
#include "client/tools/tool_mount.h"
#include "common/hsm.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

const char lfs_hsm_state_usage[] =
	"usage: hsm_state FILE...\n"
	"\n"
	"Shows what the archive has of each file: exists, dirty (changed since), archived,\n"
	"never_release, never_archive, lost_from_hsm; and in which archive it is.\n";
const char lfs_hsm_set_usage[] =
	"usage: hsm_set [--norelease] [--noarchive] [--dirty] [--exists] [--archived] [--lost]\n"
	"               [--archive-id ID] FILE...\n"
	"\n"
	"Sets flags by hand. An owner may set the first three, the others are root's.\n";
const char lfs_hsm_clear_usage[] =
	"usage: hsm_clear [--norelease] [--noarchive] [--dirty] [--exists] [--archived] [--lost]\n"
	"                 FILE...\n"
	"\n"
	"Clears flags by hand. An owner may clear the first three, the others are root's.\n";
const char lfs_hsm_action_usage[] =
	"usage: hsm_action FILE...\n"
	"\n"
	"Shows what is being done with each file.\n";
const char lfs_hsm_archive_usage[] =
	"usage: hsm_archive [-a ID] [-D DATA] [-l LIST] FILE...\n"
	"\n"
	"Asks for the files to be copied to the archive, and does not wait for it.\n"
	"  -a, --archive ID      which archive (default: mdt.*.hsm.default_archive_id)\n"
	"  -D, --data TEXT       for the mover\n"
	"  -l, --filelist FILE   names of more files, one in a line\n";
const char lfs_hsm_remove_usage[] =
	"usage: hsm_remove [-a ID] [-D DATA] [-l LIST] FILE...\n"
	"\n"
	"Asks for the files' copies in the archive to be removed. The files stay.\n"
	"  -a, --archive ID      only if they are in this one\n"
	"  -D, --data TEXT       for the mover\n"
	"  -l, --filelist FILE   names of more files, one in a line\n";
const char lfs_hsm_restore_usage[] =
	"usage: hsm_restore [-l LIST] FILE...\n"
	"\n"
	"Asks for the data of released files to be brought back, before somebody reads them.\n"
	"  -l, --filelist FILE   names of more files, one in a line\n";
const char lfs_hsm_release_usage[] =
	"usage: hsm_release [-l LIST] FILE...\n"
	"\n"
	"Frees the space of archived files; whoever needs their data gets them from the archive.\n"
	"  -l, --filelist FILE   names of more files, one in a line\n";
const char lfs_hsm_cancel_usage[] =
	"usage: hsm_cancel [-l LIST] FILE...\n"
	"\n"
	"Ends what was asked for and is not done yet.\n"
	"  -l, --filelist FILE   names of more files, one in a line\n";

struct state {
	unsigned flags, archive, action, running;
	unsigned long long moved;
	int error;
};

/* Lines of a newer client are ignored. */
static int read_state(const char *path, struct state *st)
{
	char *text, *line, *save = NULL;
	int rc = tool_ask(path, "sheen.hsm", &text, NULL);

	*st = (struct state){.action = HSM_NOOP};
	if (rc)
		return rc;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		(void)!sscanf(line, "flags %x", &st->flags);
		(void)!sscanf(line, "archive %u", &st->archive);
		(void)!sscanf(line, "action %u", &st->action);
		(void)!sscanf(line, "running %u", &st->running);
		(void)!sscanf(line, "moved %llu", &st->moved);
		(void)!sscanf(line, "error %d", &st->error);
	}
	free(text);
	return 0;
}

static int each(int argc, char **argv, int (*fn)(const char *path))
{
	int first = 0, rc, i;

	if (argc < 2 || argv[1][0] == '-') {
		if (argc >= 2)
			tool_say("option '%s' is unknown", argv[1]);
		return CMD_HELP;
	}
	for (i = 1; i < argc; i++) {
		rc = fn(argv[i]);
		first = first ? first : rc;
	}
	return first;
}

static int show_state(const char *path)
{
	static const struct {
		unsigned flag;
		const char *word;
	} words[] = {
		{HSM_RELEASED, "released"},
		{HSM_EXISTS, "exists"},
		{HSM_DIRTY, "dirty"},
		{HSM_ARCHIVED, "archived"},
		{HSM_NORELEASE, "never_release"},
		{HSM_NOARCHIVE, "never_archive"},
		{HSM_LOST, "lost_from_hsm"},
	};
	struct state st;
	int rc = read_state(path, &st);
	size_t i;

	if (rc)
		return tool_fail(rc, "can't get hsm state for %s", path);
	printf("%s: (0x%08x)", path, st.flags);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (st.flags & words[i].flag)
			printf(" %s", words[i].word);
	if (st.archive)
		printf(", archive_id:%u", st.archive);
	printf("\n");
	return 0;
}

int lfs_hsm_state(int argc, char **argv)
{
	return each(argc, argv, show_state);
}

static int show_action(const char *path)
{
	struct state st;
	int rc = read_state(path, &st);
	const char *word = st.action == HSM_ARCHIVE   ? "ARCHIVE"
			   : st.action == HSM_RESTORE ? "RESTORE"
			   : st.action == HSM_REMOVE  ? "REMOVE"
						      : "NOOP";

	if (rc)
		return tool_fail(rc, "can't get hsm action for %s", path);
	printf("%s: %s", path, word);
	if (st.action != HSM_NOOP && st.running)
		printf(" running (%llu bytes moved)", st.moved);
	else if (st.action != HSM_NOOP)
		printf(" waiting");
	printf("\n");
	return 0;
}

int lfs_hsm_action(int argc, char **argv)
{
	return each(argc, argv, show_action);
}

/* ---- flags by hand ---- */

static int set_text(const char *path, const char *name, const char *text)
{
	if (!tool_on_sheen(path))
		return -ENOTTY;
	return setxattr(path, name, text, strlen(text), 0) ? -errno : 0;
}

static int set_flags(int argc, char **argv, bool clear)
{
	static const struct option opts[] = {{"norelease", no_argument, NULL, HSM_NORELEASE},
					     {"noarchive", no_argument, NULL, HSM_NOARCHIVE},
					     {"dirty", no_argument, NULL, HSM_DIRTY},
					     {"exists", no_argument, NULL, HSM_EXISTS},
					     {"archived", no_argument, NULL, HSM_ARCHIVED},
					     {"lost", no_argument, NULL, HSM_LOST},
					     {"archive-id", required_argument, NULL, 'i'},
					     {NULL, 0, NULL, 0}};
	unsigned long archive = 0;
	unsigned flags = 0;
	char text[64], *end;
	int opt, rc, first = 0;

	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == '?')
			return lfs_bad_option(opt, argv);
		if (opt != 'i') {
			flags |= (unsigned)opt;
			continue;
		}
		archive = strtoul(optarg, &end, 10);
		if (clear || *end || !archive || archive > HSM_ARCHIVES) {
			tool_say("bad archive id '%s', it is 1 to %d", optarg, HSM_ARCHIVES);
			return CMD_HELP;
		}
	}
	if (optind == argc || (!flags && !archive))
		return CMD_HELP;
	snprintf(text, sizeof(text), "0x%x 0x%x %lu", clear ? 0 : flags, clear ? flags : 0,
		 archive);
	for (; optind < argc; optind++) {
		rc = set_text(argv[optind], "system.sheen.hsm_set", text);
		if (rc)
			rc = tool_fail(rc, "can't change hsm flags for %s", argv[optind]);
		first = first ? first : rc;
	}
	return first;
}

int lfs_hsm_set(int argc, char **argv)
{
	return set_flags(argc, argv, false);
}

int lfs_hsm_clear(int argc, char **argv)
{
	return set_flags(argc, argv, true);
}

/* ---- asking for work ---- */

struct request {
	unsigned action;
	unsigned long archive;
	const char *data, *list;
};

static int request_one(const struct request *r, const char *path)
{
	char text[HSM_DATA_MAX + 64];
	struct stat st;
	int rc;

	if (stat(path, &st))
		return tool_fail(errno, "cannot stat '%s'", path);
	if (!S_ISREG(st.st_mode)) {
		tool_say("\"%s\" is not a regular file", path);
		return -EINVAL;
	}
	snprintf(text, sizeof(text), "%u %lu %s", r->action, r->archive, r->data);
	rc = set_text(path, "system.sheen.hsm_request", text);
	return rc ? tool_fail(rc, "Cannot send HSM request (use of %s)", path) : 0;
}

static int request_list(const struct request *r)
{
	FILE *f = fopen(r->list, "re");
	int first = 0, rc;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!f)
		return tool_fail(errno, "Cannot open list file '%s'", r->list);
	while ((n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = 0;
		rc = n ? request_one(r, line) : 0;
		first = first ? first : rc;
	}
	free(line);
	fclose(f);
	return first;
}

static int request(int argc, char **argv, unsigned action)
{
	static const struct option opts[] = {{"archive", required_argument, NULL, 'a'},
					     {"data", required_argument, NULL, 'D'},
					     {"filelist", required_argument, NULL, 'l'},
					     {NULL, 0, NULL, 0}};
	const char *letters = action == HSM_ARCHIVE || action == HSM_REMOVE ? "a:D:l:" : "l:";
	struct request r = {.action = action, .data = ""};
	int opt, first = 0, rc;
	char *end;

	while ((opt = getopt_long(argc, argv, letters, opts, NULL)) != -1)
		switch (opt) {
		case 'a':
			r.archive = strtoul(optarg, &end, 10);
			if (*end || !r.archive || r.archive > HSM_ARCHIVES) {
				tool_say("bad archive id '%s', it is 1 to %d", optarg,
					 HSM_ARCHIVES);
				return CMD_HELP;
			}
			break;
		case 'D':
			r.data = optarg;
			if (strlen(r.data) > HSM_DATA_MAX) {
				tool_say("--data is longer than %d bytes", HSM_DATA_MAX);
				return CMD_HELP;
			}
			break;
		case 'l':
			r.list = optarg;
			break;
		default:
			return lfs_bad_option(opt, argv);
		}
	if (optind == argc && !r.list)
		return CMD_HELP;
	if (r.list)
		first = request_list(&r);
	for (; optind < argc; optind++) {
		rc = request_one(&r, argv[optind]);
		first = first ? first : rc;
	}
	return first;
}

int lfs_hsm_archive(int argc, char **argv)
{
	return request(argc, argv, HSM_ARCHIVE);
}

int lfs_hsm_remove(int argc, char **argv)
{
	return request(argc, argv, HSM_REMOVE);
}

int lfs_hsm_restore(int argc, char **argv)
{
	return request(argc, argv, HSM_RESTORE);
}

int lfs_hsm_release(int argc, char **argv)
{
	return request(argc, argv, HSM_RELEASE);
}

int lfs_hsm_cancel(int argc, char **argv)
{
	return request(argc, argv, HSM_CANCEL);
}
