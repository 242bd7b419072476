# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A first look at crashes: under random operations the disk is stopped at any moment and copied as it stands. Each copy mounts, every page in
# it reads, and stock e2fsck finds nothing. All writes that had completed are in the copy; lost and reordered ones are not tried here.
# vm: disk=160M disk=160M memory=1024 seconds=900
# console-allowed: ext4crypt .*authentication failed|EXT4-fs .*(orphan|recover)
. /e4c/functions.sh

rounds=$(setting rounds 6)
load_module
must modprobe dm_mod
sectors=$(blockdev --getsz /dev/vda)
fresh_disk /dev/vda
must dmsetup create disk --noudevsync --table "0 $sectors linear /dev/vda 0"
mkdir -p /copy
must mount -t "$FSTYPE" -o commit=1 /dev/dm-0 /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
must mkdir /mnt/d
must e4c-key set /mnt/d "$KEY"
# What was synced before must be in every copy.
head -c 1000000 /dev/urandom >/tmp/kept
cp /tmp/kept /mnt/d/kept
sync
e4c-fsx /mnt/d --ops 1000000 --seed "$(setting seed 77)" --files 2 >/tmp/fsx.out 2>&1 &
fsx=$!

unreadable() { # the files of the copy that do not read, and how
	find /copy/d -type f -exec sh -c 'cat "$1" 2>&1 >/dev/null | sed "s|^|$(basename "$1"): |"' _ {} ';'
}

for round in $(seq "$rounds"); do
	sleep "$(((round * 7) % 5 + 1)).$((round * 37 % 100))"
	kill -0 $fsx 2>/dev/null || break
	must dmsetup suspend --noflush --nolockfs disk
	dd if=/dev/vda of=/dev/vdb bs=1M iflag=direct oflag=direct 2>/dev/null
	must dmsetup resume --noudevsync disk
	blockdev --flushbufs /dev/vdb
	# Every other time stock e2fsck replays the journal, as at boot.
	how="the kernel"
	if [ $((round % 2)) = 0 ]; then
		how="e2fsck -p"
		e2fsck -p /dev/vdb >/tmp/fsck.out 2>&1
		[ $? -le 1 ] || { not_ok "crash $round: e2fsck -p"; diag /tmp/fsck.out; }
	fi
	must mount -t "$FSTYPE" /dev/vdb /copy
	must e4c-key add /copy 7
	unreadable >/tmp/unreadable
	if [ -s /tmp/unreadable ]; then
		not_ok "crash $round, replayed by $how: every page reads"
		diag /tmp/unreadable
		dmesg | grep ext4crypt | tail -n 5 | sed 's/^/diag /' >&3
	else
		ok "crash $round, replayed by $how: every page reads"
	fi
	check "crash $round: what was synced is there" cmp /tmp/kept /copy/d/kept
	must umount /copy
	check "crash $round: e2fsck finds nothing" e2fsck -fn /dev/vdb
done
if kill $fsx 2>/dev/null; then wait $fsx; else
	not_ok "the random operations themselves"
	diag /tmp/fsx.out 40
fi
must umount /mnt
must dmsetup remove --noudevsync disk
finish
