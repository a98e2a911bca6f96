/* SPDX-License-Identifier: Apache-2.0 */
/* mgs_link.h - a node's tie to the management server: registration and the live configuration.
 *
 * One link serves one process and one file system: a target announces itself with
 * mgs_link_co_register() (an OSS once for each OST), then mgs_link_co_start() fetches the list of
 * targets and permanent parameters, and from then on a fiber of the link waits for news (long
 * poll) and hands every new version to on_config. The link owns its import, which reconnects over
 * all NIDs for ever; whoever waits in register or start without a timeout says so in the log once
 * a minute.
 *
 * One loop. What on_config is given is valid during the callback only. It knows nothing of what
 * the configuration is used for.
 */
#pragma once
#include "common/rpc.h"

struct mgs_link;

struct mgs_node { /* a target of the file system */
	uint8_t type; /* enum target_type */
	uint32_t index;
	char name[MAX_TARGET_NAME]; /* "lustre-OST0000" */
	uint8_t uuid[UUID_LEN];
	uint64_t starts; /* grows with every start of the target */
	uint64_t boot;	 /* of the life that serves it, as in its answer to connect; 0: unknown */
	struct nid_list nids; /* where it serves now, then where it may */
};

struct mgs_setting { /* a permanent parameter (lctl set_param -P) */
	const char *name, *value;
};

struct mgs_config {
	uint64_t version;
	uint32_t nnodes, nsettings;
	const struct mgs_node *nodes; /* by type, then index */
	const struct mgs_setting *settings;
};

struct mgs_link_cfg {
	const struct rpc_client_cfg *client; /* kept by pointer; says loop, uuid and kind */
	struct nid_list mgs;
	char fsname[MAX_FSNAME + 1];
	/* Every new configuration, the first one before mgs_link_co_start() returns. Runs in a
	 * fiber and may suspend. Optional. */
	void (*on_config)(void *arg, const struct mgs_config *c);
	void *arg;
	/* Permanent parameters are applied here before on_config is called: new and changed ones,
	 * so that what was set by hand stays. Optional. */
	struct params *params;
};

/* Begins to connect. -EINVAL (no NID), -ENOMEM. */
must_check int mgs_link_create(const struct mgs_link_cfg *cfg, struct mgs_link **out);

struct mgs_register {
	uint8_t type;
	uint32_t index;
	uint8_t uuid[UUID_LEN];
	const char *servicenode; /* addresses to announce; "": see listen */
	const char *failnode;	 /* without servicenode: where else it may serve; or NULL */
	uint64_t boot;		 /* of this life */
	struct nid listen;	 /* where this process listens; a wildcard address is replaced by
				  * the local address of the connection to the MGS */
	/* Where to keep what was announced (text of a NID list), or NULL. */
	char *announced;
	size_t announced_len;
};

/* Tries until the MGS has answered. 0 with *version of the configuration (may be NULL); -EEXIST:
 * the index belongs to another target; -EINVAL: the MGS refuses the values, or servicenode is no
 * NID list; -ESHUTDOWN: mgs_link_co_destroy() was called. Suspends. */
must_check int mgs_link_co_register(struct mgs_link *ml, const struct mgs_register *r,
				    uint64_t *version);

/* Gets the first configuration, delivers it, starts to watch. timeout_ms 0: waits for ever.
 * -ENOENT at once when the MGS does not know the file system; -ETIMEDOUT: no MGS answered;
 * -EPROTONOSUPPORT: another version of Sheen; -ENODEV: no MGS at that address; -ESHUTDOWN.
 * Suspends. */
must_check int mgs_link_co_start(struct mgs_link *ml, uint32_t timeout_ms);

/* For lctl dl and ping. Owned by the link. */
struct rpc_import *mgs_link_import(struct mgs_link *ml);
/* Of the last configuration that was delivered; 0 before. */
uint64_t mgs_link_version(const struct mgs_link *ml);
/* The same, whole; valid until the next one comes (any suspension). */
const struct mgs_config *mgs_link_config(const struct mgs_link *ml);

/* Ends watching and the import, waits for the link's fibers. on_config is not called again.
 * Suspends. */
void mgs_link_co_destroy(struct mgs_link *ml);

/* Decodes a reply to mgs_config; the fuzz target and tests use it too. -EBADMSG, -ENOMEM. */
must_check int mgs_config_decode(const struct mgs_config_rep *p, struct mgs_config **out);
void mgs_config_free(struct mgs_config *c);
