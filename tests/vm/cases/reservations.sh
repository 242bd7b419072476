# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is reserved for tag blocks and nodes is given back when the pages that it was for are punched, zeroed or cut off before they were written: once all
# is on the disk, nothing is reserved any more, and what is gone from the free blocks is what the file shows.
# needs: no service
# vm: disk=256M memory=512 seconds=600
. /e4c/functions.sh

APART=$((520192 + 4096)) # more than one tag block's pages apart
FILE=/mnt/d/f

reserved() { cat "/sys/fs/$FSTYPE/"*da/delayed_allocation_blocks; }
free() { stat -f -c %f /mnt; }
dirty_pages() { # dirty_pages COUNT: one in the range of each tag block
	local i
	for i in $(seq 0 $(($1 - 1))); do printf x | dd of=$FILE bs=1 seek=$((i * APART)) conv=notrunc 2>/dev/null; done
}
# settled NAME: all that is left is on the disk and the file's own.
settled() {
	sync
	same "$1: nothing is reserved" "$(reserved)" 0
	same "$1: what is gone is the file's" "$(((before - $(free)) * 8))" "$(stat -c %b $FILE)"
	rm $FILE
	sync
	same "$1: after its removal all has come back" "$(free)" "$before"
}

encrypted_mount -m 0
echo 0 >/proc/sys/vm/dirty_writeback_centisecs # nothing is written before its time
touch $FILE && rm $FILE
sync
before=$(free)

: >$FILE
dirty_pages 30
check "pages that are dirty have reserved their tag blocks" test "$(reserved)" -ge 60
for i in $(seq 0 29); do e4c-io fallocate $FILE punch $((i * APART)) 4096 || not_ok "page $i cannot be punched"; done
same "page by page punched: at once nothing is reserved" "$(reserved)" 0
settled "punched"

: >$FILE
dirty_pages 30
check "punched, half of them in one" e4c-io fallocate $FILE punch 0 $((15 * APART))
same "the other half keeps at least what it needs" "$(($(reserved) >= 30))" 1
settled "half of them punched"

: >$FILE
dirty_pages 30
check "cut off" truncate -s 100 $FILE
check "but for the first page nothing is reserved (tag block, page)" test "$(reserved)" -le 4
settled "cut off"

: >$FILE
dirty_pages 30
check "zeroed page by page" sh -c "for i in \$(seq 0 29); do e4c-io fallocate $FILE zero \$((i * $APART)) 4096 || exit 1; done"
settled "zeroed"

: >$FILE
dirty_pages 10
must fallocate -l $((($(free) - 2000) * 4))KiB /mnt/filler
refuses "zeroing more than there is room for" ENOSPC e4c-io fallocate $FILE zero 0 $((10 * APART))
must rm /mnt/filler
settled "zeroing without room"

: >$FILE
dirty_pages 10
must fallocate -l $((($(free) - 2000) * 4))KiB /mnt/filler
refuses "preallocating more than there is room for" ENOSPC e4c-io fallocate $FILE alloc 0 $((10 * APART))
check "what was preallocated is punched" e4c-io fallocate $FILE punch 0 $((10 * APART))
must rm /mnt/filler
settled "preallocation given back"

must umount /mnt
check "e2fsck" e2fsck -fn /dev/vda
finish
