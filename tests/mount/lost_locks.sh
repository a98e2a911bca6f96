#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A client's daemon is stopped for longer than its session while processes on it hold locks; another mount takes these. When it goes on,
# what was locked is dead: reads and writes through these open files fail with EIO until they are closed. Everything else works.
. "$(dirname "$0")/lib.sh"
own_cluster
MDS_NID=127.0.0.1@tcp:$((PORT + 1))
lctl set_param -n --nid "$MDS_NID" "mdt.*.session_timeout=3" || fail "the session's time is set"
cat >"$WORK/holder.py" <<'P'
# Holds locks of each kind; after a line on stdin it says what works.
import errno, fcntl, os, struct, sys
d = sys.argv[1]
O = os.O_CREAT | os.O_RDWR
flock, posix, ofd, free, fresh = (os.open(d + "/" + n, O) for n in ("flock", "posix", "ofd", "free", "flock"))
for f in (flock, posix, ofd, free):
    os.pwrite(f, b"a" * 100, 0)
    os.fsync(f)
fcntl.flock(flock, fcntl.LOCK_EX)
fcntl.lockf(posix, fcntl.LOCK_EX, 10, 0)
OFD_SETLK = 37
def ofd_lock(f, kind):
    fcntl.fcntl(f, OFD_SETLK, struct.pack("hhqqi4x", kind, 0, 0, 10, 0))
ofd_lock(ofd, fcntl.F_WRLCK)
print("locked", flush=True)
sys.stdin.readline()
def said(what, fn, *args):
    try:
        fn(*args)
        r = "works"
    except OSError as e:
        r = errno.errorcode[e.errno]
    print(what, r, flush=True)
for name, f in (("flock", flock), ("posix", posix), ("ofd", ofd)):
    said(name + " write", os.pwrite, f, b"old", 0)
    said(name + " read", os.pread, f, 3, 0)
    said(name + " truncate", os.ftruncate, f, 5)
said("flock again", fcntl.flock, flock, fcntl.LOCK_SH | fcntl.LOCK_NB)
said("posix again", fcntl.lockf, posix, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 50)
said("flock unlock", fcntl.flock, flock, fcntl.LOCK_UN)
said("posix unlock", fcntl.lockf, posix, fcntl.LOCK_UN)
said("ofd unlock", ofd_lock, ofd, fcntl.F_UNLCK)
said("unlocked flock write", os.pwrite, flock, b"old", 0)
said("unlocked write", os.pwrite, free, b"new", 0)
said("other descriptor write", os.pwrite, fresh, b"new", 50)
for name, f in (("flock", flock), ("posix", posix), ("ofd", ofd)):
    said(name + " close", os.close, f)
f = os.open(d + "/flock", os.O_RDWR)
said("busy lock", fcntl.flock, f, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("asked", flush=True)
sys.stdin.readline()
said("fresh lock", fcntl.flock, f, fcntl.LOCK_EX)
said("fresh write", os.pwrite, f, b"new", 0)
said("fresh fsync", os.fsync, f)
print("ended", flush=True)
P
K=$WORK/k # in the foreground, so that its log can be read
mkdir "$K" "$A/d"
MOUNTS+=("$K")
sheen "$SOURCE" "$K" -f ${MOUNT_OPTS:+-o "$MOUNT_OPTS"} >"$WORK/k.log" 2>&1 </dev/null &
CP=$!
PIDS+=($CP)
until_true 30 test -d "$K/d" || die "the mount in the foreground fails"
mkfifo "$WORK/in"
exec 7<>"$WORK/in"
"$PY" "$WORK/holder.py" "$K/d" <"$WORK/in" >"$WORK/said" 2>&1 7<&- &
PIDS+=($!)
check "locks are held on the first mount" until_true 30 grep -q locked "$WORK/said"
check_fails 1 "and not given on the second" flock -n "$B/d/flock" true
kill -STOP "$CP"
exec 9<>"$B/d/flock"
check "the second gets the lock when the first has been away for longer than its session" timeout 30 flock 9
check "and writes" "$PY" -c 'import os, sys; f = os.open(sys.argv[1], os.O_RDWR); os.pwrite(f, b"b" * 10, 0); os.fsync(f)' "$B/d/flock"
echo go >&7
kill -CONT "$CP"
check "the first goes on" until_true 60 grep -q asked "$WORK/said"
for kind in flock posix ofd; do
	for op in write read truncate; do
		is "$kind: $op through the open file" "$(sed -n "s/^$kind $op //p" "$WORK/said")" EIO
	done
	is "$kind: unlock" "$(sed -n "s/^$kind unlock //p" "$WORK/said")" works
	is "$kind: close" "$(sed -n "s/^$kind close //p" "$WORK/said")" works
done
is "no new flock through it" "$(sed -n 's/^flock again //p' "$WORK/said")" EIO
is "no new fcntl lock through it" "$(sed -n 's/^posix again //p' "$WORK/said")" EIO
is "it stays so after an unlock" "$(sed -n 's/^unlocked flock write //p' "$WORK/said")" EIO
is "an open file that had no lock works" "$(sed -n 's/^unlocked write //p' "$WORK/said")" works
is "another one of the same file, too" "$(sed -n 's/^other descriptor write //p' "$WORK/said")" works
is "the lock is the other mount's" "$(sed -n 's/^busy lock //p' "$WORK/said")" EAGAIN
is "nothing of the first is in the file" "$(head -c 10 "$B/d/flock")" bbbbbbbbbb
exec 9<&-
echo go >&7
check "the first ends" until_true 60 grep -q ended "$WORK/said"
for op in lock write fsync; do
	is "a file opened again: $op" "$(sed -n "s/^fresh $op //p" "$WORK/said")" works
done
is "what was written under the new lock is there" "$(head -c 3 "$B/d/flock")" new
FID=$(lfs path2fid "$B/d/flock")
check "the log names the file" grep -qF "a lock on $FID" "$WORK/k.log"
exec 7>&-
finish
