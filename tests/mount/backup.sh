#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A backup of the MDT while it serves, and its restoration: what was there at the time of the backup is there again, what was
# made since is found without a name, and nothing new gets an old identity.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 1
DOWN() { unmount "$MA"; unmount "$MB"; timeout 60 sheenctl down --dir "$CDIR" >/dev/null 2>&1; }
mkdir "$A/d"
for i in $(seq 200); do echo "$i" >"$A/d/f$i"; done
# Until its close has come to the MDS the size of a file is measured: of one whose data is lost, too.
CP=$(client_pid "$MA")
unmount "$MA" && until_true 30 gone "$CP" && mount_sheen "$SOURCE" "$MA" || die "the mount"
settled() { [ "$(timeout 20 lctl get_param -n --nid "127.0.0.1@tcp:$((PORT + 1))" 'mdt.*.settling')" = 0 ]; }
check "their sizes are settled" until_true 30 settled
storm() { # until the file `end` appears
	local i=0
	while [ ! -e "$WORK/end" ]; do
		i=$((i + 1))
		mkdir "$A/s$i" && ln -s x "$A/s$i/x" && mv "$A/s$i" "$A/t$i" && rm -r "$A/t$i" || return 1
	done
}
storm >"$WORK/storm" 2>&1 &
PIDS+=($!)
check "a backup while it serves" timeout 60 sheenctl backup --dir "$CDIR" --to "$WORK/backup"
touch "$WORK/end"
wait "${PIDS[@]}" || fail "the load ran without errors: $(cat "$WORK/storm")"
PIDS=()
check_fails any "none is written over" sheenctl backup --dir "$CDIR" --to "$WORK/backup"
check "the backup is a sound MDT" sh -c 'cp -r "$0/backup" "$0/look" && sheen-mds --check "$0/look"' "$WORK"
echo later >"$A/later" && sync "$A/later"
LATER=$(lfs path2fid "$A/later")
F7=$(object_file "$(lfs path2fid "$A/d/f7")" 0)
[ -e "$F7" ] || fail "the object of f7 is there"
rm "$A/d/f7"
sync -f "$A"
check "the object of a removed file goes" until_true 30 test ! -e "$F7"
check_fails any "no restore while it runs" sheenctl restore --dir "$CDIR" --from "$WORK/backup"
DOWN || die "the cluster stops"
check_fails any "nor onto what is there" sheenctl restore --dir "$CDIR" --from "$WORK/backup"
check_fails any "no backup of what does not run" sheenctl backup --dir "$CDIR" --to "$WORK/second"
rm -r "$CDIR/mdt0"
check "the restore" sheenctl restore --dir "$CDIR" --from "$WORK/backup"
check "the cluster starts" timeout 120 sheenctl up --dir "$CDIR" --mount "$MA"
is "the names are there" "$(ls "$A/d" | wc -l)" 200
is "with their data" "$(cat "$A/d/f1" "$A/d/f200" | tr '\n' ' ')" "1 200 "
check_fails any "what was removed since has lost its data" cat "$A/d/f7"
echo new >"$A/new"
is "a new file is new" "$(cat "$A/new")" new
exec 9<"$A/d/f7" # it is judged, though somebody has it open
timeout 60 sheenctl check --dir "$CDIR" --repair >"$WORK/report" 2>&1
exec 9<&-
is "the checker finds what is missing" "$(grep -c missing_object "$WORK/report")" 1 || cat "$WORK/report"
is "what was made since is found" "$(cat "$A/.lustre/lost+found/$LATER")" later
rm "$A/d/f7"
check "then all is clean" timeout 60 sheenctl check --dir "$CDIR"
finish
