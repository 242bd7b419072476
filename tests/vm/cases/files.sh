# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What programs do with files, each compared with what it must come to: at once, after the caches were dropped, after a remount. The same programs
# pass on the stock ext4: --fstype ext4.
# The caches are dropped while a program has the extents of a file pinned in memory, which ext4 tells.
# console-allowed: Aborting journal on device (v|ub)da|es_reclaim_extents:.*forced shrink of precached extents
# vm: disk=512M disk=16M memory=1024 seconds=900
. /e4c/functions.sh
. /e4c/twins.sh

# Pages of the largest file: ext4's 32-bit block numbers, or what the tag area leaves.
pages=0xFFFFFFFF
[ "$FSTYPE" = ext4 ] || pages=0x50000000

encrypted_mount -O verity
must mkdir /mnt/other
other=$(e4c-key add /mnt 8) || give_up "cannot add a key"
must e4c-key set /mnt/other "$other"
dd if=/dev/urandom of=/dev/vdb bs=64k count=1 2>/dev/null

again() {
	checks e4c-space /mnt/d "$TWINS" "$pages" again
	checks e4c-refusals /mnt/d "$TWINS" "$FSTYPE" again
}

checks e4c-space /mnt/d "$TWINS" "$pages" first
checks e4c-transfer /mnt/d "$TWINS" /mnt
checks e4c-map /mnt/d "$TWINS" /dev/vdb
checks e4c-names /mnt/d "$TWINS" /mnt /mnt/other
checks e4c-refusals /mnt/d "$TWINS" "$FSTYPE" first
each_way again

# Files without a name when the power fails are gone after the next mount, whoever it is that finds them.
free_blocks() { df -k /mnt | awk 'END { print $4 }'; }
sync
before=$(free_blocks)
checks e4c-names orphan /mnt/d
must umount /mnt
blockdev --flushbufs /dev/vda
check "e2fsck -fp after a power failure" sh -c 'e2fsck -fp /dev/vda; test $? -le 1'
check "and then finds nothing" e2fsck -fn /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-key add /mnt 7
same "the space of unlinked files is free again, by e2fsck" "$(free_blocks)" "$before"
checks e4c-names orphan /mnt/d
must umount /mnt
must mount -t "$FSTYPE" /dev/vda /mnt
same "the space of unlinked files is free again, by the mount" "$(free_blocks)" "$before"
must e4c-key add /mnt 7
twins_agree "after two power failures"
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
