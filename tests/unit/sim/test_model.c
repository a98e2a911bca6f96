/* SPDX-License-Identifier: Apache-2.0 */
/* test_model.c - the model file system (tests/lib/model.h) does what the kernel's own does: random
 * operations on both, compared after each one. */
#include "common/proto/proto.h"
#include "tests/lib/model.h"
#include "tests/lib/tmpdir.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

enum { STEPS = 4000, LEN = 20000 };

static struct model *m;
static char top[TMPDIR_LEN];
static uint64_t rng = 1;

static uint64_t below(uint64_t n)
{
	rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (rng >> 33) % n;
}

static const char *path_of(const struct model_node *dir, const char *name, char *out)
{
	const struct model_node *n = dir;
	static char tail[4096];

	snprintf(out, 4096, "/%s", name);
	for (; n->parent != n; n = n->parent) {
		struct model_dent *d;

		TAILQ_FOREACH(d, &n->parent->dents, link)
			if (d->node == n)
				break;
		assert_non_null(d);
		memcpy(tail, out, 4096);
		assert_true(snprintf(out, 4096, "/%s%s", d->name, tail) < 4096);
	}
	memcpy(tail, out, 4096);
	assert_true(snprintf(out, 4096, "%s%s", top, tail) < 4096);
	return out;
}

static struct model_node *any_dir(void)
{
	for (int i = 0; i < 30; i++) {
		struct model_node *n = model_pick(m, below(100000));

		if (S_ISDIR(n->a.mode) && n->a.nlink)
			return n;
	}
	return model_root(m);
}

static const char *any_name(void)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f"};

	return names[below(6)];
}

static int errno_of(int64_t rc)
{
	return rc < 0 ? -errno : (int)rc;
}

static void compare(struct model_node *dir, const char *name)
{
	struct model_node *n;
	static char path[4096], why[512];
	struct stat st;
	struct attr a;
	int rc = errno_of(lstat(path_of(dir, name, path), &st));

	assert_int_equal(rc, model_lookup(dir, name, &n));
	if (rc)
		return;
	a = (struct attr){.mode = st.st_mode, .uid = st.st_uid, .gid = st.st_gid,
			  .nlink = (uint32_t)st.st_nlink, .size = (uint64_t)st.st_size,
			  .blocks = (uint64_t)st.st_blocks};
	if (S_ISCHR(st.st_mode))
		a.rdev = st.st_rdev;
	n->mtime = n->ctime = (struct model_time){0, 0};
	if (model_compare(n, &a, why, sizeof(why)))
		fail_msg("%s: %s", path, why);
}

static void make(struct model_node *dir, const char *name)
{
	struct model_new w = {.mode = (uint32_t)below(01000)};
	struct model_node *n;
	static char path[4096];
	int rc, want;

	path_of(dir, name, path);
	switch (below(4)) {
	case 0:
		w.mode = S_IFLNK | 0777;
		w.target = "nowhere";
		rc = errno_of(symlink("nowhere", path));
		break;
	case 1:
		w.mode |= S_IFDIR;
		rc = errno_of(mkdir(path, w.mode & 07777));
		break;
	case 2:
		w.mode |= S_IFCHR;
		w.rdev = 0x0103;
		rc = errno_of(mknod(path, w.mode, w.rdev));
		break;
	default:
		w.mode |= S_IFREG;
		rc = errno_of(mknod(path, w.mode, 0));
		break;
	}
	want = model_make(m, dir, name, &w, &n);
	assert_int_equal(rc, want);
}

static void rename_any(struct model_node *from, const char *a)
{
	struct model_node *to = any_dir();
	const char *b = any_name();
	static char pa[4096], pb[4096];
	uint32_t flags = below(3) ? 0 : 1 + (uint32_t)below(2);
	int rc;

	path_of(from, a, pa);
	path_of(to, b, pb);
	rc = errno_of(syscall(SYS_renameat2, AT_FDCWD, pa, AT_FDCWD, pb, flags));
	assert_int_equal(rc, model_rename(m, from, a, to, b, flags));
	compare(to, b);
}

static void link_any(struct model_node *dir, const char *name)
{
	struct model_node *to = any_dir(), *n;
	const char *b = any_name();
	static char pa[4096], pb[4096];

	if (model_lookup(dir, name, &n))
		return;
	path_of(dir, name, pa);
	path_of(to, b, pb);
	assert_int_equal(errno_of(link(pa, pb)), model_link(m, n, to, b));
	compare(to, b);
}

static void remove_any(struct model_node *dir, const char *name)
{
	static char path[4096];

	path_of(dir, name, path);
	if (below(2))
		assert_int_equal(errno_of(unlink(path)), model_unlink(m, dir, name, false));
	else
		assert_int_equal(errno_of(rmdir(path)), model_unlink(m, dir, name, true));
}

static void data_any(struct model_node *dir, const char *name)
{
	static uint8_t buf[LEN], want[LEN];
	uint64_t off = below(3 * LEN), len = 1 + below(LEN);
	struct attr a = {.size = off};
	struct model_node *n;
	static char path[4096];
	int fd, whence = below(2) ? SEEK_DATA : SEEK_HOLE;

	if (model_lookup(dir, name, &n) || !S_ISREG(n->a.mode))
		return;
	fd = open(path_of(dir, name, path), O_RDWR);
	assert_true(fd >= 0);
	switch (below(5)) {
	case 0:
	case 1:
		memset(buf, (int)below(256), len);
		assert_int_equal(pwrite(fd, buf, len, (off_t)off), len);
		model_write(m, n, buf, len, off);
		break;
	case 2:
		assert_int_equal(ftruncate(fd, (off_t)off), 0);
		assert_int_equal(model_setattr(m, n, SETATTR_SIZE, &a), 0);
		break;
	case 3:
		assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					   (off_t)off, (off_t)len), 0);
		model_fallocate(m, n, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
		break;
	default:
		assert_int_equal(pread(fd, buf, len, (off_t)off), model_read(n, want, len, off));
		assert_int_equal(errno_of(lseek(fd, (off_t)off, whence)),
				 model_seek(n, off, whence));
		break;
	}
	memset(buf, 1, LEN);
	assert_int_equal(pread(fd, buf, LEN, 0), (len = (uint64_t)model_read(n, want, LEN, 0)));
	assert_memory_equal(buf, want, len);
	close(fd);
}

static void random_operations_give_the_same(void **state)
{
	(void)state;
	for (int i = 0; i < STEPS; i++) {
		struct model_node *dir = any_dir();
		const char *name = any_name();

		switch (below(8)) {
		case 0 ... 2:
			make(dir, name);
			break;
		case 3:
			rename_any(dir, name);
			continue; /* dir may be gone */
		case 4:
			link_any(dir, name);
			break;
		case 5:
			remove_any(dir, name);
			break;
		default:
			data_any(dir, name);
			break;
		}
		compare(dir, name);
	}
}

static void set_id_bits_and_groups_are_inherited_as_in_linux(void **state)
{
	struct model_new w = {.mode = S_IFDIR | 02755, .gid = 5};
	struct model_node *dir, *n;

	(void)state;
	assert_int_equal(model_make(m, model_root(m), "sgid", &w, &dir), 0);
	w = (struct model_new){.mode = S_IFDIR | 0777, .umask = 022, .gid = 7};
	assert_int_equal(model_make(m, dir, "sub", &w, &n), 0);
	assert_int_equal(n->a.mode, S_IFDIR | 02755);
	assert_int_equal(n->a.gid, 5);
	w.mode = S_IFREG | 0666;
	assert_int_equal(model_make(m, dir, "file", &w, &n), 0);
	assert_int_equal(n->a.mode, S_IFREG | 0644);
	assert_int_equal(n->a.gid, 5);
}

static void locks_conflict_by_owner_and_range(void **state)
{
	struct model_node *n = model_root(m);

	(void)state;
	assert_int_equal(model_setlk(n, 0, 1, F_WRLCK, 2, 5), 0);
	assert_int_equal(model_setlk(n, 0, 2, F_RDLCK, 5, 9), -EAGAIN);
	assert_int_equal(model_getlk(n, 0, 2, F_RDLCK, 5, 9), 1);
	assert_int_equal(model_setlk(n, 0, 1, F_UNLCK, 5, 5), 0);
	assert_int_equal(model_setlk(n, 0, 2, F_RDLCK, 5, 9), 0);
	assert_int_equal(model_setlk(n, 0, 3, F_RDLCK, 7, 7), 0);
	assert_int_equal(model_setlk(n, 0, 3, F_WRLCK, 7, 7), -EAGAIN);
	model_unlock_all(n, 0, 2);
	assert_int_equal(model_setlk(n, 0, 3, F_WRLCK, 7, 7), 0);
	assert_int_equal(model_setlk(n, 1, 2, F_WRLCK, 0, 15), 0);
}

static int setup(void **state)
{
	(void)state;
	umask(0);
	tmpdir_make(top);
	assert_int_equal(chmod(top, 0755), 0);
	m = model_create();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	model_destroy(m);
	tmpdir_remove(top);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(random_operations_give_the_same),
		T(set_id_bits_and_groups_are_inherited_as_in_linux),
		T(locks_conflict_by_owner_and_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
