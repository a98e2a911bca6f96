#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files are copied to a blob container when somebody asks for it, whole and as they were at one moment; what the archive has of a file
# is known, whatever becomes of the file, the mover or the MDS.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
. "$HERE/hsm_lib.sh"

# ---- without a mover ----
mkdir -p "$A/d/sub"
echo one >"$A/d/one"
is "a file that was never archived" "$(lfs hsm_state "$A/d/one")" "$A/d/one: (0x00000000)"
is "nothing is done with it" "$(lfs hsm_action "$A/d/one")" "$A/d/one: NOOP"
check "to archive it can be asked for" lfs hsm_archive "$A/d/one"
is "it waits" "$(lfs hsm_action "$A/d/one")" "$A/d/one: ARCHIVE waiting"
check "again, which is the same" lfs hsm_archive "$A/d/one"
is "it waits once" "$(param hsm.actions | wc -l)" 1
check_fails any "its copy cannot be removed meanwhile" lfs hsm_remove "$A/d/one"
check "it can be canceled" lfs hsm_cancel "$A/d/one"
is "and is" "$(param hsm.actions | grep -o 'status=.* ')" "status=CANCELED "
is "it still was never archived" "$(state "$A/d/one")" "(0x00000000)"
check_fails any "directories are no files" lfs hsm_archive "$A/d"
like "which is said" "$OUT" 'is not a regular file'
check_fails any "there is no copy to be removed" lfs hsm_remove "$A/d/one"
check_fails any "there is no archive 77" lfs hsm_archive -a 77 "$A/d/one"

# ---- a mover ----
for i in 1 2 3 4 5; do lfs hsm_archive "$A/d/one"; done
mover first
settled
is "it was archived" "$(state "$A/d/one")" "(0x00000009) exists archived, archive_id:1"
is "and is there" "$(az cat data fs/d/one)" one
like "the mover is shown" "$(param hsm.agents)" '^uuid=.* archive_id=ANY requests=\[current:0 ok:1 errors:0\]$'
chown 123:456 "$A/d/sub"
chmod 640 "$A/d/one"
chown 1000:2000 "$A/d/one"
touch -d '2020-02-03 04:05:06.789 UTC' "$A/d/one"
clean() { [ "$(state "$1")" = "(0x00000009) exists archived, archive_id:1" ]; }
until_true 20 clean "$A/d/one" || fail "attributes make it no other data" # touch(1) opens it for writing
TAG=$(az etag data fs/d/one)
archive "$A/d/one"
like "but they are archived" "$(az meta data fs/d/one | tr '\n' ' ')" \
	'^group=2000 modtime=2020-02-03 04:05:06 \+0{4} mtime=1580702706.7890{6} owner=1000 permissions=0640 sheen_fid=\S+ sheen_mdt=\S+ sheen_work=\w{16} $'
check "and the copy is another version" test "$TAG" != "$(az etag data fs/d/one)"
TAG=$(az etag data fs/d/one)
archive "$A/d/one"
is "what is archived is not copied again" "$(az etag data fs/d/one)" "$TAG"
is "the directory is there" "$(az meta data fs/d | grep -E 'hdi_isfolder|permissions' | tr '\n' ' ')" "hdi_isfolder=true permissions=0755 "
echo two >>"$A/d/one"
is "a file that was written is dirty" "$(state "$A/d/one")" "(0x0000000b) exists dirty archived, archive_id:1"
archive "$B/d/one"
is "and is archived again, also from another mount" "$(state "$A/d/one")" "(0x00000009) exists archived, archive_id:1"
is "with what it holds now" "$(az cat data fs/d/one)" "one
two"
truncate -s 2 "$A/d/one"
is "so is one that was cut" "$(state "$B/d/one")" "(0x0000000b) exists dirty archived, archive_id:1"
archive "$A/d/one"
is "with what is left" "$(az cat data fs/d/one)" on
mv "$A/d/one" "$A/d/sub/new"
archive "$A/d/sub/new"
is "a new name" "$(az list data fs/d/ | tr '\n' ' ')" "fs/d/sub fs/d/sub/new "
is "with the same data" "$(az cat data fs/d/sub/new)" on
: >"$A/d/empty"
head -c 5000000 /dev/urandom >"$A/d/large"
printf 'with blanks' >"$A/d/ä b+%&#?"
archive "$A/d/empty" "$A/d/large" "$A/d/ä b+%&#?"
is "an empty one" "$(az cat data fs/d/empty | wc -c)" 0
check "a large one, in blocks" bash -c "$(declare -p URL HERE PY); \$PY \$HERE/azure.py \$URL cat data fs/d/large | cmp - '$A/d/large'"
is "a strange name" "$(az cat data 'fs/d/ä b+%&#?')" "with blanks"
seq 50 | sed "s|^|$A/d/sub/f|" >"$WORK/list"
while read -r f; do echo "${f##*/}" >"$f"; done <"$WORK/list"
check "a list of files" lfs hsm_archive -l "$WORK/list"
settled
is "all are there" "$(az list data fs/d/sub/f | wc -l)" 50
is "with their data" "$(az cat data fs/d/sub/f17)" f17

# ---- flags ----
check "an owner forbids to archive" as_user -u 1000 lfs hsm_set --noarchive "$A/d/sub/new"
echo more >>"$A/d/sub/new"
check_fails any "then it is not" lfs hsm_archive "$A/d/sub/new"
like "which is shown" "$(state "$A/d/sub/new")" '^\(0x0000002b\) exists dirty archived never_archive, archive_id:1$'
check_fails any "who owns it not does not" as_user -u 1001 lfs hsm_clear --noarchive "$A/d/sub/new"
check_fails any "an owner does not say that it is lost" as_user -u 1000 lfs hsm_set --lost "$A/d/sub/new"
check "allowed again" lfs hsm_clear --noarchive "$A/d/sub/new"
archive "$A/d/sub/new"
is "it is" "$(state "$A/d/sub/new")" "(0x00000009) exists archived, archive_id:1"

# ---- somebody else changes the copy ----
az put data fs/d/empty "not empty"
echo text >"$A/d/empty"
archive "$A/d/empty"
is "a conflict leaves both as they are" "$(az cat data fs/d/empty)" "not empty"
is "and the file unarchived" "$(state "$A/d/empty")" "(0x00000003) exists dirty, archive_id:1"
like "which stands in the container for logs" "$(for l in $(az list logs); do az cat logs "$l"; done)" '"name":"fs/d/empty".*"why":"changed by somebody else'
check "overwriting can be asked for" lfs hsm_archive -D overwrite "$A/d/empty"
settled
is "then it is" "$(az cat data fs/d/empty)" text

# ---- files that are written ----
exec 7>>"$A/d/open"
echo begun >&7
archive "$A/d/open"
is "one that somebody writes all the time is not" "$(state "$A/d/open")" "(0x00000003) exists dirty"
check_fails any "nothing of it is there" az etag data fs/d/open
exec 7>&-
archive "$A/d/open"
is "when he is done it is" "$(az cat data fs/d/open)" begun

# ---- movers and servers that die ----
kill_wait KILL "$MOVER"
head -c 20000000 /dev/urandom >"$A/d/huge"
mover second
lfs hsm_archive "$A/d/huge" "$A/d/large"
started() { param hsm.active_requests | grep -q STARTED || idle; }
until_true 60 started || fail "work is given out"
kill_wait KILL "$MOVER"
lctl set_param -n --nid "$MDS_NID" 'mdt.*.session_timeout=2' || fail "sessions end soon"
mover third
settled
check "another mover does what one left" bash -c "$(declare -p URL HERE PY); \$PY \$HERE/azure.py \$URL cat data fs/d/huge | cmp - '$A/d/huge'"
is "and it is known" "$(state "$A/d/huge")" "(0x00000009) exists archived, archive_id:1"
check "nothing is given out" lctl set_param -n --nid "$MDS_NID" 'mdt.*.hsm_control=disabled'
echo later >"$A/d/later"
echo last >"$A/d/last"
check "but taken in" lfs hsm_archive "$A/d/later" "$A/d/last"
kill_wait KILL "$(pids_of mds)"
check "the MDS comes again" timeout 120 sheenctl up --dir "$CDIR" --mount "$MA"
settled
is "what was asked for is done by the next life" "$(az cat data fs/d/later; az cat data fs/d/last)" "later
last"

# ---- copies that go ----
check "a copy is removed" lfs hsm_remove "$A/d/later"
settled
check_fails any "it is gone" az etag data fs/d/later
is "and forgotten" "$(state "$A/d/later")" "(0x00000000)"
is "the file is still there" "$(cat "$A/d/later")" later
az rm data fs/d/last
check "so is one that is gone already" lfs hsm_remove "$A/d/last"
settled
is "forgotten, too" "$(state "$A/d/last")" "(0x00000000)"
rm "$A/d/large"
check "the copy of a removed file stays" az etag data fs/d/large
kill_wait TERM "$MOVER"
check_fails 1 "a wrong key is told at the start" sheen-copytool -f --endpoint "$URL" --container none --credentials "$WORK/cred" \
	"$SOURCE"
like "in words" "$OUT" 'container|Container'
chmod 644 "$WORK/cred"
check_fails 1 "so are credentials that others can read" sheen-copytool -f --endpoint "$URL" --container data --credentials "$WORK/cred" \
	"$SOURCE"
finish
