/* SPDX-License-Identifier: Apache-2.0 */
/* acl.c - see acl.h; rules after POSIX.1e draft 17 as acl(5) tells them. */
#include "mds/acl.h"
#include <endian.h>
#include <stdlib.h>

enum acl_tag { /* numbers of the xattr format */
	ACL_USER_OBJ = 0x01,
	ACL_USER = 0x02,
	ACL_GROUP_OBJ = 0x04,
	ACL_GROUP = 0x08,
	ACL_MASK = 0x10,
	ACL_OTHER = 0x20,
};

enum { ACL_XATTR_VERSION = 2, HEAD_LEN = 4, ENTRY_LEN = 8 };

void acl_fini(struct acl *a)
{
	free(a->e);
	*a = (struct acl){0};
}

static void entry_dec(const uint8_t *p, struct acl_entry *e)
{
	memcpy(&e->tag, p, 2);
	memcpy(&e->perm, p + 2, 2);
	memcpy(&e->id, p + 4, 4);
	e->tag = le16toh(e->tag);
	e->perm = le16toh(e->perm);
	e->id = le32toh(e->id);
}

/* Tags ascend; within ACL_USER and ACL_GROUP ids ascend, so nothing is there twice. The kernel
 * itself does not ask for sorted ids, so these are checked pairwise where they are out of order. */
static bool seen_before(const struct acl *a, uint32_t at)
{
	uint32_t i;

	for (i = at; i-- > 0 && a->e[i].tag == a->e[at].tag;)
		if (a->e[i].id == a->e[at].id)
			return true;
	return false;
}

static int check(const struct acl *a)
{
	uint32_t i, tags = 0, last = 0;
	bool sorted = true;

	for (i = 0; i < a->n; i++) {
		const struct acl_entry *e = &a->e[i];
		bool named = e->tag == ACL_USER || e->tag == ACL_GROUP;

		if (e->perm & ~7U || e->tag < last)
			return -EINVAL;
		if (e->tag == last) {
			if (!named)
				return -EINVAL;
			if (e->id <= a->e[i - 1].id)
				sorted = false;
			if (!sorted && seen_before(a, i))
				return -EINVAL;
		} else {
			sorted = true;
		}
		if (e->tag != ACL_USER_OBJ && e->tag != ACL_GROUP_OBJ && e->tag != ACL_MASK &&
		    e->tag != ACL_OTHER && !named)
			return -EINVAL;
		tags |= e->tag;
		last = e->tag;
	}
	if ((tags & (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER)) !=
	    (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER))
		return -EINVAL;
	return (tags & (ACL_USER | ACL_GROUP)) && !(tags & ACL_MASK) ? -EINVAL : 0;
}

int acl_dec(struct span blob, struct acl *out)
{
	struct acl a = {0};
	uint32_t version, i;
	int rc;

	if (blob.len < HEAD_LEN + ENTRY_LEN || (blob.len - HEAD_LEN) % ENTRY_LEN)
		return -EINVAL;
	memcpy(&version, blob.ptr, sizeof(version));
	if (le32toh(version) != ACL_XATTR_VERSION)
		return -EINVAL;
	a.n = (blob.len - HEAD_LEN) / ENTRY_LEN;
	if (a.n > ACL_MAX_ENTRIES)
		return -EINVAL;
	a.e = calloc(a.n, sizeof(*a.e));
	if (!a.e)
		return -ENOMEM;
	for (i = 0; i < a.n; i++)
		entry_dec(blob.ptr + HEAD_LEN + (size_t)ENTRY_LEN * i, &a.e[i]);
	rc = check(&a);
	if (rc) {
		acl_fini(&a);
		return rc;
	}
	*out = a;
	return 0;
}

void acl_enc(const struct acl *a, uint8_t *out)
{
	uint32_t version = htole32(ACL_XATTR_VERSION), i;

	memcpy(out, &version, sizeof(version));
	for (i = 0; i < a->n; i++) {
		uint8_t *p = out + HEAD_LEN + (size_t)ENTRY_LEN * i;
		uint16_t tag = htole16(a->e[i].tag), perm = htole16(a->e[i].perm);
		uint32_t id = htole32(a->e[i].id);

		memcpy(p, &tag, 2);
		memcpy(p + 2, &perm, 2);
		memcpy(p + 4, &id, 4);
	}
}

static struct acl_entry *find(const struct acl *a, enum acl_tag tag)
{
	uint32_t i;

	for (i = 0; i < a->n; i++)
		if (a->e[i].tag == tag)
			return &a->e[i];
	return NULL;
}

/* What the group bits of the mode stand for. */
static struct acl_entry *group_class(const struct acl *a)
{
	struct acl_entry *mask = find(a, ACL_MASK);

	return mask ? mask : find(a, ACL_GROUP_OBJ);
}

uint32_t acl_to_mode(const struct acl *a, bool *minimal)
{
	*minimal = a->n == 3;
	return (uint32_t)find(a, ACL_USER_OBJ)->perm << 6 | (uint32_t)group_class(a)->perm << 3 |
	       find(a, ACL_OTHER)->perm;
}

void acl_chmod(struct acl *a, uint32_t mode)
{
	find(a, ACL_USER_OBJ)->perm = mode >> 6 & 7;
	group_class(a)->perm = mode >> 3 & 7;
	find(a, ACL_OTHER)->perm = mode & 7;
}

void acl_inherit(struct acl *a, uint32_t *mode)
{
	struct acl_entry *user = find(a, ACL_USER_OBJ), *other = find(a, ACL_OTHER);
	struct acl_entry *group = group_class(a);

	user->perm &= *mode >> 6 & 7;
	group->perm &= *mode >> 3 & 7;
	other->perm &= *mode & 7;
	*mode = (*mode & ~0777U) | (uint32_t)user->perm << 6 | (uint32_t)group->perm << 3 |
		other->perm;
}
