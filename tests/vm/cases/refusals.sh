# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Every mount that cannot keep the invariant is refused, with one sentence in the kernel log, and changes nothing on the disk.
# vm: disk=40M disk=16M seconds=600
# console-allowed: EXT4-fs warning
. /e4c/functions.sh

# refused NAME REGEX [OPTIONS]: mounting /dev/vda with OPTIONS fails, and one line of the log says why: REGEX. ext4 may have said something of its
# own about the option before.
refused() {
	local name=$1 regex=$2 options=${3:-defaults}
	must cp /dev/vda /tmp/before
	dmesg -c >/dev/null
	if mount -t "$FSTYPE" -o "$options" /dev/vda /mnt 2>/tmp/mount.err; then
		not_ok "$name: it was mounted"
		umount /mnt
		return
	fi
	dmesg | grep -E 'EXT4-fs|ext4crypt' >/tmp/log
	if ! grep -Eq -- "$regex" /tmp/log; then
		not_ok "$name: refused, but the log does not say '$regex'"
		diag /tmp/log
	elif [ "$(grep -c 'cannot mount' /tmp/log)" -gt 1 ]; then
		not_ok "$name: more than one line says why"
		diag /tmp/log
	elif ! cmp -s /dev/vda /tmp/before; then
		not_ok "$name: the disk has changed"
	else
		ok "$name"
	fi
}

make() { must mkfs.ext4 -q -F -I 512 -E lazy_itable_init=0,lazy_journal_init=0 -b 4096 "$@" /dev/vda; }

load_module
dmesg -n 1 # keep the refusals off the console

make -O encrypt
refused "noload" 'noload' noload
refused "norecovery" 'noload|norecovery' norecovery
refused "noload, read-only" 'noload|norecovery' ro,noload
refused "data=writeback" 'data=ordered' data=writeback
refused "data=journal" 'data=ordered' data=journal
refused "journal_async_commit" 'journal_async_commit' journal_async_commit
refused "nobarrier" 'barrier' nobarrier
refused "barrier=0" 'barrier' barrier=0
refused "dax" 'dax|DAX' dax
refused "dax=always" 'dax|DAX' dax=always
refused "test_dummy_encryption" 'test_dummy_encryption' test_dummy_encryption
# Kernels without inline encryption ignore the option and say so; then nothing is wrong with the mount.
if mount -t "$FSTYPE" -o inlinecrypt /dev/vda /mnt 2>/dev/null; then
	same "inlinecrypt, ignored by this kernel, is not in effect" "$(grep -c inlinecrypt /proc/mounts)" 0
	umount /mnt
else
	ok "inlinecrypt"
fi

make -O encrypt
must mount -t "$FSTYPE" /dev/vda /mnt
for options in nobarrier data=writeback data=journal noload; do
	refuses "remount with $options" . mount -o "remount,$options" /mnt
	check "after remount with $options it still is as it was" sh -c '! grep " /mnt .*\(nobarrier\|writeback\|data=journal\)" /proc/mounts'
done
reserved=$(echo "/sys/fs/$FSTYPE/"*da/reserved_clusters) # vda, ubda
if [ ! -f "$reserved" ] || { echo 0 >"$reserved" 2>/dev/null && [ "$(cat "$reserved")" = 0 ]; }; then
	not_ok "reserved_clusters cannot be set to 0"
else
	ok "reserved_clusters cannot be set to 0"
fi
must umount /mnt

make -O encrypt,^has_journal
refused "no journal" 'no journal'
make -O encrypt,bigalloc -C 16384
refused "bigalloc" 'bigalloc'
make -O encrypt -b 1024
refused "blocks of 1024 bytes" 'block size'
make -O encrypt -b 2048
refused "blocks of 2048 bytes" 'block size'
must mke2fs -q -F -b 4096 -O journal_dev /dev/vdb
make -O encrypt -J device=/dev/vdb
refused "a journal on another device" 'journal is on another device'
make -O encrypt
must tune2fs -o journal_data_writeback /dev/vda
refused "data=writeback as the disk's default" 'data=ordered'
must tune2fs -o ^journal_data_writeback,nobarrier /dev/vda
refused "nobarrier as the disk's default" 'barrier'

# Without the feature the kernel takes encrypted directories for plain ones.
make -O ^encrypt
refused "no encrypt feature" 'the encrypt feature is off'
must tune2fs -O encrypt /dev/vda
check "with it, it is mounted" mount -t "$FSTYPE" /dev/vda /mnt
umount /mnt
make -O encrypt -I 128
refused "inodes of 128 bytes" 'inodes have no room'

# What a crash left, on a device that cannot be written to: the kernel's own advice would be noload.
make -O encrypt
must mount -t "$FSTYPE" /dev/vda /mnt
echo hello >/mnt/file
sync
must cp /dev/vda /tmp/crashed
umount /mnt
must cp /tmp/crashed /dev/vda
blockdev --flushbufs /dev/vda
must blockdev --setro /dev/vda
refused "a journal to replay, on a read-only device" 'the journal must be replayed, and the device is read-only' ro
must blockdev --setrw /dev/vda
check "writable, it is replayed, read-only mount or not" mount -t "$FSTYPE" -o ro /dev/vda /mnt
same "and read" "$(cat /mnt/file)" hello
umount /mnt
must blockdev --setro /dev/vda
check "without a journal to replay a read-only device is mounted" mount -t "$FSTYPE" -o ro /dev/vda /mnt
umount /mnt
must blockdev --setrw /dev/vda

# What this module says it can do, it can.
for feature in test_dummy_encryption_v2 fast_commit; do
	check "it does not advertise $feature" test ! -e "/sys/fs/$FSTYPE/features/$feature"
done
check "it does advertise encryption" test -e "/sys/fs/$FSTYPE/features/encryption"

# ext4 itself would turn to data=journal for a journal that cannot revoke.
make -O encrypt,^64bit,^metadata_csum
journal=$(debugfs -R 'bmap <8> 0' /dev/vda 2>/dev/null)
printf '\003' | dd of=/dev/vda bs=1 seek=$((journal * 4096 + 7)) conv=notrunc,fsync 2>/dev/null
refused "a journal of the first version" 'does not support'
finish
