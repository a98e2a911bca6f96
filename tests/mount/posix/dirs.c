/* SPDX-License-Identifier: Apache-2.0 */
/* dirs.c - directories: reading, positions, times, link counts, sticky and set-gid bits. */
#include "t.h"
#include <dirent.h>

enum { MANY = 1500 };

/* Marks which of the files "e0".."e<n-1>" a walk gives; any name given twice counts as a failure.
 */
static int walk(DIR *d, uint8_t *seen, int n)
{
	struct dirent *e;
	int i, dots = 0, count = 0;

	while ((e = readdir(d))) {
		if (e->d_name[0] == '.') {
			dots++;
			continue;
		}
		if (sscanf(e->d_name, "e%d", &i) != 1 || i < 0 || i >= n)
			continue;
		EQ(seen[i], 0);
		seen[i]++;
		count++;
	}
	OK(dots <= 2);
	return count;
}

static void make_many(int n)
{
	char name[16];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		SYS(make_file(name, 0644));
	}
}

static void readdir_gives_every_name_once_with_its_type(void)
{
	uint8_t seen[MANY] = {0};
	struct dirent *e;
	int found = 0;
	DIR *d;

	make_many(MANY);
	SYS(mkdir("sub", 0755));
	SYS(symlink("x", "sym"));
	SYS(mkfifo("fifo", 0644));
	d = opendir(other("."));
	OK(d != NULL);
	EQ(walk(d, seen, MANY), MANY);
	rewinddir(d);
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, "sub") == 0)
			found++, EQ(e->d_type, DT_DIR), EQ(e->d_ino, st_of("sub").st_ino);
		else if (strcmp(e->d_name, "sym") == 0)
			found++, EQ(e->d_type, DT_LNK), EQ(e->d_ino, st_of("sym").st_ino);
		else if (strcmp(e->d_name, "fifo") == 0)
			found++, EQ(e->d_type, DT_FIFO);
		else if (strcmp(e->d_name, "e7") == 0)
			found++, EQ(e->d_type, DT_REG), EQ(e->d_ino, st_of("e7").st_ino);
		else if (strcmp(e->d_name, ".") == 0)
			found++, EQ(e->d_type, DT_DIR), EQ(e->d_ino, st_of(".").st_ino);
		else if (strcmp(e->d_name, "..") == 0)
			found++, EQ(e->d_type, DT_DIR);
	}
	EQ(found, 6);
	closedir(d);
}

static void positions_stay_valid_while_names_come_and_go(void)
{
	uint8_t seen[MANY] = {0};
	long pos[MANY / 100 + 1];
	char at[MANY / 100 + 1][16], name[16];
	int n = 0, i;
	struct dirent *e;
	DIR *d;

	make_many(MANY);
	d = opendir(".");
	for (i = 0; (e = readdir(d)) && n < MANY / 100; i++) {
		if (i % 100 == 50) {
			pos[n] = telldir(d);
			e = readdir(d);
			snprintf(at[n++], 16, "%.15s", e->d_name);
		}
	}
	/* Every second name goes and new ones come, but those we hold positions of stay. */
	for (i = 0; i < MANY; i += 2) {
		snprintf(name, sizeof(name), "e%d", i);
		for (int k = 0; k < n; k++)
			if (strcmp(at[k], name) == 0)
				name[0] = 0;
		if (name[0])
			SYS(unlink(name));
		snprintf(name, sizeof(name), "new%d", i);
		SYS(make_file(other(name), 0644));
	}
	for (int k = n - 1; k >= 0; k--) {
		seekdir(d, pos[k]);
		e = readdir(d);
		OK(e && strcmp(e->d_name, at[k]) == 0);
	}
	rewinddir(d);
	OK(walk(d, seen, MANY) >= MANY / 2);
	for (i = 1; i < MANY; i += 2)
		EQ(seen[i], 1);
	closedir(d);
}

static void deleting_while_reading_misses_nothing(void)
{
	int left = MANY;
	struct dirent *e;
	DIR *d;

	make_many(MANY);
	d = opendir(".");
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		SYS(unlink(e->d_name));
		left--;
	}
	EQ(left, 0);
	rewinddir(d);
	while ((e = readdir(d)))
		OK(e->d_name[0] == '.');
	closedir(d);
}

static void a_directory_counts_its_subdirectories(void)
{
	EQ(st_of(".").st_nlink, 2);
	SYS(mkdir("a", 0755));
	SYS(mkdir("b", 0755));
	SYS(make_file("f", 0644));
	EQ(st_of(".").st_nlink, 4);
	EQ(st_of(other(".")).st_nlink, 4);
	SYS(rmdir("a"));
	EQ(st_of(".").st_nlink, 3);
	SYS(mkdir("b/c", 0755));
	SYS(rename("b/c", "c"));
	EQ(st_of(".").st_nlink, 4);
	EQ(st_of("b").st_nlink, 2);
	SYS(mkdir("d", 0755));
	SYS(rename("c", "d"));
	EQ(st_of(".").st_nlink, 4);
}

static void changed(const char *what, struct stat *last)
{
	struct stat now = st_of(other("."));

	if (ns(now.st_mtim) <= ns(last->st_mtim) || ns(now.st_ctim) <= ns(last->st_ctim))
		t_check(false, what, __FILE__, __LINE__);
	*last = now;
	usleep(2000);
}

static void every_change_of_names_moves_the_times_of_the_directory(void)
{
	struct stat st = st_of(".");

	usleep(2000);
	SYS(make_file("f", 0644)), changed("create", &st);
	SYS(link("f", "g")), changed("link", &st);
	SYS(symlink("f", "s")), changed("symlink", &st);
	SYS(mkdir("d", 0755)), changed("mkdir", &st);
	SYS(mkfifo("p", 0644)), changed("mknod", &st);
	SYS(rename("g", "h")), changed("rename", &st);
	SYS(unlink("h")), changed("unlink", &st);
	SYS(rmdir("d")), changed("rmdir", &st);
	SYS(mkdir("d", 0755)), changed("mkdir", &st);
	SYS(rename("f", "d/f")), changed("rename away", &st);
	SYS(rename("d/f", "f")), changed("rename back", &st);
	SYS(put_file("f", "x", 1));
	EQ(ns(st_of(".").st_mtim), ns(st.st_mtim));
}

static void in_sticky_by_user(void)
{
	FAILS(EPERM, unlink("sticky/roots"));
	FAILS(EPERM, rename("sticky/roots", "sticky/mine"));
	FAILS(EPERM, rmdir("sticky/dir"));
	SYS(make_file("sticky/own", 0644));
	SYS(rename("sticky/own", "sticky/own2"));
	FAILS(EPERM, rename("sticky/own2", "sticky/roots"));
	SYS(unlink("sticky/own2"));
}

static void a_sticky_directory_protects_names_of_others(void)
{
	SYS(mkdir("sticky", 0755));
	SYS(chmod("sticky", 01777));
	EQ(mode_of(other("sticky")), 01777);
	SYS(make_file("sticky/roots", 0666));
	SYS(mkdir("sticky/dir", 0777));
	as_user(1234, 1234, in_sticky_by_user);
	OK(exists("sticky/roots"));
}

static void make_in_setgid(void)
{
	umask(022);
	SYS(make_file("g/f", 0666));
	SYS(mkdir("g/d", 0777));
	SYS(mknod("g/p", S_IFIFO | 0666, 0));
	SYS(symlink("x", "g/s"));
	SYS(make_file("g/sgidfile", 02775));
}

static void a_set_gid_directory_gives_its_group_on(void)
{
	SYS(mkdir("g", 0755));
	SYS(chown("g", 1234, 4321));
	SYS(chmod("g", 02777));
	as_user(1234, 1234, make_in_setgid);
	EQ(st_of("g/f").st_gid, 4321);
	EQ(st_of("g/d").st_gid, 4321);
	EQ(mode_of("g/d"), 02755);
	EQ(st_of("g/p").st_gid, 4321);
	EQ(st_of("g/s").st_gid, 4321);
	EQ(mode_of("g/f"), 0644);
	EQ(mode_of("g/sgidfile") & 02000, 0); /* not a member of 4321 */
	SYS(make_file("g/rootfile", 02755));
	EQ(st_of(other("g/rootfile")).st_gid, 4321);
}

static void no_access_by_user(void)
{
	FAILS(EACCES, make_file("closed/f", 0644));
	FAILS(EACCES, access("closed/x", F_OK));
	FAILS(EACCES, mkdir("readonly/d", 0755));
	FAILS(EACCES, unlink("readonly/f"));
	FAILS(EACCES, rename("readonly/f", "readonly/g"));
	FAILS(EACCES, open("secret", O_RDONLY));
	FAILS(EACCES, open("readable", O_WRONLY));
	FAILS(EACCES, truncate("readable", 0));
	FAILS(EPERM, chmod("readable", 0777));
	FAILS(EPERM, chown("readable", 1234, 1234));
	FAILS(EACCES, utimensat(AT_FDCWD, "readable", NULL, 0));
	FAILS(EACCES, access("readable", W_OK));
	SYS(access("readable", R_OK));
	FAILS(EACCES, access("readable", X_OK));
	FAILS(EPERM, mknod("open/dev", S_IFCHR | 0666, 0x103));
	SYS(make_file("open/f", 0400));
	FAILS(EACCES, open("open/f", O_RDWR));
	SYS(chmod("open/f", 0600));
	SYS(utimensat(AT_FDCWD, "open/f", NULL, 0));
}

static void permissions_are_checked(void)
{
	SYS(chmod(".", 0755));
	SYS(mkdir("closed", 0700));
	SYS(make_file("closed/x", 0644));
	SYS(mkdir("readonly", 0755));
	SYS(make_file("readonly/f", 0644));
	SYS(mkdir("open", 0755));
	SYS(chmod("open", 0777));
	SYS(put_file("secret", "s", 1));
	SYS(chmod("secret", 0600));
	SYS(put_file("readable", "r", 1));
	as_user(1234, 1234, no_access_by_user);
}

const struct t_case dirs_cases[] = {
	CASE(readdir_gives_every_name_once_with_its_type),
	CASE(positions_stay_valid_while_names_come_and_go),
	CASE(deleting_while_reading_misses_nothing),
	CASE(a_directory_counts_its_subdirectories),
	CASE(every_change_of_names_moves_the_times_of_the_directory),
	CASE(a_sticky_directory_protects_names_of_others),
	CASE(a_set_gid_directory_gives_its_group_on),
	CASE(permissions_are_checked),
	{0},
};
