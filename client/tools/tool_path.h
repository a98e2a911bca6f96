/* SPDX-License-Identifier: Apache-2.0 */
/* tool_path.h - where the other programs of this installation are. */
#pragma once
#include "common/base.h"

/* Path of a program: beside the running one, else in PATH and the usual directories. -ENOENT. */
must_check int tool_program(const char *name, char *out, size_t len);
