#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real tree with attributes, ACLs, links and holes goes in and out with tar, cp -a and rsync; nothing is lost, and a second rsync has
# nothing to do.
. "$(dirname "$0")/lib.sh"
requires rsync setfacl setfattr diff
shared_cluster
SRC=$WORK/src
mkdir "$SRC"
TREE=/usr/include
[ -d $TREE ] || TREE=/usr/share/doc
if [ "$SCALE" = soak ]; then
	cp -a $TREE "$SRC/tree"
else
	mkdir "$SRC/tree"
	(cd $TREE && find . -xdev \( -type f -o -type l \) | sort | head -n 700 | cpio -pdm --quiet "$SRC/tree" 2>/dev/null ||
		find . -xdev \( -type f -o -type l \) | sort | head -n 700 | tar -cf - -T - | tar -xf - -C "$SRC/tree")
fi
mkdir "$SRC/odd"
cd "$SRC/odd" || exit 1
echo hello >plain
ln plain hard1
ln plain hard2
ln -s plain soft
ln -s /nowhere/at/all dangling
mkfifo fifo
mknod null c 1 3
truncate -s 30M sparse
echo end >>sparse
touch -d '2001-02-03 04:05:06.123456789' old
chmod 4755 plain
mkdir sticky sgid
chmod 1777 sticky
chmod 2775 sgid
chown -R 1234:4321 sgid
echo a >"with space and 'quotes' and ünïcode"
setfattr -n user.one -v 1 old 2>/dev/null && setfattr -n user.two -v "$(head -c 2000 /dev/zero | tr '\0' x)" plain &&
	XATTRS=1 || { XATTRS=; note "the local disk has no user attributes"; }
setfacl -m u:1234:rw old 2>/dev/null && setfacl -d -m g:4321:rwx sticky && ACLS=1 || { ACLS=; note "the local disk has no ACLs"; }
cd "$WORK" || exit 1

same() { # DIR: equal to SRC in everything
	diff -r --no-dereference "$SRC/tree" "$1/tree" &&
		diff <(listing "$SRC") <(listing "$1") &&
		{ [ -z "$XATTRS" ] || diff <(cd "$SRC" && getfattr -Rdh -m '^user' . 2>/dev/null | sort) \
			<(cd "$1" && getfattr -Rdh -m '^user' . 2>/dev/null | sort); } &&
		{ [ -z "$ACLS" ] || diff <(facls "$SRC/odd") <(facls "$1/odd"); }
}
facls() { (cd "$1" && find . ! -type l | sort | getfacl -pn - 2>/dev/null) }
listing() { # names, types, modes, owners, links, sizes of files, times, devices, targets
	(cd "$1" && find . -type d -printf '%p %y %m %U:%G %T@\n' -o -printf '%p %y %m %U:%G %n %s %T@ %l\n' |
		sort)
}

check "tar in" sh -c 'tar --acls --xattrs --sparse -C "$0" -cf - . | tar --acls --xattrs -xpf - -C "$1"' "$SRC" "$A"
check "all is equal on the other mount" same "$B"
is "links are links" "$(stat -c %h "$B/odd/plain")" 3
[ "$(stat -c %b "$B/odd/sparse")" -lt 8192 ] || fail "holes stay holes: $(stat -c %b "$B/odd/sparse") blocks"
mkdir "$WORK/out"
check "tar out" sh -c 'tar --acls --xattrs --sparse -C "$0" -cf - . | tar --acls --xattrs -xpf - -C "$1"' "$B" "$WORK/out"
check "all is equal outside" same "$WORK/out"

mkdir "$A/cp" "$A/rsync"
check "cp -a within the mount" cp -a "$A/tree" "$A/odd" "$A/cp/"
touch -r "$SRC" "$A/cp"
same_cp() { diff -r --no-dereference "$SRC/tree" "$B/cp/tree" && diff <(listing "$SRC/odd") <(listing "$B/cp/odd"); }
check "is equal" same_cp

check "rsync -aHAX in" rsync -aHAX "$SRC/" "$A/rsync/"
check "is equal" same "$B/rsync"
# Lustre lists lustre.lov, so rsync -X as root finds one attribute too many on files each time, and is told that it is gone.
transfers() { rsync "$@" --stats | awk -F': ' '/Number of (regular files transferred|created|deleted)/ { split($2, a, " "); n += a[1] } END { print n + 0 }'; }
is "a second rsync transfers nothing" "$(transfers -aHAX "$SRC/" "$B/rsync/")" 0
is "nor does one with checksums" "$(transfers -aHAXc "$SRC/" "$A/rsync/")" 0
is "nothing but attributes of Sheen's own differs" "$(rsync -aHAX -i "$SRC/" "$A/rsync/" | grep -vcE '^[.h]f\.\.\.\.\.\.\.\.x')" 0
mkdir "$WORK/back"
check "rsync -aHAX out" rsync -aHAX --filter='-x lustre.*' "$B/rsync/" "$WORK/back/"
check "is equal outside" same "$WORK/back"
check "rsync --delete removes" sh -c 'rm -r "$1/tree" && rsync -a --delete "$1/" "$0/rsync/" && ! test -e "$2/rsync/tree"' "$A" "$WORK/back" "$B"

# as an ordinary user
user_home
mkdir "$A/u" && chown 65534:65534 "$A/u"
check "an ordinary user: tar in" as_user sh -c "tar -C '$SRC/tree' -cf - . | tar -xf - -C '$A/u'"
check "is equal" diff -r --no-dereference "$SRC/tree" "$B/u"
check "rsync in" as_user rsync -a "$SRC/tree/" "$A/u/u2/"
is "the second transfers nothing" "$(as_user rsync -a -i "$SRC/tree/" "$B/u/u2/" | grep -c .)" 0
check "rm -r" as_user rm -r "$A/u/u2"
finish
