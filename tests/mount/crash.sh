#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Daemons and clients are killed, stopped and restarted at random while fio, git, sqlite, locks and a model of names run on
# two mounts that nothing is done to. make soak-crash SECONDS=3600 SEED=n is the long version.
. "$(dirname "$0")/lib.sh"
requires_root
requires fio git sqlite3 umount
export SHEEN_BIN=$BIN
SEED=${CRASH_SEED:-$((RANDOM * 32768 + RANDOM))}
PORT=$(free_port) || die "no free ports"
MOUNTS+=("$WORK/a" "$WORK/b" "$WORK/c")
kept_logs() { # of a failed run, with its seed
	local to=$ROOT/build/test-logs/crash/$SEED
	mkdir -p "$to" && cp -r "$WORK"/logs "$WORK/out" "$to"/ && note "logs are kept in $to"
}
$PY "$ROOT/tests/crash/soak.py" "$WORK" "$PORT" "${CRASH_SECONDS:-15}" "$SEED" 2>&1 | tee "$WORK/out"
[ "${PIPESTATUS[0]}" = 0 ] && [ -z "${CRASH_KEEP_LOGS-}" ] || { fail "a round of faults, seed $SEED"; kept_logs; }
CHECKS=$(grep -c '^ok' "$WORK/out")
finish
