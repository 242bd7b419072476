# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# SEEK_DATA over much preallocated space verifies a tag block for each 508 KiB of it, and ends when the process is killed. The disk answers only when it
# is told to, so that nothing here depends on how fast that is.
# needs: no service
# vm: disk=1G memory=512 seconds=600
# console-allowed: EXT4-fs
. /e4c/functions.sh
. /e4c/faults.sh

load_module
faulty_disk
fresh_disk "$FAULTY"
faulty_mount
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
must mkdir /mnt/d
must e4c-key set /mnt/d "$KEY"
: >/mnt/d/f
must e4c-io fallocate /mnt/d/f alloc 0 268435456
printf x | dd of=/mnt/d/f bs=1 seek=268435455 conv=notrunc,fsync 2>/dev/null
same "data is found behind it" "$(e4c-io seek-data /mnt/d/f 0)" 268431360
# The inode in memory, the tag blocks not.
must umount /mnt
faulty_mount
must e4c-key add /mnt 7
exec 9</mnt/d/f
reads() { awk '{ print $1 }' /sys/block/dm-0/stat; }
must dmsetup suspend --noflush --nolockfs disk
e4c-io seek-data /mnt/d/f 0 >/tmp/out 2>&1 &
seeker=$!
while kill -0 $seeker 2>/dev/null && [ "$(awk '{ print $3 }' /proc/$seeker/stat 2>/dev/null)" != D ]; do sleep 0.1; done
needs "it waits for the disk" kill -0 $seeker
before=$(reads)
kill -9 $seeker
must dmsetup resume --noudevsync disk
wait $seeker
exec 9<&-
check "killed at the first tag block, it reads no more than a few ($(($(reads) - before)))" test $(($(reads) - before)) -lt 100
must umount /mnt
check "e2fsck" e2fsck -fn /dev/vda
finish
