#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Five machines (network namespaces at one switch): MGS with MDS, two OSS, two clients. A link that is cut for a while is not
# noticed but for the time it takes; a client that is gone for good leaves its locks within the session's time.
. "$(dirname "$0")/lib.sh"
requires ip nsenter
requires_root
NET=sheen$$
ALL="mds oss1 oss2 c1 c2"
take_away() {
	local n
	for n in $ALL switch; do
		ip netns del $NET-$n 2>/dev/null
	done
}
# The clean-up of lib.sh unmounts and stops servers first: that needs the network.
trap 'RC=$?; for n in $ALL; do plug $n; done; (trap - EXIT; (exit $RC); cleanup); take_away; exit $RC' EXIT
plug() { ip -n $NET-switch link set dev to-$1 up 2>/dev/null; }
unplug() { ip -n $NET-switch link set dev to-$1 down; }
on() { # MACHINE COMMAND...: there, with the files and mounts of this one
	local n=$1
	shift
	nsenter --net=/run/netns/$NET-$n "$@"
}
wire_up() {
	local n i=0
	ip netns add $NET-switch && ip -n $NET-switch link add br0 type bridge && ip -n $NET-switch link set dev br0 up || return 1
	for n in $ALL; do
		i=$((i + 1))
		ip netns add $NET-$n &&
			ip -n $NET-switch link add to-$n type veth peer name eth0 netns $NET-$n &&
			ip -n $NET-switch link set dev to-$n master br0 up &&
			ip -n $NET-$n address add 10.98.0.$i/24 dev eth0 &&
			ip -n $NET-$n link set dev eth0 up && ip -n $NET-$n link set dev lo up || return 1
	done
}
wire_up 2>"$WORK/net.err" || { take_away; skip "no network namespaces: $(cat "$WORK/net.err")"; }
MGS=10.98.0.1@tcp
SESSION=12
check "format" eval 'mkfs.sheen -q --mgs "$WORK/mgs" && mkfs.sheen -q --mdt --fsname=net --index=0 --mgsnode=$MGS "$WORK/mdt" &&
	mkfs.sheen -q --ost --fsname=net --index=0 --mgsnode=$MGS "$WORK/ost0" && mkfs.sheen -q --ost --fsname=net --index=1 --mgsnode=$MGS "$WORK/ost1"'
start() { # MACHINE PROGRAM DIR [OPTION...]
	local n=$1 program=$2 dir=$3
	shift 3
	nsenter --net=/run/netns/$NET-"$n" "$program" --foreground "$@" "$dir" >"$dir.log" 2>&1 &
	SERVERS+=($!) # of the server: nsenter becomes it
}
start oss1 sheen-oss "$WORK/ost0"
start oss2 sheen-oss "$WORK/ost1"
start mds sheen-mds "$WORK/mdt" --set mdt.net-MDT0000.session_timeout=$SESSION
MDS=$!
start mds sheen-mgs "$WORK/mgs"
A=$WORK/a
B=$WORK/b
mkdir "$A" "$B"
MOUNTS+=("$A" "$B")
# The MGS says "no such file system" until the first target has told it.
mounted() { on c1 timeout 60 mount.sheen $MGS:/net "$A"; }
check "the first client mounts" until_true 60 mounted || die "no mount"
check "the second too" on c2 timeout 60 mount.sheen $MGS:/net "$B" || die "no mount"
both() { [ "$(lfs osts "$1" | grep -c ACTIVE)" = 2 ]; }
check "both see two OSTs" until_true 30 eval 'both "$A" && both "$B"'
is "the servers are where they should be" "$(lctl get_param --mount "$A" '{osc,mdc}.*.import' | sed -n 's/.*current_connection: //p' | sort | tr -d '"\n')" \
	"10.98.0.1@tcp:98910.98.0.2@tcp:99010.98.0.3@tcp:990"

# ---- data between machines ----
lfs setstripe -c 2 -S 1M "$A"
head -c $((64 << 20)) /dev/urandom >"$WORK/ref"
check "a striped file is written on one" cp "$WORK/ref" "$A/f"
is "it lies on both OSTs" "$(lfs getstripe -c "$A/f")" 2
check "and is right on the other" cmp "$WORK/ref" "$B/f"
check "names go between them" sh -c 'mkdir "$0/d" && mv "$1/d" "$1/e" && echo x >"$0/e/x" && test "$(cat "$1/e/x")" = x' "$A" "$B"

# ---- a link is cut for five seconds ----
for what in oss1 c1 mds; do
	rm -f "$A/w"
	mkdir "$A/$what"
	(for i in $(seq 8); do cat "$WORK/ref" || exit 1; done >"$A/w") 2>"$WORK/write.err" &
	WRITER=$!
	(i=0; while [ ! -e "$WORK/stop" ]; do echo $i >"$B/$what/$i" && i=$((i + 1)) || exit 1; done; echo $i >"$WORK/made") 2>"$WORK/names.err" &
	NAMER=$!
	PIDS+=($WRITER $NAMER)
	under_way() { [ "$(stat -c %s "$A/w")" -gt $((32 << 20)) ]; }
	check "work is under way" until_true 30 under_way
	unplug $what
	sleep 5
	plug $what
	wait $WRITER || fail "writing goes on after the link of $what was cut: $(cat "$WORK/write.err")"
	touch "$WORK/stop"
	wait $NAMER || fail "making files goes on after the link of $what was cut: $(cat "$WORK/names.err")"
	rm "$WORK/stop"
	right() { for i in $(seq 8); do cat "$WORK/ref"; done | cmp - "$1"; }
	check "what was written while the link of $what was cut is right" right "$B/w"
	is "no file is missing" "$(ls "$A/$what" | wc -l)" "$(cat "$WORK/made")"
done

# ---- a client's machine is gone for good ----
echo x >"$A/locked"
cat >"$WORK/lock.py" <<'P2'
import fcntl, os, sys
f = os.open(sys.argv[1], os.O_RDWR)
wait = 0 if sys.argv[2] == "hold" else fcntl.LOCK_NB
fcntl.lockf(f, fcntl.LOCK_EX | wait)
fcntl.flock(f, fcntl.LOCK_EX | wait)
print("locked", flush=True)
if sys.argv[2] == "hold":
    sys.stdin.read()
P2
mkfifo "$WORK/in"
$PY "$WORK/lock.py" "$B/locked" hold <"$WORK/in" >"$WORK/out" 2>&1 &
PIDS+=($!)
exec 7>"$WORK/in"
check "a process on the second client holds locks" until_true 20 grep -q locked "$WORK/out"
check_fails any "they hold" $PY "$WORK/lock.py" "$A/locked" try
# An MDS that stood still finds the signs of life of all in its sockets.
kill -STOP "$MDS"
sleep $((SESSION + 2))
kill -CONT "$MDS"
check_fails any "they hold after the MDS stood still for longer" timeout 60 $PY "$WORK/lock.py" "$A/locked" try

unplug c2
START=$SECONDS
check "the first client works on" timeout 20 sh -c 'echo y >"$0/y" && cat "$0/f" | cmp - "$1"' "$A" "$WORK/ref"

check "its locks are free within the session's time" until_true $((SESSION + 5)) $PY "$WORK/lock.py" "$A/locked" try
note "after $((SECONDS - START)) s"
plug c2
check "when it is back it works again" timeout 60 cmp "$WORK/ref" "$B/f"
check "and has lost its locks" $PY "$WORK/lock.py" "$A/locked" try
exec 7>&-
finish
