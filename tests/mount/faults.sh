#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Calls of servers that can fail do so, once each, under load and at their start: nothing that was answered is lost, nobody hangs, a
# server that cannot go on says why. Here some, chosen at random; make fault-sweep has all.
. "$(dirname "$0")/lib.sh"
requires_root
requires umount
make -s -C "$ROOT" build/tests/fault_shim.so >"$WORK/make.log" 2>&1 || { cat "$WORK/make.log"; die "fault_shim.so is not built"; }
export SHEEN_BIN=$BIN
SEED=${FAULT_SEED:-$((RANDOM * 32768 + RANDOM))}
PORT=$(free_port) || die "no free ports"
MOUNTS+=("$WORK/a" "$WORK/b" "$WORK/m")
$PY "$ROOT/tests/crash/faults.py" "$WORK" "$PORT" "$ROOT/build/tests/fault_shim.so" "$SEED" ${FAULT_FULL:+full} 2>&1 | tee "$WORK/out"
[ "${PIPESTATUS[0]}" = 0 ] || { fail "failing calls, seed $SEED"; show_logs "$WORK/logs"; }
CHECKS=$(grep -c '^ok' "$WORK/out")
finish
