/* SPDX-License-Identifier: Apache-2.0 */
/* nid.h - network addresses as people write them.
 *
 * A NID is addr@tcp[:port]; addr an IPv4 address, a bracketless IPv6 address or a host name
 * (resolved when parsed). @tcp0 means @tcp; any other network is refused. A list is
 * "A,B:C": commas between addresses of one server, colons between alternative servers; a colon
 * followed by digits up to the next , : or / is a port.
 * A mount source is LIST:/fsname[/subdir].
 *
 * Pure except for name resolution (nid_parse may block in it). Any thread.
 */
#pragma once
#include "common/limits.h"
#include "common/base.h"
#include <sys/socket.h>

#define PORT_MGS 988 /* Lustre's acceptor port */
#define PORT_MDS 989
#define PORT_OSS 990

struct nid {
	struct sockaddr_storage addr; /* port inside */
	socklen_t addr_len;
};

struct nid_list {
	uint32_t n;
	struct nid nid[MAX_NIDS];
};

struct mount_source {
	struct nid_list mgs;
	char fsname[MAX_FSNAME + 1];
	char subdir[MAX_PATH]; /* "" or "/a/b" */
};

#define NID_STRLEN 80

/* All: 0, or -EINVAL with an explanation for people in why (why_len bytes). */
must_check int nid_parse(const char *text, uint16_t default_port, struct nid *out, char *why,
			 size_t why_len);
must_check int nid_list_parse(const char *text, uint16_t default_port, struct nid_list *out,
			      char *why, size_t why_len);
/* The same without name resolution: for text of peers. Never blocks. */
must_check int nid_list_parse_numeric(const char *text, uint16_t default_port,
				      struct nid_list *out, char *why, size_t why_len);
/* out->subdir is normal: no "//", no "/" at the end. */
must_check int mount_source_parse(const char *text, struct mount_source *out, char *why,
				  size_t why_len);

/* "127.0.0.1@tcp:23700"; the port is left out when it equals default_port. Returns buf. */
char *nid_str(const struct nid *n, uint16_t default_port, char *buf);
/* Joined with commas; truncated to len. Returns buf. */
char *nid_list_str(const struct nid_list *l, uint16_t default_port, char *buf, size_t len);
uint16_t nid_port(const struct nid *n);
void nid_set_port(struct nid *n, uint16_t port);
/* From a socket address; IPv4 in IPv6 form becomes IPv4. */
void nid_set_addr(struct nid *n, const struct sockaddr *sa, socklen_t len);
/* 0.0.0.0 or :: */
bool nid_is_wildcard(const struct nid *n);
bool nid_eq(const struct nid *a, const struct nid *b);
bool nid_list_eq(const struct nid_list *a, const struct nid_list *b); /* in the same order */
/* The one at `at` becomes the first one. */
void nid_list_to_front(struct nid_list *l, uint32_t at);
bool fsname_ok(const char *name); /* 1..8 of [-_a-zA-Z0-9] */
