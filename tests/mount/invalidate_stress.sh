#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two mounts tell their kernels all the time what to forget, while processes read, map, write, rename, make and remove the same files: nothing
# hangs (invalidate_stress.py, which shows all stacks if something does). SECONDS_EACH: how long.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
TIME=${SECONDS_EACH:-10}
[ "$SCALE" = soak ] && TIME=${SECONDS_EACH:-1200}
DAEMONS=$({ client_pid "$MA"; client_pid "$MB"; pids_of ""; } | sort -un | tr '\n' ',')
like "the processes are known" "$DAEMONS" '^([0-9]+,){5,}$'
check "nothing hangs in $TIME s" "$PY" "$HERE/invalidate_stress.py" --seconds "$TIME" --stuck "${STUCK:-20}" --seed "${SEED:-$RANDOM}" \
	--daemons "$DAEMONS" "$A" "$B"
cp "$WORK/.said" "$WORK/stacks"
[ $FAILED = 0 ] || cat "$WORK/stacks" # all of them, not only the end
tail -n 1 "$WORK/stacks"
check "both mounts work" timeout 30 sh -c 'echo x >"$0/x" && cat "$1/x" && ls -lR "$0" "$1"' "$A" "$B"
finish
