# SPDX-License-Identifier: Apache-2.0
# lib.sh - what every mount test is made of: a cluster, mounts, checks, and the clean-up.
#
# A test sources this file, says what it needs (`shared_cluster`, `own_cluster`, `requires`), runs
# `check "what must hold" command...` lines and ends with `finish`. Exit status: 0 passed, 77 skipped,
# anything else failed. A test that is run by itself starts a cluster of its own; under tests/mount/run most
# tests share one, each in its own subdirectory. Whatever a test started is stopped by `cleanup`, by process id and
# mount point: nothing is ever killed by name.
#
# It does not retry, and nothing in it waits for a fixed time: `until_true` polls a condition.

set -u
export LC_ALL=C
umask 022

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BIN=${SHEEN_BIN:-$ROOT/build/bin}
SCALE=${SCALE:-check}
HERE=$ROOT/tests/mount
MOUNT_OPTS=${MOUNT_OPTS-}	# of the first mount; the second takes its requests the other way, so that both are tested
MOUNT_OPTS_B=${MOUNT_OPTS_B-${MOUNT_OPTS:+$MOUNT_OPTS,}nouring}
PATH=$BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PY=/usr/bin/python3
NAME=$(basename "$0"); NAME=${NAME%.*}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/sheen-test-$NAME.XXXXXX")
chmod 755 "$WORK"
MOUNTS=()	# mount points we made
CLUSTERS=()	# directories of clusters we started
PIDS=()		# background processes we started, ended before mounts go
SERVERS=()	# daemons we started by hand, ended after
IMAGES=()	# loop-mounted file systems
FAILED=0
CHECKS=0

note() { printf '# %s\n' "$*"; }
fail() { FAILED=$((FAILED + 1)); printf 'not ok - %s\n' "$*"; }
die() { printf 'not ok - %s\n' "$*"; exit 1; }
skip() { printf 'SKIP %s\n' "$*"; exit 77; }

# requires PROGRAM...: skips the test when one is missing.
requires() {
	local p
	for p in "$@"; do
		command -v "$p" >/dev/null || skip "$p is not installed"
	done
}
requires_root() { [ "$(id -u)" = 0 ] || skip "needs root"; }

# check "what must hold" command...: counts, and shows what the command said when it does not. Functions run in this
# shell, so what they set stays set.
check() {
	local what=$1 rc
	shift
	CHECKS=$((CHECKS + 1))
	"$@" >"$WORK/.said" 2>&1 </dev/null
	rc=$?
	if [ $rc = 0 ]; then
		printf 'ok - %s\n' "$what"
	else
		fail "$what (status $rc)"
		tail -n 40 "$WORK/.said" | sed 's/^/	/'
	fi
	return $rc
}
# check_fails STATUS|any "what" command...: must fail with that exit status; text of both streams in $OUT.
check_fails() {
	local want=$1 what=$2 rc
	shift 2
	CHECKS=$((CHECKS + 1))
	if declare -F "$1" >/dev/null; then
		OUT=$("$@" 2>&1 </dev/null)
	else
		OUT=$(timeout 120 "$@" 2>&1 </dev/null)
	fi
	rc=$?
	if { [ "$want" = any ] && [ $rc != 0 ] && [ $rc -lt 124 ]; } || [ "$want" = "$rc" ]; then
		printf 'ok - %s\n' "$what"
		return 0
	fi
	fail "$what: status $rc, expected $want"
	printf '%s\n' "$OUT" | tail -n 20 | sed 's/^/	/'
	return 1
}
# is "what" GOT EXPECTED
is() {
	CHECKS=$((CHECKS + 1))
	if [ "$2" = "$3" ]; then
		printf 'ok - %s\n' "$1"
		return 0
	fi
	fail "$1: got '$2', expected '$3'"
	return 1
}
# like "what" GOT REGEX (extended)
like() {
	CHECKS=$((CHECKS + 1))
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then
		printf 'ok - %s\n' "$1"
		return 0
	fi
	fail "$1: '$2' does not match '$3'"
	return 1
}
finish() {
	if [ $FAILED = 0 ]; then
		note "$CHECKS checks passed"
		exit 0
	fi
	note "$FAILED of $CHECKS checks failed"
	exit 1
}

# until_true SECONDS command...: polls until the command succeeds.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# as_user [-u UID] command...: as an ordinary user without groups, in a clean environment.
as_user() {
	local uid=65534
	if [ "${1-}" = -u ]; then
		uid=$2
		shift 2
	fi
	HOME=${USER_HOME:-$WORK/home} setpriv --reuid="$uid" --regid="$uid" --clear-groups \
		--inh-caps=-all -- "$@"
}
user_home() {
	mkdir -p "$WORK/home"
	printf '[user]\n\tname = Tester\n\temail = tester@example.com\n[safe]\n\tdirectory = *\n' \
		>"$WORK/home/.gitconfig"
	chown -R 65534:65534 "$WORK/home"
}

port_busy() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# free_port: the first of ten free ports, below those that the kernel gives to connections.
free_port() {
	local base p busy try
	for try in $(seq 50); do
		base=$((25000 + (RANDOM % 650) * 10))
		busy=0
		for p in $(seq $base $((base + 9))); do
			port_busy "$p" && busy=1 && break
		done
		[ $busy = 0 ] && { echo $base; return 0; }
	done
	return 1
}

# start_cluster DIR MOUNTPOINT [sheenctl options]: sets PORT and FSNAME. Logs to DIR.
start_cluster() {
	local dir=$1 mnt=$2
	shift 2
	FSNAME=${FSNAME:-lustre}
	PORT=$(free_port) || die "no free ports"
	mkdir -p "$mnt"
	CLUSTERS+=("$dir")
	MOUNTS+=("$mnt")
	timeout 120 sheenctl up --dir "$dir" --mount "$mnt" --fsname "$FSNAME" --port "$PORT" \
		${MOUNT_OPTS:+-o "$MOUNT_OPTS"} "$@" >"$WORK/up.log" 2>&1 </dev/null || { cat "$WORK/up.log"; return 1; }
	SOURCE=127.0.0.1@tcp:$PORT:/$FSNAME
}
# mount_sheen SOURCE MOUNTPOINT [options]: with the mount helper itself, as mount(8) calls it.
mount_sheen() {
	local src=$1 mnt=$2
	shift 2
	mkdir -p "$mnt"
	MOUNTS+=("$mnt")
	timeout 90 mount.sheen "$src" "$mnt" "$@" </dev/null
}
is_mounted() { grep -q " $1 " /proc/self/mounts; }
unmount() {
	is_mounted "$1" || return 0
	timeout 60 umount "$1" 2>/dev/null && return 0
	umount -l "$1" 2>/dev/null
	return 1
}

# own_cluster [sheenctl options]: A and B are two mounts of a fresh file system.
own_cluster() {
	requires_root
	[ -x "$BIN/sheenctl" ] || die "$BIN/sheenctl is not built"
	CDIR=$WORK/cluster
	start_cluster "$CDIR" "$WORK/a" "$@" || die "the cluster does not start"
	mount_sheen "$SOURCE" "$WORK/b" -o "$MOUNT_OPTS_B" || die "the second mount fails"
	MA=$WORK/a
	MB=$WORK/b
	A=$MA
	B=$MB
}
# shared_cluster: A and B are the same new directory on two mounts, of the runner's cluster if there is one.
shared_cluster() {
	requires_root
	if [ -n "${SHARED_DIR-}" ]; then
		CDIR=$SHARED_DIR
		MA=$SHARED_A
		MB=$SHARED_B
		PORT=$SHARED_PORT
		FSNAME=$SHARED_FSNAME
		SOURCE=127.0.0.1@tcp:$PORT:/$FSNAME
	else
		own_cluster --oss 2 --osts 2
	fi
	A=$MA/$NAME.$$
	B=$MB/$NAME.$$
	mkdir "$A" || die "mkdir in the mount fails"
	chmod 777 "$A"
	[ -d "$B" ] || die "the second mount does not see a new directory"
}

# pid_of NAME [DIR]: process id of a daemon of a cluster ("mgs", "mds", "oss0", ...), from sheenctl.
pids_of() {
	sheenctl status --dir "${2:-$CDIR}" --json 2>/dev/null | $PY -c '
import json, sys
for p in json.load(sys.stdin)["processes"]:
    if sys.argv[1] in p["name"] and p.get("pid"):
        print(p["pid"])' "$1"
}
# client_pid MOUNTPOINT: process id that serves a mount.
client_pid() {
	getfattr --absolute-names --only-values -n sheen.info "$1" 2>/dev/null | sed -n 's/^pid=//p'
}
kill_wait() { # SIGNAL PID...: until they are gone
	local sig=$1 p
	shift
	for p in "$@"; do
		kill "-$sig" "$p" 2>/dev/null
	done
	for p in "$@"; do
		until_true 60 gone "$p" || { fail "process $p does not end"; kill -9 "$p"; }
	done
}
gone() { # a zombie counts: its parent has not looked yet
	local state
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	# One with threads that are still in the kernel has its files and sockets yet.
	[ -z "$state" ] || { [ "$state" = Z ] && [ "$(ls "/proc/$1/task" 2>/dev/null | wc -l)" -le 1 ]; }
}
ost_objects() { # CLUSTER DIR: regular files below all OST directories
	find "${1:-$CDIR}"/*ost* -type f 2>/dev/null | wc -l
}

object_file() { # FID STRIPE: its file below the OSTs' directories: sequence and object id in hex, component, stripe
	local seq=${1#\[0x} oid=${1#*:0x}
	find "$CDIR"/ost*/O/"${seq%%:*}" -name "${oid%%:*}.1.$2"
}

# mdt_is_sound [DIR]: stops the cluster; what must hold between the tables of its MDT holds.
mdt_is_sound() {
	local dir=${1:-$CDIR} m
	for m in ${MOUNTS[@]+"${MOUNTS[@]}"}; do
		unmount "$m"
	done
	timeout 60 sheenctl down --dir "$dir" && timeout 120 sheen-mds --check "$dir"/mdt0
}
# small_disk IMAGE MOUNTPOINT SIZE [TYPE]: a file system (ext4) of that size; skips the test where loop devices are not allowed.
small_disk() {
	local type=${4:-ext4} quiet="-q -F -m 0"
	[ "$type" = ext4 ] || quiet=-q
	requires "mkfs.$type"
	# shellcheck disable=SC2086
	truncate -s "$3" "$1" && "mkfs.$type" $quiet "$1" >/dev/null 2>&1 || die "mkfs.$type fails"
	mkdir -p "$2"
	mount -t "$type" -o loop "$1" "$2" 2>"$WORK/loop.err" || skip "no loop devices or no $type: $(cat "$WORK/loop.err")"
	IMAGES+=("$2")
}

cleanup() {
	local rc=$? i
	trap - EXIT INT TERM HUP
	cd /
	for i in ${PIDS[@]+"${PIDS[@]}"}; do
		kill -9 "$i" 2>/dev/null
	done
	[ -n "${SHARED_DIR-}" ] && [ -n "${A-}" ] && [ "$A" != "${MA-}" ] && [ -z "${KEEP-}" ] &&
		timeout 120 rm -rf "$A" 2>/dev/null
	for ((i = ${#MOUNTS[@]} - 1; i >= 0; i--)); do
		unmount "${MOUNTS[$i]}"
	done
	for i in ${CLUSTERS[@]+"${CLUSTERS[@]}"}; do
		if [ $rc != 0 ] && [ $rc != 77 ]; then
			show_logs "$i"
		fi
		timeout 60 sheenctl down --dir "$i" >/dev/null 2>&1
		for p in $(pids_of "" "$i"); do
			kill -9 "$p" 2>/dev/null
		done
	done
	for i in ${SERVERS[@]+"${SERVERS[@]}"}; do
		kill "$i" 2>/dev/null
	done
	for i in ${SERVERS[@]+"${SERVERS[@]}"}; do
		until_true 10 gone "$i" || kill -9 "$i" 2>/dev/null
	done
	for ((i = ${#IMAGES[@]} - 1; i >= 0; i--)); do
		umount "${IMAGES[$i]}" 2>/dev/null || umount -l "${IMAGES[$i]}" 2>/dev/null
	done
	if [ -n "${KEEP-}" ]; then
		note "kept $WORK"
	else
		rm -rf --one-file-system "$WORK"
	fi
	exit $rc
}
show_logs() {
	local f
	for f in $(find "$1" -name '*.log' -size +0 2>/dev/null); do
		note "end of ${f#"$1"/}:"
		tail -n 12 "$f" | sed 's/^/	/'
	done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
