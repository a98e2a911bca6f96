#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same random operations on a Sheen mount and on a local directory; every result is compared.

usage: randops.py [--seed N] [--ops N] [--second DIR] SHEEN_DIR LOCAL_DIR

Operations of one seed are always the same. With --second every other operation goes through a second mount of the same
directory. Results are return values, data read, errno and attributes (type, mode, owner, links, size, and of times whether they
moved); blocks are left out, because they depend on the disk. At intervals and at the end both trees are compared whole.
"""
import argparse
import ctypes
import errno
import os
import random
import stat
import sys

libc = ctypes.CDLL(None, use_errno=True)
NAMES = ["a", "b", "c", "dir", "x" * 255, "sp ace", "\u00e4\u20ac", "e.txt", "f", "g"]
MODES = [0o644, 0o600, 0o755, 0o4755, 0o2755, 0o1777, 0o777]
NOREPLACE, EXCHANGE = 1, 2


def rename2(a, b, flags):
    if libc.syscall(316, -100, os.fsencode(a), -100, os.fsencode(b), flags):
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


def fallocate(fd, mode, off, length):
    if libc.fallocate64(fd, mode, ctypes.c_int64(off), ctypes.c_int64(length)):
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


class World:
    """One of the two trees, with its open files by slot."""

    def __init__(self, roots):
        self.roots = roots
        self.fds = {}
        self.turn = 0

    def p(self, rel):
        self.turn += 1
        return os.path.join(self.roots[self.turn % len(self.roots)], rel)

    def attrs(self, st):
        size = 0 if stat.S_ISDIR(st.st_mode) else st.st_size
        return (st.st_mode, st.st_uid, st.st_gid, st.st_nlink, size, st.st_rdev)

    # -- operations: each returns something comparable or raises OSError
    def create(self, path, slot, mode, flags):
        fd = os.open(self.p(path), os.O_CREAT | os.O_RDWR | flags, mode)
        self.fds[slot] = (fd, flags & os.O_APPEND)
        return self.attrs(os.fstat(fd))

    def open(self, path, slot, flags):
        fd = os.open(self.p(path), os.O_RDWR | flags)
        self.fds[slot] = (fd, flags & os.O_APPEND)
        return self.attrs(os.fstat(fd))

    def fd(self, slot):
        if slot not in self.fds:
            raise OSError(errno.EBADF, "")
        return self.fds[slot][0]

    def close(self, slot):
        fd = self.fd(slot)
        del self.fds[slot]
        os.close(fd)

    def pwrite(self, slot, off, seed, n):
        return os.pwrite(self.fd(slot), random.Random(seed).randbytes(n), off)

    def append(self, slot, seed, n):
        os.lseek(self.fd(slot), 0, os.SEEK_END)
        return os.write(self.fd(slot), random.Random(seed).randbytes(n))

    def pread(self, slot, off, n):
        return os.pread(self.fd(slot), n, off)

    def ftruncate(self, slot, size):
        os.ftruncate(self.fd(slot), size)
        return self.attrs(os.fstat(self.fd(slot)))

    def fallocate(self, slot, mode, off, n):
        fallocate(self.fd(slot), mode, off, n)
        return self.attrs(os.fstat(self.fd(slot)))

    def copy_range(self, s1, s2, o1, o2, n):
        a, b = self.fd(s1), self.fd(s2)
        sa, sb = os.fstat(a), os.fstat(b)
        if sa.st_ino == sb.st_ino and abs(o1 - o2) < n:
            return "overlap"
        return os.copy_file_range(a, b, n, o1, o2)

    def fstat(self, slot):
        return self.attrs(os.fstat(self.fd(slot)))

    def fsync(self, slot):
        os.fsync(self.fd(slot))

    def fchmod(self, slot, mode):
        os.fchmod(self.fd(slot), mode)

    def stat(self, path):
        return self.attrs(os.lstat(self.p(path)))

    def mkdir(self, path, mode):
        os.mkdir(self.p(path), mode)
        return self.attrs(os.lstat(self.p(path)))

    def rmdir(self, path):
        os.rmdir(self.p(path))

    def unlink(self, path):
        os.unlink(self.p(path))

    def link(self, a, b):
        self.turn += 1
        r = self.roots[self.turn % len(self.roots)]
        os.link(os.path.join(r, a), os.path.join(r, b), follow_symlinks=False)
        return self.attrs(os.lstat(self.p(a)))

    def symlink(self, target, path):
        os.symlink(target, self.p(path))
        return os.readlink(self.p(path))

    def readlink(self, path):
        return os.readlink(self.p(path))

    def mknod(self, path, mode, dev):
        os.mknod(self.p(path), mode, dev)
        return self.attrs(os.lstat(self.p(path)))

    def rename(self, a, b, flags):
        self.turn += 1
        r = self.roots[self.turn % len(self.roots)]
        a, b = os.path.join(r, a), os.path.join(r, b)
        try:
            rename2(a, b, flags)
        except OSError as e:
            if e.errno != errno.ESTALE or not self.kernel_missed_a_move(a, b):
                raise
            rename2(a, b, flags)

    def kernel_missed_a_move(self, a, b):
        """ESTALE of a rename is the kernel's, and only this one (docs/posix.md, shown by moved_dirs.sh).

        The other mount has moved a directory in which something is open here, so that this kernel still has it under its old name.
        rename(2) with two parents takes the file system's lock of renames and looks both names up under it; the answer is a
        directory that the kernel has elsewhere, which d_splice_alias() moves with __d_unalias(), and that gives ESTALE when it
        cannot have the very same lock (fs/dcache.c: mutex_trylock of s_vfs_rename_mutex). So it takes two parents, a directory, and
        an open file; the request never gets to the MDS. Looked up without that lock, the directory moves to its new name.
        """
        dirs = [p for p in (a, b) if os.path.isdir(p)]
        return bool(dirs and self.fds and os.path.dirname(a) != os.path.dirname(b))

    def chmod(self, path, mode):
        os.chmod(self.p(path), mode)
        return self.attrs(os.stat(self.p(path)))

    def chown(self, path, uid, gid):
        os.lchown(self.p(path), uid, gid)
        return self.attrs(os.lstat(self.p(path)))

    def utime(self, path, a, m):
        p = self.p(path)
        os.utime(p, ns=(a, m), follow_symlinks=False)
        st = os.lstat(self.p(path))
        return (st.st_mtime_ns,) if stat.S_ISLNK(st.st_mode) else (st.st_atime_ns, st.st_mtime_ns)

    def truncate(self, path, size):
        os.truncate(self.p(path), size)
        return self.attrs(os.stat(self.p(path)))

    def listdir(self, path):
        return sorted(os.listdir(self.p(path)))

    def setxattr(self, path, name, value, flags):
        os.setxattr(self.p(path), name, value, flags, follow_symlinks=False)

    def getxattr(self, path, name):
        return os.getxattr(self.p(path), name, follow_symlinks=False)

    def removexattr(self, path, name):
        os.removexattr(self.p(path), name, follow_symlinks=False)

    def listxattr(self, path):
        return sorted(x for x in os.listxattr(self.p(path), follow_symlinks=False) if x.startswith("user."))

    def readfile(self, path):
        with open(self.p(path), "rb") as f:
            return f.read()

    def access(self, path, mode):
        return os.access(self.p(path), mode)


def some_path(rnd):
    depth = rnd.choice((0, 0, 0, 1, 1, 2, 3))
    return "/".join(["dir"] * depth + [rnd.choice(NAMES)])


def make_op(rnd, slots):
    """(name, arguments) of one operation; slots: those with an open file, which are taken mostly."""
    def some_slot():
        return rnd.choice(slots) if slots and rnd.random() < .95 else rnd.randrange(6)
    slot, path, path2 = some_slot(), some_path(rnd), some_path(rnd)
    off = rnd.choice((0, 1, 4095, 65536, rnd.randrange(200000), rnd.randrange(10 << 20)))
    n = rnd.choice((0, 1, 100, 4096, 65536, rnd.randrange(150000)))
    k = rnd.randrange(1 << 30)
    table = (
        (8, "create", (path, rnd.randrange(6), rnd.choice(MODES), rnd.choice((0, 0, os.O_EXCL, os.O_TRUNC, os.O_APPEND)))),
        (5, "open", (path, rnd.randrange(6), rnd.choice((0, 0, os.O_TRUNC, os.O_APPEND, os.O_DIRECTORY, os.O_NOFOLLOW)))),
        (2, "close", (slot,)),
        (10, "pwrite", (slot, off, k, n)),
        (4, "append", (slot, k, n)),
        (8, "pread", (slot, off, n)),
        (3, "ftruncate", (slot, off)),
        (2, "fallocate", (slot, rnd.choice((0, 1, 3, 16, 17)), off, n)),
        (2, "copy_range", (slot, some_slot(), off, rnd.randrange(300000), n)),
        (4, "fstat", (slot,)),
        (1, "fsync", (slot,)),
        (1, "fchmod", (slot, rnd.choice(MODES))),
        (6, "stat", (path,)),
        (5, "mkdir", (rnd.choice((path, "dir", "dir/dir", "dir/dir/dir")), rnd.choice(MODES))),
        (3, "rmdir", (path,)),
        (6, "unlink", (path,)),
        (4, "link", (path, path2)),
        (2, "symlink", (rnd.choice(NAMES), path)),
        (2, "readlink", (path,)),
        (1, "mknod", (path, rnd.choice((stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFREG)) | 0o644, 0x103)),
        (6, "rename", (path, path2, rnd.choice((0, 0, 0, NOREPLACE, EXCHANGE)))),
        (3, "chmod", (path, rnd.choice(MODES))),
        (3, "chown", (path, rnd.choice((-1, 0, 1000)), rnd.choice((-1, 0, 1000)))),
        (3, "utime", (path, k * 10**9 + 1, k * 10**9 + k)),
        (3, "truncate", (path, off)),
        (3, "listdir", (os.path.dirname(path),)),
        (3, "setxattr", (path, rnd.choice(("user.a", "user.b")), random.Random(k).randbytes(n % 2000),
                         rnd.choice((0, 0, os.XATTR_CREATE, os.XATTR_REPLACE)))),
        (2, "getxattr", (path, "user.a")),
        (1, "removexattr", (path, "user.a")),
        (1, "listxattr", (path,)),
        (2, "readfile", (path,)),
        (1, "access", (path, os.R_OK | os.X_OK)),
    )
    at = rnd.randrange(sum(w for w, _, _ in table))
    for w, name, args in table:
        at -= w
        if at < 0:
            return name, args


def special(world, path):
    """Opening a FIFO or a device would wait or do something else: left out."""
    try:
        m = os.stat(os.path.join(world.roots[0], path)).st_mode
        return not (stat.S_ISREG(m) or stat.S_ISDIR(m))
    except OSError:
        return False


def run(world, name, args):
    try:
        return getattr(world, name)(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)


def tree(root):
    out = {}
    for d, dirs, files in os.walk(root):
        for n in dirs + files:
            p = os.path.join(d, n)
            st = os.lstat(p)
            data = None
            if stat.S_ISREG(st.st_mode):
                with open(p, "rb") as f:
                    data = hash(f.read())
            elif stat.S_ISLNK(st.st_mode):
                data = os.readlink(p)
            xs = {x: os.getxattr(p, x, follow_symlinks=False) for x in os.listxattr(p, follow_symlinks=False)
                  if x.startswith("user.")}
            size = 0 if stat.S_ISDIR(st.st_mode) else st.st_size
            out[os.path.relpath(p, root)] = (st.st_mode, st.st_uid, st.st_gid, st.st_nlink, size, data, xs)
    return out


def show(v):
    s = repr(v)
    return s if len(s) < 300 else s[:140] + f"...({len(s)})..." + s[-140:]


def compare_trees(worlds, when):
    a, b = tree(worlds[0].roots[-1]), tree(worlds[1].roots[0])
    bad = 0
    for p in sorted(set(a) | set(b)):
        if a.get(p) != b.get(p):
            print(f"{when}: {p!r}: sheen {show(a.get(p))}, local {show(b.get(p))}")
            bad += 1
    return bad


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--ops", type=int, default=5000)
    ap.add_argument("--second")
    ap.add_argument("--every", type=int, default=2500, help="compare whole trees after so many operations")
    ap.add_argument("sheen")
    ap.add_argument("local")
    o = ap.parse_args()
    os.umask(0o022)
    rnd = random.Random(o.seed)
    worlds = (World([o.sheen] + ([o.second] if o.second else [])), World([o.local]))
    recent = []
    bad = 0
    for i in range(o.ops):
        name, args = make_op(rnd, sorted(worlds[1].fds))
        if name in ("create", "open", "readfile", "truncate") and special(worlds[1], args[0]):
            continue
        if name in ("create", "open"):
            for w in worlds:
                run(w, "close", (args[1],))
        got = [run(w, name, args) for w in worlds]
        recent = (recent + [f"{i}: {name}{show(args)} -> {show(got[1])}"])[-12:]
        if got[0] != got[1]:
            print("\n".join(recent))
            print(f"operation {i} {name}{show(args)}: sheen {show(got[0])}, local {show(got[1])}")
            bad += 1
            if bad > 5:
                break
        if i % o.every == o.every - 1 or i == o.ops - 1:
            for w in worlds if o.every > 100 else ():
                for s in list(w.fds):
                    run(w, "close", (s,))
            bad += compare_trees(worlds, f"after operation {i}")
            if bad:
                print("\n".join(recent))
                break
    print(f"# seed {o.seed}: {o.ops} operations, {bad} differences")
    sys.exit(1 if bad else 0)


main()
