#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Processes on several mounts read, map, write, rename, make and remove the same few files, so that the mounts tell their kernels
all the time what to forget. Nothing may hang: a process that does nothing for STUCK seconds fails the run, and the stacks of
all processes, clients and servers are printed.

usage: invalidate_stress.py [--seconds N] [--stuck N] [--procs N] [--seed N] [--daemons PID,PID...] DIR DIR...  (one directory)
"""
import argparse
import errno
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import traceback

FILES, DIRS, SIZE = 8, 3, 64 * 1024
# What may happen when somebody else was quicker.
FINE = (errno.ENOENT, errno.EEXIST, errno.ESTALE, errno.ENOTEMPTY, errno.EINTR)


class Worker:
    def __init__(self, root, me, seed):
        self.root, self.me = root, me
        self.rng = random.Random(seed)
        self.fds, self.maps = [], []

    def name(self):
        return f"{self.root}/d{self.rng.randrange(DIRS)}/f{self.rng.randrange(FILES)}"

    def one(self):
        ops = (self.read, self.read, self.map_read, self.map_read, self.map_write, self.write, self.write, self.rename, self.rename,
               self.make, self.make, self.unlink, self.look, self.list, self.open_old, self.sync, self.directory)
        try:
            self.rng.choice(ops)()
        except FileNotFoundError:
            pass
        except OSError as e:
            if e.errno not in FINE:
                raise

    def with_fd(self, flags, fn):
        if self.fds and self.rng.random() < 0.5:
            fn(self.rng.choice(self.fds))
            return
        fd = os.open(self.name(), flags)
        try:
            fn(fd)
        finally:
            os.close(fd)

    def read(self):
        self.with_fd(os.O_RDONLY, lambda fd: os.pread(fd, self.rng.choice((100, SIZE)), 0))

    def write(self):
        # Files only grow: who has mapped one may touch all he has mapped.
        self.with_fd(os.O_RDWR, lambda fd: os.pwrite(fd, bytes([self.me]) * self.rng.choice((10, 5000)), self.rng.randrange(SIZE)))

    def sync(self):
        self.with_fd(os.O_RDWR, os.fsync)

    def open_old(self):
        self.fds.append(os.open(self.name(), os.O_RDWR))
        if len(self.fds) > 4:
            os.close(self.fds.pop(0))

    def new_map(self):
        fd = os.open(self.name(), os.O_RDWR)
        try:
            if os.fstat(fd).st_size >= SIZE:
                self.maps.append(mmap.mmap(fd, SIZE))
        finally:
            os.close(fd)
        if len(self.maps) > 4:
            self.maps.pop(0).close()

    def map_read(self):
        if len(self.maps) < 2 or self.rng.random() < 0.3:
            self.new_map()
        if self.maps:
            m = self.rng.choice(self.maps)
            sum(m[at] for at in range(0, SIZE, 4096))

    def map_write(self):
        if self.maps:
            m = self.rng.choice(self.maps)
            m[self.rng.randrange(SIZE)] = self.me
            if self.rng.random() < 0.3:
                m.flush()

    def make(self):
        tmp = f"{self.root}/d{self.rng.randrange(DIRS)}/tmp{self.me}"
        with open(tmp, "wb") as f:
            f.write(bytes([self.me]) * SIZE)
        os.rename(tmp, self.name())

    def rename(self):
        os.rename(self.name(), self.name())

    def unlink(self):
        os.unlink(self.name())

    def look(self):
        os.stat(self.name())

    def list(self):
        with os.scandir(f"{self.root}/d{self.rng.randrange(DIRS)}") as it:
            for e in it:
                if self.rng.random() < 0.3:
                    e.stat()

    def directory(self):
        d = f"{self.root}/d{self.rng.randrange(DIRS)}/sub{self.rng.randrange(2)}"
        self.rng.choice((os.mkdir, os.rmdir))(d)

    def run(self, until, beat):
        n = 0
        while time.monotonic() < until:
            self.one()
            n += 1
            struct.pack_into("<Q", beat, self.me * 8, n)


# ---- stacks


def show(path):
    try:
        with open(path) as f:
            return f.read().rstrip()
    except OSError as e:
        return f"({e.strerror})"


def stacks(what, pid):
    print(f"---- {what}, process {pid}: {show(f'/proc/{pid}/cmdline')}".replace("\0", " "))
    try:
        tasks = sorted(os.listdir(f"/proc/{pid}/task"), key=int)
    except OSError:
        print("it is gone")
        return
    for t in tasks:
        d = f"/proc/{pid}/task/{t}"
        state = next((x for x in show(f"{d}/status").split("\n") if x.startswith("State")), "")
        print(f"thread {t} {show(f'{d}/comm')}: {state}, waits in {show(f'{d}/wchan')}, system call {show(f'{d}/syscall')}")
        print(show(f"{d}/stack"))
    gdb = ["gdb", "-batch", "-p", str(pid), "-ex", "thread apply all backtrace"]
    eu = ["eu-stack", "-p", str(pid)]
    tool = next((c for c in (gdb, eu) if shutil.which(c[0])), None)
    # A debugger waits for a thread that the kernel does not let go.
    if tool and what != "worker":
        try:
            out = subprocess.run(tool, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False).stdout
            print("\n".join(x for x in out.split("\n") if x.startswith(("Thread", "#", "TID"))))
        except subprocess.TimeoutExpired:
            print(f"({tool[0]} does not end)")


def all_stacks(args, pids, stuck):
    print(f"processes {stuck} have done nothing for {args.stuck} s")
    for pid in pids.values():
        stacks("worker", pid)
    for pid in args.daemons.split(","):
        if pid:
            stacks("daemon", int(pid))
    sys.stdout.flush()


def watch(args, pids, beat, until):
    """True if all went on and ended well."""
    left, ok = dict(pids), True
    seen = {w: (0, time.monotonic()) for w in pids}
    while left:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            ok &= status == 0
            left = {w: p for w, p in left.items() if p != pid}
            continue
        now = time.monotonic()
        for w in left:
            n = struct.unpack_from("<Q", beat, w * 8)[0]
            if n != seen[w][0]:
                seen[w] = (n, now)
        stuck = [w for w in left if now - seen[w][1] > args.stuck]
        if stuck:
            all_stacks(args, left, stuck)
            for p in left.values():
                os.kill(p, signal.SIGKILL)
            return False
        time.sleep(0.02)
    return ok


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--stuck", type=float, default=20)
    p.add_argument("--procs", type=int, default=3)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--daemons", default="")
    p.add_argument("dirs", nargs="+")
    args = p.parse_args()
    for d in range(DIRS):
        os.mkdir(f"{args.dirs[0]}/d{d}")
    beat, pids = mmap.mmap(-1, 4096), {}
    until = time.monotonic() + args.seconds
    for me in range(args.procs * len(args.dirs)):
        pid = os.fork()
        if pid == 0:
            try:
                Worker(args.dirs[me % len(args.dirs)], me, args.seed * 1000 + me).run(until, beat)
                os._exit(0)
            except BaseException as e:  # pylint: disable=broad-except
                where = [f.name for f in traceback.extract_tb(e.__traceback__)][-3:]
                print(f"process {me} in {' '.join(where)}: {e!r}", flush=True)
                os._exit(1)
        pids[me] = pid
    ok = watch(args, pids, beat, until)
    counts = [struct.unpack_from("<Q", beat, w * 8)[0] for w in pids]
    print(f"# seed {args.seed}: {sum(counts)} operations of {len(pids)} processes, {min(counts)} to {max(counts)} each")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
