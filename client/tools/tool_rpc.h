/* SPDX-License-Identifier: Apache-2.0 */
/* tool_rpc.h - remote calls from a program that has nothing else to do: a loop and a fiber for
 * as long as the work lasts.
 *
 * tool_run() runs a function as a fiber on a fresh loop and returns when it has returned. The co_
 * functions are for such functions; the others wrap one whole call. Times out instead of
 * waiting for a server that is away. Main thread.
 */
#pragma once
#include "common/rpc.h"

typedef int tool_run_fn(struct loop *l, void *arg);
/* What fn gives, or -errno when there is no loop. */
must_check int tool_run(tool_run_fn *fn, void *arg);

struct tool_import {
	struct rpc_client_cfg client;
	struct rpc_import *imp;
};
/* Connects to a server. target "" is enough for ping and parameters. 0, -ETIMEDOUT, or what
 * rpc_import_co_wait() says. On failure *ti needs no closing. Suspends. */
must_check int tool_co_open(struct tool_import *ti, struct loop *l, const struct nid_list *nids,
			    const char *target, uint32_t timeout_ms);
void tool_co_close(struct tool_import *ti);

/* Does nobody listen at any of these addresses? A plain connection tells that at once, where an
 * import would go on trying. Blocks up to timeout_ms for each. */
bool tool_refused(const struct nid_list *nids, uint32_t timeout_ms);

/* Any server: is it there? 0 or -errno. */
must_check int tool_ping(const struct nid_list *nids, uint32_t timeout_ms);
/* Appends the text of all pieces. list: names instead of values. -ENOENT: nothing matches. */
must_check int tool_get_param(const struct nid_list *nids, const char *pattern, bool list,
			      struct wbuf *out, uint32_t timeout_ms);
must_check int tool_set_param(const struct nid_list *nids, const char *pattern, const char *value,
			      struct wbuf *out, uint32_t timeout_ms);
/* set_param -P: at the MGS; value NULL removes. */
must_check int tool_set_permanent(const struct nid_list *mgs, const char *name, const char *value,
				  uint32_t timeout_ms);
