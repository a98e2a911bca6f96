/* SPDX-License-Identifier: Apache-2.0 */
/* lfs.h - the sub-commands of lfs; each in its own file. See tool_cmd.h for what they return. */
#pragma once
#include "client/tools/tool_cmd.h"

int lfs_setstripe(int argc, char **argv);
int lfs_getstripe(int argc, char **argv);
int lfs_df(int argc, char **argv);
int lfs_osts(int argc, char **argv);
int lfs_mdts(int argc, char **argv);
int lfs_check(int argc, char **argv);
int lfs_path2fid(int argc, char **argv);
int lfs_fid2path(int argc, char **argv);
int lfs_getname(int argc, char **argv);
int lfs_ladvise(int argc, char **argv);
int lfs_hsm_state(int argc, char **argv);
int lfs_hsm_set(int argc, char **argv);
int lfs_hsm_clear(int argc, char **argv);
int lfs_hsm_action(int argc, char **argv);
int lfs_hsm_archive(int argc, char **argv);
int lfs_hsm_restore(int argc, char **argv);
int lfs_hsm_release(int argc, char **argv);
int lfs_hsm_remove(int argc, char **argv);
int lfs_hsm_cancel(int argc, char **argv);

extern const char lfs_setstripe_usage[];
extern const char lfs_getstripe_usage[];
extern const char lfs_df_usage[];
extern const char lfs_osts_usage[];
extern const char lfs_mdts_usage[];
extern const char lfs_check_usage[];
extern const char lfs_path2fid_usage[];
extern const char lfs_fid2path_usage[];
extern const char lfs_getname_usage[];
extern const char lfs_ladvise_usage[];
extern const char lfs_hsm_state_usage[];
extern const char lfs_hsm_set_usage[];
extern const char lfs_hsm_clear_usage[];
extern const char lfs_hsm_action_usage[];
extern const char lfs_hsm_archive_usage[];
extern const char lfs_hsm_restore_usage[];
extern const char lfs_hsm_release_usage[];
extern const char lfs_hsm_remove_usage[];
extern const char lfs_hsm_cancel_usage[];

/* "lfs df: option '-q' is unknown" for what getopt_long() just refused; CMD_HELP. */
int lfs_bad_option(int opt, char **argv);
