#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""list_server.py HOLD DIRS FILES [NAME...] - answers List Blobs as Azure does, for DIRS directories of FILES blobs each, and for these
names as well; nothing else. Prints its port. What it sends is made before, so that it is no measure of the client's speed. While a file
HOLD is there, it has the number of pages that are answered; who asks for more waits."""
import bisect
import http.server
import socketserver
import sys
import threading
import time
import urllib.parse
import xml.sax.saxutils

BLOB = """<Blob><Name>%s</Name><Properties><Last-Modified>Mon, 03 Feb 2020 04:05:06 GMT</Last-Modified><Etag>0x8D%012X</Etag>\
<Content-Length>%d</Content-Length><Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType>\
<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties><Metadata><owner>1000</owner><group>1000</group>\
<permissions>0640</permissions><modtime>2020-02-03 04:05:06 +0000</modtime></Metadata></Blob>"""


def make(dirs, files, names):
    names = sorted(names + ["d%05d/file%07d" % (d, f) for d in range(dirs) for f in range(files)])
    return names, [(BLOB % (xml.sax.saxutils.escape(n), i, i % 100000)).encode() for i, n in enumerate(names)]


NAMES, BLOBS = make(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])


def page(prefix, delimiter, marker, most):
    """Entries from marker (an index) on, and where to go on."""
    at = int(marker) if marker else bisect.bisect_left(NAMES, prefix)
    out = []
    while at < len(NAMES) and NAMES[at].startswith(prefix) and len(out) < most:
        slash = NAMES[at].find("/", len(prefix)) if delimiter else -1
        if slash < 0 and not delimiter:
            end = min(at + most - len(out), len(NAMES))
            if not NAMES[end - 1].startswith(prefix):
                end = bisect.bisect_left(NAMES, prefix + chr(0x10FFFF), at, end)
            out += BLOBS[at:end]
            at = end
        elif slash < 0:
            out.append(BLOBS[at])
            at += 1
        else:
            below = NAMES[at][: slash + 1]
            out.append(b"<BlobPrefix><Name>%s</Name></BlobPrefix>" % xml.sax.saxutils.escape(below).encode())
            at = bisect.bisect_left(NAMES, below + chr(0x10FFFF), at)
    more = at < len(NAMES) and NAMES[at].startswith(prefix)
    return out, str(at) if more else ""


ANSWERED = 0
LOCK = threading.Lock()


def may_answer():
    global ANSWERED
    with LOCK:
        try:
            with open(sys.argv[1]) as f:
                text = f.read()
        except FileNotFoundError:
            text = "1000000000"
        if not text.strip() or ANSWERED >= int(text):
            return False
        ANSWERED += 1
        return True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        while not may_answer():
            time.sleep(0.01)
        q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        out, more = page(q.get("prefix", ""), "delimiter" in q, q.get("marker"), int(q.get("maxresults", 5000)))
        body = b"<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>%s</Blobs><NextMarker>%s</NextMarker>" \
            b"</EnumerationResults>" % (b"".join(out), more.encode())
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # its client was killed


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
