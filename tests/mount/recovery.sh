#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The MDS is started again while one client is missing: recovery_status tells whom it waits for, what the missing one cannot have in
# its way goes on, and abort_recovery ends the wait.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 1
MDT=$FSNAME-MDT0000
NID=127.0.0.1@tcp:$((PORT + 1))
status() { timeout 20 lctl get_param -n --nid "$NID" "mdt.$MDT.recovery_status"; }
says() { status | grep -Fq "$1"; }
one_line() { status | tr '\n' ' '; }
go_on() { kill -CONT "$(cat "$WORK/stopped" 2>/dev/null)" 2>/dev/null; }
trap 'rc=$?; go_on; (exit $rc); cleanup' EXIT

echo quiet >"$A/quiet"
is "the second mount sees it" "$(cat "$B/quiet")" quiet
touch "$A/locked"
(exec 9<>"$B/locked" && flock 9 && touch "$WORK/has.b" && exec sleep 600) &
HOLDER=$!
PIDS+=($HOLDER)
check "a process on the second mount has a lock" until_true 30 test -e "$WORK/has.b"
check "a new MDS has nobody to wait for" says "status: INACTIVE"
client_pid "$B" >"$WORK/stopped"
kill -STOP "$(cat "$WORK/stopped")"
kill_wait KILL "$(pids_of mds | tail -n 1)"
check "the MDS is started again" timeout 120 sheenctl up --dir "$CDIR" --mount "$MA"
check "one client comes back" until_true 20 says "connected_clients: 1/2"
like "it waits" "$(one_line)" '^status: RECOVERING .* time_remaining: [0-9]+ .* completed_clients: [01] .* missing_clients: \[ ".*" \]'
is "a file that nobody was writing is read" "$(timeout 8 cat "$A/quiet")" quiet
flock "$A/locked" touch "$WORK/has.a" &
PIDS+=($!)
check_fails any "an unknown target cannot be aborted" lctl --device nothing-MDT0000 abort_recovery --nid "$NID"
check "it still waits" says "status: RECOVERING"
check_fails 1 "and nobody gets a lock" test -e "$WORK/has.a"
check "recovery is aborted" lctl --device "$MDT" abort_recovery --nid "$NID"
check "the lock of the missing client is free" until_true 30 test -e "$WORK/has.a"
like "it is over" "$(one_line)" '^status: COMPLETE .* completed_clients: 1/2 evicted_clients: 1 '
check "the log names the missing one" grep -rq "did not come back before recovery was aborted: evicted" "$CDIR" --include='*.log'
check "another time it does no harm" lctl abort_recovery --nid "$NID" "$MDT"
check "nor on an OST, which never waits" lctl abort_recovery --nid "127.0.0.1@tcp:$((PORT + 2))" "$FSNAME-OST0000"
kill "$HOLDER"
go_on
is "the client that was missing goes on" "$(timeout 60 cat "$B/quiet")" quiet
finish
