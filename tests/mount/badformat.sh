#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What mkfs.sheen and the servers refuse: existing targets, missing or wrong options, directories of another file system, index or
# version, a second server on one target; each with a clear message and without a change.
. "$(dirname "$0")/lib.sh"
FSNAME=good
own_cluster --oss 1 --osts 1
NID=127.0.0.1@tcp:$PORT
MKFS=mkfs.sheen

T=$WORK/t
check "an OST is formatted" $MKFS --ost --fsname=good --index=5 --mgsnode=$NID "$T"
LABEL=$(cat "$T/sheen.target")
refuse() { # "what" REGEX mkfs arguments
	local what=$1 re=$2
	shift 2
	check_fails any "$what is refused" $MKFS "$@"
	like "with a reason" "$OUT" "$re"
}
refuse "formatting it again" 'reformat' --ost --fsname=good --index=5 --mgsnode=$NID "$T"
refuse "formatting it as something else" 'reformat' --mdt --fsname=other --index=0 --mgsnode=$NID "$T"
is "it is as it was" "$(cat "$T/sheen.target")" "$LABEL"
check "--reformat does it" $MKFS --reformat --ost --fsname=good --index=6 --mgsnode=$NID "$T"
like "and it is new" "$(cat "$T/sheen.target")" 'index=6'
refuse "no type" 'type|mgs|MGS' --fsname=good --index=0 --mgsnode=$NID "$WORK/n1"
refuse "two types" 'exclusive|type' --ost --mdt --fsname=good --index=0 --mgsnode=$NID "$WORK/n1"
refuse "an OST without MGS" 'mgsnode|mgs' --ost --fsname=good --index=0 "$WORK/n1"
refuse "an OST without index" 'index' --ost --fsname=good --mgsnode=$NID "$WORK/n1"
refuse "an OST without file system" 'fsname' --ost --index=0 --mgsnode=$NID "$WORK/n1"
refuse "an index out of range" 'index' --ost --fsname=good --index=65535 --mgsnode=$NID "$WORK/n1"
refuse "an index that is no number" 'index' --ost --fsname=good --index=abc --mgsnode=$NID "$WORK/n1"
refuse "a file system name of nine letters" 'name' --ost --fsname=ninechars --index=0 --mgsnode=$NID "$WORK/n1"
refuse "a file system name with a slash" 'name' --ost --fsname=a/b --index=0 --mgsnode=$NID "$WORK/n1"
refuse "an unknown network" 'o2ib|network' --ost --fsname=good --index=0 --mgsnode=1.2.3.4@o2ib "$WORK/n1"
refuse "no directory" '.' --ost --fsname=good --index=0 --mgsnode=$NID
refuse "an unknown option" 'nonsense' --nonsense --ost --fsname=good --index=0 --mgsnode=$NID "$WORK/n1"
check "none of these left anything behind" test ! -e "$WORK/n1"
OSTDIR=$(find "$CDIR" -name sheen.target -path '*ost*' -printf '%h\n' | head -n 1)
MDTDIR=$(find "$CDIR" -name sheen.target -path '*mdt*' -printf '%h\n' | head -n 1)
[ -n "$OSTDIR" ] && [ -n "$MDTDIR" ] || die "target directories are not found below $CDIR"
refuse "reformatting a target in use" 'use|running|mounted|lock' --reformat --ost --fsname=good --index=0 --mgsnode=$NID "$OSTDIR"

server() { # "what" REGEX PROGRAM DIR: must not start
	local what=$1 re=$2
	shift 2
	check_fails any "$what is refused" timeout 40 "$@"
	like "with a reason" "$OUT" "$re"
}
AT="--foreground --listen 127.0.0.1@tcp:$((PORT + 9))"
server "a second server on the same OST" 'use|running|lock|pid' sheen-oss $AT "$OSTDIR"
server "a second server on the same MDT" 'use|running|lock|pid' sheen-mds $AT "$MDTDIR"
server "an OSS on an MDT" 'MDT|type|OST' sheen-oss $AT "$MDTDIR"
server "an MDS on an OST" 'OST|type|MDT' sheen-mds $AT "$T"
server "a directory that is no target" 'format|target|mkfs|No such' sheen-oss $AT "$WORK/home"
mkdir "$WORK/empty"
server "an empty directory" 'format|target|mkfs|No such' sheen-oss $AT "$WORK/empty"
server "no directory at all" 'usage|directory|DIR|target' sheen-oss --foreground

# labels that were tampered with: the checksum, then (with a right checksum) version, index and name against what is registered
cp -a "$T" "$WORK/bad"
sed -i 's/^fsname=.*/fsname=evil/' "$WORK/bad/sheen.target"
server "a label that was changed" 'crc|checksum|damaged|label' sheen-oss $AT "$WORK/bad"
relabel() { # DIR sed-expression: edits the label and sets its last line right
	sed -i "$2" "$1/sheen.target"
	$PY - "$1/sheen.target" <<'P'
import re, sys
t = open(sys.argv[1], "rb").read().splitlines(keepends=True)
body = b"".join(t[:-1])
c = 0xFFFFFFFF
for b in body:
    c ^= b
    for _ in range(8):
        c = (c >> 1) ^ 0x82F63B78 if c & 1 else c >> 1
c ^= 0xFFFFFFFF
last = re.sub(rb"[0-9a-fA-F]{8}|[0-9]{9,10}", b"%08x" % c, t[-1])
open(sys.argv[1], "wb").write(body + last)
P
}
rm -rf "$WORK/bad"; cp -a "$T" "$WORK/bad"
relabel "$WORK/bad" 's/^version=.*/version=77/'
server "another version" '77' sheen-oss $AT "$WORK/bad"
like "with both versions named" "$OUT" '(77.*[^0-9]1([^0-9]|$)|[^0-9]1[^0-9].*77)'
check "an OST of the file system with a taken index is formatted" $MKFS --ost --fsname=good --index=0 --mgsnode=$NID "$WORK/dup"
server "a second target with the same index" 'index|OST0000|already' sheen-oss $AT "$WORK/dup"
check "the file system works" sh -c 'echo x >"$0/x" && rm "$1/x"' "$A" "$B"
finish
