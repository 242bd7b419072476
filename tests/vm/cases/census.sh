# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Nonces are never used twice: one page is rewritten again and again, across remounts, removal and adding of the key, and on copies of the disk as a crash leaves it,
# and each nonce of a slot or seal is written into one book. The long form is --set times=100000. And what E4C_IOC_GET_TAGS gives and refuses.
# vm: disk=48M disk=48M memory=768 seconds=3600
# console-allowed: EXT4-fs .*(orphan|recover)
. /e4c/functions.sh
. /e4c/tamper.sh
. /e4c/keyd.sh
. /e4c/faults.sh

times=$(($(setting times 2000) / 8))
F=/mnt/d/file
load_module
faulty_disk
fresh_disk "$FAULTY"
faulty_mount
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
must mkdir /mnt/d
must e4c-key set /mnt/d "$KEY"
head -c 1048576 /dev/urandom >$F # 256 pages: tag blocks 0, 1 and 2
sync
inode=$(stat -c %i $F)

# --- GET_TAGS ---
call() { e4c-tags call "$@" 2>&1; }
same "a range" "$(call $F 0 256 0 0)" ok
same "an empty range" "$(call $F 0 0 0 0)" ok
same "past the end of the file" "$(e4c-tags get $F pages 300 2 | sort -u)" "$(printf '%032d %024d %08d' 0 0 0)"
same "all 256 pages have a slot, across three tag blocks" "$(e4c-tags get $F pages 0 260 | grep -vc '^0* 0* 0*$')" 256
same "the seals of the tag blocks that exist" "$(e4c-tags get $F seals 0 4 | cut -d ' ' -f 3 | tr '\n' ' ')" "01000000 01000000 01000000 00000000 "
same "the last page that a file can have" "$(call $F $((0x4FFFFFFF)) 1 0 0)" ok
same "a page past it" "$(call $F $((0x50000000)) 1 0 0)" EINVAL
same "a range past it" "$(call $F $((0x4FFFFFFF)) 2 0 0)" EINVAL
same "a first page of 64 bits" "$(call $F 0x100000000 1 0 0)" EINVAL
same "the last tag block" "$(call $F 10568325 1 1 0)" ok
same "a tag block past it" "$(call $F 10568326 1 1 0)" EINVAL
same "an unknown flag" "$(call $F 0 1 2 0)" EINVAL
same "a reserved field" "$(call $F 0 1 0 1)" EINVAL
same "no room for the answer" "$(call $F 0 1 0 0 null)" EFAULT
same "a directory" "$(call /mnt/d 0 1 0 0)" EOPNOTSUPP
echo plain >/mnt/plain
same "a plain file" "$(call /mnt/plain 0 1 0 0)" EOPNOTSUPP
chmod 600 $F
refuses "a file of someone else" 'EACCES' as alice e4c-tags call $F 0 1 0 0
truncate -s 8M /mnt/d/sparse
printf x | dd of=/mnt/d/sparse bs=1 seek=4000000 conv=notrunc,fsync 2>/dev/null
same "a hole has none" "$(e4c-tags get /mnt/d/sparse pages 0 2048 | grep -vc '^0* 0* 0*$')" 1
must e4c-io fallocate /mnt/d/sparse punch 3997696 8192
same "nor has what was punched" "$(e4c-tags get /mnt/d/sparse pages 0 2048 | grep -vc '^0* 0* 0*$')" 0

# --- the census ---
round() { # round NAME
	check "$1: $times times" e4c-tags rewrite $F /tmp/book 200 "$times" "$RANDOM"
	check "$1: all slots and seals" e4c-tags census $F /tmp/book 3
}
round "the first life of the inode"
exec 8<$F
e4c-key remove /mnt "$KEY" >/dev/null
exec 8<&-
e4c-key remove /mnt "$KEY" >/dev/null 2>&1
must e4c-key add /mnt 7
round "after the key was removed and added"
for n in 1 2; do
	must umount /mnt
	faulty_mount
	must e4c-key add /mnt 7
	round "after remount $n"
	# A crash: the disk as it stands goes on in its own time, and so does this one. Their nonces must differ, too.
	must dmsetup suspend --noflush --nolockfs disk
	dd if=/dev/vda of=/dev/vdb bs=1M iflag=direct oflag=direct 2>/dev/null
	must dmsetup resume --noudevsync disk
	round "after the copy was taken"
	mkdir -p /copy
	must mount -t "$FSTYPE" /dev/vdb /copy
	must e4c-key add /copy 7
	F=/copy/d/file
	round "in crash copy $n, replayed"
	F=/mnt/d/file
	must umount /copy
	blockdev --flushbufs /dev/vdb
	for g in 0 1 2; do
		check "copy $n: the raw tag block $g" e4c-tags raw /dev/vdb "$(physical /dev/vdb "$inode" $((TAG_LBLK + g)))" $g /tmp/book
	done
done
must umount /mnt
blockdev --flushbufs "$FAULTY"
check "the raw tag block" e4c-tags raw "$FAULTY" "$(physical "$FAULTY" "$inode" $((TAG_LBLK + 1)))" 1 /tmp/book
nonces=$(e4c-tags count /tmp/book)
check "$nonces different nonces" test "$nonces" -ge $((times * 12))
volume_clean "every page and group verifies" "$FAULTY"
must dmsetup remove --noudevsync disk
finish
