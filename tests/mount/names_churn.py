#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: names_churn.py A B KEEPERS ROUNDS

Two processes create, rename and remove names in one directory, one on each mount, until this one has listed it ROUNDS times,
plainly and with attributes, on alternating mounts. Every listing must hold each of the KEEPERS exactly once and no other
name twice."""
import collections
import os
import random
import signal
import sys

A, B, KEEPERS, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def churn(root, who):
    rnd = random.Random(who)
    mine = []
    n = 0
    while True:
        if len(mine) < 50 or (len(mine) < 2000 and rnd.random() < .5):
            name = f"{root}/c{who}-{n}"
            n += 1
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            mine.append(name)
        elif rnd.random() < .3:
            i = rnd.randrange(len(mine))
            new = f"{root}/r{who}-{n}"
            n += 1
            os.rename(mine[i], new)
            mine[i] = new
        else:
            i = rnd.randrange(len(mine))
            mine[i], mine[-1] = mine[-1], mine[i]
            os.unlink(mine.pop())


def main():
    signal.alarm(3000)
    keep = {f"keep{i}" for i in range(KEEPERS)}
    for i, k in enumerate(sorted(keep)):
        os.close(os.open(f"{(A, B)[i % 2]}/{k}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    children = []
    for who, root in enumerate((A, B)):
        pid = os.fork()
        if pid == 0:
            try:
                churn(root, who)
            finally:
                os._exit(3)
        children.append(pid)
    bad = 0
    for r in range(ROUNDS):
        root = (A, B)[r % 2]
        if r % 4 < 2:
            names = os.listdir(root)
        else:
            names = []
            with os.scandir(root) as it:
                for e in it:
                    names.append(e.name)
                    if e.name.startswith("keep") and not e.is_file(follow_symlinks=False):
                        bad += 1
                        print(f"{e.name} is no file")
        count = collections.Counter(names)
        twice = [n for n, c in count.items() if c > 1]
        missing = keep - set(names)
        if twice or missing:
            bad += 1
            print(f"round {r}: {len(names)} names, missing {sorted(missing)[:5]} ({len(missing)}), twice {twice[:5]}")
    for pid in children:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            bad += 1
            print(f"a process that changes names ended with {status}")
        else:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    a, b = sorted(os.listdir(A)), sorted(os.listdir(B))
    if a != b:
        bad += 1
        print(f"at the end A lists {len(a)} names, B {len(b)}; different: {sorted(set(a) ^ set(b))[:5]}")
    sys.exit(1 if bad else 0)


main()
