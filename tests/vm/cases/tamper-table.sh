# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The table of docs/threat-model.md: each row is done to files of its own on the raw disk, and programs and the offline reader see what it says.
# vm: disk=64M seconds=600
# console-allowed: ext4crypt .*authentication failed|fscrypt .*|EXT4-fs (error|warning)[: ]|JBD2 unexpected failure|Aborting journal
. /e4c/functions.sh

load_module
# Without checksums of metadata, which would only stand in the way of an attacker who can compute them as well as we.
fresh_disk /dev/vda -O ^metadata_csum
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-tamper make /mnt 1
must umount /mnt
cat /dev/vda >/tmp/old
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-tamper make /mnt 2
e4c-tamper inodes /mnt >/tmp/inodes
must umount /mnt
must e4c-tamper edit /dev/vda /tmp/old /tmp/inodes
rm /tmp/old

head -c 64 /dev/zero | tr '\0' '\007' >/tmp/key7
ext4crypt-volume --json verify /dev/vda --master-key /tmp/key7 >/tmp/verify.json
same "the reader says that something must not be believed" $? 3
must mount -t "$FSTYPE" -o errors=continue /dev/vda /mnt
must e4c-key add /mnt 7
e4c-tamper judge /mnt /tmp/inodes /tmp/verify.json >/tmp/judged
while read -r line; do
	case $line in
	"ok "*) ok "${line#ok }" ;;
	*) not_ok "${line#not ok }" ;;
	esac
done </tmp/judged
check "each row was judged" test "$(wc -l </tmp/judged)" -gt 70

# The log names inode and page; it is rate-limited, so not while the table is judged.
sleep 6
inode=$(sed -n 's|^/a/ciphertext-bit-0 ||p' /tmp/inodes)
dmesg -c >/tmp/dmesg.before
drop_caches
refuses "a page that is not authentic is an I/O error" EIO e4c-io pread /mnt/a/ciphertext-bit-0 $((13 * 4096)) 4096
dmesg >/tmp/dmesg.after
check "the log names inode and page" grep -q "ext4crypt (.*da): authentication failed: inode $inode, page 13: the contents do not match the tag" /tmp/dmesg.after

# In being removed, piece by piece and as a whole, none of it harms the kernel. A block that two extents map is freed twice, and the journal ends with that.
find /mnt -type f >/tmp/files
while read -r file; do
	printf x | dd of="$file" bs=4096 seek=14 conv=notrunc,fsync
	e4c-io fallocate "$file" punch 49152 16384
	truncate -s 4096 "$file"
	rm "$file"
	if ! touch /mnt/alive; then
		umount /mnt
		mount -t "$FSTYPE" -o errors=continue /dev/vda /mnt
		e4c-key add /mnt 7
	fi
done </tmp/files >/tmp/removed 2>&1
check "$(wc -l </tmp/files) files were removed, as far as that is possible" umount /mnt
finish
