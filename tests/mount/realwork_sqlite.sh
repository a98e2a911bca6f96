#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SQLite with four writing processes on two mounts: no lost row, no damaged page.
. "$(dirname "$0")/lib.sh"
requires sqlite3
shared_cluster
N=60
[ "$SCALE" = soak ] && N=2000
chmod 777 "$A"
DB=rows.db
check "a database is made" as_user sqlite3 "$A/$DB" "PRAGMA journal_mode=DELETE; CREATE TABLE t(who INTEGER, n INTEGER, pad TEXT, PRIMARY KEY(who, n));"
write_rows() { # WHO ROOT
	local i
	for i in $(seq $N); do
		echo "BEGIN IMMEDIATE; INSERT INTO t VALUES($1, $i, hex(randomblob(200))); UPDATE t SET pad = 'x' || pad WHERE who = $1 AND n = $i; COMMIT;"
	done | as_user sqlite3 -bail -cmd ".timeout 120000" "$2/$DB"
}
W=()
for w in 1 2 3 4; do
	[ $((w % 2)) = 1 ] && R=$A || R=$B
	write_rows $w "$R" >"$WORK/w$w" 2>&1 &
	W+=($!)
	PIDS+=($!)
done
for w in 0 1 2 3; do
	wait "${W[$w]}" || fail "writer $((w + 1)) ends well: $(tail -n 2 "$WORK/w$((w + 1))")"
	is "writer $((w + 1)) says nothing" "$(cat "$WORK/w$((w + 1))")" ""
done
is "all rows are there" "$(sqlite3 "$B/$DB" 'SELECT count(*) FROM t')" $((4 * N))
is "each has its content" "$(sqlite3 "$A/$DB" "SELECT count(*) FROM t WHERE length(pad) = 401 AND pad LIKE 'x%'")" $((4 * N))
is "the database is sound" "$(sqlite3 "$B/$DB" 'PRAGMA integrity_check')" ok
finish
