/* SPDX-License-Identifier: Apache-2.0 */
/* lctl_recovery.c - lctl abort_recovery: a target waits no longer for clients that are missing. */
#include "client/tools/lctl.h"
#include <getopt.h>
#include <stdio.h>

const char lctl_abort_recovery_usage[] =
	"usage: --device TARGET abort_recovery [--nid NID]\n"
	"       abort_recovery [--nid NID] TARGET\n"
	"\n"
	"After a restart a target waits for the clients that it knew; recovery_status tells how\n"
	"long, and for whom. This ends the wait: who is not back is evicted. TARGET: its name, as\n"
	"lctl dl shows it, lustre-MDT0000.\n"
	"      --nid NID    ask the server at this address, not those of this machine\n";

enum { OPT_NID = 256, OPT_DEVICE, MAX_TEXT = 65536 };

/* 0: there is such a target, and it waits no longer. -ENOENT. */
static int abort_at(const struct lctl_source *s, const char *target)
{
	char name[128];
	struct wbuf out;
	int rc;

	if (s->mount)
		return -ENOENT;
	wbuf_init(&out, MAX_TEXT);
	snprintf(name, sizeof(name), "mdt.%.64s.abort_recovery", target);
	rc = lctl_source_set(s, name, "1", &out);
	if (rc == -ENOENT) {
		snprintf(name, sizeof(name), "obdfilter.%.64s.abort_recovery", target);
		rc = lctl_source_set(s, name, "1", &out);
	}
	wbuf_fini(&out);
	return rc;
}

static int abort_target(const struct lctl_sources *ss, const char *target)
{
	int rc = -ENOENT, one;
	uint32_t i;

	/* Another mount or server of this machine that does not answer is not in the way. */
	for (i = 0; i < ss->n && rc; i++) {
		one = abort_at(&ss->s[i], target);
		rc = one == -ENOENT ? rc : one;
	}
	return rc ? tool_fail(rc, "target '%s'", target) : 0;
}

static int options(int argc, char **argv, struct lctl_sources *ss, const char **target)
{
	static const struct option opts[] = {{"nid", required_argument, NULL, OPT_NID},
					     {"device", required_argument, NULL, OPT_DEVICE},
					     {NULL, 0, NULL, 0}};
	int opt, rc = 0;

	while (rc == 0 && (opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (opt == OPT_NID)
			rc = lctl_sources_add_nid(ss, optarg);
		else if (opt == OPT_DEVICE)
			*target = optarg;
		else
			rc = CMD_HELP;
	}
	if (rc == 0 && !*target && optind < argc)
		*target = argv[optind++];
	return rc || !*target || optind < argc ? rc ? rc : CMD_HELP : 0;
}

int lctl_abort_recovery(int argc, char **argv)
{
	struct lctl_sources ss = {0};
	const char *target = NULL;
	int rc = options(argc, argv, &ss, &target);

	if (rc == 0 && !ss.n) {
		rc = lctl_sources_local(&ss);
		if (rc)
			return tool_fail(rc, "cannot find out what runs here");
	}
	if (rc == 0)
		rc = abort_target(&ss, target);
	lctl_sources_free(&ss);
	return rc;
}
