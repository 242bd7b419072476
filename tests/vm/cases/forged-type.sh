# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What A can do besides forging contents: a device in the place of a file, the superblock's encrypt feature cleared. And what the user keeps: whiteouts,
# device nodes elsewhere when the mount says so.
# needs: no service
# vm: disk=256M disk=64M memory=768 seconds=600
# console-allowed: ext4crypt .*authentication failed|EXT4-fs
. /e4c/functions.sh

device_number() { # device_number NODE: as an inode has it
	echo $(($(printf '%d' "0x$(stat -c %t "$1")") * 256 + $(printf '%d' "0x$(stat -c %T "$1")")))
}
made_device() { # made_device INODE MODE NUMBER
	cat <<-C
		sif <$1> mode $2
		sif <$1> flags 0
		sif <$1> block[0] 0
		sif <$1> block[1] $3
		sif <$1> block[2] 0
		sif <$1> block[3] 0
		sif <$1> size 0
	C
}

encrypted_mount
mkdir /mnt/plain
must mknod /mnt/plain/disk b $((0x$(stat -c %t /dev/vdb))) $((0x$(stat -c %T /dev/vdb)))
must mknod /mnt/plain/null c 1 3
must mknod /mnt/d/whiteout c 0 0
check "a whiteout in an encrypted directory is seen" test -c /mnt/d/whiteout
refuses "a device is not made in an encrypted directory" 'not permitted' mknod /mnt/d/null c 1 3
refuses "nor linked into one" 'not permitted' ln /mnt/plain/null /mnt/d/null
refuses "nor moved into one" 'not permitted' mv /mnt/plain/null /mnt/d/null
check "a pipe is" mknod /mnt/d/pipe p
for name in block char other; do printf 'what the user wrote\n' >"/mnt/d/$name"; done
sync
block=$(stat -c %i /mnt/d/block) char=$(stat -c %i /mnt/d/char)
must umount /mnt

yes 'attacker says: PermitRootLogin yes' | head -c 65536 >/tmp/evil
dd if=/tmp/evil of=/dev/vdb bs=4096 conv=fsync 2>/dev/null
{
	made_device "$block" 060644 "$(device_number /dev/vdb)"
	made_device "$char" 020644 $((1 * 256 + 3))
} >/tmp/commands
must debugfs -w -f /tmp/commands /dev/vda
for options in defaults devices; do
	must mount -t "$FSTYPE" -o "$options" /dev/vda /mnt
	must e4c-key add /mnt 7
	dmesg -c >/dev/null
	refuses "mounted with $options: a block device in the place of a file is not read" 'needs cleaning' head -c 34 /mnt/d/block
	refuses "mounted with $options: nor written" 'needs cleaning' sh -c 'printf "new SECRET of the user\n" >/mnt/d/block'
	refuses "mounted with $options: nor a character device" 'needs cleaning' sh -c 'printf "new SECRET of the user\n" >/mnt/d/char'
	dmesg >/tmp/log
	check "mounted with $options: the log names the inode" grep -q "authentication failed: inode $block: a device in an encrypted directory" /tmp/log
	same "mounted with $options: the file beside them" "$(cat /mnt/d/other)" "what the user wrote"
	check "mounted with $options: the whiteout" test -c /mnt/d/whiteout
	must umount /mnt
done
same "nothing of the user's is on the attacker's disk" "$(head -c 13 /dev/vdb)" "attacker says"

# Where nothing is encrypted nothing vouches for a node either.
must mount -t "$FSTYPE" /dev/vda /mnt
refuses "a block device is not opened" 'ermission denied' head -c 1 /mnt/plain/disk
refuses "nor a character device" 'ermission denied' cat /mnt/plain/null
check "a remount with devices" mount -o remount,devices /mnt
check "allows it" cat /mnt/plain/null
check "and says so" grep -q ' /mnt .*devices' /proc/mounts
refuses "a remount that is refused" . mount -o remount,nodevices,noload /mnt
check "changes nothing" cat /mnt/plain/null
check "a remount with nodevices" mount -o remount,nodevices /mnt
refuses "ends it" 'ermission denied' cat /mnt/plain/null
must umount /mnt
must tune2fs -E mount_opts=devices /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
refuses "the superblock cannot say devices" 'ermission denied' cat /mnt/plain/null
must umount /mnt
must tune2fs -E mount_opts= /dev/vda

# Without the key they have no-key names, and can be removed by them.
must mount -t "$FSTYPE" /dev/vda /mnt
devices() { for f in /mnt/d/*; do [ ! -b "$f" ] || echo "$f"; done; } # the directory still says that they are files
check "locked, the device is seen" test "$(devices | wc -l)" = 1
devices | xargs rm
same "and can be removed" "$(devices)" ""
must mkdir /mnt/peruser
must e4c-key per-user /mnt/peruser on
must umount /mnt

must debugfs -w -R 'feature -encrypt' /dev/vda
dmesg -c >/dev/null
if mount -t "$FSTYPE" /dev/vda /mnt 2>/dev/null; then
	not_ok "a volume whose encrypt feature was cleared is not mounted"
	sh -c 'printf "plain SECRET" >/mnt/peruser/a' && sync
	umount /mnt
	same "plaintext on the disk, places" "$(grep -c 'plain SECRET' /dev/vda)" 0
else
	dmesg >/tmp/log
	check "a volume whose encrypt feature was cleared is not mounted" grep -q 'ext4crypt cannot mount this: the encrypt feature is off' /tmp/log
fi
finish
