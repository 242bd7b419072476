# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A hibernation image can be restored twice, so what comes after it must not draw nonces that continue those before. Here it is restored once, at once
# (test_resume), with a real image; kernels without hibernation have nothing to show.
# needs: no service
# vm: disk=128M disk=1G memory=512 seconds=600
# console-allowed: crng reseeded|PM:|hibernation|ACPI
. /e4c/functions.sh

# The random part of the nonce of the file's first page, and its counter.
prefix() { e4c-tags get /mnt/d/f pages 0 1 | cut -d ' ' -f 2 | cut -c 1-16; }
overwrite() { printf '%s' "$1" | dd of=/mnt/d/f conv=notrunc,fsync 2>/dev/null; }

encrypted_mount
head -c 8192 /dev/urandom >/mnt/d/f
sync
exec 8</mnt/d/f # one life of the inode
overwrite one
before=$(prefix)
overwrite two
same "one life of the inode has one prefix" "$(prefix)" "$before"
if grep -q disk /sys/power/state 2>/dev/null; then
	modprobe lzo_rle 2>/dev/null
	must mkswap /dev/vdb
	must swapon /dev/vdb
	echo "$((0x$(stat -c %t /dev/vdb))):$((0x$(stat -c %T /dev/vdb)))" >/tmp/number
	# Telling the kernel where the image is tries to resume from it: there is none yet.
	cat /tmp/number >/sys/power/resume 2>/dev/null
	must sh -c 'echo test_resume >/sys/power/disk'
	check "hibernated, and restored" sh -c 'echo disk >/sys/power/state'
	dmesg | grep -q 'Hibernation image restored successfully\|PM: hibernation: hibernation exit' && ok "the kernel says so"
	overwrite three
	check "after it the prefix is another" test "$(prefix)" != "$before"
	same "the contents" "$(head -c 5 /mnt/d/f)" three
	swapoff /dev/vdb
else
	say "this kernel does not hibernate"
fi
exec 8<&-
must umount /mnt
check "e2fsck" e2fsck -fn /dev/vda
finish
