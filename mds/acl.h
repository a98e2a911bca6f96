/* SPDX-License-Identifier: Apache-2.0 */
/* acl.h - POSIX ACLs in the form of the system.posix_acl_* xattrs (version 2, little-endian).
 *
 * The kernel checks permissions; here ACLs are validated, kept in step with mode bits, and
 * inherited. Pure; any thread; never suspends.
 */
#pragma once
#include "common/base.h"

#define ACL_MAX_ENTRIES 4096

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

struct acl {
	uint32_t n;
	struct acl_entry *e; /* owned */
};

void acl_fini(struct acl *a);
/* Order, uniqueness, mandatory entries, mask where needed. An empty blob is -EINVAL too.
 * -ENOMEM. */
must_check int acl_dec(struct span blob, struct acl *out);
static inline uint32_t acl_size(const struct acl *a)
{
	return 4 + 8 * a->n;
}
/* Writes acl_size() bytes. */
void acl_enc(const struct acl *a, uint8_t *out);

/* The permission bits (0777) that mean the same or, with more than the three base entries, show the
 * mask as group. *minimal: nothing but the base entries. */
uint32_t acl_to_mode(const struct acl *a, bool *minimal);
/* chmod: owner, mask (or owning group) and others follow mode. */
void acl_chmod(struct acl *a, uint32_t mode);
/* Makes the access ACL of a new file out of its parent's default ACL and the mode asked for;
 * *mode loses what the ACL does not give. acl is changed in place. */
void acl_inherit(struct acl *a, uint32_t *mode);
