#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# git clone of this repository into the mount, make of it there, git fsck; as root and as an ordinary user.
. "$(dirname "$0")/lib.sh"
requires git make gcc
shared_cluster
git -C "$ROOT" rev-parse HEAD >/dev/null 2>&1 || skip "the source tree is no git repository"
# A bare copy that everybody may read; a shallow clone is cloned as such.
check "the repository is copied" git clone -q --bare "file://$ROOT" "$WORK/repo.git"
chmod -R a+rX "$WORK/repo.git"
user_home
JOBS=$(nproc)
# What to make: all of it in soak, one of the servers otherwise.
GOAL=build/bin/sheen-oss
[ "$SCALE" = soak ] && GOAL=all
work() { # WHO COMMAND-PREFIX...
	local who=$1
	shift
	check "$who: git clone" "$@" git clone -q "file://$WORK/repo.git" "$A/$who"
	check "$who: git fsck on the other mount" "$@" git -C "$B/$who" fsck --full --strict
	check "$who: git status is clean" test -z "$("$@" git -C "$B/$who" status --porcelain)"
	check "$who: make" "$@" make -s -C "$A/$who" -j"$JOBS" $GOAL
	check "$who: what was built runs on the other mount" "$@" "$B/$who/build/bin/sheen-oss" --version
	check "$who: a commit" "$@" sh -c "cd '$A/$who' && echo x >new && git add new && git commit -qm new"
	check "$who: git gc" "$@" git -C "$A/$who" gc -q
	check "$who: git fsck again" "$@" git -C "$B/$who" fsck --full
	check "$who: rm -r" "$@" rm -rf "$A/$who"
	check "$who: is gone" test ! -e "$B/$who"
}
export GIT_CONFIG_GLOBAL=$WORK/home/.gitconfig
if [ "$SCALE" = soak ]; then
	work root
fi
work user as_user
finish
