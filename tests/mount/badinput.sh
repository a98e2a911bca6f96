#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Random, truncated and oversized frames at every port: the connection is closed with one log line, everybody else is served on.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 2 --osts 2
echo data >"$A/file"
ports() { for p in $(seq "$PORT" $((PORT + 9))); do port_busy "$p" && echo "$p"; done; }
PORTS=$(ports | tr '\n' ' ')
[ "$(echo $PORTS | wc -w)" -ge 4 ] || fail "four servers listen: $PORTS"
N=40
[ "$SCALE" = soak ] && N=2000
rss() { for p in $(pids_of ""); do awk '/VmRSS/ {print $2}' /proc/"$p"/status; done | sort -n | tail -n 1; }
BEFORE=$(pids_of "" | tr '\n' ' ')
RSS=$(rss)
check "bad frames at ports $PORTS close their connections" $PY "$HERE/badframes.py" "$N" $PORTS
is "every server lives" "$(pids_of "" | tr '\n' ' ')" "$BEFORE"
is "the mount reads" "$(timeout 30 cat "$B/file")" data
check "the mount writes" timeout 30 sh -c 'echo more >"$0/file2"' "$A"
NOW=$(rss)
[ "$NOW" -lt $((RSS + 200000)) ] || fail "memory does not grow: from $RSS to $NOW KiB"
lines() { cat $(find "$CDIR" -name '*.log') 2>/dev/null | grep -ciE 'closed|frame|magic|protocol|version|bad|too large|crc'; }
[ "$(lines)" -gt 0 ] || fail "the logs say why connections were closed"
[ "$(lines)" -le $((N * 5 * 12 + 200)) ] || fail "one log line for each bad connection: $(lines)"
finish
