#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The machine of an OST loses its power: what was synced, or had the time to become stable, is there; fsync says what is lost.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 1
NID=127.0.0.1@tcp:$((PORT + 2))
OBD=obdfilter.$FSNAME-OST0000
OST=$(find "$CDIR" -path '*/O/power' -printf '%h\n' | sed 's|/O$||')
param() { timeout 20 lctl get_param -n --nid "$NID" "$OBD.$1"; }
# In this test the disk gets what somebody asks for, else nothing.
pace() { timeout 20 lctl set_param --nid "$NID" "$OBD.stable_ms=$1"; }
all_stable() { param changes | awk '{ v[$1] = $2 } END { exit v["changes:"] != v["stable:"] }'; }
writes() { timeout 20 lctl get_param -n --nid "$NID" "$OBD.stats" | awk '$1 == "write_bytes" { n = $2 } END { print n + 0 }'; }
more_writes() { [ "$(writes)" -gt "$1" ]; }
# What was synced is in the copy; the machine that starts is another one.
keep_synced() { rm -rf "$WORK/disk" && cp -a "$OST/O" "$WORK/disk"; }
lose_power() {
	kill_wait KILL "$(pids_of oss0 | tail -n 1)"
	rm -rf "$OST/O" && cp -a "$WORK/disk" "$OST/O" || return 1
	sed -i 's/ [0-9a-f-]\{36\} / 00000000-0000-0000-0000-000000000000 /' "$OST/O/power"
	timeout 120 sheenctl up --dir "$CDIR" --mount "$MA" >"$WORK/up.log" 2>&1 || { cat "$WORK/up.log"; return 1; }
}
cat >"$WORK/steps.py" <<'P'
import os, sys
f = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
for line in sys.stdin:
    step = line.split()
    try:
        if step[0] == "write":
            os.pwrite(f, step[1].encode(), int(step[2]))
        else:
            os.fsync(f)
        print("done", flush=True)
    except OSError as e:
        print(os.strerror(e.errno), flush=True)
P
coproc STEPS { $PY "$WORK/steps.py" "$A/f"; }
exec {TO}>&"${STEPS[1]}" {FROM}<&"${STEPS[0]}"
step() { echo "$*" >&"$TO"; read -r -t 60 answer <&"$FROM"; echo "$answer"; }

check "the OST syncs nothing by itself" pace 0
is "a write" "$(step write synced 0)" done
is "a sync" "$(step fsync)" done
check "this is on the disk" keep_synced
before=$(writes)
is "another write" "$(step write unsynced 4096)" done
check "it comes to the OST" until_true 30 more_writes "$before"
check "the machine of the OST loses its power" lose_power
is "fsync tells" "$(step fsync)" "Input/output error"
is "once" "$(step fsync)" done
is "what was synced is there" "$(head -c 6 "$B/f")" synced
is "the rest is not" "$(stat -c %s "$OST"/O/*/*/*)" 6

check "the OST syncs at its pace" pace 100
before=$(writes)
is "a write that nobody syncs" "$(step write later 4096)" done
check "it comes to the OST, too" until_true 30 more_writes "$before"
check "it becomes stable by itself" until_true 30 all_stable
check "that is on the disk" keep_synced
check "power is lost again" lose_power
is "it is there" "$(tail -c +4097 "$B/f" | head -c 5)" later
exec {TO}>&-
finish
