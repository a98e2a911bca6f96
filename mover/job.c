/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - see job.h. */
#include "mover/job.h"
#include "common/log.h"
#include <ctype.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS	   ((uint64_t)NSEC_PER_SEC)
#define PRETTY	   (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)
#define JSON_STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
enum { NAME_LEN = 80, FILE_PATH_MAX = 1024, FILE_LEN_MAX = 16 << 20, WINDOW = 5 };

struct job {
	struct loop *loop;
	struct job_cfg cfg;
	struct job_counts n, written;
	enum job_state state;
	char message[512];
	int64_t started, ended; /* seconds since 1970; ended 0: not yet */
	uint64_t started_ns;
	/* The last WINDOW ticks, for rates. */
	struct {
		uint64_t ns, walked, imported;
	} past[WINDOW];
	uint32_t npast;
	struct job_counts at_start; /* what earlier processes did */
	struct loop_timer tick;
	struct blob_log *log;
	bool log_failed;
	struct json_object *resume;
	int lock_fd;
};

static const char *const state_names[] = {
	[JOB_IN_PROGRESS] = "InProgress",
	[JOB_COMPLETED] = "Completed",
	[JOB_COMPLETED_PARTIAL] = "CompletedPartial",
	[JOB_FAILED] = "Failed",
	[JOB_CANCELING] = "Canceling",
	[JOB_CANCELED] = "Canceled",
};

const char *job_state_str(enum job_state s)
{
	return state_names[s];
}

bool job_name_ok(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (!isalnum((unsigned char)name[i]) && (i == 0 || !strchr("-_.", name[i])))
			return false;
	return i > 0 && i <= NAME_LEN;
}

/* ---- names ---- */

/* Of one character; 0: there is none that JSON may hold as it is. */
static uint32_t utf8_len(const uint8_t *p)
{
	uint32_t n = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc2 ? 2 : 0, i;

	for (i = 1; i < n && (p[i] & 0xc0) == 0x80; i++)
		;
	if (i < n || *p < 0x20 || *p == 0x7f || *p > 0xf4)
		return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0; /* overlong, half of a pair, too large */
	return n;
}

/* Names are bytes; JSON and logs are UTF-8. What is none is shown as %XX, and so are control
 * characters. NULL: out of memory. */
static char *text_of(const char *name)
{
	char *text = malloc(strlen(name) * 3 + 1), *to = text;
	const uint8_t *p = (const uint8_t *)name;
	uint32_t n;

	if (!text)
		return NULL;
	while (*p) {
		n = utf8_len(p);
		if (n == 0) {
			to += snprintf(to, 4, "%%%02X", *p++);
			continue;
		}
		memcpy(to, p, n);
		to += n;
		p += n;
	}
	*to = 0;
	return text;
}

/* ---- files ---- */

static int file_name(const struct job_cfg *cfg, const char *what, char out[FILE_PATH_MAX])
{
	return snprintf(out, FILE_PATH_MAX, "%s/%s.%s", cfg->dir, cfg->name, what) >= FILE_PATH_MAX
		       ? -ENAMETOOLONG
		       : 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) ? -errno : 0;
}

/* Whole or not at all, whatever happens. */
static int replace(const struct job_cfg *cfg, const char *what, const char *text)
{
	char path[FILE_PATH_MAX], tmp[FILE_PATH_MAX];
	int fd, rc = file_name(cfg, what, path);

	if (rc == 0 && snprintf(tmp, sizeof(tmp), "%s/.%s.%s.new", cfg->dir, cfg->name, what) >=
			       (int)sizeof(tmp))
		rc = -ENAMETOOLONG;
	if (rc)
		return rc;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, text, strlen(text));
	if (close(fd) && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(tmp, path))
		rc = -errno;
	return rc;
}

/* NULL: it is not there, or nothing that we have written. */
static struct json_object *read_file(const struct job_cfg *cfg, const char *what)
{
	struct json_object *o = NULL;
	char path[FILE_PATH_MAX];
	struct stat st;
	char *text;
	int fd;

	if (file_name(cfg, what, path))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size < FILE_LEN_MAX) {
		text = calloc(1, (size_t)st.st_size + 1);
		if (text && read(fd, text, (size_t)st.st_size) == st.st_size)
			o = json_tokener_parse(text);
		free(text);
	}
	close(fd);
	if (o && !json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		o = NULL;
	}
	return o;
}

/* ---- the status ---- */

static void add_text(struct json_object *o, const char *key, const char *value)
{
	char *text = text_of(value);

	json_object_object_add(o, key, json_object_new_string(text ? text : ""));
	free(text);
}

static void add_time(struct json_object *o, const char *key, int64_t s)
{
	char text[32] = "";
	time_t t = (time_t)s;
	struct tm tm;

	if (s) {
		gmtime_r(&t, &tm);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	}
	add_text(o, key, text);
}

static void add_counts(struct json_object *o, const struct job_counts *n, int who)
{
#define ADD(whose, field, member)                                                                \
	if ((whose) & who)                                                                       \
		json_object_object_add(o, #field, json_object_new_int64((int64_t)n->member));
	JOB_COUNTS(ADD)
#undef ADD
}

static void read_counts(struct json_object *o, struct job_counts *n)
{
	struct json_object *v;
	int64_t i;

#define READ(whose, field, member)                                                               \
	if (json_object_object_get_ex(o, #field, &v)) {                                          \
		i = json_object_get_int64(v);                                                    \
		n->member = i > 0 ? (uint64_t)i : 0;                                             \
	}
	JOB_COUNTS(READ)
#undef READ
}

/* While it runs: of the last seconds; then of all of this process's time. */
static void add_rates(struct json_object *o, const struct job *j)
{
	uint64_t since = j->started_ns, walked = j->at_start.blobs_walked,
		 imported = j->at_start.blobs_imported;
	uint32_t at = j->npast > WINDOW ? j->npast % WINDOW : 0;
	double s;

	if (j->npast && j->state == JOB_IN_PROGRESS) {
		since = j->past[at].ns;
		walked = j->past[at].walked;
		imported = j->past[at].imported;
	}
	s = max_u64(loop_clock(j->loop) - since, NSEC_PER_MSEC) / (double)NSEC_PER_SEC;
	json_object_object_add(o, "blobsWalkedPerSecond",
			       json_object_new_int64((int64_t)((j->n.blobs_walked - walked) / s)));
	json_object_object_add(
		o, "blobsImportedPerSecond",
		json_object_new_int64((int64_t)((j->n.blobs_imported - imported) / s)));
}

static struct json_object *status_of(const struct job_cfg *cfg, enum job_state state,
				     const char *message, int64_t started, int64_t ended)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "type", cfg->export ? "export" : "import");
	add_text(o, "name", cfg->name);
	add_text(o, "state", job_state_str(state));
	add_text(o, "statusMessage", message);
	add_text(o, "filesystemPath", cfg->path);
	add_text(o, "prefix", cfg->prefix);
	json_object_object_add(o, "maximumErrors", json_object_new_int64(cfg->maximum_errors));
	add_time(o, "lastStartedTime", started);
	add_time(o, "lastCompletionTime", ended);
	return o;
}

static int write_status(struct job *j)
{
	struct json_object *o =
		status_of(&j->cfg, j->state, j->message, j->started, j->ended);
	int rc;

	add_counts(o, &j->n, j->cfg.export ? 2 : 1);
	if (!j->cfg.export)
		add_rates(o, j);
	rc = replace(&j->cfg, "status", json_object_to_json_string_ext(o, PRETTY));
	if (rc)
		log_err("the status of job %s cannot be written: %s", j->cfg.name, err_str(rc));
	json_object_put(o);
	return rc;
}

static void tick(void *arg)
{
	struct job *j = arg;
	uint32_t at = j->npast++ % WINDOW;

	(void)!write_status(j);
	j->past[at].ns = loop_clock(j->loop);
	j->past[at].walked = j->n.blobs_walked;
	j->past[at].imported = j->n.blobs_imported;
	loop_timer_start(j->loop, &j->tick, TICK_NS);
}

/* ---- opening ---- */

static int take_lock(const struct job_cfg *cfg)
{
	char path[FILE_PATH_MAX];
	int fd, rc = file_name(cfg, "lock", path);

	if (rc)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return rc;
}

static const char *text_in(struct json_object *o, const char *key)
{
	struct json_object *v;

	return o && json_object_object_get_ex(o, key, &v) &&
			       json_object_is_type(v, json_type_string)
		       ? json_object_get_string(v)
		       : NULL;
}

/* Of an earlier process, if that was to be gone on with. */
static void take_resume(struct job *j)
{
	struct json_object *status = read_file(&j->cfg, "status"), *n;
	const char *state = text_in(status, "state");
	char path[FILE_PATH_MAX];

	if (state && strcmp(state, job_state_str(JOB_IN_PROGRESS)) == 0)
		j->resume = read_file(&j->cfg, "resume");
	else if (file_name(&j->cfg, "resume", path) == 0)
		unlink(path);
	json_object_put(status);
	if (j->resume && !text_in(j->resume, "marker")) {
		json_object_put(j->resume);
		j->resume = NULL;
	}
	if (j->resume && json_object_object_get_ex(j->resume, "counts", &n))
		read_counts(n, &j->n);
	j->at_start = j->n;
}

static int copy_cfg(struct job *j, const struct job_cfg *cfg)
{
	j->cfg = *cfg;
	j->cfg.name = strdup(cfg->name);
	j->cfg.dir = strdup(cfg->dir);
	j->cfg.path = strdup(cfg->path);
	j->cfg.prefix = strdup(cfg->prefix);
	return j->cfg.name && j->cfg.dir && j->cfg.path && j->cfg.prefix ? 0 : -ENOMEM;
}

static int open_log(struct job *j)
{
	char name[NAME_LEN + 64], when[32];
	time_t t = (time_t)j->started;
	struct tm tm;

	if (!j->cfg.logs)
		return 0;
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(name, sizeof(name), "%s-%s/errors-%s.json", j->cfg.export ? "export" : "import",
		 j->cfg.name, when);
	return blob_log_open(j->cfg.logs, name, &j->log);
}

int job_open(struct loop *l, const struct job_cfg *cfg, struct job **out, char *why,
	     size_t why_size)
{
	struct job *j;
	int rc;

	if (!job_name_ok(cfg->name)) {
		snprintf(why, why_size, "\"%s\" is no name of a job", cfg->name);
		return -EINVAL;
	}
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->loop = l;
	j->lock_fd = -1;
	j->tick = (struct loop_timer){.fn = tick, .arg = j};
	rc = j->lock_fd = take_lock(cfg);
	if (rc >= 0)
		rc = copy_cfg(j, cfg);
	if (rc == 0) {
		take_resume(j);
		j->started = loop_realtime(l) / NSEC_PER_SEC;
		j->started_ns = loop_clock(l);
		rc = open_log(j);
	}
	if (rc == 0)
		rc = write_status(j);
	if (rc) {
		snprintf(why, why_size, rc == -EBUSY ? "job %s runs already" : "job %s in %s: %s",
			 cfg->name, cfg->dir, err_str(rc));
		job_close(j);
		return rc;
	}
	loop_timer_start(l, &j->tick, TICK_NS);
	*out = j;
	return 0;
}

void job_close(struct job *j)
{
	if (!j)
		return;
	loop_timer_stop(j->loop, &j->tick);
	if (j->log)
		blob_log_close(j->log);
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	json_object_put(j->resume);
	free((char *)j->cfg.name);
	free((char *)j->cfg.dir);
	free((char *)j->cfg.path);
	free((char *)j->cfg.prefix);
	free(j);
}

void job_cannot_start(const struct job_cfg *cfg, const char *why)
{
	struct json_object *o;
	int fd = job_name_ok(cfg->name) ? take_lock(cfg) : -1;

	if (fd < 0)
		return;
	o = status_of(cfg, JOB_FAILED, why, time(NULL), time(NULL));
	add_counts(o, &(struct job_counts){0}, cfg->export ? 2 : 1);
	(void)!replace(cfg, "status", json_object_to_json_string_ext(o, PRETTY));
	json_object_put(o);
	close(fd);
}

/* ---- while it runs ---- */

struct job_counts *job_counts(struct job *j)
{
	return &j->n;
}

void job_message(struct job *j, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(j->message, sizeof(j->message), fmt, ap);
	va_end(ap);
}

const char *job_resume(const struct job *j)
{
	return text_in(j->resume, "marker");
}

int job_resume_put(struct job *j, const char *marker)
{
	struct json_object *o = json_object_new_object(), *n = json_object_new_object();
	int rc;

	json_object_object_add(o, "marker", json_object_new_string(marker));
	add_counts(n, &j->n, 3);
	json_object_object_add(o, "counts", n);
	rc = replace(&j->cfg, "resume", json_object_to_json_string_ext(o, JSON_STYLE));
	if (rc)
		log_err("job %s cannot say where it is: %s", j->cfg.name, err_str(rc));
	json_object_put(j->resume);
	j->resume = o;
	return rc;
}

static void log_line(struct job *j, const char *name, int rc, const char *why)
{
	struct json_object *o = json_object_new_object();
	struct blob_error e;

	add_time(o, "time", loop_realtime(j->loop) / NSEC_PER_SEC);
	add_text(o, "job", j->cfg.name);
	add_text(o, "name", name);
	add_text(o, "error", err_str(rc));
	add_text(o, "why", why);
	if (blob_log_co_line(j->log, json_object_to_json_string_ext(o, JSON_STYLE), &e) &&
	    !j->log_failed) {
		j->log_failed = true;
		log_err("the log container cannot be written: %s", e.words);
	}
	json_object_put(o);
}

bool job_co_error(struct job *j, const char *name, int rc, const char *why)
{
	char *text;

	if (!why)
		why = err_str(rc);
	j->n.errors++;
	text = text_of(name);
	log_err("%s: %s", text ? text : "", why);
	free(text);
	if (j->log)
		log_line(j, name, rc, why);
	return !job_too_many(j);
}

void job_co_note(struct job *j, const char *name, int rc, const char *why)
{
	char *text = text_of(name);

	log_info("%s: %s", text ? text : "", why);
	free(text);
	if (j->log)
		log_line(j, name, rc, why);
}

bool job_too_many(const struct job *j)
{
	return j->cfg.maximum_errors >= 0 && j->n.errors > (uint64_t)j->cfg.maximum_errors;
}

void job_co_end(struct job *j, enum job_state state, const char *fmt, ...)
{
	struct blob_error e;
	char path[FILE_PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(j->message, sizeof(j->message), fmt, ap);
	va_end(ap);
	if (j->log && blob_log_co_flush(j->log, &e)) {
		log_err("the log container cannot be written: %s", e.words);
		if (!j->message[0])
			job_message(j, "the log container cannot be written: %s", e.words);
	}
	if (state == JOB_COMPLETED && j->n.errors)
		state = JOB_COMPLETED_PARTIAL;
	j->state = state;
	loop_timer_stop(j->loop, &j->tick);
	if (state != JOB_IN_PROGRESS)
		j->ended = loop_realtime(j->loop) / NSEC_PER_SEC;
	/* The status first: a resume file beside a final state counts for nothing. */
	if (write_status(j) == 0 && state != JOB_IN_PROGRESS &&
	    file_name(&j->cfg, "resume", path) == 0)
		unlink(path);
}
