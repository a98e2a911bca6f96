/* SPDX-License-Identifier: Apache-2.0 */
/* lctl_net.c - lctl list_nids, ping, which_nid. */
#include "client/tools/lctl.h"
#include "client/tools/tool_size.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

const char lctl_list_nids_usage[] =
	"usage: list_nids\n"
	"\n"
	"Lists the addresses of this machine as NIDs.\n";
const char lctl_ping_usage[] =
	"usage: ping NID [TIMEOUT]\n"
	"\n"
	"Asks the server at NID (ADDRESS@tcp[:PORT], port 988 by default) for a sign of life, for\n"
	"at most TIMEOUT seconds (10).\n";
const char lctl_which_nid_usage[] =
	"usage: which_nid NID...\n"
	"\n"
	"Prints the first NID at which a server answers.\n";

enum { PING_S = 10, PROBE_MS = 3000 };

static bool is_listed(const struct ifaddrs *i, bool loopback)
{
	const struct sockaddr_in6 *six;

	if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) ||
	    !(i->ifa_flags & IFF_LOOPBACK) == loopback)
		return false;
	if (i->ifa_addr->sa_family == AF_INET)
		return true;
	six = (const void *)i->ifa_addr;
	return i->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
}

static int print_nids(const struct ifaddrs *all, bool loopback)
{
	const struct ifaddrs *i;
	char buf[NID_STRLEN];
	struct nid n;
	int count = 0;

	for (i = all; i; i = i->ifa_next) {
		if (!is_listed(i, loopback))
			continue;
		memset(&n, 0, sizeof(n));
		nid_set_addr(&n, i->ifa_addr,
			     i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
							       : sizeof(struct sockaddr_in6));
		puts(nid_str(&n, nid_port(&n), buf));
		count++;
	}
	return count;
}

int lctl_list_nids(int argc, char **argv)
{
	struct ifaddrs *all;

	(void)argv;
	if (argc > 1)
		return CMD_HELP;
	if (getifaddrs(&all))
		return tool_fail(errno, "cannot list the network interfaces");
	if (!print_nids(all, false))
		print_nids(all, true); /* a machine by itself is reachable by itself */
	freeifaddrs(all);
	return 0;
}

static int parse(const char *text, struct nid_list *out)
{
	char why[256];

	if (nid_list_parse(text, PORT_MGS, out, why, sizeof(why)) == 0)
		return 0;
	tool_say("%s", why);
	return -EINVAL;
}

int lctl_ping(int argc, char **argv)
{
	char buf[NID_STRLEN];
	struct nid_list nids;
	int64_t secs = PING_S;
	uint32_t ms, i;
	int rc;

	if (argc < 2 || argc > 3 || argv[1][0] == '-')
		return CMD_HELP;
	if (argc == 3 && tool_parse_int(argv[2], 1, 3600, &secs)) {
		tool_say("invalid timeout '%s'", argv[2]);
		return CMD_HELP;
	}
	rc = parse(argv[1], &nids);
	if (rc)
		return rc;
	ms = (uint32_t)secs * 1000;
	rc = tool_refused(&nids, ms) ? -EIO : tool_ping(&nids, ms);
	if (rc) {
		/* Lustre: this text, this errno, whatever the cause, on stdout. */
		printf("failed to ping %s: %s\n", argv[1], strerror(EIO));
		return -EIO;
	}
	for (i = 0; i < nids.n; i++)
		printf("12345-%s\n", nid_str(&nids.nid[i], PORT_MGS, buf));
	return 0;
}

int lctl_which_nid(int argc, char **argv)
{
	struct nid_list nids;
	int i, rc;

	if (argc < 2)
		return CMD_HELP;
	for (i = 1; i < argc; i++) {
		rc = parse(argv[i], &nids);
		if (rc)
			return rc;
		if (!tool_refused(&nids, PROBE_MS) && tool_ping(&nids, PROBE_MS) == 0) {
			puts(argv[i]);
			return 0;
		}
	}
	return tool_fail(EHOSTUNREACH, "no server answers");
}
