#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Histories of reads and writes from three mounts at once are linearizable (coherence.py). SCALE=soak: for an hour (SECONDS_EACH), with two and
# with three mounts; and builds that skip one invalidation each are caught within a minute.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 2 --osts 2
TIME=${SECONDS_EACH:-8}
[ "$SCALE" = soak ] && TIME=${SECONDS_EACH:-1800}
C=$WORK/c
mount_sheen "$SOURCE" "$C" || die "the third mount fails"

# run NAME SECONDS MOUNT...
run() {
	local name=$1 time=$2
	shift 2
	mkdir "$1/$name"
	$PY "$HERE/coherence.py" --scratch "$WORK" --seconds "$time" --seed "${SEED:-$RANDOM}" "${@/%//$name}"
}
mkdir "$WORK/l"
check "the checker finds nothing on a local file system" run local 2 "$WORK/l" "$WORK/l"
check "three mounts, $TIME s" run three "$TIME" "$A" "$B" "$C"
tail -n 2 "$WORK/.said"
if [ "$SCALE" = soak ]; then
	check "two mounts, $TIME s" run two "$TIME" "$A" "$B"
	tail -n 2 "$WORK/.said"
	# Builds that leave out one thing each.
	broken() { # NAME FILE SED
		local tree=$WORK/tree.$1
		mkdir "$tree" && (cd "$ROOT" && tar cf - Makefile client common mds mgs oss tests/*.mk) | tar xf - -C "$tree" &&
			sed -i "$3" "$tree/$2" && ! cmp -s "$ROOT/$2" "$tree/$2" && make -s -C "$tree" -j2 build/bin/sheen >"$WORK/make.log" 2>&1 ||
			{ fail "the broken build $1"; tail -n 5 "$WORK/make.log"; return; }
		mkdir "$WORK/mnt.$1" && "$tree/build/bin/sheen" "$SOURCE" "$WORK/mnt.$1" || { fail "its mount"; return; }
		MOUNTS+=("$WORK/mnt.$1")
		check_fails 1 "a build without $1 is caught" timeout 60 "$PY" "$HERE/coherence.py" --scratch "$WORK" --seconds 55 \
			"$A/b.$1" "$WORK/mnt.$1/b.$1"
		like "for what it shows" "$OUT" 'violations|FileNotFoundError'
	}
	mkdir "$A/b.names" "$A/b.attributes"
	broken names client/fuse/notify.c 's/if (j->names \&\& f->keeps_names) {/if (0 \&\& j->names) {/'
	broken attributes client/fuse/notify.c 's/i < j->n \&\& !atomic/i < 0 * j->n \&\& !atomic/'
fi
finish
