#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Read-ahead: small reads in a pattern need few requests to the OSTs, random ones fetch nothing that was not read, and what
# anybody writes or cuts is seen by the next read, whatever had been fetched.
. "$(dirname "$0")/lib.sh"
own_cluster --oss 1 --osts 2
MIB=1048576

sent() { # reads that mount A has sent to the OSTs
	lctl get_param -n --mount "$MA" "osc.*.stats" | awk '$1 ~ "read" { n += $2 } END { print n + 0 }'
}
counted() { # NAME: in read_ahead_stats
	lctl get_param -n --mount "$MA" 'llite.*.read_ahead_stats' | awk -v k="$1" 'index($0, k) == 1 { print $(NF - 2) }'
}
requests() { # COMMAND...: how many reads it sends to OSTs
	local r
	r=$(sent)
	"$@" >"$WORK/out" 2>&1 || fail "$*: $(tail -n 3 "$WORK/out")"
	echo $(($(sent) - r))
}
py() { "$PY" "$HERE/read_ahead.py" "$@"; }
at_most() { # WHAT IS LIMIT
	check "$1: $2, at most $3" test "$2" -le "$3"
}
fresh() { # NAME: a file that mount A has read nothing of
	lfs setstripe -c 2 -S 1M "$B/$1" && cat "$WORK/copy" >"$B/$1"
}

head -c $((16 * MIB)) /dev/urandom >"$WORK/copy"
for p in forward backward strided wide random; do
	fresh $p
	N=$(requests py $p "$A/$p" "$WORK/copy")
	case $p in
	wide) at_most "reads far apart need no more requests than they are ($p)" "$N" 64 ;;
	random) at_most "nor do random ones ($p)" "$N" 500 ;;
	*) at_most "16 MiB in steps of 4 KiB ($p)" "$N" 60 ;;
	esac
done
fresh random2
N=$(counted 'async readahead')
py random "$A/random2" "$WORK/copy"
is "random reading fetched nothing ahead" "$(($(counted 'async readahead') - N))" 0
check "reads that were fetched before: $(counted hits) pages" test "$(counted hits)" -gt 8000
fresh direct
N=$(requests py direct-forward "$A/direct" "$WORK/copy")
check "O_DIRECT gets none: $N requests" test "$N" -ge 4096
for p in cached-forward cached-backward cached-strided; do
	fresh $p
	at_most "through the page cache ($p)" "$(requests py $p "$A/$p" "$WORK/copy")" 80
done

# ---- coherence ----
fresh between
check "what is written and cut meanwhile, here and by another mount, is seen by the next read" \
	py between "$A/between" "$WORK/copy" "$B/between"
exec 7<>"$A/forward"
head -c 65536 <&7 >/dev/null
printf changed | dd of="$B/forward" bs=1 seek=$((256 * 1024)) conv=notrunc status=none
is "a write of another mount to what was fetched" "$(dd bs=4k skip=48 count=1 status=none <&7 | head -c 7 | tr -d '\0')" changed
exec 7>&-

# ---- limits ----
kept() { lctl get_param -n --mount "$MA" 'llite.*.data_stats' | awk '$1 == "read_ahead_bytes:" { print $2 }'; }
lctl set_param --mount "$MA" 'llite.*.max_read_ahead_mb=2' >/dev/null
fresh small
py forward "$A/small" "$WORK/copy"
at_most "max_read_ahead_mb bounds what is kept" "$(kept)" $((2 * MIB))
lctl set_param --mount "$MA" 'llite.*.max_read_ahead_mb=0' >/dev/null
fresh none
N=$(requests py forward "$A/none" "$WORK/copy")
check "0 switches it off: $N requests" test "$N" -ge 4096
finish
