#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A directory that another mount has moved: renames to and from its new name, and the one exception that docs/posix.md tells of,
# which is the kernel's and never gets to the MDS.
. "$(dirname "$0")/lib.sh"
shared_cluster
MDS=$(lctl get_param -n --mount "$MA" 'mdc.*.import' | sed -n 's/.*current_connection: "\(.*\)"/\1/p')
like "the address of the MDS" "$MDS" '@tcp:'
renames() { lctl get_param -n --nid "$MDS" 'mdt.*.rpc_stats' | awk '$1 == "rename" { print $2 }'; }
for used in 0 1; do
	for cross in 0 1; do
		for target in 0 1; do
			for look in 0 1; do
				case="in use: $used, two parents: $cross, new name is target: $target, looked at before: $look"
				BEFORE=$(renames)
				SAID=$($PY "$HERE/moved_dirs.py" $used $cross $target $look "$A" "$B" 2>&1)
				N=$(($(renames) - BEFORE))
				if [ "$used $cross $look" = "1 1 0" ] && [ "$SAID" = ESTALE ]; then
					note "ESTALE: $case"
				else
					is "$case" "$SAID" ok
				fi
				# Mount A's and one of mount B's: what failed was not sent.
				is "renames at the MDS" "$N" 2
			done
		done
	done
done
finish
