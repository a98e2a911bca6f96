/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - where the bytes of a file are.
 *
 * A layout is a list of components, each covering an extent of the file and striped over OSTs
 * (plain striping is one component 0..EOF). A component without `ost` has no objects yet
 * (a directory's default, or a file that was never written). Stripe k of a component is the
 * object (file FID, component id, k) on OST ost[k].
 *
 * A layout is one allocation; layout_free() frees it. Pure; any thread; nothing suspends.
 */
#pragma once
#include "common/fid.h"
#include "common/limits.h"

struct iovec;
struct rbuf;
struct wbuf;

#define LAYOUT_EOF UINT64_MAX

enum layout_pattern { /* numbers are Lustre's */
	LAYOUT_RAID0 = 0x1,
	LAYOUT_MDT = 0x100,
	LAYOUT_OVERSTRIPING = 0x200,
};

/* Component flag of Lustre: it has objects. */
#define LCME_INIT 0x10U

struct layout_comp {
	uint32_t id;		/* 1-based; plain files have id 0 on show, component id 1 inside */
	uint32_t flags;		/* LCME_* of Lustre; LCME_INIT when it has objects */
	uint64_t start, end;	/* extent in the file; end exclusive, LAYOUT_EOF = open */
	uint32_t pattern;
	uint32_t stripe_size;	/* 0 in a default: the file system's */
	int32_t stripe_count; /* 0: the file system's default; -1: all OSTs; else 1..MAX_STRIPES */
	int32_t stripe_offset;	/* first OST index; -1: the MDS chooses */
	char pool[MAX_POOL_NAME + 1];
	uint32_t *ost;		/* stripe_count OST indexes, or NULL: no objects */
};

struct layout {
	uint32_t gen;
	uint32_t flags;
	uint32_t ncomp;
	struct layout_comp *comp;
};

/* What a stripe's object is called everywhere (wire, OST disk). */
struct object_id {
	struct fid fid;
	uint32_t comp;	 /* component id */
	uint32_t stripe; /* index in the component */
};

/* One contiguous run in one object; the bytes of a request that fall there lie in `npieces`
 * pieces of the caller's buffer, stripe_size apart. See layout_map(). */
struct layout_run {
	uint32_t comp;	      /* index into layout->comp */
	uint32_t stripe;
	uint64_t obj_off;
	uint64_t len;	      /* bytes in the object */
	uint64_t file_off;    /* file offset of the first piece */
};

/* All zero; if stripes_in_all > 0, comp[0].ost points to room for that many indexes, which the
 * caller deals out among the components. */
must_check int layout_alloc(uint32_t ncomp, uint32_t stripes_in_all, struct layout **out);
void layout_free(struct layout *l);
void layout_freep(struct layout **l); /* for CLEANUP() */
must_check int layout_dup(const struct layout *l, struct layout **out);

/* A plain layout of one component 0..EOF with id 1; ost (count indexes, then LCME_INIT is set) and
 * pool may be NULL. Rules are not checked. -ENOMEM. */
must_check int layout_plain(uint32_t stripe_size, int32_t count, int32_t offset, const char *pool,
			    const uint32_t *ost, struct layout **out);

/* Every rule about sizes, counts, extents and indexes. -EINVAL. */
must_check int layout_check(const struct layout *l);
/* Some component has objects (LCME_INIT); a wish with a list of OSTs has none. */
bool layout_has_objects(const struct layout *l);

/* Sheen's own encoding, for the wire and the MDT. dec checks everything: -EBADMSG, -ENOMEM. */
must_check int layout_enc(struct wbuf *w, const struct layout *l);
must_check int layout_dec(struct span s, struct layout **out);

/* Splits [off, off+len) of the file into runs, exactly one for each object that holds a part of it
 * (within a component the bytes of a request are contiguous in every object), in ascending
 * file_off. Returns the number of runs, or -ENOSPC when more than max would be needed, or
 * -ENODATA when no component with objects covers part of it. len > 0, end at most MAX_FILE_SIZE;
 * runs cover exactly the request. */
must_check int layout_map(const struct layout *l, uint64_t off, uint64_t len,
			  struct layout_run *runs, int max);

/* Fills iov with the pieces of buf (which holds file bytes from buf_off) that make up a run, in
 * object order; neighbours are joined. Returns the number of pieces or -ENOSPC. */
must_check int layout_run_iov(const struct layout *l, const struct layout_run *r, uint8_t *buf,
			      uint64_t buf_off, uint64_t buf_len, struct iovec *iov, int max);

/* Offset in the file of byte obj_off of a stripe's object. */
uint64_t layout_file_off(const struct layout_comp *c, uint32_t stripe, uint64_t obj_off);

/* Size that a stripe's object must have when the file is `size` long (0: none of it is here). */
uint64_t layout_obj_size(const struct layout_comp *c, uint32_t stripe, uint64_t size);

/* Size of the file that an object of obj_size bytes proves (0 for an empty object). */
uint64_t layout_file_size(const struct layout_comp *c, uint32_t stripe, uint64_t obj_size);
