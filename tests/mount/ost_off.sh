#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ost_off.sh - an OST that is switched off gets no new files, and what needs it fails at once; switched on it is as before.
# (A full one: full_disk.sh.)
. "$(dirname "$0")/lib.sh"
own_cluster --oss 2 --osts 1
A=$WORK/soft
mkdir "$A"
MOUNTS+=("$A")
sheen "$SOURCE" "$A" -f >"$WORK/client.log" 2>&1 &
SERVERS+=($!)
check "a mount whose log is here" until_true 30 is_mounted "$A"
nid_of() { # PROCESS
	sheenctl status --dir "$CDIR" --json | $PY -c '
import json, sys
print([p["nid"] for p in json.load(sys.stdin)["processes"] if p["name"] == sys.argv[1]][0])' "$1"
}
MDS=$(nid_of mds)
MGS=127.0.0.1@tcp:$PORT
for i in 0 1; do
	check "a file on OST $i" sh -c "lfs setstripe -i $i -c 1 '$A/on$i' && head -c 3000000 /dev/urandom >'$A/on$i' && sync '$A/on$i'"
	cp "$A/on$i" "$WORK/on$i"
done
# all_on INDEX: eight new files, all there
all_on() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		rm -f "$1/n$i"
		echo x >"$1/n$i" || return 1
		[ "$(lfs getstripe -i "$1/n$i")" = "$2" ] || return 1
	done
}
both_used() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		rm -f "$A/n$i"
		echo x >"$A/n$i"
		lfs getstripe -i "$A/n$i"
	done | sort -u | tr '\n' ' ' | grep -q '^0 1 $'
}
read_it() { timeout 20 dd if="$1/on1" of=/dev/null bs=1M iflag=direct; }

# ---- at the MDS only: for new files ----
check "both OSTs get files" both_used
check "an OST is switched off at the MDS" lctl set_param --nid "$MDS" 'osp.*OST0001*.active=0'
check "new files avoid it" all_on "$A" 0
check_fails any "a file that is to lie there is refused" sh -c "lfs setstripe -i 1 -c 1 '$A/there' && echo x >'$A/there'"
check "what is there is read" read_it "$A"
check "a file with stripes everywhere gets one" sh -c "lfs setstripe -c -1 '$A/wide' && echo x >'$A/wide' && [ \"\$(lfs getstripe -c '$A/wide')\" = 1 ]"
check "it is switched on" lctl set_param --nid "$MDS" 'osp.*OST0001*.active=1'
check "both get files again" until_true 20 both_used

# ---- for everybody ----
check "conf_param" lctl conf_param --nid "$MGS" "$FSNAME-OST0001.osc.active=0"
is_off() { [ "$(lctl get_param -n --mount "$1" 'osc.*OST0001*.active')" = 0 ]; }
check "this mount has heard" until_true 20 is_off "$A"
check "and the other one" until_true 20 is_off "$B"
check "and the MDS" until_true 20 sh -c "[ \"\$(lctl get_param -n --nid '$MDS' 'osp.*OST0001*.active')\" = 0 ]"
check "new files avoid it" all_on "$B" 0
begin=$(date +%s%N)
check_fails 1 "a read of its stripes fails" read_it "$A"
like "with EIO" "$OUT" 'Input/output error'
check "at once" test $((($(date +%s%N) - begin) / 1000000)) -lt 1000
check_fails any "so does a write" dd if=/dev/zero of="$A/on1" bs=64k count=1 oflag=direct conv=notrunc
check_fails any "on the other mount too" read_it "$B"
is "the log names the OST once" "$(grep -c "$FSNAME-OST0001 is switched off" "$WORK/client.log")" 1
check "other files are read" cmp "$WORK/on0" "$A/on0"
check "what is there is removed without it" sh -c "cp '$WORK/on0' '$A/gone' && rm '$A/gone' '$A/wide'"
like "lfs osts shows it" "$(lfs osts "$A")" '^1: .*OST0001_UUID INACTIVE'
mount_sheen "$SOURCE" "$WORK/c" || fail "a new mount fails"
check "a new mount has heard as well" until_true 20 is_off "$WORK/c"
check "conf_param takes it back" lctl conf_param --nid "$MGS" "$FSNAME-OST0001.osc.active=1"
check "its file is read" until_true 20 cmp "$WORK/on1" "$A/on1"
check "on the other mount" until_true 20 cmp "$WORK/on1" "$B/on1"
check "both get files again" until_true 20 both_used
check_fails 2 "an unknown name" lctl conf_param --nid "$MGS" "$FSNAME.sys.timeout=20"
check_fails 22 "no value" lctl conf_param --nid "$MGS" "$FSNAME-OST0001.osc.active"
finish
