# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# resize2fs makes a volume smaller and gives inodes other numbers: they are refused until E4C_IOC_ADOPT renews head and place. It does that for
# nothing that was not authentic under one number: not for copies, exchanged names, forged states, earlier contents. Also what e2fsck put into
# lost+found; and E4C_IOC_GET_ENTRIES, which tells what is authentic of a directory.
# vm: disk=160M seconds=400
# console-allowed: ext4crypt .*authentication failed|EXT4-fs (warning|error)
. /e4c/functions.sh
. /e4c/tamper.sh

KEYFILE=/tmp/key7
head -c 64 /dev/zero | tr '\0' '\007' >$KEYFILE
ours() { e4c-ours "$@"; }
adopt() { ours adopt "$@"; }
number() { stat -c %i "$1"; }
mount_keyed() {
	must mount -t "$FSTYPE" -o errors=continue /dev/vda /mnt
	must e4c-key add /mnt 7
}
unmount() {
	must umount /mnt
	blockdev --flushbufs /dev/vda
}
verified() { check "volume verify, $1" ext4crypt-volume verify --master-key $KEYFILE /dev/vda; }
# Where inode NUMBER stands on the disk, in bytes.
inode_at() {
	debugfs -R "imap <$1>" /dev/vda 2>/dev/null | sed -n 's/.*located at block \([0-9]*\), offset \(0x[0-9a-f]*\).*/\1 \2/p' |
		{ read -r block offset && echo $((block * 4096 + offset)); }
}
# Where the entry of directory DIR for inode NUMBER has that number, in bytes: entries begin at multiples of four. A directory has one block or many.
entry_at() {
	local block at
	for block in $(debugfs -R "blocks <$1>" /dev/vda 2>/dev/null); do
		at=$(dd if=/dev/vda bs=4096 skip="$block" count=1 2>/dev/null | od -An -v -tu4 -w4 |
			awk -v number="$2" -v at=$((block * 4096)) '$1 == number { print at + 4 * (NR - 1); exit }')
		[ -z "$at" ] || { echo "$at" && return; }
	done
}
le32() { printf '%b' "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24)))"; }
point_entry() { # point_entry DIR NUMBER TO
	local at
	at=$(entry_at "$1" "$2")
	[ -n "$at" ] || give_up "directory $1 has no entry for $2"
	le32 "$3" | dd of=/dev/vda bs=1 seek="$at" conv=notrunc,fsync 2>/dev/null
	blockdev --flushbufs /dev/vda
}
copy_inode() { # copy_inode FROM TO
	dd if=/dev/vda of=/tmp/one-inode bs=512 skip=$(($(inode_at "$1") / 512)) count=1 2>/dev/null
	dd if=/tmp/one-inode of=/dev/vda bs=512 seek=$(($(inode_at "$2") / 512)) count=1 conv=notrunc,fsync 2>/dev/null
	blockdev --flushbufs /dev/vda
}

load_module
must mkfs.ext4 -q -F -b 4096 -I 512 -g 8192 -O encrypt,^metadata_csum,^flex_bg -J size=4 /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
per_group=$(dumpe2fs -h /dev/vda 2>/dev/null | awk -F: '/^Inodes per group/ { print $2 + 0 }')
# Directories right below the top one are spread over the groups: one that will have to move.
for i in $(seq 40); do
	must mkdir "/mnt/try$i"
	[ "$(number "/mnt/try$i")" -le $((3 * per_group)) ] || { mv "/mnt/try$i" /mnt/d && break; }
done
[ -d /mnt/d ] || give_up "no directory has a large number"
rmdir /mnt/try*
must e4c-key set /mnt/d "$KEY"
must mkdir /mnt/d/sub /mnt/plain
head -c 3000000 /dev/urandom >/tmp/large
cp /tmp/large /mnt/d/large
echo small >/mnt/d/small
echo other >/mnt/d/other
echo forged >/mnt/d/forged
: >/mnt/d/empty
echo deep >/mnt/d/sub/deep
echo two names >/mnt/d/one
must ln /mnt/d/one /mnt/d/sub/two
must ln -s target /mnt/d/short
must ln -s "$(printf 'long%.0s' $(seq 100))" /mnt/d/long
must mkfifo /mnt/d/fifo
must mknod /mnt/d/whiteout c 0 0
sync
was=$(number /mnt/d)
declare -A old
for name in large small other forged empty sub one short long fifo whiteout; do old[$name]=$(number "/mnt/d/$name"); done
old[deep]=$(number /mnt/d/sub/deep)

# --- what is authentic of a directory ---
ours entries /mnt/d >/tmp/entries || not_ok "GET_ENTRIES"
same "GET_ENTRIES tells each entry once" "$(cut -d' ' -f1 /tmp/entries | sort | tr '\n' ' ')" \
	". empty fifo forged large long one other short small sub whiteout "
same "with its number" "$(awk '$1 == "large" { print $3 }' /tmp/entries)" "${old[large]}"
attribute() { dd if=/dev/vda bs=1 skip="$(context_at /dev/vda "$1")" count=68 2>/dev/null | od -An -v -tx1 | tr -d ' \n'; }
for name in large empty sub short long one; do
	same "and the attribute that is on the disk: $name" "$(awk -v name=$name '$1 == name { print $4 }' /tmp/entries)" "$(attribute "${old[$name]}")"
done
same "a special file has a place" "$(awk '$1 == "fifo" { print length($4) }' /tmp/entries)" 24
same "and so with small buffers" "$(ours entries /mnt/d 1024 | sort)" "$(sort /tmp/entries)"
prefix=$(printf 'many%.0s' $(seq 20))
for i in $(seq 300); do : >"/mnt/d/sub/$prefix-$i"; done
same "and of a directory of many blocks" "$(ours entries /mnt/d/sub 1024 | cut -d' ' -f1 | sort | uniq | wc -l)" 303
rm /mnt/d/sub/many*
refuses "a buffer that is too small" EINVAL ours entries /mnt/d 512
refuses "one that is too large" EINVAL ours entries /mnt/d 131072
refuses "a plain directory" ENODATA ours entries /mnt/plain
refuses "a file" ENOTDIR ours entries /mnt/d/small
refuses "for who is not root" EPERM setpriv --reuid alice --clear-groups -- e4c-ours entries /mnt/d
echo more >>/mnt/d/small
echo fresh >/mnt/d/fresh
sync
fresh=$(number /mnt/d/fresh)
must ln /mnt/d/fresh /mnt/d/second
before=$(ours entries /mnt/d | awk '$1 == "fresh" { print $4 }')
sync
same "what is not on the disk yet is told as it will be" "$(attribute "$fresh")" "$before"
must rm /mnt/d/fresh /mnt/d/second

# --- the volume gets smaller ---
unmount
must e2fsck -fy /dev/vda
check "resize2fs" resize2fs /dev/vda 64M
check "e2fsck finds nothing" e2fsck -fn /dev/vda
mount_keyed
check "the directory has another number" test "$(number /mnt/d)" -lt "$was"
refuses "it is refused" 'Structure needs cleaning' cat /mnt/d/small
refuses "and GET_ENTRIES refuses it" EUCLEAN ours entries /mnt/d
refuses "nothing in it is adopted before it" EUCLEAN adopt /mnt/d small "${old[small]}" 1
refuses "not by who is not root" EPERM setpriv --reuid alice --clear-groups -- e4c-ours adopt /mnt d "$was" 1
refuses "not with numbers that it did not have" ESRCH adopt /mnt d $((was + 1)) 1000
refuses "no name that is not there" ENOENT adopt /mnt nothing "$was" 1
refuses "no path" EINVAL adopt /mnt plain/../d "$was" 1
refuses "not the directory itself" EINVAL adopt /mnt . "$was" 1
refuses "nor the one above" EINVAL adopt /mnt/d .. "$was" 1
refuses "nothing plain" ENODATA adopt /mnt plain "$was" 1
refuses "flags" EINVAL adopt /mnt d "$was" 1 1
refuses "number 0" EINVAL adopt /mnt d 0 1
refuses "no numbers" EINVAL adopt /mnt d "$was" 0
refuses "too many" EINVAL adopt /mnt d 1 2000000
refuses "past the last" EINVAL adopt /mnt d $((0xffffffff)) 2
unmount
mount_keyed
same "with its number it is adopted" "$(adopt /mnt d "$was" 1)" "$was"
same "again, there is nothing to do" "$(adopt /mnt d "$was" 1)" "$(number /mnt/d)"
ours entries /mnt/d >/tmp/entries
same "GET_ENTRIES says which are not authentic" "$(grep -c EUCLEAN /tmp/entries)" 11
same "and still tells the directory" "$(awk '$1 == "." { print $3 }' /tmp/entries)" "$(number /mnt/d)"
refuses "a file in it is refused" 'Structure needs cleaning' cat /mnt/d/small
unmount
mount_keyed
refuses "nor is one found where it was not" ESRCH adopt /mnt/d small $((was + per_group)) 1000
for name in large small other empty sub one short long fifo whiteout; do
	same "adopted: $name" "$(adopt /mnt/d "$name" $((2 * per_group)) $((8 * per_group)))" "${old[$name]}"
done
check "adopted: deep" adopt /mnt/d/sub deep 1 1000000
same "its other name needs nothing" "$(adopt /mnt/d/sub two 1 1000000)" "$(number /mnt/d/one)"
agree() {
	check "large, $1" cmp /tmp/large /mnt/d/large
	same "small, $1" "$(cat /mnt/d/small)" "$(printf 'small\nmore')"
	same "all else, $1" "$(cat /mnt/d/other /mnt/d/empty /mnt/d/sub/deep /mnt/d/one /mnt/d/sub/two | tr '\n' ' ')" "other deep two names two names "
	same "links, $1" "$(readlink /mnt/d/short) $(readlink /mnt/d/long)" "target $(printf 'long%.0s' $(seq 100))"
	check "special files, $1" test -p /mnt/d/fifo -a -c /mnt/d/whiteout
}
agree "after it was adopted"
remount_keyed
agree "after a remount"
same "all are authentic but one" "$(ours entries /mnt/d | grep EUCLEAN)" "forged EUCLEAN"
# A name of two goes, then the one that is left is the placed one or none.
rm /mnt/d/one
remount_keyed
same "the name that is left" "$(cat /mnt/d/sub/two)" "two names"

# --- what is not adopted ---
small=$(number /mnt/d/small) other=$(number /mnt/d/other) directory=$(number /mnt/d) deep=$(number /mnt/d/sub/deep) sub=$(number /mnt/d/sub)
unmount
free=$(debugfs -R "ffi" /dev/vda 2>/dev/null | sed -n 's/.*: *\([0-9]*\)$/\1/p')
[ -n "$free" ] || free=$((per_group + 900))
# A copy of a file in its place, the original still there.
copy_inode "$small" "$free"
point_entry "$directory" "$small" "$free"
mount_keyed
refuses "a copy is refused" 'Structure needs cleaning' cat /mnt/d/small
refuses "a copy is not adopted while the original is there" EEXIST adopt /mnt/d small "$small" 1
unmount
point_entry "$directory" "$free" "$small"
# Two files exchanged between names.
point_entry "$directory" "$small" 4294967295
point_entry "$directory" "$other" "$small"
point_entry "$directory" 4294967295 "$other"
mount_keyed
refuses "a file under the name of another is not adopted" ESRCH adopt /mnt/d small 1 1000000
refuses "nor the other" ESRCH adopt /mnt/d other 1 1000000
refuses "and stays refused" 'Structure needs cleaning' cat /mnt/d/small
unmount
point_entry "$directory" "$small" 4294967295
point_entry "$directory" "$other" "$small"
point_entry "$directory" 4294967295 "$other"
# A copy under another name, the name's own inode gone.
copy_inode "$small" "$free"
point_entry "$directory" "$other" "$free"
mount_keyed
refuses "a copy under another name is not adopted" ESRCH adopt /mnt/d other 1 1000000
unmount
point_entry "$directory" "$free" "$other"
# A copy in another directory.
point_entry "$sub" "$deep" "$free"
mount_keyed
refuses "nor in another directory" ESRCH adopt /mnt/d/sub deep 1 1000000
unmount
point_entry "$sub" "$free" "$deep"
# A copy of which the original is gone, with a bit of its state, its size, its head or place changed.
context=$(($(context_at /dev/vda "$free"))) original=$(inode_at "$small") copy=$(inode_at "$free")
point_entry "$directory" "$small" "$free"
dd if=/dev/zero of=/dev/vda bs=512 seek=$((original / 512)) count=1 conv=notrunc,fsync 2>/dev/null
for change in "LINKED 64 5" "height 64 2" "form 64 0" "sequence 66 0" "place 40 3" "head 52 3" "nonce 24 1"; do
	read -r what offset bit <<<"$change"
	byte=$(dd if=/dev/vda bs=1 skip=$((context + offset)) count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
	printf '%b' "\\x$(printf %02x $((byte ^ 1 << bit)))" | dd of=/dev/vda bs=1 seek=$((context + offset)) conv=notrunc,fsync 2>/dev/null
	blockdev --flushbufs /dev/vda
	mount_keyed
	refuses "a copy with another $what is not adopted" 'ESRCH|EUCLEAN|EIO' adopt /mnt/d small 1 100000
	unmount
	printf '%b' "\\x$(printf %02x "$byte")" | dd of=/dev/vda bs=1 seek=$((context + offset)) conv=notrunc,fsync 2>/dev/null
done
e4c-io flip /dev/vda $((copy + 4)) # the lowest bit of its size
blockdev --flushbufs /dev/vda
mount_keyed
refuses "a copy with another size is not adopted" ESRCH adopt /mnt/d small 1 100000
unmount
e4c-io flip /dev/vda $((copy + 4))
blockdev --flushbufs /dev/vda
mount_keyed
# What the threat model says that adopting trusts.
same "a whole copy, with the original gone, is" "$(adopt /mnt/d small 1 100000)" "$small"
same "and has its contents" "$(cat /mnt/d/small)" "$(printf 'small\nmore')"
unmount
check "e2fsck repairs what this left" sh -c 'e2fsck -fy /dev/vda; [ $? -le 1 ]'
check "e2fsck finds nothing" e2fsck -fn /dev/vda

# --- lost+found ---
mount_keyed
check "the last one" adopt /mnt/d forged 1 100000
large=$(number /mnt/d/large) one=$(number /mnt/d/sub) link=$(number /mnt/d/long) fifo=$(number /mnt/d/fifo)
unmount
for n in "$large" "$one" "$link" "$fifo"; do point_entry "$directory" "$n" 0; done
e2fsck -fy /dev/vda >/dev/null
mount_keyed
check "what e2fsck put into lost+found opens" cmp /tmp/large "/mnt/lost+found/#$large"
check "and goes back by mv" mv "/mnt/lost+found/#$large" /mnt/d/large
check "a directory, too" mv "/mnt/lost+found/#$one" /mnt/d/sub
check "a link, too" mv "/mnt/lost+found/#$link" /mnt/d/long
check "a fifo, too" mv "/mnt/lost+found/#$fifo" /mnt/d/fifo
remount_keyed
check "then all is authentic: large" cmp /tmp/large /mnt/d/large
same "then all is authentic: deep" "$(cat /mnt/d/sub/deep)" deep
same "none of the entries is not" "$(ours entries /mnt/d | grep -c EUCLEAN)" 0
unmount
verified "at the end"
check "e2fsck finds nothing at the end" e2fsck -fn /dev/vda
finish
