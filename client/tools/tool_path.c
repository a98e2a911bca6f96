/* SPDX-License-Identifier: Apache-2.0 */
/* tool_path.c - see tool_path.h. A build tree and an installation both keep all programs in one
 * directory; /sbin/mount.sheen is a link into it. */
#include "client/tools/tool_path.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool runnable(const char *dir, int dir_len, const char *name, char *out, size_t len)
{
	if (snprintf(out, len, "%.*s/%s", dir_len, dir, name) >= (int)len)
		return false;
	return access(out, X_OK) == 0;
}

/* Beside the running program, or in the other one of bin and sbin. */
static bool beside(const char *name, char *out, size_t len)
{
	static const char *const places[] = {"", "/../bin", "/../sbin"};
	char self[2048];
	ssize_t n;
	size_t i;
	char *slash;

	n = readlink("/proc/self/exe", self, sizeof(self) - 16);
	if (n <= 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	for (i = 0; slash && i < ARRAY_SIZE(places); i++) {
		memcpy(slash, places[i], strlen(places[i]) + 1); /* room was left above */
		if (runnable(self, (int)strlen(self), name, out, len))
			return true;
	}
	return false;
}

int tool_program(const char *name, char *out, size_t len)
{
	static const char more[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *lists[] = {getenv("PATH"), more}, *p;
	size_t i;

	if (beside(name, out, len))
		return 0;
	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		for (p = lists[i]; p && *p; p += strcspn(p, ":"), p += *p == ':') {
			int dir_len = (int)strcspn(p, ":");

			if (dir_len && runnable(p, dir_len, name, out, len))
				return 0;
		}
	}
	return -ENOENT;
}
