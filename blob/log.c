/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - lines that are gathered and written to a blob of the logging container. How they are
 * appended is the service's matter (azure.c, s3.c). */
#include "blob/blob_int.h"
#include <stdlib.h>

#define FLUSH_BYTES    (256U << 10)
#define LINE_MAX_BYTES (64U << 10)

int blob_log_open(struct blob_store *s, const char *name, struct blob_log **out)
{
	struct blob_log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->s = s;
	log->lines.max = s->ops->limits.log_append_max;
	co_mutex_init(&log->lock);
	log->name = strdup(name);
	if (!log->name) {
		free(log);
		return -ENOMEM;
	}
	*out = log;
	return 0;
}

/* What is being written must not move: only one fiber writes, and lines that come meanwhile wait.
 */
static int co_flush(struct blob_log *log, struct blob_error *e)
{
	int rc;

	*e = (struct blob_error){0};
	if (log->lines.len == 0)
		return 0;
	rc = log->s->ops->log_co_write(log, e);
	if (rc == 0)
		str_clear(&log->lines);
	return rc;
}

int blob_log_co_line(struct blob_log *log, const char *line, struct blob_error *e)
{
	size_t n = strlen(line);
	int rc = 0;

	*e = (struct blob_error){0};
	if (n > LINE_MAX_BYTES || strpbrk(line, "\r\n"))
		return error_set(e, BLOB_REFUSED, "a line of the log is too long or not one line");
	co_mutex_lock(&log->lock);
	/* While the service fails lines are kept, as many as fit. */
	if (log->lines.len + n + 1 > FLUSH_BYTES)
		rc = co_flush(log, e);
	if (log->lines.len + n + 1 <= log->lines.max) {
		str_puts(&log->lines, line);
		str_putc(&log->lines, '\n');
		if (log->lines.failed)
			rc = call_failed(e, log->lines.failed);
	} else if (rc == 0) {
		rc = error_set(e, BLOB_REFUSED, "the log takes no more lines");
	}
	co_mutex_unlock(&log->lock);
	return rc;
}

int blob_log_co_flush(struct blob_log *log, struct blob_error *e)
{
	int rc;

	co_mutex_lock(&log->lock);
	rc = co_flush(log, e);
	co_mutex_unlock(&log->lock);
	return rc;
}

void blob_log_close(struct blob_log *log)
{
	if (!log)
		return;
	str_fini(&log->lines);
	free(log->name);
	free(log);
}
