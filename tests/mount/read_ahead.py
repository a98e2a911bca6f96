#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""read_ahead.py - reads a file with read(2) in one pattern, through a descriptor that may write, and compares every byte.

usage: read_ahead.py PATTERN FILE COPY [OTHER]   (OTHER: the same file on another mount, which is written)
"""
import os
import random
import sys

STEP = 4096


def offsets(pattern, size):
    if pattern == "forward":
        return range(0, size, STEP)
    if pattern == "backward":
        return range(size - STEP, -1, -STEP)
    if pattern == "strided":  # one of four
        return range(0, size, 4 * STEP)
    if pattern == "wide":  # too far apart to read over what is between
        return range(0, size, 256 << 10)
    if pattern == "random":
        r = random.Random(7)
        return [r.randrange(size // STEP) * STEP for _ in range(500)]
    sys.exit(f"unknown pattern {pattern}")


def same(fd, copy, off):
    got = os.pread(fd, STEP, off)
    assert got == copy[off:off + STEP], f"other bytes at {off}"


def read_pattern(pattern, path, copy, flags):
    fd = os.open(path, flags)
    for off in offsets(pattern, len(copy)):
        same(fd, copy, off)
    os.close(fd)


def between(path, copy, other):
    """Reads forward; all the time somebody writes what was fetched already: here, there, or cuts it."""
    fd = os.open(path, os.O_RDWR)
    copy = bytearray(copy)
    far = os.open(other, os.O_RDWR)
    for i, off in enumerate(range(0, len(copy) - 64 * STEP, STEP)):
        if i % 16 == 5:  # what was fetched a moment ago
            at, new = off + 2 * STEP, bytes([i % 256]) * STEP
            os.pwrite(far if i % 32 == 5 and i % 256 < 48 else fd, new, at)
            copy[at:at + STEP] = new
        if i % 512 == 300:
            at = off + STEP
            os.ftruncate(far if i > 1000 else fd, at)
            os.ftruncate(fd, len(copy))
            copy[at:] = bytes(len(copy) - at)
            os.pwrite(fd, b"x" * STEP, at + 8 * STEP)
            copy[at + 8 * STEP:at + 9 * STEP] = b"x" * STEP
        same(fd, copy, off)
    os.close(fd)
    os.close(far)


def advised(path, copy):
    """What the kernel makes of posix_fadvise(), for the 4 MiB that it takes at once; prints nothing."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 4 << 20, os.POSIX_FADV_WILLNEED)
    for off in offsets("random", 4 << 20):
        same(fd, copy, off)
    os.close(fd)


def main():
    pattern, path, copy = sys.argv[1:4]
    with open(copy, "rb") as f:
        copy = f.read()
    if pattern == "between":
        between(path, copy, sys.argv[4])
    elif pattern == "fadvise":
        advised(path, copy)
    elif pattern.startswith("cached-"):
        read_pattern(pattern[7:], path, copy, os.O_RDONLY)
    elif pattern.startswith("direct-"):
        read_pattern(pattern[7:], path, copy, os.O_RDWR | os.O_DIRECT)
    else:
        read_pattern(pattern, path, copy, os.O_RDWR)


main()
