#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One file, two mounts, all ways to read and write by turns, compared with a model (two_mounts_fsx.py). SECONDS_EACH: how long for each of the
# ways: with mappings that stay, whose stores other mounts see without msync, and with one made for each operation.
. "$(dirname "$0")/lib.sh"
shared_cluster
TIME=${SECONDS_EACH:-2}
[ "$SCALE" = soak ] && TIME=${SECONDS_EACH:-300}
SEED=${SEED:-$RANDOM}
check "the driver finds nothing on a local file system" "$PY" "$HERE/two_mounts_fsx.py" --seconds 1 --seed "$SEED" "$WORK/l" "$WORK/l"
for stripes in 1 3; do
	lfs setstripe -c $stripes -S 64K "$A/f$stripes" || fail "lfs setstripe"
	for maps in "" --maps; do
		check "$stripes stripes${maps:+, mappings stay}, $TIME s" "$PY" "$HERE/two_mounts_fsx.py" --seconds "$TIME" --seed "$SEED" $maps \
			"$A/f$stripes" "$B/f$stripes"
		tail -n 1 "$WORK/.said"
	done
done
finish
