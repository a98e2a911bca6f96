# SPDX-License-Identifier: Apache-2.0
"""work.py - what runs on the mounts while servers and clients are killed: work.py KIND NAME STOP SEED MOUNT...

Each kind works until the file STOP exists, checks what it did against a model of its own, and ends with status 0 only if
there was no error at all. Kinds with "killed" run on a mount whose client is killed: errors are allowed there while the
mount is away, and what was synced before must be there on the other mounts at once.
The last line tells how many steps there were and the longest time that one took.
"""

import errno
import fcntl
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time

KIND, NAME, STOP, SEED = sys.argv[1:5]
MOUNTS = sys.argv[5:]
rng = random.Random(f"{SEED}/{NAME}")
GONE = {errno.ENOTCONN, errno.EIO, errno.ECONNABORTED, errno.ESTALE, errno.ENOENT, errno.ENODEV, errno.ECANCELED}


class Steps:
    def __init__(self):
        self.n, self.longest = 0, 0.0
        self.began = time.monotonic()

    def going_on(self):
        now = time.monotonic()
        self.longest = max(self.longest, now - self.began)
        self.began = now
        self.n += 1
        return not os.path.exists(STOP)

    def __str__(self):
        return f"{NAME}: {self.n} steps, the longest took {self.longest:.1f} s"


steps = Steps()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data, sync=False, mode="wb"):
    with open(path, mode, buffering=0) as f:
        view = memoryview(data)
        while view:
            view = view[f.write(view):]
        if sync:
            os.fsync(f.fileno())


def run(*argv, cwd=None):
    r = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert r.returncode == 0, f"{' '.join(argv)}: status {r.returncode}: {r.stdout[-2000:]}"
    return r.stdout


# ---- names: a model of a tree; each operation by one mount, each look by another ----

class Tree:
    """Directories and files of a few names; values are the bytes of files, None for directories."""

    def __init__(self, name):
        self.top = name
        self.model = {}
        self.attrs = {}
        os.mkdir(self.path(""))

    def path(self, p):
        return f"{rng.choice(MOUNTS)}/{self.top}/{p}"

    def files(self):
        return [p for p, v in self.model.items() if v is not None]

    def free(self):
        dirs = [""] + [p + "/" for p, v in self.model.items() if v is None and p.count("/") < 2]
        p = rng.choice(dirs) + rng.choice("abcdefghijkl")
        return None if p in self.model else p

    def empty(self, d):
        return not any(p.startswith(d + "/") for p in self.model)

    def make(self, p):
        if rng.random() < 0.3:
            os.mkdir(self.path(p))
            self.model[p] = None
        else:
            data = rng.randbytes(rng.choice([0, 10, 5000, 70000, 400000]))
            write(self.path(p), data, sync=rng.random() < 0.1)
            self.model[p] = data

    def change(self, p):
        what = rng.randrange(4)
        if what == 0:
            data = rng.randbytes(rng.randrange(1, 9000))
            write(self.path(p), data, mode="ab")
            self.model[p] += data
        elif what == 1:
            size = rng.choice([0, 100, 100000])
            os.truncate(self.path(p), size)
            self.model[p] = self.model[p][:size].ljust(size, b"\0")
        elif what == 2:
            self.attrs[p] = rng.randbytes(20)
            os.setxattr(self.path(p), "user.a", self.attrs[p])
        else:
            at, data = rng.randrange(len(self.model[p]) + 1), rng.randbytes(3000)
            with open(self.path(p), "r+b") as f:
                f.seek(at)
                f.write(data)
            old = self.model[p]
            self.model[p] = old[:at] + data + old[at + len(data):]

    def move(self, p, to):
        if to.startswith(p + "/"):
            return
        mount = rng.choice(MOUNTS)
        os.rename(f"{mount}/{self.top}/{p}", f"{mount}/{self.top}/{to}")
        for q in [q for q in self.model if q == p or q.startswith(p + "/")]:
            self.model[to + q[len(p):]] = self.model.pop(q)
            if q in self.attrs:
                self.attrs[to + q[len(p):]] = self.attrs.pop(q)

    def remove(self, p):
        if self.model[p] is None:
            if not self.empty(p):
                return
            os.rmdir(self.path(p))
        elif rng.random() < 0.2:
            with open(self.path(p), "rb") as f:
                os.unlink(self.path(p))
                assert f.read() == self.model[p], f"{p}, unlinked"
        else:
            os.unlink(self.path(p))
        del self.model[p]
        self.attrs.pop(p, None)

    def step(self):
        free, names = self.free(), list(self.model)
        what = rng.random()
        if free and (what < 0.35 or not names):
            self.make(free)
        elif names and what < 0.6 and self.files():
            self.change(rng.choice(self.files()))
        elif names and free and what < 0.75:
            self.move(rng.choice(names), free)
        elif names and what < 0.9:
            self.remove(rng.choice(names))
        elif names:
            self.look(rng.choice(names))

    def look(self, p):
        path = self.path(p)
        if self.model[p] is None:
            got = set(os.listdir(path))
            want = {q[len(p) + 1:] for q in self.model if q.startswith(p + "/") and "/" not in q[len(p) + 1:]}
            assert got == want, f"{path}: {sorted(got)}, not {sorted(want)}"
            return
        data, want = read(path), self.model[p]
        assert data == want, f"{path}: {len(data)} bytes, not {len(want)}, differing from byte " \
            f"{next((i for i, (x, y) in enumerate(zip(data, want)) if x != y), min(len(data), len(want)))}"
        assert os.stat(self.path(p)).st_size == len(want), f"{path}: size"
        if p in self.attrs:
            assert os.getxattr(self.path(p), "user.a") == self.attrs[p], f"{path}: attribute"


def names():
    tree = Tree(NAME)
    while steps.going_on():
        tree.step()
    for p in tree.model:
        tree.look(p)


# ---- locks: a counter that several mounts add to, each under a lock ----

def locks():
    mine = 0
    f = os.open(f"{MOUNTS[0]}/counter", os.O_CREAT | os.O_RDWR)
    while steps.going_on():
        fcntl.lockf(f, fcntl.LOCK_EX)
        os.close(os.open(f"{MOUNTS[0]}/inside", os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # needs the MDS, and that nobody else is in
        value = int(os.pread(f, 20, 0) or b"0")
        os.pwrite(f, b"%d" % (value + 1), 0)
        os.unlink(f"{MOUNTS[0]}/inside")
        fcntl.lockf(f, fcntl.LOCK_UN)
        mine += 1
    os.close(f)
    write(f"{STOP}.{NAME}", b"%d" % mine)


# ---- sqlite: each commit that was answered is in the database ----

def connect(path):
    db = sqlite3.connect(path, timeout=600, isolation_level=None)
    db.execute("PRAGMA synchronous=EXTRA")  # FULL does not sync the removal of the journal
    return db


def row(n):
    return random.Random(n).randbytes(n * 37 % 3000)


def check_rows(db, who, rows):
    got = {n: data for n, data in db.execute("SELECT n, data FROM rows WHERE who = ?", (who,))}
    for n in rows:
        assert got.get(n) == row(n), f"{who}: row {n} was committed and is {'not there' if n not in got else 'damaged'}"
    return set(got)


def sqlite_setup(path):
    db = connect(path)
    db.execute("CREATE TABLE IF NOT EXISTS rows (who TEXT, n INTEGER, data BLOB, PRIMARY KEY (who, n))")
    return db


def sqlite():
    path = f"{MOUNTS[0]}/rows.db"
    db, rows, n = sqlite_setup(path), set(), 0
    while steps.going_on():
        db.execute("BEGIN IMMEDIATE")
        if len(rows) > 60:
            old = min(rows)
            db.execute("DELETE FROM rows WHERE who = ? AND n = ?", (NAME, old))
            rows.discard(old)
        db.execute("INSERT INTO rows VALUES (?, ?, ?)", (NAME, n, row(n)))
        db.execute("COMMIT")
        rows.add(n)
        n += 1
        if n % 20 == 0:
            assert check_rows(db, NAME, rows) == rows, f"{NAME}: rows that were deleted are there"
    assert check_rows(db, NAME, rows) == rows, f"{NAME}: rows that were deleted are there"
    db.close()
    db = connect(path.replace(MOUNTS[0], MOUNTS[-1]))
    said = db.execute("PRAGMA integrity_check").fetchall()
    assert said == [("ok",)], said


# ---- git ----

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.fsync=all", "-c", "gc.auto=0",
       "-c", "safe.directory=*"]


def git():
    repo, other = f"{MOUNTS[0]}/{NAME}", f"{MOUNTS[-1]}/{NAME}"
    run(*GIT, "init", "-q", repo)
    commits = 0
    while steps.going_on():
        for i in range(8):
            p = f"{repo}/{rng.randrange(5)}/{rng.randrange(20)}"
            os.makedirs(os.path.dirname(p), exist_ok=True)
            write(p, rng.randbytes(rng.randrange(20000)))
        run(*GIT, "add", "-A", cwd=repo)
        run(*GIT, "commit", "-qm", f"{commits}", cwd=repo)
        commits += 1
        assert run(*GIT, "rev-list", "--count", "HEAD", cwd=other) == f"{commits}\n"
        assert run(*GIT, "status", "--porcelain", cwd=other) == "", "the tree is not what was committed"
        if commits % 5 == 0:
            run(*GIT, "clone", "-q", other, f"{repo}.clone")
            run(*GIT, "fsck", "--full", "--strict", cwd=f"{other}.clone")
            shutil.rmtree(f"{other}.clone")
        if commits % 12 == 0:
            run(*GIT, "gc", "-q", cwd=repo)
    run(*GIT, "fsck", "--full", "--strict", cwd=other)


# ---- fio ----

def fio():
    top = f"{MOUNTS[0]}/{NAME}"
    os.mkdir(top)
    while steps.going_on():
        engine = rng.choice([["--ioengine=psync"], ["--ioengine=libaio", "--direct=1", "--iodepth=8"], ["--ioengine=mmap"]])
        run(f"{os.environ['SHEEN_BIN']}/lfs", "setstripe", "-c", str(rng.choice([1, 2, -1])), "-S", "256k", f"{top}/f.0.0")
        run("fio", "--name=f", f"--directory={top}", "--rw=randrw", "--rwmixread=30", "--bsrange=4k-256k", "--size=6m",
            "--fallocate=none", "--verify=crc32c", "--verify_fatal=1", "--do_verify=1", "--verify_state_save=0", "--minimal",
            f"--filename=f.0.0", f"--randseed={rng.randrange(1 << 30)}", *engine, cwd=top)
        assert read(f"{top}/f.0.0") == read(f"{MOUNTS[-1]}/{NAME}/f.0.0"), "two mounts read different bytes"
        os.unlink(f"{top}/f.0.0")


# ---- on a client that is killed ----

def patiently(what, allowed=GONE):
    """Calls what until it works: its mount may be away."""
    while True:
        try:
            return what()
        except OSError as e:
            if e.errno not in allowed:
                raise
            if os.path.exists(STOP):
                return None
            time.sleep(0.05)


def killed():
    """Files with fsync, and some without; MOUNTS[0] is killed, MOUNTS[1] is not."""
    mine, other = f"{MOUNTS[0]}/{NAME}", f"{MOUNTS[1]}/{NAME}"
    os.mkdir(other)
    synced, n = {}, 0
    while steps.going_on():
        seed, sync = n, rng.random() < 0.7
        data = random.Random(seed).randbytes(seed * 997 % 300000)
        n += 1
        try:
            write(f"{mine}/{seed}", data, sync=sync)
            if sync:
                synced[seed] = data
            if len(synced) > 30:
                old = rng.choice(list(synced))
                del synced[old]
                os.unlink(f"{mine}/{old}")
        except OSError as e:
            assert e.errno in GONE, e
            for i, want in synced.items():
                assert read(f"{other}/{i}") == want, f"{i} was synced, and is not there"
            for name in os.listdir(other):
                got, want = read(f"{other}/{name}"), random.Random(int(name)).randbytes(int(name) * 997 % 300000)
                assert len(got) <= len(want) and all(g in (w, 0) for g, w in zip(got, want)), f"{name}: bytes that nobody wrote"
            patiently(lambda: os.stat(mine))
            steps.began = time.monotonic()
    for i, want in synced.items():
        assert read(f"{other}/{i}") == want, f"{i} was synced, and is not there"


def sqlite_killed():
    """Rows by a client that is killed; every commit that was answered is there for the others. A database of its own: a
    process whose client was evicted has lost its locks without knowing, and may remove the journal of another one."""
    mine, other = f"{MOUNTS[0]}/{NAME}.db", f"{MOUNTS[1]}/{NAME}.db"
    rows, n = set(), 0
    sqlite_setup(other).close()
    while steps.going_on():
        try:
            if not os.path.exists(mine):
                time.sleep(0.05)
                continue
            db = connect(mine)
            while steps.going_on():
                db.execute("BEGIN IMMEDIATE")
                db.execute("INSERT INTO rows VALUES (?, ?, ?)", (NAME, n, row(n)))
                n += 1
                db.execute("COMMIT")
                rows.add(n - 1)
        except sqlite3.Error:
            n += 1
            sure = connect(other)
            check_rows(sure, NAME, rows)
            sure.close()
            steps.began = time.monotonic()
        except OSError as e:
            assert e.errno in GONE, e
    sure = connect(other)
    check_rows(sure, NAME, rows)
    assert sure.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


globals()[KIND]()
print(steps)
