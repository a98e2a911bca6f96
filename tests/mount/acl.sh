#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# POSIX ACLs with setfacl and getfacl: rules, masks, defaults, and what tar and cp make of them.
. "$(dirname "$0")/lib.sh"
requires setfacl getfacl
shared_cluster

facls() { (cd "$1" && find . | sort | getfacl -np -) }
cd "$A" || exit 1
echo secret >f
chmod 600 f
check "setfacl adds a user" setfacl -m u:1234:rw f
is "the other mount shows it" "$(getfacl -cnp "$B/f" 2>/dev/null | grep . | tr '\n' ' ')" \
	"user::rw- user:1234:rw- group::--- mask::rw- other::--- "
check "that user reads" as_user -u 1234 cat "$A/f"
check "and writes" as_user -u 1234 sh -c "echo more >>'$B/f'"
check_fails any "another does not" as_user -u 1235 cat "$A/f"
check "the mask limits" setfacl -m m::r f
check_fails any "the user no longer writes" as_user -u 1234 sh -c "echo no >>'$A/f'"
check "but still reads" as_user -u 1234 cat "$B/f"
check "setfacl -b takes all away" setfacl -b f
check_fails any "the user no longer reads" as_user -u 1234 cat "$A/f"

mkdir d
check "a default ACL is set" setfacl -d -m u:1234:rwx,g:4321:r-x d
(umask 077; echo x >d/new; mkdir d/sub)
like "a new file inherits" "$(getfacl -cnp "$B/d/new" | tr '\n' ' ')" '^user::rw- user:1234:rwx.*group:4321:r-x.*mask::rw- other::r--'
like "a new directory inherits both" "$(getfacl -cnp "$B/d/sub" | tr '\n' ' ')" 'default:user:1234:rwx .*default:group:4321:r-x'
check "the user works below it" as_user -u 1234 sh -c "echo y >'$A/d/sub/y'"

check "cp -a keeps ACLs" cp -a d "$WORK/copy"
is "copied ACLs are equal" "$(facls "$WORK/copy")" "$(facls "$B/d")"
check "cp -a brings them back" cp -a "$WORK/copy" back
is "ACLs are as before" "$(facls "$B/back")" "$(facls "$B/d")"
check "tar takes them out" tar --acls --xattrs -cf "$WORK/t.tar" -C "$B" d
mkdir t
check "and in" tar --acls --xattrs -xpf "$WORK/t.tar" -C "$A/t"
is "ACLs came through tar" "$(facls "$B/t/d")" "$(facls "$A/d")"
cd /
finish
