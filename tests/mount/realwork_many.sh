#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A directory of very many files: created by four processes on two mounts, listed, looked at, removed.
. "$(dirname "$0")/lib.sh"
shared_cluster
N=${MANY:-5000}
[ "$SCALE" = soak ] && N=${MANY:-1000000}
cat >"$WORK/many.py" <<'P'
import os, sys, time
what, n, roots = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
def each(fn):
    pids = []
    for w in range(4):
        pid = os.fork()
        if pid == 0:
            rc = 1
            try:
                d = os.open(roots[w % len(roots)], os.O_RDONLY)
                for i in range(w, n, 4):
                    fn(d, f"file-{i:07d}")
                rc = 0
            finally:
                os._exit(rc)
        pids.append(pid)
    assert not any([os.waitpid(p, 0)[1] for p in pids])
t = time.time()
if what == "create":
    each(lambda d, f: os.close(os.open(f, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644, dir_fd=d)))
elif what == "remove":
    each(lambda d, f: os.unlink(f, dir_fd=d))
elif what == "list":
    for r in roots:
        names = os.listdir(r)
        assert len(names) == n and len(set(names)) == n, (r, len(names), len(set(names)))
        assert set(names) == {f"file-{i:07d}" for i in range(n)}
elif what == "stat":
    with os.scandir(roots[-1]) as it:
        assert sum(e.stat(follow_symlinks=False).st_size == 0 for e in it) == n
print(f"{what}: {n / (time.time() - t):.0f}/s", file=sys.stderr)
P
mkdir "$A/d"
for what in create list stat remove; do
	check "$what $N files" $PY "$WORK/many.py" $what $N "$A/d" "$B/d"
done
is "the directory is empty" "$(ls -A "$B/d" | wc -l)" 0
check "and can be removed" rmdir "$B/d"
finish
