#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Servers and clients start in any order and wait for each other; a client mounts with an OST away and uses it when it comes.
. "$(dirname "$0")/lib.sh"
requires_root
PORT=$(free_port)
FSNAME=order
NID=127.0.0.1@tcp:$PORT
check "format" sh -c "mkfs.sheen --mgs $WORK/mgs && mkfs.sheen --mdt --fsname=order --index=0 --mgsnode=$NID $WORK/mdt &&
	mkfs.sheen --ost --fsname=order --index=0 --mgsnode=$NID $WORK/ost0 && mkfs.sheen --ost --fsname=order --index=1 --mgsnode=$NID $WORK/ost1"
start() { # PROGRAM DIR PORT-OFFSET
	"$1" --foreground --listen 127.0.0.1@tcp:$((PORT + $3)) "$2" >"$WORK/${2##*/}.log" 2>&1 &
	SERVERS+=($!)
}
mount_sheen "$NID:/order" "$WORK/a" -o mount_timeout=60 >"$WORK/mount.log" 2>&1 &
MOUNT=$!
MOUNTS+=("$WORK/a") # the array of the subshell above is not ours
start sheen-oss "$WORK/ost0" 2
start sheen-mds "$WORK/mdt" 1
check "the MDS waits for the MGS" until_true 10 test -s "$WORK/mdt.log"
check "nothing is mounted yet" sh -c '! grep -q " $0 " /proc/self/mounts' "$WORK/a"
start sheen-mgs "$WORK/mgs" 0
wait $MOUNT || { fail "the mount that waited succeeds"; cat "$WORK/mount.log"; }
A=$WORK/a
written() { echo data >"$A/f"; }
check "a file is written" until_true 30 written
is "and read" "$(cat "$A/f")" data
is "one OST is there" "$(lfs osts "$A" | grep -c ACTIVE)" 1
start sheen-oss "$WORK/ost1" 3
two() { [ "$(lfs osts "$A" | grep -c ACTIVE)" = 2 ]; }
check "the second comes later" until_true 30 two
check "a file over both" sh -c 'lfs setstripe -c 2 -S 64K "$0/g" && head -c 1000000 /dev/urandom >"$0/g" && sync "$0/g"' "$A"
is "has two stripes" "$(lfs getstripe -c "$A/g")" 2
SUM=$(sha256sum <"$A/g")

# A mount with an OST away: it works, and what is on that OST waits for it.
OST1=${SERVERS[3]}
kill_wait TERM "$OST1"
check "mounting with an OST away" mount_sheen "$NID:/order" "$WORK/b"
is "other files are read" "$(timeout 20 cat "$WORK/b/f")" data
check "space is shown" timeout 30 df "$WORK/b"
check "and by lfs df" sh -c 'timeout 30 lfs df "$0" | grep -q "OST:0"' "$WORK/b"
timeout 90 sha256sum <"$WORK/b/g" >"$WORK/sum" &
READER=$!
start sheen-oss "$WORK/ost1" 3
wait $READER
is "a read of a file on it waits and gets all" "$(cat "$WORK/sum")" "$SUM"
finish
