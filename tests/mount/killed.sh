#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Processes that are killed while an OSS or the MDS does not answer: they end, and the mount lives on when the server answers again.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
lfs setstripe -c 2 -S 1M "$A/f"
dd if=/dev/urandom of="$A/f" bs=1M count=8 status=none
cat >"$WORK/io.py" <<'P'
import os, sys
f = os.open(sys.argv[1], os.O_RDWR)
print("ready", flush=True)
sys.stdin.readline()
while True:
    if sys.argv[2] == "write":
        os.pwrite(f, bytes(4 << 20), 0)
    elif sys.argv[2] == "read":
        os.pread(f, 4 << 20, 0)
    else:
        os.fsync(f)
P
OSS=$(pids_of oss | tail -n 1)
like "the OSS's process is known" "$OSS" '^[0-9]+$'
gone() { ! kill -0 "$1" 2>/dev/null; }
blocked() { grep -q '^State:.*[DS]' "/proc/$1/status" && grep -q fuse "/proc/$1/wchan" "/proc/$1/stack" 2>/dev/null; }
for what in write read fsync; do
	mkfifo "$WORK/in.$what"
	$PY "$WORK/io.py" "$A/f" $what <"$WORK/in.$what" >"$WORK/out.$what" 2>&1 &
	P=$!
	PIDS+=($P)
	exec 7>"$WORK/in.$what"
	check "the process that will $what is ready" until_true 30 grep -q ready "$WORK/out.$what"
	kill -STOP "$OSS"
	echo go >&7
	check "it is blocked" until_true 30 blocked $P
	kill -9 $P
	wait $P 2>/dev/null
	check "it ends when it is killed" gone $P
	kill -CONT "$OSS"
	exec 7>&-
	check "the mount lives on" timeout 60 sh -c "cat '$A/f' >/dev/null && echo x >'$A/after.$what' && sync '$A/after.$what'"
done
# What the MDS does for them after that is not what the kernel was told: it has to ask again.
mkdir "$A"/{d,m,n,o,p} # each operation has a directory for itself, so that none waits for another in the kernel
touch "$A/d/removed" "$A/n/moved" "$A/p/mode"
ln "$A/p/mode" "$A/p/linked"
ls -lR "$A"/? >"$WORK/known" # the kernel has all of it
check_fails any "a name that is not there is known, too" stat "$A/m/made"
MDS=$(pids_of mds | tail -n 1)
kill -STOP "$MDS"
KILLED=()
for what in 'unlink("d/removed")' 'mkdir("m/made")' 'rename("n/moved", "o/moved")' 'chmod("p/mode", 0o741)'; do
	(cd "$A" && exec $PY -c "import os; os.$what") &
	KILLED+=($!)
done
PIDS+=("${KILLED[@]}")
for p in "${KILLED[@]}"; do check "process $p is blocked" until_true 30 blocked "$p"; done
kill -9 "${KILLED[@]}"
wait "${KILLED[@]}" 2>/dev/null
for p in "${KILLED[@]}"; do check "process $p ends when it is killed" gone "$p"; done
kill -CONT "$MDS"
all_done() { ! [ -e "$B/d/removed" ] && [ -d "$B/m/made" ] && [ -e "$B/o/moved" ] && [ "$(stat -c %a "$B/p/linked")" = 741 ]; }
check "what they had asked for is done" until_true 30 all_done
look() { (cd "$1" && ls -lR d m n o p && stat -c '%n %a %h' m/made o/moved p/linked && ! stat d/removed n/moved 2>/dev/null); }
same() { diff <(look "$A") <(look "$B"); }
check "and their mount sees it" until_true 10 same
check "another client sees all of it" timeout 60 sh -c "cat '$B/f' '$B'/after.* >/dev/null"
finish
