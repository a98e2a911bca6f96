/* SPDX-License-Identifier: Apache-2.0 */
/* pages.h - the kernel between an application and the client core: a page cache for each mount.
 *
 * What Linux's FUSE does with the answers of client/fuse, as far as data is concerned:
 *
 *   Descriptors that file_is_cached() says yes of read from pages; a missing page is locked, read
 *   (with a few behind it), unlocked. All others go past the pages: dirty ones of the range are
 *   written before, and dropped before a write. Writes of one inode go side by side unless pages
 *   are in use or the file becomes longer (inode lock, cached and parallel mode of iomode.c).
 *
 *   Mappings: a fault waits for the page's lock and may have it read; then loads, and after one
 *   more fault stores, go to memory without asking anybody. Dirty pages are written through any
 *   descriptor that has a writable mapping: at msync, munmap, close, before direct I/O, now and
 *   then, and when they are invalidated. They are cut at the size that the kernel knows.
 *
 *   Invalidation takes page by page: waits for lock and write-back, unmaps, writes, drops. One
 *   thread of the mount does it (client/fuse/notify.c), so one can be in the way of the next.
 *
 *   Size and attributes: kept as long as fs_lease_tell() says; answers that were overtaken are
 *   discarded by their version; a short read of a page makes the file shorter; a new size or mtime
 *   drops pages (AUTO_INVAL_DATA). truncate(2) stops write-back until it is answered, O_TRUNC does
 *   not.
 *
 * A mount without a struct pages has no such kernel: the same calls go straight to the core.
 * Functions with co_ suspend, on any lane of the mount. Counts or -errno; -EFAULT is SIGBUS.
 */
#pragma once
#include "client/core/fs.h"

enum { PAGES_SIZE = 4096 };

struct pages;      /* a mount's */
struct pages_file; /* an open file, and its one mapping */

struct pages *pages_create(void);
void pages_destroy(struct pages *p);    /* the mount is gone; NULL is none */
bool pages_idle(const struct pages *p); /* nothing goes on that nobody waits for */
uint64_t pages_failures(const struct pages *p); /* pages that could not be written */
/* fs_cfg.co_invalidate */
void pages_co_invalidate(void *p, struct lane *ln, const struct fs_inval *v, uint32_t n,
			 bool names);
/* What is in work, to the trace: when nothing goes on. */
void pages_trace(const struct pages *p);

/* a: of the file; not set if there is a page cache. */
int pages_co_open(struct pages *p, struct lane *ln, const struct fid *fid, int flags,
		  struct pages_file **out, struct attr *a);
/* close(2) of the last descriptor, after munmap. An error of earlier writes. */
int pages_co_close(struct lane *ln, struct pages_file *f);
bool pages_is_cached(const struct pages_file *f); /* its read(2) uses pages */
/* mmap of everything, shared, writable if f is; once. */
void pages_co_map(struct lane *ln, struct pages_file *f);
bool pages_is_mapped(const struct pages_file *f);

ssize_t pages_co_read(struct lane *ln, struct pages_file *f, void *buf, size_t len, uint64_t off);
ssize_t pages_co_write(struct lane *ln, struct pages_file *f, const void *buf, size_t len,
		       uint64_t *off, bool append);
/* Through the mapping, within a page. A store behind the end of the file, which would be lost, is
 * not done. */
int pages_co_load(struct lane *ln, struct pages_file *f, void *buf, size_t len, uint64_t off);
int pages_co_store(struct lane *ln, struct pages_file *f, const void *buf, size_t len,
		   uint64_t off);
/* The flusher, for all of the file: starts and does not wait. */
void pages_write_behind(struct lane *ln, struct pages_file *f, uint64_t after_ns);
int pages_co_sync(struct lane *ln, struct pages_file *f, bool datasync);
int pages_co_punch(struct lane *ln, struct pages_file *f, uint64_t off, uint64_t len);
int pages_co_getattr(struct pages *p, struct lane *ln, const struct fid *fid, struct attr *a);
/* f: truncate through it, or NULL. */
int pages_co_truncate(struct pages *p, struct lane *ln, const struct fid *fid, struct pages_file *f,
		      uint64_t size);
