#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sheenctl beyond the first day: more servers, more OSTs, a missing disk, a busy mount, two at once, a server that cannot start.
. "$(dirname "$0")/lib.sh"
requires_root
D=$WORK/c
M=$WORK/m
check "a small cluster" start_cluster "$D" "$M" --oss 1 --osts 1
echo kept >"$M/file"
nosts() { lfs osts "$M" | grep -c ' ACTIVE'; }
is "one OST" "$(nosts)" 1
PID=$(pids_of oss0 "$D")
check "one more OSS" sheenctl up --dir "$D" --oss 2
two() { [ "$(nosts)" = 2 ]; }
check "the mount sees its OST" until_true 20 two
check "two OSTs each" sheenctl up --dir "$D" --osts 2
four() { [ "$(nosts)" = 4 ]; }
check "the mount sees them" until_true 20 four
is "nothing was restarted" "$(pids_of oss0 "$D" | sed -n 1p)" "$PID"
check "they are used" lfs setstripe -c -1 "$M/wide"
dd if=/dev/urandom of="$M/wide" bs=1M count=20 status=none
SUM=$(md5sum <"$M/wide")
is "all four" "$(lfs getstripe -c "$M/wide")" 4
is "the file is there" "$(cat "$M/file")" kept

check_fails any "another file system's name is refused" sheenctl up --dir "$D" --fsname other
like "with both" "$OUT" "lustre.*other"
check_fails any "another port is refused" sheenctl up --dir "$D" --port 1234
check_fails 4 "no directory" sheenctl up
check_fails any "no cluster there" sheenctl status --dir "$WORK/none"
check_fails any "nor there" sheenctl down --dir "$WORK/none"
check "nothing was made" test ! -e "$WORK/none"

(cd "$M" && exec sleep 1000) &
PIDS+=($!)
in_use() { [ "$(readlink "/proc/$!/cwd")" = "$M" ]; }
until_true 10 in_use
check_fails any "a busy mount is not taken away" sheenctl down --dir "$D"
like "it says so" "$OUT" 'busy'
is "and everything runs on" "$(cat "$M/file")" kept
kill $!
wait $! 2>/dev/null
check "down" sheenctl down --dir "$D"
is "nothing is left" "$(pids_of '' "$D")" ""

mv "$D/ost1" "$D/away"
check_fails any "a target that is gone is missed" sheenctl up --dir "$D"
like "and not made anew" "$OUT" 'disk mounted'
mv "$D/away" "$D/ost1"
echo damage >>"$D/mdt0/sheen.target"
check_fails any "a server that cannot start" sheenctl up --dir "$D"
like "is shown with its log" "$OUT" 'mds.log'
sed -i '$d' "$D/mdt0/sheen.target"

sheenctl up --dir "$D" >"$WORK/up1" 2>&1 &
P1=$!
sheenctl up --dir "$D" --mount "$M" >"$WORK/up2" 2>&1 &
P2=$!
wait $P1 && wait $P2
is "two at once do it once" "$(cat "$WORK/up1" "$WORK/up2" | grep -c 'mds *started')" 1
is "the data are whole" "$(md5sum <"$M/wide")" "$SUM"
for p in $(pids_of '' "$D"); do kill_wait KILL "$p"; done
check "everything killed comes up again" timeout 90 sheenctl up --dir "$D" --mount "$M"
is "under the same mount" "$(timeout 60 cat "$M/file")" kept
kill_wait KILL "$(client_pid "$M")"
check "a dead client's mount is replaced" timeout 90 sheenctl up --dir "$D" --mount "$M"
is "and works" "$(cat "$M/file")" kept
MDS=$(pids_of mds "$D")
echo 1 1 >"$D/run/mds.pid"
is "a foreign pid file is not believed" "$(pids_of mds "$D")" "$MDS"
rm "$D/run/mds.pid"
is "nor needed" "$(pids_of mds "$D")" "$MDS"
like "up starts no second one" "$(sheenctl up --dir "$D")" "mds *already runs, pid $MDS,"
check "down finds it" sheenctl down --dir "$D"
check "it is stopped" gone "$MDS"
finish
