/* SPDX-License-Identifier: Apache-2.0 */
/* pages_int.h - what pages.c (pages) and pages_file.c (system calls) share. */
#pragma once
#include "client/core/xwait.h"
#include "tests/sim/pages.h"
#include <sys/queue.h>

enum { PAGES_AHEAD = 4 /* pages in one READ */ };

struct page {
	uint64_t index;
	bool locked, uptodate, dirty, writeback;
	bool mapped, writable; /* no fault for a load; none for a store: then it is dirty too */
	bool gone;             /* not the file's any more */
	uint32_t refs;
	TAILQ_ENTRY(page) link;
	uint8_t mem[PAGES_SIZE];
};

/* As the kernel knows it. */
struct inode {
	struct pages *pages_of;
	struct fid fid;
	pthread_mutex_t lock;
	struct xwaitq q; /* anything below changed */
	TAILQ_HEAD(, page) pages;
	LIST_HEAD(, pages_file) write_files;

	struct attr attr; /* but for the size */
	uint64_t size, attr_version, attr_until;
	bool size_unstable, known;
	bool nowrite;     /* a truncation is on its way */
	uint32_t writing; /* WRITEs of pages */
	bool exclusive;   /* the inode's lock */
	uint32_t shared;  /* the same */
	uint32_t caching; /* open files that use pages; no parallel writes then */
	int error;        /* of a page that could not be written */
	LIST_ENTRY(inode) link;
};

struct pages {
	pthread_mutex_t lock;
	struct xwaitq q;
	const struct inode *notifying; /* the notifier does one thing at a time */
	uint64_t attr_version;
	uint32_t busy; /* fibers that nobody waits for */
	uint64_t failures;
	LIST_HEAD(, inode) inodes;
};

struct pages_file {
	struct file *core;
	struct inode *i; /* NULL: no kernel */
	bool cached, mapped, writes, caching;
	uint32_t refs;               /* requests through it */
	LIST_ENTRY(pages_file) link; /* write_files */
};

/* ---- pages_file.c ---- */
struct inode *pages_inode(struct pages *p, const struct fid *fid, bool make);

/* ---- pages.c ---- of those with co_: i->lock is held, first and last are pages */
void pages_lock(struct inode *i);
void pages_unlock(struct inode *i);
void pages_wait(struct lane *ln, struct inode *i);
void pages_wake(struct inode *i);
void pages_queue(void); /* a request is on its way to the client, which takes a while */
void pages_size_changed(struct inode *i, uint64_t size);
struct page *page_find(struct inode *i, uint64_t index);
void pages_co_write_range(struct lane *ln, struct inode *i, uint64_t first, uint64_t last);
void pages_co_drop_range(struct lane *ln, struct inode *i, uint64_t first, uint64_t last);
void pages_co_truncate_range(struct lane *ln, struct inode *i, uint64_t from, uint64_t to);
ssize_t pages_co_copy(struct lane *ln, struct pages_file *f, uint8_t *buf, size_t len,
		      uint64_t off);
