#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# soft.sh - mount option soft: while a server is stopped (SIGSTOP) operations end with EIO after timeo, and all is well when it
# goes on; the hard mount beside it waits.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
A=$WORK/soft
mkdir "$A"
MOUNTS+=("$A")
sheen "$SOURCE" "$A" -f -o soft,timeo=20 >"$WORK/soft.log" 2>&1 &
SERVERS+=($!)
check "a soft mount" until_true 30 is_mounted "$A"
like "the options are shown" "$(lctl get_param -n --mount "$A" 'llite.*.mount_options')" '^rw,.*,soft,timeo=20,'
like "those of the other mount, too" "$(lctl get_param -n --mount "$B" 'llite.*.mount_options')" '^rw,.*,hard,'
check_fails any "a timeo that is none is refused" mount.sheen "$SOURCE" "$WORK/none" -o soft,timeo=0
lfs setstripe -c 2 -S 1M "$A/f"
dd if=/dev/urandom of="$A/f" bs=1M count=8 status=none
mkdir "$A/d" "$A/e"
echo old >"$A/d/kept"
cp "$A/f" "$A/written"
sync "$A/f" "$A/written" "$A/d/kept"
cp "$A/f" "$WORK/f"
OSS=$(pids_of oss | tail -n 1)
MDS=$(pids_of mds | tail -n 1)
like "the servers' processes are known" "$OSS $MDS" '^[0-9]+ [0-9]+$'

# within "what" COMMAND...: fails with EIO after timeo (2 s) and before what a stuck one would take.
within() {
	local what=$1 begin end
	shift
	begin=$(date +%s%N)
	check_fails any "$what fails" "$@"
	end=$((($(date +%s%N) - begin) / 1000000))
	like "$what says EIO" "$OUT" 'Input/output error|Errno 5'
	check "$what took about timeo ($end ms)" test $end -ge 1500 -a $end -le 8000
}
silent() { grep "$1.*no answer for 2.0 s" "$WORK/soft.log"; }

# ---- an OSS ----
cat >"$WORK/direct.py" <<'P'
import mmap, os, sys
m = mmap.mmap(-1, 4096)
f = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
(os.preadv if sys.argv[2] == "read" else os.pwritev)(f, [m], 1 << 20)
P
cat >"$WORK/behind.py" <<'P'
import os, sys
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.pwrite(f, b"x" * 65536, 0)
print("written", flush=True)
sys.stdin.readline()
errors = []
for call in os.fsync, os.close:
    try:
        call(f)
    except OSError as e:
        errors.append(e.errno)
print(errors, flush=True)
sys.exit(errors[:1] != [5])
P
dd if="$A/f" of=/dev/null bs=1M iflag=direct status=none
check "a file is made whose bytes will be kept back" cp /dev/null "$A/behind"
kill -STOP "$OSS"
within "a read" $PY "$WORK/direct.py" "$A/f" read
# It was sent, so it may be made later: nobody knows what is there.
within "a write" $PY "$WORK/direct.py" "$A/written" write
check "what is kept back and cannot be sent is an error of fsync" timeout 30 $PY "$WORK/behind.py" "$A/behind"
check "names do not need the OSS" timeout 10 sh -c "ls '$A' >/dev/null && mkdir '$A/g' && rmdir '$A/g'"
like "the log names the targets" "$(silent OST)" 'lustre-OST000[01]: no answer'
dd if="$B/f" of="$WORK/hard" bs=1M iflag=direct status=none 2>"$WORK/hard.err" &
HARD=$!
PIDS+=($HARD)
within "another read" $PY "$WORK/direct.py" "$A/f" read
check "the hard mount still waits" kill -0 $HARD
kill -CONT "$OSS"
check "it has all, when the OSS goes on" wait $HARD
check "all of it" cmp "$WORK/f" "$WORK/hard"
check "the soft mount reads again" timeout 60 cmp "$WORK/f" "$A/f"
check "and writes again" timeout 60 sh -c "echo new >'$A/behind' && sync '$A/behind'"
is "the other mount sees it" "$(cat "$B/behind")" new
told_twice() { grep -oE 'OST0001: (no answer|answers again)' "$WORK/soft.log" | uniq -d; }
is "of each target it was told once that it is silent" "$(told_twice)" ""
mkdir "$B/other" && : >"$B/other/name"

# ---- the MDS ----
kill -STOP "$MDS"
within "a create" sh -c ">'$A/d/made'"
within "a mkdir" mkdir "$A/e/sub"
within "a look at a name that was not known before" stat "$A/other/name"
kill -CONT "$MDS"
check "names work again" timeout 60 sh -c "until ls '$A/d' >/dev/null; do sleep 0.1; done"
check "a create works again" timeout 60 sh -c "echo 1 >'$A/d/after' && sync '$A/d/after'"
look() { (cd "$1" && ls -l d e && cat d/kept d/after); }
same() { diff <(look "$A") <(look "$B"); }
check "both mounts see the same, what was given up included" until_true 20 same
kill_wait 9 "$MDS"
within "a create without any MDS" sh -c ">'$A/d/never'"
check "the MDS starts again" timeout 60 sheenctl up --dir "$CDIR"
check "a create works then" timeout 60 sh -c "until >'$A/d/again'; do sleep 0.1; done"
check_fails any "what was never sent was not done" stat "$B/d/never"
check "both mounts see the same in the end" until_true 20 same
finish
