#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: badwire.py PORT TO_PORT    A wire that flips bits: whoever connects to PORT of 127.0.0.1 speaks with TO_PORT.

It knows the frame of common/wire.h: a header of 112 bytes, a body, bulk. Orders come on stdin, a line each, and are answered on
stdout when they hold, with what was flipped until then in requests and in replies:
  off            pass everything as it is
  bulk N         one bit in the bulk of every Nth frame that has 64 KiB or more, but never twice for the same request
  hopeless       one bit in the bulk of every such frame
  frame N        one bit in the header or the body of every Nth frame (not in the lengths)
  length         the next request says that its body is 64 KiB longer than it is; then off
"""
import random
import socket
import struct
import sys
import threading

HDR, LARGE = 112, 64 << 10
XID, LENGTHS = 24, 56
WAYS = ("requests", "replies")


class Damage:
    """What to do with a frame; shared by all connections."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rnd = random.Random(1)
        self.order("off")

    def order(self, mode, n=0):
        with self.lock:
            self.mode, self.n = mode, int(n)
            self.seen = dict.fromkeys(WAYS, 0)
            self.flipped = dict.fromkeys(WAYS, 0)
            self.hit = set()

    def where(self, way, frame, head_len):
        """The byte of the frame to damage, or None."""
        with self.lock:
            at = self._where(way, frame, head_len)
            if at is not None:
                self.flipped[way] += 1
            return at

    def _where(self, way, frame, head_len):
        large = len(frame) - head_len >= LARGE
        if self.mode == "length" and way == "requests":
            self.mode = "off"
            return LENGTHS + 2
        if self.mode == "frame":
            self.seen[way] += 1
            at = self.rnd.randrange(head_len)
            return at if self.seen[way] % self.n == 0 and not LENGTHS <= at < LENGTHS + 8 else None
        if self.mode not in ("bulk", "hopeless") or not large:
            return None
        self.seen[way] += 1
        if self.mode == "bulk":
            key = (way, bytes(frame[XID:XID + 8]))
            if self.seen[way] % self.n or key in self.hit:
                return None
            self.hit.add(key)
        return self.rnd.randrange(head_len, len(frame))


def read_all(sock, buf):
    view, got = memoryview(buf), 0
    while got < len(buf):
        n = sock.recv_into(view[got:])
        if n == 0:
            return False
        got += n
    return True


def pump(src, dst, way, damage):
    head = bytearray(HDR)
    try:
        while read_all(src, head):
            body_len, bulk_len = struct.unpack_from("<II", head, LENGTHS)
            rest = bytearray(body_len + bulk_len)
            if not read_all(src, rest):
                break
            frame = head + rest
            at = damage.where(way, frame, HDR + body_len)
            if at is not None:
                frame[at] ^= 1 if damage.mode == "off" else 1 << at % 8
            dst.sendall(frame)
    except OSError:
        pass  # one side has closed: so does the other
    for s in (src, dst):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(listener, to, damage):
    while True:
        near, _ = listener.accept()
        far = socket.socket()
        try:
            far.connect(to)
        except OSError:
            near.close()
            continue
        for a, b, way in ((near, far, "requests"), (far, near, "replies")):
            a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=pump, args=(a, b, way, damage), daemon=True).start()


def main():
    port, to = int(sys.argv[1]), int(sys.argv[2])
    damage = Damage()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    threading.Thread(target=serve, args=(listener, ("127.0.0.1", to), damage), daemon=True).start()
    print("ready", flush=True)
    for nr, line in enumerate(sys.stdin, 1):
        before = [damage.flipped[w] for w in WAYS]
        damage.order(*line.split())
        print(nr, *before, flush=True)


main()
