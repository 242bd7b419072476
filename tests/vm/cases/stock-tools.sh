# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What stock tools and the stock ext4 do to a volume leaves every page readable: e2fsck with repairs and rebuilt directories, resize2fs both
# ways (which moves blocks), deletion under no-key names.
# vm: disk=1G seconds=600
. /e4c/functions.sh
. /e4c/tamper.sh

encrypted_mount
head -c 2500000 /dev/urandom >/tmp/data
for number in $(seq 12); do cp /tmp/data "/mnt/d/file-$number"; done
truncate -s 0 /mnt/d/file-12
e4c-io fallocate /mnt/d/file-11 punch 40960 1000000
e4c-io fallocate /mnt/d/file-10 keep 2600000 1000000
sha256sum /mnt/d/* >/tmp/sums
inode=$(stat -c %i /mnt/d/file-1)

# agree NAME: all contents are as they were.
agree() {
	must mount -t "$FSTYPE" /dev/vda /mnt
	must e4c-key add /mnt 7
	check "$1" sha256sum -c --quiet /tmp/sums
	must umount /mnt
}

must umount /mnt
check "e2fsck -fyD" e2fsck -fyD /dev/vda
agree "after e2fsck -fyD all contents agree"
must e2fsck -fy /dev/vda
check "e2fsck -E bmap2extent" e2fsck -fy -E bmap2extent /dev/vda
before=$(physical /dev/vda "$inode" 0)
# Blocks at the end, so that shrinking has to move them: a volume this empty keeps its files at the front, so shrink far.
check "resize2fs to 100 MB" resize2fs /dev/vda 100M
report "say # block 0 of a file was at $before and is at $(physical /dev/vda "$inode" 0)"
check "e2fsck finds nothing" e2fsck -fn /dev/vda
agree "after shrinking all contents agree"
must e2fsck -fy /dev/vda
check "resize2fs back" resize2fs /dev/vda
agree "after growing all contents agree"

check "the stock ext4 mounts it" mount -t ext4 /dev/vda /mnt
check "and deletes a file by its no-key name" find /mnt/d -inum "$inode" -delete
same "and lists the others" "$(find /mnt/d -type f | grep -c .)" 11
must umount /mnt
sed -i '/file-1$/d' /tmp/sums
agree "after that the others agree"
check "e2fsck finds nothing at the end" e2fsck -fn /dev/vda
finish
