#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every server is killed and started again, idle and under load: clients reconnect and go on, nothing that was answered is lost.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 2 --osts 2
ROUNDS=1
[ "$SCALE" = soak ] && ROUNDS=10

cat >"$WORK/load.py" <<'P'
# Appends numbered lines to files and makes, renames and removes names, until told to stop; every answered step is checked after.
import os, sys
d, stop, started = sys.argv[1:]
n = 0
os.mkdir(d)
while not os.path.exists(stop):
    with open(f"{d}/log", "ab", buffering=0) as f:
        f.write(b"%09d\n" % n)
    p = f"{d}/f{n}"
    with open(p, "wb") as f:
        f.write(b"%d" % n * 1000)
    os.rename(p, p + ".done")
    if n >= 20:
        os.unlink(f"{d}/f{n - 20}.done")
    n += 1
    if n == 30:
        open(started, "w").close()
assert open(f"{d}/log", "rb").read() == b"".join(b"%09d\n" % i for i in range(n)), "the log"
want = sorted([f"f{i}.done" for i in range(max(0, n - 20), n)] + ["log"])
assert sorted(os.listdir(d)) == want, (sorted(os.listdir(d)), want)
for i in range(max(0, n - 20), n):
    assert open(f"{d}/f{i}.done", "rb").read() == b"%d" % i * 1000, i
print(n, "steps")
P
kill_and_up() { # NAME
	local pid
	pid=$(pids_of "$1" | tail -n 1)
	[ -n "$pid" ] || { fail "status names the $1"; return 1; }
	kill_wait KILL "$pid"
	timeout 120 sheenctl up --dir "$CDIR" --mount "$MA" >"$WORK/up.log" 2>&1 || { cat "$WORK/up.log"; return 1; }
}

dd if=/dev/urandom of="$WORK/ref" bs=1M count=16 status=none
lfs setstripe -c 4 -S 1M "$A/data"
cp "$WORK/ref" "$A/data"
for what in mgs mds oss; do
	check "the $what is killed and started, idle" kill_and_up $what
	check "data is read on the first mount" timeout 90 cmp "$WORK/ref" "$A/data"
	check "and on the second" timeout 90 cmp "$WORK/ref" "$B/data"
	check "a file is made" timeout 90 sh -c 'echo '$what' >"$0/after.'$what'"' "$B"
	is "and read" "$(timeout 60 cat "$A/after.$what")" "$what"
done
for round in $(seq $ROUNDS); do
	for what in mds oss mgs; do
		rm -f "$WORK"/stop "$WORK"/started.*
		$PY "$WORK/load.py" "$A/load.$what.$round" "$WORK/stop" "$WORK/started.a" >"$WORK/load.a" 2>&1 &
		LA=$!
		$PY "$WORK/load.py" "$B/loadb.$what.$round" "$WORK/stop" "$WORK/started.b" >"$WORK/load.b" 2>&1 &
		LB=$!
		PIDS+=($LA $LB)
		check "work is under way" until_true 30 test -e "$WORK/started.a" -a -e "$WORK/started.b"
		check "the $what is killed and started under load" kill_and_up $what
		check "clients go on" timeout 90 sh -c 'echo x >"$0/x" && rm "$1/x"' "$A" "$B"
		touch "$WORK/stop"
		wait $LA || { fail "the load on the first mount ends well ($what)"; tail -n 4 "$WORK/load.a"; }
		wait $LB || { fail "the load on the second mount ends well ($what)"; tail -n 4 "$WORK/load.b"; }
		note "$what: $(cat "$WORK/load.a") and $(cat "$WORK/load.b")"
	done
done

# An open, unlinked file survives an MDS restart, and so does a lock.
exec 9<>"$A/open"
echo content >&9
rm "$B/open"
check "the MDS is killed and started with an unlinked file open" kill_and_up mds
is "it is still there" "$(timeout 60 head -c 7 "/proc/$$/fd/9")" content
exec 9>&-

# So do locks: the client says after the restart what it holds.
echo x >"$A/locked"
cat >"$WORK/lock.py" <<'P'
import fcntl, os, sys
f = os.open(sys.argv[1], os.O_RDWR)
wait = 0 if sys.argv[2] == "hold" else fcntl.LOCK_NB
fcntl.lockf(f, fcntl.LOCK_EX | wait, 10, 5)
fcntl.flock(f, fcntl.LOCK_EX | wait)
print("locked", flush=True)
if sys.argv[2] == "hold":
    sys.stdin.read()
P
mkfifo "$WORK/in"
$PY "$WORK/lock.py" "$A/locked" hold <"$WORK/in" >"$WORK/out" 2>&1 &
HOLDER=$!
PIDS+=($HOLDER)
exec 7>"$WORK/in"
check "a process holds locks" until_true 20 grep -q locked "$WORK/out"
check_fails any "another mount cannot take them" $PY "$WORK/lock.py" "$B/locked" try
check "the MDS is killed and started" kill_and_up mds
check_fails any "the locks still hold" timeout 60 $PY "$WORK/lock.py" "$B/locked" try
exec 7>&-
wait $HOLDER
check "they are free when the process ends" until_true 20 $PY "$WORK/lock.py" "$B/locked" try

# Clean stops.
for what in mgs mds oss; do
	PID=$(pids_of $what | head -n 1)
	kill -TERM "$PID"
	check "SIGTERM ends the $what" until_true 30 gone "$PID"
done
check "everything starts again" timeout 120 sheenctl up --dir "$CDIR" --mount "$MA"
check "and all data is there" timeout 90 cmp "$WORK/ref" "$B/data"
check "the tables of the MDT fit together" mdt_is_sound
finish
