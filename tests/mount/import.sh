#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A container becomes a tree: names and attributes at once, data when somebody reads them; a second import brings what has changed, and
# what is in the way stays or goes as the mode says. Jobs that are killed or stopped go on.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
. "$HERE/hsm_lib.sh"
J="$WORK/jobs"
mkdir "$J"
job() { # NAME OPTION...: a job, to its end
	local name=$1
	shift
	timeout 120 sheen-copytool --import --job "$name" --job-dir "$J" --credentials "$WORK/cred" "$@" "$SOURCE"
}
tool() { job "$1" --path /data/in --endpoint "$URL" --container data --prefix fs --log-container logs "${@:2}"; }
status() { $PY -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$J/$1.status" "$2"; }
lines() { # NAME: of its log
	for b in $(az list logs "import-$1/"); do az cat logs "$b"; done
}
blobs() { $PY -c "import json
def put(name, text='', **meta): print(json.dumps(['fs/' + name, text, meta]))
$1" | az fill data; }
D="$A/data/in"
IMPORTED="(0x0000000d) released exists archived, archive_id:1"

# ---- the first import ----
blobs "
for d in range(20):
    for f in range(100): put('many/d%02d/f%03d' % (d, f), 'text %d %d' % (d, f))
put('folder', hdi_isfolder='true', owner='7', group='8', permissions='0750', modtime='2019-01-02 03:04:05 +0000')
put('folder/one', 'one\n', owner='1000', group='2000', permissions='0640', modtime='2020-02-03 04:05:06 +0000', mtime='1580702706.789000000')
put('folder/azcopy', 'a', posix_owner='12', posix_group='13', permissions='33188', modtime='1580702706000000009')
put('folder/link', 'one', is_symlink='true', owner='5', group='6')
put('plain', 'p')
put('umlaut \u00e4 \u4e2d % & < >', 'u')
put('empty')
" || die "the container is filled"
OBJECTS=$(ost_objects)
check "it is imported" tool first
is "to the end" "$(status first state) $(status first totalErrors) $(status first totalConflicts)" "Completed 0 0"
is "to this place" "$(status first filesystemPath) $(status first prefix)" "/data/in fs/"
is "all of it" "$(status first totalBlobsWalked) $(status first totalBlobsImported)" "2007 2007"
is "by types" "$(status first importedFiles) $(status first importedSymlinks) $(status first importedDirectories)" "2005 1 22"
is "nothing was there" "$(status first preexistingFiles) $(status first preexistingDirectories)" "0 0"
is "the names are there" "$(find "$D/many" -type f | wc -l)" 2000
is "on each mount" "$(find "$B/data/in/many" -type f | wc -l)" 2000
is "what a folder's blob says" "$(stat -c '%u:%g %a %Y' "$D/folder")" "7:8 750 1546398245"
is "what a file's blob says" "$(stat -c '%u:%g %a %s %.9Y' "$D/folder/one")" "1000:2000 640 4 1580702706.789000000"
is "as azcopy says it" "$(stat -c '%u:%g %a %.9Y' "$D/folder/azcopy")" "12:13 644 1580702706.000000009"
is "a link" "$(readlink "$D/folder/link")" one
is "and its owner" "$(stat -c '%u:%g' "$D/folder/link")" "5:6"
is "what no blob says" "$(stat -c '%u:%g %a' "$D/plain" "$D/many")" "0:0 644
0:0 755"
is "any name" "$(ls "$D" | grep umlaut)" 'umlaut ä 中 % & < >'
is "the files are released" "$(state "$D/folder/one")" "$IMPORTED"
is "no data are here" "$(ost_objects)" "$OBJECTS"
mover first --path /data/in
is "who reads gets the data" "$(cat "$D/folder/one" "$B/data/in/many/d07/f099")" "one
text 7 99"
is "through a link" "$(cat "$D/folder/link")" one
is "of a file without any" "$(cat "$D/empty")" ""
echo more >>"$D/plain"
archive "$D/plain"
is "what is changed is archived where it came from" "$(az cat data fs/plain)" "pmore"

# ---- the second one ----
check "it is imported again" tool second
is "nothing is new" "$(status second state) $(status second totalBlobsImported) $(status second preexistingFiles)" "Completed 0 2005"
blobs "
put('new/deep/er/file', 'n')
put('folder/one', 'another\n', owner='1', group='2', permissions='0600')
put('many/d00/f000', 'changed')
put('folder', hdi_isfolder='true', owner='70', group='80', permissions='0700')
"
echo mine >"$D/many/d01/f001" # of which the container has another
echo dirty >>"$D/many/d07/f099"
check_conflict() { # MODE STATE CONFLICTS: a job of that mode
	check "mode $1" tool "mode$1" --conflict-resolution-mode "$1"
	is "mode $1: state" "$(status "mode$1" state)" "$2"
	like "mode $1: conflicts" "$(status "mode$1" totalConflicts)" "^$3\$"
}
is "another mount has seen what was there" "$(stat -c %s "$B/data/in/folder/one") $(ls "$B/data/in/folder" "$B/data/in/new" 2>/dev/null | wc -l)" "4 4"
check_conflict Fail Failed '[1-4]'
like "and says what" "$(status modeFail statusMessage)" '^conflict: .*fs/'
check_conflict Skip Completed 4
is "what is new was imported" "$(cat "$B/data/in/new/deep/er/file")" n
is "what is here stayed" "$(cat "$D/many/d01/f001" "$D/many/d07/f099") $(stat -c %u "$D/folder")" "mine
text 7 99dirty 7"
is "and was told" "$(lines modeSkip | grep -c '"why":"conflict: ')" 4
is "a changed version is not mixed with another" "$(stat -c %s "$D/folder/one")" 4
check_conflict OverwriteIfDirty Completed 4
is "the container's is there" "$(cat "$D/folder/one" "$D/many/d00/f000" "$B/data/in/many/d01/f001" "$B/data/in/many/d07/f099")" \
	"another
changedtext 1 1text 7 99"
is "and what it says of a folder" "$(stat -c '%u:%g %a' "$D/folder")" "70:80 700"
check_conflict OverwriteAlways Completed 0
is "all is as it was first" "$(state "$D/folder/one")" "$IMPORTED"
is "and can be read" "$(cat "$D/folder/one")" another

# ---- what cannot be a file ----
blobs "
put('plain/below', 'x')
put('many//two', 'x')
put('long/' + 'n' * 300, 'x')
put('slash/', 'x')
put('pipe', is_fifo='true')
put('ok/after', 'x')
"
check "names that cannot be" tool bad
is "are too many" "$(status bad state)" Failed
check "some may be" tool some --maximum-errors 5
is "which is not all" "$(status some state) $(status some totalErrors)" "CompletedPartial 5"
is "each is told" "$(lines some | grep -c '"error":')" 5
like "and why" "$(lines some | grep plain/below)" '"why":"a file has the name of its directory"'
is "others are there" "$(cat "$D/ok/after")" x
is "as before" "$(cat "$D/plain")" pmore
for b in plain/below many//two slash/ pipe; do az rm data "fs/$b"; done

# ---- jobs end, and go on ----
check_fails 1 "a wrong container" tool wrong --container none
is "is told" "$(status wrong state)" Failed
check_fails 1 "no name of a job" tool ../x
serve() { # DIRS FILES NAME...: a server that lists as fast as it can; its address is in $LIST
	$PY "$HERE/list_server.py" "$WORK/hold" "$@" >"$WORK/list" &
	PIDS+=($!)
	until_true 60 test -s "$WORK/list" || die "the list is served"
	LIST=http://127.0.0.1:$(cat "$WORK/list")/devstoreaccount1
}
serve 200 250 '../up' 'a/./b' '/root' 'fine/x'
fast() { # NAME OPTION...
	job "$1" --pid-file "$WORK/$1.pid" --endpoint "$LIST" --container list --path /fast --maximum-errors 3 "${@:2}"
}
walked() { [ "$(status kill totalBlobsWalked)" -gt "$1" ]; } # of 50004
running() { [ -s "$WORK/kill.pid" ]; }
echo 40 >"$WORK/hold"
fast kill 2>"$WORK/kill.log" &
JOB=$!
until_true 60 running || fail "it runs"
until_true 60 walked 5000 || fail "it is under way"
kill_wait KILL "$(pids_of mds)"
check "the MDS comes again" timeout 120 sheenctl up --dir "$CDIR" --mount "$MA"
echo 60 >"$WORK/hold"
until_true 60 walked 9500 || fail "the job has waited for it"
check_fails 1 "a job runs once" fast kill --pid-file "$WORK/twice.pid"
like "which is said" "$OUT" 'runs already'
kill_wait KILL "$(cat "$WORK/kill.pid")"
wait $JOB
is "a job that was killed is under way" "$(status kill state)" InProgress
FIRST=$(status kill totalBlobsWalked)
rm "$WORK/kill.pid"
echo 120 >"$WORK/hold"
fast kill 2>>"$WORK/kill.log" &
JOB=$!
until_true 60 running || fail "it is started again"
until_true 60 walked 5000 || fail "it goes on"
kill -TERM "$(cat "$WORK/kill.pid")"
check "it stops" wait $JOB
is "and is under way" "$(status kill state)" InProgress
SECOND=$(status kill totalBlobsWalked)
rm "$WORK/hold"
check "it goes on" fast kill
is "to the end" "$(status kill state) $(status kill totalBlobsWalked)" "CompletedPartial 50004"
is "each once" "$(($(status kill importedFiles) + $(status kill preexistingFiles))) $(status kill totalErrors)" "50001 3"
is "all are there" "$(find "$A/fast" -type f | wc -l)" 50001
note "killed after $FIRST, stopped after $SECOND"
check "a job from nothing" fast speed --path /speed
note "imported $(status speed blobsImportedPerSecond) entries a second"
check "again" fast again --path /speed
note "walked $(status again blobsWalkedPerSecond) entries a second, which were there"
is "and nothing was made" "$(status again totalBlobsImported)" 0
kill_wait TERM "$MOVER"
check "the tables fit together" mdt_is_sound
finish
