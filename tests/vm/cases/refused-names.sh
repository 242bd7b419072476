# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# With the key, a file with several names of which the contents are damaged can be deleted; so can an inode in which somebody set the bit LINKED. Neither
# opens, nor gets another name, nor lends one to others.
# vm: disk=64M seconds=300
# console-allowed: ext4crypt .*authentication failed|EXT4-fs (warning|error)
. /e4c/functions.sh
. /e4c/tamper.sh

# set_linked INODE: the bit LINKED in the state on the disk, 64 bytes into the attribute.
set_linked() {
	local at byte
	at=$(($(context_at /dev/vda "$1") + 64))
	byte=$(dd if=/dev/vda bs=1 skip=$at count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
	printf '%b' "\\x$(printf %02x $((byte | 0x20)))" | dd of=/dev/vda bs=1 seek=$at conv=notrunc,fsync 2>/dev/null
	blockdev --flushbufs /dev/vda
}
number() { stat -c %i "$1"; }

encrypted_mount -O ^metadata_csum
head -c 20000 /dev/urandom >/tmp/data
cp /tmp/data /mnt/d/two
must ln /mnt/d/two /mnt/d/names
cp /tmp/data /mnt/d/alone
echo other >/mnt/d/other
must mkdir /mnt/d/sub
sync
two=$(number /mnt/d/two) alone=$(number /mnt/d/alone)
must umount /mnt
tag=$(physical /dev/vda "$two" "$TAG_LBLK")
must e4c-io flip /dev/vda $((tag * 4096 + 40))
set_linked "$alone"
blockdev --flushbufs /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-key add /mnt 7
refuses "a damaged file with two names does not open" 'Input/output|cleaning' cat /mnt/d/two
refuses "nor by the other" 'Input/output|cleaning' cat /mnt/d/names
refuses "it gets no third" 'Input/output|cleaning' ln /mnt/d/two /mnt/d/third
refuses "nor is it moved" 'Input/output|cleaning' mv /mnt/d/two /mnt/d/sub/two
refuses "a file with a forged bit does not open" 'cleaning' cat /mnt/d/alone
refuses "it gets no other name" 'cleaning' ln /mnt/d/alone /mnt/d/third
refuses "nor is it moved" 'cleaning' mv /mnt/d/alone /mnt/d/moved
check "the first name can be deleted" rm /mnt/d/two
check "the second, too" rm /mnt/d/names
check "and the forged one" rm /mnt/d/alone
same "others are as they were" "$(cat /mnt/d/other)" other
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
