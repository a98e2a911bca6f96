#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lustre.lov through getfattr, setfattr, tar, cp -a and rsync; FIDs through path2fid, fid2path and .lustre/fid.
. "$(dirname "$0")/lib.sh"
requires getfattr setfattr rsync
shared_cluster

cd "$A" || exit 1
lov() { getfattr --absolute-names --only-values -n "${2:-lustre.lov}" "$1" 2>/dev/null | od -An -tx1 -v | tr -d ' \n'; }

lfs setstripe -c 2 -S 256K src
head -c 1000000 /dev/urandom >src
BLOB=$(lov src)
like "lustre.lov begins with Lustre's magic" "$BLOB" '^d00bd10b01000000'
is "it holds two objects of 24 bytes behind 32" "${#BLOB}" $(((32 + 48) * 2))
is "stripe size" "${BLOB:48:8}" 00000400
is "stripe count" "${BLOB:56:4}" 0200
is "trusted.lov is the same" "$(lov src trusted.lov)" "$BLOB"
like "lustre.lov is listed" "$(getfattr --absolute-names -m - "$B/src" 2>/dev/null)" 'lustre\.lov'
is "an ordinary user reads it" "$(as_user getfattr --absolute-names --only-values -n lustre.lov "$B/src" 2>/dev/null | od -An -tx1 -v | tr -d ' \n')" "$BLOB"

check "a file without objects takes the layout of a blob" $PY -c '
import os, sys
os.close(os.open("new", os.O_CREAT | os.O_WRONLY | os.O_ASYNC | os.O_NOCTTY, 0o644))
os.setxattr("new", "lustre.lov", bytes.fromhex(sys.argv[1]))' "$BLOB"
is "count arrives" "$(lfs getstripe -c new)" 2
is "size arrives" "$(lfs getstripe -S new)" 262144
echo x >f_with
check "setting it on a file with objects is ignored" setfattr -n lustre.lov -v "0x$BLOB" f_with
is "the file keeps its own" "$(lfs getstripe -c f_with)" 1
is "and its content" "$(cat f_with)" x
mkdir dd
check_fails any "garbage on a directory is refused" setfattr -n lustre.lov -v 0x0102030405060708 dd
check "a blob on a directory is its default" setfattr -n lustre.lov -v "0x$BLOB" dd
touch dd/f
is "which files inherit" "$(lfs getstripe -c dd/f):$(lfs getstripe -S dd/f)" 2:262144

setfattr -n user.note -v hello src
check "cp -a copies" cp -a src cpa
check "with the same bytes" cmp src "$B/cpa"
is "user attributes are copied" "$(getfattr --absolute-names --only-values -n user.note "$B/cpa")" hello
check "tar takes it" tar --xattrs --xattrs-include='*' -cf "$WORK/x.tar" src
mkdir t
check "and brings it back" tar --xattrs --xattrs-include='*' -xf "$WORK/x.tar" -C t
check "the bytes" cmp src t/src
is "the count" "$(lfs getstripe -c t/src)" 2
is "the size" "$(lfs getstripe -S t/src)" 262144
mkdir r
check "rsync -aX copies" rsync -aX src cpa r/
check "the bytes" cmp src "$B/r/src"

# FIDs
FID=$(lfs path2fid src)
like "path2fid prints a FID" "$FID" '^\[0x[0-9a-f]+:0x[0-9a-f]+:0x0\]$'
is "lustre.fid agrees" "$(getfattr --absolute-names --only-values -n lustre.fid "$B/src")" "$FID"
is "fid2path goes back" "$(lfs fid2path "$MA" "$FID")" "$A/src"
ln src src.link
is "fid2path gives all links" "$(lfs fid2path "$MA" "$FID" | sort | tr '\n' ' ')" "$A/src $A/src.link "
rm src.link
mv src moved
is "and follows a rename" "$(lfs fid2path "$MB" "$FID")" "$B/moved"
check "a file opens by FID" cmp "$MB/.lustre/fid/$FID" moved
is "with its attributes" "$(stat -c '%s %i' "$MA/.lustre/fid/$FID")" "$(stat -c '%s %i' moved)"
check_fails any "a FID that nobody has is not found" cat "$MA/.lustre/fid/[0x2000ffff1:0x1:0x0]"
check_fails any "fid2path says so too" lfs fid2path "$MA" "[0x2000ffff1:0x1:0x0]"
cd /
finish
