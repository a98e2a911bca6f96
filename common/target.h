/* SPDX-License-Identifier: Apache-2.0 */
/* target.h - the directory of an MGS, MDT or OST: its label and its guard.
 *
 * DIR/sheen.target is a text file "key=value" (type, fsname, index, uuid, version, mgsnode, nids,
 * port, ...), last line crc32c of the rest; written to a new file, synced and renamed.
 * DIR/sheen.lock is flock()ed and carries "host pid since" while a server runs; guard.h
 * keeps other machines away. Blocking file I/O:
 * start-up only.
 */
#pragma once
#include "common/limits.h"
#include "common/base.h"

#define TARGET_VERSION 1
#define UUID_LEN 16

struct target_label {
	uint32_t version;
	uint8_t type; /* enum target_type */
	char fsname[MAX_FSNAME + 1]; /* "" for an MGS */
	uint32_t index;
	uint8_t uuid[UUID_LEN];
	char mgsnode[512];     /* as given to mkfs.sheen */
	char servicenode[512]; /* addresses to announce; "" = what the MGS connection uses */
	char failnode[512];    /* where else it may serve, until servicenode has these, too */
	uint16_t port;	       /* 0: not chosen yet */
	bool registered;       /* has joined its file system at the MGS */
	char params[2048];     /* --param K=V, newline-separated */
};

/* All print nothing; on error why (why_len bytes) says which file and what. */
must_check int target_label_read(const char *dir, struct target_label *out, char *why,
				 size_t why_len);
must_check int target_label_write(const char *dir, const struct target_label *l, char *why,
				  size_t why_len);
/* Opens and locks DIR for this process; *fd keeps the lock. -EBUSY names the holder in why. */
must_check int target_lock(const char *dir, int *fd, char *why, size_t why_len);
/* "lustre-OST0000", "MGS". */
void target_name(const struct target_label *l, char out[MAX_TARGET_NAME]);
void target_name_make(const char *fsname, uint8_t type, uint32_t index, char out[MAX_TARGET_NAME]);
/* "MGS", "MDT", "OST", "?" */
const char *target_type_name(uint8_t type);
/* Parses "lustre-OST000a" into parts. -EINVAL. */
must_check int target_name_parse(const char *name, char fsname[MAX_FSNAME + 1], uint8_t *type,
				 uint32_t *index);
void uuid_make(uint8_t uuid[UUID_LEN]);
#define UUID_STRLEN 37
/* The customary form, any case. -EINVAL. */
must_check int uuid_parse(const char *s, uint8_t uuid[UUID_LEN]);
char *uuid_str(const uint8_t uuid[UUID_LEN], char out[UUID_STRLEN]);
