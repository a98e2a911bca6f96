#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Four processes on two mounts write interleaved records of 47,008 bytes into one shared file; every record carries a checksum.
. "$(dirname "$0")/lib.sh"
shared_cluster
N=150
[ "$SCALE" = soak ] && N=5000
for stripes in 1 4; do
	lfs setstripe -c $stripes -S 1M "$A/shared.$stripes" || fail "lfs setstripe"
	check "$stripes stripes: 4 x $N records are written, and read as written on both mounts" \
		$PY "$HERE/shared.py" $N "$A/shared.$stripes" "$B/shared.$stripes"
done
finish
