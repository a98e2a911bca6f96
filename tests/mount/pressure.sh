#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Neither a server that stands still nor a client that stands still makes any process grow without bound; when they go on, all
# data is right.
. "$(dirname "$0")/lib.sh"
requires fio
own_cluster --oss 2 --osts 2
rss() { awk '/VmRSS/ {print $2}' "/proc/$1/status" 2>/dev/null || echo 0; }
MB_MAX=${MB_MAX:-400}
bounded() { # WHO PID
	local kb
	kb=$(rss "$2")
	[ "$kb" -lt $((MB_MAX * 1024)) ] && return 0
	fail "the $1 stays below $MB_MAX MiB: $kb KiB"
}
CA=$(client_pid "$MA")
CB=$(client_pid "$MB")
O=$(pids_of oss0 | head -n 1)
lfs setstripe -c 4 -S 1M "$A"
dd if=/dev/urandom of="$WORK/ref" bs=1M count=48 status=none

# An OSS stands still while eight writers push.
kill -STOP "$O"
W=()
for i in 1 2 3 4 5 6 7 8; do
	cp "$WORK/ref" "$A/w$i" &
	W+=($!)
	PIDS+=($!)
done
END=$((SECONDS + 4))
while [ $SECONDS -lt $END ]; do
	bounded "client" "$CA"
	sleep 0.2
done
check "others work meanwhile: names" timeout 20 mkdir "$B/dir"
kill -CONT "$O"
for i in "${W[@]}"; do wait "$i" || fail "a writer goes on"; done
for i in 1 2 3 4 5 6 7 8; do
	cmp -s "$WORK/ref" "$B/w$i" || fail "file $i is right"
done
check "all eight files are right" test $FAILED = 0

# A client stands still in the middle of many reads; servers must not pile data up for it.
for i in 1 2 3 4 5 6 7 8; do
	cat "$B/w$i" >/dev/null &
	PIDS+=($!)
done
kill -STOP "$CB"
END=$((SECONDS + 3))
while [ $SECONDS -lt $END ]; do
	for p in $(pids_of oss); do bounded "OSS" "$p"; done
	sleep 0.2
done
check "the other client reads" timeout 60 cmp "$WORK/ref" "$A/w1"
check "and writes" timeout 60 cp "$WORK/ref" "$A/w9"
kill -CONT "$CB"
check "the client goes on" timeout 60 cmp "$WORK/ref" "$B/w9"

# Very many requests in flight from one client.
check "256 requests of 1 MiB in flight" sh -c 'fio --name=q --directory="$0" --ioengine=libaio --direct=1 --iodepth=64 --numjobs=4 \
	--rw=randwrite --bs=1m --size=32m --minimal' "$A"
bounded "client" "$CA"
for p in $(pids_of oss); do bounded "OSS" "$p"; done
for p in $(pids_of mds); do bounded "MDS" "$p"; done
finish
