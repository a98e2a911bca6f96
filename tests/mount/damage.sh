#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A damaged metadata record: the server says which, refuses that object, and serves all others.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 1
MARK="mark$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
mkdir "$A/d"
echo good >"$A/d/good"
# The target of a symlink lies in the value of its inode record: easy to find, and only this record has it.
ln -s "/$MARK/${MARK}x" "$A/d/bad"
for i in $(seq 50); do echo "$i" >"$A/d/f$i"; done
sync "$A/d/good"
check "the link is read before" test "$(readlink "$B/d/bad")" = "/$MARK/${MARK}x"
umount "$MB"
sheenctl down --dir "$CDIR" >/dev/null 2>&1 || fail "the cluster stops"
DATA=$(find "$CDIR" -name data.mdb -path '*mdt*' | head -n 1)
[ -n "$DATA" ] || die "the MDT's data.mdb is not found"
cat >"$WORK/flip.py" <<'P'
import sys
path, mark = sys.argv[1], sys.argv[2].encode()
d = bytearray(open(path, "rb").read())
n = 0
at = d.find(mark)
while at >= 0:  # old copies of the page may lie about: all get the same
    d[at + 10] ^= 1
    n += 1
    at = d.find(mark, at + 1)
open(path, "r+b").write(d)
print(n, "places")
sys.exit(0 if n else 1)
P
check "one bit of the record is flipped on the disk" $PY "$WORK/flip.py" "$DATA" "/$MARK/${MARK}x"
check "the cluster starts" timeout 120 sheenctl up --dir "$CDIR" --mount "$MA"
check_fails any "the damaged object gives an error" timeout 60 readlink "$A/d/bad"
check_fails any "so does a stat of it" timeout 60 stat "$A/d/bad"
like "the server named the record" "$(cat $(find "$CDIR" -name '*.log'))" 'inode'
is "its neighbours are read" "$(cat "$A/d/good") $(cat "$A/d/f50")" "good 50"
is "the directory is listed" "$(ls "$A/d" 2>/dev/null | grep -c '^f')" 50
check "new files are made beside it" sh -c 'echo new >"$0/d/new" && cat "$0/d/new"' "$A"
check "files are removed beside it" rm "$A/d/f1"
finish
