/* SPDX-License-Identifier: Apache-2.0 */
/* data_int.h - what data.c (what the tasks do) and data_check.c (what it must have been) share. */
#pragma once
#include "tests/sim/data.h"
#include "tests/sim/linear.h"
#include "tests/sim/pages.h"

enum {
	DATA_FILES = 3,
	DATA_NAMES = 2,
	DATA_TASKS = 8,
	DATA_BLOCK = 512,
	DATA_WORDS = DATA_BLOCK / 8,
	DATA_STRIPE = 65536 / DATA_BLOCK, /* blocks */
	DATA_SPAN = 4 * DATA_STRIPE,	  /* blocks that are written at chosen places */
	DATA_BLOCKS = 2 * DATA_SPAN,	  /* appends go on behind them */
};

/* A write over the end of a stripe, any append, any truncate. */
struct data_wide {
	uint64_t start, end, from, to;
	bool append, truncate;
	uint64_t first, last; /* values that were written */
};

struct data_file {
	struct fid fid;
	bool appends; /* else: truncated to odd sizes */
	bool striped; /* has more than one object */
	struct linear_history size, block[DATA_BLOCKS];
	struct data_wide *wide;
	uint32_t nwide;
	/* of each client: tasks that are in a write(2), and in its page cache */
	uint32_t writing[CLUSTER_CLIENTS_MAX], paging[CLUSTER_CLIENTS_MAX];
};

struct data_task {
	struct data *d;
	uint32_t id, client, left;
	struct lane *ln;
	struct loop_work w;
	uint64_t rng;
	uint8_t *buf;
	struct pages *pages; /* of its client, or NULL */
	struct pages_file *f[DATA_FILES];
	bool rdonly[DATA_FILES];
	bool append[DATA_FILES];  /* opened so */
	uint64_t at[DATA_FILES];  /* where its last write ended */
	uint64_t synced[DATA_FILES]; /* what had ended by then is safe */
	bool done;
};

struct data {
	struct cluster *cl;
	uint64_t now;	 /* number of the last event: operations begin and end at these */
	uint64_t values; /* the last one written to a block */
	uint32_t nfiles, ntasks;
	struct data_how how;
	uint32_t victim; /* the client that will be cut off, or none */
	uint64_t cut_from, cut_to;
	uint64_t failures, failed_at; /* pages that it could not write, and when the last one was */
	uint64_t told[DATA_FILES];    /* when fsync or close said so, the last time */
	struct data_file file[DATA_FILES];
	struct fid dir;
	struct linear_history name[DATA_NAMES];
	struct data_task task[DATA_TASKS];
};

/* One operation of a task: taken down when it is answered. */
struct data_op {
	struct data_task *t;
	struct data_file *f;
	uint64_t start, end;
	uint64_t connects;
	bool again; /* a connection broke meanwhile: perhaps it was done twice */
};

void data_begin(struct data_op *op, struct data_task *t, struct data_file *f);
void data_end(struct data_op *op);

/* buf has been read at off, len was asked for, got came. */
void data_did_read(const struct data_op *op, const uint8_t *buf, uint64_t off, uint64_t len,
		   uint64_t got);
/* A load of one block, and a store; asked: for the size, before. */
void data_did_load(const struct data_op *op, const uint8_t *buf, uint64_t off, uint64_t asked);
void data_did_store(const struct data_op *op, uint64_t off, uint64_t value, uint64_t asked);
/* Values from first on were written to the blocks; append: that was where the file ended. */
void data_did_write(const struct data_op *op, uint64_t off, uint64_t len, uint64_t first,
		    bool append);
void data_did_truncate(const struct data_op *op, uint64_t size);
void data_did_punch(const struct data_op *op, uint64_t off, uint64_t len);
void data_did_stat(const struct data_op *op, uint64_t size);
/* Of one block's content. */
void data_fill(uint8_t *block, uint64_t value);
void data_verdict(struct data *d);
