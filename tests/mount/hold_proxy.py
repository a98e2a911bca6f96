#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hold_proxy.py PORT_OF_SERVER PORT_FILE HOLD_FILE - an HTTP proxy on loopback before a blob server, for tests.

Each line "FROM TO" of HOLD_FILE, which is looked at all the time, holds the requests for ranges (x-ms-range) that begin at FROM or
behind it and before TO, until it is not there any more. The port it listens on is written to PORT_FILE.
"""
import http.client
import http.server
import os
import sys
import time

SERVER, PORT_FILE, HOLD = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def held(start):
    try:
        with open(HOLD) as f:
            return any(int(a) <= start < int(b) for a, b in (line.split() for line in f))
    except FileNotFoundError:
        return False


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        while wanted and held(int(wanted.split("=")[1].split("-")[0])):
            time.sleep(0.02)
        c = http.client.HTTPConnection("127.0.0.1", SERVER)
        c.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for k, v in self.headers.items():
            c.putheader(k, v)
        c.endheaders(body)
        r = c.getresponse()
        data = r.read()
        self.send_response_only(r.status, r.reason)
        for k, v in r.getheaders():
            if k.lower() not in ("transfer-encoding", "connection", "keep-alive", "content-length"):
                self.send_header(k, v)
        self.send_header("Content-Length", r.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        c.close()

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = forward

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
server.daemon_threads = True
with open(PORT_FILE + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
