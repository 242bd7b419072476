# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What happens to a volume while files are written on it: frozen and thawed, remounted read-only and back, grown. The writer compares its files with
# what they must contain all the while.
# vm: disk=512M memory=1024 seconds=900
. /e4c/functions.sh

load_module
must mkfs.ext4 -q -F -b 4096 -I 512 -O encrypt /dev/vda 128M
must mount -t "$FSTYPE" /dev/vda /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
must mkdir /mnt/d
must e4c-key set /mnt/d "$KEY"
head -c 3000000 /dev/urandom >/tmp/kept
cp /tmp/kept /mnt/d/kept

OPERATIONS=write,overwrite,append,direct-write,mapped-write,truncate,punch,zero-range,zero-keep,falloc,falloc-keep,read,mapped-read,sync,forget
starts() { # starts SEED
	# Its files stay open: no reopen, no recreate.
	e4c-fsx /mnt/d --ops 1000000 --seed "$1" --files 2 --only "$OPERATIONS" >/tmp/fsx.out 2>&1 &
	writer=$!
	sleep 1
}
still_right() { # still_right WHEN: stops the writer, which has found no difference so far
	if kill $writer 2>/dev/null; then ok "the writer found no difference, $1"; else
		not_ok "the writer, $1"
		diag /tmp/fsx.out 40
	fi
	wait $writer 2>/dev/null
	rm -f /mnt/d/fsx-*
}
written() { awk '{ print $7 }' /sys/block/*da/stat; } # vda, ubda

starts 21
for round in 1 2 3; do
	check "freeze $round" fsfreeze -f /mnt
	before=$(written)
	cmp -s /tmp/kept /mnt/d/kept || not_ok "reading while frozen"
	sleep 1
	same "nothing is written while frozen, $round" "$(written)" "$before"
	check "thaw $round" fsfreeze -u /mnt
	sleep 1
done
check "the volume is written again" test "$(written)" -gt "$before"
for round in 1 2 3; do refuses "a read-only remount with open files is refused, $round" 'busy' mount -o remount,ro /mnt; done
still_right "frozen and thawed"

cp /tmp/kept /mnt/d/dirty
check "remount read-only with dirty pages" mount -o remount,ro /mnt
refuses "then nothing is written" 'Read-only' cp /tmp/kept /mnt/d/never
echo 3 >/proc/sys/vm/drop_caches
check "everything is read" cmp /tmp/kept /mnt/d/dirty
check "e2fsck finds nothing on the mounted volume" e2fsck -fn /dev/vda
check "remount read-write" mount -o remount,rw /mnt
check "and files are written" sh -c 'cat /tmp/kept >>/mnt/d/dirty && sync /mnt/d/dirty'
same "to their end" "$(cat /tmp/kept /tmp/kept | sha256sum)" "$(sha256sum </mnt/d/dirty)"

starts 23
for size in 200M 256M 512M; do
	check "resize2fs to $size while files are written" resize2fs /dev/vda $size
	sleep 1
done
still_right "grown"
# More than the volume held before.
check "the new space holds files" dd if=/dev/zero of=/mnt/d/large bs=1M count=200 conv=fsync
cp /tmp/kept /mnt/d/after
sha256sum /mnt/d/* >/tmp/sums
drop_caches
check "all contents agree" sha256sum -c --quiet /tmp/sums
remount_keyed
check "also after a remount" sha256sum -c --quiet /tmp/sums
check "what was there at the beginning, too" cmp /tmp/kept /mnt/d/kept
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
