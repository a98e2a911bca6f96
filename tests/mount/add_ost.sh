#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An OST joins a running file system and is used, by clients that are mounted already.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
is "two OSTs at first" "$(lfs osts "$MA" | grep -c ACTIVE)" 2
echo before >"$A/before"
check "a third is formatted" mkfs.sheen --ost --fsname="$FSNAME" --index=2 --mgsnode=127.0.0.1@tcp:"$PORT" "$WORK/ost2"
sheen-oss --foreground --listen 127.0.0.1@tcp:$((PORT + 8)) "$WORK/ost2" >"$WORK/ost2.log" 2>&1 &
SERVERS+=($!)
three() { [ "$(lfs osts "$1" 2>/dev/null | grep -c ACTIVE)" = 3 ]; }
check "the first mount sees it within 20 s" until_true 20 three "$MA"
check "the second too" until_true 20 three "$MB"
uses_it() {
	local i
	for i in 1 2 3 4 5 6; do
		rm -f "$A/new$i"
		echo data >"$A/new$i"
		[ "$(lfs getstripe -i "$A/new$i")" = 2 ] && return 0
	done
	return 1
}
check "new files go there" until_true 20 uses_it
check "a file over all OSTs has three stripes" lfs setstripe -c -1 -S 64K "$B/wide"
is "three" "$(lfs getstripe -c "$B/wide")" 3
head -c 3000000 /dev/urandom >"$WORK/ref"
check "it is written" cp "$WORK/ref" "$B/wide"
check "and read on the other mount" cmp "$WORK/ref" "$A/wide"
like "lfs df shows it" "$(lfs df "$MA")" 'OST:2\]'
is "what was there is there" "$(cat "$B/before")" before
is "objects lie on it" "$([ "$(find "$WORK/ost2" -type f -size +0 | wc -l)" -gt 1 ] && echo yes)" yes
finish
