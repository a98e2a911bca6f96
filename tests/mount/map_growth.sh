#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The MDT's database outgrows its map again and again while two mounts work: nobody notices, also when the MDS is killed meanwhile
# and starts with a map that is smaller than its data.
. "$(dirname "$0")/lib.sh"
requires_root
N=20000
[ "$SCALE" = soak ] && N=120000
PORT=$(free_port) || die "no free ports"
NID=127.0.0.1@tcp:$PORT
FSNAME=grow
format() { mkfs.sheen --fsname=grow --index=0 --mgsnode="$NID" -q "$@"; }
check "format" eval 'mkfs.sheen --mgs -q "$WORK/mgs" && format --mdt "$WORK/mdt" && format --ost "$WORK/ost"'
serve() { # PROGRAM DIR PORT-OFFSET [OPTION...]: sets PID
	local program=$1 dir=$2 at=$3
	shift 3
	"$program" --foreground --listen 127.0.0.1@tcp:$((PORT + at)) "$@" "$dir" >>"$dir.log" 2>&1 &
	PID=$!
	SERVERS+=($PID)
}
serve sheen-mgs "$WORK/mgs" 0
# 128 MiB are kept free above what is used, so this one has to grow before it holds 2 MiB.
serve sheen-mds "$WORK/mdt" 1 --set mdt.grow-MDT0000.map_mb=129
MDS=$PID
serve sheen-oss "$WORK/ost" 2
# A client waits five seconds for a file system to be born; on a busy machine that may take longer.
check "the targets have joined" until_true 60 sh -c 'grep -q "grow-MDT0000 joins" "$0" && grep -q "grow-OST0000 joins" "$0"' "$WORK/mgs.log"
check "mount" mount_sheen "$NID:/grow" "$WORK/a" -o "${MOUNT_OPTS:-rw}"
check "mount again" mount_sheen "$NID:/grow" "$WORK/b" -o "${MOUNT_OPTS:-rw}"
map_mb() {
	lctl get_param --nid "127.0.0.1@tcp:$((PORT + 1))" -n mdt.grow-MDT0000.store_stats |
		awk '$1 == "map_bytes:" { print int($2 / 1048576) }'
}
mkdir "$WORK/a/d"
is "the map is small at first" "$(map_mb)" 129
$PY "$HERE/map_growth.py" fill $N "$WORK/a/d" "$WORK/b/d" >"$WORK/fill.log" 2>&1 &
FILL=$!
PIDS+=($FILL)
twice_or_over() { [ "$(map_mb)" -ge 516 ] || gone $FILL; }
check "it grows twice while two mounts make files" until_true 300 twice_or_over
check "and they are still at it" kill -0 $FILL
kill_wait KILL $MDS
serve sheen-mds "$WORK/mdt" 1 --set mdt.grow-MDT0000.map_mb=1
MDS=$PID
wait $FILL || fail "no operation fails: $(cat "$WORK/fill.log")"
check "it has grown again" test "$(map_mb)" -ge 1000
check "every name and attribute is there on both mounts" $PY "$HERE/map_growth.py" check $N "$WORK/a/d" "$WORK/b/d"
unmount "$WORK/a"
unmount "$WORK/b"
kill_wait TERM $MDS
check "the tables of the MDT fit together" timeout 300 sheen-mds --check "$WORK/mdt"
finish
