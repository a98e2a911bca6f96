/* SPDX-License-Identifier: Apache-2.0 */
/* gen_protocol.c - prints PROTOCOL.md from the lists that the code is made of (`make protocol`).
 * A change of the wire shows up as a change of that file; `make drift` fails when the file is not
 * up to date. */
#include "common/limits.h"
#include "common/proto/proto.h"
#include "common/wire.h"
#include <stdio.h>

static const char *const field_meaning[][2] = {
	{"u8 u16 u32 u64 i32 i64", "integer of that width, little-endian"},
	{"fid", "u64 sequence, u32 object id, u32 version; sane or all zero"},
	{"name",
	 "one path component: u32 length, 1 to 255 bytes without '/' and NUL, not \".\" or \"..\""},
	{"optname", "a name or empty"},
	{"str", "u32 length, text without NUL, at most 4096 bytes"},
	{"blob", "u32 length, any bytes"},
	{"attr", "attributes of an inode (`struct attr` in common/proto/field.h)"},
};

static const struct {
	uint16_t flag;
	const char *name;
} rpc_flag[] = {
	{RPC_MODIFIES, "modifies"},	{RPC_NOSESSION, "no session"}, {RPC_BULK_IN, "bulk in"},
	{RPC_BULK_OUT, "bulk out"},	{RPC_LONG, "may take long"},
	{RPC_RIDES, "may wait for company"}, {RPC_LOSABLE, "may be given up"},
};

static void print_fields(const char *title, const char *fields)
{
	const char *p = fields, *colon, *end;

	printf("* %s:", title);
	if (!*p)
		printf(" nothing");
	for (; *p; p = end) {
		p++; /* the blank */
		end = p + strcspn(p, " ");
		colon = memchr(p, ':', (size_t)(end - p));
		printf("%s %.*s `%.*s`", p == fields + 1 ? "" : ",", (int)(colon - p), p,
		       (int)(end - colon - 1), colon + 1);
	}
	putchar('\n');
}

static void print_flags(uint16_t flags)
{
	const char *sep = " (";

	for (size_t i = 0; i < ARRAY_SIZE(rpc_flag); i++)
		if (flags & rpc_flag[i].flag) {
			printf("%s%s", sep, rpc_flag[i].name);
			sep = ", ";
		}
	if (*sep == ',')
		putchar(')');
}

static void print_rpc(const struct rpc_desc *d, void *arg)
{
	const char **service = arg;

	if (!*service || strcmp(*service, d->service))
		printf("\n## Service %s\n", d->service);
	*service = d->service;
	printf("\n### %u %s_%s", d->nr, d->service, d->name);
	print_flags(d->flags);
	printf("\n\n%s.\n\n", d->doc);
	print_fields("request", d->req_fields);
	print_fields("reply", d->rep_fields);
}

static void print_head(void)
{
	printf("# The protocol\n\n"
	       "Written by `make protocol` from common/proto/*.h, compared by `make drift`.\n\n"
	       "A message is a header of %d bytes (docs/formats.md), a body of at most %u bytes\n"
	       "and bulk data of at most %u bytes. Version %d. Numbers are never used again for\n"
	       "something else; fields are only appended: a body that ends early at the end of a\n"
	       "field means zero for the rest, and what follows the last known field is ignored.\n"
	       "\n| field | on the wire |\n|---|---|\n",
	       WIRE_HDR_LEN, MAX_BODY, MAX_BULK, WIRE_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(field_meaning); i++)
		printf("| %s | %s |\n", field_meaning[i][0], field_meaning[i][1]);
}

#define FIELD_TEXT(t, n) " " #t ":" #n
#define PRINT_STRUCT(nm)                            \
	printf("\n### %s\n\n", #nm);                \
	print_fields("fields", "" STRUCT_##nm(FIELD_TEXT));

static void print_structs(void)
{
	printf("\n## Records inside blobs\n\n"
	       "They follow each other without padding; each must be whole.\n");
	ALL_STRUCTS(PRINT_STRUCT)
}

int main(void)
{
	const char *service = NULL;

	print_head();
	rpc_desc_each(print_rpc, &service);
	print_structs();
	return fflush(stdout) ? 1 : 0;
}
