#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files whose data are in a blob container only: they look as before, and whoever needs their data gets them, on any mount, by any way
# of reading and writing, once, and never anything else.
. "$(dirname "$0")/lib.sh"
requires setfattr
own_cluster --oss 1 --osts 2
. "$HERE/hsm_lib.sh"
mover first
lfs setstripe -c 2 -S 64k "$A" || fail "files have two stripes"
mkdir "$A/d"
lctl set_param -n --nid "$MDS_NID" 'mdt.*.hsm.grace_delay=3600' || fail "what has ended is shown for an hour"
RELEASED="(0x0000000d) released exists archived, archive_id:1"
HERE_AGAIN="(0x00000009) exists archived, archive_id:1"
data() { head -c "$2" /dev/urandom >"$WORK/$1" && cp "$WORK/$1" "$A/d/$1"; } # NAME SIZE: also outside, to compare with
put_away() { archive "$@" && lfs hsm_release "$@"; }
same() { cmp "$WORK/$1" "${2:-$A}/d/$1"; }
bytes() { find "$CDIR"/ost*/O -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'; }
restores() { param hsm.actions | grep -c 'action=RESTORE.*status=SUCCEED'; }

# ---- what may be released ----
data f 3000000
check_fails any "a file that was never archived is not released" lfs hsm_release "$A/d/f"
archive "$A/d/f"
echo more >>"$A/d/f"
check_fails any "nor one that was changed since" lfs hsm_release "$A/d/f"
cp "$WORK/f" "$A/d/f"
archive "$A/d/f"
lfs hsm_set --norelease "$A/d/f"
check_fails any "nor one that must not be" lfs hsm_release "$A/d/f"
lfs hsm_clear --norelease "$A/d/f"
exec 7>>"$B/d/f"
check_fails any "nor one that somebody writes" lfs hsm_release "$A/d/f"
exec 7>&-
clean() { [ "$(state "$1")" = "$HERE_AGAIN" ]; }
until_true 20 clean "$A/d/f" || fail "opening it for writing does not make it dirty"

# ---- what it looks like ----
FULL=$(bytes)
BEFORE=$(stat -c '%s %a %u %y' "$B/d/f")
check "it is released" lfs hsm_release "$A/d/f"
is "which is shown" "$(state "$B/d/f")" "$RELEASED"
check "its space is free" test $((FULL - $(bytes))) -ge 3000000
is "it looks as before" "$(stat -c '%s %a %u %y' "$B/d/f")" "$BEFORE"
is "but for its blocks" "$(stat -c %b "$A/d/f")" 1
check "again is nothing" lfs hsm_release "$A/d/f"
chmod 600 "$A/d/f"
touch -c -a "$A/d/f"
mv "$A/d/f" "$A/d/g" && mv "$A/d/g" "$A/d/f"
ls -l "$A/d" >/dev/null
exec 7<"$A/d/f"
is "names, attributes and opens bring nothing back" "$(state "$B/d/f")" "$RELEASED"
check_fails any "its only copy is not removed" lfs hsm_remove "$A/d/f"
check_fails any "nor forgotten" lfs hsm_clear --exists --archived "$A/d/f"

# ---- reading ----
cat <&7 >"$WORK/copy"
check "who reads it gets it, through a descriptor that was open before" cmp "$WORK/f" "$WORK/copy"
exec 7<&-
check "on another mount, too" same f "$B"
settled
is "then it is here" "$(state "$A/d/f")" "$HERE_AGAIN"
is "as it was" "$(stat -c '%s %y' "$B/d/f")" "$(echo "$BEFORE" | cut -d' ' -f1,4-)"
check "it can be released again" lfs hsm_release "$A/d/f"
N=$(restores)
PIDS_R=()
for i in $(seq 20); do
	M=$A
	[ $((i % 2)) = 0 ] && M=$B
	same f "$M" &
	PIDS_R+=($!)
done
BAD=0
for p in "${PIDS_R[@]}"; do wait "$p" || BAD=$((BAD + 1)); done
is "twenty readers all get it" "$BAD" 0
settled
is "by one restore" "$(($(restores) - N))" 1
put_away "$A/d/f"
is "the middle of it is right" "$(tail -c +1500001 "$B/d/f" | head -c 1000 | md5sum)" "$(tail -c +1500001 "$WORK/f" | head -c 1000 | md5sum)"
put_away "$A/d/f"
cp --sparse=always "$A/d/f" "$WORK/copy"
check "who looks for holes finds none" cmp "$WORK/f" "$WORK/copy"
put_away "$A/d/f"
dd if="$B/d/f" of="$WORK/copy" bs=1M iflag=direct status=none
check "who reads past the cache gets it" cmp "$WORK/f" "$WORK/copy"
cat >"$WORK/map.py" <<'P'
# Maps a file, has it released under the mapping, and looks at all of it through the mapping again.
import mmap, subprocess, sys
path, good = sys.argv[1:]
want = open(good, "rb").read()
with open(path, "rb") as f:
    m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    assert m[:100000] == want[:100000], "before"
    subprocess.run(["lfs", "hsm_release", path], check=True)
    assert m[:] == want, "after"
P
archive "$A/d/f"
check "who has it mapped sees nothing of it" $PY "$WORK/map.py" "$A/d/f" "$WORK/f"
printf '#!/bin/sh\necho run\n' >"$A/d/run"
chmod 755 "$A/d/run"
put_away "$A/d/run"
is "it is executed" "$("$B/d/run")" run

# ---- writing ----
put_away "$A/d/f"
echo end >>"$B/d/f"
echo end >>"$WORK/f"
check "who appends gets it first" same f
like "and it is dirty" "$(state "$A/d/f")" 'exists dirty archived'
put_away "$A/d/f"
printf X | dd of="$A/d/f" bs=1 seek=1000000 conv=notrunc status=none
printf X | dd of="$WORK/f" bs=1 seek=1000000 conv=notrunc status=none
check "who writes into it, too" same f "$B"
put_away "$A/d/f"
truncate -s 777777 "$B/d/f" "$WORK/f"
check "who cuts it, too" same f
put_away "$A/d/f"
N=$(restores)
: >"$B/d/f"
is "who empties it does not wait for it" "$(($(restores) - N))" 0
is "it is empty" "$(stat -c %s "$A/d/f")" 0
echo new >"$A/d/f"
is "and can be written" "$(cat "$B/d/f")" new
put_away "$A/d/f"
rm "$B/d/f"
check_fails any "it can be removed" stat "$A/d/f"
: >"$A/d/empty"
put_away "$A/d/empty"
is "an empty one can be released, too" "$(cat "$B/d/empty"; state "$A/d/empty")" "$HERE_AGAIN"
data wanted 200000
put_away "$A/d/wanted"
check "one can be asked for before it is read" lfs hsm_restore "$A/d/wanted"
settled
is "then it is here" "$(state "$A/d/wanted")" "$HERE_AGAIN"

# ---- space ----
for f in old open kept newer; do data $f 100000; done
archive "$A"/d/{old,open,kept,newer}
echo more >>"$A/d/newer"
lfs hsm_set --norelease "$A/d/kept"
exec 7<"$A/d/open"
lctl set_param -n --nid "$MDS_NID" 'mdt.*.hsm.release_low=1' 'mdt.*.hsm.release_high=1' || fail "files are released when space is used"
went() { [ "$(state "$A/d/old")" = "$RELEASED" ]; }
until_true 60 went || fail "what was archived and is not used goes when space is used"
lctl set_param -n --nid "$MDS_NID" 'mdt.*.hsm.release_high=0' || fail "and no more"
is "what is open stays" "$(state "$A/d/open")" "$HERE_AGAIN"
like "what must stay stays" "$(state "$A/d/kept")" 'exists archived never_release'
like "what was changed stays" "$(state "$A/d/newer")" 'exists dirty archived'
check "and what went comes back" same old
exec 7<&-
settled

# ---- what goes wrong ----
data changed 5000
put_away "$A/d/changed"
az put data fs/d/changed "not what was put there"
check_fails any "a copy that somebody has changed is not taken" cat "$A/d/changed"
is "which is an error" "${OUT##*: }" "Input/output error"
is "and leaves it released" "$(state "$A/d/changed")" "$RELEASED"
data lost 5000
put_away "$A/d/lost"
az rm data fs/d/lost
check_fails any "nor is one that is gone" cat "$A/d/lost"
like "which is known from then on" "$(state "$A/d/lost")" '^\(0x0000004d\) released exists archived lost_from_hsm, archive_id:1$'
data big 30000000
put_away "$A/d/big"
same big "$B" &
READER=$!
started() { param hsm.active_requests | grep -q 'RESTORE.*STARTED' || idle; }
until_true 60 started || fail "the restore begins"
kill_wait KILL "$MOVER"
lctl set_param -n --nid "$MDS_NID" 'mdt.*.session_timeout=2' || fail "sessions end soon"
mover second
check "another mover brings what one left" wait $READER
put_away "$A/d/big"
check "nothing is given out" lctl set_param -n --nid "$MDS_NID" 'mdt.*.hsm_control=disabled'
same big "$B" &
READER=$!
waits() { param hsm.actions | grep -q 'action=RESTORE.*status=WAITING'; }
until_true 20 waits || fail "the reader waits"
kill_wait KILL "$(pids_of mds)"
check "the MDS comes again" timeout 120 sheenctl up --dir "$CDIR" --mount "$MA"
check "and the reader gets his data" wait $READER
put_away "$A/d/big"
kill_wait KILL "$(pids_of oss)"
check "so does the OSS" timeout 120 sheenctl up --dir "$CDIR" --mount "$MA"
check "released is released after that" same big
kill_wait TERM "$MOVER"
check "the tables fit together" mdt_is_sound
finish
