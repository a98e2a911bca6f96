/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c - see trace.h. */
#include "tests/sim/trace.h"
#include "tests/sim/sim.h"
#include <stdarg.h>
#include <stdio.h>

enum { LINES = 400, LINE = 240, SHOWN = 60 };

static struct {
	char line[LINES][LINE];
	uint64_t n;
	char failure[1024];
	bool failed, all;
} t;

void trace_begin(bool all)
{
	memset(&t, 0, sizeof(t));
	t.all = all;
}

static void put(const char *fmt, va_list ap)
{
	char *line = t.line[t.n++ % LINES];
	int n = snprintf(line, LINE, "%12.6f ", (double)sim_now() / 1e9);

	vsnprintf(line + n, LINE - (size_t)n, fmt, ap);
	if (t.all)
		fprintf(stderr, "%s\n", line);
}

void trace(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(fmt, ap);
	va_end(ap);
}

void sim_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!t.failed)
		vsnprintf(t.failure, sizeof(t.failure), fmt, ap);
	va_end(ap);
	t.failed = true;
	trace("FAILED: %s", t.failure);
}

bool sim_failed(void)
{
	return t.failed;
}

void trace_dump(void)
{
	uint64_t first = t.n > SHOWN ? t.n - SHOWN : 0;

	for (uint64_t k = first; k < t.n; k++)
		fprintf(stderr, "  %s\n", t.line[k % LINES]);
	if (t.failed)
		fprintf(stderr, "sim: %s\n", t.failure);
}
