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

kept() { lctl get_param -n --mount "$MA" 'llite.*.data_stats' | awk '$1 == "read_ahead_bytes:" { print $2 }'; }

# ---- advice ----
fresh advised
at_most "willread fetches in large requests" "$(requests lfs ladvise -a willread "$A/advised")" 32
is "and keeps it" "$(requests py random "$A/advised" "$WORK/copy")" 0
is "for the page cache as well" "$(requests py cached-random "$A/advised" "$WORK/copy")" 0
check "dontneed" lfs ladvise -a dontneed -s 1M -l 1M "$A/advised"
N=$(requests dd if="$A/advised" of=/dev/null bs=1M count=1 skip=1 status=none)
check "and the range is read again: $N" test "$N" -ge 1
cmp "$A/advised" "$WORK/copy"
is "all of it is in the page cache" "$(requests cmp "$A/advised" "$WORK/copy")" 0
check "dontneed for all of it" lfs ladvise --advice=dontneed "$A/advised"
N=$(requests cmp "$A/advised" "$WORK/copy")
check "makes the kernel forget it: $N" test "$N" -ge 4
check "in the background" lfs ladvise -a willread -b -s 4k -e 1M "$A/advised"
says() { # WHAT WANT ARGS...
	like "$1" "$(lfs ladvise "${@:3}" 2>&1)" "$2"
}
says "no advice" "please give an advice type" "$A/advised"
says "unknown advice" "invalid advice type 'nap'" -a nap "$A/advised"
says "an empty range" "range .8192, 4096. is invalid" -a willread -s 8k -e 4k "$A/advised"
says "no file" "please give one or more file names" -a willread
says "locks on ranges" "cannot give advice 'locknoexpand' to file" -a locknoexpand "$A/advised"
check_fails 4 "wrong usage" lfs ladvise -a willread -s x "$A/advised"
check_fails 95 "not supported" lfs ladvise -a lockahead -m READ "$A/advised"
check_fails 2 "no such file" lfs ladvise -a willread "$A/none-such"
check_fails 25 "not on directories" lfs ladvise -a willread "$A"

fresh fadvised
at_most "posix_fadvise(WILLNEED), and reading at random what it was about" "$(requests py fadvise "$A/fadvised" "$WORK/copy")" 16
"$PY" -c 'import os, sys; fd = os.open(sys.argv[1], os.O_RDONLY); os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)' "$A/fadvised"
N=$(requests dd if="$A/fadvised" of=/dev/null bs=64k count=1 status=none)
check "DONTNEED: the kernel asks again: $N" test "$N" -ge 1

# ---- limits ----
lctl set_param --mount "$MA" 'llite.*.max_read_ahead_mb=2' >/dev/null
fresh small
py forward "$A/small" "$WORK/copy"
at_most "max_read_ahead_mb bounds what is kept" "$(kept)" $((2 * MIB))
lctl set_param --mount "$MA" 'llite.*.max_read_ahead_mb=0' >/dev/null
fresh none
N=$(requests py forward "$A/none" "$WORK/copy")
check "0 switches it off: $N requests" test "$N" -ge 4096
finish
