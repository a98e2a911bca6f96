#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The first things anybody does: write a file, read it on the other mount, list, remove.
. "$(dirname "$0")/lib.sh"
shared_cluster

check "a file is written" sh -c 'echo hello >"$0/f"' "$A"
is "the other mount reads it" "$(cat "$B/f")" hello
check "a directory is made" mkdir "$A/d"
check "a file is copied into it through the other mount" cp /etc/passwd "$B/d/passwd"
check "both mounts agree on the bytes" cmp /etc/passwd "$A/d/passwd"
is "the names are there" "$(ls "$A" | tr '\n' ' ')" "d f "
is "the names of the directory are there" "$(ls "$B/d")" passwd
dd if=/dev/urandom of="$WORK/big" bs=1M count=24 status=none
check "24 MiB are copied" cp "$WORK/big" "$A/big"
check "and read on the other mount" cmp "$WORK/big" "$B/big"
is "the size is right on both" "$(stat -c %s "$A/big" "$B/big" | sort -u)" $((24 << 20))
check "a rename is seen" sh -c 'mv "$0/big" "$0/d/bigger" && test -e "$1/d/bigger" && ! test -e "$1/big"' "$A" "$B"
check "the file system shows in df" df "$A"
like "the mount has its type" "$(findmnt -no FSTYPE "$MA")" '^fuse\.sheen$'
is "the mount shows its source" "$(findmnt -no SOURCE "$MA")" "$SOURCE"
check "everything is removed" rm -r "$A/d" "$A/f"
is "the other mount is empty" "$(ls -A "$B")" ""
finish
