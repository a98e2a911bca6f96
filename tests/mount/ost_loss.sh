#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The machine of an OSS loses its power under load, on a disk that loses or tears what was not flushed; clients and the MDS live, and
# notice nothing. make soak-ost-power is the long version.
. "$(dirname "$0")/lib.sh"
requires_root
requires mkfs.ext4 losetup
make -s -C "$ROOT" build/tests/disk_recorder >"$WORK/make.log" 2>&1 || { cat "$WORK/make.log"; die "disk_recorder is not built"; }
small_disk "$WORK/probe.img" "$WORK/probe" 16M # skips where there are no loop devices
export SHEEN_BIN=$BIN
SEED=${POWER_SEED:-$((RANDOM * 32768 + RANDOM))}
PORT=$(free_port) || die "no free ports"
MOUNTS+=("$WORK/disks" "$WORK/disk.mdt" "$WORK/disk.ost" "$WORK/a" "$WORK/b") # unmounted from the last
$PY "$ROOT/tests/crash/ostloss.py" "$WORK" "$PORT" "$ROOT/build/tests/disk_recorder" "${POWER_ROUNDS:-3}" "$SEED" 2>&1 | tee "$WORK/out"
[ "${PIPESTATUS[0]}" = 0 ] || { fail "a loss of power, seed $SEED"; show_logs "$WORK/logs"; }
for l in $(losetup -a | sed -n "s|^\([^:]*\):.*($WORK/.*|\1|p"); do losetup -d "$l"; done
CHECKS=$(grep -c '^ok' "$WORK/out")
finish
