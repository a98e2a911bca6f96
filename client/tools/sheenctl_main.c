/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_main.c - sheenctl: a whole cluster on this machine, by its directory (up, status, down)
 * or by its name with a throughput (create, show, delete). Servers on many machines are systemd's
 * business. */
#include "client/tools/sheenctl.h"
#include "client/tools/tool_cmd.h"
#include "common/log.h"
#include <signal.h>

static const struct tool_cmd cmds[] = {
	{"create", sheenctl_create, "a new cluster under a name, with a throughput",
	 sheenctl_create_usage},
	{"show", sheenctl_show, "what a cluster is and how to mount it", sheenctl_show_usage},
	{"list", sheenctl_list, "the clusters that there are", sheenctl_list_usage},
	{"update", sheenctl_update, "another throughput for a cluster", sheenctl_update_usage},
	{"archive", sheenctl_archive, "blob containers behind a cluster: import, export",
	 sheenctl_archive_usage},
	{"delete", sheenctl_delete, "stop a cluster and remove its data", sheenctl_delete_usage},
	{"up", sheenctl_up, "format what is new, start what is missing, mount", sheenctl_up_usage},
	{"status", sheenctl_status, "processes, targets, space, mounts", sheenctl_status_usage},
	{"check", sheenctl_check, "check the file system while it runs, repair it",
	 sheenctl_check_usage},
	{"backup", sheenctl_backup, "copy the metadata target while it serves",
	 sheenctl_backup_usage},
	{"restore", sheenctl_restore, "put such a copy in its place", sheenctl_restore_usage},
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
