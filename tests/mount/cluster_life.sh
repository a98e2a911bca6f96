#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Clusters that come and go: create, show, mount by its mountCommand, the throughput that was ordered, update, a create that
# fails half-way and goes on, what delete refuses and what it leaves.
. "$(dirname "$0")/lib.sh"
requires_root
export SHEENCTL_HOME=$WORK/names
D=$WORK/hpc
CLUSTERS+=("$D" "$WORK/second" "$SHEENCTL_HOME/small")
MNT=$WORK/mnt
MNT2=$WORK/mnt2
MOUNTS+=("$MNT" "$MNT2")
PORT=$(free_port) || die "no free ports"

check_fails any "a capacity that the SKU has not is refused" \
	sheenctl create --name hpc --sku Durable-Premium-250 --storage-capacity 50 --dir "$D"
like "and the step is told" "$OUT" "steps of 8 TiB"
check_fails any "a SKU that is unknown is refused" sheenctl create --name hpc --sku gold --storage-capacity 48 --dir "$D"
check "and nothing is made" test ! -e "$D" -a ! -e "$SHEENCTL_HOME"

# Half-way: something else has the port.
$PY -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(1); open(sys.argv[2], "w").close(); time.sleep(600)' \
	"$PORT" "$WORK/taken" &
BLOCK=$!
PIDS+=("$BLOCK")
until_true 20 test -e "$WORK/taken" || die "the port cannot be taken"
create() {
	sheenctl create --name hpc --sku AMLFS-Durable-Premium-250 --storage-capacity 48 local --dir "$D" --port "$PORT" --json \
		2>"$WORK/progress"
}
check_fails any "a create that cannot have its port fails" create
is "the state is Failed" "$(sheenctl show --name hpc --query provisioningState)" Failed
like "with the reason" "$(sheenctl show --name hpc --query provisioningError)" "starting servers: Address already in use"
kill_wait KILL "$BLOCK"
check "the same command goes on" create
is "its progress is told" "$(grep '^hpc: ' "$WORK/progress" | tr '\n' ' ')" "hpc: Creating hpc: Succeeded "
is "the state is Succeeded" "$(sheenctl show --name hpc --query provisioningState)" Succeeded
is "the throughput is capacity by rate" "$(sheenctl show --name hpc --query throughputProvisionedMBps)" 12000
is "it is healthy" "$(sheenctl show --name hpc --query health.state)" Available
like "list has it" "$(sheenctl list)" "^hpc +Succeeded +Durable-Premium-250 +48 +12000 +$D$"
check_fails any "it cannot be created again" create
rates() { # of each OST, from the servers
	local nid
	for nid in $(sheenctl status --dir "$D" --json | $PY -c '
import json, sys
print(*sorted({t["nid"] for t in json.load(sys.stdin)["targets"] if "OST" in t["name"]}))'); do
		lctl get_param -n --nid "$nid" 'obdfilter.*.rate_limit_mb'
	done | tr '\n' ' '
}
is "the OSTs share it" "$(rates)" "3000 3000 3000 3000 "

COMMAND=$(sheenctl show --name hpc --query mountCommand)
like "the mount command names the MGS" "$COMMAND" \
	"^mount -t sheen $(sheenctl show --name hpc --query mgsAddress):/lustrefs /mnt/hpc$"
mkdir -p "$MNT"
# shellcheck disable=SC2086
set -- $COMMAND
check "the mount command mounts" mount_sheen "$4" "$MNT"
check "a file is written" sh -c 'head -c 16M /dev/urandom >"$0/file" && sync "$0/file"' "$MNT"

check "the throughput changes while it is in use" sheenctl update --name hpc --sku none
is "none takes the limit away" "$(rates)" "none none none none "
OSS=$(sheenctl status --dir "$D" --json | $PY -c '
import json, sys
print([t["nid"] for t in json.load(sys.stdin)["targets"] if t["name"].endswith("OST0000")][0])')
check "one OST gets a small limit" lctl set_param --nid "$OSS" 'obdfilter.*OST0000.rate_limit_mb=8'
check "files are on it" sh -c 'lfs setstripe -c 1 -i 0 "$0/one" && lfs setstripe -c 1 -i 0 "$0/two"' "$MNT"
seconds() { $PY -c '
import os, sys, time
fd = os.open(sys.argv[1], os.O_WRONLY)
start = time.monotonic()
data = os.urandom(1 << 20)
for i in range(int(sys.argv[2])):
    os.write(fd, data)
os.fsync(fd)
print(time.monotonic() - start)' "$@"; }
T=$(seconds "$MNT/one" 16)
note "16 MiB at 8 MB/s took $T s"
# 0.1 s and one request of up to 4 MiB are free. A slow machine may be slower, not faster (its loop may count from a little before).
check "a limit of 8 MB/s is kept" $PY -c 'import sys; sys.exit(not float(sys.argv[1]) > (16.777 - 0.8 - 4.195) / 8 * 0.9)' "$T"
like "waiting is counted" "$(lctl get_param -n --nid "$OSS" 'obdfilter.*OST0000.rate_limit_stats')" "delayed: [1-9]"

check "a second mount" mount_sheen "$4" "$MNT2"
T=$($PY -c '
import sys, time
start = time.monotonic()
n = len(open(sys.argv[1], "rb").read())
assert n == 16 << 20
print(time.monotonic() - start)' "$MNT2/one")
note "reading them took $T s"
check "it counts for reads as well" $PY -c 'import sys; sys.exit(not float(sys.argv[1]) > (16.777 - 0.8 - 4.195) / 8 * 0.9)' "$T"
check "it has files there, too" sh -c 'for i in $(seq 10); do lfs setstripe -c 1 -i 0 "$0/f$i"; done' "$MNT2"
# One mount has 8 requests waiting, the other 2: first come, first served would give that one a fifth.
SHARE=$($PY -c '
import os, sys, threading, time
start = time.monotonic()
done = [0, 0]
def write(who, path):
    fd = os.open(path, os.O_WRONLY)
    data = os.urandom(1 << 20)
    at = 0
    while time.monotonic() < start + 3:
        os.pwrite(fd, data, at)
        os.fdatasync(fd)
        at += len(data)
        if time.monotonic() < start + 3: # what was waiting then does not count
            done[who] += len(data)
a, b = sys.argv[1:]
all = [threading.Thread(target=write, args=(0, "%s/f%d" % (a, i))) for i in range(1, 9)]
all += [threading.Thread(target=write, args=(1, "%s/f%d" % (b, i))) for i in (9, 10)]
for t in all: t.start()
for t in all: t.join()
print(done[1] / sum(done))' "$MNT" "$MNT2")
note "the one with less requests got $SHARE"
check "two mounts share the limit, whoever asks more" $PY -c 'import sys; sys.exit(not 0.3 < float(sys.argv[1]) < 0.7)' "$SHARE"
check "the second is unmounted" unmount "$MNT2"
check "none lets all go" lctl set_param --nid "$OSS" 'obdfilter.*OST0000.rate_limit_mb=none'

check "another cluster, in a directory of its own, runs beside it" \
	sheenctl create --name small --sku Durable-Premium-500 --storage-capacity 4 --oss 1 --osts 1
is "both are listed" "$(sheenctl list --json | $PY -c 'import json, sys; print(*[c["name"] for c in json.load(sys.stdin)])')" "hpc small"
check "it is deleted" sheenctl delete --name small --yes
check "nothing of it is left" test ! -e "$SHEENCTL_HOME/small"

check_fails any "delete wants --yes" sheenctl delete --name hpc
check_fails any "delete refuses while it is mounted" sheenctl delete --name hpc --yes
like "and says where" "$OUT" "mounted on $MNT"
check "the mount goes on" test -s "$MNT/file"
check "unmount" unmount "$MNT"
touch "$D/mine"
check "then it is deleted" sheenctl delete --name hpc --yes
is "what is not its own stays" "$(ls "$D")" mine
is "nothing runs any more" "$(pids_of "" "$D")" ""
check_fails any "it is not known any more" sheenctl show --name hpc
is "no name is left" "$(ls -A "$SHEENCTL_HOME")" ""
finish
