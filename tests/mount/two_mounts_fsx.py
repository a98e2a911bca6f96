#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One file, several mounts, one process: random operations by turns through all of them, each compared with a model in memory.

usage: two_mounts_fsx.py [--seconds N] [--ops N] [--seed N] [--maps] [--span BYTES] FILE FILE...   (one file on several mounts)

Reads and writes through descriptors that stay open, O_APPEND, O_DIRECT, truncates, holes, mappings, stat, re-opens, fsync. Only
one operation goes on at any time, so every read has one right answer. Written bytes say which operation wrote them.

--maps: mappings stay, and are written without msync: what one mount stored another reads at once. Without it a mapping is made
for one operation, and written ones are synced or unmapped before anybody else looks (docs/posix.md, shared mappings).
"""
import argparse
import ctypes
import mmap
import os
import random
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
KEEP, PUNCH, ZERO = 1, 2, 16
PAGE = 4096


class Bad(Exception):
    pass


def fallocate(fd, mode, off, n):
    if libc.fallocate(fd, mode, off, n):
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


class Run:
    def __init__(self, args):
        self.args = args
        self.rng = random.Random(args.seed)
        self.model = bytearray()
        self.n = 0
        self.log = []
        self.fds = {(m, how): self.open(m, how) for m in range(len(args.files)) for how in ("rw", "append", "direct", "ro")}
        self.maps = {}
        self.aligned = mmap.mmap(-1, 1 << 20)
        self.counts = {}

    def open(self, m, how):
        flags = {"rw": os.O_RDWR, "append": os.O_RDWR | os.O_APPEND, "direct": os.O_RDWR | os.O_DIRECT, "ro": os.O_RDONLY}[how]
        return os.open(self.args.files[m], flags)

    def fd(self, m, *hows):
        return self.fds[m, self.rng.choice(hows)]

    def note(self, text):
        self.log.append(f"{self.n}: {text}")
        del self.log[:-40]

    def fill(self, n, skew=0):
        word = b"%07d." % self.n
        return (word * (n // 8 + 2))[skew % 8:skew % 8 + n]

    # ---- where

    def place(self):
        """Small, around the end of stripes and pages, around the end of the file, or anywhere."""
        r, size = self.rng, len(self.model)
        at = r.choice((r.randrange(3 * PAGE), 65536 * r.randrange(1, 5) - r.randrange(-2000, 3000),
                       PAGE * r.randrange(self.args.span // PAGE) - r.randrange(3), size - r.randrange(3000),
                       r.randrange(self.args.span)))
        return max(0, min(at, self.args.span - 1))

    def length(self):
        r = self.rng
        return r.choice((1, r.randrange(1, 100), r.randrange(1, PAGE), r.randrange(1, PAGE), r.randrange(1, 5 * PAGE),
                         r.randrange(1, 200000)))

    def inside(self):
        """A range within the file, or none."""
        if not self.model:
            return None
        off = min(self.place(), len(self.model) - 1)
        return off, min(self.length(), len(self.model) - off)

    def put(self, off, data):
        if off > len(self.model):
            self.model += bytes(off - len(self.model))
        self.model[off:off + len(data)] = data

    def resize(self, size):
        if size < len(self.model):
            del self.model[size:]
        else:
            self.model += bytes(size - len(self.model))

    # ---- checks

    def same(self, what, off, got, n):
        want = bytes(self.model[off:off + n])
        if bytes(got) == want:
            return
        got = bytes(got)
        k = next((i for i, (x, y) in enumerate(zip(got, want)) if x != y), min(len(got), len(want)))
        bad = sum(x != y for x, y in zip(got, want))
        raise Bad(f"{what} at {off} length {n}: got {len(got)} bytes of {len(want)}, {bad} differ; the first is at {off + k}: "
                  f"{got[k:k + 24]!r} instead of {want[k:k + 24]!r}; the file has {len(self.model)} bytes")

    def done_write(self, n, want):
        if n != want:
            raise Bad(f"wrote {n} of {want} bytes")

    # ---- operations, each on mount m

    def do_read(self, m):
        off, n = self.place(), self.length()
        self.note(f"mount {m} read {off}+{n}")
        self.same("read", off, os.pread(self.fd(m, "rw", "ro", "append"), n, off), n)

    def do_write(self, m):
        off, n = self.place(), self.length()
        self.note(f"mount {m} write {off}+{n}")
        data = self.fill(n, off)
        self.done_write(os.pwrite(self.fd(m, "rw"), data, off), n)
        self.put(off, data)

    def do_append(self, m):
        if len(self.model) > self.args.span:
            return
        n = self.length()
        self.note(f"mount {m} append {n} at {len(self.model)}")
        data = self.fill(n, len(self.model))
        self.done_write(os.write(self.fd(m, "append"), data), n)
        self.put(len(self.model), data)

    def do_direct_read(self, m):
        off, n = self.place() // 512 * 512, (self.length() + 511) // 512 * 512
        self.note(f"mount {m} direct read {off}+{n}")
        view = memoryview(self.aligned)[:n]
        got = os.preadv(self.fd(m, "direct"), [view], off)
        self.same("direct read", off, view[:got], n)

    def do_direct_write(self, m):
        off, n = self.place() // 512 * 512, (self.length() + 511) // 512 * 512
        self.note(f"mount {m} direct write {off}+{n}")
        data = self.fill(n, off)
        self.aligned[:n] = data
        self.done_write(os.pwritev(self.fd(m, "direct"), [memoryview(self.aligned)[:n]], off), n)
        self.put(off, data)

    def do_truncate(self, m):
        size = self.rng.choice((self.place(), self.place(), self.rng.randrange(len(self.model) + 1), 0))
        if self.rng.random() < 0.3:
            self.note(f"mount {m} truncate by name {size}")
            os.truncate(self.args.files[m], size)
        else:
            self.note(f"mount {m} ftruncate {size}")
            os.ftruncate(self.fd(m, "rw", "append"), size)
        self.resize(size)

    def do_fallocate(self, m):
        mode = self.rng.choice((0, KEEP, PUNCH | KEEP, PUNCH | KEEP, ZERO, ZERO | KEEP))
        off, n = self.place(), self.length()
        self.note(f"mount {m} fallocate mode {mode} {off}+{n}")
        fallocate(self.fd(m, "rw"), mode, off, n)
        if not mode & KEEP and off + n > len(self.model):
            self.resize(off + n)
        if mode & (PUNCH | ZERO):
            end = min(off + n, len(self.model))
            if off < end:
                self.model[off:end] = bytes(end - off)

    def do_stat(self, m):
        how = self.rng.randrange(3)
        self.note(f"mount {m} size")
        fd = self.fd(m, "rw", "ro", "append", "direct")
        size = (os.stat(self.args.files[m]).st_size if how == 0 else os.fstat(fd).st_size if how == 1
                else os.lseek(fd, 0, os.SEEK_END))
        if how == 2 and size != len(self.model):  # the answer was overtaken: docs/posix.md
            self.counts["overtaken lseek"] = self.counts.get("overtaken lseek", 0) + 1
            size = os.lseek(fd, 0, os.SEEK_END)
        if size != len(self.model):
            raise Bad(f"the size is {size} by {('stat', 'fstat', 'lseek')[how]}, not {len(self.model)}")

    def do_reopen(self, m):
        how = self.rng.choice(("rw", "append", "direct", "ro"))
        self.note(f"mount {m} close and open {how}")
        os.close(self.fds[m, how])
        self.fds[m, how] = self.open(m, how)

    def do_open_trunc(self, m):
        self.note(f"mount {m} open O_TRUNC")
        os.close(os.open(self.args.files[m], os.O_WRONLY | os.O_TRUNC))
        self.resize(0)

    def do_sync(self, m):
        self.note(f"mount {m} fsync")
        (os.fsync if self.rng.random() < 0.5 else os.fdatasync)(self.fd(m, "rw", "append"))

    # ---- mappings

    def mapping(self, m, off, n):
        """(mapping, where off is in it, made for this)"""
        first = off // PAGE * PAGE
        if not self.args.maps:
            return mmap.mmap(self.fd(m, "rw"), off + n - first, offset=first), off - first, True
        if m not in self.maps:
            # Longer than the file: pages behind its end are not touched, and may come into being later.
            size, fd = len(self.model), self.fds[m, "rw"]
            if size < self.args.span * 2:
                os.ftruncate(fd, self.args.span * 2)
            self.maps[m] = mmap.mmap(fd, self.args.span * 2)
            if size < self.args.span * 2:
                os.ftruncate(fd, size)
        # A fault asks nobody for the size: the kernel kills who touches what it does not know to be there. So it is told.
        os.fstat(self.fds[m, "rw"])
        return self.maps[m], off, False

    def do_map_read(self, m):
        where = self.inside()
        if not where or sum(where) > self.args.span * 2:
            return
        off, n = where
        self.note(f"mount {m} read of a mapping {off}+{n}")
        mp, at, mine = self.mapping(m, off, n)
        got = mp[at:at + n]
        if mine:
            mp.close()
        self.same("mapping", off, got, n)

    def do_map_write(self, m):
        where = self.inside()
        if not where or sum(where) > self.args.span * 2:
            return
        off, n = where
        sync = not self.args.maps or self.rng.random() < 0.2
        self.note(f"mount {m} write to a mapping {off}+{n}{', msync' if sync else ''}")
        mp, at, mine = self.mapping(m, off, n)
        data = self.fill(n, off)
        mp[at:at + n] = data
        if sync:
            mp.flush()
        if mine:
            mp.close()
        self.put(off, data)

    def check_all(self):
        for m in range(len(self.args.files)):
            self.note(f"mount {m} read all")
            fd = self.fd(m, "ro", "rw")
            self.same("the whole file", 0, os.pread(fd, len(self.model) + 5000, 0), len(self.model) + 5000)

    OPS = {"read": 12, "write": 10, "append": 4, "direct_read": 3, "direct_write": 3, "truncate": 3, "fallocate": 3, "stat": 5,
           "reopen": 2, "open_trunc": 0.15, "sync": 1, "map_read": 4, "map_write": 4}

    def step(self):
        name = self.rng.choices(list(self.OPS), list(self.OPS.values()))[0]
        self.n += 1
        self.counts[name] = self.counts.get(name, 0) + 1
        getattr(self, "do_" + name)(self.rng.randrange(len(self.args.files)))
        if self.n % 64 == 0:
            self.check_all()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--ops", type=int, default=0)
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--span", type=int, default=400000)
    p.add_argument("--maps", action="store_true")
    p.add_argument("files", nargs="+")
    args = p.parse_args()
    os.close(os.open(args.files[0], os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644))
    run = Run(args)
    end = time.monotonic() + args.seconds
    try:
        while run.n < args.ops if args.ops else time.monotonic() < end:
            run.step()
        run.check_all()
        if run.counts.get("overtaken lseek", 0) > 2 + run.n // 20000:
            raise Bad(f"{run.counts['overtaken lseek']} looks by lseek showed an old size: that is not seldom any more")
    except (Bad, OSError) as e:
        print("\n".join(run.log))
        print(f"seed {args.seed}, operation {run.n}: {e}")
        print(f"to repeat: {sys.argv[0]} --seed {args.seed} --ops {run.n}{' --maps' if args.maps else ''} FILE FILE...")
        sys.exit(1)
    print(f"# seed {args.seed}: {run.n} operations from {len(args.files)} mounts: "
          + ", ".join(f"{v} {k}" for k, v in sorted(run.counts.items())))


if __name__ == "__main__":
    main()
