#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Targets on XFS: every POSIX call, and random operations, as on ext4.
. "$(dirname "$0")/lib.sh"
requires_root
P=${TEST_PROGRAMS:-$ROOT/build/tests/mount}/posix
[ -x "$P" ] || die "$P is not built: run tests/mount/run"
small_disk "$WORK/img" "$WORK/disk" 1G xfs
CDIR=$WORK/disk/cluster
start_cluster "$CDIR" "$WORK/a" --oss 1 --osts 2 || die "the cluster does not start"
mount_sheen "$SOURCE" "$WORK/b" -o "$MOUNT_OPTS_B" || die "the second mount fails"
A=$WORK/a
B=$WORK/b
mkdir "$A/p" "$A/r" "$WORK/r"
check "the POSIX cases hold" "$P" -o "$B/p" "$A/p"
check "2000 random operations" $PY "$HERE/randops.py" --seed 3 --ops 2000 --second "$B/r" "$A/r" "$WORK/r"
lfs setstripe -c 2 -S 64K "$A/two"
head -c 5000000 /dev/urandom >"$WORK/ref"
check "a striped file is written" cp "$WORK/ref" "$A/two"
check "and read" cmp "$WORK/ref" "$B/two"
check "the tables of the MDT fit together" mdt_is_sound
finish
