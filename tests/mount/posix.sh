#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every POSIX call with the result or errno that must come (tests/mount/posix/), on a local file system first: a case that fails
# there is a fault of the test.
. "$(dirname "$0")/lib.sh"
shared_cluster
P=${TEST_PROGRAMS:-$ROOT/build/tests/mount}/posix
[ -x "$P" ] || die "$P is not built: run tests/mount/run"
ARGS=()
[ "$SCALE" = soak ] && ARGS=(-s)

mkdir "$WORK/local"
check "the cases hold on the local disk" "$P" -c "$WORK/local"
chmod 755 "$A"
if "$P" ${ARGS[@]+"${ARGS[@]}"} -o "$B" "$A" >"$WORK/out" 2>&1; then
	cat "$WORK/out"
else
	cat "$WORK/out"
	fail "all cases hold on two mounts"
fi
CHECKS=$((CHECKS + 1))
finish
