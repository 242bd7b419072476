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
check "each row was judged" test "$(wc -l </tmp/judged)" -gt 150

# The log names inode and reason; it is rate-limited, so not while the table is judged, and a few at a time.
logged() { # logged PATH INODE-OF WHAT [PROGRAM]: reading PATH leaves one line, of the inode of INODE-OF before the change, which says WHAT
	local inode lines
	inode=$(sed -n "s|^$2 ||p" /tmp/inodes)
	dmesg -c >/dev/null
	${4:-cat} "/mnt$1"
	lines=$(dmesg | grep "ext4crypt (.*da): authentication failed: inode ${inode}[,:]")
	same "${1##*/}: one line in the log" "$(echo "$lines" | wc -l)" 1
	check "${1##*/}: it says${3%%:*}: ${3#*: }" grep -q ": authentication failed: inode $inode$3" <<<"$lines"
}
umount /mnt
must mount -t "$FSTYPE" -o errors=continue /dev/vda /mnt
must e4c-key add /mnt 7
sleep 6
refuses "a page that is not authentic is an I/O error" EIO e4c-io pread /mnt/a/ciphertext-bit-0 $((13 * 4096)) 4096
logged /a/node-zeroed-0 /a/node-zeroed-0 ", node 0 of level 1: its seal does not verify"
logged /a/size-shorter-0 /a/size-shorter-0 ": the head does not match"
logged /a/names-swapped-0 /a/names-swapped-0-2 ": it does not belong under this name"
logged /a/clone-0-2 /a/clone-0-2 ": it does not belong under this name"
logged /a/attribute-second-0 /a/attribute-second-0 ": its attribute is damaged"
logged /a/link-target-0 /a/link-target-0 ": the head does not match" readlink
logged /a/fifo-for-file-not-encrypted-0 /a/fifo-for-file-not-encrypted-0 ": a special file without a place in an encrypted directory"
dmesg -c >/dev/null
drop_caches
e4c-io pread /mnt/a/ciphertext-bit-0 $((13 * 4096)) 4096
inode=$(sed -n 's|^/a/ciphertext-bit-0 ||p' /tmp/inodes)
check "of a page, the log names inode and page" sh -c "dmesg | grep -q 'ext4crypt (.*da): authentication failed: inode $inode, page 13: the contents do not match the tag'"

# In being removed, piece by piece and as a whole, none of it harms the kernel. A block that two extents map is freed twice, and the journal ends with that.
used=1
for attempt in 1 2 3 4 5 6 7 8 9 10; do
	e4c-tamper use /mnt
	used=$?
	umount /mnt
	[ $used = 1 ] || break
	must mount -t "$FSTYPE" -o errors=continue /dev/vda /mnt
	must e4c-key add /mnt 7
done
same "all files were used and removed with the key, as far as that is possible, in $attempt mounts" $used 0

# What the key keeps from being found is deleted without it; but for what ext4 itself refuses to load, which is left to e2fsck.
: >/tmp/left.before
for attempt in 1 2 3 4 5 6 7 8 9 10; do
	must mount -t "$FSTYPE" -o errors=continue /dev/vda /mnt
	rm -rf /mnt/a /mnt/b >/tmp/left 2>&1
	must umount /mnt
	# Again as long as there is less each time: a block that is freed twice ends the journal.
	cmp -s /tmp/left /tmp/left.before && break
	cp /tmp/left /tmp/left.before
done
say "after $attempt mounts left to e2fsck: $(grep -c "can't stat" /tmp/left)"
for path in head-bit-0 place-bit-0 linked-set-0 sequence-bit-0 size-shorter-0 node-zeroed-0 names-swapped-0 clone-0-2 attribute-second-0 link-target-0; do
	inode=$(sed -n "s|^/a/$path ||p" /tmp/inodes)
	check "$path has been deleted" sh -c "debugfs -R 'testi <$inode>' /dev/vda 2>/dev/null | grep -q 'not in use'"
done
finish
