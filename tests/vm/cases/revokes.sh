# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is freed is revoked only where it may be in the log: after one overwrite somewhere, the removal of other files and of space that was never written
# costs the log no more than before.
# needs: no service
# vm: disk=1G memory=512 seconds=900
. /e4c/functions.sh

logged() { awk '/transactions/ { t = $1 } /logged blocks per/ { print t * $1 }' /proc/fs/jbd2/*da-8/info; }
# removed_for FILE: blocks in the log for its removal.
removed_for() {
	local before
	sync
	before=$(logged)
	rm "$1"
	sync
	echo $(($(logged) - before))
}
again() {
	must umount /mnt
	must mount -t "$FSTYPE" -o commit=300 /dev/vda /mnt
	must e4c-key add /mnt 7
	echo 0 >/proc/sys/vm/dirty_writeback_centisecs
}
space() {
	: >"$1"
	must e4c-io fallocate "$1" alloc 0 268435456
}

encrypted_mount -J size=64
printf 'page' >/mnt/d/small
for name in quiet busy own; do space /mnt/d/$name; done
dd if=/dev/zero of=/mnt/d/data bs=1M count=128 conv=fsync 2>/dev/null
dd if=/dev/zero of=/mnt/d/data2 bs=1M count=128 conv=fsync 2>/dev/null
again
quiet=$(removed_for /mnt/d/quiet)
data=$(removed_for /mnt/d/data)
again
printf x | dd of=/mnt/d/small conv=notrunc,fsync 2>/dev/null
busy=$(removed_for /mnt/d/busy)
data2=$(removed_for /mnt/d/data2)
# The log's own averages are rounded: half as much again is the same.
say "preallocated space: $quiet blocks in the log, $busy after an overwrite elsewhere; data: $data, $data2"
check "preallocated space, removed after an overwrite elsewhere" test "$busy" -le $((quiet + quiet / 2 + 8))
check "data, removed after an overwrite elsewhere" test "$data2" -le $((data + data / 2 + 8))
# Its own overwritten page is revoked, its space that was never written is not.
printf x | dd of=/mnt/d/own conv=notrunc,fsync 2>/dev/null
printf y | dd of=/mnt/d/own conv=notrunc,fsync 2>/dev/null
own=$(removed_for /mnt/d/own)
say "preallocated space in a file that was overwritten itself: $own"
check "preallocated space in a file that was overwritten itself" test "$own" -le $((quiet + quiet / 2 + 8))
must umount /mnt
check "e2fsck" e2fsck -fn /dev/vda
finish
