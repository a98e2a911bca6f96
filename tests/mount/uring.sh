#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# FUSE over io_uring: that it is used, real work over it, locks that wait for each other with few entries, killed and interrupted processes, the
# ends of a mount under load, and what happens where the kernel does not offer it.
. "$(dirname "$0")/lib.sh"
requires_root
requires fio taskset
SWITCH=/sys/module/fuse/parameters/enable_uring
[ -e $SWITCH ] || skip "this kernel has no FUSE over io_uring ($SWITCH)"
WAS=$(cat $SWITCH)
echo Y >$SWITCH 2>/dev/null || skip "$SWITCH cannot be changed"
restore() {
	local rc=$?
	echo "$WAS" >$SWITCH
	return $rc
}
trap 'restore; cleanup' EXIT
trap 'restore; exit 1' INT TERM HUP
MOUNT_OPTS=uring=2
MOUNT_OPTS_B=uring=2
own_cluster --oss 1 --osts 2
transport() { lctl get_param -n --mount "$1" 'llite.*.transport'; }
like "the mount uses it" "$(transport "$MA")" '^io_uring lanes=[0-9]+ queues=[0-9]+ entries=[0-9]+$'

# ---- data ----
check "what two mounts write in all ways is what a model says" "$PY" "$HERE/two_mounts_fsx.py" --seconds 2 --seed 5 --maps "$A/fsx" "$B/fsx"
check "8 processes read and write at random" fio --name=x --directory="$A" --rw=randrw --bsrange=512-512k --size=2m --numjobs=8 --verify=crc32c \
	--verify_fatal=1 --verify_state_save=0 --group_reporting --output="$WORK/fio"
check "past the page cache, too" fio --name=y --directory="$A" --rw=randrw --bsrange=4k-1m --size=4m --numjobs=4 --direct=1 --verify=crc32c \
	--verify_fatal=1 --verify_state_save=0 --group_reporting --output="$WORK/fio"
head -c 65536 /dev/urandom >"$WORK/value"
$PY - "$A" "$WORK/value" <<'P' >"$WORK/large" 2>&1
import os, sys
d, value = sys.argv[1], open(sys.argv[2], "rb").read()
f = d + "/large"
open(f, "w").close()
os.setxattr(f, "user.v", value)
assert os.getxattr(f, "user.v") == value
os.mkdir(d + "/names")
names = ["n%04d" % i + "x" * 200 for i in range(1500)]
for n in names:
    os.close(os.open(d + "/names/" + n, os.O_CREAT | os.O_WRONLY))
assert sorted(os.listdir(d + "/names")) == names
assert sum(e.stat().st_size for e in os.scandir(d + "/names")) == 0
print("good")
P
is "large attributes and listings" "$(tail -n 1 "$WORK/large")" good

# ---- locks: more wait on one CPU than there are entries, and who gives it back is on that CPU, too ----
cat >"$WORK/locks.py" <<'P'
import fcntl, os, signal, sys, time
path, n = sys.argv[1], 60
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
f = os.open(path, os.O_CREAT | os.O_RDWR)
fcntl.lockf(f, fcntl.LOCK_EX)
count = os.open(path + ".count", os.O_CREAT | os.O_RDWR)
r, w = os.pipe()
children = []
for i in range(n):
    p = os.fork()
    if p == 0:
        g = os.open(path, os.O_RDWR)
        os.write(w, b"x")
        fcntl.lockf(g, fcntl.LOCK_EX)
        v = int(os.pread(count, 20, 0) or b"0")
        os.pwrite(count, b"%d" % (v + 1), 0)
        fcntl.lockf(g, fcntl.LOCK_UN)
        os._exit(0)
    children.append(p)
have = 0
while have < n:
    have += len(os.read(r, n))
fcntl.lockf(f, fcntl.LOCK_UN)
for p in children:
    assert os.waitpid(p, 0)[1] == 0
print(os.pread(count, 20, 0).decode())
P
is "60 processes get a lock in turn" "$(timeout 60 $PY "$WORK/locks.py" "$A/lock")" 60
like "the rings have grown" "$(transport "$MA")" 'entries=([5-9][0-9]|[1-9][0-9]{2,})$'

# ---- signals ----
cat >"$WORK/alarm.py" <<'P'
import fcntl, os, signal, sys
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring)
f = os.open(sys.argv[1], os.O_RDWR)
for cpu in sorted(os.sched_getaffinity(0)) * 3:
    os.sched_setaffinity(0, [cpu])
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        fcntl.lockf(f, fcntl.LOCK_EX)
        sys.exit("got a lock that another client has")
    except Alarm:
        pass
print("good")
P
mkfifo "$WORK/hold"
$PY -c 'import fcntl, sys; f = open(sys.argv[1], "r+"); fcntl.lockf(f, fcntl.LOCK_EX); print("has it", flush=True); sys.stdin.read()' "$B/lock" \
	<"$WORK/hold" >"$WORK/held" &
PIDS+=($!)
exec 7>"$WORK/hold"
check "another client has the lock" until_true 30 grep -q "has it" "$WORK/held"
is "a signal ends the waiting for a lock" "$(timeout 60 $PY "$WORK/alarm.py" "$A/lock")" good
exec 7>&-

# ---- processes that are killed while a server does not answer; their requests lie in the ring ----
OSS=$(pids_of oss | tail -n 1)
dd if=/dev/urandom of="$A/f" bs=1M count=8 conv=fsync status=none
sum=$(md5sum <"$A/f")
blocked() { grep -q fuse "/proc/$1/wchan" "/proc/$1/stack" 2>/dev/null; }
kill -STOP "$OSS"
check "the OSS stands still" until_true 10 grep -q "^State:.*stopped" "/proc/$OSS/status"
KILLED=()
for i in 1 2 3; do
	dd if=/dev/zero of="$A/g$i" bs=4M count=1 oflag=direct status=none 2>/dev/null &
	KILLED+=($!)
	dd if="$A/f" of=/dev/null bs=4M count=1 iflag=direct status=none 2>/dev/null &
	KILLED+=($!)
done
PIDS+=("${KILLED[@]}")
for p in "${KILLED[@]}"; do check "process $p waits" until_true 30 blocked "$p"; done
kill -9 "${KILLED[@]}"
wait "${KILLED[@]}" 2>/dev/null
for p in "${KILLED[@]}"; do check "and ends when it is killed" gone "$p"; done
kill -CONT "$OSS"
is "their memory was not given to others" "$(timeout 60 dd if="$A/f" bs=4M iflag=direct status=none | md5sum)" "$sum"

# ---- ends ----
load() { # DIR: until it fails
	local f=$1/load.$BASHPID
	while echo x >"$f" && cat "$f" && dd if=/dev/zero of="$f.big" bs=1M count=4 && rm "$f.big"; do :; done >/dev/null 2>&1
}
P=$(client_pid "$MB")
for i in 1 2 3; do load "$B" & PIDS+=($!); done
check "under load it can be unmounted lazily" umount -l "$MB"
kill "${PIDS[@]:${#PIDS[@]}-3}" 2>/dev/null
check "and the client ends" until_true 30 gone "$P"
mount_sheen "$SOURCE" "$MB" -o uring || die "it cannot be mounted again"
P=$(client_pid "$MB")
for i in 1 2 3; do load "$B" & PIDS+=($!); done
kill -9 "$P"
check "the client is killed under load, and who used it gets an error" until_true 30 gone "$P"
for p in "${PIDS[@]:${#PIDS[@]}-3}"; do check "process $p ends" until_true 30 gone "$p"; done
dead() { ! ls "$1/"; }
check "the kernel takes note when the ring is gone" until_true 30 dead "$MB"
check "the dead mount can be taken away" umount "$MB"
mount_sheen "$SOURCE" "$MB" -o uring || die "it cannot be mounted after that"
is "the other mount's files are there" "$(md5sum <"$B/f")" "$sum"
check "umount" timeout 60 umount "$MB"

# ---- without ----
echo N >$SWITCH
mount_sheen "$SOURCE" "$MB" -o nouring
like "nouring" "$(transport "$MB")" '^/dev/fuse lanes='
is "leaves the switch alone" "$(cat $SWITCH)" N
umount "$MB"
mount_sheen "$SOURCE" "$MB"
like "by default a mount uses it" "$(transport "$MB")" '^io_uring'
is "and has switched it on" "$(cat $SWITCH)" Y
umount "$MB"
# In a mount namespace where the switch is off and stays so.
echo N >"$WORK/off"
refused() { # FILE [OPTION...]: what the mount says; its transport in FILE.transport
	unshare -m bash -c 'mount --bind -o ro "$1" "$2" && mount.sheen "$3" "$4" "${@:6}" >"$5" 2>&1
		lctl get_param -n --mount "$4" "llite.*.transport" >"$5.transport"; umount "$4"' - "$WORK/off" $SWITCH "$SOURCE" "$MB" "$@"
}
refused "$WORK/quiet"
is "nobody asked for it: not a word" "$(cat "$WORK/quiet")" ""
like "and /dev/fuse is used" "$(cat "$WORK/quiet.transport")" '^/dev/fuse lanes='
refused "$WORK/loud" -o uring
like "who asks for it is told what to do" "$(cat "$WORK/loud")" "echo Y > $SWITCH"
like "and gets /dev/fuse" "$(cat "$WORK/loud.transport")" '^/dev/fuse lanes='
finish
