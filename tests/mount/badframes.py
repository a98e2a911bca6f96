#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: badframes.py N PORT...    Sends N bad connections of each kind to each port and expects each to be closed by the server.

The frame is built by hand here from the description of common/wire.h, so that the test does not share code with what it tests.
A valid frame before the session exists must be answered or refused, never crash; a connection that only waits must not
disturb others.
"""
import random
import socket
import struct
import sys

MAGIC, VERSION, HDR = 0x4E454853, 1, 112
MAX_BODY, MAX_BULK = 256 << 10, 4 << 20


def crc32c_table():
    t = []
    for i in range(256):
        c = i
        for _ in range(8):
            c = (c >> 1) ^ 0x82F63B78 if c & 1 else c >> 1
        t.append(c)
    return t


TABLE = crc32c_table()


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = TABLE[(c ^ b) & 0xFF] ^ (c >> 8)
    return c ^ 0xFFFFFFFF


def frame(rpc=1, body=b"", bulk_len=0, magic=MAGIC, version=VERSION, body_len=None, crc=None, flags=0, slot=0,
          session=0, xid=1, bulk_crc=0, epoch=0):
    fields = struct.pack("<HHHHiIQQQQIIIIQI", version, rpc, flags, slot, 0, epoch, xid, session, 0, 0,
                         len(body) if body_len is None else body_len, bulk_len, bulk_crc, 1000, 0, 0)
    fields = fields.ljust(HDR - 8, b"\0")
    start = struct.pack("<I", magic)
    c = crc32c(start + b"\0\0\0\0" + fields + body) if crc is None else crc
    return start + struct.pack("<I", c) + fields + body


def kinds(rnd):
    yield "random bytes", rnd.randbytes(rnd.randrange(HDR, 4000))
    yield "another protocol", b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".ljust(HDR, b"x")
    yield "wrong magic", frame(magic=rnd.getrandbits(32))
    yield "unknown version", frame(version=rnd.randrange(2, 65536))
    yield "oversized body", frame(body_len=rnd.randrange(MAX_BODY + 1, 1 << 32))
    yield "oversized bulk", frame(bulk_len=rnd.randrange(MAX_BULK + 1, 1 << 32))
    yield "wrong crc", frame(body=rnd.randbytes(50), crc=rnd.getrandbits(32))
    yield "a flipped bit", flip(frame(rpc=1, body=rnd.randbytes(200)), rnd)


def flip(data, rnd):
    d = bytearray(data)
    at = rnd.choice([i for i in range(8, len(d)) if not 56 <= i < 64])  # not the lengths: the server would wait for more
    d[at] ^= 1 << rnd.randrange(8)
    return bytes(d)


def closed(s):
    """Reads until the server closes. True if it does so in time."""
    s.settimeout(20)
    try:
        while s.recv(65536):
            pass
        return True
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), 10)
    return s


def survive(port, data, shut=True):
    """Data that need not be refused with a close, but must do no harm."""
    with connect(port) as s:
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            s.settimeout(5)
            while s.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError, socket.timeout):
            pass


def main():
    n, ports = int(sys.argv[1]), [int(p) for p in sys.argv[2:]]
    rnd = random.Random(4711)
    bad = 0
    waiting = []
    for port in ports:
        for _ in range(20):  # idle ones, and one that stops in the middle of a header
            s = connect(port)
            s.sendall(frame()[:rnd.randrange(0, HDR)])
            waiting.append(s)
        for i in range(n):
            for what, data in kinds(rnd):
                with connect(port) as s:
                    try:
                        s.sendall(data)
                    except (ConnectionResetError, BrokenPipeError):
                        continue
                    if not closed(s):
                        bad += 1
                        print(f"port {port}: {what}: not closed")
            good = frame(rpc=rnd.choice((0, 1, 2, 3, 99, 100, 101, 200, 208, 210, 300, 301, 399, 400, 65535)),
                         body=rnd.randbytes(rnd.randrange(300)), session=rnd.getrandbits(64), epoch=rnd.getrandbits(32),
                         slot=rnd.getrandbits(16), flags=rnd.getrandbits(5), xid=rnd.getrandbits(64))
            survive(port, good)
            survive(port, good[:rnd.randrange(len(good))])
            survive(port, good * 5 + rnd.randbytes(30))
            survive(port, frame(rpc=301, body=rnd.randbytes(48), bulk_len=100000, flags=8) + rnd.randbytes(1000))
            if bad > 10:
                sys.exit(1)
    for s in waiting:
        s.close()
    print(f"# {n} rounds at {len(ports)} ports, {bad} failed")
    sys.exit(1 if bad else 0)


main()
