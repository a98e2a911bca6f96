/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_records.c - everything else that comes from a disk, a command line or a person.
 *
 * Input: a byte that says what it is, then the bytes. Host names are not looked up here. The
 * label's parser is reached by including its file, so that the checksum can be made right.
 */
#include "common/target.c"

#include "common/limits.h"
#include "common/nid.h"
#include "common/param.h"
#include "common/proto/proto.h"
#include "mds/schema.h"
#include "oss/object.h"
#include "tests/fuzz/fuzz.h"
#include <netdb.h>

/* Instead of the C library's: no fuzzing of somebody's name server. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	(void)node, (void)service, (void)hints;
	*res = NULL;
	return EAI_NONAME;
}

static void table_value(struct fuzz_input *in)
{
	uint32_t table = (uint32_t)fuzz_int(in, 1) % MDS_NTABLES;

	(void)!schema_value_check(table, (struct span){in->ptr, (uint32_t)in->len});
}

static void label(struct fuzz_input *in)
{
	struct target_label l;
	char *text = malloc(in->len + 64), why[256];
	size_t len = in->len;

	assert(text);
	memcpy(text, in->ptr, len);
	while (len && text[len - 1] == '\n')
		len--;
	if (len)
		text[len++] = '\n';
	len += (size_t)snprintf(text + len, 64, CRC_KEY "%08x\n",
				crc32c_add(0, text, len));
	if (parse_label(text, len, "label", &l, why, sizeof(why)) == 0) {
		char name[MAX_TARGET_NAME];

		target_name(&l, name);
		assert(memchr(l.params, 0, sizeof(l.params)));
	}
	free(text);
}

static void target_names(char *text)
{
	char fsname[MAX_FSNAME + 1], again[MAX_TARGET_NAME];
	struct target_label l = {0};

	if (target_name_parse(text, fsname, &l.type, &l.index))
		return;
	memcpy(l.fsname, fsname, sizeof(fsname));
	target_name(&l, again);
	if (target_name_parse(again, fsname, &l.type, &l.index))
		abort();
}

static void nids(char *text)
{
	char why[128], one[MAX_NIDS * NID_STRLEN], two[sizeof(one)];
	struct nid_list l, again;
	struct mount_source src;

	(void)!mount_source_parse(text, &src, why, sizeof(why));
	if (nid_list_parse(text, PORT_MGS, &l, why, sizeof(why)))
		return;
	assert(l.n >= 1 && l.n <= MAX_NIDS);
	nid_list_str(&l, PORT_MGS, one, sizeof(one));
	if (nid_list_parse(one, PORT_MGS, &again, why, sizeof(why)))
		abort();
	assert(again.n == l.n);
	nid_list_str(&again, PORT_MGS, two, sizeof(two));
	assert(strcmp(one, two) == 0);
}

static int get_text_param(void *arg, struct wbuf *w)
{
	wbuf_put(w, arg, (uint32_t)strlen(arg));
	return 0;
}

static void params(char *text)
{
	static uint32_t tunable;
	static char lines[] = "a\nb";
	struct params *ps;
	struct wbuf w;
	char *value = strchr(text, '=');

	if (params_create(&ps))
		abort();
	if (param_add(ps, "osc.lustre-OST0000-osc-ffff01.stats", get_text_param, NULL, lines) ||
	    param_add(ps, "osc.lustre-OST0001-osc-ffff01.stats", get_text_param, NULL, lines) ||
	    param_add_u32(ps, "osc.lustre-OST0001-osc-ffff01.max_rpcs_in_flight", &tunable, 1, 256))
		abort();
	wbuf_init(&w, MAX_PARAM_TEXT);
	(void)!params_get(ps, text, &w);
	(void)!params_list(ps, text, &w);
	if (value) {
		*value++ = 0;
		(void)!params_set(ps, text, value, &w);
		(void)!params_set_sticky(ps, text, value);
		assert(tunable <= 256);
	}
	wbuf_fini(&w);
	params_destroy(ps);
}

static void fids(char *text)
{
	struct fid f, again;
	char buf[FID_STRLEN];

	if (fid_parse(text, &f))
		return;
	if (fid_parse(fid_str(&f, buf), &again) || !fid_eq(&f, &again))
		abort();
	if (fid_is_sane(&f) && (fid_from_ino(fid_to_ino(&f), &again) || !fid_eq(&f, &again)))
		abort();
}

static void object_paths(char *text)
{
	char buf[OBJECT_PATH_MAX];
	struct object_id id;

	if (object_path_parse(text, &id) == 0)
		assert(strcmp(object_path(&id, buf), text) == 0);
}

static void object_records(struct fuzz_input *in)
{
	struct object_record rec;
	uint8_t mem[OBJECT_RECORD_MAX + 4];
	uint32_t len = (uint32_t)(in->len < OBJECT_RECORD_MAX ? in->len : OBJECT_RECORD_MAX);
	struct wbuf w;
	uint32_t crc;

	(void)!object_record_dec((struct span){in->ptr, (uint32_t)in->len}, &rec);
	wbuf_init_fixed(&w, mem, sizeof(mem));
	wbuf_put(&w, in->ptr, len);
	crc = crc32c_add(0, mem, len);
	enc_u32(&w, &crc);
	(void)!object_record_dec(wbuf_span(&w), &rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const text_target[])(char *) = {target_names, nids, params, fids,
						      object_paths};
	static void (*const byte_target[])(struct fuzz_input *) = {table_value, label,
								   object_records};
	struct fuzz_input in = {data, size};
	uint8_t what = (uint8_t)fuzz_int(&in, 1);

	if (in.len > 8192)
		return 0;
	if (what < ARRAY_SIZE(byte_target)) {
		byte_target[what](&in);
	} else if (what - ARRAY_SIZE(byte_target) < ARRAY_SIZE(text_target)) {
		char *text = fuzz_text(&in);

		text_target[what - ARRAY_SIZE(byte_target)](text);
		free(text);
	}
	return 0;
}
