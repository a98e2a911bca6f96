# SPDX-License-Identifier: Apache-2.0
"""cluster.py - a cluster whose processes are children of the test, so that each can be killed, stopped and started by itself.

Every child dies with the test (PR_SET_PDEATHSIG); the shell test that called us unmounts what is left. Logs of all lives of a
daemon are one file, LOGS/NAME.log.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

BIN = os.environ["SHEEN_BIN"]
FSNAME = "crash"
libc = ctypes.CDLL(None)


def note(text):
    print("#", text, flush=True)


def die_with_parent():
    libc.prctl(1, signal.SIGKILL)


def until(what, seconds, true):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def tool(name, *args, seconds=120):
    r = subprocess.run([f"{BIN}/{name}", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=seconds, text=True)
    return r.returncode, r.stdout


def must(name, *args, seconds=120):
    rc, out = tool(name, *args, seconds=seconds)
    if rc:
        raise RuntimeError(f"{name} {' '.join(args)}: status {rc}: {out}")
    return out


class Cluster:
    def __init__(self, work, port, oss=2, osts=2, mdt_dir=None, ost_dir=None):
        self.work, self.port = work, port
        self.nid = f"127.0.0.1@tcp:{port}"
        self.mdt = f"{mdt_dir or work}/mdt"
        self.mgt = f"{mdt_dir or work}/mgs"
        self.osts = [[f"{ost_dir or work}/ost{i * osts + k}" for k in range(osts)] for i in range(oss)]
        self.servers = ["mgs", "mds"] + [f"oss{i}" for i in range(oss)]
        self.children = {}  # name: Popen
        self.mounts = {}    # name: mount point
        self.options = {}
        self.env = {}       # name: environment of a server's next start
        self.set = {}       # name: parameters
        os.makedirs(f"{work}/logs", exist_ok=True)

    def format(self):
        must("mkfs.sheen", "-q", "--mgs", self.mgt)
        target = ["-q", f"--fsname={FSNAME}", f"--mgsnode={self.nid}"]
        must("mkfs.sheen", *target, "--mdt", "--index=0", self.mdt)
        for i, path in enumerate(p for dirs in self.osts for p in dirs):
            must("mkfs.sheen", *target, "--ost", f"--index={i}", path)

    def at(self, name):
        return f"127.0.0.1@tcp:{self.port + self.servers.index(name)}"

    def spawn(self, name, argv, env=None):
        log = open(f"{self.work}/logs/{name}.log", "ab", buffering=0)
        self.children[name] = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                               preexec_fn=die_with_parent, env={**os.environ, **(env or {})})
        log.close()

    def start(self, name, seconds=60):
        """Starts a server; returns when it serves, False when it ended before."""
        ready = f"{self.work}/{name}.pid"
        if os.path.exists(ready):
            os.unlink(ready)
        dirs = {"mgs": [self.mgt], "mds": [self.mdt]}.get(name) or self.osts[int(name[3:])]
        self.spawn(name, [f"{BIN}/sheen-{name[:3]}", "-f", "--listen", self.at(name), "--pid-file", ready,
                          *(f"--set={p}" for p in self.set.get(name, [])), *dirs], self.env.get(name))
        until(f"the {name} serves", seconds, lambda: os.path.exists(ready) or not self.alive(name))
        return self.alive(name)

    def start_all(self):
        for name in self.servers:
            if not self.alive(name) and not self.start(name):
                raise RuntimeError(f"the {name} does not start")

    def alive(self, name):
        return name in self.children and self.children[name].poll() is None

    def send(self, name, sig):
        if self.alive(name):
            self.children[name].send_signal(sig)

    def end(self, name, sig=signal.SIGKILL, seconds=60):
        """Ends a process; its status."""
        p = self.children.pop(name)
        if p.poll() is None:
            p.send_signal(sig)
            if sig != signal.SIGKILL:
                p.send_signal(signal.SIGCONT)
        return p.wait(seconds)

    def mount(self, name, options=""):
        mnt = f"{self.work}/{name}"
        os.makedirs(mnt, exist_ok=True)
        self.mounts[name] = mnt
        self.options[name] = options
        began = self.log_size(name)
        self.spawn(name, [f"{BIN}/sheen", f"{self.nid}:/{FSNAME}", mnt, "-f", *(["-o", options] if options else [])])
        until(f"{name} is mounted", 60, lambda: "mounted on" in self.said(name, began) or not self.alive(name))
        if not self.alive(name):
            raise RuntimeError(f"mount {name} fails")
        return mnt

    def log_size(self, name):
        path = f"{self.work}/logs/{name}.log"
        return os.path.getsize(path) if os.path.exists(path) else 0

    def said(self, name, since):
        with open(f"{self.work}/logs/{name}.log", errors="replace") as f:
            f.seek(since)
            return f.read()

    def mounted(self, name):
        with open("/proc/self/mounts") as f:
            return any(line.split()[1] == self.mounts[name] for line in f)

    def unmount(self, name):
        """Also of one whose process is gone."""
        if self.mounted(name):
            lazy = [] if self.alive(name) else ["-l"]
            subprocess.run(["umount", *lazy, self.mounts[name]], timeout=120, check=True)
        if name in self.children:
            self.children.pop(name).wait(60)

    def check(self, allowed=()):
        """The online checker, which only reports. None when it finds nothing but the allowed kinds, else its report."""
        where = ["-M", f"{FSNAME}-MDT0000", "--nid", self.at("mds")]
        must("lctl", "lfsck_start", *where, "-r")
        must("lctl", "lfsck_query", *where, "-w", seconds=600)
        report = must("lctl", "get_param", "-n", "--nid", self.at("mds"), "mdd.*.lfsck_{namespace,layout,findings}")
        kinds = {line.split()[1] for line in report.splitlines() if line.startswith("found ")}
        told = kinds or report.count("inconsistent_phase1: 0\n") == 2
        return None if report.count("status: completed") == 2 and told and kinds <= set(allowed) else report

    def check_tables(self):
        """Of the MDT of an MDS that does not run. None when they fit together."""
        rc, out = tool("sheen-mds", "--check", self.mdt)
        return out if rc else None

    def close(self):
        for name, mnt in self.mounts.items():
            if self.mounted(name):
                self.send(name, signal.SIGCONT)
                subprocess.run(["umount", "-l", mnt], timeout=60, check=False)
        for name in list(self.children):
            self.end(name)


def show_log(cluster, name, lines=15):
    note(f"end of {name}.log:")
    with open(f"{cluster.work}/logs/{name}.log", errors="replace") as f:
        for line in f.readlines()[-lines:]:
            sys.stdout.write("\t" + line)
