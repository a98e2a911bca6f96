#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sheenctl: up, up again, status, a lost daemon, down, up with the same data, two clusters side by side.
. "$(dirname "$0")/lib.sh"
requires_root
D=$WORK/c1
check "a cluster comes up" start_cluster "$D" "$WORK/m1" --oss 2 --osts 2
P1=$PORT
is_mounted "$WORK/m1" || die "nothing is mounted"
echo one >"$WORK/m1/file"
STATUS=$(sheenctl status --dir "$D" --json)
is "status is JSON with processes, targets, mounts" \
	"$(printf '%s' "$STATUS" | $PY -c 'import json,sys; d=json.load(sys.stdin); print(sorted(k for k in d if k in ("processes","targets","mounts")))')" \
	"['mounts', 'processes', 'targets']"
LIVE=$(for p in $(pids_of "" "$D"); do kill -0 "$p" && echo x; done | wc -l)
like "MGS, MDS and two OSS run" "$LIVE" "^([4-9])$"
is "there are six targets" "$(printf '%s' "$STATUS" | $PY -c 'import json,sys; print(len(json.load(sys.stdin)["targets"]))')" 6
like "status for people names the targets" "$(sheenctl status --dir "$D")" 'OST0003'
like "a second up says what runs" "$(sheenctl up --dir "$D" --mount "$WORK/m1" --fsname lustre --oss 2 --osts 2 --port "$P1" 2>&1)" 'already|running'
is "and disturbs nothing" "$(cat "$WORK/m1/file")" one

for what in mgs mds oss; do
	PID=$(pids_of "$what" "$D" | head -n 1)
	[ -n "$PID" ] || { fail "status names the $what"; continue; }
	kill_wait KILL "$PID"
	check "status works without the $what" sheenctl status --dir "$D" --json
	check "up starts the lost $what" timeout 90 sheenctl up --dir "$D" --mount "$WORK/m1"
	NEW=$(pids_of "$what" "$D" | tr '\n' ' ')
	like "under a new process id" "$NEW" '[0-9]'
	is "the mount goes on" "$(timeout 60 cat "$WORK/m1/file")" one
done

check "a second cluster runs beside it" start_cluster "$WORK/c2" "$WORK/m2" --oss 1 --osts 1
check "both are written" sh -c 'echo two >"$1/file" && echo more >"$0/file2"' "$WORK/m1" "$WORK/m2"
is "they are apart" "$(cat "$WORK/m1/file") $(cat "$WORK/m2/file")" "one two"
check "down stops the second" sheenctl down --dir "$WORK/c2"
check "it is unmounted" sh -c '! grep -q " $0 " /proc/self/mounts' "$WORK/m2"
is "no process of it is left" "$(pids_of '' "$WORK/c2" | while read -r p; do [ -d /proc/$p ] && echo "$p"; done)" ""
is "the first does not care" "$(cat "$WORK/m1/file2")" more
check "down stops the first" sheenctl down --dir "$D"
check "down twice is no error" sheenctl down --dir "$D"
check "up brings it back with its data" timeout 90 sheenctl up --dir "$D" --mount "$WORK/m1"
is "the file is there" "$(cat "$WORK/m1/file")" one
check_fails any "an unknown option is refused" sheenctl up --dir "$WORK/c3" --nonsense
check "and makes nothing" test ! -e "$WORK/c3"
check_fails any "a port in use is refused" sheenctl up --dir "$WORK/c4" --mount "$WORK/m4" --port "$P1"
CLUSTERS+=("$WORK/c4")
finish
