/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_name.h - clusters by name: where each is, and what was ordered.
 *
 * The names are entries of one directory (SHEENCTL_HOME, or /var/lib/sheen/clusters): the
 * cluster's own directory, or a symbolic link to it. In that, cluster.json is the order and how far
 * it is; everything else is as sheenctl up makes it. Messages go to stderr. Main thread.
 */
#pragma once
#include "client/tools/sheenctl.h"
#include "client/tools/sheenctl_sku.h"
#include <json-c/json.h>

enum { CTL_MAX_NAME = 80, CTL_MAX_REASON = 256 };

struct ctl_order {
	char name[CTL_MAX_NAME + 1];
	char state[16]; /* Creating, Updating, Succeeded, Failed, Deleting: as Azure says it */
	char reason[CTL_MAX_REASON]; /* of Failed */
	const struct ctl_sku *sku;
	uint32_t tib;
};

/* 1 to 80 letters, digits, '-' and '_', a letter or digit first. With a message. */
must_check int ctl_name_check(const char *name);
/* The directory of a known cluster into c->dir. -ENOENT without a message: there is none. */
must_check int ctl_name_find(const char *name, struct ctl_cluster *c);
/* Enters a name; dir NULL: a directory of its own there. -EEXIST without a message. */
must_check int ctl_name_add(const char *name, const char *dir, struct ctl_cluster *c);
/* The cluster's directory is gone or stays. */
must_check int ctl_name_del(const char *name);
/* Names in order, malloc'd, NULL at the end. */
must_check int ctl_name_list(char ***out);
void ctl_name_list_free(char **names);

/* -ENOENT without a message: dir has none. */
must_check int ctl_order_read(const char *dir, struct ctl_order *o);
must_check int ctl_order_write(const char *dir, const struct ctl_order *o);
/* Finds a cluster and reads its order and, if there is one, its configuration. With messages. */
must_check int ctl_order_open(const char *name, struct ctl_cluster *c, struct ctl_order *o);
/* Notes a state and says it on stderr. */
must_check int ctl_order_state(const char *dir, struct ctl_order *o, const char *state);
/* State Failed, with what was being done and rc; gives rc back. */
int ctl_order_failed(const char *dir, struct ctl_order *o, const char *doing, int rc);
/* Everything that show tells, in the words of az amlfs show; owned by the caller. */
struct json_object *ctl_order_json(struct ctl_cluster *c, const struct ctl_order *o);
/* As lines for people; frees j. */
void ctl_order_print(struct json_object *j);
