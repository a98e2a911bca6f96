/* SPDX-License-Identifier: Apache-2.0 */
/* open.h - open files, in memory only: who has which file open, and for writing.
 *
 * A node is a file that somebody has open or works on; it carries what must not happen twice at a
 * time (its mutex) and what tells whether a writer was alone (open_seq). An open belongs to a
 * client and is named by the id that the client chose. After a restart clients say again what
 * they have open (mds_reopen). One loop; nothing here suspends or touches a table.
 */
#pragma once
#include "common/co.h"
#include "common/fid.h"

struct client;
struct open;
LIST_HEAD(open_list, open);

struct node {
	struct fid fid;
	uint32_t refs;
	uint32_t nopen, nwriters;
	uint64_t open_seq;  /* moves whenever a writer comes or goes, or the size is set */
	int64_t atime_set;  /* when somebody set the access time; 0: never since it is open */
	bool was_sure;	    /* the size stood in the inode when the first writer came */
	/* Clients got into each other's way: until then nobody caches. See data.c. */
	uint64_t contended_until_ns;
	uint32_t contended_times;
	struct open_list opens;
	struct co_mutex mutex; /* held while the size is set at the objects */
	bool cutting;	       /* they are being cut, under the mutex */
	LIST_ENTRY(node) hash;
};

struct open {
	struct node *node; /* holds a reference */
	struct client *client;
	uint64_t id;
	uint32_t flags; /* OPEN_READ, OPEN_WRITE */
	LIST_ENTRY(open) hash;
	LIST_ENTRY(open) of_client;
	LIST_ENTRY(open) of_node;
};

struct open_table;

/* first: open_seq begins behind it; larger than any of an earlier life of the server. */
must_check int open_table_create(uint64_t first, struct open_table **out);
/* Before anything is open: a client's number, which does not change, to tell them apart quickly. */
void open_table_number(struct open_table *tab, uint64_t (*number)(const struct client *c));
void open_table_destroy(struct open_table *tab); /* forgets whatever is open */
uint32_t open_table_count(const struct open_table *tab);

/* The node of a file, made if need be, with a reference for the caller; NULL: out of memory. */
struct node *node_ref(struct open_table *tab, const struct fid *fid);
struct node *node_find(const struct open_table *tab, const struct fid *fid);
void node_unref(struct open_table *tab, struct node *n);
/* A new value of open_seq, never given before in this life of the server. */
void node_bump(struct open_table *tab, struct node *n);

/* Somebody else than c has the file open; with writers, for writing. */
bool node_open_elsewhere(const struct node *n, const struct client *c, bool writers);

struct open *open_find(const struct open_table *tab, const struct client *c, uint64_t id);
/* *list is the client's; was_sure is taken if it is the first writer. -ENOMEM. */
must_check int open_add(struct open_table *tab, struct client *c, struct open_list *list,
			const struct fid *fid, uint64_t id, uint32_t flags, bool was_sure,
			struct open **out);
/* Frees o; its node lives on while others refer to it. */
void open_del(struct open_table *tab, struct open *o);
