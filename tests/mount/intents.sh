#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Opens that come with lookups and listings: they cost no request of their own where they are expected, nothing where they are not,
# and change nothing else: what others write, remove or forbid holds at the next open. And names that are known not to be there.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
requires grep

# calls NAME: how many of these requests mount A has sent to the MDS. per NAME COMMAND...: how many it takes.
calls() { lctl get_param -n --mount "$MA" "mdc.*.stats" | awk -v name="$1" '$1 ~ name { n += $2 } END { print n + 0 }'; }
stats() { lctl get_param -n --mount "$MA" "llite.*.$1" | awk -v name="$2" '$1 == name || $1 == name ":" { print $2 }'; }
per() {
	local name=$1 before
	shift
	before=$(calls "$name")
	"$@" >"$WORK/out" 2>&1
	echo $(($(calls "$name") - before))
}
read_all() { # FILE...: opens, reads, closes, and nothing else
	$PY -c '
import os, sys
for name in sys.argv[1:]:
    fd = os.open(name, os.O_RDONLY)
    os.write(1, os.read(fd, 100))
    os.close(fd)' "$@"
}
stat_all() { $PY -c 'import os, sys; [os.stat(name) for name in sys.argv[1:]]' "$@"; }
files() { # DIR FROM TO
	local i
	for ((i = $2; i <= $3; i++)); do
		echo "$1/$i"
	done
}
# make_files DIR FROM TO: by mount B, which then has no lease on them: whoever has written a file keeps it to himself until somebody asks.
make_files() {
	local i
	mkdir -p "$1"
	for ((i = $2; i <= $3; i++)); do
		echo "$i" >"$1/$i"
	done
	sync "$1" # before that it is no file to be opened ahead: it might have to be committed for it
	until_true 20 no_leases || fail "mount B gives its leases back"
}
MDS_NID=127.0.0.1@tcp:$((PORT + 1))
UUID_B=$(lctl get_param -n --mount "$MB" 'llite.*.uuid')
no_leases() { # closes may be on their way: then they are in use. And the MDS hears of all of it a moment later.
	lctl set_param --mount "$MB" 'ldlm.namespaces.*.lru_size=clear' >/dev/null
	lctl get_param -n --nid "$MDS_NID" 'mdt.*.exports' | grep -q "^$UUID_B .* open=0 leases=0$"
}

scan_after() { lctl set_param --mount "$MA" "llite.*.scan_after=$1" >/dev/null; }
scan_after 0
make_files "$B/d" 1 200
mapfile -t FIRST < <(files "$A/d" 1 3)
mapfile -t COLD < <(files "$A/d" 4 103)
mapfile -t OTHERS < <(files "$A/d" 104 153)
mapfile -t LAST < <(files "$A/d" 154 163)
read_all "${FIRST[@]}" >/dev/null
LOOKUPS=$(calls lookup)
HITS=$(stats stats open_hits)
is "100 cold files are opened without a request of their own" "$(per open read_all "${COLD[@]}")" 0
is "are read right" "$(cat "$WORK/out")" "$(seq 4 103)"
is "with one lookup each" "$(($(calls lookup) - LOOKUPS))" 100
is "and opens that took no request are counted" "$(($(stats stats open_hits) - ${HITS:-0}))" 100
AHEAD=$(stats data_stats opened_ahead)
stat_all "${OTHERS[@]}"
check "who only looks soon has nothing opened any more" test $(($(stats data_stats opened_ahead) - AHEAD)) -le 8
AHEAD=$(stats data_stats opened_ahead)
stat_all "${LAST[@]}"
is "at all" "$(stats data_stats opened_ahead)" "$AHEAD"
lctl set_param --mount "$MA" 'llite.*.intent_open=0' >/dev/null
mapfile -t MORE < <(files "$A/d" 164 173)
is "without it each first open is a request" "$(per open read_all "${MORE[@]}")" 10
lctl set_param --mount "$MA" 'llite.*.intent_open=1' >/dev/null

# ---- listings ----
for i in 1 2 3 4; do make_files "$B/tree$i" 1 60; done
per open grep -r -h -x 7 "$A/tree1" >/dev/null
is "of a tree that was just listed nothing is asked for again" "$(per 'open|lookup' grep -r -h -x 7 "$A/tree2")" 1
is "but for the tree, and what is there is found" "$(cat "$WORK/out")" 7
for i in 3 4; do ls -l "$A/tree$i" >/dev/null; done
for i in 1 2 3 4 5 6 7 8; do make_files "$B/more$i" 1 60; ls -l "$A/more$i" >/dev/null; done
AHEAD=$(stats data_stats opened_ahead)
make_files "$B/more9" 1 60
ls -l "$A/more9" >/dev/null
is "after many listings without opens nothing comes with them" "$(stats data_stats opened_ahead)" "$AHEAD"

# ---- names that are there ----
knows() { [ "$(per lookup stat "$1/none$RANDOM")" = 0 ]; }
make_files "$B/there" 1 60
mapfile -t FIRST < <(files "$A/there" 1 4)
mapfile -t OTHERS < <(files "$A/there" 5 60)
scan_after 4
stat_all "${FIRST[@]}"
until_true 20 knows "$A/there" || fail "a directory in which files are looked at is listed"
is "then the others take no request" "$(per 'lookup|getattr' stat_all "${OTHERS[@]}")" 0

# ---- names that are not there ----
create_all() { $PY -c 'import os, sys; [os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY)) for name in sys.argv[1:]]' "$@"; }
make_files "$B/new" 1 100
mapfile -t NAMES < <(files "$A/new" 101 110)
mapfile -t MORE < <(files "$A/new" 111 160)
create_all "${NAMES[@]}"
until_true 20 knows "$A/new" || fail "a directory in which files are made is listed"
CREATES=$(calls create)
is "files are made in another's directory without lookups" "$(per lookup create_all "${MORE[@]}")" 0
is "with one request each" "$(($(calls create) - CREATES))" 50
is "all are there" "$(ls "$B/new" | wc -l)" 160
touch "$B/new/161"
check "what another mount makes is seen" test -e "$A/new/161"
check_fails any "and is not made again" create_all "$A/new/161"
rm "$B/new/161"
check_fails any "nor seen when it is gone" stat "$A/new/161"
ls "$A" >/dev/null
stat "$A/none" 2>/dev/null
check "what is not listed is there all the same" test -d "$A/.lustre/fid"
mkdir "$B/many"
(cd "$B/many" && touch $(seq 3000))
ls "$A/many" >/dev/null
is "a directory that was listed by somebody is known, too" "$(per lookup stat "$A/many/none")" 0
scan_after 0
make_files "$B/never" 1 3
mapfile -t NAMES < <(files "$A/never" 11 30)
is "scan_after=0: each name is asked for" "$(per lookup create_all "${NAMES[@]}")" 21

# ---- others write, remove, forbid ----
lctl set_param --mount "$MA" 'llite.*.intent_open=2' >/dev/null
make_files "$B/e" 1 20
mapfile -t ALL < <(files "$A/e" 1 20)
stat_all "${ALL[@]}"
is "files are open ahead" "$(per open read_all "$A/e/1" "$A/e/2")" 0
echo changed >"$B/e/3"
is "what another mount writes is read" "$(cat "$A/e/3")" changed
echo more >>"$B/e/4"
is "what it appends, too" "$(cat "$A/e/4")" "4
more"
is "the other files are still open" "$(per open read_all "$A/e/5")" 0
exec 7<"$A/e/6"
rm "$B/e/6" "$B/e/7"
is "one that is open can be read after another mount has removed it" "$(cat <&7)" 6
exec 7<&-
check_fails any "one that was only expected to be opened is gone" cat "$A/e/7"
mv "$B/e/8" "$B/e/9"
is "a file that took the place of another" "$(cat "$A/e/9")" 8
echo mine >"$A/e/10"
is "one's own change" "$(cat "$A/e/10" "$B/e/10")" "mine
mine"
rm "$A/e/11"
check_fails any "one's own removal" cat "$A/e/11"
truncate -s 1 "$B/e/12"
is "a truncation" "$(cat "$A/e/12")" 1

chmod 600 "$B/e/13" "$B/e/14"
stat_all "$A/e/13" "$A/e/14"
check_fails any "a file that is open ahead lets nobody in who may not read it" as_user -u 1234 cat "$A/e/13"
is "its owner reads it without a request" "$(per open read_all "$A/e/13")" 0
check_fails any "which lets nobody in either" as_user -u 1234 cat "$A/e/13"
chmod 604 "$B/e/14"
check "once others may read it they do" as_user -u 1234 cat "$A/e/14"
chmod 600 "$B/e/14"
check_fails any "and then no more" as_user -u 1234 cat "$A/e/14"
stat_all "$A/e/15"
setfacl -m u:1234:- "$B/e/15"
check_fails any "an ACL forbids" as_user -u 1234 cat "$A/e/15"
check "only whom it names" as_user -u 1235 cat "$A/e/15"
seen() { # rounds in which a user may read what another mount has just forbidden, right after he has closed it
	local i n=0
	for i in $(seq 25); do
		echo "$i" >"$B/e/mode$i"
		chmod 604 "$B/e/mode$i"
		as_user -u 1234 cat "$A/e/mode$i" >/dev/null || echo "not even at first"
		chmod 600 "$B/e/mode$i"
		as_user -u 1234 cat "$A/e/mode$i" >/dev/null 2>&1 && n=$((n + 1))
	done
	echo $n
}
is "what is forbidden is so at once, while the access time of a close is on its way" "$(seen)" 0
printf '#!/bin/sh\necho run\n' >"$B/e/16"
stat_all "$A/e/16"
check_fails 126 "what is not executable is not run" "$A/e/16"
chmod 755 "$B/e/16"
stat_all "$A/e/16"
is "and is when it is" "$("$A/e/16")" run
is "another user's, too" "$(as_user -u 1234 "$A/e/16")" run

# A killed MDS: what was open stays so.
stat_all "$A/e/17"
exec 7<"$A/e/18"
kill_wait KILL "$(pids_of mds | tail -n 1)"
timeout 120 sheenctl up --dir "$CDIR" --mount "$MA" >"$WORK/up.log" 2>&1 || fail "the cluster is up again"
rm "$B/e/18"
is "a file that was opened so is read after its removal, by another MDS" "$(cat <&7)" 18
exec 7<&-
is "one that was not opened, too" "$(cat "$A/e/17")" 17
check "the tables of the MDT are sound" mdt_is_sound
finish
