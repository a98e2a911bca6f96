#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: map_growth.py fill|check N ROOT...    N files with an extended attribute of 24 KiB each, made by two processes on each ROOT.

All ROOTs are the same directory. Every operation must succeed; `check` expects on each ROOT all names and every attribute.
Attributes lie in the MDT, so that it grows by 25 KiB for each file.
"""
import os
import random
import sys

SIZE = 24 << 10
NOISE = random.Random(7).randbytes(1 << 20)


def value(i):
    at = i * 4099 % (len(NOISE) - SIZE)
    return b"%08d" % i + NOISE[at:at + SIZE - 8]


def fill(root, todo):
    for i in todo:
        path = f"{root}/{i:06d}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        os.setxattr(path, "user.big", value(i))


def check(root, todo):
    for i in todo:
        if os.getxattr(f"{root}/{i:06d}", "user.big") != value(i):
            sys.exit(f"{root}/{i:06d}: another attribute than was set")


def main():
    what, n, roots = {"fill": fill, "check": check}[sys.argv[1]], int(sys.argv[2]), sys.argv[3:]
    for root in roots if what is check else ():
        names = os.listdir(root)
        if sorted(names) != [f"{i:06d}" for i in range(n)]:
            sys.exit(f"{root}: {len(names)} names, {n} were made")
    pids = []
    workers = 2 * len(roots)
    for w in range(workers):
        pid = os.fork()
        if pid == 0:
            rc = 1
            try:
                what(roots[w % len(roots)], range(w, n, workers))
                rc = 0
            except OSError as e:
                print(f"{what.__name__}: {e}", file=sys.stderr, flush=True)
            finally:
                os._exit(rc)
        pids.append(pid)
    sys.exit(any([os.waitpid(p, 0)[1] for p in pids]))


main()
