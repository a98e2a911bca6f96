/* SPDX-License-Identifier: Apache-2.0 */
/* test_open.c - the table of open files: who counts as a writer, and when open_seq moves. */
#include "common/proto/proto.h"
#include "mds/open.h"
#include "tests/unit/unit.h"

static const struct fid F = {FID_SEQ_NORMAL + 1, 1, 0};
static struct client *const A = (struct client *)1, *const B = (struct client *)2;

static struct open_list list_a, list_b;

static int setup(void **state)
{
	struct open_table *tab;

	LIST_INIT(&list_a);
	LIST_INIT(&list_b);
	assert_int_equal(open_table_create(1000, &tab), 0);
	*state = tab;
	return 0;
}

static int teardown(void **state)
{
	open_table_destroy(*state);
	return 0;
}

static void opens_are_found_by_client_and_id(void **state)
{
	struct open_table *tab = *state;
	struct open *a, *b;

	assert_int_equal(open_add(tab, A, &list_a, &F, 5, OPEN_READ, true, &a), 0);
	assert_int_equal(open_add(tab, B, &list_b, &F, 5, OPEN_WRITE, true, &b), 0);
	assert_ptr_equal(open_find(tab, A, 5), a);
	assert_ptr_equal(open_find(tab, B, 5), b);
	assert_null(open_find(tab, A, 6));
	assert_ptr_equal(a->node, b->node);
	assert_int_equal(a->node->nopen, 2);
	assert_int_equal(a->node->nwriters, 1);
	assert_int_equal(open_table_count(tab), 2);
	open_del(tab, a);
	assert_null(open_find(tab, A, 5));
	open_del(tab, b);
	assert_null(node_find(tab, &F));
	assert_int_equal(open_table_count(tab), 0);
}

static void writers_move_open_seq_and_readers_do_not(void **state)
{
	struct open_table *tab = *state;
	struct open *w, *r, *v;
	uint64_t seq;

	assert_int_equal(open_add(tab, A, &list_a, &F, 1, OPEN_WRITE, true, &w), 0);
	seq = w->node->open_seq;
	assert_int_equal(open_add(tab, B, &list_b, &F, 2, OPEN_READ, false, &r), 0);
	open_del(tab, r);
	assert_int_equal(w->node->open_seq, seq);
	assert_int_equal(open_add(tab, B, &list_b, &F, 3, OPEN_WRITE, false, &v), 0);
	assert_true(w->node->open_seq != seq);
	assert_true(w->node->was_sure); /* the first writer's finding stands */
	seq = w->node->open_seq;
	open_del(tab, v);
	assert_true(w->node->open_seq != seq);
}

static void a_new_node_never_has_an_old_number(void **state)
{
	struct open_table *tab = *state;
	struct open *w;
	uint64_t seq;

	assert_int_equal(open_add(tab, A, &list_a, &F, 1, OPEN_WRITE, true, &w), 0);
	seq = w->node->open_seq;
	open_del(tab, w);
	assert_int_equal(open_add(tab, A, &list_a, &F, 2, OPEN_WRITE, true, &w), 0);
	assert_true(w->node->open_seq > seq);
}

static void a_reference_keeps_the_node(void **state)
{
	struct open_table *tab = *state;
	struct node *n = node_ref(tab, &F);
	struct open *o;

	assert_int_equal(open_add(tab, A, &list_a, &F, 1, OPEN_READ, true, &o), 0);
	assert_ptr_equal(o->node, n);
	open_del(tab, o);
	assert_ptr_equal(node_find(tab, &F), n);
	node_unref(tab, n);
	assert_null(node_find(tab, &F));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opens_are_found_by_client_and_id),
		TEST(writers_move_open_seq_and_readers_do_not),
		TEST(a_new_node_never_has_an_old_number),
		TEST(a_reference_keeps_the_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
