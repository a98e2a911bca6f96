#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every way to mount: -t fuse.sheen, -t sheen with options, fstab, several addresses, a subdirectory; and every way to fail, which must
# leave nothing mounted. Runs in a mount namespace of its own, where /sbin has the helper, so that the system stays as it is.
if [ -z "${IN_NS-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "SKIP needs root"; exit 77; }
	unshare -m true 2>/dev/null || { echo "SKIP no mount namespaces"; exit 77; }
	IN_NS=1 exec unshare -m --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
FSNAME=ways
own_cluster --oss 1 --osts 1
NID=127.0.0.1@tcp:$PORT

# mount(8) looks for helpers in /sbin: an overlay of this namespace shows ours there, as `make install` would.
for h in mount.sheen mount.fuse.sheen sheen; do
	[ -e /sbin/$h ] && note "/sbin/$h exists; the installed one is hidden by a bind mount"
done
mkdir -p "$WORK/sbin.up" "$WORK/sbin.work" "$WORK/ovl"
mount -t tmpfs none "$WORK/ovl" || die "tmpfs"
mkdir "$WORK/ovl/up" "$WORK/ovl/work"
SBIN=$(readlink -f /sbin)
mount -t overlay overlay -o "lowerdir=$SBIN,upperdir=$WORK/ovl/up,workdir=$WORK/ovl/work" "$SBIN" 2>"$WORK/err" ||
	skip "no overlay file system: $(cat "$WORK/err")"
IMAGES+=("$WORK/ovl" "$SBIN")
for p in mount.sheen sheen; do
	printf '#!/bin/sh\nexec %s "$@"\n' "$BIN/$p" >"$SBIN/$p.new" && chmod 755 "$SBIN/$p.new" && mv "$SBIN/$p.new" "$SBIN/$p"
done
mkdir -p "$WORK/x"
MOUNTS+=("$WORK/x")
opts() { findmnt -no OPTIONS "$WORK/x"; }
echo data >"$A/file"
mkdir "$A/sub" "$A/sub/deep"
echo inside >"$A/sub/deep/f"

check "mount -t fuse.sheen" timeout 60 mount -t fuse.sheen "$NID:/ways" "$WORK/x"
is "it reads" "$(cat "$WORK/x/file")" data
is "its type" "$(findmnt -no FSTYPE "$WORK/x")" fuse.sheen
is "its source" "$(findmnt -no SOURCE "$WORK/x")" "$NID:/ways"
check "mounting on it again is refused, or done and undone" sh -c '! mount -t fuse.sheen "$0:/ways" "$1" || { umount "$1"; exit 1; }' "$NID" "$WORK/x"
check "umount" umount "$WORK/x"

check "mount -t sheen -o ro,noatime" timeout 60 mount -t sheen "$NID:/ways" "$WORK/x" -o ro,noatime
like "shows ro" "$(opts)" '(^|,)ro(,|$)'
like "shows noatime" "$(opts)" '(^|,)noatime(,|$)'
is "it reads" "$(cat "$WORK/x/file")" data
check_fails any "it does not write" sh -c 'echo x >"$0/file"' "$WORK/x"
check_fails any "it makes nothing" mkdir "$WORK/x/d"
check "umount" umount "$WORK/x"

check "options of any mount: nosuid,nodev,noexec" timeout 60 mount -t sheen "$NID:/ways" "$WORK/x" -o nosuid,nodev,noexec
like "are shown" "$(opts)" 'nosuid,nodev,noexec'
check "umount" umount "$WORK/x"

# fstab, as a bind mount over /etc/fstab in this namespace
printf '%s:/ways %s sheen defaults,noauto,_netdev 0 0\n' "$NID" "$WORK/x" >"$WORK/fstab"
if [ -e /etc/fstab ] && mount --bind "$WORK/fstab" /etc/fstab; then
	IMAGES+=(/etc/fstab)
	check "mount /mnt/x from fstab" timeout 60 mount "$WORK/x"
	is "it reads" "$(cat "$WORK/x/file")" data
	check "umount /mnt/x" umount "$WORK/x"
else
	check "mount from an fstab" timeout 60 mount -T "$WORK/fstab" "$WORK/x"
	check "umount" umount "$WORK/x"
fi

check "a subdirectory" timeout 60 mount -t sheen "$NID:/ways/sub" "$WORK/x"
is "is the root of the mount" "$(ls "$WORK/x")" deep
is "its parent is itself" "$(stat -c %i "$WORK/x/..")" "$(stat -c %i "$WORK")"
check "writes go there" sh -c 'echo new >"$0/new"' "$WORK/x"
is "as the whole mount shows" "$(cat "$A/sub/new")" new
check "umount" umount "$WORK/x"
check "a deeper one" timeout 60 mount -t sheen "$NID:/ways/sub/deep" "$WORK/x"
is "shows its file" "$(cat "$WORK/x/f")" inside
check "umount" umount "$WORK/x"

DEAD=127.0.0.1@tcp:$((PORT + 9))
check "several addresses, the first dead" timeout 90 mount -t sheen "$DEAD:$NID:/ways" "$WORK/x"
is "it reads" "$(cat "$WORK/x/file")" data
check "umount" umount "$WORK/x"
check "several addresses of one server" timeout 90 mount -t sheen "$DEAD,$NID:/ways" "$WORK/x"
check "umount" umount "$WORK/x"

# Locks: the last of these options wins. What the holder has is asked for on the same mount and on another.
locks() { # LOCKER ASKER: "flock fcntl" as the asker gets them
	"$PY" - "$1" "$2" <<-'END' | paste -sd ' '
		import errno, fcntl, os, sys
		held = open(sys.argv[1], "r+")
		try:
		    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
		    fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
		except OSError:
		    pass
		for lock in fcntl.flock, fcntl.lockf:
		    if os.fork() == 0:  # who closes a file loses all of his fcntl locks
		        try:
		            with open(sys.argv[2], "r+") as f:
		                lock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
		            print("granted", flush=True)
		        except OSError as e:
		            print(errno.errorcode[e.errno], flush=True)
		        os._exit(0)
		    os.wait()
	END
}
for o in flock noflock,flock localflock noflock; do
	check "mount -o $o" timeout 60 mount -t sheen "$NID:/ways" "$WORK/x" -o "$o"
	case $o in
	*localflock) here="EAGAIN EAGAIN" there="granted granted" ;;
	noflock) here="ENOSYS ENOSYS" there="granted granted" ;;
	*) here="EAGAIN EAGAIN" there="EAGAIN EAGAIN" ;;
	esac
	is "$o: locks on the same mount" "$(locks "$WORK/x/file" "$WORK/x/file")" "$here"
	is "$o: locks on another" "$(locks "$WORK/x/file" "$A/file")" "$there"
	check "umount" umount "$WORK/x"
done

# ---- another client has the mount point before the one that was there has ended ----
check "mount" timeout 60 mount -t sheen "$NID:/ways" "$WORK/x"
OLD=$(client_pid "$WORK/x")
PIDS+=("$OLD")
kill -STOP "$OLD"
# umount(8) looks at what it unmounts, and would wait for the client
check "umount" $PY -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).umount2(sys.argv[1].encode(), 2))' "$WORK/x"
check "mount again, at once" timeout 60 mount -t sheen "$NID:/ways" "$WORK/x"
kill -CONT "$OLD"
check "the client before ends" until_true 60 gone "$OLD" && unset "PIDS[-1]"
check "and leaves the mount alone" is_mounted "$WORK/x"
is "which works" "$(cat "$WORK/x/file")" data
check "umount" umount "$WORK/x"

no_mount() { ! is_mounted "$WORK/x"; }
no_client() { ! pgrep -f "[s]heen .*$WORK/x" >/dev/null; }
refused() { # "what" REGEX mount arguments
	local what=$1 re=$2
	shift 2
	check_fails any "$what is refused" timeout 100 mount -t sheen "$@" "$WORK/x"
	like "with a reason" "$OUT" "$re"
	check "and leaves no half mount" no_mount
	check "and no client" until_true 10 no_client # which may end after the helper
}
refused "an unknown file system" 'nofs|No such file|file system name' "$NID:/nofs"
refused "an unknown subdirectory" 'missing|No such file' "$NID:/ways/missing"
refused "a file as subdirectory" 'Not a directory|not a directory' "$NID:/ways/file"
refused "an unknown option" 'nonsense' -o nonsense "$NID:/ways"
refused "another network" 'o2ib|network' "127.0.0.1@o2ib:/ways"
refused "a source without a file system" 'source|file ?system|Invalid|fsname' "127.0.0.1@tcp"
refused "a name that is too long" 'fsname|name|Invalid' "$NID:/muchtoolongname"
START=$SECONDS
refused "no MGS within the timeout" 'MGS|imed out|refused' -o mount_timeout=3 "$DEAD:/ways"
[ $((SECONDS - START)) -lt 60 ] || fail "the timeout of the mount is kept: $((SECONDS - START)) s"
check_fails any "a mount point that does not exist" timeout 60 mount -t sheen "$NID:/ways" "$WORK/nowhere"
check_fails any "the helper without arguments" mount.sheen
check "the helper's --help" mount.sheen --help
is "the first mounts were not disturbed" "$(cat "$B/file")" data
finish
