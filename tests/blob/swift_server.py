#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""swift_server.py - OpenStack Swift with its S3 interface, whole and in one process: swift_server.py DIRECTORY; prints its port.

Debian's python3-swift holds the servers' code without the packages that start daemons. Account, container, object and proxy server
listen on free ports of loopback and keep their data below DIRECTORY, which must be on a file system with extended attributes.
Unlike s3rver it checks signatures (version 4), checksums of bodies and conditions of reads, and lists and aborts the parts of uploads.
The key is test:tester, the secret testing. Run by Debian's own interpreter, whose package it is.
"""

import logging
import os
import sys

import eventlet
from eventlet import wsgi

eventlet.monkey_patch()
os.fsync = os.fdatasync = lambda fd: None  # nothing in here has to outlive the test

top = os.path.abspath(sys.argv[1])
os.makedirs(os.path.join(top, "devices", "d1"), exist_ok=True)
with open(os.path.join(top, "swift.conf"), "w") as f:
    f.write("[swift-hash]\nswift_hash_path_suffix = sheen\n")

from swift.common import utils  # noqa: E402

utils.SWIFT_CONF_FILE = os.path.join(top, "swift.conf")

from swift.account.server import AccountController  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402
from swift.container.server import ContainerController  # noqa: E402
from swift.obj.server import ObjectController  # noqa: E402

PROXY = """[DEFAULT]
swift_dir = {top}
log_level = ERROR
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:9
connect_timeout = 0.01
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
"""


def serve(sock, app):
    log = logging.getLogger("wsgi")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    eventlet.spawn(wsgi.server, sock, app, log, protocol=SwiftHttpProtocol)


def ring(name, port):
    builder = RingBuilder(0, 1, 0)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1",
                     "replication_port": port, "device": "d1", "weight": 1, "meta": ""})
    builder.rebalance()
    builder.get_ring().save(os.path.join(top, name + ".ring.gz"))


def main():
    conf = {"devices": os.path.join(top, "devices"), "swift_dir": top, "mount_check": "false", "log_level": "ERROR",
            "fallocate_reserve": "0", "disable_fallocate": "true"}
    utils.validate_hash_conf()
    parts = {}
    for name in ("account", "container", "object"):
        parts[name] = eventlet.listen(("127.0.0.1", 0))
        ring(name, parts[name].getsockname()[1])
    serve(parts["account"], AccountController(conf))
    serve(parts["container"], ContainerController(conf))
    serve(parts["object"], ObjectController(conf))
    with open(os.path.join(top, "proxy.conf"), "w") as out:
        out.write(PROXY.format(top=top))
    front = eventlet.listen(("127.0.0.1", 0))
    app = loadapp(os.path.join(top, "proxy.conf"))
    print("swift listens on", front.getsockname()[1], flush=True)
    serve(front, app)
    while True:
        eventlet.sleep(3600)


main()
