/* SPDX-License-Identifier: Apache-2.0 */
/* tmpdir.h - a directory for one test, in memory where there is room for it. Blocking. */
#pragma once
#include "common/base.h"

#define TMPDIR_LEN 64
/* Makes an empty directory and writes its name; dies if it cannot. */
void tmpdir_make(char path[TMPDIR_LEN]);
/* Copies the regular files of a directory, but for one name (may be NULL), to a new one. */
void tmpdir_copy(const char *from, const char *to, const char *but);
/* Removes it with all that is in it. */
void tmpdir_remove(const char *path);
