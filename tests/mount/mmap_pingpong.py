#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two processes throw a ball through a shared mapping of one file on two mounts: the number of the throw is in page 0, what
belongs to it in all other pages.

usage: mmap_pingpong.py [--seconds N] [--throws N] [--pages N] [--plain] FILE FILE      (one file on two mounts)

Whoever sees the other's number must see all of the other's pages: they were stored before. --plain: the mapping stays and
nobody calls msync. Without it stores are synced, pages first, and whoever looks maps the file anew (docs/posix.md, shared mappings).
"""
import argparse
import mmap
import os
import signal
import sys
import time

PAGE = 4096
STUCK_S = 20
OVER = 10**10  # more than there are throws


def word(number, page):
    return b"%11d %3d." % (number, page)


class Player:
    def __init__(self, path, args):
        self.args = args
        self.path = path
        self.fd = os.open(path, os.O_RDWR)
        self.size = (args.pages + 1) * PAGE
        self.map = mmap.mmap(self.fd, self.size)

    def look(self):
        """The number that is there now."""
        if not self.args.plain:
            self.map.close()
            os.close(self.fd)
            self.fd = os.open(self.path, os.O_RDWR)
            self.map = mmap.mmap(self.fd, self.size)
        return int.from_bytes(self.map[:8], "little")

    def await_number(self, number):
        """False at the end of the game."""
        end = time.monotonic() + STUCK_S
        while True:
            got = self.look()
            if got in (number, OVER):
                return got == number
            if got != number - 1:
                sys.exit(f"{self.path}: the number is {got}, after {number - 1} only {number} can come")
            if time.monotonic() > end:
                sys.exit(f"{self.path}: number {number} is awaited, but {got} is seen for {STUCK_S} s")

    def check(self, number):
        for page in range(1, self.args.pages + 1):
            want = word(number, page) * (PAGE // 16)
            got = self.map[page * PAGE:(page + 1) * PAGE]
            if got != want:
                k = next(i for i in range(PAGE) if got[i] != want[i])
                sys.exit(f"{self.path}: throw {number} is seen, but page {page} at {k} is {got[k:k + 32]!r} instead of "
                         f"{want[k:k + 32]!r}")

    def throw(self, number):
        for page in range(1, self.args.pages + 1):
            self.map[page * PAGE:(page + 1) * PAGE] = word(number, page) * (PAGE // 16)
        if not self.args.plain:
            self.map.flush(PAGE, self.size - PAGE)
        with memoryview(self.map) as m, m.cast("Q") as q:  # one store; a slice of 8 bytes is copied by two, both of all 8
            q[0] = number
        if not self.args.plain:
            self.map.flush(0, PAGE)


def play(path, args, me, end):
    """The first player begins: number 0 is there. The second ends the game."""
    p = Player(path, args)
    number = me
    while p.await_number(number):
        if number:
            p.check(number)
        if me == 1 and (number >= args.throws if args.throws else time.monotonic() > end):
            p.throw(OVER)
            break
        p.throw(number + 1)
        number += 2
    return number


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--throws", type=int, default=0)
    p.add_argument("--pages", type=int, default=7)
    p.add_argument("--plain", action="store_true")
    p.add_argument("files", nargs=2)
    args = p.parse_args()
    fd = os.open(args.files[0], os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644)
    os.ftruncate(fd, (args.pages + 1) * PAGE)
    os.close(fd)
    end = time.monotonic() + args.seconds
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        play(args.files[0], args, 0, end)
        os._exit(0)
    try:
        throws = play(args.files[1], args, 1, end)
    except SystemExit:
        os.kill(pid, signal.SIGKILL)
        raise
    if os.waitpid(pid, 0)[1]:
        sys.exit("the first player failed")
    print(f"# {throws} throws of {args.pages} pages, {throws / (time.monotonic() - start):.0f} a second")


if __name__ == "__main__":
    main()
