#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What becomes of a client: killed, it leaves no locks and no unlinked data behind; unmounted, it ends; its mount never hangs.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
lctl set_param -n --nid "127.0.0.1@tcp:$((PORT + 1))" "mdt.*.session_timeout=12" || fail "the session's time is set"
blocks() { du -s --block-size=1 "$CDIR" | cut -f1; }

# A process on mount B holds a lock and an unlinked file of 20 MiB, then B's client is killed.
echo x >"$A/locked"
cat >"$WORK/hold.py" <<'P'
import fcntl, os, sys
d = sys.argv[1]
f = os.open(d + "/locked", os.O_RDWR)
fcntl.lockf(f, fcntl.LOCK_EX)
fcntl.flock(f, fcntl.LOCK_EX)
g = os.open(d + "/big", os.O_CREAT | os.O_RDWR)
os.write(g, os.urandom(20 << 20))
os.unlink(d + "/big")
print("ready", flush=True)
sys.stdin.read()
P
mkfifo "$WORK/in"
$PY "$WORK/hold.py" "$B" <"$WORK/in" >"$WORK/out" 2>&1 &
HOLDER=$!
PIDS+=($HOLDER)
exec 7>"$WORK/in"
check "the holder is ready" until_true 30 grep -q ready "$WORK/out"
cat >"$WORK/try.py" <<'P'
import fcntl, os, sys
f = os.open(sys.argv[1], os.O_RDWR)
fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
P
check_fails any "its locks hold" $PY "$WORK/try.py" "$A/locked"
FULL=$(blocks)
CP=$(client_pid "$MB")
like "the client's process is known" "$CP" '^[0-9]+$'
[ -n "$CP" ] && kill -9 "$CP"
check_fails any "its mount gives an error, not a hang" timeout 30 ls "$MB"
check "its locks are free within the session's timeout" until_true 90 $PY "$WORK/try.py" "$A/locked"
less() { [ "$(blocks)" -lt $((FULL - (15 << 20))) ]; }
check "the data of its unlinked file is reaped" until_true 90 less
exec 7>&-
wait "$HOLDER" 2>/dev/null # it has the dead mount's files open
check "the dead mount is taken away" unmount "$MB"
check "and comes back" mount_sheen "$SOURCE" "$MB"
is "it works" "$(cat "$B/locked")" x

# An unlinked file goes with its last close.
dd if=/dev/urandom of="$A/gone" bs=1M count=20 status=none
FULL=$(blocks)
exec 8<"$A/gone"
rm "$B/gone"
is "still readable" "$(head -c 1000000 <&8 | wc -c)" 1000000
exec 8<&-
check "its space comes back" until_true 60 less

# umount ends the process
CP=$(client_pid "$MB")
check "umount works" umount "$MB"
check "the client's process ends" until_true 30 gone "$CP"
# a busy mount refuses, and goes on
(cd "$MA" && check_fails any "umount of a busy mount is refused" umount "$MA")
check "and it still works" ls "$MA"
# SIGTERM unmounts cleanly
check "mount again" mount_sheen "$SOURCE" "$MB"
echo y >"$MB/y"
CP=$(client_pid "$MB")
kill -TERM "$CP"
check "SIGTERM ends the client" until_true 30 gone "$CP"
check "and leaves no dead mount" until_true 10 sh -c '! grep -q " $0 " /proc/self/mounts' "$MB"
is "nothing was lost" "$(cat "$MA/y")" y
check "the tables of the MDT fit together" mdt_is_sound
finish
