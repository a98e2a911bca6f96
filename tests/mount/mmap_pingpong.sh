#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Stores to a shared mapping on one mount are loads on the other, in their order (mmap_pingpong.py). PINGPONG_PLAIN=1: without msync, and the
# mappings stay. SECONDS_EACH: how long.
. "$(dirname "$0")/lib.sh"
shared_cluster
TIME=${SECONDS_EACH:-3}
[ "$SCALE" = soak ] && TIME=${SECONDS_EACH:-300}
pingpong() { "$PY" "$HERE/mmap_pingpong.py" --seconds "$@"; }
check "a local file, without msync" pingpong 1 --plain "$WORK/l" "$WORK/l"
for pages in 1 40; do
	lfs setstripe -c 2 -S 64K "$A/f$pages" || fail "lfs setstripe"
	check "$pages pages" pingpong "$TIME" --pages $pages ${PINGPONG_PLAIN:+--plain} "$A/f$pages" "$B/f$pages"
	tail -n 1 "$WORK/.said"
done
finish
