/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_main.c - sheenctl: a whole cluster on this machine, up, shown, down. For trying,
 * developing and testing; servers on many machines are systemd's business. */
#include "client/tools/sheenctl.h"
#include "client/tools/tool_cmd.h"
#include "common/log.h"
#include <signal.h>

static const struct tool_cmd cmds[] = {
	{"up", sheenctl_up, "format what is new, start what is missing, mount", sheenctl_up_usage},
	{"status", sheenctl_status, "processes, targets, space, mounts", sheenctl_status_usage},
	{"down", sheenctl_down, "unmount and stop", sheenctl_down_usage},
	{NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
	static char help[] = "help";
	char *only_help[] = {argv[0], help, NULL};

	log_init("sheenctl", false);
	log_set_level(LOG_LVL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) /* no prompt: each command needs a directory anyway */
		return tool_cmd_main("sheenctl", cmds, 2, only_help);
	return tool_cmd_main("sheenctl", cmds, argc, argv);
}
