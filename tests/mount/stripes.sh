#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Striping as on Lustre: what a file gets, what it inherits, where its bytes go.
. "$(dirname "$0")/lib.sh"
shared_cluster

cd "$A" || exit 1
check "4 stripes of 1 MiB" lfs setstripe -c 4 -S 1M f4
is "count" "$(lfs getstripe -c f4)" 4
is "size" "$(lfs getstripe -S f4)" 1048576
is "the same on the other mount" "$(lfs getstripe -c "$B/f4")" 4
dd if=/dev/urandom of="$WORK/ref" bs=1M count=21 status=none
printf tail >>"$WORK/ref"
check "21 MiB and a bit go in" cp "$WORK/ref" f4
check "and come out of the other mount" cmp "$WORK/ref" "$B/f4"
is "its objects are on four different OSTs" \
	"$(lfs getstripe f4 | awk '/obdidx/ {on = 1; next} on && NF == 4 {print $1}' | sort -u | wc -l)" 4

touch plain
is "a plain file has one stripe" "$(lfs getstripe -c plain)" 1
is "of 4 MiB" "$(lfs getstripe -S plain)" 4194304
is "starting offset is an OST" "$(lfs getstripe -i plain | grep -cE '^[0-3]$')" 1

# round-robin
for i in $(seq 40); do echo "$i" >"rr$i"; done
COUNTS=$(for i in $(seq 40); do lfs getstripe -i "rr$i"; done | sort -n | uniq -c | awk '{print $1}')
is "40 files use all four OSTs" "$(printf '%s\n' "$COUNTS" | wc -l)" 4
like "about evenly" "$(printf '%s\n' "$COUNTS" | sort -n | head -n 1)" '^([7-9]|1[0-9])$'

# inheritance
mkdir d
check "a directory's default" lfs setstripe -c 2 -S 128K d
touch d/f
is "a new file inherits the count" "$(lfs getstripe -c d/f)" 2
is "and the size" "$(lfs getstripe -S d/f)" 131072
mkdir d/sub
is "a new subdirectory gets a copy" "$(lfs getstripe -d -c d/sub)" 2
touch "$B/d/sub/g"
is "files there too, through the other mount" "$(lfs getstripe -c d/sub/g)" 2
check "the default is changed" lfs setstripe -c 4 d
is "the copy is not" "$(lfs getstripe -d -c d/sub)" 2
check "the default is removed" lfs setstripe -d d
touch d/h
is "then files are plain again" "$(lfs getstripe -c d/h)" 1
check "explicit wins over the default" lfs setstripe -c 3 d/sub/three
is "three stripes" "$(lfs getstripe -c d/sub/three)" 3

# the root's default takes effect at run time and is not copied
check "the root's default" lfs setstripe -c 2 "$MA"
touch "$MA/root.$$" rd.$$
mkdir rootdir
is "a file in the root" "$(lfs getstripe -c "$MA/root.$$")" 2
is "a file in a directory without default" "$(lfs getstripe -c rd.$$)" 2
check "the root's default is removed" lfs setstripe -d "$MA"
touch rootdir/x
is "and is gone from below at once" "$(lfs getstripe -c rootdir/x)" 1
rm -f "$MA/root.$$"

# O_APPEND
mkdir ap
lfs setstripe -c 4 ap
echo line >>ap/log
is "a file first opened with O_APPEND has one stripe" "$(lfs getstripe -c ap/log)" 1
echo x >ap/normal
is "others follow the directory" "$(lfs getstripe -c ap/normal)" 4

# bytes, holes and sizes over stripes
lfs setstripe -c 4 -S 64K holes
dd if=/dev/zero of=holes bs=1 count=1 seek=$((10 << 20)) conv=notrunc status=none
is "a size that one stripe knows" "$(stat -c %s "$B/holes")" $(((10 << 20) + 1))
is "holes read as zeros" "$(tr -d '\0' <"$B/holes" | wc -c)" 0
truncate -s 100000 holes
is "cut in the middle of stripes" "$(stat -c %s "$B/holes")" 100000
truncate -s 5000000 "$B/holes"
is "and grown" "$(wc -c <holes)" 5000000
lfs setstripe -c 3 -S 64K three
head -c 1000000 "$WORK/ref" >three
check "three stripes hold what was written" cmp "$B/three" <(head -c 1000000 "$WORK/ref")
for s in 500000 196609 196608 65537 65536 65535; do
	truncate -s $s three
	is "cut to $s" "$(stat -c %s "$B/three") $(cmp "$B/three" <(head -c $s "$WORK/ref") && echo same)" "$s same"
done

# limits
check_fails any "-S 100 is refused" lfs setstripe -S 100 bad
check "and leaves no file" test ! -e bad
check_fails any "-i beyond the last OST is refused" lfs setstripe -i 77 bad
check "and leaves no file either" test ! -e bad
check_fails any "a file with objects cannot be striped anew" lfs setstripe -c 2 f4
is "it is as it was" "$(lfs getstripe -c f4)" 4
check "-c -1 means all" lfs setstripe -c -1 all
is "all four" "$(lfs getstripe -c all)" 4
check "-o chooses" lfs setstripe -o 3,1 chosen
echo x >chosen
is "the first is OST 3" "$(lfs getstripe -i chosen)" 3
cd /
finish
