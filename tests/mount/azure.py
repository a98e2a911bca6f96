#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""azure.py URL VERB ARG... - looks into azurite from outside, with a signature of its own.

  mkcontainer C [public]  list C [PREFIX]         names, one in a line
  cat C NAME              meta C NAME             key=value, sorted
  etag C NAME             put C NAME TEXT         rm C NAME
  fill C                  lines of JSON from stdin, each a list: name, text, metadata (an object)
"""
import base64
import concurrent.futures
import email.utils
import hashlib
import hmac
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

ACCOUNT = "devstoreaccount1"
KEY = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")


def call(verb, path, query=None, body=None, headers=None):
    query = query or {}
    h = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-08-06", **(headers or {})}
    quoted = urllib.parse.quote(path)
    size = str(len(body)) if body else ""
    if body is not None:
        h["Content-Type"] = "application/octet-stream"
    lines = [verb, "", "", size, "", h.get("Content-Type", ""), "", "", "", "", "", ""]
    lines += ["%s:%s" % (k, h[k]) for k in sorted(h) if k.startswith("x-ms-")]
    lines.append("/%s/%s%s" % (ACCOUNT, ACCOUNT, quoted))
    lines += ["%s:%s" % (k, query[k]) for k in sorted(query)]
    sign = hmac.new(KEY, "\n".join(lines).encode(), hashlib.sha256).digest()
    h["Authorization"] = "SharedKey %s:%s" % (ACCOUNT, base64.b64encode(sign).decode())
    url = sys.argv[1] + quoted + ("?" + urllib.parse.urlencode(query) if query else "")
    return urllib.request.urlopen(urllib.request.Request(url, data=body, headers=h, method=verb))


def names(container, prefix):
    marker = ""
    while True:
        query = {"restype": "container", "comp": "list"}
        if prefix:
            query["prefix"] = prefix
        if marker:
            query["marker"] = marker
        tree = xml.etree.ElementTree.fromstring(call("GET", "/" + container, query).read())
        yield from (e.text for e in tree.iter("Name"))
        marker = tree.findtext("NextMarker") or ""
        if not marker:
            return


def fill(container, line):
    name, text, meta = json.loads(line)
    headers = {"x-ms-blob-type": "BlockBlob", **{"x-ms-meta-" + k: v for k, v in meta.items()}}
    call("PUT", "/%s/%s" % (container, name), body=text.encode(), headers=headers).read()


def main():
    verb, container = sys.argv[2:4]
    path = "/%s/%s" % (container, sys.argv[4]) if len(sys.argv) > 4 else "/" + container
    if verb == "mkcontainer":
        public = {"x-ms-blob-public-access": "container"} if sys.argv[4:] == ["public"] else {}
        call("PUT", "/" + container, {"restype": "container"}, b"", public)
    elif verb == "list":
        print("\n".join(names(container, sys.argv[4] if len(sys.argv) > 4 else "")))
    elif verb == "cat":
        sys.stdout.buffer.write(call("GET", path).read())
    elif verb == "put":
        call("PUT", path, body=sys.argv[5].encode(), headers={"x-ms-blob-type": "BlockBlob"})
    elif verb == "fill":
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda line: fill(container, line), sys.stdin))
    elif verb == "rm":
        call("DELETE", path)
    else:
        head = call("HEAD", path).headers
        if verb == "etag":
            print(head["ETag"])
        else:
            meta = {k[len("x-ms-meta-"):].lower(): v for k, v in head.items() if k.lower().startswith("x-ms-meta-")}
            print("\n".join("%s=%s" % kv for kv in sorted(meta.items())))


try:
    main()
except urllib.error.HTTPError as e:
    sys.exit("%s: %d %s" % (sys.argv[2], e.code, e.reason))
