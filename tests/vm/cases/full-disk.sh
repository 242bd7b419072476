# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A full disk: writers hear ENOSPC, what was written stays authentic, and overwriting needs no space.
# vm: disk=64M seconds=600
. /e4c/functions.sh

encrypted_mount
head -c 3000000 /dev/urandom >/tmp/part
written=0
while cp /tmp/part "/mnt/d/file-$written" 2>/tmp/cp.err && sync "/mnt/d/file-$written" 2>/tmp/cp.err; do
	written=$((written + 1))
	[ $written -lt 100 ] || give_up "a disk of 64 MB takes 300 MB"
done
check "the writer hears that the disk is full" grep -q 'No space left' /tmp/cp.err
rm -f "/mnt/d/file-$written"
check "files fit before" test $written -ge 8
# Small files until nothing fits: each needs a tag block besides.
small=0
while echo "small file $small" >"/mnt/d/small-$small" 2>/dev/null && sync "/mnt/d/small-$small" 2>/dev/null; do
	small=$((small + 1))
	[ $small -lt 3000 ] || break
done
sync
check "a file is overwritten in place on the full disk" dd if=/tmp/part of=/mnt/d/file-0 bs=65536 conv=notrunc,fsync
check "a hole is punched on the full disk" e4c-io fallocate /mnt/d/file-1 punch 8192 1000000
remount_keyed
wrong=0
for number in $(seq 0 $((written - 1))); do
	[ "$number" = 1 ] || cmp /tmp/part "/mnt/d/file-$number" || wrong=$((wrong + 1))
done >/tmp/cmp.out 2>&1
same "the $written large files read back" $wrong 0
[ $wrong = 0 ] || diag /tmp/cmp.out
same "and the one with a hole" "$({ head -c 8192 /tmp/part && head -c 1000000 /dev/zero && tail -c +1008193 /tmp/part; } | sha256sum)" "$(sha256sum </mnt/d/file-1)"
wrong=0
for number in $(seq 0 $((small - 1))); do
	[ "$(cat "/mnt/d/small-$number" 2>&1)" = "small file $number" ] || wrong=$((wrong + 1))
done
same "the $small small files read back" $wrong 0
check "deleting makes room again" rm /mnt/d/file-2
sync
check "which can be used" cp /tmp/part /mnt/d/new
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
