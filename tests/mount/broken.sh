#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The test of the coherence test: clients that skip every fourth invalidation of one kind in their kernel (tests/mount/broken/) are
# caught within a minute; the same client that skips none is not.
. "$(dirname "$0")/lib.sh"
make -s -C "$ROOT" build/tests/sheen-broken >"$WORK/make.log" 2>&1 || { cat "$WORK/make.log"; die "the broken client is not built"; }
own_cluster --oss 2 --osts 2
CHECKER=${TEST_PROGRAMS:-$ROOT/build/tests/mount}/history
[ -x "$CHECKER" ] || die "$CHECKER is not built: run tests/mount/run"

# run DIRECTORY SECONDS KINDS: on a sound mount and on the broken client's.
run() {
	"$PY" "$HERE/coherence.py" --checker "$CHECKER" --scratch "$WORK" --seconds "$2" --round 1 --seed "${SEED:-$RANDOM}" --only "$3" \
		"$A/$1" "$WORK/mnt.$1/$1"
}
broken_mount() { # NAME
	mkdir -p "$A/$1/striped" "$WORK/mnt.$1" && lfs setstripe -c -1 -S 64K "$A/$1/striped" || die "the directories of $1"
	MOUNTS+=("$WORK/mnt.$1")
	SHEEN_SKIP=$1 timeout 90 "$ROOT/build/tests/sheen-broken" "$SOURCE" "$WORK/mnt.$1" || die "the mount of $1"
}
caught() { # NAME KINDS
	broken_mount "$1"
	START=$SECONDS
	check_fails 1 "a client that forgets $1 too seldom is caught" run "$1" 55 "$2"
	like "for what it shows" "$OUT" 'violations in'
	note "within $((SECONDS - START)) s: $(printf '%s\n' "$OUT" | grep -m 1 'no order')"
}
broken_mount none
check "one that forgets all is not" run none 2 Page,Mtime,Group,Name
caught pages Page
caught attributes Mtime,Group
caught names Name
finish
