#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How many leases a client may have: a walk over far more files than that stays below the MDS's limit at every moment and shows
# what other mounts change; lru_size and lru_size=clear.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 1
MDS_NID=127.0.0.1@tcp:$((PORT + 1))
LIMIT=400
MOST=$((LIMIT + LIMIT / 4)) # beyond that nothing is granted
DIRS=10
EACH=500

of_mds() { lctl get_param -n --nid "$MDS_NID" "mdt.*.lease_stats" | sed -n "s/^$1: //p"; }
of_client() { lctl get_param -n --mount "$MA" "llite.*.lease_stats" | sed -n "s/^$1: //p"; }
locks() { lctl get_param -n --mount "$MA" "ldlm.namespaces.*.${1:-lock_count}"; }
lru_size() { lctl set_param -n --mount "$MA" "ldlm.namespaces.*.lru_size=$1"; }
at_most() { [ "$("${@:2}")" -le "$1" ]; }
# What a mount shows of all files: modes, sizes, links and names.
listing() { (cd "$1/t" && find . -printf '%m %s %n %i %p\n' | sort -k5); }

check "the limit is set" lctl set_param --nid "$MDS_NID" "mdt.*.max_leases_per_client=$LIMIT"
check_fails any "not to nothing" lctl set_param --nid "$MDS_NID" "mdt.*.max_leases_per_client=0"
is "the limit is" "$(of_mds limit)" $LIMIT
mkdir "$B/t"
for d in $(seq $DIRS); do
	mkdir "$B/t/$d"
	(cd "$B/t/$d" && seq $EACH | xargs touch)
done
echo seven >"$B/t/1/7"

# The other mount changes things meanwhile.
(
	for i in $(seq 10 10 $EACH); do
		chmod 600 "$B/t/3/$i"
		mv "$B/t/4/$i" "$B/t/4/$i.new"
		ln "$B/t/5/$i" "$B/t/6/$i.link"
		rm "$B/t/7/$i"
	done
) &
CHANGES=$!
for i in 1 2; do
	is "walk $i finds directories that do not change whole" "$(cd "$A/t" && find 1 2 8 9 10 -printf '%s\n' | wc -l)" $((5 * (EACH + 1)))
	check "walk $i goes over all" listing "$A"
done
wait $CHANGES
listing "$A" >"$WORK/seen.a"
listing "$B" >"$WORK/seen.b"
check "both mounts show the same" cmp "$WORK/seen.a" "$WORK/seen.b"
is "and what it should be" "$(wc -l <"$WORK/seen.a")" $((1 + DIRS * (EACH + 1)))
mv "$B/t/4" "$B/t/four"
check_fails any "a directory that was moved is gone" stat "$A/t/4/1"
check "and is where it was moved to" stat "$A/t/four/1"

check "no client ever had more than a quarter above the limit" test "$(of_mds most)" -le $MOST
check "clients were asked for some" test "$(of_client asked)" -gt 0
check "and gave them back" test "$(of_client returned)" -ge $((LIMIT / 8))
check "the client comes below the limit" until_true 30 at_most $LIMIT locks
check "the MDS waits for nobody then" until_true 30 at_most $((2 * LIMIT)) of_mds held

# What is in use stays, the rest goes; the kernel is told.
exec 7<"$A/t/1/7"
read -r -u 7 line
is "a file that is open" "$line" seven
check "lru_size=clear" lru_size clear
check "leaves next to nothing" until_true 30 at_most 3 locks
is "but the data of the open file" "$(of_client data)" 1
(cd "$A/t/1" && stat -c %s ./* >/dev/null)
check "what was given back can be had again" test "$(locks)" -gt $((LIMIT / 2))
echo SEVEN >"$B/t/1/7"
is "the open file is coherent" "$(cat "$A/t/1/7")" SEVEN
exec 7<&-
cat "$A"/t/1/{1..20} >/dev/null # now files are kept open, and data
# The kernel lets processes go on before it has told the client of a close.
cleared() { lru_size clear && at_most 0 of_client data; }
check "lru_size=clear takes what is not in use, data of closed files too" until_true 30 cleared
check "the MDS knows" until_true 30 at_most $((LIMIT + 10)) of_mds held
chmod 640 "$B/t/1/8"
is "what the kernel kept it does not show any more" "$(stat -c %a "$A/t/1/8")" 640

check "a limit of the client" lru_size 50
(cd "$A/t/2" && stat -c %s ./* >/dev/null)
check "is kept" until_true 30 at_most 50 locks
is "is shown" "$(locks lru_size)" 50
check "it can be taken back" lru_size 0
(cd "$A/t/2" && stat -c %s ./* >/dev/null)
check "and is not kept any more" test "$(locks)" -gt 50
check_fails any "nonsense is refused" lru_size many
is "the MDS counts them" "$(lctl get_param -n --nid "$MDS_NID" 'ldlm.namespaces.mdt-*.lock_count')" "$(of_mds held)"
like "waits are counted" "$(lctl get_param -n --nid "$MDS_NID" 'mdt.*.lease_stats')" '^waits: [1-9]'
check "the tables fit together" mdt_is_sound
finish
