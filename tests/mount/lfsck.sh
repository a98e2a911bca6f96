#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The online checker: each kind of damage is found as what it is, repaired, and gone in the next run; objects without an
# owner become files again; under load it finds nothing.
. "$(dirname "$0")/lib.sh"
requires setfattr
make -s -C "$ROOT" build/tests/mdt_damage >"$WORK/make.log" 2>&1 || { cat "$WORK/make.log"; die "mdt_damage is not built"; }
own_cluster --oss 1 --osts 2
LF=$A/.lustre/lost+found
start() { timeout 120 sheenctl up --dir "$CDIR" --mount "$MA" >"$WORK/up.log" 2>&1 </dev/null || { cat "$WORK/up.log"; die "the cluster starts"; }; }
stop() { unmount "$MA"; unmount "$MB"; timeout 60 sheenctl down --dir "$CDIR" >/dev/null 2>&1 || die "the cluster stops"; }
fid() { lfs path2fid "$1"; }
# kinds: "N kind" of the last report
kinds() { sed -n 's/^\(found\|repaired\|uncorrected\) \([a-z_]*\) .*/\1 \2/p' "$WORK/report" | sort | uniq -c | sed 's/^ *//'; }
check_fs() { timeout 100 sheenctl check --dir "$CDIR" "$@" >"$WORK/report" 2>&1; }

is "lost+found is there, for root alone" "$(stat -c '%A %u' "$LF")" "drwx------ 0"
is ".lustre lists it" "$(ls "$A/.lustre" | sort | tr '\n' ' ')" "fid lost+found "
check_fails any "it cannot be removed" rmdir "$LF"
check "a healthy file system is clean" check_fs

# ---- what is damaged ----
mkdir "$A/d" "$A/d/sub"
NAMES="nlink noname nameless noinode noindex notype forget unsure doom"
for n in $NAMES; do echo "data of $n" >"$A/d/$n"; done
lfs setstripe -c 2 -S 64k "$A/d/wide"
$PY -c 'import sys; sys.stdout.buffer.write(bytes(i % 251 for i in range(300000)))' | tee "$WORK/wide" >"$A/d/wide"
echo gone >"$A/d/gone"
touch -d '2001-02-03 04:05:06 UTC' "$A/d/wide"
sync -f "$A/d"
D=$(fid "$A/d") WIDE=$(fid "$A/d/wide") NAMELESS=$(fid "$A/d/nameless") NOINODE=$(fid "$A/d/noinode") GONE=$(fid "$A/d/gone")
LOST=$(object_file "$GONE" 0)
stop
DB=$CDIR/mdt0/db
damage() { "$ROOT/build/tests/mdt_damage" "$DB" "$1" "$D" "$2" "${3-}" || fail "damage $*"; }
damage nlink nlink 7
for n in noname nameless noinode noindex notype forget unsure doom; do damage $n $n; done
damage noinode wide
damage stray nlink
damage nlink sub 9
rm "$LOST" || fail "the object of $GONE is found"
start

check_fails 4 "a run without repairs finds it all" check_fs
is "each as what it is" "$(kinds)" "2 found dangling_name
1 found doomed_objects
1 found lost_index
2 found lost_name
1 found missing_object
1 found nameless
3 found ownerless_object
1 found stray_row
1 found unknown_name
3 found wrong_nlink
1 found wrong_type
1 found wrong_unsure"
check_fails 4 "and again: nothing was changed" check_fs
is "lost+found is still empty" "$(ls -A "$LF")" ""

# ---- repairs ----
check_fails 4 "repairs end at the number that is allowed" check_fs --repair --max-repairs 1
is "one was made" "$(kinds | sed -n 's/ repaired .*//p')" 1
check_fails 4 "the rest is repaired, but what is lost is lost" check_fs --repair
is "only the object that is gone is left" "$(kinds | grep uncorrected)" "1 uncorrected missing_object"
check_fails 4 "the next run finds that only" check_fs --json
is "as JSON" "$($PY -c '
import json, sys
r = json.load(open(sys.argv[1]))
print(r["exit"], [f["kind"] for f in r["findings"]], [p["uncorrected"] for p in r["parts"]])' "$WORK/report")" "4 ['missing_object'] [0, 1]"
check_fails any "its file gives an error, not zeros" cat "$A/d/gone"
check "it can be removed" rm "$A/d/gone"
check "and then all is clean" check_fs
is "names are back" "$(cat "$A/d/noname" "$A/d/noindex" "$A/d/notype" "$A/d/forget" "$A/d/doom" "$A/d/unsure")" "data of noname
data of noindex
data of notype
data of forget
data of doom
data of unsure"
is "links are counted" "$(stat -c %h "$A/d/nlink" "$A/d" "$A/d/sub" | tr '\n' ' ')" "1 3 2 "
is "listings are whole" "$(ls "$A/d" | tr '\n' ' ')" "doom forget nlink noindex noname notype sub unsure "
is "what had no name is in lost+found" "$(ls "$LF" | sort | tr '\n' ' ')" "$(printf '%s\n' "$NAMELESS" "$NOINODE" "$WIDE" | sort | tr '\n' ' ')"
is "with its data" "$(cat "$LF/$NAMELESS")" "data of nameless"
is "a file is made of its object" "$(cat "$LF/$NOINODE")" "data of noinode"
check "a striped one of its objects" cmp "$WORK/wide" "$LF/$WIDE"
is "it has its layout" "$(lfs getstripe -c "$LF/$WIDE") $(lfs getstripe -S "$LF/$WIDE")" "2 65536"
check "it can be moved out and written to" sh -c 'mv "$1/$2" "$0/d/wide" && echo more >>"$0/d/wide"' "$A" "$LF" "$WIDE"
check "clean as well" check_fs

# ---- lctl ----
MDT=$FSNAME-MDT0000
NID=127.0.0.1@tcp:$((PORT + 1))
like "lctl starts a part" "$(lctl lfsck_start -M "$MDT" -t namespace -n off -s 100000 -r --nid "$NID")" "^Started LFSCK"
like "and shows it" "$(lctl lfsck_query -M "$MDT" -t namespace -w --nid "$NID")" "status: completed"
check_fails any "an unknown part is refused" lctl lfsck_start -M "$MDT" -t nonsense --nid "$NID"
check_fails any "a stop without a run is refused" lctl lfsck_stop -M "$MDT" --nid "$NID"
check "a slow run is started" lctl lfsck_start -M "$MDT" -s 1 -r --nid "$NID"
check_fails any "no second one beside it" lctl lfsck_start -M "$MDT" --nid "$NID"
check "it is stopped" lctl lfsck_stop -M "$MDT" --nid "$NID"
like "and says so" "$(lctl lfsck_query -w --nid "$NID")" "status: stopped"

# ---- under load ----
mount_sheen "$SOURCE" "$MB" -o "$MOUNT_OPTS_B" || die "the second mount"
mkdir "$A/load"
storm() { # MOUNT NAME: until the file `end` appears
	local i=0
	while [ ! -e "$WORK/end" ]; do
		i=$((i + 1))
		mkdir "$1/load/$2.$i"
		for k in 1 2 3 4 5; do echo "$i $k" >"$1/load/$2.$i/$k"; done
		ln "$1/load/$2.$i/1" "$1/load/$2.link"
		mv "$1/load/$2.$i" "$1/load/$2.moved"
		mv "$1/load/$2.moved/2" "$1/load/$2.moved/1"
		exec 7>"$1/load/$2.open"
		rm "$1/load/$2.open"
		echo data >&7
		exec 7>&-
		dd if=/dev/zero of="$1/load/$2.big" bs=64k count=20 2>/dev/null
		truncate -s 5000 "$1/load/$2.big"
		rm -r "$1/load/$2.moved" "$1/load/$2.link" "$1/load/$2.big"
	done
}
for m in A B; do
	for n in 1 2; do
		storm "${!m}" $m$n >"$WORK/storm.$m$n" 2>&1 &
		PIDS+=($!)
	done
done
for i in $(seq 8); do check "under load nothing is found, $i" check_fs || cat "$WORK/report"; done
touch "$WORK/end"
wait "${PIDS[@]}"
PIDS=()
is "the load ran without errors" "$(cat "$WORK"/storm.*)" ""
check "clean in the end" check_fs
check "the tables fit together" mdt_is_sound
finish
