#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two servers' machines over one directory (network namespaces with host names of their own), an MGS and two clients. One machine dies
# under load, with an MDT and an OST, and hangs with another OST: the other takes over, through the agent of the cluster manager,
# and the load goes on without an error. Nobody serves a target twice.
. "$(dirname "$0")/lib.sh"
requires ip nsenter unshare
requires_root
NET=sheenf$$
ALL="m h1 h2 c1 c2"
AGENT=$ROOT/contrib/ocf/target
take_away() {
	local n
	for n in $ALL switch; do
		ip netns del $NET-$n 2>/dev/null
	done
}
trap 'RC=$?; for n in $ALL; do plug $n; done; end_servers; (trap - EXIT; (exit $RC); cleanup); take_away; exit $RC' EXIT
plug() { ip -n $NET-switch link set dev to-$1 up 2>/dev/null; }
unplug() { ip -n $NET-switch link set dev to-$1 down; }
# on MACHINE COMMAND...: there: its network, its name; files and processes are those of this one.
on() {
	local n=$1
	shift
	nsenter --net=/run/netns/$NET-$n unshare --uts -- sh -c 'echo "$0" >/proc/sys/kernel/hostname && exec "$@"' "$n" "$@"
}
wire_up() {
	local n i=0
	ip netns add $NET-switch && ip -n $NET-switch link add br0 type bridge && ip -n $NET-switch link set dev br0 up || return 1
	for n in $ALL; do
		i=$((i + 1))
		ip netns add $NET-$n &&
			ip -n $NET-switch link add to-$n type veth peer name eth0 netns $NET-$n &&
			ip -n $NET-switch link set dev to-$n master br0 up &&
			ip -n $NET-$n address add 10.97.0.$i/24 dev eth0 &&
			ip -n $NET-$n link set dev eth0 up && ip -n $NET-$n link set dev lo up || return 1
	done
	on h1 true
}
# ocf MACHINE TARGET ACTION [LEVEL]: as Pacemaker calls it.
ocf() {
	on "$1" env OCF_RESKEY_directory="$WORK/$2" OCF_RESKEY_bindir="$BIN" OCF_RESKEY_logfile="$WORK/$2.log" \
		OCF_RESKEY_options="--set guard_term=$TERM_S" OCF_CHECK_LEVEL="${4:-0}" OCF_RESKEY_CRM_meta_timeout=60000 "$AGENT" "$3"
}
TERM_S=4
holder() { sed -n 's/^[^ ]* \([0-9]*\) .*/\1/p' "$WORK/$1/sheen.lock"; }
STARTED=
end_servers() {
	local p
	for p in $STARTED; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" ] && grep -q "^sheen-" "/proc/$p/comm" && kill -CONT "$p" && SERVERS+=("$p")
	done
}
wire_up 2>"$WORK/net.err" || { take_away; skip "no network namespaces: $(cat "$WORK/net.err")"; }
M=10.97.0.1@tcp H1=10.97.0.2@tcp H2=10.97.0.3@tcp
# Each where it is served first, which then need not wait.
check "format" eval 'on m mkfs.sheen -q --mgs "$WORK/mgs" &&
	on h1 mkfs.sheen -q --mdt --fsname=fo --index=0 --mgsnode=$H2 --mgsnode=$M --servicenode=$H1 --servicenode=$H2 "$WORK/mdt" &&
	on h1 mkfs.sheen -q --ost --fsname=fo --index=0 --mgsnode=$M --servicenode=$H1:$H2 "$WORK/ost0" &&
	on h1 mkfs.sheen -q --ost --fsname=fo --index=1 --mgsnode=$M --failnode=$H2 "$WORK/ost1"'
check_fails 22 "of --servicenode and --failnode one is enough" mkfs.sheen --ost --fsname=fo --index=2 --mgsnode=$M --servicenode=$H1 \
	--failnode=$H2 "$WORK/no"

# ---- the agent, as a cluster manager drives it ----
check_fails 7 "the agent says that nothing runs" ocf h1 ost0 monitor
check "it starts a target" ocf h1 ost0 start
STARTED=$(holder ost0)
check "and says so" ocf h1 ost0 monitor
check "also when it asks the server" ocf h1 ost0 monitor 10
check "a second start does nothing" ocf h1 ost0 start
is "the same process serves" "$(holder ost0)" "$STARTED"
check_fails 7 "on the other machine it does not run" ocf h2 ost0 monitor
check "it stops it" ocf h1 ost0 stop
check_fails 7 "it is stopped" ocf h1 ost0 monitor
check "a second stop does nothing" ocf h1 ost0 stop
check_fails 5 "a directory without a target is an installation that is not there" ocf h1 nothing start
check_fails 7 "and runs nowhere" ocf h1 nothing monitor
check_fails 6 "without a directory nothing is configured" env -u OCF_RESKEY_directory "$AGENT" validate-all
check_fails 3 "other actions are not implemented" "$AGENT" dance
check "the configuration is valid" ocf h1 mdt validate-all
check "the agent describes itself" sh -c '"$0" meta-data | '$PY' -c "
import sys, xml.etree.ElementTree as t
r = t.fromstring(sys.stdin.buffer.read().split(b\"]>\")[-1])
assert [a.get(\"name\") for a in r.iter(\"action\")] == [\"start\", \"stop\", \"monitor\", \"monitor\", \"meta-data\", \"validate-all\"]
assert r.find(\"parameters/parameter[@name=\\\"directory\\\"]\").get(\"required\") == \"1\""' "$AGENT"

for t in mgs mdt ost0 ost1; do
	h=h1
	[ $t = mgs ] && h=m
	ocf $h $t start >"$WORK/$t.start" 2>&1 &
	eval "start_$t=$!"
done
for t in mgs mdt ost0 ost1; do
	eval "wait \$start_$t" && STARTED="$STARTED $(holder $t)" || fail "$t starts: $(cat "$WORK/$t.start")"
done
A=$WORK/a B=$WORK/b
mkdir "$A" "$B"
MOUNTS+=("$A" "$B")
# The MGS is not at the first address: the second one is tried.
mounted() { on c1 timeout 60 mount.sheen $H2:$M:/fo "$A"; }
check "a client mounts" until_true 60 mounted || die "no mount"
check "it sees two OSTs" until_true 30 eval '[ "$(lfs osts "$A" | grep -c ACTIVE)" = 2 ]'
import() { lctl get_param -n --mount "$A" "$1.import" | tr -d '\n'; }
like "the import of an OST knows both addresses" "$(import 'osc.*OST0000*')" 'failover_nids: \[ "10.97.0.2@tcp:99[0-9]", "10.97.0.3@tcp:99[0-9]" \]'
like "and the one of a failover node" "$(import 'osc.*OST0001*')" 'failover_nids: \[ "10.97.0.2@tcp:99[0-9]", "10.97.0.3@tcp:99[0-9]" \]'
like "it is connected to the first machine" "$(import 'mdc.*')" 'current_connection: "10.97.0.2@tcp:989"'
like "the import of the MGS shows its addresses" "$(lctl get_param -n --mount "$A" 'mgc.*.import' | tr -d '\n')" \
	'failover_nids: \[ "10.97.0.3@tcp", "10.97.0.1@tcp" \].*current_connection: "10.97.0.1@tcp:988"'

# ---- a machine dies under load ----
lfs setstripe -c 2 -S 1M "$A"
mkdir "$A/d"
$PY "$HERE/failover_load.py" "$A/d" "$WORK/stop" >"$WORK/load" 2>&1 &
LOAD=$!
PIDS+=($LOAD)
made() { [ "$(cat "$WORK/stop.n" 2>/dev/null || echo 0)" -ge "$1" ]; }
check "work is under way" until_true 30 made 12
check_fails 1 "what one machine serves the other does not start" ocf h2 mdt start
like "it says who does" "$OUT" "already served by another process \(host, pid, since: h1 $(holder mdt) 20"
HUNG=$(holder ost1)
unplug h1
kill -STOP "$HUNG"
kill_wait KILL "$(holder mdt)" "$(holder ost0)"
# The lock of one that hangs on another machine is not seen here.
rm "$WORK/ost1/sheen.lock"
BEGIN=$SECONDS
for t in mdt ost0 ost1; do
	ocf h2 $t start >"$WORK/$t.start" 2>&1 &
	eval "start_$t=$!"
done
for t in mdt ost0 ost1; do
	eval "wait \$start_$t" && STARTED="$STARTED $(holder $t)" || fail "$t starts on the second machine: $(cat "$WORK/$t.start")"
done
note "taken over within $((SECONDS - BEGIN)) s"
N=$(cat "$WORK/stop.n")
check "the work goes on" until_true 60 made $((N + 8))
like "at the second machine" "$(import 'osc.*OST0001*')" 'failover_nids: \[ "10.97.0.3@tcp.*current_connection: "10.97.0.3@tcp:99'
like "with the MDT, too" "$(import 'mdc.*')" 'current_connection: "10.97.0.3@tcp:989"'

# ---- the one that hung wakes up, and stops ----
kill -CONT "$HUNG"
check "a server that lost its guard stops" until_true 10 gone "$HUNG"
check "and says why" grep -q "another server has taken this target over (host h2, pid $(holder ost1)" "$WORK/ost1.log"
plug h1
rm "$WORK/ost0/sheen.lock"
check_fails 1 "a lock that is lost does not let another machine in" ocf h1 ost0 start
like "it says who serves" "$OUT" "already served by another machine \(host h2, pid"
touch "$WORK/stop"
wait $LOAD
is "no error was seen" $? 0
read -r N LONGEST <"$WORK/load"
note "$N files, the longest step took $LONGEST s"
check "another client mounts" on c2 timeout 60 mount.sheen $M:/fo "$B"
check "and finds everything as it was written" timeout 120 $PY "$HERE/failover_load.py" --verify "$B/d" "$N"
finish
