#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lfs on a mount: output byte for byte, exit statuses, JSON, and as an ordinary user.
. "$(dirname "$0")/lib.sh"
shared_cluster
cd "$A" || exit 1
INST=$(lfs getname -i "$MA")
hexof() { printf '%#x' "$1"; }

# ---- getstripe ----
check "a file over two OSTs" lfs setstripe -c 2 -S 1M -i 1 f
dd if=/dev/zero of=f bs=1M count=3 status=none
FID=$(lfs path2fid f)
SEQ=$(echo "$FID" | sed 's/^\[\(0x[0-9a-f]*\):.*/\1/')
OID=$(($(echo "$FID" | sed 's/^[^:]*:\(0x[0-9a-f]*\):.*/\1/')))
ID2=$((OID | 1 << 32))
SECOND=$(lfs getstripe -q f | awk 'NF == 4 && $1 != "obdidx" && NR > 2 {print $1}' | tail -n 1)
row() { printf '\t%6u\t%14u\t%#13x\t%14s\n' "$1" "$2" "$2" "$SEQ"; }
WANT=$(printf 'f\nlmm_stripe_count:  2\nlmm_stripe_size:   1048576\nlmm_pattern:       raid0\n'
	printf 'lmm_layout_gen:    %s\nlmm_stripe_offset: 1\n' "$(lfs getstripe -g f)"
	printf '\tobdidx\t\t objid\t\t objid\t\t group\n'
	row 1 $OID
	row "$SECOND" $ID2)
is "getstripe of a file" "$(lfs getstripe f)" "$WANT"
is "a blank line ends it" "$(lfs getstripe f | tail -n 1)" ""
is "verbose begins with the ids" "$(lfs getstripe -v f | sed -n 2,5p)" \
	"$(printf 'lmm_magic:         0x0BD10BD0\nlmm_seq:           %s\nlmm_object_id:     %s\nlmm_fid:           %s' \
		"$SEQ" "$(hexof $OID)" "$FID")"
for pair in c:2 S:1048576 i:1 L:raid0 m:0 N:1; do
	is "getstripe -${pair%%:*}" "$(lfs getstripe -"${pair%%:*}" f)" "${pair#*:}"
done
is "getstripe -F" "$(lfs getstripe -F f)" "$FID"
is "getstripe -p of a file without pool is empty" "$(lfs getstripe -p f)" ""
is "two fields have labels" "$(lfs getstripe -c -i f | tail -n 2)" "$(printf 'lmm_stripe_count:  2\nlmm_stripe_offset: 1')"
is "YAML has no path line" "$(lfs getstripe -y f | head -n 1)" "lmm_stripe_count:  2"
like "YAML names the objects" "$(lfs getstripe -y f)" "l_fid:     $SEQ:$(hexof $OID):0x0"
is "JSON" "$(lfs getstripe --json f | $PY -c '
import json, sys
f = json.load(sys.stdin)[0]
print(f["path"], f["stripe_count"], f["stripe_size"], f["objects"][0]["ost"], len(f["objects"]))')" "f 2 1048576 1 2"

mkdir d
is "a directory without default" "$(lfs getstripe -d d)" \
	"stripe_count:  1 stripe_size:   4194304 pattern:       0 stripe_offset: -1"
is "raw" "$(lfs getstripe -d -R d)" "stripe_count:  0 stripe_size:   0 pattern:       0 stripe_offset: -1"
check "its default is set" lfs setstripe -c 2 -S 128k d
is "and shown on one line" "$(lfs getstripe -d d)" \
	"stripe_count:  2 stripe_size:   131072 pattern:       raid0 stripe_offset: -1"
like "verbose says (Default)" "$(lfs getstripe -v d)" '^\(Default\) '
touch d/one
mkdir d/sub
touch d/sub/deep
is "a directory lists what is in it, one level" "$(lfs getstripe d | grep -c '^d')" 3
is "-r everything" "$(lfs getstripe -r d | grep -c '^d')" 4
is "-d only itself" "$(lfs getstripe -d d | wc -l)" 1
check "-d removes the default" lfs setstripe -d d
is "removed" "$(lfs getstripe -d -c d)" 1
mkfifo fifo
is "a fifo has no stripe info" "$(lfs getstripe fifo)" "fifo has no stripe info"
ln -s f link
is "a link is followed" "$(lfs getstripe -c link)" 2
is "unless told not to" "$(lfs getstripe --no-follow link)" "link has no stripe info"
check_fails 2 "a missing file is status 2" lfs getstripe f missing d
like "others are shown" "$OUT" 'lmm_stripe_count'
like "it is named" "$OUT" 'missing'
check_fails 25 "a file elsewhere" lfs getstripe /etc/passwd
is "-O shows only files of that OST" "$(lfs getstripe -O "$SECOND" f | grep -c ' \*$')" 1

# ---- setstripe ----
refuses() { # STATUS TEXT options...
	local rc=$1 text=$2
	shift 2
	check_fails "$rc" "setstripe $*" lfs setstripe "$@" bad
	like "says so" "$OUT" "$text"
	check "leaves no file" test ! -e bad
}
refuses 4 "^lfs setstripe setstripe: invalid stripe size '100'" -S 100
refuses 4 "invalid stripe size '-1'" -S -1
refuses 22 '4GB' -S 4G
refuses 4 "invalid stripe count 'x'" -c x
refuses 4 "invalid stripe count '2001'" -c 2001
refuses 4 "invalid stripe offset '65535'" -i 65535
refuses 95 'not supported' -E eof
refuses 95 'not supported' -N2
refuses 95 'not supported' -C 4
refuses 95 'not supported' -p pool
refuses 95 'not supported' --comp-add
refuses 4 'must be specified with -E' -L mdt
refuses 4 'unknown|lacks' --nonsense
refuses any 'setstripe error' -i 99
check_fails 4 "no file is wrong usage" lfs setstripe -c 2
like "with usage" "$OUT" 'usage: setstripe'
check_fails 17 "a file with data" lfs setstripe -c 3 f
like "has its stripes" "$OUT" "setstripe error for 'f': stripe already set"
check_fails 25 "elsewhere" lfs setstripe -c 1 "$WORK/x"
check "no file there" test ! -e "$WORK/x"
check_fails 2 "in a missing directory" lfs setstripe -c 1 nodir/x
check "several files at once" lfs setstripe -c 2 m1 m2 m3
is "all have it" "$(lfs getstripe -c m1 m2 m3 | sort | uniq -c | tr -s ' ')" " 3 2"
check "a mode" lfs setstripe --mode 0600 -c 1 mode
is "is set" "$(stat -c %a mode)" 600
check_fails 1 "an unknown sub-command" lfs nonsense
check "--help" lfs setstripe --help
is "the prompt takes commands" "$(printf 'getstripe -c f\nquit\n' | lfs)" 2

# ---- df, osts, mdts, check ----
is "df's header" "$(lfs df "$MA" | head -n 1)" "UUID                   1K-blocks        Used   Available Use% Mounted on"
is "df -i's header" "$(lfs df -i "$MA" | head -n 1)" "UUID                      Inodes       IUsed       IFree IUse% Mounted on"
is "df -h's header" "$(lfs df -h "$MA" | head -n 1)" "UUID                       bytes        Used   Available Use% Mounted on"
NOST=$(lfs osts "$MA" | grep -c ACTIVE)
is "four lines beside the targets" "$(lfs df "$MA" | wc -l)" $((NOST + 1 + 4))
like "a row" "$(lfs df "$MA" | sed -n 3p)" "^$FSNAME-OST0000_UUID +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+% $MA\[OST:0\]$"
like "the sum" "$(lfs df "$MA" | tail -n 2 | head -n 1)" "^filesystem_summary: +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+% $MA$"
is "df -N -s is the sum alone" "$(lfs df -N -s "$MA" | grep -c .)" 1
is "df -m" "$(lfs df -m "$MA" | grep -c 'UUID ')" 2
DF=$(df -k --output=size "$MA" | tail -n 1 | tr -d ' ')
is "lfs df and df agree" "$(lfs df -N -s "$MA" | awk 'NF {print $2}')" "$DF"
check_fails 95 "df elsewhere" lfs df /
check_fails 2 "df of nothing" lfs df /no/such
is "osts" "$(lfs osts "$MA" | head -n 2)" "$(printf 'OBDS:\n0: %s-OST0000_UUID ACTIVE' "$FSNAME")"
is "mdts" "$(lfs mdts "$MA")" "$(printf 'MDTS:\n0: %s-MDT0000_UUID ACTIVE' "$FSNAME")"
is "check mdts" "$(lfs check mdts "$MA")" "$FSNAME-MDT0000-mdc-$INST active."
like "check all names the MGS" "$(lfs check all "$MA")" "^MGC127.0.0.1@tcp:$PORT active.$"
is "JSON everywhere" "$(for c in "df $MA" "osts $MA" "mdts $MA" "check servers $MA" "getname --json $MA"; do
	lfs $c --json | $PY -c 'import json, sys; json.load(sys.stdin); print("ok")'; done | sort | uniq -c | tr -s ' ')" " 5 ok"

# ---- FIDs and names ----
ln f d/hard
is "fid2path of both links" "$(lfs fid2path "$MA" "$FID")" "$(printf '%s\n%s' "$A/f" "$A/d/hard")"
is "relative with the name" "$(lfs fid2path -l 0 -n "$A" "${FID//[\[\]]/}")" f
is "of the root" "$(lfs fid2path "$MA" '[0x200000007:0x1:0x0]')" "$MA//"
check_fails 22 "of no FID" lfs fid2path "$MA" nonsense
check_fails any "of a FID that nobody has" lfs fid2path "$MA" '[0x3ffffffff:0x7:0x0]'
is "several paths are named" "$(lfs path2fid f d/hard)" "$(printf 'f: %s\nd/hard: %s' "$FID" "$FID")"
is "--parents" "$(lfs path2fid --parents f)" "$(printf '[%s/f\t%s/hard' "$(lfs path2fid . | tr -d '[')" "$(lfs path2fid d)")"
check_fails any "path2fid elsewhere" lfs path2fid /etc/passwd
check "a file opens by its FID" cmp "$MA/.lustre/fid/$FID" f
is "getname" "$(lfs getname "$MA")" "$FSNAME-$INST $MA"
is "getname -n" "$(lfs getname -n "$MA")" "$FSNAME"

# ---- as an ordinary user ----
mkdir user && chmod 777 user
check "a user stripes" as_user lfs setstripe -c 2 "$A/user/f"
is "and looks" "$(as_user lfs getstripe -c "$A/user/f")" 2
check "and asks" as_user lfs check servers "$MA"
check "for space" as_user lfs df "$MA"
cd /
finish
