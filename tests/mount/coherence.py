#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Is what several mounts show linearizable? Processes on all mounts write and read registers, and every history is checked.

usage: coherence.py [--seconds N] [--round N] [--procs N] [--seed N] MOUNT MOUNT...   (the same directory on each)

A register is one thing of the file system that has a value: the time of a file, its size, its first bytes, an attribute,
what a name leads to, what a directory contains. Written values are unique, so each read tells which write it saw. Start and end of each
operation are taken from one clock. A history of a register is linearizable if and only if (Gibbons and Korach, "Testing
shared memories", SIAM J. Comput. 26, 1997): no read ends before its write begins, no two forward zones overlap,
and no backward zone lies within a forward zone. The zone of a value reaches from the first end to the last start of the write
and all reads of it; it is forward if that order holds, else backward.

One exception is granted (docs/posix.md): while a process of a mount is in the middle of a change, other processes of the same mount
may still see what was before, even if another mount has seen the change already. A read counts as begun when the first such change
of its own mount began.

A process that does nothing for a minute is reported with all stacks, and the run fails.
"""
import argparse
import bisect
import ctypes
import os
import pickle
import random
import signal
import sys
import time

STUCK_S = 60
libc = ctypes.CDLL(None, use_errno=True)


def exchange(a, b):
    if libc.syscall(316, -100, os.fsencode(a), -100, os.fsencode(b), 2):
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


# ---- registers: make once, write a value, read a value; all take the mount's directory and the register's path in it


class Register:
    READERS = 1

    def __init__(self, name):
        self.name = name
        self.fds = {}

    def path(self, root):
        return os.path.join(root, self.name)

    def fd(self, root):  # opened long ago
        if root not in self.fds:
            self.fds[root] = os.open(self.path(root), os.O_RDWR)
        return self.fds[root]

    def make(self, root):
        with open(self.path(root), "xb") as f:
            f.write(bytes(8))


class Mtime(Register):
    def write(self, root, v, tmp):
        os.utime(self.path(root), ns=(v, v))

    def read(self, root, how):
        return os.stat(self.path(root)).st_mtime_ns if how else os.fstat(self.fd(root)).st_mtime_ns

    READERS = 2


class Size(Register):
    def make(self, root):
        super().make(root)
        os.truncate(self.path(root), 0)

    def write(self, root, v, tmp):
        os.truncate(self.path(root), v)

    def read(self, root, how):
        if how == 0:
            return os.stat(self.path(root)).st_size
        if how == 1:
            return os.fstat(self.fd(root)).st_size
        return os.lseek(self.fd(root), 0, os.SEEK_END)

    READERS = 3


class Data(Register):
    def write(self, root, v, tmp):
        os.pwrite(self.fd(root), v.to_bytes(8, "little"), 0)

    def read(self, root, how):
        if how:
            return int.from_bytes(os.pread(self.fd(root), 8, 0), "little")
        with open(self.path(root), "rb", buffering=0) as f:
            return int.from_bytes(f.read(8), "little")

    READERS = 2


class Xattr(Register):
    def make(self, root):
        super().make(root)
        os.setxattr(self.path(root), "user.v", b"0")

    def write(self, root, v, tmp):
        os.setxattr(self.path(root), "user.v", b"%d" % v)

    def read(self, root, how):
        return int(os.getxattr(self.path(root), "user.v"))


class Mode(Register):
    """Of a directory on the way to a file: what permission checks and path walks use. Twelve bits are enough for the owner's
    histories only with the value in the times as well, so the group id is the value."""

    def make(self, root):
        os.mkdir(self.path(root))
        os.chown(self.path(root), -1, 0)

    def write(self, root, v, tmp):
        os.chown(self.path(root), -1, v)

    def read(self, root, how):
        return os.stat(self.path(root)).st_gid


class Name(Register):
    """A symbolic link that is replaced by renames: what a name leads to."""

    def make(self, root):
        os.symlink("0", self.path(root))

    def write(self, root, v, tmp):
        os.symlink(str(v), f"{root}/{tmp}")
        return lambda: os.rename(f"{root}/{tmp}", self.path(root))

    def read(self, root, how):
        return int(os.readlink(self.path(root)))


class Walk(Register):
    """A directory that is exchanged for another, which is then taken apart: a path walk may come through in the middle of
    that and find nothing, which is no answer."""

    def make(self, root):
        os.mkdir(self.path(root))
        os.symlink("0", self.path(root) + "/v")

    def write(self, root, v, tmp):
        os.mkdir(f"{root}/{tmp}")
        os.symlink(str(v), f"{root}/{tmp}/v")
        return lambda: exchange(f"{root}/{tmp}", self.path(root))

    def read(self, root, how):
        return int(os.readlink(self.path(root) + "/v"))


class Entry(Register):
    """The only name in a directory; who renames it knows what it was. A listing takes more than one call and may show a name
    that is renamed meanwhile twice, as POSIX allows: that is no answer, but it never shows none."""

    def make(self, root):
        os.mkdir(self.path(root))
        os.close(os.open(self.path(root) + "/0", os.O_CREAT, 0o644))

    def read(self, root, how):
        names = os.listdir(self.path(root))
        if len(names) > 1:
            return None
        if not names:
            return "empty"
        if how == 0:
            return int(names[0])
        os.stat(f"{self.path(root)}/{names[0]}")  # may be gone by now: then this is no answer
        return int(names[0])

    READERS = 2


KINDS = [Mtime, Size, Data, Xattr, Mode, Name, Walk, Entry]
SMALL = (Mode,)  # values of 31 bits


def write_entry(reg, root, v):
    """(old value, start, end) of the rename that worked."""
    while True:
        old = os.listdir(reg.path(root))
        if not old:
            return "empty", 0, 0
        start = time.monotonic_ns()
        try:
            os.rename(f"{reg.path(root)}/{old[0]}", f"{reg.path(root)}/{v}")
            return int(old[0]), start, time.monotonic_ns()
        except FileNotFoundError:
            pass


# ---- one process


def one_op(rng, regs, root, me, n, history):
    i = rng.randrange(len(regs))
    reg = regs[i]
    v = (n * 64 + me + 1) & 0x3FFFFFFF if isinstance(reg, SMALL) else n * 64 + me + 1
    if rng.random() < 0.3:
        if isinstance(reg, Entry):
            old, start, end = write_entry(reg, root, v)
            history.append((i, "r", old, start, end))
        else:
            go = reg.write  # what has to be prepared is not part of the operation
            tmp = f"tmp.{me}.{n}"
            start = time.monotonic_ns()
            later = go(root, v, tmp)
            if later:
                start = time.monotonic_ns()
                later()
            end = time.monotonic_ns()
            if isinstance(reg, Walk):
                os.unlink(f"{root}/{tmp}/v")
                os.rmdir(f"{root}/{tmp}")
        history.append((i, "w", v, start, end))
        return
    start = time.monotonic_ns()
    try:
        got = reg.read(root, rng.randrange(reg.READERS))
    except FileNotFoundError:
        if not isinstance(reg, (Entry, Walk)):
            got = "not there"
        else:
            return
    if got is None:
        return
    history.append((i, "r", got, start, time.monotonic_ns()))


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
    for kind, _, start, end, mount in sorted(ops, key=lambda op: op[2]):
        if kind == "w" and mount is not None:
            starts, ends, latest = changes.setdefault(mount, ([], [], []))
            starts.append(start)
            ends.append(end)
            latest.append(max(end, latest[-1] if latest else 0))  # of all ends so far
    out = []
    for kind, value, start, end, mount in ops:
        if kind == "r" and mount in changes:
            starts, ends, latest = changes[mount]
            i, began = bisect.bisect_left(starts, end) - 1, start
            while i >= 0 and latest[i] > start:
                if ends[i] > start:
                    began = min(began, starts[i])
                i -= 1
            start = began
        out.append((kind, value, start, end))
    return out


def check_register(name, ops):
    """ops: (kind, value, start, end), the first is the initial write. Returns complaints."""
    clusters = {}
    writes = {}
    bad = []
    for kind, value, start, end in ops:
        c = clusters.setdefault(str(value), [end, start])
        c[0], c[1] = min(c[0], end), max(c[1], start)
        if kind == "w":
            writes[str(value)] = (start, end)
    for kind, value, start, end in ops:
        w = writes.get(str(value))
        if w is None:
            bad.append(f"{name}: a read gives {value}, which nobody wrote")
        elif end < w[0]:
            bad.append(f"{name}: {value} was read before it was written")
    forward = sorted((f, s, v) for v, (f, s) in clusters.items() if f < s)
    for (f1, s1, v1), (f2, s2, v2) in zip(forward, forward[1:]):
        if f2 < s1:
            bad.append(f"{name}: both {v1} and {v2} were the value for a time, in turns: {v1} is known from {f1} to {s1}, "
                       f"{v2} from {f2} to {s2}")
    at = 0
    for s, f, v in sorted((s, f, v) for v, (f, s) in clusters.items() if f >= s):
        while at < len(forward) and forward[at][1] < f:
            at += 1
        if at < len(forward) and forward[at][0] < s and f < forward[at][1]:
            bad.append(f"{name}: {v} was the value somewhere from {s} to {f}, but {forward[at][2]} was all that time")
    return bad


def self_test():
    w = ("w", 0, 0, 0)
    assert not check_register("x", [w, ("w", 1, 10, 20), ("r", 0, 12, 14), ("r", 1, 15, 16), ("r", 1, 30, 31)])
    assert check_register("x", [w, ("w", 1, 10, 20), ("r", 0, 30, 31)])  # stale
    assert check_register("x", [w, ("w", 1, 10, 20), ("r", 1, 12, 13), ("r", 0, 14, 15)])  # new, then old
    assert check_register("x", [w, ("r", 1, 1, 2), ("w", 1, 10, 20)])
    assert check_register("x", [w, ("r", 7, 1, 2)])
    seen = [w + (None,), ("w", 1, 10, 40, 0), ("r", 1, 20, 21, 1)]
    assert not check_register("x", with_grace(seen + [("r", 0, 30, 31, 0)]))
    assert check_register("x", with_grace(seen + [("r", 0, 30, 31, 1)]))
    assert check_register("x", with_grace(seen + [("r", 0, 41, 42, 0)]))
    assert not check_register("x", [w, ("w", 1, 10, 20), ("w", 2, 11, 19), ("r", 2, 25, 26)])
    assert check_register("x", [w, ("w", 1, 10, 20), ("w", 2, 11, 19), ("r", 2, 25, 26), ("r", 1, 27, 28)])


# ---- rounds


def run_round(regs, roots, args, number, first):
    import mmap
    beat = mmap.mmap(-1, 256)
    until = time.monotonic() + args.round
    pids, outs = {}, []
    histories = [[] for _ in regs]
    for i, reg in enumerate(regs):
        histories[i].append(("w", reg.read(roots[0], 0), 0, 0, None))
    for me in range(len(roots) * args.procs):
        out = f"{args.scratch}/history.{me}"
        outs.append(out)
        pid = os.fork()
        if pid == 0:
            worker(regs, roots[me % len(roots)], me, args.seed * 1000003 + number * 64 + me, first, until, out, beat)
        pids[me] = pid
    if not wait_all(pids, beat, until):
        return None, None, 0
    total = 0
    for me, out in enumerate(outs):
        with open(out, "rb") as f:
            n, history = pickle.load(f)
        first = max(first, n)
        total += len(history)
        for i, kind, value, start, end in history:
            histories[i].append((kind, value, start, end, me % len(roots)))
    return histories, first, total


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--round", type=int, default=5)
    p.add_argument("--procs", type=int, default=2)
    p.add_argument("--registers", type=int, default=2)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--scratch", default="/tmp")
    p.add_argument("mounts", nargs="+")
    args = p.parse_args()
    self_test()
    regs = [k(f"{k.__name__.lower()}{i}") for i in range(args.registers) for k in KINDS]
    for reg in regs:
        reg.make(args.mounts[0])
    for reg in regs:
        if isinstance(reg, Mtime):
            reg.write(args.mounts[0], 1, "")
    end, number, first, total = time.monotonic() + args.seconds, 0, 1, 0
    while time.monotonic() < end:
        histories, first, ops = run_round(regs, args.mounts, args, number, first)
        if histories is None:
            sys.exit("# a process failed")
        bad = [b for reg, h in zip(regs, histories) for b in check_register(reg.name, with_grace(h))]
        for b in bad[:20]:
            print(b)
        if bad:
            sys.exit(f"# round {number}: {len(bad)} violations in {ops} operations")
        number += 1
        total += ops
        print(f"# round {number}: {ops} operations, linearizable", flush=True)
    print(f"# {total} operations on {len(regs)} registers from {len(args.mounts)} mounts, all linearizable")


if __name__ == "__main__":
    main()
