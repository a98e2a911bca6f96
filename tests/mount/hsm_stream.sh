#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who reads a released file has his bytes when they are there, wherever in it they are, and not when all of it is; and never others,
# whatever becomes of the mover and of an OST meanwhile.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
. "$HERE/hsm_lib.sh"
$PY "$HERE/hold_proxy.py" "$AZURITE" "$WORK/proxy.port" "$WORK/hold" >"$WORK/proxy" 2>&1 &
PIDS+=($!)
until_true 20 test -s "$WORK/proxy.port" || die "the proxy starts"
URL=http://127.0.0.1:$(cat "$WORK/proxy.port")/devstoreaccount1
mover first
lfs setstripe -c 2 -S 1M "$A" || fail "files have two stripes"
MB=$((1 << 20))
head -c $((40 * MB + 5)) /dev/urandom >"$WORK/big"
cp "$WORK/big" "$A/big"
hold() { # FROM TO (MiB)...: these ranges are not answered
	while [ $# -gt 0 ]; do echo "$(($1 * MB)) $(($2 * MB))"; shift 2; done >"$WORK/hold.new"
	mv "$WORK/hold.new" "$WORK/hold"
}
put_away() { archive "$A/big" && lfs hsm_release "$A/big"; }
RELEASED="(0x0000000d) released exists archived, archive_id:1"
HERE_AGAIN="(0x00000009) exists archived, archive_id:1"
part() { # MOUNT MIB COUNT: is right, read past the kernel's cache
	dd if="$1/big" bs=1M skip="$2" count="$3" iflag=direct status=none | cmp - <(dd if="$WORK/big" bs=1M skip="$2" count="$3" status=none)
}

# ---- the middle of it ----
put_away
hold 0 20 21 100
check "who reads the middle has it, although nothing else comes" timeout 60 $PY - "$A/big" "$WORK/big" <<'P'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
buf = mmap.mmap(-1, 1 << 20)
assert os.preadv(fd, [buf], 20 << 20) == 1 << 20
assert buf[:] == open(sys.argv[2], "rb").read()[20 << 20:21 << 20]
P
is "it is not back" "$(state "$A/big")" "$RELEASED"
check "another mount, too" timeout 60 bash -c "$(declare -f part); WORK=$WORK; part $B 20 1"
part "$B" 30 2 &
LATE=$!
hold 8 12
check "who waits for another part gets that" wait $LATE
check "and the beginning, through the cache" cmp -n $((8 * MB)) "$A/big" "$WORK/big"
is "while some of it does not come" "$(state "$A/big")" "$RELEASED"
cmp "$B/big" "$WORK/big" &
ALL=$!
cat >"$WORK/map.py" <<'P'
import mmap, sys
with open(sys.argv[1], "rb") as f, open(sys.argv[2], "rb") as g:
    m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    g.seek(35 << 20)
    assert m[35 << 20:36 << 20] == g.read(1 << 20)
P
check "a mapping of it, too" timeout 60 $PY "$WORK/map.py" "$A/big" "$WORK/big"
check "its reader waits" kill -0 $ALL
rm "$WORK/hold"
check "and gets all when it comes" wait $ALL
settled
is "it is here" "$(state "$A/big")" "$HERE_AGAIN"
check "as it was" cmp "$A/big" "$WORK/big"

# ---- what happens meanwhile ----
put_away
hold 8 12
check "a part is back" part "$A" 20 1
printf X | dd of="$B/big" bs=1 seek=$((20 * MB)) conv=notrunc status=none &
WRITER=$!
kill_wait KILL "$MOVER"
lctl set_param -n --nid "$MDS_NID" 'mdt.*.session_timeout=2' || fail "sessions end soon"
hold 0 40
mover second
begun() { param hsm.active_requests | grep -q 'RESTORE.*STARTED'; }
until_true 60 begun || fail "another mover takes it over"
part "$A" 20 1 & # has it still if the second has not begun to write yet
READER=$!
hold 8 12
check "who reads what was back once has it again" wait $READER
check "a writer waits for all" kill -0 $WRITER
rm "$WORK/hold"
check "and writes then" wait $WRITER
settled
printf X | dd of="$WORK/big" bs=1 seek=$((20 * MB)) conv=notrunc status=none
check "into the file as it was" cmp "$A/big" "$WORK/big"
put_away
hold 8 12
check "a part is back once more" part "$A" 20 1
kill_wait KILL "$(pids_of mds)"
check "the MDS dies and comes again" timeout 120 sheenctl up --dir "$CDIR" --mount "$MA"
check "parts come again" part "$A" 20 1
: >"$B/big" &
WRITER=$!
rm "$WORK/hold"
check "who empties it does, sooner or later" wait $WRITER
settled
is "it is empty" "$(stat -c %s "$A/big")" 0
kill_wait TERM "$MOVER"
check "the tables fit together" mdt_is_sound
finish
