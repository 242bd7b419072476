# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Overwriting more than there is memory, with a journal that would take it all: what a transaction pins no dirty limit counts, so transactions commit by
# themselves before it is too much. By the number of transactions, since nothing else would start a commit here.
# needs: no service
# vm: disk=4G memory=256 seconds=1800
. /e4c/functions.sh

committed() { awk '/transactions/ { print $1; exit }' /proc/fs/jbd2/*da-8/info; }
load_module
fresh_disk /dev/vda -J size=1024 -E lazy_journal_init=1,lazy_itable_init=1
must mount -t "$FSTYPE" -o commit=300 /dev/vda /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
must mkdir /mnt/d
must e4c-key set /mnt/d "$KEY"
must dd if=/dev/zero of=/mnt/d/f bs=1M count=160
sync
echo 3 >/proc/sys/vm/drop_caches
before=$(committed)
# A thirty-second of memory, 2048 pages at least: 8 MiB, or what the debug kernel has.
pages=$(($(awk '/MemTotal/ { print $2 }' /proc/meminfo) / 4 / 32))
[ $pages -ge 2048 ] || pages=2048
must dd if=/dev/zero of=/mnt/d/f bs=64k count=2560 conv=notrunc
e4c-io sync-range /mnt/d/f
after=$(committed)
dmesg | grep -ciE 'out of memory|oom-kill' >/tmp/oom
same "nobody was killed for memory" "$(cat /tmp/oom)" 0
say "160 MiB overwritten: $((after - before)) transactions, one for each $pages pages would be $((40960 / pages))"
check "transactions commit before they pin too much" test $((after - before)) -ge $((40960 / pages / 3))
must umount /mnt
check "e2fsck" e2fsck -fn /dev/vda
finish
