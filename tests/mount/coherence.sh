#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Histories of reads and writes from two and three mounts at once are linearizable (coherence.py). SECONDS_EACH: how long with two and with three;
# SCALE=soak: half an hour each. COHERENCE: other options of coherence.py, as --only Grown.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 2 --osts 2
TIME=${SECONDS_EACH:-5}
[ "$SCALE" = soak ] && TIME=${SECONDS_EACH:-1800}
C=$WORK/c
mount_sheen "$SOURCE" "$C" || die "the third mount fails"
CHECKER=${TEST_PROGRAMS:-$ROOT/build/tests/mount}/history
[ -x "$CHECKER" ] || die "$CHECKER is not built: run tests/mount/run"
SEED=${SEED:-$RANDOM}

run() { # SECONDS [OPTION]... MOUNT...
	local time=$1
	shift
	# shellcheck disable=SC2086
	"$PY" "$HERE/coherence.py" ${COHERENCE-} --checker "$CHECKER" --scratch "$WORK" --seconds "$time" --seed "$SEED" "$@"
}
mkdir -p "$WORK/l" "$A"/{two,three}/striped
lfs setstripe -c -1 -S 64K "$A"/{two,three}/striped || fail "lfs setstripe"
check "the checker finds nothing on a local file system" run 1 --round 1 --without Direct "$WORK/l" "$WORK/l"
check "three mounts, $TIME s" run "$TIME" {"$A","$B","$C"}/three
tail -n 2 "$WORK/.said"
check "two mounts, $TIME s" run "$TIME" {"$A","$B"}/two
tail -n 2 "$WORK/.said"
finish
