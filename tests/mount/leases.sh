#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What leases give and what they cost: warm names and attributes without requests, and nobody waits for a client that does not answer
# longer than its term.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2

# Requests that mount A has sent to the MDS, without those that go on by themselves.
requests() {
	lctl get_param -n --mount "$MA" "mdc.*.stats" | awk '/req/ || /usecs/ { if ($1 !~ /ping|recalls|close|alloc_seq/) n += $2 } END { print n + 0 }'
}
count() { # COMMAND...: how many requests it takes
	local before
	before=$(requests)
	"$@" >/dev/null 2>&1
	echo $(($(requests) - before))
}
lctl set_param --mount "$MA" 'llite.*.scan_after=0' >/dev/null # nor what is listed by itself
mkdir -p "$A/d/e/f"
for i in $(seq 50); do echo "$i" >"$A/d/e/f/$i"; done
ls -lR "$A/d" >/dev/null # takes the leases
mkdir "$B/other"
stat "$A/other" >/dev/null
is "a name that is not there asks once" "$(count stat "$A/other/nothing")" 1
is "warm attributes ask nothing" "$(count stat "$A"/d/e/f/{1..50})" 0
mkdir "$A/own"
is "a file in a directory of its own is made with one request" "$(count mknod "$A/own/f" p)" 1
is "a name that is not in it is known not to be" "$(count stat "$A/own/nothing")" 0
touch "$B/own/nothing"
check "until another client makes it" stat "$A/own/nothing"
is "a warm walk asks nothing" "$(count test -d "$A/d/e/f")" 0

# ---- listings ----
sorted() { ls "$A/d/e/f" | sort -n | tr '\n' ' '; }
BEFORE=$(sorted)
is "a directory is listed again without requests" "$(count ls "$A/d/e/f")" 0
is "with attributes, too" "$(count sh -c 'stat "$0"/*' "$A/d/e/f")" 0
is "completely" "$(sorted)" "$BEFORE"
touch -r "$B/d/e/f" "$WORK/times"
touch "$B/d/e/f/51"
touch -r "$WORK/times" "$B/d/e/f" # as tar and rsync do: the directory looks as if nothing had happened
is "what another client makes is listed at once" "$(sorted)" "${BEFORE}51 "
touch "$A/d/e/f/52"
is "so is one's own" "$(sorted)" "${BEFORE}51 52 "
rm "$A/d/e/f/52" "$B/d/e/f/51"
is "and what is removed is not" "$(sorted)" "$BEFORE"
sorted >/dev/null
is "then it is listed without requests again" "$(count ls "$A/d/e/f")" 0
exec 7<"$A/d/e/f" # keeps the directory open
$PY - "$A/d/e/f" "$B/d/e/f" <<-'EOF' || FAILED=$((FAILED + 1))
	import os, sys
	a, b = sys.argv[1:]
	fd = os.open(a, os.O_RDONLY)
	for i in range(20):
	    with open(f"{b}/x{i}", "w"):
	        pass
	    if f"x{i}" not in os.listdir(fd):  # rewinds it
	        sys.exit(f"a directory that is open is listed without x{i}")
	    os.unlink(f"{b}/x{i}")
	    if f"x{i}" in os.listdir(fd):
	        sys.exit(f"a directory that is open is listed with x{i}, which is gone")
EOF
exec 7<&-

# ---- what this mount has just made ----
$PY - "$A/made" "$MA" <<-'EOF' || FAILED=$((FAILED + 1))
	import os, subprocess, sys
	d, mount = sys.argv[1:]
	def requests():
	    out = subprocess.check_output(["lctl", "get_param", "-n", "--mount", mount, "mdc.*.stats"], text=True)
	    return {r[0]: int(r[1]) for r in map(str.split, out.splitlines()) if "samples" in r}
	os.mkdir(d)
	for i in range(40):
	    with open(f"{d}/{i}", "wb", buffering=0) as f:
	        f.write(b"x" * i)
	before = requests()
	with open(f"{d}/open", "wb", buffering=0) as f:
	    for i in range(30):
	        f.write(b"x" * 10)
	        if os.fstat(f.fileno()).st_size != 10 * i + 10 or os.stat(f"{d}/open").st_size != 10 * i + 10:
	            sys.exit(f"after {10 * i + 10} bytes fstat says {os.fstat(f.fileno()).st_size}")
	    now = requests()
	    if now["create"] != before["create"] + 1 or any(now.get(n, 0) != before.get(n, 0) for n in ("getattr", "lookup", "open")):
	        sys.exit(f"a file that is being written is looked at with requests: {before}, then {now}")
	while requests().get("close", 0) < 41:
	    pass
	before = requests()
	for i in range(40):
	    if os.stat(f"{d}/{i}").st_size != i:
	        sys.exit(f"{d}/{i} has {os.stat(f'{d}/{i}').st_size} bytes")
	for name, n in requests().items():
	    if name not in ("ping", "recalls") and n != before.get(name, 0):
	        sys.exit(f"stat of files that were just written: {n - before.get(name, 0)} of {name}")
EOF

# ---- extended attributes ----
F=$A/d/e/f/3
value() { getfattr --absolute-names --only-values -n "$1" "$F" 2>&1; }
ls -l "$A/d/e/f" >/dev/null
is "a long listing asks nothing" "$(count ls -l "$A/d/e/f")" 0
is "nor what a file without attributes has" "$(count getfattr -n user.none "$F")" 0
setfattr -n user.x -v one "$B/d/e/f/3"
is "what another client sets is there" "$(value user.x)" one
is "then it is read without requests" "$(count value user.x)" 0
is "is listed without requests" "$(count getfattr -d -m - "$F")" 0
is "what is not there is not asked for" "$(count value user.none)" 0
is "nor is the layout" "$(count getfattr -n lustre.lov "$F")" 0
hits() { lctl get_param -n --mount "$MA" 'llite.*.stats' | awk '$1 == "getxattr_hits" { print $2 }'; }
HITS=$(hits)
value user.x >/dev/null
check "hits are counted" test "$(hits)" -gt "$HITS"
is "xattr_cache is on" "$(lctl get_param -n --mount "$MA" 'llite.*.xattr_cache')" 1
lctl set_param --mount "$MA" 'llite.*.xattr_cache=0' >/dev/null
is "without it the MDS is asked for the length and for the value" "$(count value user.x)" 2
lctl set_param --mount "$MA" 'llite.*.xattr_cache=1' >/dev/null
is "and with it again no more" "$(count value user.x)" 0
dd if=/dev/zero bs=1000 count=9 status=none | tr '\0' x >"$WORK/large"
setfattr -n user.large -v "$(cat "$WORK/large")" "$B/d/e/f/4"
large() { getfattr --absolute-names --only-values -n user.large "$A/d/e/f/4"; }
is "9000 bytes are more than is kept" "$(large)" "$(cat "$WORK/large")"
setfattr -n user.large -v small "$B/d/e/f/4"
is "and are others at once" "$(large)" small
setfattr -n user.x -v two "$B/d/e/f/3"
is "another value is seen at once" "$(value user.x)" two
setfattr -n user.none -v here "$B/d/e/f/3"
is "so is what was not there" "$(value user.none)" here
setfattr -x user.x "$B/d/e/f/3"
like "and what is gone" "$(value user.x)" 'No such attribute'
setfattr -n user.x -v own "$F"
is "so is one's own change" "$(value user.x)" own
setfacl -m u:1:r "$F"
like "an ACL" "$(value system.posix_acl_access | od -An -c | tr -d ' \n')" '.'
value system.posix_acl_access | cksum >"$WORK/acl"
chmod 600 "$F" # changes the mask
check "a mode changes the ACL" sh -c '! cmp -s "$0" "$1"' "$WORK/acl" <(value system.posix_acl_access | cksum)
setfacl -b "$B/d/e/f/3"
like "an ACL taken away" "$(getfacl -cp "$F" | grep -c user:)" '^1$'
check_fails any "whom no ACL lets in" as_user -u 1234 cat "$F"
setfacl -m u:1234:r "$B/d/e/f/3"
check "may read once another client's ACL says so" as_user -u 1234 test -r "$F"
is "at no cost the next time" "$(count as_user -u 1234 test -r "$F")" 0
setfacl -m u:1234:- "$B/d/e/f/3"
check_fails any "and may not once it does not" as_user -u 1234 cat "$F"

# Of a file that others write nobody may keep the attributes, but these.
exec 7>>"$B/d/e/f/5"
$PY - "$A/d/e/f/5" "$B/d/e/f/5" "$MA" <<-'EOF' || FAILED=$((FAILED + 1))
	import os, subprocess, sys
	a, b, mount = sys.argv[1:]
	others = ("ping", "recalls", "close")
	def requests():
	    out = subprocess.check_output(["lctl", "get_param", "-n", "--mount", mount, "mdc.*.stats"], text=True)
	    rows = (line.split() for line in out.splitlines() if "req" in line or "usecs" in line)
	    return sum(int(r[1]) for r in rows if not any(o in r[0] for o in others))
	def value(fd, name):
	    try:
	        return os.getxattr(fd, name)
	    except OSError:
	        return None
	fd = os.open(a, os.O_RDONLY)
	for i in range(20):
	    want = b"%d" % i if i % 3 else None
	    if want:
	        os.setxattr(b, "trusted.x", want)
	    elif i:
	        os.removexattr(b, "trusted.x")
	    for k in range(3):
	        got = value(fd, "trusted.x")
	        if got != want:
	            sys.exit(f"round {i}: another client has set {want}, here is {got}")
	before = requests()
	for i in range(100):
	    value(fd, "trusted.x"), value(fd, "security.capability")
	n = requests() - before
	if n:
	    sys.exit(f"200 looks at extended attributes of a file that is being written take {n} requests")
EOF
exec 7>&-

# A file that was never written has no layout; its first writer makes one.
$PY - "$A/d" "$B/d" <<-'EOF' || FAILED=$((FAILED + 1))
	import os, stat, sys
	a, b = sys.argv[1:]
	def has_layout(path):
	    try:
	        return len(os.getxattr(path, "lustre.lov")) > 0
	    except OSError:
	        return False
	for i, writer in enumerate((a, b)):
	    name = f"never_written{i}"
	    os.mknod(f"{a}/{name}", 0o644 | stat.S_IFREG)
	    if has_layout(f"{a}/{name}") or has_layout(f"{b}/{name}"):
	        sys.exit(f"{name} has a layout")
	    with open(f"{writer}/{name}", "w") as f:
	        f.write("x")
	        f.flush()
	        for reader in (a, b):
	            if not has_layout(f"{reader}/{name}"):
	                sys.exit(f"{reader}/{name} has no layout")
	DELAY = os.O_NOCTTY | os.O_ASYNC  # O_LOV_DELAY_CREATE
	os.mknod(f"{a}/delayed", 0o644 | stat.S_IFREG)
	fd = os.open(f"{a}/delayed", os.O_WRONLY | DELAY)
	if has_layout(fd) or has_layout(f"{b}/delayed"):
	    sys.exit("a file that is opened with O_LOV_DELAY_CREATE has a layout")
	os.write(fd, b"x")
	os.fsync(fd)
	if not has_layout(fd) or not has_layout(f"{b}/delayed"):
	    sys.exit("a file that was opened with O_LOV_DELAY_CREATE and written has no layout")
EOF
lfs getstripe "$F" >/dev/null
is "the layout of a file is asked for once" "$(count lfs getstripe "$F")" 0

# The other mount changes each kind of thing; the first sees it, and is warm again after one look.
chmod 600 "$B/d/e/f/1"
is "a mode" "$(stat -c %a "$A/d/e/f/1")" 600
is "is warm again" "$(count stat "$A/d/e/f/1")" 0
mv "$B/d/e" "$B/d/g"
check_fails any "a directory moved away" stat "$A/d/e/f/1"
is "is found at its new place" "$(cat "$A/d/g/f/7")" 7
echo more >>"$B/d/g/f/7"
is "a size" "$(stat -c %s "$A/d/g/f/7")" 7
ln "$B/d/g/f/8" "$B/d/g/f/8.link"
is "a count of links" "$(stat -c %h "$A/d/g/f/8")" 2
setfattr -n user.x -v 1 "$B/d/g/f/9"
is "a change time" "$(stat -c %z "$A/d/g/f/9")" "$(stat -c %z "$B/d/g/f/9")"
setfacl -m u:1:r "$B/d/g/f/9"
like "an ACL" "$(getfacl -cp "$A/d/g/f/9")" 'user:daemon:r--'
rm "$B/d/g/f/10"
check_fails any "a removal" stat "$A/d/g/f/10"
mkdir "$B/d/g/f/10"
is "a name that came back" "$(stat -c %F "$A/d/g/f/10")" directory
like "the client counts" "$(lctl get_param -n --mount "$MA" "llite.*.lease_stats")" 'recalls: [1-9]'

# A client that holds leases is stopped: others wait for its term and no longer, and what it shows afterwards is right.
stat "$B/d/g/f/20" "$B/d/g/f" >/dev/null
CP=$(client_pid "$MB")
like "the client's process is known" "$CP" '^[0-9]+$'
kill -STOP "$CP"
check "the other client changes all the same" timeout 30 sh -c "chmod 640 '$A/d/g/f/20'; mv '$A/d/g/f/21' '$A/d/g/f/21.new'; echo x >'$A/d/g/f/new'"
kill -CONT "$CP"
is "the stopped client sees the mode" "$(stat -c %a "$B/d/g/f/20")" 640
check_fails any "and the name that went" stat "$B/d/g/f/21"
is "and the one that came" "$(cat "$B/d/g/f/new")" x

# The MDS is killed: what clients kept from its last life is not believed any longer than the new one can know.
ls -l "$A/d/g/f" "$B/d/g/f" >/dev/null
MP=$(pids_of mds | tail -n 1)
kill_wait KILL "$MP"
timeout 120 sheenctl up --dir "$CDIR" --mount "$MA" >"$WORK/up.log" 2>&1 || fail "the cluster is up again"
check "a change after the restart" timeout 60 chmod 604 "$A/d/g/f/30"
is "is seen" "$(timeout 60 stat -c %a "$B/d/g/f/30")" 604
finish
