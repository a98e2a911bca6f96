/* SPDX-License-Identifier: Apache-2.0 */
/* blob_test.h - what the cases share: a fixture on a loop of its own, faults of the proxy, checks.
 *
 * Cases run one after the other, each in a fiber. A check that fails prints where, and the case
 * goes on to its end if it can; so there is nothing to unwind.
 */
#pragma once
#include "blob/blob.h"
#include "common/loop.h"
#include <stdio.h>
#include <stdlib.h>

struct http;

struct env {
	struct loop *l;
	struct http *control;   /* to the proxy itself */
	struct blob_config cfg; /* of `s`, for others of its kind */
	struct blob_store *s;
	const char *proxy;   /* "http://127.0.0.1:PORT" */
	const char *scratch; /* a directory */
	bool azure, simple;  /* simple: s3rver, which looks at no signature (version 4)
			      * and cannot list or abort the parts of an upload */
	int failed;          /* of this case */
};

typedef void case_fn(struct env *v);
struct test_case {
	const char *name;
	case_fn *fn;
	bool azure, s3, simple; /* where it can run */
};

extern const struct test_case basic_cases[], fault_cases[], upload_cases[], cred_cases[];

#define CHECK(v, cond) check(v, cond, #cond, __FILE__, __LINE__)
/* rc of a call that must succeed, with its error if not. */
#define WORKS(v, rc, e)    works(v, rc, e, __FILE__, __LINE__)
#define FAILS(v, rc, e, k) fails(v, rc, e, k, __FILE__, __LINE__)

bool check(struct env *v, bool ok, const char *text, const char *file, int line);
bool works(struct env *v, int rc, const struct blob_error *e, const char *file, int line);
bool fails(struct env *v, int rc, const struct blob_error *e, enum blob_kind kind, const char *file,
	   int line);

/* /__fault of the proxy: "match=...&do=...". */
void fault(struct env *v, const char *query);
/* What is left of faults is forgotten, and the counts. */
void reset(struct env *v);
unsigned count(struct env *v, const char *match);

/* Another store like v->s with something changed; close_later() it. */
struct blob_store *open_like(struct env *v, const struct blob_config *cfg);
void close_later(struct env *v, struct blob_store *s);

void make_container(struct env *v, struct blob_store *s);
/* n bytes that only seed knows; free() them. */
void *content(size_t n, uint64_t seed);
bool put(struct env *v, const char *name, const void *p, size_t len);
/* Reads the whole blob and compares. */
bool holds(struct env *v, const char *name, const void *p, size_t len);
