#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files that are removed in a row are removed without waiting for the MDS, and nobody can tell: what another mount sees, and what
# is left when the MDS or the client dies in the middle.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2

ahead() { lctl get_param -n --mount "$MA" 'llite.*.unlink_stats' | sed -n "s/^$1: //p"; } # COUNTER
at_least() { [ "$1" -ge "$2" ] || { echo "$1 of $2"; return 1; }; }
# As tar does: closed again and all leases held. On one CPU, so that the FIDs are in a row: the client keeps book of changes in
# classes of FIDs, and a file that meets another one is removed in the usual way.
make_files() { # DIR N
	$PY -c 'import os, sys
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
os.mkdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    open(f"{sys.argv[1]}/f{i:05}", "w").close()' "$1" "$2" && ls -l "$1" >/dev/null
}

# ---- rm -rf ----
mkdir "$A/tree"
for d in 1 2 3 4 5; do make_files "$A/tree/$d" 100; done
check "a tree is removed" rm -rf "$A/tree"
check "another mount does not see it any more" test ! -e "$B/tree"
check "most of them without waiting" at_least "$(ahead early)" 250
is "none of them in vain" "$(ahead failed)" 0
EARLY=$(ahead early)
lctl set_param --mount "$MA" 'llite.*.unlinks_in_flight=0' >/dev/null
make_files "$A/tree" 100
check "it can be turned off" rm -rf "$A/tree"
is "then all are waited for" "$(ahead early)" "$EARLY"

# ---- two mounts in lock step ----
lctl set_param --mount "$MA" 'llite.*.unlinks_in_flight=32' 'llite.*.unlinks_in_row=1' 'llite.*.unlinks_retry_ms=0' >/dev/null
mkdir "$A/steps"
check "what was reported as gone nobody sees" $PY "$HERE/unlink_ahead.py" steps "$A/steps" "$B/steps"
check "that was without waiting, too" at_least "$(($(ahead early) - EARLY))" 100
check "because it gave the directory back each time" at_least "$(ahead recalled)" 20
is "none in vain" "$(ahead failed)" 0

# ---- the MDS is stopped: whoever waited for an answer would not come back ----
make_files "$A/stopped" 30
GRANTED=$(ahead granted)
rm "$A/stopped/f00000"
granted() { [ "$(ahead granted)" -gt "$GRANTED" ]; }
until_true 60 granted || fail "the directory is not this client's own"
MDS=$(pids_of mds)
kill -STOP "$MDS"
check "files are removed while the MDS does nothing" timeout 60 $PY -c 'import os, sys
for i in range(10, 30):
    os.unlink(f"{sys.argv[1]}/f{i:05}")' "$A/stopped"
ls "$B/stopped" >"$WORK/stopped" &
LS=$!
kill -CONT "$MDS"
wait $LS
is "another mount that looked at once does not see them" "$(wc -l <"$WORK/stopped")" 9

# ---- the MDS dies ----
reported() { wc -l <"$WORK/log" 2>/dev/null || echo 0; }
some() { [ "$(reported)" -ge "$1" ]; }
still_there() { # LOG DIR: those that were reported and are there, how many
	sort "$1" >"$WORK/reported" # before anybody looks: more are reported meanwhile
	ls "$2" | sort | comm -12 - "$WORK/reported" | wc -l
}
EARLY=$(ahead early)
make_files "$A/mds" 2000
$PY "$HERE/unlink_ahead.py" remove "$A/mds" "$WORK/log" &
REMOVER=$!
until_true 60 some 300
kill_wait KILL $(pids_of mds)
check "the MDS starts again" sheenctl up --dir "$CDIR"
is "what was reported is gone on another mount" "$(still_there "$WORK/log" "$B/mds")" 0
check "the others are removed" wait $REMOVER
is "all of them" "$(ls "$B/mds" | wc -l) $(reported)" "0 2000"
check "without waiting before and after" at_least "$(($(ahead early) - EARLY))" 500
is "none in vain" "$(ahead failed)" 0

# ---- the client dies ----
make_files "$A/client" 2000
: >"$WORK/log"
$PY "$HERE/unlink_ahead.py" remove "$A/client" "$WORK/log" 2>/dev/null &
REMOVER=$!
until_true 60 some 300
kill_wait KILL "$(client_pid "$MA")"
wait $REMOVER
umount -l "$MA"
check "others see the directory" ls "$B/client"
check "of what was reported as much is there as may be in flight, or less" at_least 32 "$(still_there "$WORK/log" "$B/client")"
check "the rest can be removed" rm -r "$B/client"
check "the MDT is sound" mdt_is_sound
finish
