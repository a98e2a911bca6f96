#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dbench with four clients, as an ordinary user.
. "$(dirname "$0")/lib.sh"
requires dbench
shared_cluster
chmod 777 "$A"
T=8
[ "$SCALE" = soak ] && T=120
LOAD=$(ls /usr/share/dbench/client.txt /usr/share/doc/dbench/loadfiles/client.txt 2>/dev/null | head -n 1)
[ -n "$LOAD" ] || { for z in /usr/share/doc/dbench/loadfiles/client.txt.gz /usr/share/dbench/client.txt.gz; do
	[ -e "$z" ] && zcat "$z" >"$WORK/client.txt" && LOAD=$WORK/client.txt; done; }
[ -n "$LOAD" ] || skip "dbench has no load file"
check "dbench 4" as_user dbench -c "$LOAD" -D "$A" -t $T 4
check "its files are removed" sh -c 'rm -rf "$0"/clients && test -z "$(ls -A "$1")"' "$A" "$B"
finish
