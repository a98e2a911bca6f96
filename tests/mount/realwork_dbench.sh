#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dbench with four clients, as an ordinary user: on one mount, and two and two on two mounts of one file system at the same time,
# while each side walks through the other's files.
. "$(dirname "$0")/lib.sh"
requires dbench
shared_cluster
chmod 777 "$A"
T=4
[ "$SCALE" = soak ] && T=120
LOAD=$(ls /usr/share/dbench/client.txt /usr/share/doc/dbench/loadfiles/client.txt 2>/dev/null | head -n 1)
[ -n "$LOAD" ] || { for z in /usr/share/doc/dbench/loadfiles/client.txt.gz /usr/share/dbench/client.txt.gz; do
	[ -e "$z" ] && zcat "$z" >"$WORK/client.txt" && LOAD=$WORK/client.txt; done; }
[ -n "$LOAD" ] || skip "dbench has no load file"
check "dbench 4" as_user dbench -c "$LOAD" -D "$A" -t $T 4
mkdir "$A/a" "$A/b"
chmod 777 "$A/a" "$A/b"
# Files come and go under the walk; what it reads is looked at by dbench itself, and afterwards.
walk() { # DIRECTORY
	until [ -e "$WORK/over" ]; do
		find "$1" -type f -size -64k -exec cat {} + >/dev/null 2>&1
		ls -lR "$1" >/dev/null 2>&1
	done
}
both() {
	local ra rb walks
	walk "$B/a" &
	walks=$!
	walk "$A/b" &
	walks="$walks $!"
	as_user dbench -c "$LOAD" -D "$A/a" -t $T 2 >"$WORK/a.out" 2>&1 &
	ra=$!
	as_user dbench -c "$LOAD" -D "$B/b" -t $T 2 >"$WORK/b.out" 2>&1 &
	rb=$!
	wait $ra
	ra=$?
	wait $rb
	rb=$?
	: >"$WORK/over"
	# shellcheck disable=SC2086
	wait $walks
	tail -n 15 "$WORK/a.out" "$WORK/b.out"
	[ "$ra $rb" = "0 0" ]
}
check "dbench 2 on each of two mounts" both
same_bytes() { # on both mounts
	(cd "$A" && find . -type f -exec md5sum {} + | sort) >"$WORK/sums.a"
	(cd "$B" && find . -type f -exec md5sum {} + | sort) >"$WORK/sums.b"
	cmp "$WORK/sums.a" "$WORK/sums.b"
}
check "both mounts show the same files" same_bytes
check "its files are removed" sh -c 'rm -rf "$0"/* && test -z "$(ls -A "$1")"' "$A" "$B"
finish
