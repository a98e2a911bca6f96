/* SPDX-License-Identifier: Apache-2.0 */
/* lctl.h - the sub-commands of lctl and where they get their answers from. */
#pragma once
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_rpc.h"

int lctl_dl(int argc, char **argv);
int lctl_list_nids(int argc, char **argv);
int lctl_ping(int argc, char **argv);
int lctl_which_nid(int argc, char **argv);
int lctl_get_param(int argc, char **argv);
int lctl_set_param(int argc, char **argv);
int lctl_list_param(int argc, char **argv);
int lctl_conf_param(int argc, char **argv);
int lctl_abort_recovery(int argc, char **argv);
int lctl_lfsck_start(int argc, char **argv);
int lctl_lfsck_stop(int argc, char **argv);
int lctl_lfsck_query(int argc, char **argv);

extern const char lctl_dl_usage[];
extern const char lctl_list_nids_usage[];
extern const char lctl_ping_usage[];
extern const char lctl_which_nid_usage[];
extern const char lctl_get_param_usage[];
extern const char lctl_set_param_usage[];
extern const char lctl_list_param_usage[];
extern const char lctl_conf_param_usage[];
extern const char lctl_abort_recovery_usage[];
extern const char lctl_lfsck_start_usage[];
extern const char lctl_lfsck_stop_usage[];
extern const char lctl_lfsck_query_usage[];

/* The end of the usage of what asks sources. */
#define LCTL_WHERE_USAGE                                                         \
	"      --nid NID    ask the server at this address\n"                    \
	"      --mount DIR  ask the client of this mount\n"                      \
	"Without these every mount and every server of this machine is asked.\n"

/* A process of Sheen that has parameters: the client of a mount or a server. */
struct lctl_source {
	char *mount;	      /* mount point, or NULL */
	struct nid_list nids; /* of a server */
	char name[64];	      /* "lustre-OST0000", for messages */
	bool found;	      /* by lctl_sources_local(); not named by the user */
};

struct lctl_sources {
	uint32_t n;
	struct lctl_source *s;
};

/* Everything on this machine: mounts, then servers that announced themselves and answer. */
must_check int lctl_sources_local(struct lctl_sources *out);
/* One more, named on the command line. -EINVAL and a message. */
must_check int lctl_sources_add_nid(struct lctl_sources *ss, const char *nid);
must_check int lctl_sources_add_mount(struct lctl_sources *ss, const char *path);
void lctl_sources_free(struct lctl_sources *ss);
/* s was found, and gave rc: did it end meanwhile, or does something else than Sheen answer where a
 * server announced itself long ago? Then nobody misses its answer. A mount that is still there
 * without its client has not ended; nor does what the user named. */
bool lctl_source_ended(const struct lctl_source *s, int rc);

/* Text of params_get() or params_list(); -ENOENT without a match. */
must_check int lctl_source_get(const struct lctl_source *s, const char *pattern, bool list,
			       struct wbuf *out);
/* out gets "name=value" lines, of a mount as well. */
must_check int lctl_source_set(const struct lctl_source *s, const char *pattern, const char *value,
			       struct wbuf *out);

struct lctl_param {
	char *name, *value; /* value: NULL when only names were asked for; "" or starts with a
			     * new line when it has several */
	bool writable, branch;
};

struct lctl_params {
	uint32_t n;
	struct lctl_param *p;
};

/* Splits names (params_list; it is changed) and, if given, text (params_get). Appends; what is
 * there already with the same value is left out. depth > 0: only the first components of names.
 * -ENOMEM. */
must_check int lctl_params_parse(struct lctl_params *ps, char *names, const char *text, int depth);
void lctl_params_free(struct lctl_params *ps);
void lctl_params_sort(struct lctl_params *ps);
