#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lctl: devices, ping, parameters of clients and servers, and permanent ones.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
INST=$(lfs getname -i "$MA")
MGS=127.0.0.1@tcp:$PORT
nid_of() { # PROCESS
	sheenctl status --dir "$CDIR" --json | $PY -c '
import json, sys
print([p["nid"] for p in json.load(sys.stdin)["processes"] if p["name"] == sys.argv[1]][0])' "$1"
}
MDS=$(nid_of mds)
OSS=$(nid_of oss0)

like "dl lists the MGC" "$(lctl dl)" "^ *[0-9]+ UP mgc MGC$MGS [0-9a-f-]+ [0-9]+$"
like "and an OSC" "$(lctl dl)" "^ *[0-9]+ UP osc $FSNAME-OST0001-osc-$INST [0-9a-f-]+ [0-9]+$"
like "-t with the address" "$(lctl dl -t)" "osc $FSNAME-OST0001-osc-$INST .* $OSS$"
is "dl in JSON" "$(lctl dl --json | $PY -c '
import json, sys
print(len([d for d in json.load(sys.stdin) if d["name"].endswith("-osc-" + sys.argv[1])]))' "$INST")" 2
like "list_nids" "$(lctl list_nids)" '@tcp$'
is "ping" "$(lctl ping "$MGS")" "12345-$MGS"
check "ping of an OSS" lctl ping "$OSS"
check_fails 5 "ping of nobody" lctl ping "127.0.0.1@tcp:$((PORT + 9))"
like "in Lustre's words" "$OUT" "^failed to ping 127.0.0.1@tcp:$((PORT + 9)): Input/output error$"
check_fails 22 "ping of another network" lctl ping 1.2.3.4@o2ib
is "which_nid" "$(lctl which_nid "127.0.0.1@tcp:$((PORT + 9))" "$MGS")" "$MGS"

P=osc.$FSNAME-OST0000-osc-$INST.max_rpcs_in_flight
is "get_param" "$(lctl get_param --mount "$MA" 'osc.*OST0000*.max_rpcs_in_flight')" "$P=8"
is "-n" "$(lctl get_param -n --mount "$MA" "$P")" 8
is "-N" "$(lctl get_param -N --mount "$MA" 'osc.*OST0000*.max_rpcs_in_flight')" "$P"
is "slashes are dots" "$(lctl get_param -n --mount "$MA" "osc/*OST0000*/max_rpcs_in_flight")" 8
is "alternatives" "$(lctl get_param -n --mount "$MA" "osc.*OST000{0,1}*.max_rpcs_in_flight" | wc -l)" 2
is "set_param says what it set" "$(lctl set_param --mount "$MA" "$P=12")" "$P=12"
is "it is set" "$(lctl get_param -n --mount "$MA" "$P")" 12
is "on that mount only" "$(lctl get_param -n --mount "$MB" 'osc.*OST0000*.max_rpcs_in_flight')" 8
is "-n is silent" "$(lctl set_param -n --mount "$MA" "$P=8")" ""
check_fails 22 "a bad value" lctl set_param --mount "$MA" "$P=nonsense"
check_fails 2 "an unknown name" lctl get_param --mount "$MA" osc.nosuch.thing
like "with slashes" "$OUT" "error: get_param: param_path 'osc/nosuch/thing': No such file or directory"
check_fails any "a user sets nothing" as_user lctl set_param --mount "$MA" "$P=9"
is "but reads" "$(as_user lctl get_param -n --mount "$MA" "$P")" 8
check_fails 4 "no argument" lctl get_param
check_fails any "no value" lctl set_param --mount "$MA" "$P"

is "list_param shows branches" "$(lctl list_param -F --mount "$MA" osc)" "osc/"
like "and what can be set" "$(lctl list_param -F --mount "$MA" 'osc.*.*')" "^$P=$"
like "-R everything" "$(lctl list_param -R --mount "$MA" osc)" "^$P$"
is "JSON" "$(lctl get_param --json --mount "$MA" "$P" | $PY -c 'import json,sys; print(list(json.load(sys.stdin).values())[0])')" 8

echo data >"$A/file"
cat "$B/file" >/dev/null
like "a client counts" "$(lctl get_param -n --mount "$MA" 'llite.*.stats')" '^create +[0-9]+ samples \[usecs\] [0-9]+ [0-9]+ [0-9]+'
like "so does the MDS" "$(lctl get_param --nid "$MDS" 'mdt.*.md_stats')" '^open +[0-9]+ samples \[usecs\]'
like "and an OST" "$(lctl get_param --nid "$OSS" 'obdfilter.*.stats')" '^write_bytes +[0-9]+ samples \[bytes\]'
is "a server's values by NID" "$(lctl get_param -n --nid "$OSS" 'obdfilter.*OST0001.degraded')" 0
is "are set by NID" "$(lctl set_param --nid "$OSS" 'obdfilter.*OST0001.degraded=1')" "obdfilter.$FSNAME-OST0001.degraded=1"
is "every process has a version" "$(for n in "$MGS" "$MDS" "$OSS"; do lctl get_param --nid "$n" version; done | sort -u | wc -l)" 1
is "and health" "$(lctl get_param -n --nid "$MDS" health_check)" healthy

# for good
check "set_param -P" lctl set_param -P --nid "$MGS" 'osc.*.max_rpcs_in_flight=21'
has() { [ "$(lctl get_param -n --mount "$1" "$2" | sort -u)" = "$3" ]; }
check "reaches a mount" until_true 20 has "$MA" 'osc.*.max_rpcs_in_flight' 21
check "and the other" until_true 20 has "$MB" 'osc.*.max_rpcs_in_flight' 21
mount_sheen "$SOURCE" "$WORK/c" || fail "a third mount"
is "and one that comes later" "$(lctl get_param -n --mount "$WORK/c" "osc.*OST0000*.max_rpcs_in_flight")" 21
check "of a server" lctl set_param -P --mount "$MA" 'obdfilter.*.degraded=0'
back() { [ "$(lctl get_param -n --nid "$OSS" 'obdfilter.*.degraded' | sort -u)" = 0 ]; }
check "too" until_true 20 back
check "-P -d takes it back" lctl set_param -P -d --nid "$MGS" 'osc.*.max_rpcs_in_flight'
unmount "$WORK/c"
mount_sheen "$SOURCE" "$WORK/c" || fail "a fourth mount"
is "for those who come later" "$(lctl get_param -n --mount "$WORK/c" "osc.*OST0000*.max_rpcs_in_flight")" 8
finish
