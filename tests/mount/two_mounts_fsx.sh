#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One file, two mounts, all ways to read and write by turns, compared with a model (two_mounts_fsx.py). SECONDS_EACH: how long for each of the
# layouts. FSX_MAPS=1: mappings stay, and other mounts see stores to them without msync.
. "$(dirname "$0")/lib.sh"
shared_cluster
TIME=${SECONDS_EACH:-4}
[ "$SCALE" = soak ] && TIME=${SECONDS_EACH:-600}
SEED=${SEED:-$RANDOM}
check "the driver finds nothing on a local file system" "$PY" "$HERE/two_mounts_fsx.py" --seconds 1 --seed "$SEED" "$WORK/l" "$WORK/l"
for stripes in 1 3; do
	lfs setstripe -c $stripes -S 64K "$A/f$stripes" || fail "lfs setstripe"
	check "$stripes stripes, $TIME s" "$PY" "$HERE/two_mounts_fsx.py" --seconds "$TIME" --seed "$SEED" ${FSX_MAPS:+--maps} \
		"$A/f$stripes" "$B/f$stripes"
	tail -n 1 "$WORK/.said"
done
finish
