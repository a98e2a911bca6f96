/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - what must hold between the tables of an MDT, each fact in one place: for tests, the
 * simulator, sheen-mds --check, and the online checker (lfsck.h).
 *
 * A row is looked at together with what it refers to, within one transaction; what does not fit is
 * a finding. Nothing here repairs anything. Operations change all rows that belong together in one
 * transaction, and a transaction sees all or nothing of them, so what is being done at the moment
 * is never a finding. The one fact that may take longer than a moment, how many subdirectories a
 * large directory has, is counted in pieces and starts anew when the directory was changed
 * meanwhile.
 *
 * One thread at a time in a transaction; never suspends.
 */
#pragma once
#include "mds/inode.h"

/* Kinds of findings: name (in reports), which part of the checker (enum check_part), what it says.
 * Those of LAYOUT are made by lfsck_layout.c, which asks the OSTs. */
/* clang-format off */
#define FINDINGS(X) \
	X(damaged_name,     NAMESPACE, "the record of a name is damaged") \
	X(misplaced_name,   NAMESPACE, "a name in what is no directory") \
	X(dangling_name,    NAMESPACE, "a name that leads nowhere") \
	X(wrong_type,       NAMESPACE, "a name with the wrong type") \
	X(lost_index,       NAMESPACE, "a name that listings do not show as it is") \
	X(stale_index,      NAMESPACE, "listings show a name that is not there") \
	X(unknown_name,     NAMESPACE, "a name that its inode does not know") \
	X(lost_name,        NAMESPACE, "an inode has a name that its directory lacks") \
	X(damaged_inode,    NAMESPACE, "the record of an inode is damaged") \
	X(damaged_layout,   NAMESPACE, "the layout of an inode is damaged") \
	X(no_first_name,    NAMESPACE, "an inode has further names but no first one") \
	X(nameless,         NAMESPACE, "an inode without a name") \
	X(wrong_nlink,      NAMESPACE, "a wrong number of links") \
	X(used_cookie,      NAMESPACE, "the next cookie of a directory is in use") \
	X(loop,             NAMESPACE, "a directory below itself") \
	X(wrong_orphan,     NAMESPACE, "an inode with a name is marked as one without") \
	X(wrong_unsure,     NAMESPACE, "the mark of an unsure size does not fit") \
	X(stray_row,        NAMESPACE, "something is stored for an inode that is not there") \
	X(doomed_objects,   NAMESPACE, "objects of a living file are to be destroyed") \
	X(missing_object,   LAYOUT,    "an object with data of the file is not there") \
	X(short_object,     LAYOUT,    "the object that the file ends in is too short") \
	X(damaged_object,   LAYOUT,    "the record of an object is damaged") \
	X(foreign_object,   LAYOUT,    "an object says that it is of another layout") \
	X(misplaced_object, LAYOUT,    "an object that is not in the layout of its file") \
	X(ownerless_object, LAYOUT,    "an object of a file that is not there")
/* clang-format on */

enum finding_kind {
#define FINDING_ENUM(name, part, text) FINDING_##name,
	FINDINGS(FINDING_ENUM)
#undef FINDING_ENUM
		FINDING_KINDS
};

enum check_part { CHECK_NAMESPACE, CHECK_LAYOUT, CHECK_PARTS };

extern const struct finding_text {
	const char *name, *text;
	enum check_part part;
} finding_texts[FINDING_KINDS];

/* What it is about; what a kind has no use for is zero. */
struct finding {
	enum finding_kind kind;
	uint32_t table;    /* of a stray row */
	struct fid fid;    /* the inode; of a name: what it leads to */
	struct fid parent; /* of the name */
	uint64_t cookie;
	uint64_t have, want;        /* numbers of links, cookies, bytes */
	uint32_t ost, comp, stripe; /* of an object */
	uint32_t name_len;
	uint8_t name[MAX_NAME];
};

static inline struct span finding_name(const struct finding *f)
{
	return (struct span){f->name, f->name_len};
}

#define FINDING_STRLEN 640
/* "wrong_nlink [0x200000401:0x1:0x0]: a wrong number of links (2, should be 1)". Returns buf. */
char *finding_str(const struct finding *f, char buf[FINDING_STRLEN]);

struct checker {
	struct txn *t;
	void (*found)(void *arg, const struct finding *f);
	void *arg;
	bool pause; /* set by found(): this step has found enough */
	int rc;     /* a real failure: no memory, LMDB */
};

/* The walk over all tables, to be gone on with at any time in another transaction. Zero it to
 * start. */
struct check_dir { /* a directory that is being counted */
	bool on;
	struct fid fid;
	uint64_t cookie; /* counted up to here */
	uint32_t subdirs;
	uint64_t next_cookie; /* of the inode, with nlink and ctime: as it was at the start */
	uint32_t nlink;
	int64_t ctime;
	uint32_t again;
};

struct check_pos {
	uint32_t phase;       /* position in the order of tables */
	struct fid fid, fid2; /* the next row's key, as far as its table has such fields */
	uint64_t cookie;
	uint32_t ost, comp, stripe;
	uint32_t name_len;
	uint8_t name[MAX_NAME];
	struct check_dir dir;
	uint64_t rows;    /* looked at so far */
	uint64_t skipped; /* directories that changed each time that they were counted */
	bool end;
};

/* Looks at no more than about max rows. */
void check_step(struct checker *c, struct check_pos *pos, uint32_t max);
/* Only what a finding is about, again: calls found() for what is wrong there now. */
void check_again(struct checker *c, const struct finding *f);
/* Names of an inode: the first, and rows of table link. */
must_check int check_count_names(struct txn *t, const struct fid *fid, const struct inode_rec *ino,
				 uint32_t *out);
