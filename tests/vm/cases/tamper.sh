# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Whatever is changed on the raw disk in a page, a slot, a seal, the context or the mapping: reading says EIO, and only where it must.
# vm: disk=1G seconds=600
# console-allowed: ext4crypt .*authentication failed|fscrypt .*corrupt encryption context|EXT4-fs warning .*encryption context
. /e4c/functions.sh
. /e4c/tamper.sh

D=/mnt/d
page() { { e4c-io pread "$D/$1" $(($2 * 4096)) 4096 >/tmp/page && wc -c </tmp/page; } 2>&1; }
pages() { # pages FILE PAGE...: what reading each gives, in one line
	local file=$1 number line=
	shift
	for number in "$@"; do line="$line $(page "$file" "$number")"; done
	line=${line//pread: /}
	echo "${line# }"
}
inode() { sed -n "s/^$1 //p" /tmp/inodes; }
logged() { same "$1: the log names it" "$(dmesg | grep -cE "ext4crypt \(vda\): authentication failed: inode $(inode "$1"), $2" | sed 's/[1-9][0-9]*/yes/')" yes; }

# Without checksums of metadata, which would only stand in the way of an attacker who can compute them as well as we.
encrypted_mount -O ^metadata_csum
files="untouched data data-edge tag nonce info seal swap swap-slots zero-slot zero-block swap-groups replay hole no-group context other1 other2"
head -c 1200000 /dev/urandom >/tmp/original # 293 pages: groups 0, 1 and 2
head -c 1200000 /dev/urandom >/tmp/older
for file in $files; do cp /tmp/original "$D/$file"; done
cp /tmp/older $D/replay
sync
for file in $files; do echo "$file $(stat -c %i "$D/$file")"; done >/tmp/inodes
must umount /mnt
replayed=$(physical /dev/vda "$(inode replay)" 20)
dd if=/dev/vda of=/tmp/old-page bs=4096 skip="$replayed" count=1 2>/dev/null
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-key add /mnt 7
dd if=/tmp/original of=$D/replay bs=4096 conv=notrunc 2>/dev/null
must umount /mnt

flip_slot() { # flip_slot FILE PAGE BYTE: one bit of a slot
	local at
	at=$(slot_at /dev/vda "$(inode "$1")" "$2")
	keep /dev/vda $((at / 4096))
	must e4c-io flip /dev/vda $((at + $3))
}
tag_block() { physical /dev/vda "$(inode "$1")" $((TAG_LBLK + $2)); }

tamper_flip /dev/vda "$(inode data)" 50
tamper_flip /dev/vda "$(inode data-edge)" 292
flip_slot tag 10 0
flip_slot nonce 10 16
flip_slot info 10 28
block=$(tag_block seal 1)
keep /dev/vda "$block"
must e4c-io flip /dev/vda $((block * 4096))
tamper_swap /dev/vda "$(inode swap)" 30 200
a=$(slot_at /dev/vda "$(inode swap-slots)" 3)
keep /dev/vda $((a / 4096))
must e4c-io swap /dev/vda "$a" "$(slot_at /dev/vda "$(inode swap-slots)" 4)" 32
tamper_zero_slot /dev/vda "$(inode zero-slot)" 130
block=$(tag_block zero-block 2)
keep /dev/vda "$block"
dd if=/dev/zero of=/dev/vda bs=4096 seek="$block" count=1 conv=notrunc,fsync 2>/dev/null
a=$(tag_block swap-groups 0)
b=$(tag_block swap-groups 1)
keep /dev/vda "$a"
keep /dev/vda "$b"
must e4c-io swap /dev/vda $((a * 4096)) $((b * 4096)) 4096
block=$(physical /dev/vda "$(inode replay)" 20)
keep /dev/vda "$block"
dd if=/tmp/old-page of=/dev/vda bs=4096 seek="$block" count=1 conv=notrunc,fsync 2>/dev/null
# The same page of two files, contents and tag block alike.
a=$(physical /dev/vda "$(inode other1)" 60)
b=$(physical /dev/vda "$(inode other2)" 60)
keep /dev/vda "$a"
keep /dev/vda "$b"
must e4c-io swap /dev/vda $((a * 4096)) $((b * 4096)) 4096
a=$(tag_block other1 0)
b=$(tag_block other2 0)
keep /dev/vda "$a"
keep /dev/vda "$b"
must e4c-io swap /dev/vda $((a * 4096)) $((b * 4096)) 4096
# A bit of the context's nonce.
at=$(context_at /dev/vda "$(inode context)")
keep /dev/vda $((at / 4096))
must e4c-io flip /dev/vda $((at + 30))
blockdev --flushbufs /dev/vda
# These two are not brought back.
must debugfs -w -R "punch <$(inode hole)> 40 40" /dev/vda
must debugfs -w -R "punch <$(inode no-group)> $((TAG_LBLK + 1)) $((TAG_LBLK + 1))" /dev/vda

must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-key add /mnt 7
check "a file left alone reads" cmp /tmp/original $D/untouched
same "a flipped bit in a page" "$(pages data 49 50 51)" "4096 EIO 4096"
logged data "page 50:"
same "a flipped bit in the last page" "$(pages data-edge 291 292)" "4096 EIO"
same "a flipped bit in a tag breaks its group only" "$(pages tag 10 125 126 260)" "EIO EIO 4096 4096"
logged tag "(page 10|tag block 0):"
same "a flipped bit in a nonce" "$(pages nonce 10 126)" "EIO 4096"
same "a flipped bit in a slot's state" "$(pages info 10 126)" "EIO 4096"
same "a flipped bit in a seal" "$(pages seal 125 126 252 253)" "4096 EIO EIO 4096"
logged seal "tag block 1:"
same "two pages swapped" "$(pages swap 29 30 31 199 200 201)" "4096 EIO 4096 4096 EIO 4096"
same "two slots swapped" "$(pages swap-slots 3 4 126)" "EIO EIO 4096"
same "a slot zeroed" "$(pages zero-slot 125 130 253)" "4096 EIO 4096"
same "a tag block zeroed" "$(pages zero-block 252 253 292)" "4096 EIO EIO"
same "two tag blocks swapped" "$(pages swap-groups 5 130 260)" "EIO EIO 4096"
same "an old version of a page" "$(pages replay 19 20 21)" "4096 EIO 4096"
same "a page of another file with its tag block" "$(pages other1 60) $(pages other2 60)" "EIO EIO"
same "a changed context" "$(page context 0 | grep -cE 'EIO|EINVAL|ENOKEY|EUCLEAN')" 1
same "a page made a hole" "$(pages hole 39 40 41)" "4096 EIO 4096"
same "a tag block taken away" "$(pages no-group 125 126 252)" "4096 EIO EIO"
must umount /mnt

untamper /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-key add /mnt 7
damaged=0
for file in $files; do
	case $file in hole | no-group) continue ;; esac
	cmp /tmp/original "$D/$file" || damaged=$((damaged + 1))
done >/tmp/cmp.out 2>&1
same "with the disk as it was, all read again" "$damaged" 0
[ $damaged = 0 ] || diag /tmp/cmp.out
must umount /mnt
finish
