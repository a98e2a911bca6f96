#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A cluster for a computation, as a guide for Azure Managed Lustre has it: create, import a container, mount, compute, export, delete.
# Each command of the guide is printed. What is exported is what is there: new, changed, renamed and removed files, attributes, links,
# directories; jobs that are killed go on; a second cluster imports the result and is the same.
. "$(dirname "$0")/lib.sh"
requires_root
requires node setfattr
export SHEENCTL_HOME=$WORK/names
CDIR=$WORK/hpc
PORT=$(free_port) || die "no free ports"
CLUSTERS+=("$CDIR" "$WORK/second")
. "$HERE/hsm_lib.sh"
guide() { # WHAT COMMAND...
	local what=$1
	shift
	echo "# \$ $*"
	check "$what" "$@"
}
az mkcontainer input || die "a container for input"
$PY -c "import json
for d in range(10):
    for f in range(20): print(json.dumps(['set/d%d/f%d' % (d, f), 'input %d %d' % (d, f), {'owner': '1000', 'permissions': '0640'}]))" | az fill input ||
	die "the container is filled"

# ---- create, import, mount ----
guide "a cluster is created" sheenctl create --name hpc --sku Durable-Premium-250 --storage-capacity 48 --dir "$CDIR" --oss 1 --osts 2 --port "$PORT"
bind() { # OPTION...
	sheenctl archive create --name hpc --archive-name training --filesystem-path /data/training --storage-account-url "$URL" \
		--container-name input --prefix set --logging-container-name logs --credentials "$WORK/cred" "$@"
}
chmod 644 "$WORK/cred"
check_fails any "credentials that others can read are refused" bind --wait
like "and it is said why" "$OUT" "nobody else may read"
chmod 600 "$WORK/cred"
is "nothing is left of that" "$(sheenctl archive list --name hpc)" ""
guide "a container is imported" bind --wait
state_of() { sheenctl archive show --name hpc --archive-name training --query "$1"; }
is "to its end" "$(state_of importStatus.state) $(state_of totalBlobsImported)" "Completed 200"
like "list shows it" "$(sheenctl archive list --name hpc)" '^training +Completed +-  *input +/data/training$'
check_fails any "a directory has one container" sheenctl archive create --name hpc --archive-name other --filesystem-path /data \
	--storage-account-url "$URL" --container-name data --credentials "$WORK/cred"
check_fails any "a name has one container, too" sheenctl archive create --name hpc --archive-name training --filesystem-path /other \
	--storage-account-url "$URL" --container-name data --credentials "$WORK/cred"
MNT=$WORK/mnt
mkdir "$MNT"
MOUNTS+=("$MNT")
COMMAND=$(sheenctl show --name hpc --query mountCommand)
echo "# \$ $COMMAND"
# shellcheck disable=SC2086
set -- $COMMAND
check "the mount command mounts" mount_sheen "$4" "$MNT"
T=$MNT/data/training
guide "files are striped over all OSTs" lfs setstripe -c -1 "$T"
guide "space is shown" lfs df -h "$MNT"
guide "stripes are shown" lfs getstripe "$T/d0"
is "the names are there" "$(find "$T" -type f | wc -l)" 200
is "their data are not" "$(lfs hsm_state "$T/d3/f7" | sed 's/.*: //')" "(0x0000000d) released exists archived, archive_id:1"
is "until they are read" "$(cat "$T/d3/f7")" "input 3 7"
is "with their owner and mode" "$(stat -c '%u %a' "$T/d3/f7")" "1000 640"
echo more >>"$T/d3/f7"
mkdir "$T/results"
for i in $(seq 40); do echo "result $i" >"$T/results/r$i"; done
head -c 20M /dev/urandom >"$T/results/large"
ln -s r1 "$T/results/best"
mkfifo "$T/results/fifo"
mv "$T/d1" "$T/renamed"
chmod 600 "$T/d2/f0"

# ---- delete refuses, export ----
check_fails any "a mounted cluster is not deleted" sheenctl delete --name hpc --yes
umount "$MNT"
check_fails any "nor one that was not exported" sheenctl delete --name hpc --yes
like "it is said which files" "$OUT" "not exported: /data/training/"
like "and how many: new, changed, renamed, of another mode, a link" "$OUT" "64 files are not in their containers"
check "it serves on" mount_sheen "$4" "$MNT"
is "with its mover" "$(cat "$T/d4/f4")" "input 4 4"
guide "what changed is exported" sheenctl archive --name hpc --filesystem-path /data/training --wait
is "to its end" "$(state_of archiveStatus.state)" Completed
is "what is new and changed" "$(state_of exportedFiles) $(state_of exportedSymlinks)" "63 1"
is "what was renamed" "$(state_of renamedBlobs)" 20
is "the container has it" "$(az cat input set/results/r7) $(az cat input set/d3/f7 | tr '\n' ' ')" "result 7 input 3 7more "
is "under its new name" "$(az cat input set/renamed/f3)" "input 1 3"
is "and not under the old one" "$(az list input set/d1/ | grep -c f)" 0
like "a mode alone" "$(az meta input set/d2/f0)" "permissions=0600"
is "a link" "$(az cat input set/results/best) $(az meta input set/results/best | grep is_symlink)" "r1 is_symlink=true"
like "a directory" "$(az meta input set/results)" "hdi_isfolder=true"
az cat input set/results/large >"$WORK/large"
check "a large file" cmp "$WORK/large" "$T/results/large"
like "what no container has is in the log" "$(for b in $(az list logs export-training/); do az cat logs "$b"; done)" "results/fifo"
guide "again" sheenctl archive --name hpc --wait
is "there is nothing to do" "$(state_of exportedFiles) $(state_of renamedBlobs)" "0 0"
rm "$T/results/r7" "$T/d5/f5"
check "what was removed stays in the container" sheenctl archive --name hpc --wait
is "unless that is wanted" "$(az cat input set/results/r7)" "result 7"
check "it is" sheenctl archive --name hpc --deletions remove --wait
is "then it goes" "$(az list input set/results/ | grep -c -x set/results/r7) $(state_of deletedBlobs)" "0 1"
is "but nothing that nobody here has put" "$(az cat input set/d5/f5)" "input 5 5"


# ---- nothing is lost: only copies, blobs of others ----
export_now() { sheenctl archive --name hpc --wait "$@"; }
for i in $(seq 0 9); do mv "$T/d6/f$i" "$T/d6/f$i.old" && echo "new $i" >"$T/d6/f$i"; done
(cd "$T/d8" && mv f2 f3 && mv f1 f2 && mv f0 f1 && echo new >f0 && mv f5 t && mv f6 f5 && mv t f6)
mkdir "$T/clash" "$T/gone"
echo inside | tee "$T/clash/x" >"$T/gone/x"
ln "$T/results/r1" "$T/results/r1.link"
check "somebody has put a blob" az put input set/clash "not ours"
check "files got the names of renamed ones" export_now
rm "$T/results/r1.link" # the container has a file once
is "the new ones are there" "$(for i in $(seq 0 9); do az cat input "set/d6/f$i"; done)" "$(seq -f 'new %.0f' 0 9)"
is "and the old ones, of which there was no other copy" "$(for i in $(seq 0 9); do cat "$T/d6/f$i.old"; done)" "$(printf 'input 6 %d' $(seq 0 9))"
EIGHT=$(printf 'new\ninput 8 0 input 8 1 input 8 2 input 8 6 input 8 5 ')
eight() { # COMMAND...: in front of each name
	local i
	"${@:1:$#-1}" "${*: -1}d8/f0"
	for i in 1 2 3 5 6; do "${@:1:$#-1}" "${*: -1}d8/f$i" && echo -n " "; done
}
is "names that went round, and two that were exchanged" "$(eight az cat input set/)" "$EIGHT"
is "here, too" "$(eight cat "$T/")" "$EIGHT"
is "a directory does not replace data" "$(az cat input set/clash) $(az cat input set/clash/x)" "not ours inside"
is "it is said" "$(state_of archiveStatus.state) $(state_of archiveStatus.totalErrors)" "CompletedPartial 1"
az rm input set/clash
check "without that blob" export_now
is "all is there" "$(state_of archiveStatus.state)" Completed
like "with its attributes" "$(az meta input set/clash)" "hdi_isfolder=true"
ETAG=$(az etag input set/clash)
check "again" export_now
is "directories as they are stay as they are" "$(az etag input set/clash) $(state_of exportedDirectories)" "$ETAG 0"
check "data are left to the container" lfs hsm_release "$T/results/r9"
mv "$T/results/r9" "$MNT/moved"
rm -r "$T/gone"
check "what is gone is removed" export_now --deletions remove
is "directories, too" "$(az list input set/ | grep -c '^set/gone') $(state_of deletedBlobs)" "0 2"
is "not the only copy of what has moved" "$(cat "$MNT/moved")" "result 9"
mv "$MNT/moved" "$T/results/r9"
like "status shows it" "$(sheenctl status --dir "$CDIR")" '^training +running +Completed +Completed +/data/training$'


# ---- bound to another container ----
id_of() { sheenctl archive show --name hpc --archive-name "$1" --query archiveId; }
az mkcontainer other || die "another container"
check "an archive is deleted" sheenctl archive delete --name hpc --archive-name training
check "another container takes its place" sheenctl archive create --name hpc --archive-name other --filesystem-path /data/training \
	--storage-account-url "$URL" --container-name other --credentials "$WORK/cred" --wait
is "with another id" "$(id_of other)" 2
sheenctl archive --name hpc --archive-name other --filesystem-path /data/training/results --wait >"$WORK/out" 2>&1
is "what is in the first one does not count as exported" "$(sheenctl archive show --name hpc --archive-name other --query archiveStatus.state)" \
	CompletedPartial
check "it goes" sheenctl archive delete --name hpc --archive-name other
check "the first one is bound again" bind --conflict-resolution-mode Skip --wait
is "with its own id" "$(id_of training)" 1
rm "$T/d5/f5" # it was in the container still

# ---- killed, canceled, down and up ----
for i in $(seq 300); do echo "more $i" >"$T/results/m$i"; done
sync -f "$T"
lctl set_param -n --nid "127.0.0.1@tcp:$((PORT + 1))" 'mdt.*.session_timeout=5' || fail "who is killed is forgotten soon"
task() { awk '{ print $1 }' "$CDIR/run/$1.training.pid"; }
kill -STOP "$(task mover)" # so it cannot end
check "an export begins" sheenctl archive --name hpc
queued() { lctl get_param -n --nid "127.0.0.1@tcp:$((PORT + 1))" 'mdt.*.hsm.actions' | grep -q -E 'WAITING|STARTED'; }
until_true 60 queued || fail "it asks for files to be archived"
kill_wait KILL "$(task export)"
kill_wait KILL "$(task mover)"
is "it is not done" "$(state_of archiveStatus.state)" InProgress
check "up goes on with it" sheenctl up --dir "$CDIR"
over() { [ "$(state_of archiveStatus.state)" != InProgress ]; }
until_true 60 over || fail "it ends"
is "well" "$(state_of archiveStatus.state)" Completed
is "all is there" "$(az list input set/results/m | wc -l)" 300
check_fails any "what is over is not canceled" sheenctl archive cancel --name hpc --archive-name training
for i in $(seq 300); do echo "other $i" >"$T/results/m$i"; done
check "an export begins again" sheenctl archive --name hpc
check "it is canceled" sheenctl archive cancel --name hpc --archive-name training
like "or was quick" "$(state_of archiveStatus.state)" '^(Canceled|Completed)$'
check "and begins anew" sheenctl archive --name hpc --wait
(cd "$T" && find . -name fifo -o -type f -printf '%p %s %m %u\n' -o -type l -printf '%p %l\n' | sort) >"$WORK/tree"
(cd "$T" && find . -type f -exec md5sum {} + | sort -k 2) >"$WORK/sums"
umount "$MNT"
forgotten() { lctl get_param -n --nid "127.0.0.1@tcp:$((PORT + 1))" 'mdt.*.exports' | grep -q 'connections=0' && return 1 || return 0; }
until_true 60 forgotten || fail "who was killed is forgotten"
guide "the cluster is deleted" sheenctl delete --name hpc --yes
check "nothing is left" test ! -e "$CDIR"

# ---- a second one ----
PORT=$(free_port) || die "no free ports"
check "another cluster" sheenctl create --name second --sku none --storage-capacity 1 --dir "$WORK/second" --oss 1 --osts 1 --port "$PORT"
check "imports the result" sheenctl archive create --name second --archive-name a --filesystem-path / --storage-account-url "$URL" \
	--container-name input --prefix set --credentials "$WORK/cred" --wait
check "it is mounted" mount_sheen "127.0.0.1@tcp:$PORT:/lustrefs" "$MNT"
rm -f "$MNT/d5/f5" # which the first one had removed
(cd "$MNT" && find . -type f -printf '%p %s %m %u\n' -o -type l -printf '%p %l\n' | sort) >"$WORK/tree2"
check "the trees are the same" diff "$WORK/tree" "$WORK/tree2"
(cd "$MNT" && find . -type f -exec md5sum {} + | sort -k 2) >"$WORK/sums2"
check "and all bytes" diff "$WORK/sums" "$WORK/sums2"
umount "$MNT"
guide "it is deleted, whatever is not exported" sheenctl delete --name second --yes --discard-unexported
finish
