# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# An extent that was moved and lengthened on the raw disk over blocks that the bitmap calls free: the file's own extent tree grows into it, and then the extent is removed.
# vm: disk=64M seconds=300
# console-allowed: EXT4-fs (error|warning)
. /e4c/functions.sh
. /e4c/tamper.sh

F=/mnt/d/file

load_module
fresh_disk /dev/vda -O ^metadata_csum -J size=4
must mount -t "$FSTYPE" /dev/vda /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
must mkdir /mnt/d
must e4c-key set /mnt/d "$KEY"
printf first | dd of=$F bs=4096 conv=fsync 2>/dev/null
must e4c-io fallocate $F alloc 40960 12288
sync
inode=$(stat -c %i $F)
must umount /mnt

# The root of the tree is 40 bytes into the inode; its second entry is the preallocated one. Bit 15 of the length: unwritten.
read -r block offset < <(debugfs -R "imap <$inode>" /dev/vda 2>/dev/null | sed -n 's/.*located at block \([0-9]*\), offset \(0x[0-9a-f]*\).*/\1 \2/p')
length=$((block * 4096 + offset + 40 + 2 * 12 + 4))
same "the entry that is meant" "$(dd if=/dev/vda bs=1 skip=$length count=2 2>/dev/null | od -An -tu2 | tr -d ' ')" 32771
# From a little before the file on, but not into the journal.
first=$(($(physical /dev/vda "$inode" 10) - 64)) journal=$(physical /dev/vda 8 1023)
[ $first -gt "$journal" ] || [ $((first + 64)) -lt "$journal" ] || first=$((journal + 1))
{
	printf '\xb8\x8b\x00\x00' # 32768 + 3000, and the upper bits of the block
	# shellcheck disable=SC2059  # the bytes
	printf "\\x$(printf %02x $((first & 255)))\\x$(printf %02x $((first >> 8)))"
} | dd of=/dev/vda bs=1 seek=$length conv=notrunc,fsync 2>/dev/null
must mount -t "$FSTYPE" -o errors=continue /dev/vda /mnt
must e4c-key add /mnt 7
for page in 4000 4100 4200 4300 4400; do
	printf 'page %s' $page | dd of=$F bs=4096 seek=$page conv=notrunc,fsync 2>/dev/null
done
leaf=$(debugfs -R "ex <$inode>" /dev/vda 2>/dev/null | awk '$1 == "0/" { print $8; exit }')
check "the tree ($leaf) has grown into the extent ($first)" test "$leaf" -ge "$first" -a "$leaf" -lt $((first + 3000))
same "what was written reads" "$(dd if=$F bs=4096 skip=4200 count=1 2>/dev/null | tr -d '\0')" "page 4200"
refuses "the extent cannot be removed" 'Structure needs cleaning|EUCLEAN' truncate -s 0 $F
check "and the log says why" grep -q 'maps block [0-9]* of its own tree' <(dmesg)
rm -f $F
check "all goes on" touch /mnt/d/other
must umount /mnt
finish
