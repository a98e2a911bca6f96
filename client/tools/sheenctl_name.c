/* SPDX-License-Identifier: Apache-2.0 */
/* sheenctl_name.c - see sheenctl_name.h. */
#include "client/tools/sheenctl_name.h"
#include "client/tools/tool_cmd.h"
#include "client/tools/tool_json.h"
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char order_file[] = "cluster.json";

static const char *home(void)
{
	const char *dir = getenv("SHEENCTL_HOME");

	return dir && *dir ? dir : "/var/lib/sheen/clusters";
}

int ctl_name_check(const char *name)
{
	size_t i, n = name ? strlen(name) : 0;
	bool ok = n > 0 && n <= CTL_MAX_NAME && isalnum((unsigned char)name[0]);

	if (!name) {
		tool_say("--name NAME must be given");
		return CMD_HELP;
	}
	for (i = 0; ok && i < n; i++)
		ok = isalnum((unsigned char)name[i]) || name[i] == '-' || name[i] == '_';
	if (ok)
		return 0;
	tool_say("invalid --name '%s': 1 to %d letters, digits, '-' and '_'", name, CTL_MAX_NAME);
	return CMD_HELP;
}

static int entry_path(const char *name, char out[CTL_MAX_PATH])
{
	int n = snprintf(out, CTL_MAX_PATH, "%s/%s", home(), name);

	return n >= CTL_MAX_PATH ? tool_fail(ENAMETOOLONG, "%s", home()) : 0;
}

int ctl_name_find(const char *name, struct ctl_cluster *c)
{
	char path[CTL_MAX_PATH], link[CTL_MAX_DIR];
	ssize_t n;
	int rc;

	rc = entry_path(name, path);
	if (rc)
		return rc;
	n = readlink(path, link, sizeof(link) - 1);
	if (n >= 0) {
		link[n] = 0;
		return ctl_set_dir(c, link);
	}
	return errno == EINVAL ? ctl_set_dir(c, path) : -errno;
}

int ctl_name_add(const char *name, const char *dir, struct ctl_cluster *c)
{
	char path[CTL_MAX_PATH];
	int rc;

	rc = entry_path(name, path);
	if (rc == 0)
		rc = ctl_set_dir(c, dir ? dir : path);
	if (rc)
		return rc;
	rc = ctl_mkdirs(home());
	if (rc)
		return tool_fail(rc, "cannot make %s", home());
	if (dir)
		rc = symlink(c->dir, path) ? -errno : 0;
	else
		rc = mkdir(path, 0755) ? -errno : 0;
	return rc && rc != -EEXIST ? tool_fail(rc, "%s", path) : rc;
}

int ctl_name_del(const char *name)
{
	char path[CTL_MAX_PATH];
	int rc;

	rc = entry_path(name, path);
	if (rc == 0 && unlink(path) && errno != EISDIR && errno != ENOENT)
		rc = tool_fail(errno, "%s", path);
	return rc;
}

static int not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int ctl_name_list(char ***out)
{
	struct dirent **found = NULL;
	int n, i;

	n = scandir(home(), &found, not_hidden, alphasort);
	if (n < 0 && errno != ENOENT)
		return tool_fail(errno, "%s", home());
	n = n < 0 ? 0 : n;
	*out = calloc((size_t)n + 1, sizeof(**out));
	for (i = 0; i < n; i++) {
		if (*out)
			(*out)[i] = strdup(found[i]->d_name);
		free(found[i]);
	}
	free(found);
	return *out ? 0 : -ENOMEM;
}

void ctl_name_list_free(char **names)
{
	for (char **p = names; p && *p; p++)
		free(*p);
	free(names);
}

/* ---- the order ---- */

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
		       ? json_object_get_string(v)
		       : "";
}

int ctl_order_read(const char *dir, struct ctl_order *o)
{
	char path[CTL_MAX_PATH];
	struct json_object *j, *v;
	int64_t tib = 0;

	*o = (struct ctl_order){0};
	snprintf(path, sizeof(path), "%.1060s/%s", dir, order_file);
	if (access(path, F_OK))
		return errno == ENOENT ? -ENOENT : tool_fail(errno, "%s", path);
	j = json_object_from_file(path);
	if (!json_object_is_type(j, json_type_object)) {
		json_object_put(j);
		j = json_object_new_object();
	}
	if (j && json_object_object_get_ex(j, "storageCapacityTiB", &v))
		tib = json_object_get_int64(v);
	snprintf(o->name, sizeof(o->name), "%s", text_of(j, "name"));
	snprintf(o->state, sizeof(o->state), "%s", text_of(j, "provisioningState"));
	snprintf(o->reason, sizeof(o->reason), "%s", text_of(j, "reason"));
	o->sku = ctl_sku_find(text_of(j, "sku"));
	o->tib = tib > 0 && tib <= CTL_MAX_TIB ? (uint32_t)tib : 0;
	json_object_put(j);
	if (o->sku && o->tib && o->name[0] && o->state[0])
		return 0;
	tool_say("%s cannot be understood", path);
	return -EINVAL;
}

int ctl_order_write(const char *dir, const struct ctl_order *o)
{
	struct json_object *j = json_object_new_object();
	char path[CTL_MAX_PATH], tmp[CTL_MAX_PATH];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "%.1060s/%s", dir, order_file);
	snprintf(tmp, sizeof(tmp), "%.1060s/%s.new", dir, order_file);
	json_put_str(j, "name", o->name);
	json_put_str(j, "provisioningState", o->state);
	json_put_str(j, "reason", o->reason);
	json_put_str(j, "sku", o->sku->name);
	json_put_u64(j, "storageCapacityTiB", o->tib);
	f = fopen(tmp, "we");
	if (!f) {
		json_object_put(j);
		return tool_fail(errno, "%s", tmp);
	}
	json_print(f, j);
	ok = fflush(f) == 0 && fsync(fileno(f)) == 0;
	ok = fclose(f) == 0 && ok;
	if (!ok || rename(tmp, path))
		return tool_fail(errno, "%s", path);
	return 0;
}

int ctl_order_open(const char *name, struct ctl_cluster *c, struct ctl_order *o)
{
	int rc;

	rc = ctl_name_check(name);
	if (rc)
		return rc;
	rc = ctl_name_find(name, c);
	if (rc == 0)
		rc = ctl_order_read(c->dir, o);
	if (rc == -ENOENT)
		return tool_fail(rc, "there is no cluster '%s' (sheenctl list shows them)", name);
	if (rc == 0)
		rc = ctl_conf_read(c);
	return rc == -ENOENT ? 0 : rc;
}

int ctl_order_state(const char *dir, struct ctl_order *o, const char *state)
{
	snprintf(o->state, sizeof(o->state), "%s", state);
	o->reason[0] = 0;
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", o->name, state);
	return ctl_order_write(dir, o);
}

int ctl_order_failed(const char *dir, struct ctl_order *o, const char *doing, int rc)
{
	snprintf(o->state, sizeof(o->state), "Failed");
	snprintf(o->reason, sizeof(o->reason), "%s: %s", doing, strerror(rc < 0 ? -rc : rc));
	tool_say("%s: Failed: %s", o->name, o->reason);
	(void)!ctl_order_write(dir, o); /* has said why it cannot */
	return rc;
}
