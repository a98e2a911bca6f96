#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a mount keeps of data, and what that costs: warm files are opened, read and mapped without requests, small writes leave in
# large ones, and another mount sees every byte of it at once.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2

# Requests that mount A has sent: to the MDS without those that go on by themselves, to the OSTs those of one kind.
to_mds() {
	lctl get_param -n --mount "$MA" "mdc.*.stats" | awk '/req/ || /usecs/ { if ($1 !~ /ping|recalls/) n += $2 } END { print n + 0 }'
}
to_osts() { # NAME
	lctl get_param -n --mount "$MA" "osc.*.stats" | awk -v k="$1" '$1 ~ k { n += $2 } END { print n + 0 }'
}
count() { # COMMAND...: "to the MDS, reads, writes" that it takes
	local m r w
	m=$(to_mds) r=$(to_osts read) w=$(to_osts write)
	"$@" >"$WORK/out" 2>"$WORK/err" || note "status $? of $*: $(cat "$WORK/err")"
	echo "$(($(to_mds) - m)) $(($(to_osts read) - r)) $(($(to_osts write) - w))"
}
stats() {
	lctl get_param -n --mount "$MA" 'llite.*.data_stats' | awk -v k="$1:" '$1 == k { print $2 }'
}
at_most() { # WHAT IS LIMIT
	check "$1: $2, at most $3" test "$2" -le "$3"
}

# ---- setting mode, owner and times of what was just written ----
unpack() { # FILE
	$PY - "$1" <<'EOF'
import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
os.write(fd, b"bytes")
os.utime(fd, ns=(10**18, 10**18 + 1))
os.fchown(fd, 7, 8)
os.fchmod(fd, 0o640)
print(os.getpid(), flush=True)
if len(sys.argv) > 2: os.fstat(fd)
os.close(fd)
EOF
}
look() { stat -c '%a %u %g %s %.9X %.9Y' "$1"; }
WANT="640 7 8 5 1000000000.000000000 1000000000.000000001"
mkdir "$A/set"
unpack "$A/set/1" >/dev/null
is "one mount sets mode, owner and times, the other sees them at once" "$(look "$B/set/1")" "$WANT"
is "so does the first" "$(look "$A/set/1")" "$WANT"
SETS=$(lctl get_param -n --mount "$MA" "mdc.*.stats" | awk '$1 == "setattr" { print $2 }')
for i in $(seq 2 11); do unpack "$A/set/$i" >/dev/null; done
for i in $(seq 2 11); do look "$B/set/$i" >/dev/null; done # the kernel may tell of the last close later
is "ten files take one request each for it" "$(($(lctl get_param -n --mount "$MA" "mdc.*.stats" | awk '$1 == "setattr" { print $2 }') - SETS))" 10
check "while it is open, too" $PY - "$A/set/open" "$B/set/open" <<'EOF'
import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
os.write(fd, b"bytes")
for mode in (0o640, 0o604, 0o600):
    os.fchmod(fd, mode)
    assert os.stat(sys.argv[2]).st_mode & 0o777 == mode
    os.fchmod(fd, 0o400)
    os.chmod(sys.argv[2], mode)  # the later of the two holds
    assert os.fstat(fd).st_mode & 0o777 == mode
os.utime(fd, ns=(5, 7))
os.write(fd, b"more")
assert os.fstat(fd).st_mtime_ns > 10**9, "a write sets the time anew"
os.utime(fd, ns=(5, 7))
os.fsync(fd)
assert os.stat(sys.argv[2]).st_mtime_ns == 7
EOF

# ---- reading again ----
mkdir "$A/d"
for i in $(seq 20); do echo "$i" >"$A/d/$i"; done
cat "$A"/d/{1..20} >"$WORK/first"
cat "$A"/d/{1..20} >/dev/null # the access time was told at the end of the first reading
is "warm files are opened, read and closed without requests" "$(count cat "$A"/d/{1..20})" "0 0 0"
check "and with the right bytes" cmp "$WORK/out" "$WORK/first"
echo changed >"$B/d/7"
is "what another mount wrote is read at once" "$(cat "$A/d/7")" changed
rm "$B/d/8"
check_fails 1 "what it removed is gone" cat "$A/d/8"
echo new >"$B/d/8"
is "what it made anew is there" "$(cat "$A/d/8")" new
rm "$A/d/9"

# ---- reading ahead, large requests ----
dd if=/dev/urandom of="$B/big" bs=1M count=64 status=none
read -r M R W < <(count dd if="$A/big" of="$WORK/big" bs=4k status=none)
at_most "64 MiB read 4 KiB at a time: requests to OSTs" "$R" 128
at_most "to the MDS" "$M" 12
check "the bytes" cmp "$WORK/big" "$B/big"
cmp "$A/big" "$WORK/big" # what was read while its writer was closing it may have been forgotten
read -r M R W < <(count cmp "$A/big" "$WORK/big")
at_most "again: requests to OSTs" "$R" 0

# ---- writing behind ----
read -r M R W < <(count dd if="$WORK/big" of="$A/small" bs=4k status=none)
check "16384 writes leave as few: $W" test "$W" -le 128
check "another mount reads them" cmp "$WORK/big" "$B/small"
keep() { # FILE: writes and does not close
	exec 7>"$1"
	echo one >&7
}
keep "$A/open"
is "bytes that were not sent yet are seen by another mount" "$(cat "$B/open")" one
is "and their size" "$(stat -c %s "$B/open")" 4
echo two >&7
is "more of them" "$(cat "$B/open")" "$(printf 'one\ntwo')"
echo three >>"$B/open"
echo four >&7
is "both write: the descriptor's place is its own" "$(sed -n 3p "$B/open")" four
exec 7>&-
touch -d '2001-02-03 04:05:06' "$WORK/old"
exec 7>"$A/times"
echo x >&7
touch -r "$WORK/old" "$A/times"
exec 7>&-
sync "$A/times"
is "a time that was set stays, whatever is sent later" "$(stat -c %Y "$B/times")" "$(stat -c %Y "$WORK/old")"

# ---- a limit ----
check "max_dirty_mb can be set" lctl set_param --mount "$MA" 'llite.*.max_dirty_mb=1'
check "and writing goes on" dd if="$WORK/big" of="$A/limited" bs=1M status=none
check "right" cmp "$WORK/big" "$B/limited"
check_fails any "not to nothing" lctl set_param --mount "$MA" 'llite.*.max_dirty_mb=0'
clean() { [ "$(stats dirty_bytes)" = 0 ]; }
check "nothing stays dirty for long" until_true 10 clean
check "max_cached_mb can be set" lctl set_param --mount "$MA" 'llite.*.max_cached_mb=8'
cat "$A/limited" >/dev/null
small() { [ "$(stats cached_bytes)" -le $((8 << 20)) ]; }
check "and the kernel is told to forget what is more" until_true 10 small
check "which is read again" cmp "$A/big" "$WORK/big"
finish
