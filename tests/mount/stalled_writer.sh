#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A client's daemon is stopped when processes on it have just written, or are in the middle of it; another client writes the same files
# within the session's time. What had not come to the servers by then never gets there: when the first client wakes up, the
# files stay as the second one left them. One exception: the one write call that had not returned may take effect later.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 2 --osts 2
SESSION=${SESSION:-6}
MIB=4
MDS_NID=127.0.0.1@tcp:$((PORT + 1))
lctl set_param -n --nid "$MDS_NID" "mdt.*.session_timeout=$SESSION" || fail "the session's time is set"
is "the session's time is" "$(lctl get_param -n --nid "$MDS_NID" "mdt.*.session_timeout")" "$SESSION"
cat >"$WORK/writer.py" <<'P'
import os, sys
path, mib, stop, busy = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "busy"
f = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
errors = []
def attempt(what, fn, *args):
    try:
        fn(*args)
    except OSError as e:
        errors.append(f"{what}: {e}")
n = 0
while not errors and not os.path.exists(stop):
    for at in range(0, mib << 20, 65536):
        if not os.path.exists(stop):
            attempt("write", os.pwrite, f, b"a" * 65536, at)
    n += 1
    print("round", n, flush=True)
    if n == 2 and not busy:
        sys.stdin.read()  # until told to go on
        break
attempt("fsync", os.fsync, f)
attempt("close", os.close, f)
print("ended", *errors, flush=True)
P
cat >"$WORK/over.py" <<'P'
import os, sys
for path in sys.argv[2:]:
    f = os.open(path, os.O_RDWR)
    for at in range(0, int(sys.argv[1]) << 20, 1 << 20):
        os.pwrite(f, b"b" * (1 << 20), at)
    os.fsync(f)
    os.close(f)
P
cat >"$WORK/look.py" <<'P'
import os, sys
mib = int(sys.argv[1])
for path in sys.argv[2:]:
    with open(path, "rb", buffering=0) as f:
        data = b"".join(iter(lambda: f.read(1 << 20), b""))
    blocks = [data[at:at + 65536] for at in range(0, len(data), 65536)]
    late = [i for i, x in enumerate(blocks) if x != b"b" * 65536]
    allowed = 1 if "busy" in path and all(blocks[i] == b"a" * 65536 for i in late) else 0
    if len(data) != mib << 20 or len(late) > allowed:
        sys.exit(f"{path}: {len(data)} bytes; blocks of 64 KiB that are not the second client's: {late[:40]}")
P
look() { timeout 30 "$PY" "$WORK/look.py" $MIB "$@"; }
CP=$(client_pid "$MA")
like "the client's process is known" "$CP" '^[0-9]+$'
FILES="idle1 idle2 busy1 busy2"
ON_A=() ON_B=()
for f in $FILES; do
	ON_A+=("$A/$f")
	ON_B+=("$B/$f")
done
mkfifo "$WORK/in"
exec 7<>"$WORK/in"
for f in $FILES; do
	lfs setstripe -c "${f: -1}" -S 1M "$A/$f" || fail "lfs setstripe"
	$PY "$WORK/writer.py" "$A/$f" $MIB "$WORK/stop" "${f%?}" <"$WORK/in" >"$WORK/said.$f" 2>&1 7<&- &
	PIDS+=($!)
done
written() { for f in $FILES; do grep -q 'round 2$' "$WORK/said.$f" || return 1; done; }
ended() { for f in $FILES; do grep -q ended "$WORK/said.$f" || return 1; done; }
check "processes on the first client write" until_true 60 written
kill -STOP "$CP"
START=$SECONDS
check "the second client writes the same files within 30 s" timeout 30 "$PY" "$WORK/over.py" $MIB "${ON_B[@]}"
note "it took $((SECONDS - START)) s"
check "and reads what it wrote" look "${ON_B[@]}"
# Longer than the session: what the first client still has to write is only late by now.
[ $((SECONDS - START)) -gt $((SESSION + 2)) ] || sleep $((START + SESSION + 2 - SECONDS))
touch "$WORK/stop" # its processes write no more
kill -CONT "$CP"
END=$((SECONDS + 3))
while [ $SECONDS -lt $END ]; do
	look "${ON_B[@]}" >"$WORK/looked" 2>&1 || { fail "the files stay as the second client left them: $(cat "$WORK/looked")"; break; }
done
exec 7>&- # its processes sync and close
check "its processes end" until_true 60 ended
tail -qn 1 "$WORK"/said.* | sed 's/^/# one said: /'
check "the files are right when all is closed, on the second client" look "${ON_B[@]}"
check "and on the first" look "${ON_A[@]}"
check "the first client works" timeout 30 sh -c 'echo x >"$0/x" && cat "$1/x"' "$A" "$B"
finish
