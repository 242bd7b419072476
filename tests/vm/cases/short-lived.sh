# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What files cost that are deleted before writeback, beside stock ext4 with the same fscrypt policy: no page sealed, no tag block, no journal beyond ext4's. And where
# tag blocks go: beside their data, whatever block group that is in. Counts, not times.
# vm: disk=1G disk=64M disk=64M memory=768 seconds=600
. /e4c/functions.sh
. /e4c/tamper.sh

files=$(setting files 200)
# Writes of the disk in KiB, and blocks in the log, for the same work.
work() { # work TYPE DISK
	local disk=$2 i
	fresh_disk "/dev/$disk" -E lazy_itable_init=0,lazy_journal_init=0
	must mkdir -p "/$1"
	must mount -t "$1" -o commit=300 "/dev/$disk" "/$1"
	key=$(e4c-key add "/$1" 7) || give_up "cannot add a key"
	must mkdir "/$1/d"
	must e4c-key set "/$1/d" "$key"
	sync
	before=$(awk '{ print $7 }' "/sys/block/$disk/stat")
	log_before=$(logged "$disk")
	for i in $(seq "$files"); do
		echo "short-lived $i" >"/$1/d/temporary"
		rm "/$1/d/temporary"
	done
	for i in $(seq 20); do
		head -c 700000 /dev/zero >"/$1/d/large"
		rm "/$1/d/large"
	done
	sync
	written=$((($(awk '{ print $7 }' "/sys/block/$disk/stat") - before) / 2))
	log=$(($(logged "$disk") - log_before))
	free=$(stat -f -c %f "/$1")
}
logged() { # blocks that the journal of DISK has written
	awk '/transactions/ { t = $1 } /logged blocks per/ { print t * $1 }' "/proc/fs/jbd2/$1-8/info"
}
# Nothing is written back by itself.
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
load_module
work ext4 vdb
plain_written=$written plain_log=$log plain_free=$free
work "$FSTYPE" vdc
same "$files small and 20 large files written and deleted: no page was sealed" "$(cat "/sys/fs/$FSTYPE/"*dc/authentication/pages_sealed)" 0
check "journal: $log blocks; ext4: $plain_log" test "$log" -le $((plain_log + plain_log / 10 + 8))
check "written in all: $written KiB; ext4: $plain_written KiB" test "$written" -le $((plain_written + plain_written / 10 + 64))
check "free blocks after it: $free; ext4: $plain_free" test "$free" -ge $((plain_free - 1))
must umount "/$FSTYPE"
must umount /ext4
check "e2fsck finds nothing" e2fsck -fn /dev/vdc

# --- where tag blocks go ---
fresh_disk /dev/vda -O ^flex_bg -g 8192 # 32 block groups, which directories of the root spread over
must mount -t "$FSTYPE" /dev/vda /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
for n in $(seq 8); do
	# Directories of the root are spread over the block groups.
	must mkdir "/mnt/e$n"
	must e4c-key set "/mnt/e$n" "$KEY"
	for i in 1 2 3 4 5 6 7 8 9 10; do head -c $((i * 100000)) /dev/zero >"/mnt/e$n/f$i"; done
done
sync
find /mnt/e? -type f -printf '%i\n' >/tmp/inodes
must umount /mnt
while read -r inode; do printf 'bmap <%s> 0\nbmap <%s> %s\n' "$inode" "$inode" "$TAG_LBLK"; done </tmp/inodes >/tmp/commands
debugfs -f /tmp/commands /dev/vda 2>/dev/null | grep -E '^[0-9]+( |$)' | cut -d ' ' -f 1 | paste - - >/tmp/blocks
same "each of 80 files has a page and a tag block" "$(awk '$1 > 0 && $2 > 0' /tmp/blocks | grep -c .)" 80
# ext4 puts data of new files where it wrote last, in whatever block group; the tag block goes before it, or into the last room of the group before.
distances() { awk -v most="$1" '{ d = $2 - $1; if (d < 0) d = -d; if (d <= most) n++ } END { print n + 0 }' /tmp/blocks; }
same "and it is within 16 MiB of the page" "$(distances 4096)" 80
check "of $(distances 3) files the tag block and the page are neighbours" test "$(distances 3)" -ge 60
check "where block group 0 is full, tag blocks are elsewhere too" test "$(awk '$2 >= 8192' /tmp/blocks | wc -l)" -gt 0
finish
