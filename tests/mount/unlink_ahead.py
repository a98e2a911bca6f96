# SPDX-License-Identifier: Apache-2.0
"""unlink_ahead.py - what others see of files that are removed without waiting for the answers.

usage: unlink_ahead.py steps A B        in lock step: what unlink(2) on A has reported, B sees at once
       unlink_ahead.py remove DIR LOG   removes all files of DIR; a line in LOG for each that was reported
"""
import os
import random
import sys

FILES = 60


def die(text):
    sys.exit(f"unlink_ahead: {text}")


def look(b, name, fd, removed_ns):
    """One look at a file that is gone, of another kind each time."""
    way = random.randrange(6)
    path = f"{b}/{name}"
    if way == 0 and os.path.lexists(path):
        die(f"stat finds {name}, which is gone")
    if way == 1 and name in os.listdir(b):
        die(f"a listing shows {name}, which is gone")
    if way == 2:
        try:
            os.close(os.open(path, os.O_RDONLY))
            die(f"open finds {name}, which is gone")
        except FileNotFoundError:
            pass
    if way == 3 and os.stat(b).st_mtime_ns < removed_ns:
        die("the directory is older than what was removed in it")
    if way == 4:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.unlink(path)
    if way == 5 and fd is not None and os.fstat(fd).st_nlink:
        die(f"{name} is gone, and open: fstat shows a link")


def round_of(a, b, burst):
    names = [f"f{i}" for i in range(FILES)]
    for n in names:
        with open(f"{a}/{n}", "w") as f:
            f.write(n)
    os.link(f"{a}/f7", f"{a}/second")
    fds = {}
    for n in random.sample(names[8:], 5):  # the other client is at these: they cannot go ahead
        fds[n] = os.open(f"{b}/{n}", os.O_RDONLY)
    for e in os.scandir(a):
        e.stat()
    before = os.stat(a).st_mtime_ns
    for i in range(0, FILES, burst):
        for n in names[i : i + burst]:
            os.unlink(f"{a}/{n}")
            if os.path.lexists(f"{a}/{n}"):
                die(f"{n} is still there for who removed it")
            mine = os.stat(a).st_mtime_ns
            if mine < before:
                die("the directory gets younger")
            before = mine
        gone = names[i : i + burst]
        random.shuffle(gone)
        for n in gone:
            look(b, n, fds.get(n), before)
    if os.stat(f"{b}/second").st_nlink != 1:
        die("a file of two names does not have one left")
    for fd in fds.values():
        if os.fstat(fd).st_nlink:
            die("a file that is open has a link at the end")
        os.close(fd)
    os.unlink(f"{b}/second")
    if os.listdir(a) or os.listdir(b):
        die("something is left")


def steps(a, b):
    random.seed(4711)
    for burst in [1, 2, 5, 12, 30, 60] * 2:
        round_of(a, b, burst)


def remove(directory, log):
    with open(log, "w", buffering=1) as out:
        for n in sorted(os.listdir(directory)):
            os.unlink(f"{directory}/{n}")
            out.write(n + "\n")


if sys.argv[1] == "steps":
    steps(*sys.argv[2:])
else:
    remove(*sys.argv[2:])
