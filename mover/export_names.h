/* SPDX-License-Identifier: Apache-2.0 */
/* export_names.h - names of blobs that are the only copies of files with other paths now: nothing
 * may be put there before they have been moved. Hashes of them, 8 bytes and a link each; a name
 * that seems to be in it and is not waits in vain, nothing worse. Pure.
 */
#pragma once
#include "common/base.h"

struct names;

must_check int names_create(struct names **out);
void names_destroy(struct names *s);
/* Once for each file. -ENOMEM. */
must_check int names_add(struct names *s, const char *name);
void names_del(struct names *s, const char *name);
/* The name is both, one behind the other. */
bool names_has(const struct names *s, const char *prefix, const char *path);
uint64_t names_count(const struct names *s);
