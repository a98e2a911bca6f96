#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The process that serves a mount is killed again and again under load, and makes way to others: nobody who uses the mount notices.
. "$(dirname "$0")/lib.sh"
requires_root
requires fio
KEEP=keeper${MOUNT_OPTS:+,$MOUNT_OPTS}
own_cluster --oss 1 --osts 2
mount_sheen "$SOURCE" "$WORK/k" -o "$KEEP" || die "the mount with a keeper fails"
K=$WORK/k
keeper_of() { sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status"; }
SERVER=$(client_pid "$K")
KEEPER=$(keeper_of "$SERVER")
requests_come_by() { lctl get_param -n --mount "$K" 'llite.*.transport' | sed 's/ .*//'; }
BY=$(requests_come_by)
note "requests come by $BY"
is "the server has a keeper" "$(cat "/proc/$KEEPER/comm")" sheen-keeper
is_other() { NEXT=$(client_pid "$K"); [ -n "$NEXT" ] && [ "$NEXT" != "$SERVER" ]; }
next() { # SIGNAL
	kill "-$1" "$SERVER"
	timeout 30 stat "$K" >/dev/null && until_true 30 is_other || return 1
	SERVER=$NEXT
}

# ---- at rest ----
mkdir "$K/d"
echo before >"$K/d/f"
sync "$K/d/f"
exec 7<>"$K/d/f"
echo unlinked >"$K/d/u"
exec 8<>"$K/d/u"
sync "$K/d/u"
rm "$K/d/u"
exec 9>"$K/d/lock"
flock 9
check "it is killed, and another one serves" next KILL
is "names are there" "$(ls "$K/d")" "$(printf 'f\nlock')"
is "an open file can be read" "$(cat <&7)" before
is "one without a name, too" "$(cat <&8)" unlinked
echo more >&7
is "and written" "$(cat "$B/d/f")" "$(printf 'before\nmore')"
check_fails 1 "a lock holds on another mount" flock -n "$B/d/lock" true
check_fails 1 "and on this one" flock -n "$K/d/lock" true
is "requests come by the same way" "$(requests_come_by)" "$BY"
exec 9>&-
check "it can be given back" timeout 20 flock "$B/d/lock" true
check "it makes way" next USR2
is "an open file can still be read" "$(cat "/proc/$$/fd/7")" "$(printf 'before\nmore')"
exec 7>&- 8>&-

# ---- bytes that only the process had: they are there, or fsync says once that they are not ----
cat >"$WORK/lost.py" <<'P'
import errno, os, sys
f = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
os.write(f, b"x" * 5000)
print("written", flush=True)
sys.stdin.readline()
try:
    os.fsync(f)
    assert os.pread(f, 9999, 0) == b"x" * 5000
    print("there")
except OSError as e:
    assert e.errno == errno.EIO
    print("told")
os.pwrite(f, b"y", 7000)
os.fsync(f)
assert os.pread(f, 9999, 0)[7000:] == b"y"
os.close(f)
print("good")
P
mkfifo "$WORK/lost.in"
lose() { # SIGNAL
	"$PY" "$WORK/lost.py" "$K/lost.$1" <"$WORK/lost.in" >"$WORK/lost.out" 2>&1 &
	local p=$!
	PIDS+=($p)
	exec 7>"$WORK/lost.in"
	until_true 30 grep -q written "$WORK/lost.out"
	check "it gets SIG$1 after a write" next "$1"
	echo go >&7
	exec 7>&-
	wait $p
	is "the bytes are there, or fsync has told that they are not" "$(tail -n 1 "$WORK/lost.out")" good
}
lose KILL
lose USR2
is "nothing is lost when it makes way" "$(sed -n 2p "$WORK/lost.out")" there

# ---- under load ----
cat >"$WORK/names.py" <<'P'
import os, sys
d, stop = sys.argv[1], sys.argv[2]
os.mkdir(d)
n = 0
while not os.path.exists(stop):
    a, b, c = (d + "/" + x + str(n) for x in "abc")
    os.close(os.open(a, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.mkdir(b)
    os.link(a, c)
    assert os.stat(a).st_nlink == 2
    os.rename(a, b + "/x")
    assert sorted(os.listdir(b)) == ["x"]
    os.unlink(b + "/x")
    os.rmdir(b)
    os.unlink(c)
    assert not os.path.lexists(a)
    n += 1
assert os.listdir(d) == []
os.rmdir(d)
print("good", n)
P
cat >"$WORK/append.py" <<'P'
import os, sys
f = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_SYNC)
n = 0
while not os.path.exists(sys.argv[2]):
    assert os.write(f, b"%08d\n" % n) == 9
    n += 1
data = os.pread(f, 1 << 30, 0)
assert data == b"".join(b"%08d\n" % i for i in range(n)), (len(data), n)
print("good", n)
P
cat >"$WORK/locks.py" <<'P'
import fcntl, os, sys
f = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
c = os.open(sys.argv[1] + ".count", os.O_CREAT | os.O_RDWR | os.O_SYNC)
n = 0
while not os.path.exists(sys.argv[2]):
    if sys.argv[3] == "flock":
        fcntl.flock(f, fcntl.LOCK_EX)
    else:
        fcntl.lockf(f, fcntl.LOCK_EX)
    v = int(os.pread(c, 20, 0) or b"0")
    os.pwrite(c, b"%d" % (v + 1), 0)
    fcntl.flock(f, fcntl.LOCK_UN) if sys.argv[3] == "flock" else fcntl.lockf(f, fcntl.LOCK_UN)
    n += 1
print(n)
P
LOAD=()
start() { # NAME command...
	local name=$1
	shift
	"$@" >"$WORK/out.$name" 2>&1 </dev/null &
	PIDS+=($!)
	LOAD+=("$name:$!")
}
for i in 1 2; do
	start names$i "$PY" "$WORK/names.py" "$K/names$i" "$WORK/stop"
done
for kind in flock lockf; do
	for i in 1 2; do
		start $kind$i "$PY" "$WORK/locks.py" "$K/$kind" "$WORK/stop" $kind
	done
	start $kind.b "$PY" "$WORK/locks.py" "$B/$kind" "$WORK/stop" $kind
done
start append "$PY" "$WORK/append.py" "$K/append" "$WORK/stop"
FIO="--name=x --directory=$K --rw=randrw --bsrange=4k-256k --size=4m --numjobs=2 --direct=1 --verify=crc32c --verify_fatal=1 --verify_state_save=0"
# shellcheck disable=SC2086
check "files are made" fio $FIO --create_only=1
# shellcheck disable=SC2086
start fio fio $FIO --group_reporting --loops=1000 --time_based --runtime=6
KILLS=${KEEPER_KILLS:-8}
RANDOM=${SEED:-1}
for i in $(seq "$KILLS"); do
	"$PY" -c "import time; time.sleep(0.$((RANDOM % 900 + 100)))"
	sig=KILL
	[ $((i % 4)) = 0 ] && sig=USR2
	next $sig || { fail "server $i is not replaced"; break; }
done
touch "$WORK/stop"
for l in "${LOAD[@]}"; do
	name=${l%%:*}
	rc=0
	timeout 60 tail --pid="${l##*:}" -f /dev/null || fail "$name does not end"
	wait "${l##*:}" || rc=$?
	is "$name has seen no error" "$rc$([ $rc = 0 ] || tail -n 5 "$WORK/out.$name")" 0
done
for kind in flock lockf; do
	is "no two have had the lock ($kind)" "$(cat "$K/$kind.count")" \
		"$(($(cat "$WORK/out.${kind}1") + $(cat "$WORK/out.${kind}2") + $(cat "$WORK/out.$kind.b")))"
done
check "it can be unmounted" umount "$K"
check "the keeper ends with the mount" until_true 30 gone "$KEEPER"
check "and its last server" until_true 30 gone "$SERVER"

# ---- over io_uring, and while a file is open and locked ----
if [ -e /sys/module/fuse/parameters/enable_uring ]; then
	mount_sheen "$SOURCE" "$K" -o keeper,uring || die "the mount with a keeper and a ring fails"
	SERVER=$(client_pid "$K")
	is "requests come by io_uring" "$(requests_come_by)" io_uring
	exec 9>"$K/d/lock"
	flock 9
	for sig in KILL USR2 KILL; do
		kill -$sig "$SERVER" # requests of this moment may fail: the kernel hands them to a ring that is going
		check "it gets SIG$sig" until_true 30 is_other
		SERVER=$NEXT
		echo $sig >"$K/d/$sig"
		is "requests come by io_uring again" "$(requests_come_by) $(cat "$K/d/$sig")" "io_uring $sig"
		check_fails 1 "the lock holds" flock -n "$B/d/lock" true
	done
	KEEPER=$(keeper_of "$SERVER")
	check_fails any "it is in use" umount "$K"
	check "it can be detached" umount -l "$K"
	exec 9>&-
	check "and ends with its last user" until_true 30 gone "$KEEPER"
fi

# ---- by force ----
mount_sheen "$SOURCE" "$K" -o "$KEEP" || die "a mount with a keeper fails"
KEEPER=$(keeper_of "$(client_pid "$K")")
check "it can be unmounted by force" umount -f "$K"
check "which ends the keeper" until_true 30 gone "$KEEPER"

# ---- without keeper ----
mount_sheen "$SOURCE" "$K" -o "$KEEP" || die "the second mount with a keeper fails"
SERVER=$(client_pid "$K")
KEEPER=$(keeper_of "$SERVER")
kill -9 "$KEEPER"
check "when the keeper dies the mount lives on" ls "$K"
kill -9 "$SERVER"
until_true 30 gone "$SERVER"
check_fails any "and ends with its server" timeout 20 ls "$K"
umount -l "$K"
check "the MDT is sound" mdt_is_sound
finish
