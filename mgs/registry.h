/* SPDX-License-Identifier: Apache-2.0 */
/* registry.h - what the MGS knows: targets of file systems, permanent parameters, their version.
 *
 * Every change comes in two steps, so that the store can stand between them: a check that changes
 * nothing and gives the record to be written, then a put that cannot fail for other reasons than
 * memory. Loading uses the puts alone. One version counts all changes, whatever file system they
 * belong to.
 *
 * Pure: no sockets, no clock, no store. One thread; never suspends.
 */
#pragma once
#include "common/limits.h"
#include "common/proto/proto.h"
#include "common/target.h"

enum {
	MAX_CONFIG_TARGETS = 176 << 10, /* bytes of a file system's encoded target list */
	MAX_CONFIG_PARAMS = 56 << 10, /* and of all permanent parameters */
	MAX_CONFIG_BOOTS = 23 << 10, /* for as many targets: together below MAX_BODY */
	MAX_PARAM_VALUE = 1024,
	MAX_NIDS_TEXT = 640,
};

struct reg_target {
	char fsname[MAX_FSNAME + 1];
	uint8_t type; /* TARGET_MDT or TARGET_OST */
	uint32_t index;
	uint8_t uuid[UUID_LEN];
	uint64_t starts;
	uint64_t boot; /* of the life that serves it; not kept over a restart of the MGS */
	char nids[MAX_NIDS_TEXT + 1];
	char name[MAX_TARGET_NAME];
};

struct registry;

must_check int registry_create(struct registry **out);
void registry_destroy(struct registry *r);

uint64_t registry_version(const struct registry *r); /* >= 1 */
void registry_set_version(struct registry *r, uint64_t version);

/* What the record of this target would become. -EINVAL: bad values; -EEXIST: the index belongs to
 * another uuid; -ENOSPC: the file system is full of targets. why says it in words. */
must_check int registry_check_target(const struct registry *r, const struct mgs_register_req *q,
				     struct reg_target *out, char *why, size_t why_len);
/* Adds or replaces. -ENOMEM. */
must_check int registry_put_target(struct registry *r, const struct reg_target *t);
/* Of the given name or NULL. */
const struct reg_target *registry_find(const struct registry *r, const char *name);

/* value NULL deletes. -EINVAL, -ENOENT (nothing to delete), -ENOSPC. */
must_check int registry_check_param(const struct registry *r, struct span name,
				    const struct span *value);
/* NUL-terminated; value NULL deletes. -ENOMEM. */
must_check int registry_put_param(struct registry *r, const char *name, const char *value);

/* Blobs of mgs_config. -ENOENT: no such file system. */
must_check int registry_enc(const struct registry *r, struct span fsname, struct wbuf *targets,
			    struct wbuf *params, struct wbuf *boots);
bool registry_has_fs(const struct registry *r, const char *fsname);
/* Names, each with a newline. */
void registry_print_filesystems(const struct registry *r, struct wbuf *w);
/* mgs.MGS.live.<fs> */
void registry_print_live(const struct registry *r, const char *fsname, struct wbuf *w);
/* "name=value\n" of the permanent parameters. */
void registry_print_params(const struct registry *r, struct wbuf *w);
