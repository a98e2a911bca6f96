#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A full OST: ENOSPC to the writer, everything else works, space comes back after rm. A full MDT: no new names, but reads, writes
# and removals go on.
. "$(dirname "$0")/lib.sh"
requires_root
D=$WORK/cluster
small_disk "$WORK/ost.img" "$WORK/ostdisk" 160M
small_disk "$WORK/mdt.img" "$WORK/mdtdisk" 128M
PORT=$(free_port)
NID=127.0.0.1@tcp:$PORT
FSNAME=full
mkdir -p "$D"
check "format" sh -c "
	mkfs.sheen --mgs $D/mgs &&
	mkfs.sheen --mdt --fsname=full --index=0 --mgsnode=$NID $WORK/mdtdisk/mdt &&
	mkfs.sheen --ost --fsname=full --index=0 --mgsnode=$NID $WORK/ostdisk/ost &&
	mkfs.sheen --ost --fsname=full --index=1 --mgsnode=$NID $D/ost1"
start() { # NAME PROGRAM ARGS...
	local name=$1
	shift
	"$@" >"$WORK/$name.log" 2>&1 &
	SERVERS+=($!)
}
start mgs sheen-mgs --foreground --listen "$NID" "$D/mgs"
start mds sheen-mds --foreground --listen 127.0.0.1@tcp:$((PORT + 1)) "$WORK/mdtdisk/mdt"
start oss sheen-oss --foreground --listen 127.0.0.1@tcp:$((PORT + 2)) "$WORK/ostdisk/ost" "$D/ost1"
SOURCE=$NID:/full
# A client waits five seconds for a file system to be born; this disk may be slower.
check "the MDT has joined" until_true 60 grep -q "full-MDT0000 joins" "$WORK/mgs.log"
check "mount" mount_sheen "$SOURCE" "$WORK/a"
check "mount again" mount_sheen "$SOURCE" "$WORK/b"
A=$WORK/a
B=$WORK/b
until_true 30 lfs setstripe -i 0 -c 1 "$A/probe" || fail "OST 0 takes files"
echo small >"$A/keep"

check "a file on the small OST" lfs setstripe -i 0 -c 1 "$A/fill"
OUT=$(dd if=/dev/zero of="$A/fill" bs=1M count=400 conv=notrunc 2>&1)
RC=$?
[ $RC != 0 ] || fail "writing 400 MiB to a disk of 160 MiB fails"
like "with ENOSPC" "$OUT" 'No space left'
SIZE=$(stat -c %s "$B/fill")
[ "$SIZE" -gt $((40 << 20)) ] || fail "most of the disk was used before: $SIZE"
check "what was written is read" sh -c 'head -c 40000000 "$0/fill" | tr -d "\0" | wc -c | grep -qx 0' "$B"
check "the other OST takes data" sh -c 'lfs setstripe -i 1 -c 1 "$0/other" && head -c 20000000 /dev/urandom >"$0/other"' "$A"
is "old files are read" "$(cat "$B/keep")" small
check "names are made and removed" sh -c 'mkdir "$0/d" && mv "$0/d" "$0/e" && rmdir "$0/e"' "$A"
shows_full() { lfs df "$A" | grep 'OST:0' | grep -Eq '(9[0-9]|100)%'; }
check "lfs df shows the full OST" until_true 20 shows_full
fills_elsewhere() { rm -f "$A/n"; echo x >"$A/n" && [ "$(lfs getstripe -i "$A/n")" = 1 ]; }
check "new files go to the OST with space" until_true 30 fills_elsewhere
check "rm of the big file" rm "$A/fill"
room() { [ "$(df -Pk "$WORK/ostdisk" | awk 'NR == 2 {print $4}')" -gt 100000 ]; }
check "its space comes back on the disk" until_true 60 room
again() { rm -f "$A/again"; lfs setstripe -i 0 -c 1 "$A/again" && head -c 30000000 /dev/zero >"$A/again"; }
check "and the OST takes data again" until_true 60 again

# the MDT: fill its disk from below, so that the database cannot grow
fallocate -l 200M "$WORK/mdtdisk/ballast" 2>/dev/null || dd if=/dev/zero of="$WORK/mdtdisk/ballast" bs=64k status=none 2>/dev/null
until ! dd if=/dev/zero of="$WORK/mdtdisk/ballast" bs=4k count=64 oflag=append conv=notrunc status=none 2>/dev/null; do :; done
mkdir "$A/many" 2>/dev/null
cat >"$WORK/fill.py" <<'P'
import errno, os, sys
d = sys.argv[1]
os.makedirs(d, exist_ok=True)
for i in range(200000):
    try:
        os.close(os.open(f"{d}/file{i}", os.O_CREAT | os.O_WRONLY))
    except OSError as e:
        print(i, errno.errorcode[e.errno])
        sys.exit(0 if e.errno == errno.ENOSPC else 1)
print("never")
sys.exit(1)
P
OUT=$(timeout 200 $PY "$WORK/fill.py" "$A" 2>&1)
like "creating files on a full MDT ends with ENOSPC" "$OUT" 'ENOSPC'
is "files are read" "$(timeout 30 cat "$B/keep")" small
check "files are written" timeout 30 sh -c 'echo more >>"$0/keep"' "$A"
check "names are listed" timeout 60 ls "$B"
check "files can be removed on a full MDT" timeout 60 rm "$A/n"
rm -f "$WORK/mdtdisk/ballast"
makes() { echo y >"$A/after"; }
check "with space on the disk, names are made again" until_true 60 makes
unmount "$WORK/b"
unmount "$WORK/a"
kill_wait TERM "${SERVERS[1]}"
check "the tables of the MDT fit together" timeout 120 sheen-mds --check "$WORK/mdtdisk/mdt"
finish
