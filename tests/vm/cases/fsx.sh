# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Random operations on encrypted files: 20,000 in all, e4c.ops=N in place of 10,000 for each seed, e4c.seeds=A,B for other seeds.
# e4c.large=N: one range in N is large, in place of 8; e4c.remount=N: one remount in N operations, in place of 500. Both cost most of the time.
# vm: disk=512M memory=1536 seconds=1200
# long: seeds=1,2,3,random,random ops=40000 seconds=7200
. /e4c/functions.sh

ops=$(setting ops 10000)
load_module
fresh_disk /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
key=$(e4c-key add /mnt 7) || give_up "cannot add a key"
mkdir /mnt/d
must e4c-key set /mnt/d "$key"
cat >/tmp/remount <<-EOF
	umount /mnt && mount -t $FSTYPE /dev/vda /mnt && e4c-key add /mnt 7 >/tmp/key
EOF
cat >/tmp/rekey <<-EOF
	e4c-key remove /mnt $key >/tmp/key && e4c-key add /mnt 7 >/tmp/key
EOF
for seed in $(setting seeds 1,2 | tr , ' '); do
	if e4c-fsx /mnt/d --ops "$ops" --seed "$seed" --large-every "$(setting large 8)" --remount-every "$(setting remount 500)" --remount "sh /tmp/remount" --rekey "sh /tmp/rekey" >/tmp/fsx.out 2>&1; then
		ok "$ops random operations, seed $seed"
	else
		not_ok "random operations, seed $seed"
		diag /tmp/fsx.out 70
	fi
done
check "unmounts" umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
