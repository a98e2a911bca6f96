# SPDX-License-Identifier: Apache-2.0
"""ostloss.py - the machine of an OSS loses its power under load, clients and the MDS live: ostloss.py WORK PORT RECORDER ROUNDS SEED

Two OSTs lie on ext4 on a disk of disk_recorder.c. Processes on two mounts write, cut, remove and move files of their own, of which
they know every byte, and compare them through the other mount. In each round the OSS's process is stopped, an image is made of what
its disk could have if the power went now, the process is killed, and another life begins on that image, on "another machine". Nobody
may see an error, or a byte that is not what was written last; at the end the checker has to find nothing.
"""

import os
import random
import signal
import subprocess
import sys
import time

from cluster import die_with_parent, note, show_log, until
from powerloss import WORK, PORT, SEED, Disks, new_cluster, rng, run

ROUNDS = int(sys.argv[4])
MOST = 2 << 20  # bytes of a file
FILES = 5


class Worker:
    """Files of one process, through two mounts."""

    def __init__(self, name, mine, other):
        self.rng = random.Random(f"{SEED}/{name}")
        self.mine, self.other = f"{mine}/{name}", f"{other}/{name}"
        self.files, self.n = {}, 0
        os.makedirs(self.mine, exist_ok=True)

    def make(self):
        self.n += 1
        self.files[f"f{self.n}"] = bytearray()

    def write(self, name):
        data = self.files[name]
        length = self.rng.choice([1, 100, 5000, 60000, 300000])
        at = len(data) if self.rng.random() < 0.4 else self.rng.randrange(min(MOST, len(data) + 70000) + 1)
        new = self.rng.randbytes(length)
        flags = os.O_CREAT | os.O_RDWR | (os.O_SYNC if self.rng.random() < 0.05 else 0)
        fd = os.open(f"{self.mine}/{name}", flags, 0o644)
        done = 0
        while done < length:
            done += os.pwrite(fd, new[done:], at + done)
        if self.rng.random() < 0.2:
            os.fsync(fd)
        os.close(fd)
        if at > len(data):
            data.extend(bytes(at - len(data)))
        data[at:at + length] = new

    def cut(self, name):
        data, size = self.files[name], self.rng.randrange(MOST)
        fd = os.open(f"{self.mine}/{name}", os.O_CREAT | os.O_RDWR, 0o644)
        os.ftruncate(fd, size)
        os.close(fd)
        data.extend(bytes(max(0, size - len(data))))
        del data[size:]

    def compare(self, name):
        if not self.files[name]:
            return
        with open(f"{self.other}/{name}", "rb") as f:
            got = f.read()
        if got != self.files[name]:
            want = self.files[name]
            at = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w), min(len(got), len(want)))
            raise AssertionError(f"{self.other}/{name}: {len(got)} bytes, not {len(want)}; the first wrong one is {at}")

    def step(self):
        if len(self.files) < FILES:
            self.make()
        name = self.rng.choice(list(self.files))
        kind = self.rng.random()
        if kind < 0.7:
            self.write(name)
        elif kind < 0.78:
            self.cut(name)
        elif kind < 0.82 and self.files[name]:
            os.rename(f"{self.mine}/{name}", f"{self.mine}/{name}.m")
            self.files[f"{name}.m"] = self.files.pop(name)
        elif kind < 0.87 and self.files[name]:
            os.unlink(f"{self.mine}/{name}")
            del self.files[name]
        else:
            self.compare(name)

    def run(self):
        while not os.path.exists(f"{WORK}/enough"):
            self.step()
        for name in self.files:
            self.compare(name)


def start(cluster):
    pids = []
    for i in range(4):
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            status = 1
            try:
                a, b = cluster.mounts["a"], cluster.mounts["b"]
                Worker(f"work{i}", *((a, b) if i % 2 else (b, a))).run()
                status = 0
            except BaseException:  # pylint: disable=broad-except
                import traceback
                traceback.print_exc()
            os._exit(status)
        pids.append(pid)
    return pids


def free(mnt):
    """io_uring lets go of files a moment after its process is gone."""
    until(f"{mnt} is free", 60, lambda: subprocess.run(["umount", mnt], check=False, stderr=subprocess.DEVNULL).returncode == 0)


def lose_power(cluster, disks, n):
    """The next life of the OSS finds what its disk could have."""
    path = f"{WORK}/image{n}"
    cluster.send("oss0", signal.SIGSTOP)
    disks.lose(path)
    cluster.end("oss0")
    mnt, loop = disks.mounts[1], disks.loops.pop()
    free(mnt)
    run("losetup", "-d", loop)
    run("dd", f"if={path}.1", f"of={disks.fuse}/1", "bs=1M", "conv=notrunc,fsync", "status=none")
    os.unlink(f"{path}.0")
    os.unlink(f"{path}.1")
    disks.loops.append(run("losetup", "-f", "--show", f"{disks.fuse}/1").strip())
    run("mount", disks.loops[-1], mnt)
    for ost in cluster.osts[0]:
        with open(f"{ost}/O/power", "r+b") as f:  # 16 digits, a blank, the machine's name in 40
            f.seek(17)
            f.write(b"another machine".replace(b" ", b"-").ljust(40))
    if not cluster.start("oss0"):
        raise RuntimeError("the OSS does not start")


def rounds(cluster, disks):
    pids = start(cluster)
    for n in range(ROUNDS):
        time.sleep(rng.uniform(0.5, 6))
        began = time.monotonic()
        lose_power(cluster, disks, n)
        note(f"round {n}: the OSS serves again after {time.monotonic() - began:.1f} s")
        dead = [p for p in pids if os.waitpid(p, os.WNOHANG)[0]]
        if dead:
            pids = [p for p in pids if p not in dead]
            break
    open(f"{WORK}/enough", "wb").close()
    return [p for p in pids if os.waitpid(p, 0)[1]] or len(pids) < 4


def main():
    note(f"seed {SEED}")
    disks, bad = Disks(), None
    cluster = new_cluster(disks, PORT)
    try:
        disks.format()
        cluster.format()
        cluster.start_all()
        cluster.mount("a")
        cluster.mount("b", "nouring")
        subprocess.run(["sync"], check=True)
        bad = rounds(cluster, disks)
        print(f"{'not ok' if bad else 'ok'} - nobody saw an error or a wrong byte in {ROUNDS} losses of power")
        report = None if bad else cluster.check()
        print(f"{'not ok' if report else 'ok'} - the checker finds nothing")
        if report:
            print(report)
        if bad or report:
            for name in ("oss0", "mds", "a", "b"):
                show_log(cluster, name, 25)
    finally:
        cluster.close()
        for mnt in disks.mounts:
            if os.path.ismount(mnt):
                free(mnt)
        disks.close()
    return 1 if bad or report else 0


if __name__ == "__main__":
    sys.exit(main())
