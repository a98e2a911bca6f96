#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Random operations on a mount beside the same on the local disk: results, errno, names, attributes and data must be equal.
. "$(dirname "$0")/lib.sh"
shared_cluster
N=5000
SEEDS="1 2"
[ "$SCALE" = soak ] && { N=100000; SEEDS="${SEED:-$(date +%s)}"; }
for seed in $SEEDS; do
	mkdir "$A/$seed" "$WORK/$seed"
	check "$N operations with seed $seed" $PY "$HERE/randops.py" --seed "$seed" --ops "$N" \
		--second "$B/$seed" "$A/$seed" "$WORK/$seed"
done
finish
