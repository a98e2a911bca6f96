#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An archive in S3 (Swift's, which checks signatures), with a network between that loses, breaks and delays: import of what rclone has put
# there, restore, export, and rclone finds all of it. While requests fail, nothing but time is lost; what cannot be had is EIO.
. "$(dirname "$0")/lib.sh"
requires rclone setfattr
requires_root
/usr/bin/python3 -c 'import swift' 2>/dev/null || skip "python3-swift is not installed"
own_cluster --oss 1 --osts 2
MDS_NID=127.0.0.1@tcp:$((PORT + 1))
port_of() { sed -nE "s/.*$2([0-9]+).*/\1/p" "$WORK/$1" 2>/dev/null | head -n 1; }
has_port() { [ -n "$(port_of "$@")" ]; }
mkdir "$WORK/swift.d"
/usr/bin/python3 "$ROOT/tests/blob/swift_server.py" "$WORK/swift.d" >"$WORK/swift" 2>&1 &
PIDS+=($!)
until_true 60 has_port swift 'swift listens on ' || die "swift starts"
SERVER=$(port_of swift 'swift listens on ')
$PY "$ROOT/tests/blob/proxy.py" "$SERVER" >"$WORK/proxy" 2>&1 &
PIDS+=($!)
until_true 60 has_port proxy '^' || die "the proxy starts"
PROXY=$(port_of proxy '^')
fault() { curl -s -o /dev/null "http://127.0.0.1:$PROXY/__fault?$1"; } # match=SUBSTRING&do=WHAT...
calm() { curl -s -o /dev/null "http://127.0.0.1:$PROXY/__reset"; }
(umask 077 && printf 'access_key_id = test:tester\nsecret_access_key = testing\n' >"$WORK/cred")
unset AWS_CA_BUNDLE http_proxy HTTP_PROXY # of whoever runs this: rclone would obey them
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Other RCLONE_CONFIG_S3_ACCESS_KEY_ID=test:tester \
	RCLONE_CONFIG_S3_SECRET_ACCESS_KEY=testing RCLONE_CONFIG_S3_ENDPOINT=http://127.0.0.1:$SERVER RCLONE_CONFIG_S3_REGION=us-east-1
param() { lctl get_param -n --nid "$MDS_NID" "mdt.*.$1"; }
state() { lfs hsm_state "$1" | sed "s|^$1: ||"; }
idle() { [ "$(param hsm.actions | grep -c -E 'WAITING|STARTED')" = 0 ]; }
settled() { until_true 120 idle || fail "the coordinator comes to rest"; }
store() { echo --service s3 --region us-east-1 --endpoint "http://127.0.0.1:$PROXY" --container bucket --credentials "$WORK/cred" --prefix in --path /data; }
mkdir "$WORK/jobs"
job() { # NAME OPTION...
	local name=$1
	shift
	# shellcheck disable=SC2046
	timeout 120 sheen-copytool --job "$name" --job-dir "$WORK/jobs" $(store) "$@" "$SOURCE"
}
status() { $PY -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$WORK/jobs/$1.status" "$2"; }

# ---- what rclone has put there ----
mkdir -p "$WORK/in/d/deep"
for i in $(seq 30); do echo "text $i" >"$WORK/in/d/f$i"; done
head -c 9000000 /dev/urandom >"$WORK/in/d/deep/large"
check "a bucket is filled by another program" rclone copy "$WORK/in" s3:bucket/in
fault 'match=GET&do=status&arg=503,SlowDown,0&times=2'
check "it is imported, though the store is busy at first" job one --import
is "to its end" "$(status one state) $(status one importedFiles)" "Completed 31"
calm
# shellcheck disable=SC2046
check "a mover starts" sheen-copytool --pid-file "$WORK/mover.pid" $(store) "$SOURCE"
MOVER=$(cat "$WORK/mover.pid")
SERVERS+=("$MOVER")
is "a file is released" "$(state "$A/data/d/f3")" "(0x0000000d) released exists archived, archive_id:1"
is "and read" "$(cat "$A/data/d/f3")" "text 3"
fault 'match=GET&do=drop&times=2'
fault 'match=GET&do=truncate&arg=100000&times=2'
fault 'match=GET&do=stallbody&arg=200000&times=1'
check "a large one, over a network that loses and cuts" cmp "$A/data/d/deep/large" "$WORK/in/d/deep/large"
settled
calm
fault 'match=/d/f5&do=status&arg=403,AccessDenied&times=1000'
check_fails any "what the store refuses is not read" cat "$A/data/d/f5"
like "that is an error" "$OUT" "Input/output error"
calm
is "when it does not any more it is" "$(cat "$A/data/d/f5")" "text 5"

# ---- what rclone finds there ----
head -c 9000000 /dev/urandom >"$A/data/new"
echo other >"$A/data/d/f1"
mv "$A/data/d/f2" "$A/data/d/renamed"
fault 'match=PUT&do=lose&times=2'
fault 'match=POST&do=status&arg=500,InternalError&times=1'
check "it is exported, though answers are lost" job two --export
is "to its end" "$(status two state)" Completed
calm
settled
is "again there is nothing to do" "$(job three --export && status three exportedFiles)" 0
check "another program copies the bucket" rclone copy s3:bucket/in "$WORK/out"
check "a new file is in it" cmp "$WORK/out/new" "$A/data/new"
is "a changed one" "$(cat "$WORK/out/d/f1")" other
is "a renamed one, once" "$(cat "$WORK/out/d/renamed") $(test -e "$WORK/out/d/f2" && echo twice)" "text 2 "
(cd "$A/data" && find . -type f -exec md5sum {} + | sort -k 2) >"$WORK/here"
(cd "$WORK/out" && find . -type f -size +0 -exec md5sum {} + | sort -k 2) >"$WORK/there"
check "all bytes are the same" diff "$WORK/here" "$WORK/there"
kill_wait TERM "$MOVER"
finish
