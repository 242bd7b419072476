# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Quota: tag blocks are charged to the owner of the file, the writer hears EDQUOT, what was written before stays whole, and e2fsck counts the same.
# vm: disk=128M memory=512 seconds=600
. /e4c/functions.sh

load_module
must modprobe quota_v2
fresh_disk /dev/vda -O quota -E quotatype=usrquota
must mount -t "$FSTYPE" -o usrquota /dev/vda /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
must mkdir /mnt/d
must e4c-key set /mnt/d "$KEY"
must chmod 777 /mnt/d

alice() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
charged() { sync && e4c-quota /dev/vda get 1000; }
on_disk() { find /mnt/d -uid 1000 -printf '%b\n' | awk '{ n += $1 } END { print n * 512 }'; }

# 400 KiB are 100 blocks. On authenticated files one of them is a tag block.
expected=$((100 * 4096))
[ "$FSTYPE" = ext4 ] || expected=$((99 * 4096))
must e4c-quota /dev/vda set 1000 400
refuses "the writer hears EDQUOT" 'quota' alice dd if=/dev/urandom of=/mnt/d/first bs=4096 count=120
same "what fits is written, its tag block charged before" "$(stat -c %s /mnt/d/first)" $expected
sha256sum /mnt/d/first >/tmp/first
same "the whole limit is charged" "$(charged)" $((100 * 4096))
refuses "an append hears it" 'quota' alice dd if=/dev/urandom of=/mnt/d/first bs=4096 count=1 oflag=append conv=notrunc
refuses "fallocate hears it" 'EDQUOT' alice e4c-io fallocate /mnt/d/first keep $((200 * 4096)) 4096
check "a mapped write into a hole is SIGBUS" alice sh -c 'truncate -s 1M /mnt/d/hole && ! e4c-io mmap-write /mnt/d/hole 5000 text'
check "overwriting costs nothing" alice dd if=/dev/zero of=/mnt/d/first bs=4096 count=10 conv=notrunc,fsync
drop_caches
same "and the rest is as it was" "$(tail -c +40961 /mnt/d/first | wc -c)" $((expected - 40960))
check "punching a hole makes room" alice e4c-io fallocate /mnt/d/first punch 0 40960
same "which is 10 blocks" "$(charged)" $((90 * 4096))
check "for a small file" alice sh -c 'echo small >/mnt/d/small && sync /mnt/d/small'
same "which is charged" "$(charged)" "$(on_disk)"
must e4c-quota /dev/vda set 1000 20000
# Preallocated space is charged; then nothing of the limit is left for the block that the extent tree needs when the extent is split.
must alice fallocate -l $((400 * 4096)) /mnt/d/prepared
must e4c-quota /dev/vda set 1000 $(($(charged) / 1024))
for page in 10 20 30 40 50 60 70 80; do
	printf 'page %s' $page | alice dd of=/mnt/d/prepared bs=4096 seek=$page conv=notrunc,fsync 2>/tmp/check.out || break
done
same "what was preallocated takes what is written, at the limit too" "$page $(grep -c quota /tmp/check.out)" "80 0"
drop_caches
same "and it is there" "$(for page in 10 20 30 40 50 60 70 80; do dd if=/mnt/d/prepared bs=4096 skip=$page count=1 2>/dev/null | tr -d '\0'; echo; done | sort -u | wc -l)" 8
refuses "while the limit stands" 'quota' alice dd if=/dev/urandom of=/mnt/d/more bs=4096 count=3 conv=fsync
must rm /mnt/d/prepared
rm -f /mnt/d/more
must e4c-quota /dev/vda set 1000 20000
check "with a larger limit the writer goes on" alice dd if=/dev/urandom of=/mnt/d/second bs=64k count=100 conv=fsync
check "a file given to another is charged to him" sh -c 'chown 1001 /mnt/d/second && sync'
same "and not to the first" "$(charged)" "$(on_disk)"
alice dd if=/dev/urandom of=/mnt/d/dirty bs=4096 count=300 2>/dev/null
check "also when its tag blocks are not allocated yet" chown 1001 /mnt/d/dirty
same "the charge is what is on the disk" "$(charged)" "$(on_disk)"
must rm /mnt/d/dirty /mnt/d/first
same "also after deletion" "$(charged)" "$(on_disk)"
sha256sum /mnt/d/* >/tmp/sums
must umount /mnt
check "e2fsck counts the same" e2fsck -fn /dev/vda
must mount -t "$FSTYPE" -o usrquota /dev/vda /mnt
must e4c-key add /mnt 7
check "and all files read back" sha256sum -c --quiet /tmp/sums
same "the charge is the same after a remount" "$(charged)" "$(on_disk)"
must umount /mnt
finish
