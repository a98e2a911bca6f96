/* SPDX-License-Identifier: Apache-2.0 */
/* test_acl.c - ACL blobs: validation, mode bits, chmod, inheritance (results as a local file
 * system gives). */
#include "mds/acl.h"
#include "tests/unit/unit.h"

enum { UO = 1, U = 2, GO = 4, G = 8, MA = 16, OT = 32 };
#define E(tag, perm, id) {tag, perm, id}
#define NOID 0xffffffffU

static struct span blob(uint8_t *mem, const struct acl_entry *e, uint32_t n)
{
	struct acl a = {n, (struct acl_entry *)(uintptr_t)e};

	acl_enc(&a, mem);
	return (struct span){mem, acl_size(&a)};
}

static int try_dec(const struct acl_entry *e, uint32_t n)
{
	uint8_t mem[256];
	struct span s = blob(mem, e, n);
	uint8_t *copy = exact_copy(s.ptr, s.len);
	struct acl a;
	int rc = acl_dec((struct span){copy, s.len}, &a);

	free(copy);
	if (rc == 0)
		acl_fini(&a);
	return rc;
}

#define TRY(...) try_dec((struct acl_entry[]){__VA_ARGS__}, \
			 ARRAY_SIZE(((struct acl_entry[]){__VA_ARGS__})))

static void good_acls_are_taken(void **state)
{
	(void)state;
	assert_int_equal(TRY(E(UO, 7, NOID), E(GO, 5, NOID), E(OT, 0, NOID)), 0);
	assert_int_equal(TRY(E(UO, 7, NOID), E(U, 7, 5), E(U, 1, 9), E(GO, 5, NOID), E(G, 3, 1),
			     E(MA, 7, NOID), E(OT, 0, NOID)), 0);
	assert_int_equal(TRY(E(UO, 7, NOID), E(U, 7, 9), E(U, 1, 5), E(GO, 5, NOID), E(MA, 7, NOID),
			     E(OT, 0, NOID)), 0);
	assert_int_equal(TRY(E(UO, 7, NOID), E(GO, 5, NOID), E(MA, 7, NOID), E(OT, 0, NOID)), 0);
}

static void bad_acls_are_refused(void **state)
{
	struct acl a;

	(void)state;
	assert_int_equal(TRY(E(UO, 7, NOID), E(GO, 5, NOID)), -EINVAL);
	assert_int_equal(TRY(E(UO, 8, NOID), E(GO, 5, NOID), E(OT, 0, NOID)), -EINVAL);
	assert_int_equal(TRY(E(GO, 5, NOID), E(UO, 7, NOID), E(OT, 0, NOID)), -EINVAL);
	assert_int_equal(TRY(E(UO, 7, NOID), E(UO, 7, NOID), E(GO, 5, NOID), E(OT, 0, NOID)),
			 -EINVAL);
	assert_int_equal(TRY(E(UO, 7, NOID), E(U, 7, 5), E(GO, 5, NOID), E(OT, 0, NOID)), -EINVAL);
	assert_int_equal(TRY(E(UO, 7, NOID), E(U, 7, 5), E(U, 7, 5), E(GO, 5, NOID), E(MA, 7, NOID),
			     E(OT, 0, NOID)), -EINVAL);
	assert_int_equal(TRY(E(UO, 7, NOID), E(U, 7, 9), E(U, 7, 5), E(U, 7, 9), E(GO, 5, NOID),
			     E(MA, 7, NOID), E(OT, 0, NOID)), -EINVAL);
	assert_int_equal(TRY(E(UO, 7, NOID), E(3, 7, NOID), E(GO, 5, NOID), E(OT, 0, NOID)),
			 -EINVAL);
	assert_int_equal(acl_dec(SPAN_NONE, &a), -EINVAL);
	assert_int_equal(acl_dec((struct span){(const uint8_t *)"\2\0\0\0abc", 7}, &a), -EINVAL);
	assert_int_equal(acl_dec((struct span){(const uint8_t *)"\1\0\0\0abcdefgh", 12}, &a),
			 -EINVAL);
}

static void random_blobs_never_hurt(void **state)
{
	uint64_t seed = 7;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		uint8_t raw[76];
		uint32_t len = (uint32_t)rnd_below(&seed, sizeof(raw));
		uint8_t *copy;
		struct acl a;

		rnd_fill(&seed, raw, len);
		if (len >= 4)
			memcpy(raw, "\2\0\0\0", 4);
		copy = exact_copy(raw, len);
		if (acl_dec((struct span){copy, len}, &a) == 0)
			acl_fini(&a);
		free(copy);
	}
}

static void mode_shows_the_mask_as_group(void **state)
{
	struct acl_entry small[] = {E(UO, 6, NOID), E(GO, 4, NOID), E(OT, 1, NOID)};
	struct acl_entry large[] = {E(UO, 7, NOID), E(U, 7, 5), E(GO, 1, NOID), E(MA, 6, NOID),
				    E(OT, 0, NOID)};
	struct acl a = {3, small}, b = {5, large};
	bool minimal;

	(void)state;
	assert_int_equal(acl_to_mode(&a, &minimal), 0641);
	assert_true(minimal);
	assert_int_equal(acl_to_mode(&b, &minimal), 0760);
	assert_false(minimal);
	acl_chmod(&b, 0413);
	assert_int_equal(large[0].perm, 4);
	assert_int_equal(large[2].perm, 1); /* the owning group keeps its own */
	assert_int_equal(large[3].perm, 1);
	assert_int_equal(large[4].perm, 3);
	assert_int_equal(acl_to_mode(&b, &minimal), 0413);
}

static void a_default_acl_limits_the_mode_and_is_limited_by_it(void **state)
{
	/* setfacl -d -m u::rwx,u:1000:rwx,g::r-x,m::rwx,o::r-x DIR; touch (0666), mkdir (0777) */
	struct acl_entry e[] = {E(UO, 7, NOID), E(U, 7, 1000), E(GO, 5, NOID), E(MA, 7, NOID),
				E(OT, 5, NOID)};
	struct acl_entry d[5];
	struct acl a = {5, e}, b = {5, d};
	uint32_t mode = 0100666;

	(void)state;
	memcpy(d, e, sizeof(d));
	acl_inherit(&a, &mode);
	assert_int_equal(mode, 0100664);
	assert_int_equal(e[0].perm, 6);
	assert_int_equal(e[1].perm, 7);
	assert_int_equal(e[2].perm, 5);
	assert_int_equal(e[3].perm, 6);
	assert_int_equal(e[4].perm, 4);
	mode = 040777;
	acl_inherit(&b, &mode);
	assert_int_equal(mode, 040775);
	assert_int_equal(d[3].perm, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_acls_are_taken),
		cmocka_unit_test(bad_acls_are_refused),
		cmocka_unit_test(random_blobs_never_hurt),
		cmocka_unit_test(mode_shows_the_mask_as_group),
		cmocka_unit_test(a_default_acl_limits_the_mode_and_is_limited_by_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
