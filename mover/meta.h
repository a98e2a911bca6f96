/* SPDX-License-Identifier: Apache-2.0 */
/* meta.h - attributes of files as metadata of blobs, in the keys that Azure's copytool for Lustre
 * (wastore/lemur) writes and its import reads, so that a container can be mounted by that service
 * afterwards: owner, group (decimal), permissions ("0644"), modtime ("2006-01-02 15:04:05 +0000"),
 * hdi_isfolder, is_symlink. Its times have whole seconds; `mtime` adds ours with nanoseconds, and
 * `sheen_work` says for which work of the coordinator the blob was made. Pure.
 */
#pragma once
#include "blob/pairs.h"
#include "common/proto/field.h"

/* Appends to out. cookie 0: of none. -ENOMEM, -EMSGSIZE. */
must_check int meta_of_attr(const struct attr *a, uint64_t cookie, struct pairs *out);
/* The work that a blob was made for, 0: none. */
uint64_t meta_cookie(const struct pairs *meta);
