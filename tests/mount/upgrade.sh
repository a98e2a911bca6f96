#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The process that serves a mount makes way to others again and again under load, over both ways to the kernel: no request fails.
. "$(dirname "$0")/lib.sh"
requires_root
requires fio
own_cluster --oss 1 --osts 2
K=$WORK/k
cat >"$WORK/names.py" <<'P'
import fcntl, os, sys
d, stop = sys.argv[1], sys.argv[2]
os.mkdir(d)
held = os.open(d + ".held", os.O_CREAT | os.O_RDWR)
fcntl.flock(held, fcntl.LOCK_EX)
n = 0
while not os.path.exists(stop):
    a = "%s/a%d" % (d, n)
    f = os.open(a, os.O_CREAT | os.O_EXCL | os.O_RDWR)
    os.write(f, b"%d" % n)
    os.rename(a, d + "/b")
    assert os.pread(f, 99, 0) == b"%d" % n
    assert os.listdir(d) == ["b"]
    os.unlink(d + "/b")
    os.close(f)
    n += 1
os.write(held, b"%d" % n)
os.fsync(held)
os.rmdir(d)
print("good", n)
P
is_other() { NEXT=$(client_pid "$K"); [ -n "$NEXT" ] && [ "$NEXT" != "$SERVER" ]; }
replace() { # WAY
	local i l rc pids=()
	rm -f "$WORK/stop"
	for i in 1 2 3; do
		timeout 120 "$PY" "$WORK/names.py" "$K/$1$i" "$WORK/stop" >"$WORK/out.$i" 2>&1 &
		pids+=($!)
	done
	timeout 120 fio --name=x --directory="$K" --rw=randrw --bsrange=4k-256k --size=4m --numjobs=2 --verify=crc32c \
		--verify_fatal=1 --verify_state_save=0 --loops=1000 --time_based --runtime=2 >"$WORK/out.4" 2>&1 &
	pids+=($!)
	PIDS+=("${pids[@]}")
	until_true 30 test -e "$K/${1}3" || fail "no load"
	SERVER=$(client_pid "$K")
	for i in $(seq "${UPGRADES:-10}"); do
		kill -USR2 "$SERVER"
		until_true 30 is_other || { fail "$1: server $i does not make way"; break; }
		SERVER=$NEXT
	done
	touch "$WORK/stop"
	i=0
	for l in "${pids[@]}"; do
		rc=0
		i=$((i + 1))
		wait "$l" || rc=$?
		is "$1: user $i has seen no error" "$rc$([ $rc = 0 ] || tail -n 5 "$WORK/out.$i")" 0
	done
}
ways=fuse
[ ! -e /sys/module/fuse/parameters/enable_uring ] || ways="uring fuse"
for way in $ways; do
	opt=keeper,uring
	[ $way = uring ] || opt=keeper,nouring
	mount_sheen "$SOURCE" "$K" -o $opt || die "the mount with -o $opt fails"
	replace $way
	check "$way: it can be unmounted" umount "$K"
	rm -f "$B"/x.*
done
finish
