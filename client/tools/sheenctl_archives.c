/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_archives.c - the records of archives and the status of their jobs; see
 * sheenctl_archive.h. */
#include "client/tools/sheenctl_archive.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_json.h"
#include <dirent.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const kinds[CTL_JOBS] = {"import", "export"};

/* The members that are texts, by the names that show prints. */
static const struct {
	const char *key;
	size_t off, size;
} texts[] = {
#define TEXT(key, member) \
	{key, offsetof(struct ctl_archive, member), sizeof(((struct ctl_archive *)0)->member)}
	TEXT("name", name),
	TEXT("filesystemPath", path),
	TEXT("service", service),
	TEXT("storageAccountUrl", url),
	TEXT("containerName", container),
	TEXT("loggingContainerName", log_container),
	TEXT("prefix", prefix),
	TEXT("region", region),
	TEXT("credentials", credentials),
	TEXT("conflictResolutionMode", conflicts),
	TEXT("deletions", deletions),
	TEXT("defaultUid", uid),
	TEXT("defaultGid", gid),
	TEXT("defaultMode", mode),
	TEXT("defaultDirMode", dir_mode),
	TEXT("exportPath", export_path),
};

static void path_of(const char *dir, const char *name, char out[CTL_MAX_PATH])
{
	snprintf(out, CTL_MAX_PATH, "%.900s/archives/%.100s.json", dir, name);
}

static int write_json(const char *path, struct json_object *j)
{
	char tmp[CTL_MAX_PATH + 8];
	bool ok;
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	f = fopen(tmp, "we");
	if (!f) {
		json_object_put(j);
		return tool_fail(errno, "%s", tmp);
	}
	json_print(f, j);
	ok = fflush(f) == 0 && fsync(fileno(f)) == 0;
	ok = fclose(f) == 0 && ok;
	return ok && rename(tmp, path) == 0 ? 0 : tool_fail(errno, "%s", path);
}

int ctl_archive_write(const char *dir, const struct ctl_archive *a)
{
	struct json_object *j = json_object_new_object();
	char path[CTL_MAX_PATH];
	size_t i;
	int rc;

	snprintf(path, sizeof(path), "%.900s/archives", dir);
	rc = ctl_mkdirs(path);
	if (rc) {
		json_object_put(j);
		return tool_fail(rc, "%s", path);
	}
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		json_put_str(j, texts[i].key, (const char *)a + texts[i].off);
	json_put_u64(j, "archiveId", a->id);
	json_put_i64(j, "maximumErrors", a->maximum_errors);
	path_of(dir, a->name, path);
	return write_json(path, j);
}

static int64_t number(struct json_object *j, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(j, key, &v) ? json_object_get_int64(v) : 0;
}

static int read_record(const char *path, struct ctl_archive *a)
{
	struct json_object *j, *v;
	int64_t id;
	size_t i;

	*a = (struct ctl_archive){0};
	if (access(path, F_OK))
		return errno == ENOENT ? -ENOENT : tool_fail(errno, "%s", path);
	j = json_object_from_file(path);
	for (i = 0; i < ARRAY_SIZE(texts) && j; i++)
		if (json_object_object_get_ex(j, texts[i].key, &v) &&
		    json_object_is_type(v, json_type_string))
			snprintf((char *)a + texts[i].off, texts[i].size, "%s",
				 json_object_get_string(v));
	id = j ? number(j, "archiveId") : 0;
	a->maximum_errors = j ? number(j, "maximumErrors") : 0;
	json_object_put(j);
	if (id >= 1 && id <= CTL_MAX_ARCHIVES && a->path[0] == '/' &&
	    a->url[0] && a->container[0]) {
		a->id = (uint32_t)id;
		return 0;
	}
	tool_say("%s cannot be understood", path);
	return -EINVAL;
}

int ctl_archive_read(const char *dir, const char *name, struct ctl_archive *a)
{
	char path[CTL_MAX_PATH];
	int rc;

	path_of(dir, name, path);
	rc = read_record(path, a);
	if (rc == 0 && strcmp(a->name, name) != 0) {
		tool_say("%s is of another archive, '%s'", path, a->name);
		rc = -EINVAL;
	}
	return rc;
}

static int is_record(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && !strcmp(d->d_name + n - 5, ".json");
}

int ctl_archives_read(const char *dir, struct ctl_archive **out, uint32_t *n)
{
	struct dirent **found = NULL;
	char path[CTL_MAX_PATH];
	int i, count, rc = 0;

	*n = 0;
	*out = NULL;
	snprintf(path, sizeof(path), "%.900s/archives", dir);
	count = scandir(path, &found, is_record, alphasort);
	if (count < 0)
		return errno == ENOENT ? 0 : tool_fail(errno, "%s", path);
	*out = calloc((size_t)count + 1, sizeof(**out));
	if (!*out)
		rc = -ENOMEM;
	for (i = 0; i < count; i++) {
		found[i]->d_name[strlen(found[i]->d_name) - 5] = 0;
		if (rc == 0)
			rc = ctl_archive_read(dir, found[i]->d_name, &(*out)[*n]);
		if (rc == 0)
			++*n;
		free(found[i]);
	}
	free(found);
	if (rc) {
		free(*out);
		*out = NULL;
		*n = 0;
	}
	return rc;
}

static void job_path(const char *dir, const char *name, enum ctl_job kind, const char *what,
		     char out[CTL_MAX_PATH])
{
	snprintf(out, CTL_MAX_PATH, "%.900s/archives/%s/%.100s.%s", dir, kinds[kind], name, what);
}

static int remove_jobs(const char *dir, const char *name)
{
	static const char *const what[] = {"status", "resume", "lock"};
	char path[CTL_MAX_PATH];
	size_t i, k;

	for (k = 0; k < CTL_JOBS; k++)
		for (i = 0; i < ARRAY_SIZE(what); i++) {
			job_path(dir, name, (enum ctl_job)k, what[i], path);
			if (unlink(path) && errno != ENOENT)
				return tool_fail(errno, "%s", path);
		}
	return 0;
}

int ctl_archive_remove(const char *dir, const char *name)
{
	char path[CTL_MAX_PATH];
	int rc = remove_jobs(dir, name);

	if (rc)
		return rc;
	path_of(dir, name, path);
	return unlink(path) && errno != ENOENT ? tool_fail(errno, "%s", path) : 0;
}

static void gone_path(const char *dir, uint32_t id, char out[CTL_MAX_PATH])
{
	snprintf(out, CTL_MAX_PATH, "%.900s/archives/%u.gone", dir, id);
}

int ctl_archive_retire(const char *dir, const struct ctl_archive *a)
{
	char path[CTL_MAX_PATH], gone[CTL_MAX_PATH];
	int rc = remove_jobs(dir, a->name);

	if (rc)
		return rc;
	path_of(dir, a->name, path);
	gone_path(dir, a->id, gone);
	return rename(path, gone) ? tool_fail(errno, "%s", path) : 0;
}

int ctl_archive_old_ids(const char *dir, const struct ctl_archive *a, uint32_t *same,
			uint32_t *others)
{
	static struct ctl_archive old;
	char path[CTL_MAX_PATH];
	uint32_t id;
	int rc;

	*same = *others = 0;
	for (id = 1; id <= CTL_MAX_ARCHIVES; id++) {
		gone_path(dir, id, path);
		rc = read_record(path, &old);
		if (rc == -ENOENT)
			continue;
		if (rc)
			return rc;
		if (!strcmp(old.service, a->service) && !strcmp(old.url, a->url) &&
		    !strcmp(old.container, a->container))
			*same = *same ? *same : id;
		else
			*others |= 1U << (id - 1);
	}
	return 0;
}

/* ---- jobs ---- */

struct json_object *ctl_job_status(const char *dir, const char *name, enum ctl_job kind)
{
	char path[CTL_MAX_PATH];

	job_path(dir, name, kind, "status", path);
	return access(path, F_OK) ? NULL : json_object_from_file(path);
}

void ctl_job_state(const char *dir, const char *name, enum ctl_job kind, char out[32])
{
	struct json_object *j = ctl_job_status(dir, name, kind), *v;

	out[0] = 0;
	if (j && json_object_object_get_ex(j, "state", &v))
		snprintf(out, 32, "%s", json_object_get_string(v));
	json_object_put(j);
}

bool ctl_job_is_over(const char *state)
{
	return strcmp(state, "InProgress") && strcmp(state, "Canceling");
}

int ctl_job_begin(const char *dir, const char *name, enum ctl_job kind)
{
	struct json_object *j;
	char path[CTL_MAX_PATH], state[32];

	ctl_job_state(dir, name, kind, state);
	if (state[0] && !ctl_job_is_over(state))
		return 0; /* it goes on */
	job_path(dir, name, kind, "resume", path);
	if (unlink(path) && errno != ENOENT)
		return tool_fail(errno, "%s", path);
	j = json_object_new_object();
	json_put_str(j, "type", kinds[kind]);
	json_put_str(j, "name", name);
	json_put_str(j, "state", "InProgress");
	job_path(dir, name, kind, "status", path);
	return write_json(path, j);
}

int ctl_job_set_state(const char *dir, const char *name, enum ctl_job kind, const char *state)
{
	struct json_object *j = ctl_job_status(dir, name, kind);
	char path[CTL_MAX_PATH];

	job_path(dir, name, kind, "status", path);
	if (!j)
		return tool_fail(ENOENT, "%s", path);
	json_put_str(j, "state", state);
	return write_json(path, j);
}
