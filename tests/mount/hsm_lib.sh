# SPDX-License-Identifier: Apache-2.0
# hsm_lib.sh - a blob server, movers, and what the coordinator says; for tests with a cluster of their own. Source it behind own_cluster.
requires node
MDS_NID=127.0.0.1@tcp:$((PORT + 1))
make -s -C "$ROOT" blob-servers >"$WORK/npm" 2>&1 || { cat "$WORK/npm"; die "azurite can be installed"; }
node "$ROOT/build/npm/node_modules/azurite/dist/src/blob/main.js" --inMemoryPersistence --disableTelemetry --blobHost 127.0.0.1 --blobPort 0 \
	>"$WORK/azurite" 2>&1 &
PIDS+=($!)
azurite_port() { AZURITE=$(sed -nE 's/.*listens on http:\/\/127.0.0.1:([0-9]+).*/\1/p' "$WORK/azurite"); [ -n "$AZURITE" ]; }
until_true 60 azurite_port || die "azurite starts"
URL=http://127.0.0.1:$AZURITE/devstoreaccount1
az() { $PY "$HERE/azure.py" "$URL" "$@"; }
(umask 077 && cat >"$WORK/cred" <<-EOT
	account_name = devstoreaccount1
	account_key = Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
EOT
)
az mkcontainer data || die "a container"
az mkcontainer logs || die "a container for logs"
mover() { # NAME OPTION...: starts one; its pid is in $MOVER
	local name=$1
	shift
	check "mover $name starts" sheen-copytool --pid-file "$WORK/$name.pid" --endpoint "$URL" --container data --log-container logs \
		--credentials "$WORK/cred" --prefix /fs --block-size 1 "$@" "$SOURCE"
	MOVER=$(cat "$WORK/$name.pid")
	SERVERS+=("$MOVER")
}
param() { lctl get_param -n --nid "$MDS_NID" "mdt.*.$1"; }
state() { lfs hsm_state "$1" | sed "s|^$1: ||"; }
idle() { [ "$(param hsm.actions | grep -c -E 'WAITING|STARTED')" = 0 ]; }
settled() { until_true 60 idle || fail "the coordinator comes to rest"; }
archive() { lfs hsm_archive "$@" && settled; }

