#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""failover_load.py DIR STOP | --verify DIR: files are made, written, renamed, read back and removed until STOP exists; an error
ends it at once. Says how many there are and the longest single step. --verify: all that are there, and no others, with their bytes."""
import hashlib
import os
import sys
import time

SIZE = 3 << 20  # over all stripes


def content(i):
    block = hashlib.sha256(b"%d" % i).digest() * 2048
    return (block * (SIZE // len(block) + 1))[: SIZE - i % 4096]


def check(path, i):
    with open(path, "rb") as f:
        assert f.read() == content(i), f"{path}: other bytes than were written"


def load(folder, stop):
    n = 0
    longest = 0.0
    while not os.path.exists(stop):
        begin = time.monotonic()
        tmp = os.path.join(folder, "new")
        with open(tmp, "xb") as f:
            f.write(content(n))
            if n % 3 == 0:
                os.fsync(f.fileno())
        os.rename(tmp, os.path.join(folder, "f%d" % n))
        check(os.path.join(folder, "f%d" % (n // 2 + n // 4)), n // 2 + n // 4)
        if n % 10 == 9:
            os.unlink(os.path.join(folder, "f%d" % (n - 9)))
            with open(os.path.join(folder, "f%d" % (n - 9)), "xb") as f:
                f.write(content(n - 9))
        n += 1
        longest = max(longest, time.monotonic() - begin)
        with open(stop + ".n", "w") as f:
            f.write("%d" % n)
    print("%d %.1f" % (n, longest))


def verify(folder, n):
    names = sorted(os.listdir(folder))
    assert names == sorted("f%d" % i for i in range(n)), f"{n} files were made, there are {names}"
    for i in range(n):
        check(os.path.join(folder, "f%d" % i), i)


if sys.argv[1] == "--verify":
    verify(sys.argv[2], int(sys.argv[3]))
else:
    load(sys.argv[1], sys.argv[2])
