/* SPDX-License-Identifier: Apache-2.0 */
/* param.h - live counters and tunables by name, as lctl shows them.
 *
 * Names are dot paths ("osc.lustre-OST0000-osc-ffff0001.max_rpcs_in_flight"). A pattern has shell
 * globs per component and {a,b} alternatives; '/' is taken for '.'. One registry per process or per
 * server; it is locked inside. get and set callbacks run on the caller's thread with the lock held:
 * they must cope with the thread (word-sized tunables, or loop_post), call nothing of this file and
 * never suspend. After param_del_prefix() returns no callback of a removed parameter runs.
 */
#pragma once
#include "common/base.h"

struct params;
struct wbuf;

/* Append the value's text to w (without newline at the end; multi-line values may have some). */
typedef int param_get_fn(void *arg, struct wbuf *w);
/* 0, or -EINVAL, -ERANGE, ... */
typedef int param_set_fn(void *arg, const char *value);

must_check int params_create(struct params **out);
void params_destroy(struct params *ps);
/* Name is copied. get or set may be NULL (write-only, read-only). -EEXIST, -ENOMEM. */
must_check int param_add(struct params *ps, const char *name, param_get_fn *get, param_set_fn *set,
			 void *arg);
/* An unsigned tunable with a range, kept in *v (read it with __atomic_load_n if another thread may
 * set it). Takes decimal, 0x and a unit k, m, g. */
must_check int param_add_u32(struct params *ps, const char *name, uint32_t *v, uint32_t min,
			     uint32_t max);
/* The same; changed(arg) is called as a param_set_fn is, when it has its new value. */
must_check int param_add_u32_told(struct params *ps, const char *name, uint32_t *v, uint32_t min,
				  uint32_t max, void (*changed)(void *arg), void *arg);
/* free(mem) when ps is destroyed: for the arg of a parameter that has no other owner. -ENOMEM. */
must_check int params_own(struct params *ps, void *mem);
/* Removes all names that start with prefix. */
void param_del_prefix(struct params *ps, const char *prefix);

/* "name=value\n" of every match (multi-line values start on a new line after "name="). -ENOENT
 * without a match. */
must_check int params_get(struct params *ps, const char *pattern, struct wbuf *out);
/* Sets every match; out gets "name=value\n" of those that took it. -ENOENT, else the first error:
 * -EACCES for a read-only one, what set said. */
must_check int params_set(struct params *ps, const char *pattern, const char *value,
			  struct wbuf *out);
/* "name\n"; with a trailing "=" when it can be set, as lctl list_param -F. A pattern that covers
 * only the first components of a name gives these, once, with a trailing "/" (a directory).
 * -ENOENT. */
must_check int params_list(struct params *ps, const char *pattern, struct wbuf *out);
/* Sets an added or later-added parameter: kept and applied when such a name appears (set_param -P).
 * The same pattern again replaces the value; NULL forgets it. No match now is no error; else as
 * params_set(). */
must_check int params_set_sticky(struct params *ps, const char *pattern, const char *value);
