#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fio with verification: random mixed sizes 4k to 1M, by the engines psync, libaio (direct) and mmap, on files of 1, 2 and 4 stripes.
. "$(dirname "$0")/lib.sh"
requires fio
shared_cluster
SIZE=24m
[ "$SCALE" = soak ] && SIZE=1g
chmod 777 "$A"
user_home
run_fio() { # NAME ENGINE FILE OPTIONS...
	local name=$1 engine=$2 file=$3
	shift 3
	(cd "$WORK/home" && as_user fio --name="$name" --filename="$file" --ioengine="$engine" --rw=randrw --rwmixread=30 \
		--bsrange=4k-1m --size=$SIZE --verify=crc32c --verify_fatal=1 --do_verify=1 --randseed=42 \
		--fallocate=none --minimal "$@")
}
for stripes in 1 2 4; do
	for engine in psync libaio mmap; do
		F=f.$engine.$stripes
		lfs setstripe -c $stripes -S 256K "$A/$F" || fail "lfs setstripe -c $stripes"
		chown 65534 "$A/$F"
		OPT=()
		case $engine in
		libaio) OPT=(--direct=1 --iodepth=16 --bs_unaligned=0) ;;
		mmap) OPT=(--bsrange=4k-256k) ;;
		esac
		check "$engine, $stripes stripes: written and verified" run_fio "$F" $engine "$A/$F" ${OPT[@]+"${OPT[@]}"}
		check "$engine, $stripes stripes: both mounts read the same" cmp "$A/$F" "$B/$F"
		[ "$SCALE" = soak ] || rm -f "$A/$F"
	done
done
check "four jobs in one file of four stripes" sh -c "cd '$WORK/home' && lfs setstripe -c 4 -S 1M '$A/jobs' && fio --name=j --filename='$A/jobs' \
	--numjobs=4 --offset_increment=8m --size=8m --rw=write --bs=1m --ioengine=libaio --iodepth=8 --direct=1 --verify=crc32c --minimal"
finish
