#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Daemons and clients that have nothing to do use no processor time, also after other clients have left.
. "$(dirname "$0")/lib.sh"
shared_cluster
SECS=3
[ "$SCALE" = soak ] && SECS=60
mapfile -t P < <({ pids_of ""; client_pid "$MA"; client_pid "$MB"; } | sort -u)
[ ${#P[@]} -ge 5 ] || fail "processes are found: ${P[*]-none}"
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
for i in 1 2 3 4 5; do
	check "a client comes and leaves" mount_sheen "$SOURCE" "$WORK/left$i" && unmount "$WORK/left$i"
done
sync
sleep 2 # what was written before settles: this is a measurement, not a wait for something
declare -A BEFORE
for p in "${P[@]}"; do BEFORE[$p]=$(ticks "$p"); done
sleep $SECS
for p in "${P[@]}"; do
	used=$(($(ticks "$p") - BEFORE[$p]))
	like "$(cat /proc/"$p"/comm) uses at most 1 % when idle ($used ticks in $SECS s)" "$used" \
		"^([0-$((SECS > 9 ? 9 : SECS))])$"
done
finish
