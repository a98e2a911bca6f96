#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Stores to a shared mapping on one mount are loads on the other, in their order (mmap_pingpong.py): with msync and new mappings, and without msync,
# the mappings staying. SECONDS_EACH: how long each.
. "$(dirname "$0")/lib.sh"
shared_cluster
TIME=${SECONDS_EACH:-2}
[ "$SCALE" = soak ] && TIME=${SECONDS_EACH:-150}
pingpong() { "$PY" "$HERE/mmap_pingpong.py" --seconds "$@"; }
check "a local file, without msync" pingpong 1 --plain "$WORK/l" "$WORK/l"
for pages in 1 40; do
	lfs setstripe -c 2 -S 64K "$A/f$pages" || fail "lfs setstripe"
	for plain in "" --plain; do
		check "$pages pages${plain:+, without msync}" pingpong "$TIME" --pages $pages $plain "$A/f$pages" "$B/f$pages"
		tail -n 1 "$WORK/.said"
	done
done
finish
