# SPDX-License-Identifier: Apache-2.0
"""faults.py - every call of a server that can fail, fails once: faults.py WORK PORT SHIM SEED [full]

For each server, kind of call and error, and for each place in the server that makes such a call (see fault_shim.c): the call
is armed, a pass of work runs on two mounts, and then:
* the server runs, or has ended by itself with a reason in its log, and a restart goes on;
* the work has got no error but the one that was injected, or EIO, and none at all where it can be tried again;
* what was answered is there, on both mounts; in the end also after every server was killed; the checker finds nothing.
Then the same for the start of each server. Without "full", a few kinds that the seed chooses.
"""

import errno
import os
import pickle
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import traceback

from cluster import BIN, Cluster, must, note, tool, until

WORK, PORT, SHIM, SEED = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
FULL = len(sys.argv) > 5
PASS_SECONDS = 100
rng = random.Random(SEED)

E = errno
SHORT = 0
AGAIN = {E.EINTR, E.EAGAIN, E.EBUSY, SHORT}  # nobody may notice
DISK = {
    "open": [E.EMFILE, E.EIO], "openat2": [E.EMFILE, E.EIO, E.ENOSPC], "mkdir": [E.ENOSPC, E.EIO], "pread": [E.EIO, SHORT],
    "pwrite": [E.EIO, E.ENOSPC, SHORT], "pwritev": [E.EIO, E.ENOSPC, E.EAGAIN, SHORT], "write": [E.EIO, E.ENOSPC, SHORT],
    "fsync": [E.EIO], "fdatasync": [E.EIO, E.ENOSPC], "msync": [E.EIO], "ftruncate": [E.EIO], "fallocate": [E.ENOSPC],
    "fsetxattr": [E.ENOSPC, E.EIO], "fgetxattr": [E.EIO], "fstat": [E.EIO], "fstatvfs": [E.EIO], "lseek": [E.EIO],
    "unlinkat": [E.EIO], "renameat": [E.EIO], "fdopendir": [E.ENOMEM], "readdir": [E.EIO],
}
RING = {
    "ring.read": [E.EIO, SHORT, E.EAGAIN], "ring.write": [E.EIO, E.ENOSPC, SHORT, E.EINTR], "ring.fsync": [E.EIO, E.EINTR],
    "ring.open": [E.EMFILE, E.EIO], "ring.unlink": [E.EIO, E.EINTR], "ring.fallocate": [E.EIO], "ring.ftruncate": [E.EIO],
    "ring.submit": [E.EAGAIN, E.EBUSY],
}
NET = {
    "socket": [E.EMFILE], "accept4": [E.EMFILE, E.ECONNABORTED, E.EINTR], "connect": [E.ENETUNREACH, E.ECONNREFUSED],
    "setsockopt": [E.ENOBUFS], "getsockopt": [E.ENOBUFS], "getsockname": [E.ENOBUFS], "sendmsg": [E.ECONNRESET, E.EAGAIN, SHORT],
    "sendto": [E.ECONNRESET, E.EAGAIN], "readv": [E.ECONNRESET, E.EAGAIN, SHORT], "read": [E.ECONNRESET, E.EAGAIN, SHORT],
    "epoll_ctl": [E.ENOMEM],
}
MEMORY = {"malloc": [E.ENOMEM], "mmap": [E.ENOMEM], "mprotect": [E.ENOMEM]}
START = {"getrandom": [E.EIO], "flock": [E.EIO], "bind": [E.EADDRINUSE], "listen": [E.EADDRINUSE], "ring.init": [E.ENOMEM]}
# Kinds whose places are not known (what asked for it sleeps, or has left a note for libev): so many calls fail instead.
UNPLACED = {*RING, "epoll_ctl"}
UNPLACED_TIMES = 6


class Control:
    """The shared memory of fault_shim.c."""

    HEAD = struct.Struct("32siIQ160sIi")

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.truncate(self.HEAD.size + 8 * 8192)

    def _get(self):
        with open(self.path, "rb") as f:
            return list(self.HEAD.unpack(f.read(self.HEAD.size)))

    def _put(self, fields):
        with open(self.path, "r+b", buffering=0) as f:
            os.pwrite(f.fileno(), self.HEAD.pack(*fields), 0)

    def arm(self, kind, err):
        now = self._get()
        # Kind last: from there on it counts.
        self._put([b"", err, 0, 0, b"", now[5], rng.randrange(12) if kind in UNPLACED else 0])
        now = self._get()
        now[0] = kind.encode()
        self._put(now)

    def disarm(self):
        now = self._get()
        now[0] = b""
        self._put(now)

    def fired(self):
        """Where it failed, None if it did not; disarmed."""
        self.disarm()
        now = self._get()
        if not now[2]:
            return None
        module = now[4].rstrip(b"\0").decode()
        if module == "somewhere":
            return module
        r = subprocess.run(["addr2line", "-fse", module, hex(now[3] - 1)], stdout=subprocess.PIPE, text=True, check=False)
        words = r.stdout.split()
        return f"{words[0]} {words[1]}" if len(words) > 1 and words[0] != "??" else f"{os.path.basename(module)}+{now[3]:#x}"


# ---- a pass of work; it runs in a process of its own ----

class Work:
    """One pass; facts: path below a mount: bytes, None where nothing may be, or nothing known (not in facts)."""

    def __init__(self, top, mounts, allowed):
        self.top, self.mounts, self.allowed = top, mounts, allowed
        self.facts = {}
        self.doubtful = set()  # names of which nothing is known since something failed
        self.errors = []

    def do(self, what, fn, *args, also=()):
        try:
            return fn(*args)
        except OSError as e:
            if e.errno not in self.allowed and e.errno not in also:
                raise AssertionError(f"{what}: {e}") from e
            self.errors.append(f"{what}: {errno.errorcode[e.errno]}")
            return None

    def put(self, m, name, data, at=0, flags=0, sync=True):
        """Writes; the fact is known only when all of it went well."""
        path = f"{self.mounts[m]}/{self.top}/{name}"
        old = self.facts.pop(name, None if name in self.doubtful else b"")
        self.doubtful.add(name)
        good = []

        def write():
            fd = os.open(path, os.O_CREAT | os.O_RDWR | flags, 0o644)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.pwrite(fd, view, at + len(data) - len(view)):]
                if sync:
                    os.fsync(fd)
            finally:
                os.close(fd)  # may tell of a write that failed later
            good.append(True)
        self.do(f"write {name}", write)
        if good and old is not None:
            self.doubtful.discard(name)
            self.facts[name] = old[:at].ljust(at, b"\0") + data + old[at + len(data):]

    def change(self, name, result, what, fn, *args):
        """fn changes name; result is what it is then, if it goes well."""
        had = name in self.facts
        self.facts.pop(name, None)
        done = []
        self.do(what, lambda: (fn(*args), done.append(1)), also=() if had else (E.ENOENT,))
        if done and had:
            self.facts[name] = result

    def run(self, big):
        a, b = (f"{m}/{self.top}" for m in self.mounts)
        for _ in range(3):  # the directory itself may meet the fault
            self.do("mkdir", os.makedirs, a)
            if os.path.isdir(a):
                break
        data = random.Random(self.top).randbytes(3 << 20)
        self.put(0, "small", data[:3000])
        self.put(0, "big", data)
        self.put(1, "other", data[:700000], flags=os.O_SYNC, sync=False)
        self.put(1, "big", data[1000:800000], at=555555)
        self.put(0, "later", data[:5000], sync=False)
        self.do("read", self.read_direct, f"{b}/big")
        for size in (100000, 2000000):
            if "big" in self.facts:
                cut = self.facts["big"][:size].ljust(size, b"\0")
                self.change("big", cut, "truncate", os.truncate, f"{a}/big", size)
        self.do("attributes", self.attributes, f"{b}/small")
        for name, to in (("small", "moved"), ("later", "later2")):
            if name in self.facts:
                content = self.facts.pop(name)
                if self.do("rename", lambda n=name, t=to: (os.rename(f"{b}/{n}", f"{b}/{t}"), True)[1]):
                    self.facts.update({to: content, name: None})
        self.do("link", os.link, f"{a}/other", f"{a}/other2", also=(E.ENOENT,))
        self.do("symlink", os.symlink, "x", f"{b}/symlink")
        self.do("list", os.listdir, a)
        self.do("statfs", os.statvfs, a)
        self.do("sync", self.sync_dir, a)
        if big:
            self.put(0, "huge", data * 24)
            self.change("huge", data[:10], "truncate", os.truncate, f"{a}/huge", 10)
        self.put(0, "doomed", data[:2 << 20])
        self.change("doomed", None, "unlink", os.unlink, f"{b}/doomed")
        tool("lctl", "get_param", "--nid", os.environ["FAULT_NID"], "version")
        if os.environ["FAULT_NID"] == os.environ["FAULT_MGS"]:
            tool("lctl", "set_param", "-P", "--nid", os.environ["FAULT_MGS"], f"mdt.*.commit_interval_ms={49 + int(self.top[4:]) % 3}")

    @staticmethod
    def attributes(path):
        try:
            os.setxattr(path, "user.x", b"y" * 100)
            os.chmod(path, 0o600)
            os.utime(path, (1, 2))
            os.getxattr(path, "user.x")
        except FileNotFoundError:
            pass

    @staticmethod
    def sync_dir(path):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    @staticmethod
    def read_direct(path):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
        except FileNotFoundError:
            return b""
        try:
            got = b""
            while piece := os.read(fd, 8 << 20):
                got += piece
            return got
        finally:
            os.close(fd)


def verify(top, mounts, facts):
    for m in mounts:
        for name, want in facts.items():
            path = f"{m}/{top}/{name}"
            if want is None:
                assert not os.path.lexists(path), f"{path} was removed, and is there"
                continue
            got = Work.read_direct(path)
            assert os.path.exists(path), f"{path} is not there"
            assert got == want, f"{path}: {len(got)} bytes, {len(want)} were written" if len(got) != len(want) else \
                f"{path}: differs from byte {next(i for i, (x, y) in enumerate(zip(got, want)) if x != y)}"


def in_child(fn):
    """Runs fn in a child: (pid, file of its result). What it raises is a text."""
    path = f"{WORK}/result"
    pid = os.fork()
    if pid:
        return pid, path
    signal.alarm(2 * PASS_SECONDS)
    try:
        result = (True, fn())
    except BaseException:  # pylint: disable=broad-except
        result = (False, traceback.format_exc())
    with open(path, "wb") as f:
        pickle.dump(result, f)
    os._exit(0)


# ---- the sweep ----

class Sweep:
    def __init__(self):
        self.cluster = Cluster(WORK, PORT, oss=1, osts=2)
        self.kept = {}     # top: facts
        self.n = 0
        self.fired = self.died = self.seen_errors = 0
        self.failures = []

    def up(self):
        c = self.cluster
        for s in c.servers:
            c.set[s] = ["obdfilter.*.max_open_objects=16"] if s.startswith("oss") else []
        c.format()
        c.start_all()
        self.mounts = [c.mount("a", ""), c.mount("b", "nouring")]
        until("both OSTs are there", 30, lambda: tool("lfs", "setstripe", "-c", "2", "-S", "1M", self.mounts[0])[0] == 0)

    def equip(self, server):
        """Starts the server anew, with the shim."""
        c = self.cluster
        self.ctl = Control(f"{WORK}/ctl.{server}")
        c.env[server] = {"LD_PRELOAD": SHIM, "FAULT_CTL": self.ctl.path}
        c.end(server, signal.SIGTERM)
        if not c.start(server):
            raise RuntimeError(f"the {server} does not start with the shim")
        os.environ["FAULT_NID"], os.environ["FAULT_MGS"] = c.at(server), c.at("mgs")

    def disarm(self, server):
        c = self.cluster
        c.env.pop(server)
        self.end(server, "after the sweep")
        if not c.start(server):
            raise RuntimeError(f"the {server} does not start")

    def end(self, server, where):
        p = self.cluster.children[server]
        try:
            self.cluster.end(server, signal.SIGTERM, 30)
        except subprocess.TimeoutExpired:
            self.failure(where, f"the {server} does not end; what failed last: {self.ctl.fired()}")
            p.kill()
            p.wait()

    def failure(self, where, text):
        self.failures.append(where)
        print(f"not ok - {where}\n{text}", flush=True)

    def ended(self, server):
        """A server that has ended: how; started again."""
        c = self.cluster
        size = os.path.getsize(f"{WORK}/logs/{server}.log")
        status = c.children.pop(server).wait()
        self.ctl.disarm()
        with open(f"{WORK}/logs/{server}.log", errors="replace") as f:
            f.seek(max(0, size - 3000))
            said = [line.strip() for line in f.readlines()[-12:]]
        if not c.start(server):
            raise RuntimeError(f"the {server} has ended ({status}), and does not start again: {said}")
        return status, said

    @staticmethod
    def may_end(status, reason):
        """With a reason, in order; libev aborts when it gets no memory."""
        return reason and (status == 1 or "(libev) cannot allocate" in str(reason))

    def wait(self, child, server, where):
        """The result of a child, while the server may end; None if there is none."""
        pid, path = child
        end = time.monotonic() + PASS_SECONDS
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if not self.cluster.alive(server):
                status, said = self.ended(server)
                self.died += 1
                reason = [s for s in said if " ERR" in s or "cannot" in s]
                note(f"{where}: the server ends, status {status}: {reason[-1][-150:] if reason else '?'}")
                if not self.may_end(status, reason):
                    self.failure(where, f"ended with status {status}: {said}")
            if time.monotonic() > end:
                self.failure(where, f"hangs: {open(f'/proc/{pid}/stack').read()}")
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return None
            time.sleep(0.01)
        with open(path, "rb") as f:
            good, result = pickle.load(f)
        if not good:
            self.failure(where, result)
            return None
        return result

    def one(self, server, kind, err):
        """One armed pass; False when nothing was left to fail."""
        self.n += 1
        top = f"pass{self.n}"
        quiet = err in AGAIN or kind in NET
        # Limits of the server's process are no business of applications.
        allowed = set() if quiet else {err, E.EIO} - {E.EMFILE}

        def work():
            w = Work(top, self.mounts, allowed)
            w.run(big=kind == "ring.ftruncate")
            return w.facts, w.errors
        self.ctl.arm(kind, err)
        if kind in ("accept4", "malloc", "setsockopt", "epoll_ctl", "socket") or server == "mgs":
            self.mount_again(f"{server}: {kind}", allowed)
        child = in_child(work)
        result = self.wait(child, server, f"{server}: {kind} {errno.errorcode.get(err, 'short')}")
        at = self.ctl.fired()
        if at is None:
            if result:
                self.check_pass(server, "without a fault", top, result[0])
            return False
        self.fired += 1
        where = f"{server}: {kind} {errno.errorcode.get(err, 'short')} at {at}"
        if result:
            facts, errors = result
            if errors:
                self.seen_errors += 1
            if FULL:
                note(f"{where}: {'; '.join(errors) or 'nobody noticed'}")
            self.check_pass(server, where, top, facts)
        return True

    def mount_again(self, where, allowed):
        """New connections and sessions. It may be refused, with the error."""
        c = self.cluster
        try:
            c.mount("m")
            c.unmount("m")
        except RuntimeError:
            with open(f"{WORK}/logs/m.log", errors="replace") as f:
                said = f.read()[-500:]
            if not any(os.strerror(e) in said for e in allowed):
                self.failure(where, f"a mount fails: {said}")

    def check_pass(self, server, where, top, facts):
        self.wait(in_child(lambda: verify(top, self.mounts, facts)), server, where + ", afterwards")
        if self.n % 8:
            shutil.rmtree(f"{self.mounts[0]}/{top}")
        else:
            self.kept[top] = facts

    def kinds(self, server):
        all_kinds = {**DISK, **NET, **MEMORY, **(RING if server.startswith("oss") else {})}
        pairs = [(k, e) for k, errs in all_kinds.items() for e in errs]
        return pairs if FULL else rng.sample(pairs, 6)

    def server(self, server):
        self.equip(server)
        for kind, err in self.kinds(server):
            limit = UNPLACED_TIMES if kind in UNPLACED else 1000
            for _ in range(limit if FULL else 2):
                if not self.one(server, kind, err):
                    break
        self.disarm(server)

    def starts(self, server):
        """The start of a server: it serves, or ends with a reason."""
        c = self.cluster
        self.ctl = Control(f"{WORK}/ctl.{server}")
        c.env[server] = {"LD_PRELOAD": SHIM, "FAULT_CTL": self.ctl.path}
        pairs = [(k, e) for k, errs in {**DISK, **MEMORY, **START, **NET}.items() for e in errs if k != "epoll_ctl"]
        for kind, err in pairs if FULL else rng.sample(pairs, 4):
            for _ in range(1000 if FULL else 2):
                self.end(server, "after its start")
                before = os.path.getsize(f"{WORK}/logs/{server}.log")
                self.ctl.arm(kind, err)
                good = c.start(server)
                at = self.ctl.fired()
                where = f"{server} starts: {kind} {errno.errorcode.get(err, 'short')} at {at}"
                if not good:
                    status, said = self.reason(server, before)
                    if FULL:
                        note(f"{where}: {said[-150:]}")
                    if not self.may_end(status, said):
                        self.failure(where, f"status {status}, {said}")
                    if not c.start(server):
                        raise RuntimeError(f"{where}: it does not start afterwards")
                if not at:
                    break
                self.fired += 1
        c.env.pop(server)

    def reason(self, server, before):
        status = self.cluster.children.pop(server).wait()
        with open(f"{WORK}/logs/{server}.log", errors="replace") as f:
            f.seek(before)
            return status, f.read().strip()

    def last_look(self):
        c = self.cluster
        for s in c.servers:
            c.end(s)
        c.start_all()
        for top, facts in self.kept.items():
            self.wait(in_child(lambda t=top, f=facts: verify(t, self.mounts, f)), "mds", f"{top}, after all servers were killed")
        report = c.check()
        if report:
            self.failure("the checker finds nothing", report)
        for m in ("b", "a"):
            c.unmount(m)
        c.end("mds", signal.SIGTERM)
        report = c.check_tables()
        if report:
            self.failure("the tables fit together", report)

    def run(self):
        self.up()
        for s in os.environ.get("FAULT_SERVERS", "mds oss0 mgs").split():
            began, was = time.monotonic(), self.fired
            self.server(s)
            print(f"ok - {s}: {self.fired - was} calls have failed, {time.monotonic() - began:.0f} s", flush=True)
            was = self.fired
            self.starts(s)
            print(f"ok - {s}: {self.fired - was} calls have failed at its start", flush=True)
        self.last_look()
        note(f"{self.fired} calls failed in {self.n} passes; {self.seen_errors} times the work got an error, "
             f"{self.died} times the server ended and was started again")


def main():
    note(f"seed {SEED}")
    sweep = Sweep()
    try:
        sweep.run()
    finally:
        sweep.cluster.close()
    print(("not ok" if sweep.failures else "ok") + f" - failing calls are survived{': ' + '; '.join(sweep.failures) if sweep.failures else ''}")
    return 1 if sweep.failures else 0


if __name__ == "__main__":
    sys.exit(main())
