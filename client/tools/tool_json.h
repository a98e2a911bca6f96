/* SPDX-License-Identifier: Apache-2.0 */
/* tool_json.h - the few json-c calls that every --json output needs, with one number type.
 *
 * Values are added to their parent at once, which then owns them. Running out of memory leaves a
 * member out; nothing here fails. Main thread.
 */
#pragma once
#include "common/base.h"
#include <json-c/json.h>
#include <stdio.h>

void json_put_str(struct json_object *o, const char *key, const char *val);
void json_put_u64(struct json_object *o, const char *key, uint64_t val);
void json_put_i64(struct json_object *o, const char *key, int64_t val);
void json_put_bool(struct json_object *o, const char *key, bool val);
/* A new array or object as a member, or as the next element of an array. */
struct json_object *json_put_array(struct json_object *o, const char *key);
struct json_object *json_add_object(struct json_object *array);
/* Prints with line breaks, and frees. */
void json_print(FILE *f, struct json_object *o);
