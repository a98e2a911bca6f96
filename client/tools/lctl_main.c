/* SPDX-License-Identifier: Apache-2.0 */
/* lctl_main.c - lctl, the administrators' tool: devices, addresses, parameters. */
#include "client/tools/lctl.h"
#include "common/log.h"

static const struct tool_cmd cmds[] = {
	{"dl", lctl_dl, "list the devices: what runs here and is connected", lctl_dl_usage},
	{"device_list", lctl_dl, "the same as dl", lctl_dl_usage},
	{"list_nids", lctl_list_nids, "addresses of this machine", lctl_list_nids_usage},
	{"ping", lctl_ping, "is a server there?", lctl_ping_usage},
	{"which_nid", lctl_which_nid, "the first address of a list that answers",
	 lctl_which_nid_usage},
	{"get_param", lctl_get_param, "show counters and tunables", lctl_get_param_usage},
	{"set_param", lctl_set_param, "change tunables", lctl_set_param_usage},
	{"conf_param", lctl_conf_param, "change tunables for good, by the older names",
	 lctl_conf_param_usage},
	{"list_param", lctl_list_param, "names of counters and tunables", lctl_list_param_usage},
	{"abort_recovery", lctl_abort_recovery, "wait no longer for clients that are missing",
	 lctl_abort_recovery_usage},
	{"lfsck_start", lctl_lfsck_start, "check the file system while it runs",
	 lctl_lfsck_start_usage},
	{"lfsck_stop", lctl_lfsck_stop, "stop that", lctl_lfsck_stop_usage},
	{"lfsck_query", lctl_lfsck_query, "how far it is, and what it has found",
	 lctl_lfsck_query_usage},
	{NULL, NULL, NULL, NULL},
};

/* Lustre's "lctl --device NAME COMMAND": for us an option of the command. */
static void move_device(int argc, char **argv)
{
	char *option, *name;

	if (argc < 4 || strcmp(argv[1], "--device") != 0)
		return;
	option = argv[1];
	name = argv[2];
	argv[1] = argv[3];
	argv[2] = option;
	argv[3] = name;
}

int main(int argc, char **argv)
{
	log_init("lctl", false);
	log_set_level(LOG_LVL_ERROR); /* errors of connections are told by the commands */
	move_device(argc, argv);
	return tool_cmd_main("lctl", cmds, argc, argv);
}
