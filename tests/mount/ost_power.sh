#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The machine of an OST loses its power: as long as its clients live nothing is lost, synced or not; what a dead client had not
# synced is, and a client that comes too late is told by fsync.
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
# What was synced is in the copy, and so is what the OST always syncs; the machine that starts is another one.
keep_synced() { rm -rf "$WORK/disk" && cp -a "$OST/O" "$WORK/disk"; }
lose_power() {
	kill_wait KILL "$(pids_of oss0 | tail -n 1)"
	cp -a "$OST/O/clients" "$OST/O/power" "$WORK/disk" || return 1
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
kept() { lctl get_param -n --mount "$1" "llite.*.unstable_stats" | awk '$1 == "unstable_bytes:" { print $2 }'; }
nothing_kept() { all_stable && [ "$(kept "$MA")$(kept "$MB")" = 00 ]; }
# The MDS is a client, too, once it has removed something.
waits_for_one() { param recovery_status | grep -q "connected_clients: 2/3"; }
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
check "a file of the other mount" dd if=/dev/urandom of="$B/g" bs=1M count=20 oflag=direct status=none
sum=$(md5sum <"$B/g")
check "the machine of the OST loses its power" lose_power
is "what was not synced is there" "$(tail -c +4097 "$B/f" | head -c 8)" unsynced
is "and so is the other file" "$(md5sum <"$A/g")" "$sum"
is "fsync has nothing to tell" "$(step fsync)" done
like "all clients came back" "$(param recovery_status)" "evicted_clients: 0"

check "the OST syncs at its pace" pace 100
before=$(writes)
is "a write that nobody syncs" "$(step write later 4096)" done
check "it comes to the OST, too" until_true 30 more_writes "$before"
check "it becomes stable by itself" until_true 30 all_stable
check "the clients ask, and keep nothing" until_true 30 nothing_kept
check "that is on the disk" keep_synced

# Under load from both mounts. The disk has nothing of it: clients do not ask for that before six seconds are over.
check "the OST syncs nothing by itself again" pace 0
loads=()
for m in A B; do
	( cd "${!m}" && for i in $(seq 20); do
		dd if=/dev/urandom of="load.$m.$i" bs=64k count=40 status=none || exit 1
		md5sum "load.$m.$i" >>"$WORK/sums.$m" || exit 1
	done ) &
	loads+=($!)
done
until_true 30 test -s "$WORK/sums.B"
check "power is lost under load" lose_power
for p in "${loads[@]}"; do check "nobody noticed" wait "$p"; done
check "what A wrote is there" sh -c "cd '$B' && md5sum -c --quiet '$WORK/sums.A'"
check "what B wrote is there" sh -c "cd '$A' && md5sum -c --quiet '$WORK/sums.B'"
like "some of it was sent again" "$(lctl get_param -n --mount "$A" "llite.*.unstable_stats")" "sent_again: [1-9]"

# A client that is gone takes what it had not synced along, and nobody waits longer than needed.
check "all of this gets stable" pace 100
check "it is, and the clients know" until_true 30 nothing_kept
check "the OST rests" pace 0
check "the disk has it" keep_synced
before=$(writes)
check "B writes" dd if=/dev/zero of="$B/gone" bs=4096 count=1 oflag=direct status=none
is "a write of A" "$(step write remains 8192)" done
check "both come to the OST" until_true 30 more_writes "$((before + 1))"
check "B's client dies" kill_wait KILL "$(client_pid "$MB")"
lose_power & up=$! # sheenctl waits until the target serves
read_remains() { tail -c +8193 "$A/f" | head -c 7 >"$WORK/remains"; }
read_remains & reader=$!
check "the target waits for B" until_true 30 waits_for_one
check "nobody needs to wait" lctl --device "$FSNAME-OST0000" abort_recovery --nid "$NID"
check "power was lost with it" wait "$up"
check "A goes on" wait "$reader"
is "with all that it wrote" "$(cat "$WORK/remains")" remains
like "one is missing" "$(param recovery_status)" "evicted_clients: 1"
exec {TO}>&-
finish
