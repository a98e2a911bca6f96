/* SPDX-License-Identifier: Apache-2.0 */
/* mdt_damage.c - breaks one thing in the tables of an MDT that does not run, for the test of the
 * checker.
 *
 * usage: mdt_damage MDT_DIR/db HOW PARENT_FID NAME
 * HOW, for the name in the directory:
 *   nlink N     the inode says that it has N links
 *   noname      the name is gone, the inode believes it has it
 *   nameless    the name is gone, and the inode knows
 *   noinode     the inode is gone, the name stays
 *   noindex     the name is not in listings
 *   notype      the name says that it leads to a directory
 *   forget      the inode does not know its name, but another one
 *   unsure      the mark of an unsure size is there, the row is not
 *   stray       an extended attribute of an inode that is not there
 *   doom        the objects of the file are in the unlink log of an OST that does not exist
 */
#include "common/loop.h"
#include "mds/attr.h"
#include "mds/dirent.h"
#include "mds/inode.h"
#include "mds/orphan.h"
#include "mds/xattr.h"
#include <stdio.h>
#include <stdlib.h>

struct damage {
	struct txn *t;
	struct fid parent, child;
	struct span name;
	struct dirent_rec d;
	struct inode_rec ino;
	const char *arg;
};

static int drop_name(struct damage *x)
{
	return dirent_del(x->t, &x->parent, x->name, x->d.cookie);
}

static int nlink(struct damage *x)
{
	x->ino.attr.nlink = (uint32_t)strtoul(x->arg, NULL, 10);
	return inode_update(x->t, &x->child, &x->ino);
}

static int nameless(struct damage *x)
{
	int rc = drop_name(x);

	return rc ? rc : inode_set_link(x->t, &x->child, &x->ino, &x->parent, SPAN_NONE);
}

static int noinode(struct damage *x)
{
	int rc = unsure_del(x->t, &x->child);

	return rc ? rc : inode_del(x->t, &x->child);
}

static int noindex(struct damage *x)
{
	return diridx_rec_del(x->t, &(struct diridx_key){x->parent, x->d.cookie});
}

static int notype(struct damage *x)
{
	return dirent_set(x->t, &x->parent, x->name, x->d.cookie, &x->child, 4);
}

static int forget(struct damage *x)
{
	return inode_set_link(x->t, &x->child, &x->ino, &x->parent, SPAN_STR("no-such-name"));
}

static int unsure(struct damage *x)
{
	int rc = unsure_del(x->t, &x->child);

	attr_make_unsure(&x->ino.attr);
	return rc ? rc : inode_update(x->t, &x->child, &x->ino);
}

static int stray(struct damage *x)
{
	struct fid nobody = x->child;

	nobody.oid = FID_OID_MAX;
	return xattr_raw_put(x->t, &nobody, "user.stray", SPAN_STR("x"));
}

static int doom(struct damage *x)
{
	return unlinklog_rec_put(x->t, &(struct unlinklog_key){99, x->child, 1, 0},
				 &(struct unlinklog_rec){});
}

static const struct {
	const char *name;
	int (*fn)(struct damage *x);
} hows[] = {
	{"nlink", nlink},     {"noname", drop_name}, {"nameless", nameless}, {"noinode", noinode},
	{"noindex", noindex}, {"notype", notype},    {"forget", forget},     {"unsure", unsure},
	{"stray", stray},     {"doom", doom},
};

static int damage(struct damage *x, const char *how)
{
	int rc = dirent_get(x->t, &x->parent, x->name, &x->d);
	size_t i;

	if (rc == 0) {
		x->child = x->d.child;
		rc = inode_get(x->t, &x->child, &x->ino);
	}
	for (i = 0; rc == 0 && i < ARRAY_SIZE(hows); i++)
		if (!strcmp(hows[i].name, how))
			return hows[i].fn(x);
	return rc ? rc : -EINVAL;
}

int main(int argc, char **argv)
{
	struct store_cfg sc = {.tables = mds_tables, .ntables = MDS_NTABLES};
	struct damage x = {.arg = argc > 5 ? argv[5] : "0"};
	struct store *s;
	int rc;

	if (argc < 5 || fid_parse(argv[3], &x.parent))
		return 2;
	sc.dir = argv[1];
	x.name = SPAN_STR(argv[4]);
	rc = loop_create(&sc.loop);
	if (rc == 0)
		rc = store_open(&sc, &s);
	if (rc == 0)
		rc = store_write(s, &x.t);
	if (rc == 0)
		rc = damage(&x, argv[2]);
	if (rc) {
		fprintf(stderr, "mdt_damage: %d\n", rc);
		return 1;
	}
	store_close(s);
	loop_destroy(sc.loop);
	return 0;
}
