/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - the client's table of leases: what it serves, what it must not serve any more,
 * and what it lets the kernel keep. Each test is one order of events that would show something
 * stale. */
#include "client/core/lease.h"
#include "tests/unit/unit.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { SESSION = 77, TERM = 1000000, BOTH = LEASE_LOOKUP | LEASE_UPDATE };

static struct leases *t;
static const struct fid D = {FID_SEQ_NORMAL + 1, 1, 0}, F = {FID_SEQ_NORMAL + 1, 2, 0};

static int setup(void **state)
{
	(void)state;
	assert_int_equal(leases_create(&t), 0);
	leases_term(t, SESSION, TERM, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	leases_destroy(t);
	return 0;
}

/* An answer of the MDS with the inode's size as its mark. */
static struct attr answer(const struct fid *fid, uint64_t session, uint64_t seq, uint32_t bits,
			  uint64_t size)
{
	struct lease_grant g = {session, seq, bits, 0};
	struct attr a = {.mode = S_IFREG | 0644, .size = size};

	leases_note(t, fid, &g, &a);
	return a;
}

static void name_answer(uint64_t seq, const char *name)
{
	struct lease_grant g = {SESSION, seq, BOTH, 0};

	leases_note_name(t, &D, SPAN_STR(name), &F, &g);
}

/* Size that is served, or -1. */
static int64_t served(uint64_t now)
{
	struct attr a;

	return leases_attr(t, &F, now, &a) ? (int64_t)a.size : -1;
}

static bool leads(const char *name, uint64_t now)
{
	struct entry e;
	bool yes = leases_name(t, &D, SPAN_STR(name), now, &e);

	assert_true(!yes || fid_eq(&e.fid, &F));
	return yes;
}

static void what_is_granted_is_served_for_the_term(void **state)
{
	(void)state;
	assert_int_equal(served(1), -1);
	answer(&F, SESSION, 1, BOTH, 5);
	assert_int_equal(served(1), 5);
	assert_int_equal(served(TERM - 1), 5);
	assert_int_equal(served(TERM), -1);
	leases_term(t, SESSION, 2 * TERM, 0);
	assert_int_equal(served(TERM), 5); /* nothing was recalled meanwhile */
}

static void other_sessions_and_no_bits_are_not_kept(void **state)
{
	(void)state;
	answer(&F, SESSION + 1, 1, BOTH, 5);
	assert_int_equal(served(1), -1);
	answer(&F, SESSION, 2, 0, 5);
	assert_int_equal(served(1), -1);
	answer(&F, SESSION, 3, LEASE_LOOKUP, 5);
	assert_int_equal(served(1), -1);
}

static void an_answer_overtaken_by_its_recall_is_not_kept(void **state)
{
	(void)state;
	leases_obey(t, &F, LEASE_UPDATE, 10);
	answer(&F, SESSION, 9, BOTH, 5);
	assert_int_equal(served(1), -1);
	answer(&F, SESSION, 11, BOTH, 6);
	assert_int_equal(served(1), 6);
}

/* A file that this client writes alone: the lease is there, the size is not to be believed. */
static void unsure_sizes_are_kept_apart(void **state)
{
	struct lease_grant g = {SESSION, 3, BOTH, 17};
	struct attr a = {.mode = S_IFREG | 0600, .flags = ATTR_SIZE_UNSURE}, got;
	struct fid child;
	uint64_t seq;

	(void)state;
	name_answer(3, "f");
	leases_note(t, &F, &g, &a);
	assert_int_equal(served(1), -1);
	assert_false(leads("f", 1));
	assert_int_equal(leases_tell(t, &F, &a, false, 1, 2), 0);
	assert_true(leases_attr_unsure(t, &F, 1, &got, &seq));
	assert_int_equal(got.mode, a.mode);
	assert_int_equal(seq, 17);
	assert_true(leases_child(t, &D, SPAN_STR("f"), 1, &child));
	assert_true(fid_eq(&child, &F));
	assert_false(leases_child(t, &D, SPAN_STR("g"), 1, &child));
	g = (struct lease_grant){SESSION, 4, BOTH, 0}; /* a listing does not say */
	leases_note(t, &F, &g, &a);
	assert_true(leases_attr_unsure(t, &F, 1, &got, &seq));
	assert_int_equal(seq, 17);
	leases_change_begin(t, &F, LEASE_UPDATE);
	assert_false(leases_attr_unsure(t, &F, 1, &got, &seq));
	leases_change_end(t, &F, LEASE_UPDATE, 5, 1);
	assert_false(leases_attr_unsure(t, &F, 1, &got, &seq));
	g.seq = 6;
	leases_note(t, &F, &g, &a);
	assert_true(leases_attr_unsure(t, &F, 1, &got, &seq));
	assert_int_equal(seq, 0); /* it may be another one now */
	assert_false(leases_attr_unsure(t, &F, TERM, &got, &seq));
	assert_false(leases_child(t, &D, SPAN_STR("f"), TERM, &child));
	a.flags = 0;
	a.size = 70;
	g.seq = 7;
	leases_note(t, &F, &g, &a);
	assert_int_equal(served(1), 70);
	assert_false(leases_attr_unsure(t, &F, 1, &got, &seq));
	leases_obey(t, &F, LEASE_LOOKUP, 8);
	assert_false(leases_child(t, &D, SPAN_STR("f"), 1, &child));
}

static void the_newest_answer_wins_in_any_order(void **state)
{
	(void)state;
	answer(&F, SESSION, 8, BOTH, 8);
	answer(&F, SESSION, 7, BOTH, 7);
	assert_int_equal(served(1), 8);
}

static void nothing_is_served_during_an_own_change(void **state)
{
	(void)state;
	answer(&F, SESSION, 1, BOTH, 5);
	leases_change_begin(t, &F, LEASE_UPDATE);
	assert_int_equal(served(1), -1);
	answer(&F, SESSION, 2, BOTH, 5); /* asked before, answered during the change */
	assert_int_equal(served(1), -1);
	leases_change_end(t, &F, LEASE_UPDATE, 3, 2);
	assert_int_equal(served(2), -1);
	answer(&F, SESSION, 2, BOTH, 5); /* late */
	assert_int_equal(served(2), -1);
	answer(&F, SESSION, 3, BOTH, 6); /* of the change itself */
	assert_int_equal(served(2), 6);
}

static void a_failed_change_forgets_the_attributes(void **state)
{
	(void)state;
	answer(&F, SESSION, 1, BOTH, 5);
	leases_change_begin(t, &F, LEASE_UPDATE);
	leases_change_end(t, &F, LEASE_UPDATE, 0, 2);
	assert_int_equal(served(2), -1);
}

static void two_changes_at_once_end_in_any_order(void **state)
{
	(void)state;
	leases_change_begin(t, &F, LEASE_UPDATE);
	leases_change_begin(t, &F, LEASE_UPDATE);
	leases_change_end(t, &F, LEASE_UPDATE, 11, 1);
	answer(&F, SESSION, 11, BOTH, 11);
	assert_int_equal(served(1), -1);
	leases_change_end(t, &F, LEASE_UPDATE, 10, 2);
	answer(&F, SESSION, 10, BOTH, 10);
	assert_int_equal(served(2), 11);
}

static void a_name_lives_as_long_as_its_inodes_lookup_lease(void **state)
{
	(void)state;
	answer(&F, SESSION, 1, BOTH, 5);
	name_answer(1, "n");
	assert_true(leads("n", 1));
	assert_false(leads("other", 1));
	leases_obey(t, &F, LEASE_LOOKUP, 5);
	assert_false(leads("n", 1));
	answer(&F, SESSION, 6, BOTH, 5); /* by another name: this one may be gone */
	assert_false(leads("n", 1));
	name_answer(6, "n");
	assert_true(leads("n", 1));
}

static void an_old_answer_about_a_name_is_not_kept(void **state)
{
	(void)state;
	leases_change_begin(t, &D, LEASE_UPDATE);
	answer(&F, SESSION, 1, BOTH, 5);
	name_answer(1, "n"); /* during a change of the directory */
	leases_forget_name(t, &D, SPAN_STR("n"));
	leases_change_end(t, &D, LEASE_UPDATE, 9, 1);
	assert_false(leads("n", 1));
	name_answer(8, "n"); /* late */
	assert_false(leads("n", 1));
	answer(&F, SESSION, 10, BOTH, 5);
	name_answer(10, "n");
	assert_true(leads("n", 1));
}

static void own_changes_of_names_are_seen(void **state)
{
	(void)state;
	answer(&F, SESSION, 1, BOTH, 5);
	name_answer(1, "n");
	leases_names_changed(t, &F, 4, false);
	assert_false(leads("n", 1));
	assert_int_equal(served(1), -1);
	answer(&F, SESSION, 5, BOTH, 6);
	name_answer(5, "m");
	assert_true(leads("m", 1));
	leases_names_changed(t, &F, 6, true);
	assert_false(leads("m", 1));
}

static void the_kernel_is_told_only_what_is_right_and_was_asked_late_enough(void **state)
{
	struct attr a, old;

	(void)state;
	old = answer(&F, SESSION, 1, BOTH, 5);
	a = answer(&F, SESSION, 2, BOTH, 6);
	assert_int_equal(leases_tell(t, &F, &old, false, 10, 10), 0);
	assert_int_equal(leases_tell(t, &F, &a, true, 10, 10), TERM - 10);
	assert_int_equal(leases_obey(t, &F, LEASE_LOOKUP, 3), 10); /* when it was told */
	assert_int_equal(leases_tell(t, &F, &a, true, 11, 11), 0);
	leases_change_begin(t, &F, LEASE_UPDATE);
	assert_int_equal(leases_tell(t, &F, &a, false, 12, 12), 0);
	leases_change_end(t, &F, LEASE_UPDATE, 4, 20);
	a = answer(&F, SESSION, 4, LEASE_UPDATE, 7);
	assert_int_equal(leases_tell(t, &F, &a, false, 20, 21), 0); /* asked before it ended */
	assert_int_equal(leases_tell(t, &F, &a, false, 21, 22), TERM - 22);
}

/* True with *keep for "2", 1: may be cached from now on, 0: not at all. */
static int listing(uint64_t now)
{
	bool keep;

	return leases_list(t, &D, now, &keep) ? 1 + keep : 0;
}

static void a_listing_is_kept_while_the_lease_was_never_lost(void **state)
{
	(void)state;
	assert_int_equal(listing(10), 0);
	leases_note(t, &D, &(struct lease_grant){SESSION, 1, BOTH, 0},
		    &(struct attr){.mode = S_IFDIR});
	assert_int_equal(listing(10), 1);
	assert_int_equal(listing(10), 2);
	leases_obey(t, &D, LEASE_LOOKUP, 2);
	assert_int_equal(listing(10), 2); /* that is about its own name */
	assert_int_equal(listing(TERM), 0);
	leases_obey(t, &D, LEASE_UPDATE, 3);
	assert_int_equal(listing(10), 0);
	leases_note(t, &D, &(struct lease_grant){SESSION, 4, BOTH, 0},
		    &(struct attr){.mode = S_IFDIR});
	assert_int_equal(listing(10), 1);
	leases_change_begin(t, &D, LEASE_UPDATE);
	assert_int_equal(listing(10), 0);
	leases_change_end(t, &D, LEASE_UPDATE, 5, 10);
	assert_int_equal(listing(10), 0);
	leases_note(t, &D, &(struct lease_grant){SESSION, 5, BOTH, 0},
		    &(struct attr){.mode = S_IFDIR});
	assert_int_equal(listing(10), 1); /* the lease may have been another's in between */
	leases_change_begin(t, &D, LEASE_UPDATE);
	leases_change_end(t, &D, LEASE_UPDATE, 0, 11);
	leases_note(t, &D, &(struct lease_grant){SESSION, 6, BOTH, 0},
		    &(struct attr){.mode = S_IFDIR});
	assert_int_equal(listing(12), 1); /* who knows what a failed change did */
	leases_lose_all(t, NULL, NULL);
	assert_int_equal(listing(12), 0);
}

static void xattr_answer(uint64_t seq, uint32_t bits, const char *name, const char *value)
{
	leases_note_xattr(t, &F, &(struct lease_grant){SESSION, seq, bits, 0},
			  &(struct xattr_answer){
				  .name = SPAN_STR(name),
				  .value = value ? SPAN_STR(value) : SPAN_NONE,
				  .rc = value ? 0 : -ENODATA,
			  });
}

/* All: user.a with this value. */
static void whole_answer(uint64_t seq, uint32_t bits, const char *value)
{
	struct wbuf w;

	wbuf_init(&w, 100);
	enc_mds_xattr(&w, &(struct mds_xattr){SPAN_STR("user.a"), SPAN_STR(value)});
	leases_note_xattr(t, &F, &(struct lease_grant){SESSION, seq, bits, 0},
			  &(struct xattr_answer){
				  .name = SPAN_STR("user.a"),
				  .value = SPAN_STR(value),
				  .whole = true,
				  .all = wbuf_span(&w),
			  });
	wbuf_fini(&w);
}

/* -EAGAIN: the MDS must be asked; else -ENODATA, or the first byte. */
static int xattr(const char *name)
{
	uint8_t mem[16];
	struct wbuf w;
	int rc;

	wbuf_init_fixed(&w, mem, sizeof(mem));
	if (!leases_xattr(t, &F, SPAN_STR(name), 10, &rc, &w))
		return -EAGAIN;
	return rc ? rc : mem[0];
}

static void file_answer(uint64_t seq, uint32_t flags)
{
	leases_note(t, &F, &(struct lease_grant){SESSION, seq, BOTH, 0},
		    &(struct attr){.mode = S_IFREG, .flags = flags});
}

static void extended_attributes_have_a_lease_of_their_own(void **state)
{
	(void)state;
	xattr_answer(1, 0, "user.a", "1");
	assert_int_equal(xattr("user.a"), -EAGAIN); /* without a lease */
	file_answer(2, ATTR_HAS_XATTR);
	xattr_answer(2, 0, "user.a", "2");
	assert_int_equal(xattr("user.a"), -EAGAIN); /* that is another */
	xattr_answer(4, LEASE_XATTR, "user.a", "4");
	xattr_answer(3, 0, "user.a", "3"); /* older than the lease */
	xattr_answer(5, 0, "user.b", NULL);
	xattr_answer(5, LEASE_XATTR, "", "user.a");
	assert_int_equal(xattr("user.a"), '4');
	assert_int_equal(xattr("user.b"), -ENODATA);
	assert_int_equal(xattr("user.c"), -EAGAIN);
	assert_int_equal(xattr(""), 'u');
	leases_obey(t, &F, BOTH, 6); /* somebody writes the file */
	xattr_answer(7, 0, "user.c", "7");
	assert_int_equal(xattr("user.a"), '4');
	assert_int_equal(xattr("user.c"), '7');
	leases_obey(t, &F, LEASE_XATTR, 8);
	assert_int_equal(xattr("user.a"), -EAGAIN);
	xattr_answer(7, LEASE_XATTR, "user.a", "7"); /* overtaken by the recall */
	assert_int_equal(xattr("user.a"), -EAGAIN);
	xattr_answer(10, LEASE_XATTR, "user.c", "a");
	xattr_answer(9, 0, "user.a", "9"); /* between the recall and the lease */
	assert_int_equal(xattr("user.a"), -EAGAIN);
	assert_int_equal(xattr("user.c"), 'a');
	leases_term(t, SESSION + 1, TERM, 0);
	xattr_answer(11, LEASE_XATTR, "user.a", "b"); /* of a session that is over */
	assert_int_equal(xattr("user.a"), -EAGAIN);
}

static void own_changes_of_extended_attributes_are_seen(void **state)
{
	const uint32_t both = LEASE_UPDATE | LEASE_XATTR;

	(void)state;
	file_answer(1, ATTR_HAS_XATTR);
	xattr_answer(2, LEASE_XATTR, "user.a", "2");
	leases_change_begin(t, &F, LEASE_UPDATE); /* as of a close */
	assert_int_equal(xattr("user.a"), '2');
	leases_change_end(t, &F, LEASE_UPDATE, 3, 10);
	assert_int_equal(xattr("user.a"), '2');
	leases_change_begin(t, &F, both);
	assert_int_equal(xattr("user.a"), -EAGAIN);
	xattr_answer(4, LEASE_XATTR, "user.a", "4"); /* before or after the change, who knows */
	assert_int_equal(xattr("user.a"), -EAGAIN);
	file_answer(6, ATTR_HAS_XATTR); /* the change brings its attributes itself */
	leases_change_end(t, &F, both, 6, 10);
	assert_int_equal(xattr("user.a"), -EAGAIN);
	xattr_answer(5, LEASE_XATTR, "user.a", "5");
	assert_int_equal(xattr("user.a"), -EAGAIN); /* before */
	xattr_answer(7, 0, "user.a", "7");          /* the lease has stayed */
	assert_int_equal(xattr("user.a"), '7');
	leases_change_begin(t, &F, both);
	leases_change_end(t, &F, both, 0, 10); /* failed */
	assert_int_equal(xattr("user.a"), -EAGAIN);
	xattr_answer(8, 0, "user.a", "8");
	assert_int_equal(xattr("user.a"), -EAGAIN);
}

static void of_an_inode_that_is_known_as_a_whole_nothing_is_asked(void **state)
{
	struct lease_old old;

	(void)state;
	whole_answer(1, 0, "1");
	assert_int_equal(xattr("user.a"), -EAGAIN); /* without a lease */
	whole_answer(2, LEASE_XATTR, "2");
	assert_int_equal(xattr("user.a"), '2');
	assert_int_equal(xattr(""), 'u');
	assert_int_equal(xattr("security.capability"), -ENODATA);
	assert_int_equal(xattr("lustre.lov"), -ENODATA);
	assert_int_equal(xattr("other.a"), -EAGAIN);
	leases_obey(t, &F, LEASE_XATTR, 3);
	assert_int_equal(xattr("user.a"), -EAGAIN);
	assert_int_equal(xattr("security.capability"), -EAGAIN);
	whole_answer(4, LEASE_XATTR, "4");
	assert_int_equal(xattr("user.a"), '4');
	assert_int_equal(leases_take_old(t, 1, UINT64_MAX, &old), 1);
	assert_int_equal(old.heard, 4);
	assert_int_equal(xattr("user.a"), -EAGAIN);
	whole_answer(4, LEASE_XATTR, "4"); /* given back meanwhile */
	assert_int_equal(xattr("user.a"), -EAGAIN);
}

static void an_inode_without_any_has_none(void **state)
{
	(void)state;
	file_answer(1, 0);
	assert_int_equal(xattr("user.a"), -ENODATA);
	assert_int_equal(xattr("security.selinux"), -ENODATA);
	assert_int_equal(xattr("system.posix_acl_access"), -ENODATA);
	assert_int_equal(xattr("trusted.overlay.opaque"), -ENODATA);
	assert_int_equal(xattr("lustre.lov"), -EAGAIN); /* not of that kind */
	assert_int_equal(xattr("trusted.lov"), -EAGAIN);
	assert_int_equal(xattr("system.posix_acl_other"), -EAGAIN);
	assert_int_equal(xattr("user."), -EAGAIN);      /* an error, for the MDS to tell */
	assert_int_equal(xattr(""), -EAGAIN);
	file_answer(2, ATTR_HAS_ACL);
	assert_int_equal(xattr("security.selinux"), -EAGAIN);
}

static uint32_t lost;

static void count_lost(void *arg, const struct fid *fid, uint64_t told)
{
	(void)arg, (void)fid, (void)told;
	lost++;
}

static void a_lost_session_takes_everything_with_it(void **state)
{
	(void)state;
	answer(&F, SESSION, 100, BOTH, 5);
	answer(&D, SESSION, 101, BOTH, 5);
	leases_change_begin(t, &D,
			    LEASE_UPDATE); /* what was told of D may still be with the kernel */
	leases_change_end(t, &D, LEASE_UPDATE, 102, 1);
	name_answer(100, "n");
	lost = 0;
	leases_lose_all(t, count_lost, NULL);
	assert_int_equal(lost, 2);
	assert_int_equal(leases_session(t), 0);
	answer(&F, SESSION, 103, BOTH, 5);
	assert_int_equal(served(1), -1);
	leases_term(t, SESSION + 1, TERM, 0);
	assert_int_equal(served(1), -1);
	assert_false(leads("n", 1));
	answer(&F, SESSION + 1, 1, BOTH, 6); /* the numbers of a new server begin anew */
	assert_int_equal(served(1), 6);
}

/* ---- complete directories ---- */

static bool nothing(const char *name)
{
	return leases_no_name(t, &D, SPAN_STR(name), 1);
}

/* This client has made D; then a name in it, with its own change. */
static void made_with_name(const char *name)
{
	struct lease_grant g = {SESSION, 2, BOTH, 0}, none = {SESSION, 2, 0, 0};

	answer(&D, SESSION, 1, BOTH, 0);
	leases_made_dir(t, &D, 1);
	leases_change_begin(t, &D, LEASE_UPDATE);
	leases_own_name(t, &D, SPAN_STR(name), &F, name[0] == 'x' ? &none : &g);
	leases_change_end(t, &D, LEASE_UPDATE, 2, 1);
	answer(&D, SESSION, 2, BOTH, 0);
}

static void a_name_that_is_not_in_a_complete_directory_does_not_exist(void **state)
{
	(void)state;
	answer(&D, SESSION, 1, BOTH, 0);
	assert_false(nothing("n")); /* found, not made */
	made_with_name("n");
	assert_false(nothing("n"));
	assert_true(nothing("m"));
	leases_change_begin(t, &D, LEASE_UPDATE);
	assert_false(nothing("m"));
	leases_forget_name(t, &D, SPAN_STR("n"));
	leases_change_end(t, &D, LEASE_UPDATE, 3, 1);
	assert_false(nothing("n")); /* until the answer renews what is known of the directory */
	answer(&D, SESSION, 3, BOTH, 0);
	assert_true(nothing("n"));
}

static void a_name_without_a_lease_exists_all_the_same(void **state)
{
	(void)state;
	made_with_name("x");
	assert_false(nothing("x"));
	assert_false(leads("x", 1));
}

static void a_recall_or_a_failure_ends_completeness(void **state)
{
	(void)state;
	made_with_name("n");
	leases_obey(t, &D, LEASE_UPDATE, 5);
	answer(&D, SESSION, 6, BOTH, 0);
	assert_false(nothing("m"));
	leases_made_dir(t, &D, 5); /* before the recall */
	assert_false(nothing("m"));
	leases_made_dir(t, &D, 6);
	assert_true(nothing("m"));
	leases_not_complete(t, &D);
	assert_false(nothing("m"));
}

static void a_forgotten_name_ends_completeness(void **state)
{
	struct fid other = {FID_SEQ_NORMAL + 3, 1, 0};
	struct lease_grant g = {SESSION, 9, BOTH, 0};
	char name[16];
	int i;

	(void)state;
	made_with_name("n");
	for (i = 0; i < 65535; i++) {
		snprintf(name, sizeof(name), "%d", i);
		leases_note_name(t, &other, SPAN_STR(name), &F, &g);
	}
	assert_true(nothing("m"));
	leases_note_name(t, &other, SPAN_STR("one more"), &F, &g);
	assert_false(nothing("m"));
	assert_false(nothing("n"));
}

static void what_the_kernel_was_told_is_forgotten_with_a_recall(void **state)
{
	struct attr a;

	(void)state;
	answer(&F, SESSION, 1, BOTH, 0);
	assert_false(leases_told(t, &F));
	assert_true(leases_attr(t, &F, 1, &a));
	assert_true(leases_tell(t, &F, &a, false, 5, 7) > 0);
	assert_true(leases_told(t, &F));
	assert_int_equal(leases_obey(t, &F, LEASE_UPDATE, 2), 7);
	assert_false(leases_told(t, &F));
	assert_int_equal(leases_obey(t, &F, LEASE_LOOKUP, 3), 0);
	assert_false(leases_told(t, &F));
}

/* ---- what is given back ---- */

static struct fid nth(uint32_t i)
{
	return (struct fid){FID_SEQ_NORMAL + 4, i + 1, 0};
}

static void learn(uint32_t from, uint32_t n, uint64_t seq)
{
	uint32_t i;
	struct fid f;

	for (i = from; i < from + n; i++) {
		f = nth(i);
		answer(&f, SESSION, seq + i, BOTH, i);
	}
}

static void the_longest_unused_go_first(void **state)
{
	struct lease_old old[4];
	struct fid f = nth(0);
	struct attr a;

	(void)state;
	assert_int_equal(leases_oldest(t), UINT64_MAX);
	learn(0, 5, 10);
	assert_true(leases_attr(t, &f, 100, &a)); /* 0 is the newest now */
	assert_int_equal(leases_oldest(t), 0);
	assert_int_equal(leases_take_old(t, 4, 100, old), 4); /* 1 to 4 */
	assert_int_equal(old[0].fid.oid, 2);
	assert_int_equal(old[3].fid.oid, 5);
	assert_int_equal(old[0].heard, 11);
	assert_true(old[0].led);
	assert_int_equal(old[0].told_ns, 0);
	assert_int_equal(leases_take_old(t, 4, 100, old), 0); /* 0 is used since then */
	assert_int_equal(leases_oldest(t), 100);
	a = answer(&f, SESSION, 20, BOTH, 6);
	assert_true(leases_tell(t, &f, &a, true, 200, 200) > 0);
	assert_int_equal(leases_take_old(t, 4, UINT64_MAX, old), 1);
	assert_int_equal(old[0].told_ns, 200);
	assert_int_equal(old[0].heard, 20);
	assert_false(leases_attr(t, &f, 201, &a));
}

static void older_answers_do_not_bring_back_what_was_given_back(void **state)
{
	struct lease_old old;

	(void)state;
	answer(&F, SESSION, 10, BOTH, 5);
	name_answer(10, "n");
	assert_int_equal(leases_take_old(t, 1, UINT64_MAX, &old), 1);
	assert_int_equal(served(1), -1);
	answer(&F, SESSION, 9, BOTH, 4); /* late */
	answer(&F, SESSION, 10, BOTH, 5);
	assert_int_equal(served(1), -1);
	answer(&F, SESSION, 11, BOTH, 6); /* of the server after it, or unknown to it */
	assert_int_equal(served(1), 6);
	assert_false(leads("n", 1));
	leases_obey(t, &F, LEASE_UPDATE, 20);
	answer(&F, SESSION, 15, BOTH, 7); /* does not count, but was heard */
	assert_int_equal(leases_take_old(t, 1, UINT64_MAX, &old), 1);
	assert_int_equal(old.heard, 15);
}

static uint32_t full;

static void count_full(void *arg)
{
	(void)arg;
	full++;
}

static void passing_the_limit_is_said_once(void **state)
{
	struct lease_old old[8];

	(void)state;
	full = 0;
	leases_set_limit(t, 8, count_full, NULL);
	learn(0, 8, 1);
	assert_int_equal(full, 0);
	learn(8, 4, 1);
	assert_int_equal(full, 1);
	assert_int_equal(leases_take_old(t, 4, UINT64_MAX, old), 4);
	learn(12, 1, 1);
	assert_int_equal(full, 2);
	leases_set_limit(t, 0, NULL, NULL);
	learn(13, 10, 1);
	assert_int_equal(full, 2);
}

/* ---- several lanes ---- */

enum { LANES = 4, ROUNDS = 20000, INODES = 16 };
static _Atomic uint64_t truth[INODES]; /* size of each inode at the MDS, and its seq */
static _Atomic uint64_t seq_now = 1;
static pthread_mutex_t mds = PTHREAD_MUTEX_INITIALIZER;

/* A change of another client: the recall is obeyed before it happens. */
static void foreign_change(uint32_t i)
{
	struct fid f = {FID_SEQ_NORMAL + 2, i + 1, 0};

	pthread_mutex_lock(&mds);
	leases_obey(t, &f, BOTH, ++seq_now);
	truth[i]++;
	pthread_mutex_unlock(&mds);
}

/* An answer is made under the lock of the MDS and arrives some time later. */
static void ask_mds(uint32_t i, struct lease_grant *g, struct attr *a)
{
	pthread_mutex_lock(&mds);
	*g = (struct lease_grant){SESSION, ++seq_now, BOTH, 0};
	*a = (struct attr){.mode = S_IFREG, .size = truth[i]};
	pthread_mutex_unlock(&mds);
}

static void *lane_main(void *arg)
{
	uint64_t s = (uintptr_t)arg + 1, before;
	struct lease_grant g;
	struct attr a;
	uint32_t n, i;

	for (n = 0; n < ROUNDS; n++) {
		struct fid f = {FID_SEQ_NORMAL + 2, 0, 0};

		i = (uint32_t)rnd_below(&s, INODES);
		f.oid = i + 1;
		before = truth[i];
		switch (rnd_below(&s, 4)) {
		case 0:
			foreign_change(i);
			break;
		case 1:
			ask_mds(i, &g, &a);
			if (rnd_below(&s, 2))
				sched_yield();
			leases_note(t, &f, &g, &a);
			leases_tell(t, &f, &a, true, 1, 2);
			break;
		case 2:
			leases_change_begin(t, &f, LEASE_UPDATE);
			pthread_mutex_lock(&mds);
			g.seq = ++seq_now;
			truth[i]++;
			pthread_mutex_unlock(&mds);
			leases_change_end(t, &f, LEASE_UPDATE, g.seq, 1);
			break;
		default:
			if (leases_attr(t, &f, 1, &a) && a.size < before)
				return (void *)(uintptr_t) "an old size was served";
		}
	}
	return NULL;
}

static void lanes_never_see_what_is_older_than_their_question(void **state)
{
	pthread_t lane[LANES];
	void *why;
	int i;

	(void)state;
	for (i = 0; i < LANES; i++)
		assert_int_equal(pthread_create(&lane[i], NULL, lane_main, (void *)(uintptr_t)i),
				 0);
	for (i = 0; i < LANES; i++) {
		assert_int_equal(pthread_join(lane[i], &why), 0);
		if (why)
			fail_msg("%s", (const char *)why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(what_is_granted_is_served_for_the_term),
		TEST(other_sessions_and_no_bits_are_not_kept),
		TEST(an_answer_overtaken_by_its_recall_is_not_kept),
		TEST(unsure_sizes_are_kept_apart),
		TEST(the_newest_answer_wins_in_any_order),
		TEST(nothing_is_served_during_an_own_change),
		TEST(a_failed_change_forgets_the_attributes),
		TEST(two_changes_at_once_end_in_any_order),
		TEST(a_name_lives_as_long_as_its_inodes_lookup_lease),
		TEST(an_old_answer_about_a_name_is_not_kept),
		TEST(own_changes_of_names_are_seen),
		TEST(the_kernel_is_told_only_what_is_right_and_was_asked_late_enough),
		TEST(a_listing_is_kept_while_the_lease_was_never_lost),
		TEST(extended_attributes_have_a_lease_of_their_own),
		TEST(own_changes_of_extended_attributes_are_seen),
		TEST(of_an_inode_that_is_known_as_a_whole_nothing_is_asked),
		TEST(an_inode_without_any_has_none),
		TEST(a_lost_session_takes_everything_with_it),
		TEST(a_name_that_is_not_in_a_complete_directory_does_not_exist),
		TEST(a_name_without_a_lease_exists_all_the_same),
		TEST(a_recall_or_a_failure_ends_completeness),
		TEST(a_forgotten_name_ends_completeness),
		TEST(what_the_kernel_was_told_is_forgotten_with_a_recall),
		TEST(the_longest_unused_go_first),
		TEST(older_answers_do_not_bring_back_what_was_given_back),
		TEST(passing_the_limit_is_said_once),
		TEST(lanes_never_see_what_is_older_than_their_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
