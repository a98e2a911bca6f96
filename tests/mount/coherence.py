#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Is what several mounts show linearizable? Processes on all mounts write and read registers, and every history is checked.

usage: coherence.py [--seconds N] [--round N] [--procs N] [--seed N] [--only KIND,...] [--without KIND,...] --checker PROGRAM
                    MOUNT MOUNT...   (the same directory on each)

A register is one thing of the file system that has a value: some bytes of a file (in the same page as others, in another page, in
another stripe; read through descriptors and mappings that were made long ago and whose pages the kernel keeps, through new ones, and
past all caches; written by pwrite, O_DIRECT and stores to mappings), its size, its times, an attribute, what a name leads to, what
a directory contains; and counters, which are added to under a lock or by O_APPEND. Start and end of each operation are taken from one
clock. The histories are judged by the simulator's checker (tests/mount/history/history.c, tests/sim/linear.h).

One exception is granted (docs/posix.md): while a process of a mount is in the middle of a change of names or attributes, other
processes of the same mount may still see what was before, even if another mount has seen the change already. Such a read counts as begun
when the first such change of its own mount began. Data has no such exception.

A process that does nothing for a minute is reported with all stacks, and the run fails.
"""
import argparse
import bisect
import ctypes
import fcntl
import mmap
import os
import pickle
import random
import signal
import subprocess
import sys
import time

STUCK_S = 60
PAGE = 4096
NOBODY = 2**64 - 2  # no value that anybody writes
TICK_NS = 10_000_000  # of the kernel's clock for times of files
libc = ctypes.CDLL(None, use_errno=True)


def exchange(a, b):
    if libc.syscall(316, -100, os.fsencode(a), -100, os.fsencode(b), 2):
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


# ---- registers: make once, write a value, read a value; all take the mount's directory
#
# write() is a generator: what comes before its first yield is preparation, up to the second goes the operation, and the rest cleans
# up. The second yield may give the operations that it turned out to be, each (kind, a, b) of history.c; without that it is a write
# of v. read() gives a value, or None if that was no answer.


def number(data):
    return int.from_bytes(data, "little")


class Register:
    READERS = 1
    GRACE = True  # names and attributes
    FLAGS = os.O_RDWR

    def __init__(self, k):
        self.name = f"{type(self).__name__.lower()}{k}"
        self.file = self.name
        self.kept = {}

    def path(self, root):
        return os.path.join(root, self.file)

    def keep(self, root, what, how):  # made long ago
        key = root, what
        if key not in self.kept:
            self.kept[key] = how()
        return self.kept[key]

    def fd(self, root):
        return self.keep(root, "fd", lambda: os.open(self.path(root), self.FLAGS))

    def make(self, root):
        with open(self.path(root), "xb") as f:
            f.write(bytes(8))

    def finish(self, root, history):
        """What could not be known when it was recorded."""
        return history


class Mtime(Register):
    def make(self, root):
        super().make(root)
        os.utime(self.path(root), ns=(1, 1))

    def write(self, root, v, tmp):
        yield
        os.utime(self.path(root), ns=(v, v))
        yield

    def read(self, root, how):
        return os.stat(self.path(root)).st_mtime_ns if how else os.fstat(self.fd(root)).st_mtime_ns

    READERS = 2


class Size(Register):
    def make(self, root):
        super().make(root)
        os.truncate(self.path(root), 0)

    def write(self, root, v, tmp):
        yield
        os.truncate(self.path(root), v)
        yield

    def read(self, root, how):
        if how == 0:
            return os.stat(self.path(root)).st_size
        if how == 1:
            return os.fstat(self.fd(root)).st_size
        return os.lseek(self.fd(root), 0, os.SEEK_END)

    READERS = 3


class Grown(Size):
    """The size of a file that is only appended to. Where an append went is told by the file, at the end of the round. lseek is left
    out: docs/posix.md."""

    FLAGS = os.O_RDONLY
    READERS = 2

    def write(self, root, v, tmp):
        fd = os.open(self.path(root), os.O_WRONLY | os.O_APPEND)
        yield
        n = os.write(fd, v.to_bytes(16, "little"))
        yield [("append", v, n)]
        os.close(fd)

    def finish(self, root, history):
        with open(self.path(root), "rb") as f:
            data = f.read()
        at = {number(data[i:i + 16]): i for i in range(0, len(data), 16)}
        return [(kind, at.get(a, NOBODY) if kind == "append" else a, *rest) for kind, a, *rest in history]


class Stamp(Register):
    """The time of the last write: a history of its own kind, see check_stamps()."""

    FLAGS = os.O_RDONLY
    READERS = 2

    def write(self, root, v, tmp):
        fd = os.open(self.path(root), os.O_WRONLY)
        yield
        now = time.time_ns()
        os.pwrite(fd, b"x", v % 9000)
        yield [("touch", now, 0)]
        os.close(fd)

    def read(self, root, how):
        return os.stat(self.path(root)).st_mtime_ns if how else os.fstat(self.fd(root)).st_mtime_ns


class Data(Register):
    """Everybody has it open for reading and writing."""

    GRACE = False

    def write(self, root, v, tmp):
        fd = self.fd(root)
        yield
        os.pwrite(fd, v.to_bytes(8, "little"), 0)
        yield

    def read(self, root, how):
        if how:
            return number(os.pread(self.fd(root), 8, 0))
        with open(self.path(root), "rb", buffering=0) as f:
            return number(f.read(8))

    READERS = 2


class Page(Register):
    """Bytes of a file that everybody has open and mapped for reading only, so that kernels keep its pages, and that is opened
    for each write. Several registers are in one file: two in the first page, one in another, two in other stripes."""

    PLACES = (0, 8, 5 * PAGE, 65536, 3 * 65536 + PAGE - 8)
    GRACE = False
    READERS = 5
    FLAGS = os.O_RDONLY

    def __init__(self, k):
        super().__init__(k)
        self.file = f"{type(self).__name__.lower()}.{k // len(self.PLACES)}"
        self.at = self.PLACES[k % len(self.PLACES)]

    def path(self, root):  # of a directory with small stripes, where there are stripes
        return os.path.join(root, "striped", self.file)

    def make(self, root):
        os.makedirs(os.path.dirname(self.path(root)), exist_ok=True)
        if not os.path.exists(self.path(root)):
            with open(self.path(root), "xb") as f:
                f.write(bytes(4 * 65536))

    def map(self, root):
        return self.keep(root, "map", lambda: mmap.mmap(self.fd(root), 0, prot=mmap.PROT_READ))

    def direct(self, root):
        return self.keep(root, "direct", lambda: (os.open(self.path(root), os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, PAGE)))

    def write(self, root, v, tmp):
        fd = os.open(self.path(root), os.O_WRONLY)
        yield
        os.pwrite(fd, v.to_bytes(8, "little"), self.at)
        yield
        os.close(fd)

    def read(self, root, how):
        if how < 2:
            return number(os.pread(self.fd(root), 8, self.at))
        if how == 2:
            return number(self.map(root)[self.at:self.at + 8])
        if how == 3:
            fd = os.open(self.path(root), os.O_RDONLY)
            try:
                return number(os.pread(fd, 8, self.at))
            finally:
                os.close(fd)
        fd, buf = self.direct(root)
        os.preadv(fd, [buf], self.at // PAGE * PAGE)
        return number(buf[self.at % PAGE:self.at % PAGE + 8])


class Direct(Page):
    """Written with O_DIRECT; a register has its page for itself. Local file systems promise nothing about that and mappings."""

    PLACES = (0, 5 * PAGE, 65536)

    def write(self, root, v, tmp):
        buf = self.keep(root, "written", lambda: mmap.mmap(-1, PAGE))
        buf[:8] = v.to_bytes(8, "little")
        fd = os.open(self.path(root), os.O_WRONLY | os.O_DIRECT)
        yield
        os.pwritev(fd, [buf], self.at)
        yield
        os.close(fd)


class Map(Page):
    """Everybody has it mapped for reading and writing."""

    PLACES = (0, 8, 65536)
    FLAGS = os.O_RDWR

    def map(self, root):
        return self.keep(root, "map", lambda: mmap.mmap(self.fd(root), 0))

    def write(self, root, v, tmp):
        m = self.map(root)
        yield
        with memoryview(m) as bytes_, bytes_[self.at:self.at + 8] as b, b.cast("Q") as q:  # one store; a slice is copied by two
            q[0] = v
        yield


class Mixed(Map):
    """Stores and writes by turns. A register has its page for itself, and one mount does not do both at once (docs/posix.md:
    stores and writes to one page)."""

    PLACES = (0, 5 * PAGE, 65536)
    locks = None  # a folder of this machine

    def write(self, root, v, tmp):
        name = f"{self.name}.{root.replace('/', '.')}"
        lock = self.keep(root, os.getpid(), lambda: os.open(os.path.join(self.locks, name), os.O_RDWR | os.O_CREAT, 0o644))
        fcntl.flock(lock, fcntl.LOCK_EX)
        if v % 2:
            yield from super().write(root, v, tmp)
        else:
            fd, data = self.fd(root), v.to_bytes(8, "little")
            yield
            os.pwrite(fd, data, self.at)
            yield
        fcntl.flock(lock, fcntl.LOCK_UN)


class Count(Page):
    """A counter under a lock of another file."""

    PLACES = (0,)

    def write(self, root, v, tmp):
        lock = self.keep(root, os.getpid(), lambda: os.open(self.path(root) + ".lock", os.O_RDWR | os.O_CREAT, 0o644))
        yield
        if v % 2:
            fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.lockf(lock, fcntl.LOCK_EX)
        old = self.read(root, v % self.READERS)
        fd = os.open(self.path(root), os.O_WRONLY)
        os.pwrite(fd, (old + 1).to_bytes(8, "little"), self.at)
        if v % 3:
            os.close(fd)
        fcntl.lockf(lock, fcntl.LOCK_UN)
        fcntl.flock(lock, fcntl.LOCK_UN)
        yield [("append", old, 1)]
        if not v % 3:
            os.close(fd)


class Xattr(Register):
    def make(self, root):
        super().make(root)
        os.setxattr(self.path(root), "user.v", b"0")

    def write(self, root, v, tmp):
        yield
        os.setxattr(self.path(root), "user.v", b"%d" % v)
        yield

    def read(self, root, how):
        return int(os.getxattr(self.path(root), "user.v"))


class Group(Register):
    """Of a directory on the way to a file: what permission checks and path walks use."""

    def make(self, root):
        os.mkdir(self.path(root))
        os.chown(self.path(root), -1, 0)

    def write(self, root, v, tmp):
        yield
        os.chown(self.path(root), -1, v)
        yield

    def read(self, root, how):
        return os.stat(self.path(root)).st_gid


class Name(Register):
    """A symbolic link that is replaced by renames: what a name leads to."""

    def make(self, root):
        os.symlink("0", self.path(root))

    def write(self, root, v, tmp):
        os.symlink(str(v), f"{root}/{tmp}")
        yield
        os.rename(f"{root}/{tmp}", self.path(root))
        yield

    def read(self, root, how):
        try:
            return int(os.readlink(self.path(root)))
        except FileNotFoundError:
            return NOBODY


class Walk(Register):
    """A directory that is exchanged for another, which is then taken apart: a path walk may come through in the middle of
    that and find nothing, which is no answer."""

    def make(self, root):
        os.mkdir(self.path(root))
        os.symlink("0", self.path(root) + "/v")

    def write(self, root, v, tmp):
        os.mkdir(f"{root}/{tmp}")
        os.symlink(str(v), f"{root}/{tmp}/v")
        yield
        exchange(f"{root}/{tmp}", self.path(root))
        yield
        os.unlink(f"{root}/{tmp}/v")
        os.rmdir(f"{root}/{tmp}")

    def read(self, root, how):
        try:
            return int(os.readlink(self.path(root) + "/v"))
        except FileNotFoundError:
            return None


class Entry(Register):
    """The only name in a directory; who renames it knows what it was. A listing takes more than one call and may show a name
    that is renamed meanwhile twice, as POSIX allows: that is no answer, but it never shows none."""

    def make(self, root):
        os.mkdir(self.path(root))
        os.close(os.open(self.path(root) + "/0", os.O_CREAT, 0o644))

    def write(self, root, v, tmp):
        old = (os.listdir(self.path(root)) + ["none"])[0]
        yield
        try:
            os.rename(f"{self.path(root)}/{old}", f"{self.path(root)}/{v}")
        except FileNotFoundError:
            yield [("read", NOBODY, 0)] if old == "none" else []
            return
        yield [("read", int(old), 0), ("write", v, 0)]

    def read(self, root, how):
        names = os.listdir(self.path(root))
        if len(names) != 1:
            return None if names else NOBODY
        if how:
            try:
                os.stat(f"{self.path(root)}/{names[0]}")
            except FileNotFoundError:
                return None  # gone by now
        return int(names[0])

    READERS = 2


class Slot(Register):
    """A name that is made if it is not there, and removed; its value is the number of the inode."""

    def make(self, root):
        pass

    def write(self, root, v, tmp):
        yield
        try:
            if v % 2:
                fd = os.open(self.path(root), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
                yield [("make", os.fstat(fd).st_ino, 0)]
                os.close(fd)
            else:
                os.unlink(self.path(root))
                yield [("take", 0, 0)]
        except FileExistsError:
            yield [("min", 1, 0)]
        except FileNotFoundError:
            yield [("read", 0, 0)]

    def read(self, root, how):
        try:
            return os.stat(self.path(root)).st_ino
        except FileNotFoundError:
            return 0


KINDS = [Mtime, Size, Grown, Stamp, Data, Page, Direct, Map, Mixed, Count, Xattr, Group, Name, Walk, Entry, Slot]
SMALL = (Group,)  # values of 31 bits


# ---- one process


def one_op(rng, regs, root, me, n, history):
    i = rng.randrange(len(regs))
    reg = regs[i]
    v = n * 64 + me + 1
    if isinstance(reg, SMALL):
        v &= 0x3FFFFFFF
    if rng.random() < 0.3:
        steps = reg.write(root, v, f"tmp.{me}.{n}")
        next(steps)
        start = time.monotonic_ns()
        ops = next(steps)
        end = time.monotonic_ns()
        history += [(i, *op, start, end) for op in ([("write", v, 0)] if ops is None else ops)]
        for _ in steps:
            pass
        return
    how = rng.randrange(reg.READERS)
    start = time.monotonic_ns()
    got = reg.read(root, how)
    end = time.monotonic_ns()
    if got is not None:
        history.append((i, "read", got, 0, start, end))


def worker(regs, root, me, seed, first, until, out, beat):
    rng = random.Random(seed)
    history = []
    n = first
    try:
        while time.monotonic() < until:
            one_op(rng, regs, root, me, n, history)
            n += 1
            beat[me] = n & 0xFF
        with open(out, "wb") as f:
            pickle.dump((n, history), f)
    except BaseException as e:  # pylint: disable=broad-except
        print(f"process {me} on {root}: {e!r}", flush=True)
        os._exit(1)
    os._exit(0)


def stacks(pids):
    for pid in pids:
        os.system(f"cat /proc/{pid}/wchan /proc/{pid}/stack 2>/dev/null; echo ' pid {pid}'")
    os.system("for p in $(pidof sheen); do echo client $p; for t in /proc/$p/task/*; do cat $t/stack; echo; done; done 2>/dev/null")


def wait_all(pids, beat, until):
    """True if all ended well. Kills what hangs."""
    left = dict(pids)
    seen, moved = bytes(beat), time.monotonic()
    ok = True
    while left:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            ok &= status == 0
            left = {m: p for m, p in left.items() if p != pid}
            moved = time.monotonic()
            continue
        if bytes(beat) != seen or time.monotonic() < until:
            if bytes(beat) != seen:
                seen, moved = bytes(beat), time.monotonic()
        if time.monotonic() - moved > STUCK_S:
            print(f"processes {sorted(left)} have done nothing for {STUCK_S} s")
            stacks(left.values())
            for p in left.values():
                os.kill(p, signal.SIGKILL)
            return False
        time.sleep(0.01)
    return ok


# ---- the checker


def with_grace(ops):
    """Reads of a mount begin with the own changes that they overlap."""
    changes = {}
    for kind, _, _, start, end, mount in sorted(ops, key=lambda op: op[3]):
        if kind != "read":
            starts, ends, latest = changes.setdefault(mount, ([], [], []))
            starts.append(start)
            ends.append(end)
            latest.append(max(end, latest[-1] if latest else 0))  # of all ends so far
    out = []
    for kind, a, b, start, end, mount in ops:
        if kind == "read" and mount in changes:
            starts, ends, latest = changes[mount]
            i, began = bisect.bisect_left(starts, end) - 1, start
            while i >= 0 and latest[i] > start:
                if ends[i] > start:
                    began = min(began, starts[i])
                i -= 1
            start = began
        out.append((kind, a, b, start, end, mount))
    return out


def check_stamps(name, ops):
    """Times of writes: never back, and not before a write that has ended."""
    events = sorted([(op[4], 0, op) for op in ops] + [(op[3], 1, op) for op in ops if op[0] == "read"], key=lambda e: e[:2])
    shown, least, bad = 0, 0, []
    for _, begins, (kind, a, _, start, end, mount) in events:
        if begins:
            if a < max(shown, least):
                bad.append(f"{name}: mount {mount} reads {a} in [{start}, {end}], but {shown} was shown and the last write was not before "
                           f"{least}")
        elif kind == "read":
            shown = max(shown, a)
        else:
            least = max(least, a - TICK_NS)
    return bad


def check_all(args, regs, firsts, histories):
    """Complaints."""
    path, bad, some = f"{args.scratch}/histories", [], False
    with open(path, "w", encoding="ascii") as f:
        for reg, first, ops in zip(regs, firsts, histories):
            ops = reg.finish(args.mounts[0], ops)
            if reg.GRACE:
                ops = with_grace(ops)
            if isinstance(reg, Stamp):
                bad += check_stamps(reg.name, ops)
                continue
            some = True
            f.write(f"object {reg.name} {first}\n")
            f.writelines(f"{kind} {start} {end} {a} {b} {mount}\n" for kind, a, b, start, end, mount in ops)
    if some:
        said = subprocess.run([args.checker, path], stdout=subprocess.PIPE, text=True, check=False)
        if said.returncode not in (0, 1):
            sys.exit(f"# the checker failed with {said.returncode}: {said.stdout}")
        if said.returncode:
            bad += said.stdout.splitlines()
    return bad


def self_test(args):
    def judged(ops, first=0):
        return bool(check_all(args, [Mtime("")], [first], [ops]))

    seen = [("write", 1, 0, 10, 40, 0), ("read", 1, 0, 20, 21, 1)]
    assert not judged(seen)
    assert not judged(seen + [("read", 0, 0, 30, 31, 0)])
    assert judged(seen + [("read", 0, 0, 30, 31, 1)])
    assert judged(seen + [("read", 0, 0, 41, 42, 0)])
    assert judged(seen + [("read", 7, 0, 20, 42, 0)])
    assert judged([("append", 0, 1, 1, 2, 0), ("append", 0, 1, 3, 4, 1)])
    wrote = [("touch", 10**9, 0, 1, 2, 0)]
    assert not check_stamps("x", wrote + [("read", 10**9, 0, 3, 4, 1)])
    assert check_stamps("x", wrote + [("read", 9 * 10**8, 0, 3, 4, 1)])
    assert check_stamps("x", wrote + [("read", 10**9 + 1, 0, 3, 4, 1), ("read", 10**9, 0, 5, 6, 0)])


# ---- rounds


def run_round(regs, roots, args, number, first):
    beat = mmap.mmap(-1, 256)
    pids, outs = {}, []
    histories = [[] for _ in regs]
    firsts = [reg.read(roots[0], 0) for reg in regs]
    for reg in regs:
        for root in roots:
            for how in range(reg.READERS):  # descriptors and mappings that stay
                reg.read(root, how)
    until = time.monotonic() + args.round
    for me in range(len(roots) * args.procs):
        out = f"{args.scratch}/history.{me}"
        outs.append(out)
        pid = os.fork()
        if pid == 0:
            worker(regs, roots[me % len(roots)], me, args.seed * 1000003 + number * 64 + me, first, until, out, beat)
        pids[me] = pid
    if not wait_all(pids, beat, until):
        sys.exit("# a process failed")
    for me, out in enumerate(outs):
        with open(out, "rb") as f:
            n, history = pickle.load(f)
        first = max(first, n)
        for i, *op in history:
            histories[i].append((*op, me % len(roots)))
    return firsts, histories, first


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--round", type=float, default=5)
    p.add_argument("--procs", type=int, default=2)
    p.add_argument("--registers", type=int, default=2)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--scratch", default="/tmp")
    p.add_argument("--only", default="")
    p.add_argument("--without", default="")
    p.add_argument("--checker", required=True)
    p.add_argument("mounts", nargs="+")
    args = p.parse_args()
    Mixed.locks = args.scratch
    self_test(args)
    kinds = [k for k in KINDS if (not args.only or k.__name__ in args.only.split(",")) and k.__name__ not in args.without.split(",")]
    regs = [k(i) for k in kinds for i in range(len(k.PLACES) if issubclass(k, Page) else args.registers)]
    for reg in regs:
        reg.make(args.mounts[0])
    end, number, first, total = time.monotonic() + args.seconds, 0, 1, 0
    while time.monotonic() < end:
        firsts, histories, first = run_round(regs, args.mounts, args, number, first)
        ops = sum(len(h) for h in histories)
        bad = check_all(args, regs, firsts, histories)
        if bad:
            print("\n".join(bad[:200]))
            sys.exit(f"# seed {args.seed}, round {number}: violations in {ops} operations")
        number += 1
        total += ops
        print(f"# round {number}: {ops} operations, linearizable", flush=True)
    print(f"# {total} operations on {len(regs)} registers from {len(args.mounts)} mounts, all linearizable")


if __name__ == "__main__":
    main()
