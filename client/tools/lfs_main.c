/* SPDX-License-Identifier: Apache-2.0 */
/* lfs_main.c - lfs, the users' tool: where data lies and where it should go.
 *
 * Names, options, output and exit statuses are those of Lustre 2.17, for people's scripts.
 */
#include "client/tools/lfs.h"

static const struct tool_cmd cmds[] = {
	{"setstripe", lfs_setstripe, "make a file with a layout, or set a directory's default",
	 lfs_setstripe_usage},
	{"getstripe", lfs_getstripe, "show the layout of files and the default of directories",
	 lfs_getstripe_usage},
	{"df", lfs_df, "space of every target of a file system", lfs_df_usage},
	{"osts", lfs_osts, "list the OSTs", lfs_osts_usage},
	{"mdts", lfs_mdts, "list the MDTs", lfs_mdts_usage},
	{"check", lfs_check, "say which servers answer", lfs_check_usage},
	{"path2fid", lfs_path2fid, "FID of a path", lfs_path2fid_usage},
	{"fid2path", lfs_fid2path, "paths of a FID", lfs_fid2path_usage},
	{"ladvise", lfs_ladvise, "say what will be read, or not be needed any more",
	 lfs_ladvise_usage},
	{"hsm_state", lfs_hsm_state, "show what the archive has of files", lfs_hsm_state_usage},
	{"hsm_set", lfs_hsm_set, "set flags of that by hand", lfs_hsm_set_usage},
	{"hsm_clear", lfs_hsm_clear, "clear them", lfs_hsm_clear_usage},
	{"hsm_action", lfs_hsm_action, "show what is being done with files", lfs_hsm_action_usage},
	{"hsm_archive", lfs_hsm_archive, "copy files to the archive", lfs_hsm_archive_usage},
	{"hsm_restore", lfs_hsm_restore, "bring their data back", lfs_hsm_restore_usage},
	{"hsm_release", lfs_hsm_release, "free the space of archived files",
	 lfs_hsm_release_usage},
	{"hsm_remove", lfs_hsm_remove, "remove their copies from the archive",
	 lfs_hsm_remove_usage},
	{"hsm_cancel", lfs_hsm_cancel, "end what was asked for", lfs_hsm_cancel_usage},
	{"getname", lfs_getname, "name of the mounted file systems", lfs_getname_usage},
	{NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
	return tool_cmd_main("lfs", cmds, argc, argv);
}
