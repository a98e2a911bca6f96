#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A byte that turns over on the disk of an OST: the scrubber finds it, reads give an error and never the wrong byte, and it is
# told where it is.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 1
NID=127.0.0.1@tcp:$((PORT + 2))
OST=obdfilter.$FSNAME-OST0000
get() { lctl get_param -n --nid "$NID" "$OST.scrub" | sed -n "s/^$1: //p"; }
passed() { [ "$(get passes)" -gt "$1" ]; }
scrub() {
	local n
	n=$(get passes)
	lctl set_param --nid "$NID" "$OST.scrub=start" >/dev/null && until_true 60 passed "$n"
}
is "it waits to be started" "$(get status)" init
lctl set_param --nid "$NID" "$OST.scrub_quiet=0" "$OST.scrub_speed_mb=1000" >/dev/null || fail "tunables are set"
dd if=/dev/urandom of="$WORK/data" bs=1M count=4 2>/dev/null
cp "$WORK/data" "$A/f" && sync "$A/f"
echo good >"$A/g" && sync "$A/g"
check "a first pass stores checksums" scrub
is "of all blocks" "$(get new_checksums) $(get damaged_blocks)" "1025 0"
check "the data are read" cmp "$WORK/data" "$B/f"
OBJ=$(find "$CDIR"/ost0/O -type f -size +1M)
$PY - "$OBJ" $((2 * 1048576 + 12345)) <<'P'
import os, sys
f, at = os.open(sys.argv[1], os.O_RDWR), int(sys.argv[2])
os.pwrite(f, bytes([os.pread(f, 1, at)[0] ^ 1]), at)
P
unmount "$MA"
unmount "$MB"
mount_sheen "$SOURCE" "$MA" || die "the mount"
check_fails any "a read of it fails, without a pass before" dd if="$A/f" of="$WORK/out" bs=4k skip=515 count=1 iflag=direct
check "its neighbours are read" sh -c 'dd if="$0/f" bs=1M count=2 iflag=direct 2>/dev/null | cmp -n 2097152 - "$1"' "$A" "$WORK/data"
check "a second pass" scrub
is "finds it" "$(get damaged_blocks)" 1
like "and says where" "$(get damaged)" "object \[0x.*\]:1\.0 block 515 offset 2109440"
is "the log has it once" "$(cat "$CDIR"/log/oss0.log | grep -c 'is damaged')" 1
check_fails any "the file cannot be copied" cp "$A/f" "$WORK/copy"
is "other files are" "$(cat "$A/g")" good
check "the block is written again" dd if="$WORK/data" of="$A/f" bs=4k skip=515 seek=515 count=1 conv=notrunc
check "and all is read" cmp "$WORK/data" "$A/f"
finish
