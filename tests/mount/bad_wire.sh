#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bits that flip between a mount and an OSS, in bulk data, headers and bodies, on both ways: every read and write ends with the
# right data, the logs say what was damaged, nobody hangs.
. "$(dirname "$0")/lib.sh"
requires_root
PORT=$(free_port) || die "no free ports"
NID=127.0.0.1@tcp:$PORT
WIRE=$((PORT + 5))
check "format" sh -c 'mkfs.sheen --mgs -q "$0/mgs" && mkfs.sheen --mdt -q --fsname=bits --index=0 --mgsnode="$1" "$0/mdt" &&
	mkfs.sheen --ost -q --fsname=bits --index=0 --mgsnode="$1" --servicenode="127.0.0.1@tcp:$2" "$0/ost"' "$WORK" "$NID" $WIRE
start() { # PROGRAM DIR PORT-OFFSET
	"$1" --foreground --listen 127.0.0.1@tcp:$((PORT + $3)) "$2" >"$2.log" 2>&1 &
	SERVERS+=($!)
}
start sheen-mgs "$WORK/mgs" 0
start sheen-mds "$WORK/mdt" 1
start sheen-oss "$WORK/ost" 2
mkfifo "$WORK/orders"
$PY "$HERE/badwire.py" $WIRE $((PORT + 2)) <"$WORK/orders" >"$WORK/wire" 2>"$WORK/wire.err" &
SERVERS+=($!)
exec 5>"$WORK/orders"
check "the wire is ready" until_true 10 grep -q ready "$WORK/wire"
ORDERS=0
# order WORD...: sets REQUESTS and REPLIES to what the wire flipped under the order before.
order() {
	echo "$*" >&5
	ORDERS=$((ORDERS + 1))
	until_true 10 grep -q "^$ORDERS " "$WORK/wire" || die "the wire does not take the order '$*'"
	read -r _ REQUESTS REPLIES < <(grep "^$ORDERS " "$WORK/wire")
}
A=$WORK/a
mkdir "$A"
MOUNTS+=("$A")
sheen "$NID:/bits" "$A" --foreground >"$WORK/client.log" 2>&1 &
check "mount" until_true 30 is_mounted "$A"
through() { lctl get_param -n --mount "$A" 'osc.*.import' | grep -q "127.0.0.1@tcp:$WIRE"; }
echo x >"$A/x"
check "the mount speaks with the OSS through the wire" through
MIB=200
[ "$SCALE" = soak ] && MIB=1000
head -c $((MIB << 20)) /dev/urandom >"$WORK/ref"

# ---- bulk ----
order bulk 5
check "$MIB MiB are written while bulk is damaged" timeout 200 dd if="$WORK/ref" of="$A/f" bs=4M status=none
check "and read" timeout 200 cmp "$WORK/ref" "$A/f"
check "by several at once, too" timeout 200 sh -c '
	for i in 1 2 3 4; do dd if="$0" of="$1/f$i" bs=1M count=50 status=none & p="$p $!"; done; for i in $p; do wait $i || exit 1; done
	for i in 1 2 3 4; do cmp -n 52428800 "$0" "$1/f$i" & q="$q $!"; done; for i in $q; do wait $i || exit 1; done' "$WORK/ref" "$A"
order off
note "flipped in bulk: $REQUESTS requests, $REPLIES replies"
check "many were damaged" test "$REQUESTS" -ge 10 -a "$REPLIES" -ge 10
check "what is stored is right" cmp "$WORK/ref" "$A/f"
is "the OSS says once for each which bytes of which object it refused" \
	"$(grep -cE 'ERROR bits-OST0000: .*: write fid=\[0x[0-9a-fx:]+\] .* off=[0-9]+ .*: checksum of [0-9]+ bytes' "$WORK/ost.log")" "$REQUESTS"
is "so does the client for what it read" \
	"$(grep -cE 'ERROR bits-OST0000: read fid=\[0x[0-9a-fx:]+\] .* off=[0-9]+ .*: checksum of [0-9]+ bytes' "$WORK/client.log")" "$REPLIES"
is "nothing else is said" "$(cat "$WORK/ost.log" "$WORK/client.log" | grep -E 'WARN|ERROR' | grep -vcE 'checksum of|MGS')" 0

order hopeless
check_fails 1 "a write whose every try is damaged gives an error" timeout 60 dd if="$WORK/ref" of="$A/h" bs=1M count=1 conv=fsync status=none
like "a plain one" "$OUT" 'Input/output error'
check_fails 1 "so does a read" timeout 60 dd if="$A/f" of="$WORK/h" bs=1M count=1 iflag=fullblock,direct status=none
like "as plain" "$OUT" 'Input/output error'
tells_at_close() {
	timeout 60 "$PY" - "$A" <<-'EOF'
		import errno, os, subprocess, sys, time
		fd = os.open(sys.argv[1] + "/c", os.O_CREAT | os.O_WRONLY)
		os.write(fd, b"x" * (1 << 20))  # leaves at once, behind the writer
		stats = ["lctl", "get_param", "-n", "--mount", sys.argv[1], "llite.*.data_stats"]
		while "dirty_bytes: 0" not in subprocess.run(stats, capture_output=True, text=True, check=True).stdout:
		    time.sleep(0.05)
		try:
		    os.close(fd)
		except OSError as e:
		    sys.exit(e.errno != errno.EIO)
		sys.exit("close says nothing")
	EOF
}
check "close tells of a write behind it that failed" tells_at_close
order off
check "after that everything is well" cmp -n 1048576 "$WORK/ref" "$A/f"

# ---- headers and bodies ----
# A frame that ends early is the wire's: it closes both sides in the middle of what it passes, because of damage on the other way.
closed() { grep 'connection of .* closed: ' "$1" | grep -vc 'it ended inside a frame'; }
OST_BEFORE=$(closed "$WORK/ost.log") CLIENT_BEFORE=$(closed "$WORK/client.log")
order frame 20
check "$MIB MiB are written while headers and bodies are damaged" timeout 200 dd if="$WORK/ref" of="$A/g" bs=4M status=none
check "and read" timeout 200 cmp "$WORK/ref" "$A/g"
small() {
	local i
	for i in $(seq 300); do echo "$i" >"$A/s$i" || return 1; done
	for i in $(seq 300); do [ "$(cat "$A/s$i")" = "$i" ] || return 1; done
}
check "small files, too" small
clean() { lctl get_param -n --mount "$A" 'llite.*.data_stats' | grep -q "dirty_bytes: 0"; }
check "all is sent" until_true 20 clean
order off
note "flipped: $REQUESTS requests, $REPLIES replies"
check "many were damaged" test "$REQUESTS" -ge 10 -a "$REPLIES" -ge 10
check "what is stored is right" cmp "$WORK/ref" "$A/g"
# What flips on a connection that closes already is not seen.
once() { # FILE FLIPPED BEFORE: the log has a line for each
	local n
	n=$(($(closed "$1") - $3))
	[ "$n" -le "$2" ] && [ "$n" -ge $(($2 * 3 / 4)) ] || { echo "$n lines in $1, $2 were damaged"; return 1; }
}
check "the OSS closed a connection for each damaged request and says why in one line" once "$WORK/ost.log" "$REQUESTS" "$OST_BEFORE"
check "so did the client for each reply" once "$WORK/client.log" "$REPLIES" "$CLIENT_BEFORE"

if [ "$SCALE" = soak ]; then # for it takes a minute
	# The receiver waits for what never comes, until a ping has no answer.
	order length
	START=$SECONDS
	check "a frame that promises more than comes is sent again" timeout 120 cmp -n 1000000 "$WORK/ref" "$A/f"
	note "after $((SECONDS - START)) s"
	order length
	check "also when it is a write" timeout 120 dd if="$WORK/ref" of="$A/l" bs=1M count=8 status=none
	order off
	check "what is stored is right" cmp -n 8388608 "$WORK/ref" "$A/l"
fi
finish
