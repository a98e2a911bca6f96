/* SPDX-License-Identifier: Apache-2.0 */
/* req.h - one HTTP request as a service signs it: before the transport, after the meaning. Pure. */
#pragma once
#include "blob/pairs.h"

struct req {
	const char *method; /* "GET" */
	const char *path;   /* encoded, begins with '/', with all that the endpoint has before */
	const char *host;   /* "host" or "host:port" */
	struct pairs query; /* not encoded */
	struct pairs headers;
	uint64_t body_len;
};
