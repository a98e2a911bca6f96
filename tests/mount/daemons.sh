#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Life of a daemon: background and foreground, status at start, pid file, readiness for systemd, SIGHUP, SIGTERM, log levels, ports.
. "$(dirname "$0")/lib.sh"
requires_root
PORT=$(free_port)
NID=127.0.0.1@tcp:$PORT
mkfs.sheen --mgs "$WORK/mgs" >/dev/null || die "mkfs"
check "sheen-mgs goes to the background and returns when it serves" timeout 30 sheen-mgs --pid-file "$WORK/pid" --listen "$NID" --syslog "$WORK/mgs"
PID=$(cat "$WORK/pid" 2>/dev/null)
like "the pid file names it" "$PID" '^[0-9]+$'
SERVERS+=("${PID:-0}")
is "it is that program" "$(cat "/proc/$PID/comm")" sheen-mgs
check "it answers at once" lctl ping "$NID"
check_fails 1 "a second one on the directory fails with status 1" timeout 30 sheen-mgs --listen 127.0.0.1@tcp:$((PORT + 1)) "$WORK/mgs"
like "and says why" "$OUT" 'already|use'
mkfs.sheen --mgs "$WORK/mgs2" >/dev/null
check_fails 1 "a port in use is an error when it was asked for" timeout 30 sheen-mgs --listen "$NID" "$WORK/mgs2"
like "that is named" "$OUT" 'in use|listen'
kill -HUP "$PID"
check "SIGHUP does not end it" lctl ping "$NID"
kill -TERM "$PID"
check "SIGTERM ends it" until_true 20 gone "$PID"
check "the pid file is gone" test ! -e "$WORK/pid"

# sd_notify
cat >"$WORK/notify.py" <<'P'
import os, signal, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
s.bind(path)
s.settimeout(20)
p = subprocess.Popen(sys.argv[2:], env=dict(os.environ, NOTIFY_SOCKET=path))
def wait_for(word):
    for _ in range(20):
        if word in s.recv(4096).decode():
            return
    raise SystemExit(f"no {word}")
wait_for("READY=1")
p.send_signal(signal.SIGHUP)
wait_for("RELOADING=1")
p.terminate()
wait_for("STOPPING=1")
sys.exit(p.wait(20))
P
check "systemd is told READY, RELOADING and STOPPING, and the exit status is 0" \
	timeout 60 $PY "$WORK/notify.py" "$WORK/sock" sheen-mgs --foreground --listen "$NID" "$WORK/mgs"

sheen-mgs --foreground --debug debug --listen "$NID" "$WORK/mgs" 2>"$WORK/log" &
SERVERS+=($!)
check "in the foreground it logs to stderr" until_true 10 grep -q 'listening' "$WORK/log"
like "in one form" "$(tail -n 1 "$WORK/log")" '^20[0-9-]+T[0-9:.]+Z sheen-mgs\[[0-9]+\] (ERROR|WARN|INFO|DEBUG) '
kill_wait TERM "${SERVERS[-1]}"

# without --listen: the usual port or the next free one at the first start, remembered from then on
for p in sheen-mgs sheen-mds sheen-oss; do
	check_fails any "$p: an unknown option is refused" $p --nonsense
	check "$p --help" $p --help
	check "$p --version" $p --version
	check_fails any "$p without a directory" timeout 20 $p --foreground
done
finish
