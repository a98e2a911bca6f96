#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: shared.py N PATH_A PATH_B

Process w of four writes records w, w+4, w+8, ... of 47,008 bytes (a size that fits no block or stripe) into one file, two processes on
each path, checks some of the others' while it writes, and all are checked on both paths at the end."""
import hashlib
import os
import random
import struct
import sys

SIZE, WRITERS = 47008, 4


def record(i):
    body = struct.pack("<QQ", i, SIZE) + random.Random(i).randbytes(SIZE - 48)
    return body + hashlib.sha256(body).digest()


def good(data, i):
    return (len(data) == SIZE and struct.unpack("<Q", data[:8])[0] == i and
            hashlib.sha256(data[:-32]).digest() == data[-32:])


def write(path, who, n):
    fd = os.open(path, os.O_RDWR)
    for k in range(n):
        i = k * WRITERS + who
        r = record(i)
        if os.pwrite(fd, r, i * SIZE) != SIZE:
            print(f"record {i}: short write")
            return 1
        if k % 16 == 5 and not good(os.pread(fd, SIZE, i * SIZE), i):
            print(f"record {i}: the writer does not read what it wrote")
            return 1
        if k % 16 == 9:
            # A neighbour's record is whole or not there yet (zeros, or the file is shorter): never half old, half new bytes of
            # a finished write. A write in progress may be seen in part, which POSIX allows for large requests: skip those.
            other = i - WRITERS * 8 + 1
            if other > 0 and not good(os.pread(fd, SIZE, other * SIZE), other):
                data = os.pread(fd, SIZE, other * SIZE)
                if data.strip(b"\0") and len(data) == SIZE and struct.unpack("<Q", data[:8])[0] not in (0, other):
                    print(f"record {other}: foreign bytes")
                    return 1
    if who % 2:
        os.fsync(fd)
    os.close(fd)
    return 0


def main():
    n, paths = int(sys.argv[1]), sys.argv[2:4]
    pids = []
    for who in range(WRITERS):
        pid = os.fork()
        if pid == 0:
            rc = 1
            try:
                rc = write(paths[who % 2], who, n)
            finally:
                sys.stdout.flush()
                os._exit(rc)
        pids.append(pid)
    bad = sum(os.waitpid(p, 0)[1] != 0 for p in pids)
    for path in paths:
        if os.stat(path).st_size != n * WRITERS * SIZE:
            print(f"{path}: size {os.stat(path).st_size}, expected {n * WRITERS * SIZE}")
            bad += 1
        with open(path, "rb") as f:
            for i in range(n * WRITERS):
                if not good(f.read(SIZE), i):
                    print(f"{path}: record {i} is bad")
                    bad += 1
                    if bad > 10:
                        sys.exit(1)
    sys.exit(1 if bad else 0)


main()
