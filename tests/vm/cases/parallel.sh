# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Several writers at once, with little memory, so that writeback and reclaim run in the middle of everything.
# vm: disk=1G memory=320 seconds=900
# long: ops=4000 rounds=4 seconds=7200
# console-allowed: ext4crypt .*authentication failed
. /e4c/functions.sh

ops=$(setting ops 600) rounds=$(setting rounds 1)
encrypted_mount
mkdir /mnt/d/one /mnt/d/two /mnt/d/three
for seed in 11 12 13; do
	directory=$(sed "s/11/one/; s/12/two/; s/13/three/" <<<$seed)
	e4c-fsx "/mnt/d/$directory" --ops "$ops" --seed $seed --files 2 >/tmp/fsx.$seed 2>&1 &
	eval "pid_$seed=$!"
done
# More than the guest's memory passes through the page cache meanwhile.
for round in $(seq "$rounds"); do
	dd if=/dev/zero of=/mnt/d/large bs=1M count=200 2>/dev/null
	sync
	same "200 MB written and read, round $round" "$(tr -d '\0' </mnt/d/large | wc -c)" 0
	rm /mnt/d/large
done
for seed in 11 12 13; do
	eval "pid=\$pid_$seed"
	# shellcheck disable=SC2154  # set by the eval above
	if wait "$pid"; then ok "$ops random operations beside others, seed $seed"; else
		not_ok "random operations beside others, seed $seed"
		diag /tmp/fsx.$seed 70
	fi
done
# One sparse file, its tag blocks coming and going under the readers.
if e4c-race /mnt/d/sparse 900 "$(setting races 4000)" >/tmp/race.out 2>&1; then ok "readers and writers of one sparse file"; else
	not_ok "readers and writers of one sparse file"
	diag /tmp/race.out
	dmesg | grep ext4crypt | tail -n 5 | sed 's/^/diag /' >&3
fi
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
