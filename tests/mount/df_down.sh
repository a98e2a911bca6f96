#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# df_down.sh - df and lfs df answer while servers are away, and show which ones.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 2 --osts 1
lfs setstripe -c 2 "$A"
dd if=/dev/zero of="$A/f" bs=1M count=4 status=none
sync "$A/f"
total() { timeout 20 df -k --output=size "$1" | tail -n 1 | tr -d ' '; }
# quick "what" COMMAND...: ends with success within 4 s; its output in $OUT.
quick() {
	local what=$1 begin end
	shift
	begin=$(date +%s%N)
	OUT=$(timeout 20 "$@" 2>&1)
	is "$what answers" $? 0
	end=$((($(date +%s%N) - begin) / 1000000))
	check "$what does not wait ($end ms)" test $end -le 4000
}
show() { timeout 20 lfs df "$A" 2>&1; }
shows() { show | grep -Eq "$1"; }
ALL=$(total "$A")
like "df knows the size" "$ALL" '^[1-9][0-9]+$'
is "lfs df has three targets" "$(show | grep -c '_UUID')" 3
OSS=$(pids_of oss1 | tail -n 1)
MDS=$(pids_of mds | tail -n 1)
like "the servers' processes are known" "$OSS $MDS" '^[0-9]+ [0-9]+$'

kill -STOP "$MDS"
quick "df without an MDS" df -k "$A"
is "it says the same" "$(total "$A")" "$ALL"
quick "statfs(2) without an MDS" stat -f "$A"
like "lfs df shows that the MDT does not answer" "$(show)" '^MDT0000 *: Resource temporarily unavailable$'
is "and what the OSTs say" "$(show | grep -c 'OST000._UUID')" 2
kill -STOP "$OSS"
quick "df with one OSS left" df -k "$A"
check "it counts those who answer" test "$(total "$A")" -lt "$ALL" -a "$(total "$A")" -gt 0
like "lfs df shows the OST that does not answer" "$(show)" '^OST0001 *: Resource temporarily unavailable$'
kill -CONT "$MDS" "$OSS"
check "all are back" until_true 60 sh -c "[ \"\$(lfs df '$A' | grep -c _UUID)\" = 3 ]"
is "with the same size" "$(total "$A")" "$ALL"

kill_wait 9 "$OSS"
check "lfs df shows an OST that is gone" until_true 30 shows '^OST0001 *: '
quick "df without an OSS" df -k "$A"
kill_wait 9 "$MDS"
quick "df without an OSS and an MDS" df -k "$A"
check "the servers start again" timeout 60 sheenctl up --dir "$CDIR"
check "all are back again" until_true 60 sh -c "[ \"\$(lfs df '$A' | grep -c _UUID)\" = 3 ]"

check "an OST is switched off for this client" lctl set_param --mount "$A" 'osc.*OST0001*.active=0'
check_fails any "lfs df leaves it out" shows OST0001
like "lfs df -v shows it" "$(timeout 20 lfs df -v "$A")" '^OST0001 *: inactive device$'
check "df leaves it out" test "$(total "$A")" -lt "$ALL"
check "the OST is switched on" lctl set_param --mount "$A" 'osc.*OST0001*.active=1'
is "it counts again" "$(total "$A")" "$ALL"
finish
