#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The five-minute tour of README.md, as it stands there, with other paths and ports: every command must succeed.
# lctl is told which mount it means: it would ask others on this machine as well, which are none of this test's business.
. "$(dirname "$0")/lib.sh"
requires_root
[ -x "$BIN/sheenctl" ] || die "$BIN/sheenctl is not built"
PORT=$(free_port)
CLUSTERS+=("$WORK/tour")
MOUNTS+=("$WORK/mnt" "$WORK/mnt2")
mkdir "$WORK/mnt"
sed -n '/^## Five minutes/,/^## On several machines/p' "$ROOT/README.md" | grep '^    ' |
	sed -e "s|/var/tmp/tour|$WORK/tour|g; s|/mnt/tour|$WORK/mnt|g; s|22988|$PORT|g; s|22998|$((PORT + 9))|g; s|^ *||" \
		-e "s|lctl dl$|& --mount $WORK/mnt|" \
		-e "s#lctl \(get\|set\)_param #&--mount $WORK/mnt #" -e '/^export PATH/d; s|count=256|count=32|; s|#.*||' >"$WORK/steps"
[ "$(wc -l <"$WORK/steps")" -gt 15 ] || fail "the tour is found in README.md"
while read -r line; do
	check "$line" timeout 120 bash -c "$line"
	case $line in *getstripe*) LAST=$(grep -x '[0-9]*' "$WORK/.said" | tail -n 1) ;; esac # a server may say something there, too
done <"$WORK/steps"
is "the last file is striped over the OST that was added" "$LAST" 5
[ -s "$WORK/tour-ost4.pid" ] && SERVERS+=("$(cat "$WORK/tour-ost4.pid")")
check "the mount is back after down and up" test -e "$WORK/mnt/greeting"
finish
