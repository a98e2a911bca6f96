# SPDX-License-Identifier: Apache-2.0
"""soak.py - kills, stops and restarts every daemon and clients at random under load: soak.py WORK PORT SECONDS SEED

Mounts a and b are never killed (stopped for up to three seconds: their leases are good for twelve), and nothing on them may
fail. Mount c is killed, frozen past its term and mounted again. When all is over the checker finds nothing.
"""

import os
import random
import signal
import subprocess
import sys
import time

from cluster import Cluster, die_with_parent, note, show_log, until

WORK, PORT, SECONDS, SEED = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
HERE = os.path.dirname(os.path.abspath(__file__))
STOP = f"{WORK}/stop"
LONG = SECONDS >= 120
STUCK = 180  # seconds in which everybody has to end: far above any bound
rng = random.Random(SEED)


class Load:
    def __init__(self, cluster):
        self.cluster = cluster
        self.workers = {}

    def start(self, kind, name, mounts):
        log = open(f"{WORK}/logs/work.{name}", "wb")
        argv = [sys.executable, f"{HERE}/work.py", kind, name, STOP, SEED, *[self.cluster.mounts[m] for m in mounts]]
        self.workers[name] = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        log.close()

    def ended_early(self):
        return [n for n, p in self.workers.items() if p.poll() is not None]

    def finish(self):
        """Lets all end; the names of those that had errors."""
        open(STOP, "w").close()
        end = time.monotonic() + STUCK
        bad = []
        for name, p in self.workers.items():
            try:
                p.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                note(f"{name} hangs: {stack_of(p.pid)}")
                p.kill()
                bad.append(name)
                continue
            with open(f"{WORK}/logs/work.{name}", errors="replace") as f:
                said = f.read().strip()
            print(("ok - " if p.returncode == 0 else "not ok - ") + (said if p.returncode == 0 else f"{name} has no errors\n{said[-3000:]}"))
            if p.returncode:
                bad.append(name)
        return bad


def stack_of(pid):
    out = []
    for path in ("wchan", "stack"):
        try:
            with open(f"/proc/{pid}/{path}") as f:
                out.append(f.read())
        except OSError:
            pass
    return " ".join(out)


# ---- what happens ----

def fault(cluster):
    """One fault: text, how it begins, how it ends, and after how many seconds."""
    who = rng.choice(["mds", "mds", "mgs", *cluster.servers[2:], *cluster.servers[2:], "a", "b", "c", "c"])
    if who in ("a", "b"):
        return f"stop {who}", lambda: cluster.send(who, signal.SIGSTOP), lambda: cluster.send(who, signal.SIGCONT), \
            rng.uniform(0.1, 3 if LONG else 1)
    if who == "c":
        if LONG and rng.random() < 0.25:
            return "freeze c", lambda: cluster.send("c", signal.SIGSTOP), lambda: cluster.send("c", signal.SIGCONT), rng.uniform(13, 40)
        return "kill c", lambda: kill_client(cluster, "c"), lambda: cluster.mount("c", cluster.options["c"]), rng.uniform(0, 3)
    kind = rng.random()
    if kind < 0.25:
        return f"stop {who}", lambda: cluster.send(who, signal.SIGSTOP), lambda: cluster.send(who, signal.SIGCONT), \
            rng.uniform(0.1, 8 if LONG else 2)
    sig = signal.SIGTERM if kind < 0.4 else signal.SIGKILL
    return f"{'end' if sig == signal.SIGTERM else 'kill'} {who}", lambda: cluster.end(who, sig), lambda: must_start(cluster, who), \
        rng.choice([0, rng.uniform(0, 1), rng.uniform(0, 5)])


def kill_client(cluster, name):
    cluster.end(name)
    cluster.unmount(name)


def must_start(cluster, who):
    if not cluster.start(who):
        raise RuntimeError(f"the {who} does not start again")


def happen(cluster, began, counts):
    """Up to three faults at once, of different processes; all are over when it returns."""
    faults = {}
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        text, begin, end, seconds = fault(cluster)
        faults.setdefault(text.split()[1], (text, begin, end, seconds))
    note(f"{time.monotonic() - began:6.1f} s: " + ", ".join(f"{text} for {seconds:.1f} s" for text, _, _, seconds in faults.values()))
    ends = []
    for text, begin, end, seconds in faults.values():
        begin()
        counts[text] = counts.get(text, 0) + 1
        ends.append((text == "kill c", time.monotonic() + seconds, end))
    for _, due, end in sorted(ends, key=lambda e: e[:2]):  # a mount needs the servers
        time.sleep(max(0, due - time.monotonic()))
        end()


def chaos(cluster, load):
    began, counts = time.monotonic(), {}
    while time.monotonic() - began < SECONDS:
        time.sleep(rng.choice([rng.uniform(0, 0.5), rng.uniform(0, 3), rng.uniform(0, 10 if LONG else 2)]))
        if load.ended_early():
            note(f"ended early: {load.ended_early()}")
            break
        happen(cluster, began, counts)
    note("in all: " + ", ".join(f"{n} times {text}" for text, n in sorted(counts.items())))


def counter_is_right(cluster):
    want = 0
    for m in ("a", "b"):
        with open(f"{STOP}.locks.{m}", encoding="ascii") as f:
            want += int(f.read())
    with open(f"{cluster.mounts['b']}/counter", encoding="ascii") as f:
        return int(f.read()) == want


def main():
    note(f"seed {SEED}, {SECONDS:.0f} s")
    cluster = Cluster(WORK, PORT)
    try:
        if not LONG:  # a dead client's locks are free after that
            cluster.set["mds"] = ["mdt.*.session_timeout=12"]
        cluster.format()
        cluster.start_all()
        for name, options in (("a", ""), ("b", "nouring"), ("c", "")):
            cluster.mount(name, options)
        load = Load(cluster)
        for name in ("names.1", "names.2"):
            load.start("names", name, ["a", "b"])
        for m in ("a", "b"):
            load.start("locks", f"locks.{m}", [m])
        subprocess.run([sys.executable, "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE rows "
                        "(who TEXT, n INTEGER, data BLOB, PRIMARY KEY (who, n))')", f"{WORK}/a/rows.db"], check=True, timeout=60)
        load.start("sqlite", "sqlite.a", ["a", "b"])
        load.start("sqlite", "sqlite.b", ["b", "a"])
        load.start("git", "git", ["a", "b"])
        load.start("fio", "fio", ["b", "a"])
        load.start("killed", "killed", ["c", "a"])
        load.start("sqlite_killed", "sqlite.c", ["c", "b"])
        chaos(cluster, load)
        failed = load.finish()
        if not failed and not counter_is_right(cluster):
            failed.append("locks")
            print("not ok - no two had the lock at once")
        failed += verdicts(cluster)
        if failed:
            for name in cluster.servers + ["a", "b", "c"]:
                show_log(cluster, name)
        return 1 if failed else 0
    finally:
        cluster.close()


def verdicts(cluster):
    failed = []

    def verdict(what, report):
        print(f"{'not ok' if report else 'ok'} - {what}" + (f"\n{report}" if report else ""), flush=True)
        if report:
            failed.append(what)
    verdict("the checker finds nothing", cluster.check())
    for m in ("c", "b", "a"):
        cluster.unmount(m)
    for name in reversed(cluster.servers):
        rc = cluster.end(name, signal.SIGTERM)
        verdict(f"the {name} ends well", None if rc == 0 else f"status {rc}")
    verdict("the tables of the MDT fit together", cluster.check_tables())
    return failed


if __name__ == "__main__":
    sys.exit(main())
