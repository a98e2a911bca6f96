#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The machine of the MDS loses its power: what was answered and had not reached its disk is done again by the clients.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
DB=$CDIR/mdt0/db
NID=127.0.0.1@tcp:$((PORT + 1))
MDT=mdt.$FSNAME-MDT0000
param() { timeout 20 lctl get_param -n --nid "$NID" "$MDT.$1"; }
replayed() { param recovery_status | sed -n 's/^replayed_requests: //p'; }
is_over() { param recovery_status | grep -q 'status: COMPLETE'; }
# From here on the disk gets nothing that nobody asks for.
hold_commits() { timeout 20 lctl set_param --nid "$NID" "$MDT.commit_interval_ms=60000" && sync -f "$A" && sync -f "$B"; }
# LMDB writes nothing before it commits, so its file is what a disk would have; the redo log is never synced.
lose_power() {
	kill_wait KILL "$(pids_of mds | tail -n 1)"
	rm -f "$DB"/redo.0 "$DB"/redo.1 "$DB/machine"
	timeout 120 sheenctl up --dir "$CDIR" --mount "$MA" >"$WORK/up.log" 2>&1 || { cat "$WORK/up.log"; return 1; }
}
# Everything that a listing can tell of a tree.
look_at() { (cd "$1" && find . -path ./late -prune -o -printf '%p %i %M %n %U %G %s %T@ %C@ %l\n' | sort && getfattr -Rd . 2>/dev/null); }

check "the MDS only commits when it is asked to" hold_commits
check "there is a log to lose" test -s "$DB/redo.0" -o -s "$DB/redo.1"
mkdir "$A/d" "$A/d/sub" "$A/late" "$B/other"
for i in $(seq 10); do
	echo "$i" >"$A/d/f$i"
	echo "$i" >"$B/other/f$i"
done
ln "$A/d/f1" "$A/d/second"
ln -s nowhere "$A/d/link"
mv "$A/d/f2" "$A/d/sub/moved"
rm "$A/d/f3" "$B/other/f3"
chmod 4751 "$A/d/f4"
touch -d '2020-01-02 03:04:05.678' "$A/d/f5"
setfattr -n user.color -v blue "$A/d/f6"
exec 9<>"$A/d/open"
echo kept >&9
exec 8<>"$A/d/unlinked"
echo nameless >&8
rm "$A/d/unlinked"
look_at "$A" >"$WORK/before"
# The look at what the other mount has made was a reason to commit, and some more may come late; this is not.
MADE=0
open_batch() { param store_stats | awk '/^last_committed:/ { c = $2 } /^transno:/ { t = $2 } END { print t - c }'; }
while [ "$MADE" -lt 1000 ] && { [ $((MADE % 12)) != 0 ] || [ "$(open_batch)" -lt 12 ]; }; do
	MADE=$((MADE + 1))
	touch "$A/late/$MADE"
done
check "the machine of the MDS loses its power" lose_power
is "the newest files are there" "$(find "$A/late" -type f | wc -l)" "$MADE"
look_at "$A" >"$WORK/after"
check "everything is as it was" diff "$WORK/before" "$WORK/after"
look_at "$B" >"$WORK/after.b"
check "on the other mount too" diff "$WORK/before" "$WORK/after.b"
check "recovery ends" until_true 60 is_over
like "it was the clients who brought it back" "$(replayed)" '^[1-9][0-9]+$'
is "data is read" "$(cat "$B"/d/sub/moved "$A/other/f7")" $'2\n7'
is "an open file is open" "$(head -c 5 "/proc/$$/fd/9")" kept
is "so is one without a name" "$(head -c 8 "/proc/$$/fd/8")" nameless
exec 8>&- 9>&-
check "no client has lost anything" sh -c '! grep -rq "has lost this" "$0" --include="*.log"' "$CDIR"

check "commits are held again" hold_commits
echo one >"$A/depends"
mv "$B/depends" "$B/renamed"
check "power is lost again" lose_power
is "what one mount made and the other renamed is there" "$(cat "$A/renamed")" one
check_fails any "under the new name only" ls "$A/depends"
check "the tables of the MDT fit together" mdt_is_sound
finish
