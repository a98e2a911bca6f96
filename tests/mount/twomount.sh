#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What one mount does the other sees at once: names, attributes, data, locks.
. "$(dirname "$0")/lib.sh"
shared_cluster
$PY "$HERE/twomount.py" "$A" "$B" || fail "two mounts agree"
CHECKS=$((CHECKS + 1))
finish
