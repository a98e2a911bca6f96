#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Work shared by two mounts: a queue in a directory, where each item is done once; a log that readers follow while it is written; a make
# whose commands run on both nodes by turns. QUEUE_SAME=1: consumers claim under the same name.
. "$(dirname "$0")/lib.sh"
requires make
shared_cluster
N=200
[ "$SCALE" = soak ] && N=${ITEMS:-20000}
mkdir "$WORK/l" "$A/q"
check "the driver works on a local file system" "$PY" "$HERE/queue_dir.py" --items 50 "$WORK/l" "$WORK/l"
check "a queue and its log, $N items of each of four producers" "$PY" "$HERE/queue_dir.py" --items $N ${QUEUE_SAME:+--same} "$A/q" "$B/q"
tail -n 1 "$WORK/.said"

# Each command of the make runs in the directory of the other mount: what one node made the next reads, with times that fit.
M=$WORK/node
cat >"$M" <<S
#!/bin/bash
# make calls: node -c COMMAND
n=\$(flock "$WORK/turn" sh -c 'n=\$(cat "$WORK/turn"); echo \$((n + 1)) >"$WORK/turn"; echo \$n')
if [ \$((n % 2)) = 0 ]; then cd "$A/make" || exit 1; else cd "$B/make" || exit 1; fi
exec bash "\$@"
S
chmod 755 "$M"
echo 0 >"$WORK/turn"
mkdir "$A/make"
P=40
for i in $(seq $P); do echo "$i" >"$B/make/in$i"; done
cat >"$A/make/Makefile" <<S
SHELL := $M
ALL := \$(foreach i,\$(shell seq $P),out\$(i))
total: \$(ALL)
	cat \$^ >total.tmp && awk '{ s += \$\$1 } END { print s, NR }' total.tmp >\$@
out%: mid%
	test -s \$< && cat \$< >\$@ && seq 1000 | sed 's/.*/0/' >>\$@
mid%: in%
	cp \$< \$@.tmp && mv \$@.tmp \$@
S
check "make -j4 on two nodes" timeout 120 make -s -j4 -C "$A/make"
is "the result on one" "$(cat "$A/make/total")" "$((P * (P + 1) / 2)) $((P * 1001))"
is "and on the other" "$(cat "$B/make/total")" "$((P * (P + 1) / 2)) $((P * 1001))"
is "both nodes worked" "$([ "$(cat "$WORK/turn")" -gt $((2 * P)) ] && echo yes)" yes
check "nothing is left to do, as the other node sees it" make -s -q -C "$B/make"
echo 1000 >"$B/make/in1"
check_fails 1 "but something is when a file has changed" make -s -q -C "$A/make"
check "it is done" timeout 60 make -s -j4 -C "$B/make"
is "and right" "$(cat "$A/make/total")" "$((P * (P + 1) / 2 + 999)) $((P * 1001))"
finish
