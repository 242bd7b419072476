# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Files of which every area has thousands of extents (pages, tag blocks, nodes: extent trees of two and three levels), preallocated, half punched,
# touched once in each 508 KiB: what stock tools of Debian 12 and, if it could be had, 13 do to them leaves them as they were. No inode is
# renumbered here: all of them are in the first group.
# needs: no service
# vm: disk=512M memory=1024 seconds=900
# long: count=5000 seconds=7200
. /e4c/functions.sh
. /e4c/tamper.sh

count=$(setting count 1400)
small=120M
[ "$count" -le 1400 ] || small=300M
KEYFILE=/tmp/key7
head -c 64 /dev/zero | tr '\0' '\007' >$KEYFILE

# same_files WHEN: clean for both Debians' e2fsck, contents through the kernel, all that is authenticated by the offline reader.
same_files() {
	check "e2fsck -fn, $1" e2fsck -fn /dev/vda
	must mount -t "$FSTYPE" /dev/vda /mnt
	must e4c-key add /mnt 7
	check "contents, $1" e4c-fragments check /mnt/d "$count"
	must umount /mnt
	blockdev --flushbufs /dev/vda
	check "volume verify, $1" ext4crypt-volume verify --master-key $KEYFILE /dev/vda
}

# depth NAME: of the extent tree of a file.
depth() {
	debugfs -R "ex <${inode[$1]}>" /dev/vda 2>/dev/null | sed -n 's|^ *[0-9]*/ *\([0-9]*\) .*|\1|p' | sort -nu | tail -n 1
}
# extents NAME FIRST END: how many its tree has among these logical blocks; debugfs ends its lines with "Uninit" where they are unwritten.
extents() {
	debugfs -R "ex <${inode[$1]}>" /dev/vda 2>/dev/null |
		awk -v first="$2" -v end="$3" '{ split($0, half, "/"); level = half[1] + 0; split(half[2], word, " "); depth = word[1] + 0
			if ($0 ~ /^ *[0-9]+\/ *[0-9]+ +[0-9]+\/ *[0-9]+ +[0-9]+ -/ && level == depth) { split(half[3], range, " "); if (range[2] >= first && range[2] < end) n++ } }
			END { print n + 0 }'
}

load_module
must mkfs.ext4 -q -F -b 4096 -I 512 -O encrypt /dev/vda $small
must mount -t "$FSTYPE" /dev/vda /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
for i in $(seq 40); do
	must mkdir "/mnt/try$i"
	[ "$(stat -c %i "/mnt/try$i")" -gt 1000 ] || { mv "/mnt/try$i" /mnt/d && break; }
done
rmdir /mnt/try* 2>/dev/null
must e4c-key set /mnt/d "$KEY"
needs "files with $count extents in each area" e4c-fragments make /mnt/d "$count"
declare -A inode
for file in /mnt/d/*; do inode[$(basename "$file")]=$(stat -c %i "$file"); done
must umount /mnt

for name in allocated punched each-group tag-blocks nodes; do same "the tree of '$name' has three levels" "$(depth $name)" 2; done
for name in few-allocated few-tag-blocks few-nodes; do same "the tree of '$name' has two levels" "$(depth $name)" 1; done
first=$((0x50000000)) nodes=$((0x50A80000)) end=$((0x50C00000))
check "thousands of extents of pages" test "$(extents allocated 0 $first)" -ge $((2 * count - 2))
check "half are punched" test "$(extents punched 0 $first)" -ge "$count"
check "thousands of extents of tag blocks" test "$(extents tag-blocks $first $nodes)" -ge "$count"
check "thousands of extents of nodes" test "$(extents nodes $nodes $end)" -ge "$count"
same_files "as they were made"

for tool in e2fsck e2fsck-13; do
	command -v $tool >/dev/null || { say "# no $tool, so only Debian 12's"; continue; }
	say "# $("$tool" -V 2>&1 | head -n 1)"
	for options in -fp -fy -fyD "-fy -E bmap2extent"; do
		# shellcheck disable=SC2086  # several words
		check "$tool $options finds nothing" "$tool" $options /dev/vda
		same_files "after $tool $options"
	done
done
must e2fsck -fy /dev/vda
check "resize2fs grows it" resize2fs /dev/vda
same_files "after resize2fs"
must e2fsck -fy /dev/vda
check "resize2fs -M" resize2fs -M /dev/vda
same_files "after resize2fs -M"
check "debugfs reads the trees" test "$(debugfs -R "ex <${inode[nodes]}>" /dev/vda 2>&1 | grep -ci corrupt)" = 0
check "debugfs -w goes by" debugfs -w -R "set_super_value lastcheck now" /dev/vda
check "dumpe2fs" dumpe2fs /dev/vda
check "e2image copies the metadata" e2image -r /dev/vda /tmp/metadata
check "of which e2fsck finds nothing" e2fsck -fn /tmp/metadata
rm -f /tmp/metadata
same_files "at the end"
must mount -t "$FSTYPE" /dev/vda /mnt
check "rm" rm -r /mnt/d
must umount /mnt
check "e2fsck finds nothing when all is removed" e2fsck -fn /dev/vda
finish
