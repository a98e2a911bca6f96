#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A queue in a directory and a log, used from several mounts at once.

usage: queue_dir.py [--items N] [--procs N] [--same] DIR DIR...   (the same directory on each)

Producers on all mounts put items under temporary names and rename them into todo/. Consumers on all mounts claim one by renaming
it to doing/, to a name of their own (--same: all to the same name), read it, and note it in a log with O_APPEND. Each item is done
exactly once, with what its producer wrote. A reader on each mount follows the log as tail -f does: he gets whole lines, those of each
writer in order, and all of them.
"""
import argparse
import os
import signal
import sys
import time

STUCK_S = 60


def content(producer, n):
    return b"item %d of producer %d\n" % (n, producer) * (1 + n % 50)


def produce(root, me, args):
    for n in range(args.items):
        tmp = f"{root}/tmp/{me}.{n}"
        with open(tmp, "wb", buffering=0) as f:
            f.write(content(me, n))
        os.rename(tmp, f"{root}/todo/{me}.{n}")


def consume(root, me, args, total):
    log = os.open(f"{root}/log", os.O_WRONLY | os.O_APPEND)
    done, seq, end = f"{root}/done", 0, time.monotonic() + STUCK_S
    while True:
        names = os.listdir(f"{root}/todo")
        if not names:
            if len(os.listdir(done)) == total:
                break
            assert time.monotonic() < end, "the queue does not come to its end"
            time.sleep(0.001)
        for name in names:
            claimed = f"{root}/doing/{name}" if args.same else f"{root}/doing/{name}.{me}"
            try:
                os.rename(f"{root}/todo/{name}", claimed)
            except FileNotFoundError:
                continue  # somebody else has it
            producer, n = map(int, name.split("."))
            with open(claimed, "rb", buffering=0) as f:
                got = f.read()
            assert got == content(producer, n), f"{name} contains {got[:80]!r}, {len(got)} bytes"
            os.write(log, b"%d %d %s %s\n" % (me, seq, name.encode(), b"." * (seq % 200)))
            seq += 1
            os.rename(claimed, f"{done}/{name}")
    os.write(log, b"%d %d end\n" % (me, seq))


def follow(root, writers, total):
    """All lines, as they come."""
    fd = os.open(f"{root}/log", os.O_RDONLY)
    rest, seqs, items, ended = b"", {}, [], 0
    last = time.monotonic()
    while ended < writers:
        got = os.read(fd, 65536)
        if not got:
            assert time.monotonic() < last + STUCK_S, f"the log does not go on: {len(items)} items of {total}, rest {rest!r}"
            time.sleep(0.0005)
            continue
        last = time.monotonic()
        assert b"\0" not in got, f"the log has a hole: {got[:200]!r}"
        *lines, rest = (rest + got).split(b"\n")
        for line in lines:
            who, seq, what = line.split(b" ")[:3]
            assert int(seq) == seqs.get(who, 0), f"line {seqs.get(who, 0)} of writer {who} is awaited, not {line!r}"
            seqs[who] = int(seq) + 1
            if what == b"end":
                ended += 1
            else:
                assert line.count(b".") == 1 + int(seq) % 200, f"a line is not whole: {line!r}"
                items.append(what)
    assert not rest and len(items) == total and len(set(items)) == total, \
        f"{len(items)} items, {len(set(items))} of them different, instead of {total}; the rest is {rest!r}"


def child(what, fn, *a):
    pid = os.fork()
    if pid:
        return pid
    try:
        fn(*a)
        os._exit(0)
    except BaseException as e:  # pylint: disable=broad-except
        print(f"{what} on {a[0]}: {e!r}", flush=True)
        os._exit(1)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--items", type=int, default=150)
    p.add_argument("--procs", type=int, default=2)
    p.add_argument("--same", action="store_true")
    p.add_argument("dirs", nargs="+")
    args = p.parse_args()
    for d in ("tmp", "todo", "doing", "done"):
        os.mkdir(f"{args.dirs[0]}/{d}")
    os.close(os.open(f"{args.dirs[0]}/log", os.O_CREAT, 0o644))
    n = args.procs * len(args.dirs)
    total = args.items * n
    start = time.monotonic()
    pids = [child("reader", follow, d, n, total) for d in args.dirs]
    for i in range(n):
        d = args.dirs[i % len(args.dirs)]
        pids.append(child("producer", produce, d, i, args))
        pids.append(child("consumer", consume, d, i, args, total))
    failed, left = 0, set(pids)
    while left:
        pid, status = os.wait()
        left.discard(pid)
        failed += status != 0
        if failed == 1 and status:  # the others would wait for what does not come
            for p in left:
                os.kill(p, signal.SIGKILL)
    done = sorted(os.listdir(f"{args.dirs[-1]}/done"))
    if failed or done != sorted(f"{i}.{k}" for i in range(n) for k in range(args.items)):
        sys.exit(f"a process failed; {len(done)} of {total} items are done")
    print(f"# {total} items, {total / (time.monotonic() - start):.0f} a second")


if __name__ == "__main__":
    main()
