#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Coherence of two mounts A and B of one file system (also: twice the same local directory, as a control).

Every change on one is looked for on the other at once, many times over, in both directions; then locks across mounts:
waiting, deadlock, release by close and by death. It deliberately leaves alone what posix.c covers call by call.
"""
import errno
import fcntl
import multiprocessing
import os
import random
import signal
import struct
import sys
import time

A, B = sys.argv[1], sys.argv[2]
failed = 0
checks = 0


def expect(what, got, want):
    global failed, checks
    checks += 1
    if got != want:
        failed += 1
        print(f"not ok - {what}: got {got!r}, expected {want!r}", flush=True)


def errno_of(fn, *args):
    try:
        fn(*args)
        return 0
    except OSError as e:
        return e.errno


def names_are_seen_at_once():
    for i in range(100):
        x, y = (A, B) if i % 2 else (B, A)
        n = f"n{i}"
        expect("a name is not there before", os.path.lexists(f"{y}/{n}"), False)  # a negative lookup that must not stick
        os.close(os.open(f"{x}/{n}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        expect("a created name is seen", os.path.exists(f"{y}/{n}"), True)
        expect("a created name is listed", n in os.listdir(y), True)
        os.rename(f"{y}/{n}", f"{y}/{n}.new")
        expect("a renamed name is gone", os.path.exists(f"{x}/{n}"), False)
        expect("a renamed name is there", os.path.exists(f"{x}/{n}.new"), True)
        os.link(f"{x}/{n}.new", f"{x}/{n}")
        expect("a link counts", os.stat(f"{y}/{n}").st_nlink, 2)
        os.unlink(f"{y}/{n}.new")
        expect("an unlinked name is gone", os.path.exists(f"{x}/{n}.new"), False)
        os.unlink(f"{x}/{n}")
        expect("the last name is gone", errno_of(os.stat, f"{y}/{n}"), errno.ENOENT)
        os.mkdir(f"{x}/{n}")
        expect("a name may come back as a directory", os.path.isdir(f"{y}/{n}"), True)
        expect("a directory in use is not removed", (os.mkdir(f"{y}/{n}/d"), errno_of(os.rmdir, f"{x}/{n}"))[1],
               errno.ENOTEMPTY)
        os.rmdir(f"{x}/{n}/d")
        os.rmdir(f"{y}/{n}")
        os.symlink("target", f"{x}/{n}")
        expect("a symlink is read", os.readlink(f"{y}/{n}"), "target")
        os.unlink(f"{y}/{n}")


def attributes_are_seen_at_once():
    for p in (A, B):
        with open(f"{p}/attr", "w"):
            pass
        for i in range(50):
            x, y = (A, B) if i % 2 else (B, A)
            os.chmod(f"{x}/attr", 0o600 + i % 64)
            expect("mode", os.stat(f"{y}/attr").st_mode & 0o7777, 0o600 + i % 64)
            os.chown(f"{x}/attr", i, i + 1)
            st = os.stat(f"{y}/attr")
            expect("owner", (st.st_uid, st.st_gid), (i, i + 1))
            os.utime(f"{x}/attr", ns=(i * 10**9 + 1, i * 10**9 + 2))
            st = os.stat(f"{y}/attr")
            expect("times", (st.st_atime_ns, st.st_mtime_ns), (i * 10**9 + 1, i * 10**9 + 2))
            os.setxattr(f"{x}/attr", "user.i", str(i).encode())
            expect("xattr", os.getxattr(f"{y}/attr", "user.i"), str(i).encode())
            os.removexattr(f"{y}/attr", "user.i")
            expect("removed xattr", errno_of(os.getxattr, f"{x}/attr", "user.i"), errno.ENODATA)
            os.truncate(f"{x}/attr", i * 1000)
            expect("size", os.stat(f"{y}/attr").st_size, i * 1000)
        os.unlink(f"{p}/attr")


def data_is_seen_at_once():
    fa = os.open(f"{A}/data", os.O_CREAT | os.O_RDWR, 0o644)
    fb = os.open(f"{B}/data", os.O_RDWR)
    rnd = random.Random(1)
    want = bytearray(300000)
    os.ftruncate(fa, len(want))
    for i in range(300):
        w, r = (fa, fb) if i % 2 else (fb, fa)
        n = rnd.choice((1, 100, 4096, 10000, 70000))
        off = rnd.randrange(len(want) - n)
        piece = rnd.randbytes(n)
        want[off:off + n] = piece
        expect("written", os.pwrite(w, piece, off), n)
        expect("bytes are read on the other mount", os.pread(r, n, off) == piece, True)
        if i % 50 == 0:
            expect("the whole file", os.pread(r, len(want) + 1, 0) == bytes(want), True)
    size = len(want)
    for i in range(100):
        w, r = (fa, fb) if i % 2 else (fb, fa)
        os.pwrite(w, b"x" * 1000, size)
        size += 1000
        expect("a growing file has its size on the other mount", os.fstat(r).st_size, size)
        expect("and its new end", os.pread(r, 2000, size - 1000), b"x" * 1000)
        m = os.stat(f"{A}/data").st_mtime_ns
        expect("the time of change is one", os.stat(f"{B}/data").st_mtime_ns, m)
    os.close(fa)
    expect("after one close", os.stat(f"{B}/data").st_size, size)
    os.pwrite(fb, b"y" * 10, size)
    expect("the other still writes", os.stat(f"{A}/data").st_size, size + 10)
    os.close(fb)
    expect("after both", (os.stat(f"{A}/data").st_size, os.stat(f"{B}/data").st_size), (size + 10, size + 10))
    # A file that is replaced, read by name.
    for i in range(100):
        w, r = (A, B) if i % 2 else (B, A)
        text = f"generation {i}".encode()
        with open(f"{w}/data.tmp", "wb") as f:
            f.write(text)
        os.rename(f"{w}/data.tmp", f"{w}/data")
        with open(f"{r}/data", "rb") as f:
            expect("a replaced file has its new content", f.read(), text)


def an_open_file_follows_renames_and_removals():
    f = os.open(f"{A}/r", os.O_CREAT | os.O_RDWR, 0o644)
    os.pwrite(f, b"1", 0)
    os.rename(f"{B}/r", f"{B}/r2")
    os.pwrite(f, b"2", 1)
    with open(f"{B}/r2", "rb") as g:
        expect("renamed while open", g.read(), b"12")
    os.unlink(f"{B}/r2")
    os.pwrite(f, b"3", 2)
    expect("removed while open", os.pread(f, 10, 0), b"123")
    expect("no links are left", os.fstat(f).st_nlink, 0)
    os.close(f)
    os.mkdir(f"{A}/dir")
    d = os.open(f"{A}/dir", os.O_RDONLY)
    os.rename(f"{B}/dir", f"{B}/dir2")
    os.close(os.open("in", os.O_CREAT | os.O_WRONLY, dir_fd=d))
    expect("a directory renamed while open takes names", os.listdir(f"{B}/dir2"), ["in"])
    os.unlink(f"{B}/dir2/in")
    os.rmdir(f"{B}/dir2")
    expect("a directory removed while open takes no names",
           errno_of(lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=d)), errno.ENOENT)
    os.close(d)


def ping_pong(path_w, path_r, n, q):
    """A counter of a file, read until it changes: how stale may a mount be?"""
    try:
        f = os.open(path_r, os.O_RDONLY)
        g = os.open(path_w, os.O_WRONLY)
        for i in range(1, n):
            end = time.monotonic() + 20
            while struct.unpack("<q", os.pread(f, 8, 0))[0] != i:
                if time.monotonic() > end:
                    q.put(f"{path_r} never showed {i}")
                    return
            os.pwrite(g, struct.pack("<q", i), 0)
        q.put("")
    except Exception as e:
        q.put(repr(e))


def two_processes_talk_through_files():
    for p in ("c1", "c2"):
        with open(f"{A}/{p}", "wb") as f:
            f.write(struct.pack("<q", 0))
    q = multiprocessing.Queue()
    p = multiprocessing.Process(target=ping_pong, args=(f"{B}/c2", f"{B}/c1", 200, q))
    p.start()
    f = os.open(f"{A}/c1", os.O_WRONLY)
    g = os.open(f"{A}/c2", os.O_RDONLY)
    for i in range(1, 200):
        os.pwrite(f, struct.pack("<q", i), 0)
        end = time.monotonic() + 20
        while struct.unpack("<q", os.pread(g, 8, 0))[0] != i and time.monotonic() < end and p.is_alive():
            pass
    expect("the partner saw every number", q.get(timeout=30), "")
    p.join()
    os.close(f)
    os.close(g)


# ---- locks

def holder(path, kind, span, conn):
    """A process with a lock of its own; it does what it is told and answers."""
    f = os.open(path, os.O_RDWR)
    while True:
        msg = conn.recv()
        try:
            if msg[0] == "end":
                os._exit(0)
            if msg[0] == "lock":
                op, start, length = msg[1:]
                if kind == "flock":
                    fcntl.flock(f, op)
                else:
                    fcntl.lockf(f, op, length, start)
            conn.send(0)
        except OSError as e:
            conn.send(e.errno)


class Locker:
    def __init__(self, path, kind="posix"):
        self.conn, child = multiprocessing.Pipe()
        self.p = multiprocessing.Process(target=holder, args=(path, kind, None, child))
        self.p.start()
        child.close()

    def ask(self, op, start=0, length=0):
        self.conn.send(("lock", op, start, length))

    def answer(self, timeout=20):
        return self.conn.recv() if self.conn.poll(timeout) else "no answer"

    def lock(self, op, start=0, length=0):
        self.ask(op, start, length)
        return self.answer()

    def waits(self):
        return not self.conn.poll(0.3)

    def end(self, kill=False):
        if kill:
            self.p.kill()
        else:
            self.conn.send(("end",))
        self.p.join()


EX, SH, UN, NB = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_UN, fcntl.LOCK_NB


def a_waiting_lock_is_granted_when_it_is_free():
    for kind in ("posix", "flock"):
        path = f"wait.{kind}"
        open(f"{A}/{path}", "w").close()
        a, b, c = Locker(f"{A}/{path}", kind), Locker(f"{B}/{path}", kind), Locker(f"{B}/{path}", kind)
        expect(f"{kind}: A locks", a.lock(EX), 0)
        expect(f"{kind}: B cannot", b.lock(EX | NB), errno.EAGAIN)
        b.ask(EX)
        c.ask(SH)
        expect(f"{kind}: B waits", b.waits(), True)
        expect(f"{kind}: C waits", c.waits(), True)
        expect(f"{kind}: A unlocks", a.lock(UN), 0)
        end = time.monotonic() + 20
        first = None
        while first is None and time.monotonic() < end:
            for x, y in ((b, c), (c, b)):
                if x.conn.poll(0.01):
                    first, second = x, y
        expect(f"{kind}: somebody gets it", first is not None, True)
        if first:
            expect(f"{kind}: with success", first.answer(), 0)
            expect(f"{kind}: unlock", first.lock(UN), 0)
            expect(f"{kind}: then the other gets it", second.answer(), 0)
            second.end(kill=True)
            expect(f"{kind}: a killed holder's lock is free", a.lock(EX), 0)
            first.end()
        a.end()


def a_deadlock_is_refused():
    open(f"{A}/dead", "w").close()
    a, b = Locker(f"{A}/dead"), Locker(f"{B}/dead")
    expect("A holds 0", a.lock(EX, 0, 1), 0)
    expect("B holds 1", b.lock(EX, 1, 1), 0)
    a.ask(EX, 1, 1)
    expect("A waits for 1", a.waits(), True)
    expect("B may not wait for 0", b.lock(EX, 0, 1), errno.EDEADLK)
    expect("B gives 1 back", b.lock(UN, 1, 1), 0)
    expect("A has 1", a.answer(), 0)
    a.end()
    # three in a ring
    ls = [Locker(f"{p}/dead") for p in (A, B, A)]
    for i, x in enumerate(ls):
        expect("each holds one", x.lock(EX, i, 1), 0)
    ls[0].ask(EX, 1, 1)
    expect("0 waits", ls[0].waits(), True)
    ls[1].ask(EX, 2, 1)
    expect("1 waits", ls[1].waits(), True)
    expect("the ring is refused", ls[2].lock(EX, 0, 1), errno.EDEADLK)
    ls[2].end()
    expect("1 goes on", ls[1].answer(), 0)
    ls[1].end()
    expect("0 goes on", ls[0].answer(), 0)
    ls[0].end()
    b.end()


def count_up(path, kind, n):
    f = os.open(path, os.O_RDWR)
    for _ in range(n):
        if kind == "flock":
            fcntl.flock(f, EX)
        else:
            fcntl.lockf(f, EX)
        v = int(os.pread(f, 20, 0))
        os.pwrite(f, b"%020d" % (v + 1), 0)
        if kind == "flock":
            fcntl.flock(f, UN)
        else:
            fcntl.lockf(f, UN)
    os._exit(0)


def counters_under_locks_lose_nothing():
    for kind in ("posix", "flock"):
        path = f"count.{kind}"
        with open(f"{A}/{path}", "wb") as f:
            f.write(b"%020d" % 0)
        ps = [multiprocessing.Process(target=count_up, args=(f"{p}/{path}", kind, 150)) for p in (A, B, A, B)]
        for p in ps:
            p.start()
        for p in ps:
            p.join(120)
            expect(f"{kind}: a counter ends well", p.exitcode, 0)
            if p.exitcode is None:
                p.kill()
        with open(f"{B}/{path}", "rb") as f:
            expect(f"{kind}: nothing is lost", int(f.read()), 600)


def lock_files_exclude(n=40):
    def work(d, q):
        got = 0
        for i in range(n):
            try:
                os.close(os.open(f"{d}/lockfile{i}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                got += 1
            except FileExistsError:
                pass
        q.put(got)
    q = multiprocessing.Queue()
    ps = [multiprocessing.Process(target=work, args=(d, q)) for d in (A, B, A, B)]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
    expect("each O_EXCL name was made once", sum(q.get() for _ in ps), n)


def renames_over_each_other():
    """Many movers of names between two directories: every file is somewhere, exactly once, at the end."""
    for d in ("m1", "m2"):
        os.mkdir(f"{A}/{d}")
    for i in range(20):
        open(f"{A}/m1/{i}", "w").close()

    def move(root, seed):
        rnd = random.Random(seed)
        for _ in range(200):
            i = rnd.randrange(20)
            s, t = ("m1", "m2") if rnd.random() < .5 else ("m2", "m1")
            try:
                os.rename(f"{root}/{s}/{i}", f"{root}/{t}/{i}")
            except FileNotFoundError:
                pass
        os._exit(0)
    ps = [multiprocessing.Process(target=move, args=(r, k)) for k, r in enumerate((A, B, A, B))]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
        expect("a mover ends well", p.exitcode, 0)
    expect("every file is there once", sorted(map(int, os.listdir(f"{B}/m1") + os.listdir(f"{B}/m2"))), list(range(20)))
    expect("both mounts list the same", sorted(os.listdir(f"{A}/m1")), sorted(os.listdir(f"{B}/m1")))


def main():
    signal.alarm(600)
    for fn in (names_are_seen_at_once, attributes_are_seen_at_once, data_is_seen_at_once,
               an_open_file_follows_renames_and_removals, two_processes_talk_through_files,
               a_waiting_lock_is_granted_when_it_is_free, a_deadlock_is_refused, counters_under_locks_lose_nothing,
               lock_files_exclude, renames_over_each_other):
        before = failed
        t = time.monotonic()
        try:
            fn()
        except Exception as e:
            expect(f"{fn.__name__} ends", repr(e), "")
        print(f"{'ok' if failed == before else 'not ok'} - {fn.__name__} ({time.monotonic() - t:.1f} s)", flush=True)
    print(f"# {checks} checks, {failed} failed")
    sys.exit(1 if failed else 0)


main()
