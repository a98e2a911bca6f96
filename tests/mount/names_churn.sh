#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A large directory is listed while names come and go through both mounts: what stays is listed exactly once, every time.
. "$(dirname "$0")/lib.sh"
shared_cluster
KEEPERS=3000
ROUNDS=8
[ "$SCALE" = soak ] && { KEEPERS=100000; ROUNDS=50; }
check "names that stay are always listed, once" $PY "$HERE/names_churn.py" "$A" "$B" "$KEEPERS" "$ROUNDS"
finish
