# SPDX-License-Identifier: Apache-2.0
"""powerloss.py - the whole cluster loses its power at once, at random moments under load: powerloss.py WORK PORT RECORDER SECONDS SEED

The targets lie on two disks of disk_recorder.c, ext4 on each, one for the MGS and the MDT, one for the OSTs. While two mounts
work, images are made of what the disks could have if the power went now. Afterwards the servers are started from each of the
images, as they are: what was synced before is there, all else can be read and is nothing that nobody wrote, the file system
works, and the checker finds nothing but objects of files whose creation was lost. Nothing is repaired.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from cluster import Cluster, die_with_parent, note, until

WORK, PORT, RECORDER, SECONDS, SEED = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), sys.argv[5]
MIB = 512
BLOCK = 4096
rng = random.Random(SEED)


def stream(seed, length):
    return random.Random(seed).randbytes((length + 3) // 4 * 4)[:length]  # so that a longer one begins with a shorter one


def block(version):
    return b"%08d" % version * (BLOCK // 8)


# ---- the load: each says in a file of its own what it begins (b) and what is synced (s), with times ----

class Worker:
    def __init__(self, name, mount):
        self.name, self.top = name, f"{mount}/{name}"
        self.rng = random.Random(f"{SEED}/{name}")
        self.log = os.open(f"{WORK}/facts.{name}", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self.n = 0
        os.makedirs(self.top, exist_ok=True)

    def say(self, what, *words):
        os.write(self.log, f"{what} {time.monotonic():.6f} {' '.join(map(str, words))}\n".encode())

    def sync_dir(self):
        fd = os.open(self.top, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

    def write(self, name, data, sync, at=0):
        fd = os.open(f"{self.top}/{name}", os.O_CREAT | os.O_RDWR, 0o644)
        while data:
            k = os.pwrite(fd, data, at)
            data, at = data[k:], at + k
        if sync:
            os.fsync(fd)
        os.close(fd)

    def files(self):
        """Files made, moved and removed; some synced, some not."""
        alive, synced = [], set()
        while True:
            self.n += 1
            size, sync = self.rng.choice([0, 100, 9000, 100000, 1500000]), self.rng.random() < 0.6
            name = f"f.{self.n}.{size}"
            self.write(name, stream(self.n, size), sync)
            if sync:
                self.say("s", "file", name)
                synced.add(name)
            alive.append(name)
            if alive[0].startswith("f.") and self.rng.random() < 0.3:
                old = alive.pop(0)
                self.say("b", "away", old)
                new = old.replace("f.", "m.", 1)
                os.rename(f"{self.top}/{old}", f"{self.top}/{new}")
                if self.rng.random() < 0.5:
                    self.sync_dir()
                    if old in synced:
                        self.say("s", "file", new)
                    self.say("s", "gone", old)
                if old in synced:
                    synced.add(new)
                alive.append(new)
            if len(alive) > 25:
                old = alive.pop(self.rng.randrange(20))
                self.say("b", "away", old)
                os.unlink(f"{self.top}/{old}")

    def versions(self):
        """One file, overwritten; after each sync no block is older."""
        n = 0
        while True:
            n += 1
            self.say("b", "version", n)
            self.write("versions", block(n) * 40, self.rng.random() < 0.7)
            sync = self.rng.random() < 0.7
            if sync:
                self.write("versions", b"", True)
                self.say("s", "version", n)

    def appends(self):
        size = 0
        while True:
            k = self.rng.randrange(1, 70000)
            self.write("appended", stream("appended", size + k)[size:], False, at=size)
            size += k
            if self.rng.random() < 0.5:
                self.write("appended", b"", True)
                self.say("s", "length", size)
            if size > 8 << 20:
                self.say("b", "length", 0)
                os.truncate(f"{self.top}/appended", 0)
                size = 0

    def rows(self):
        db = sqlite3.connect(f"{self.top}/rows.db", isolation_level=None, timeout=60)
        db.execute("PRAGMA synchronous=EXTRA")  # FULL does not sync the removal of the journal
        db.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY, data BLOB)")
        while True:
            self.n += 1
            db.execute("INSERT INTO rows VALUES (?, ?)", (self.n, stream(self.n, 3000)))
            self.say("s", "row", self.n)


WORK_KINDS = {"files.a": 0, "files.b": 1, "versions": 0, "appends": 1, "rows": 0}


class Facts:
    """What was synced before a moment."""

    def __init__(self, name, before):
        self.files, self.gone, self.version, self.begun, self.length, self.row = set(), set(), 0, 0, 0, 0
        with open(f"{WORK}/facts.{name}", encoding="ascii") as f:
            for line in f:
                kind, when, what, value = line.split()
                late = float(when) > before
                if kind == "b" and what == "away":  # it may have happened already
                    self.files.discard(value)
                elif kind == "b" and what == "length" and float(when) < before + 30:
                    self.length = 0
                elif kind == "b" and what == "version":
                    self.begun = int(value)
                elif late:
                    continue
                elif what in ("file", "gone"):
                    (self.files if what == "file" else self.gone).add(value)
                else:
                    setattr(self, what, int(value))


# ---- the disks ----

def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout


class Disks:
    def __init__(self):
        self.fuse, self.loops, self.mounts = f"{WORK}/disks", [], [f"{WORK}/disk.mdt", f"{WORK}/disk.ost"]
        for d in (self.fuse, f"{WORK}/data", *self.mounts):
            os.mkdir(d)
        self.recorder = subprocess.Popen([RECORDER, f"{WORK}/data", "2", str(MIB), self.fuse], preexec_fn=die_with_parent,
                                         start_new_session=True)
        until("the disks are there", 20, lambda: os.path.exists(f"{self.fuse}/lose"))

    def mount(self, images):
        for image, mnt in zip(images, self.mounts):
            self.loops.append(run("losetup", "-f", "--show", image).strip())
            run("mount", self.loops[-1], mnt)

    def unmount(self):
        for mnt in self.mounts:
            subprocess.run(["umount", mnt], check=False, timeout=120)
        for loop in self.loops:
            subprocess.run(["losetup", "-d", loop], check=False, timeout=60)
        self.loops = []

    def format(self):
        images = [f"{self.fuse}/{i}" for i in range(2)]
        for image in images:
            run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", image)
        self.mount(images)

    def lose(self, path):
        """When: all that was synced before is in the images."""
        when = time.monotonic()
        with open(f"{self.fuse}/lose", "wb", buffering=0) as f:
            f.write(f"{rng.randrange(1 << 30)} {path}".encode())
        return when

    def close(self):
        self.unmount()
        subprocess.run(["umount", self.fuse], check=False, timeout=60)
        self.recorder.wait(20)


# ---- afterwards ----

class Look:
    def __init__(self, top, name, when):
        self.top, self.name = f"{top}/{name}", name
        self.facts = Facts(name, when)

    def read(self, name):
        with open(f"{self.top}/{name}", "rb") as f:
            return f.read()

    def all(self):
        bad = []
        for name in sorted(os.listdir(self.top)):
            try:
                got = self.read(name)
            except OSError as e:
                bad.append(f"{self.name}/{name}: {e.strerror}")
                continue
            if name[:2] in ("f.", "m."):
                _, n, size = name.split(".")
                want = stream(int(n), int(size))
                if len(got) > len(want) or any(g not in (w, 0) for g, w in zip(got, want)):
                    bad.append(f"{self.name}/{name}: bytes that nobody wrote")
                elif name in self.facts.files and got != want:
                    bad.append(f"{self.name}/{name} was synced, and is damaged ({len(got)} bytes)")
                self.facts.files.discard(name)
            if name in self.facts.gone:
                bad.append(f"{self.name}/{name} was moved away and synced, and is there")
        bad += [f"{self.name}/{name} was synced, and is not there" for name in self.facts.files]
        return bad + getattr(self, self.name.split(".")[0])()

    def files(self):
        return []

    def versions(self):
        want, last = self.facts.version, self.facts.begun
        if not want:
            return []
        data = self.read("versions")
        bad = [i for i in range(40) if not any(data[i * BLOCK:(i + 1) * BLOCK] == block(v) for v in range(want, last + 1))]
        return [f"versions: blocks {bad} are not of version {want} or later"] if bad else []

    def appends(self):
        want = self.facts.length
        if not want:
            return []
        data = self.read("appended")
        sure = stream("appended", max(len(data), want))
        if len(data) < want or data[:want] != sure[:want]:
            return [f"appended: {len(data)} bytes, {want} were synced, or damaged"]
        if any(g not in (w, 0) for g, w in zip(data[want:], sure[want:])):
            return ["appended: bytes that nobody wrote"]
        return []

    def rows(self):
        if not self.facts.row:
            return []
        db = sqlite3.connect(f"{self.top}/rows.db")
        try:
            said = db.execute("PRAGMA integrity_check").fetchall()
            got = dict(db.execute("SELECT n, data FROM rows"))
        except sqlite3.Error as e:
            return [f"rows: {e}"]
        finally:
            db.close()
        if said != [("ok",)]:
            return [f"rows: {said}"]
        return [f"row {n} is not there, or damaged" for n in range(1, self.facts.row + 1) if got.get(n) != stream(n, 3000)]


def start_load(cluster):
    pids = []
    for name, mount in WORK_KINDS.items():
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            with open(f"{WORK}/logs/work.{name}", "wb") as f:
                os.dup2(f.fileno(), 2)
            try:
                getattr(Worker(name, cluster.mounts["ab"[mount]]), name.split(".")[0])()
            except BaseException:  # pylint: disable=broad-except
                import traceback
                traceback.print_exc()
            os._exit(1)
        pids.append(pid)
    return pids


def record(cluster, disks, images):
    """Images under load; (path, when) of each."""
    pids = start_load(cluster)
    began, taken = time.monotonic(), []
    for i in range(images):
        time.sleep(rng.uniform(0.2, 2 * SECONDS / images))
        path = f"{WORK}/image{i}"
        taken.append((path, disks.lose(path)))
        note(f"power is lost {taken[-1][1] - began:.1f} s after the start; making the images took {time.monotonic() - taken[-1][1]:.2f} s")
    dead = [p for p in pids if os.waitpid(p, os.WNOHANG)[0]]
    for p in set(pids) - set(dead):
        os.kill(p, signal.SIGKILL)
    cluster.close()
    for p in set(pids) - set(dead):
        os.waitpid(p, 0)
    return taken, not dead


def after(disks, path, when, servers_port):
    """What is wrong with the file system that comes up from images."""
    disks.mount([f"{path}.0", f"{path}.1"])
    cluster = new_cluster(disks, servers_port)
    try:
        for db in (f"{cluster.mdt}/db", f"{cluster.mgt}/db"):  # the machine was started again: it has another name
            if os.path.exists(f"{db}/machine"):
                os.unlink(f"{db}/machine")
        # Clients of before do not come back: they need not be waited for as long as usual.
        cluster.set["mds"] = ["mdt.*.session_timeout=4"]
        began = time.monotonic()
        cluster.start_all()
        mnt = cluster.mount("a")
        bad = []
        for name in WORK_KINDS:
            if os.path.isdir(f"{mnt}/{name}"):
                bad += Look(mnt, name, when).all()
            elif vars(Facts(name, when)) != vars(Facts(name, 0)):
                bad.append(f"{name}: the directory is not there")
        note(f"all was looked at {time.monotonic() - began:.1f} s after the servers were started")
        with open(f"{mnt}/new", "wb") as f:
            f.write(b"x" * 100000)
            os.fsync(f.fileno())
        shutil.rmtree(f"{mnt}/files.a", ignore_errors=True)
        # An OST may have had the data of a file on its disk before the MDT had its name.
        report = cluster.check(allowed=["ownerless_object"])
        if report:
            bad.append(f"the checker: {report}")
        cluster.unmount("a")
        cluster.end("mds", signal.SIGTERM)
        report = cluster.check_tables()
        if report:
            bad.append(f"the tables: {report}")
        return bad
    finally:
        cluster.close()
        disks.unmount()


def new_cluster(disks, port):
    return Cluster(WORK, port, oss=1, osts=2, mdt_dir=disks.mounts[0], ost_dir=disks.mounts[1])


def main():
    note(f"seed {SEED}")
    images = max(1, int(SECONDS / 5))
    disks = Disks()
    failed = 0
    try:
        disks.format()
        cluster = new_cluster(disks, PORT)
        try:
            cluster.format()
            cluster.start_all()
            cluster.mount("a")
            cluster.mount("b", "nouring")
            subprocess.run(["sync"], check=True)
            taken, alive = record(cluster, disks, images)
        finally:
            cluster.close()
        disks.unmount()
        if not alive:
            failed += 1
            print("not ok - the load has no errors")
        for path, when in taken:
            bad = after(disks, path, when, PORT)
            print("\n\t".join([f"{'not ok' if bad else 'ok'} - {os.path.basename(path)}", *bad]), flush=True)
            failed += bool(bad)
    finally:
        disks.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
