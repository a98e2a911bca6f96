#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""proxy.py - a fault proxy between blob/ and a blob server: proxy.py UPSTREAM_PORT; prints its own port.

Requests pass as they are, byte for byte, over one connection to the server for each of the client's. What goes wrong is said by
requests of its own: GET /__fault?match=SUBSTRING&do=WHAT[&arg=...][&times=N][&skip=N] for the next N requests whose "METHOD target range"
contains SUBSTRING; GET /__reset forgets faults and counts; GET /__count?match=SUBSTRING says how many requests arrived that contain it.
GET /__identity plays the endpoint of managed identities: a token that azurite takes for one (`ttl`: how long it lives).

Faults: drop (no answer, not forwarded), lose (forwarded, its answer is lost), status (arg: STATUS,CODE[,RETRY_AFTER]),
truncate (arg: bytes of the body), stall (no answer until the client leaves), stallbody (arg: bytes, then nothing), etag (another ETag),
range (another Content-Range), norange (the server is not told of the range), nomatch (the server is not told of conditions), corrupt (one
byte of the answer's body), corruptup (one byte of the request's), headers (arg: how many more), body (arg: the answer's body instead), longer
(a body that is longer than asked for), slow (arg: bytes in a piece, with a pause after each).
"""

import base64
import json
import re
import socket
import sys
import threading
import time
import urllib.parse

upstream = int(sys.argv[1])
lock = threading.Lock()
faults = []
seen = []


class Gone(Exception):
    pass


class Stream:
    def __init__(self, sock):
        self.sock = sock
        self.buf = b""

    def more(self):
        data = self.sock.recv(1 << 20)
        if not data:
            raise Gone
        self.buf += data

    def head(self):
        while b"\r\n\r\n" not in self.buf:
            self.more()
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        return head.split(b"\r\n")

    def take(self, n):
        parts = [self.buf[:n]]
        have = len(parts[0])
        self.buf = self.buf[n:]
        while have < n:
            data = self.sock.recv(min(1 << 20, n - have))
            if not data:
                raise Gone
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def chunked(self):
        out = b""
        while True:
            while b"\r\n" not in self.buf:
                self.more()
            size, self.buf = self.buf.split(b"\r\n", 1)
            n = int(size.split(b";")[0], 16)
            if n == 0:
                while b"\r\n" not in self.buf:
                    self.more()
                self.buf = self.buf.split(b"\r\n", 1)[1]
                return out
            out += self.take(n)
            self.take(2)


def header(lines, name):
    for line in lines[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


def without(lines, *names):
    return lines[:1] + [ln for ln in lines[1:] if ln.partition(b":")[0].strip().lower() not in names]


def request_body(client, lines):
    if header(lines, b"transfer-encoding") == b"chunked":
        return client.chunked()
    return client.take(int(header(lines, b"content-length") or 0))


def answer_body(server, lines, method):
    """The body, with the head's lengths made plain."""
    status = int(lines[0].split()[1])
    if method == "HEAD" or status in (204, 304):
        return lines, None
    if header(lines, b"transfer-encoding") == b"chunked":
        body = server.chunked()
        lines = without(lines, b"transfer-encoding") + [b"Content-Length: %d" % len(body)]
        return lines, body
    n = header(lines, b"content-length")
    if n is None:
        return lines + [b"Content-Length: 0"], b""
    return lines, server.take(int(n))


def find_fault(text):
    with lock:
        seen.append(text)
        for f in faults:
            if f["match"] in text:
                if f["skip"] > 0:
                    f["skip"] -= 1
                    continue
                f["times"] -= 1
                if f["times"] == 0:
                    faults.remove(f)
                return f["do"], f["arg"]
    return None, ""


def token(ttl):
    def part(x):
        return base64.urlsafe_b64encode(json.dumps(x).encode()).decode().rstrip("=")
    now = int(time.time())
    claims = {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
              "nbf": now - 60, "iat": now - 60, "exp": now + ttl, "sub": "sheen"}
    return part({"alg": "HS256", "typ": "JWT"}) + "." + part(claims) + "." + base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")


def own(target, lines):
    path, _, query = target.partition("?")
    q = {k: v[0] for k, v in urllib.parse.parse_qs(query, keep_blank_values=True).items()}
    with lock:
        if path == "/__fault":
            faults.append({"match": q["match"], "do": q["do"], "arg": q.get("arg", ""), "times": int(q.get("times", 1)),
                           "skip": int(q.get("skip", 0))})
            return "ok"
        if path == "/__reset":
            faults.clear()
            seen.clear()
            return "ok"
        if path == "/__count":
            return str(sum(q["match"] in s for s in seen))
        if path == "/__identity":
            seen.append("IDENTITY")
            if header(lines, b"metadata") != b"true" or q.get("resource") != "https://storage.azure.com/":
                return "{}"
            ttl = int(q.get("ttl", 3600))
            return json.dumps({"access_token": token(3600), "expires_in": str(ttl), "token_type": "Bearer"})
    return "?"


def send(sock, lines, body):
    sock.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))


def reply(sock, status, body, extra=()):
    send(sock, [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *extra], body)


def wait_gone(sock):
    while sock.recv(65536):
        pass
    raise Gone


def change_request(do, arg, lines, body):
    if do == "norange":
        lines = without(lines, b"range", b"x-ms-range")
    if do == "nomatch":
        lines = without(lines, b"if-match", b"if-none-match")
    if do == "corruptup" and body:
        body = body[:-1] + bytes([body[-1] ^ 1])
    return lines, body


def change_answer(do, arg, lines, body):
    if do == "etag":
        lines = without(lines, b"etag") + [b'ETag: "wrong"']
    if do == "range":
        lines = without(lines, b"content-range") + [b"Content-Range: bytes " + arg.encode()]
    if do == "corrupt" and body:
        body = body[:-1] + bytes([body[-1] ^ 1])
    if do == "headers":
        lines = lines + [b"x-more-%d: yes" % i for i in range(int(arg))]
    if do == "longer":
        body = body + b"x" * 100
    if do == "body":
        body = arg.encode()
    if do in ("longer", "body"):
        lines = without(lines, b"content-length") + [b"Content-Length: %d" % len(body)]
    return lines, body


def send_changed(sock, do, arg, lines, body):
    if do in ("truncate", "stallbody"):
        send(sock, lines, body[:int(arg)])
        if do == "truncate":
            raise Gone
        wait_gone(sock)
    if do == "slow":
        send(sock, lines, b"")
        for i in range(0, len(body), int(arg)):
            sock.sendall(body[i:i + int(arg)])
            time.sleep(0.01)
        return
    send(sock, lines, body)


def one(client, server):
    lines = client.head()
    method, target = lines[0].decode().split()[:2]
    body = request_body(client, lines)
    if target.startswith("/__"):
        reply(client.sock, 200, own(target, lines).encode())
        return server
    span = header(lines, b"range") or b""
    do, arg = find_fault(f"{method} {urllib.parse.unquote(target)} {span.decode()}")
    if do == "drop":
        raise Gone
    if do == "stall":
        wait_gone(client.sock)
    if do == "status":
        status, code, *after = arg.split(",")
        text = "<?xml version='1.0'?><Error><Code>%s</Code><Message>said the proxy sig=SECRET&amp;x=1</Message></Error>" % code
        extra = [b"Retry-After: " + after[0].encode()] if after else []
        reply(client.sock, int(status), b"" if method == "HEAD" else text.encode(), extra)
        return server
    lines, body = change_request(do, arg, lines, body)
    if server is None:
        server = Stream(socket.create_connection(("127.0.0.1", upstream)))
        server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = without(lines, b"transfer-encoding", b"content-length") + (
        [b"Content-Length: %d" % len(body)] if body or method in ("PUT", "POST") else [])
    send(server.sock, lines, body)
    lines = server.head()
    while re.match(rb"HTTP/1.1 1\d\d", lines[0]):
        lines = server.head()
    lines, body = answer_body(server, lines, method)
    if do == "lose":
        raise Gone
    lines, body = change_answer(do, arg, lines, body)
    send_changed(client.sock, do, arg, lines, body)
    if header(lines, b"connection") == b"close":
        raise Gone
    return server


def serve(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client, server = Stream(sock), None
    try:
        while True:
            server = one(client, server)
    except (Gone, OSError):
        pass
    finally:
        sock.close()
        if server:
            server.sock.close()


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


main()
