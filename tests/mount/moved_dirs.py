#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: moved_dirs.py USED CROSS TARGET LOOK A B    A directory is moved on mount A; then B renames to (TARGET 1) or from its new name.

USED: something in it is open on B meanwhile. CROSS: B's rename has two parents. LOOK: B looks at the new name first. Prints
"ok" or the name of the error of B's rename; whatever it was, renaming after a look at the name must work.
"""
import errno
import os
import sys
import tempfile

used, cross, target, look = map(int, sys.argv[1:5])
top = tempfile.mkdtemp(dir=sys.argv[5])
a, b = top, os.path.join(sys.argv[6], os.path.basename(top))
for d in ("old", "new", "old/d", "old/x", "new/x"):
    os.mkdir(f"{a}/{d}")
for d in ("old", "new"):  # B's kernel knows the names that there are
    for n in os.listdir(f"{b}/{d}"):
        os.stat(f"{b}/{d}/{n}")
fd = os.open(f"{b}/old/d", os.O_RDONLY | os.O_DIRECTORY) if used else -1
os.rename(f"{a}/old/d", f"{a}/new/d")
if look:
    os.stat(f"{b}/new/d")
other = f"{b}/old/x" if cross else f"{b}/new/x"
src, dst = (other, f"{b}/new/d") if target else (f"{b}/new/d", other)
try:
    os.rename(src, dst)
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno])
    os.stat(f"{b}/new/d")
    os.rename(src, dst)
assert not os.path.lexists(src) and os.path.isdir(dst)
assert os.path.isdir(dst.replace(b, a)) and not os.path.lexists(src.replace(b, a))
