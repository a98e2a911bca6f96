/* SPDX-License-Identifier: Apache-2.0 */
/* test_lfs_print.c - lfs getstripe's text, byte for byte as Lustre 2.17 prints it. */
#include "client/tools/lfs_print.h"
#include "tests/unit/unit.h"
#include <stdlib.h>

static struct tool_lov_obj two_objs[] = {{2, 0x280000400, 1}, {3, 0x240000400, 0}};

static struct tool_lov_comp plain_comp(void)
{
	return (struct tool_lov_comp){
		.end = LAYOUT_EOF,
		.magic = LOV_MAGIC_V1,
		.pattern = LAYOUT_RAID0,
		.oid = 1,
		.seq = 0x200000401,
		.stripe_size = 4194304,
		.stripe_count = 2,
		.nobj = 2,
		.obj = two_objs,
	};
}

static struct tool_lov_comp dir_comp(void)
{
	return (struct tool_lov_comp){
		.end = LAYOUT_EOF,
		.magic = LOV_MAGIC_V1,
		.pattern = LAYOUT_RAID0,
		.stripe_size = 4194304,
		.stripe_count = 1,
		.gen = 0xffff,
	};
}

static void prints(const struct lfs_show *s, struct tool_lov_comp *c, const char *want)
{
	struct tool_lov l = {.magic = c->magic, .ncomp = 1, .comp = c};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	lfs_print_lov(f, s, &l);
	fclose(f);
	assert_string_equal(text, want);
	free(text);
}

static void a_plain_file(void **state)
{
	struct tool_lov_comp c = plain_comp();
	struct lfs_show s = {.fields = SHOW_ALL, .ost = -1, .path = "/mnt/testfs/f", .fid = ""};

	(void)state;
	prints(&s, &c,
	       "/mnt/testfs/f\n"
	       "lmm_stripe_count:  2\n"
	       "lmm_stripe_size:   4194304\n"
	       "lmm_pattern:       raid0\n"
	       "lmm_layout_gen:    0\n"
	       "lmm_stripe_offset: 1\n"
	       "\tobdidx\t\t objid\t\t objid\t\t group\n"
	       "\t     1\t             2\t          0x2\t   0x280000400\n"
	       "\t     0\t             3\t          0x3\t   0x240000400\n"
	       "\n");
}

static void a_file_in_a_pool_seen_from_one_ost(void **state)
{
	struct tool_lov_comp c = plain_comp();
	struct lfs_show s = {.fields = SHOW_ALL, .ost = 0, .path = "f", .fid = ""};

	(void)state;
	c.magic = LOV_MAGIC_V3;
	strcpy(c.pool, "flash");
	prints(&s, &c,
	       "f\n"
	       "lmm_stripe_count:  2\n"
	       "lmm_stripe_size:   4194304\n"
	       "lmm_pattern:       raid0\n"
	       "lmm_layout_gen:    0\n"
	       "lmm_stripe_offset: 1\n"
	       "lmm_pool:          flash\n"
	       "\tobdidx\t\t objid\t\t objid\t\t group\n"
	       "\t     1\t             2\t          0x2\t   0x280000400\n"
	       "\t     0\t             3\t          0x3\t   0x240000400 *\n"
	       "\n");
}

static void verbose_adds_the_ids(void **state)
{
	struct tool_lov_comp c = plain_comp();
	struct lfs_show s = {.fields = SHOW_ALL | SHOW_DETAIL,
			     .ost = -1,
			     .path = "f",
			     .fid = "[0x200000401:0x1:0x0]"};

	(void)state;
	c.nobj = 0;
	prints(&s, &c,
	       "f\n"
	       "lmm_magic:         0x0BD10BD0\n"
	       "lmm_seq:           0x200000401\n"
	       "lmm_object_id:     0x1\n"
	       "lmm_fid:           [0x200000401:0x1:0x0]\n"
	       "lmm_stripe_count:  2\n"
	       "lmm_stripe_size:   4194304\n"
	       "lmm_pattern:       raid0\n"
	       "lmm_layout_gen:    0\n"
	       "lmm_stripe_offset: -1\n"
	       "\n");
}

static void one_field_is_a_bare_value(void **state)
{
	static const struct {
		uint32_t field;
		const char *want;
	} cases[] = {{SHOW_COUNT, "2\n"},    {SHOW_SIZE, "4194304\n"}, {SHOW_OFFSET, "1\n"},
		     {SHOW_PATTERN, "raid0\n"}, {SHOW_GEN, "0\n"},	{SHOW_POOL, ""},
		     {SHOW_FID, "[0x200000401:0x1:0x0]\n"}, {SHOW_MDT, "0\n"},
		     {SHOW_MIRRORS, "1\n"},  {SHOW_COMPS, "1\n"}};
	struct tool_lov_comp c = plain_comp();
	struct lfs_show s = {.ost = -1, .fid = "[0x200000401:0x1:0x0]"};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		s.fields = cases[i].field;
		prints(&s, &c, cases[i].want);
	}
	s.fields = SHOW_COUNT | SHOW_SIZE;
	prints(&s, &c, "lmm_stripe_count:  2\nlmm_stripe_size:   4194304\n");
}

static void a_directory_is_one_line(void **state)
{
	struct tool_lov_comp c = dir_comp();
	struct lfs_show s = {.fields = SHOW_ALL, .ost = -1, .is_dir = true, .fid = ""};

	(void)state;
	prints(&s, &c,
	       "stripe_count:  1 stripe_size:   4194304 pattern:       raid0 stripe_offset: -1\n");
	strcpy(c.pool, "flash");
	prints(&s, &c,
	       "stripe_count:  1 stripe_size:   4194304 pattern:       raid0 stripe_offset: -1 "
	       "pool:          flash\n");
	c.pool[0] = '\0';
	c.pattern = 0;
	c.stripe_count = 0xffff;
	c.gen = 3;
	prints(&s, &c,
	       "stripe_count:  -1 stripe_size:   4194304 pattern:       0 stripe_offset: 3\n");
	s.fields = SHOW_COUNT;
	prints(&s, &c, "-1\n");
}

static void a_verbose_directory_says_that_it_is_a_default(void **state)
{
	struct tool_lov_comp c = dir_comp();
	struct lfs_show s = {.fields = SHOW_ALL | SHOW_DETAIL,
			     .ost = -1,
			     .is_dir = true,
			     .fid = "[0x200000007:0x1:0x0]"};

	(void)state;
	prints(&s, &c,
	       "(Default) lmm_fid:           [0x200000007:0x1:0x0]\n"
	       "stripe_count:  1 stripe_size:   4194304 pattern:       raid0 stripe_offset: -1\n");
}

static void yaml_of_a_plain_file(void **state)
{
	struct tool_lov_obj obj = {2, 0x240000400, 0};
	struct tool_lov_comp c = plain_comp();
	struct lfs_show s = {.fields = SHOW_ALL, .ost = -1, .yaml = true, .fid = ""};

	(void)state;
	c.obj = &obj;
	c.nobj = c.stripe_count = 1;
	prints(&s, &c,
	       "lmm_stripe_count:  1\n"
	       "lmm_stripe_size:   4194304\n"
	       "lmm_pattern:       raid0\n"
	       "lmm_layout_gen:    0\n"
	       "lmm_stripe_offset: 0\n"
	       "lmm_objects:\n"
	       "      - l_ost_idx: 0\n"
	       "        l_fid:     0x240000400:0x2:0x0\n"
	       "\n");
}

static void a_composite_file(void **state)
{
	struct tool_lov_obj obj = {2, 0x240000400, 0};
	struct tool_lov_comp c[2] = {plain_comp(), plain_comp()};
	struct tool_lov l = {.composite = true, .magic = LOV_MAGIC_COMP_V1, .gen = 3, .mirrors = 1,
			     .ncomp = 2, .comp = c};
	struct lfs_show s = {.fields = SHOW_ALL, .ost = -1, .path = "/mnt/testfs/pfl", .fid = ""};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	c[0].id = 1;
	c[0].flags = 0x10;
	c[0].end = 4194304;
	c[0].stripe_count = c[0].nobj = 1;
	c[0].obj = &obj;
	c[1].id = 2;
	c[1].start = 4194304;
	c[1].stripe_count = 4;
	c[1].nobj = 0;
	lfs_print_lov(f, &s, &l);
	fclose(f);
	assert_string_equal(text, "/mnt/testfs/pfl\n"
				  "  lcm_layout_gen:    3\n"
				  "  lcm_mirror_count:  1\n"
				  "  lcm_entry_count:   2\n"
				  "    lcme_id:             1\n"
				  "    lcme_mirror_id:      0\n"
				  "    lcme_flags:          init\n"
				  "    lcme_extent.e_start: 0\n"
				  "    lcme_extent.e_end:   4194304\n"
				  "      lmm_stripe_count:  1\n"
				  "      lmm_stripe_size:   4194304\n"
				  "      lmm_pattern:       raid0\n"
				  "      lmm_layout_gen:    0\n"
				  "      lmm_stripe_offset: 0\n"
				  "      lmm_objects:\n"
				  "      -   0: { l_ost_idx:   0, l_fid: [0x240000400:0x2:0x0] }\n"
				  "\n"
				  "    lcme_id:             2\n"
				  "    lcme_mirror_id:      0\n"
				  "    lcme_flags:          0\n"
				  "    lcme_extent.e_start: 4194304\n"
				  "    lcme_extent.e_end:   EOF\n"
				  "      lmm_stripe_count:  4\n"
				  "      lmm_stripe_size:   4194304\n"
				  "      lmm_pattern:       raid0\n"
				  "      lmm_layout_gen:    0\n"
				  "      lmm_stripe_offset: -1\n"
				  "\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_file),
		cmocka_unit_test(a_file_in_a_pool_seen_from_one_ost),
		cmocka_unit_test(verbose_adds_the_ids),
		cmocka_unit_test(one_field_is_a_bare_value),
		cmocka_unit_test(a_directory_is_one_line),
		cmocka_unit_test(a_verbose_directory_says_that_it_is_a_default),
		cmocka_unit_test(yaml_of_a_plain_file),
		cmocka_unit_test(a_composite_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
