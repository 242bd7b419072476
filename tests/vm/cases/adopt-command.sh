# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# ext4crypt adopt: after resize2fs has given a whole tree other inode numbers, one command makes all of it authentic, tells how many, and names what it refuses.
# vm: disk=160M seconds=400
# console-allowed: ext4crypt .*authentication failed
. /e4c/functions.sh

KEYFILE=/tmp/key7
head -c 64 /dev/zero | tr '\0' '\007' >$KEYFILE
number() { stat -c %i "$1"; }

load_module
must mkfs.ext4 -q -F -b 4096 -I 512 -g 8192 -O encrypt,^flex_bg -J size=4 /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
per_group=$(dumpe2fs -h /dev/vda 2>/dev/null | awk -F: '/^Inodes per group/ { print $2 + 0 }')
for i in $(seq 40); do
	must mkdir "/mnt/try$i"
	[ "$(number "/mnt/try$i")" -le $((3 * per_group)) ] || { mv "/mnt/try$i" /mnt/d && break; }
done
[ -d /mnt/d ] || give_up "no directory has a large number"
rmdir /mnt/try*
must e4c-key set /mnt/d "$KEY"
must mkdir -p /mnt/d/a/b/c /mnt/plain
for n in $(seq 30); do echo "text $n" >"/mnt/d/a/b/file$n"; done
head -c 700000 /dev/urandom >/mnt/d/a/b/c/large
must ln /mnt/d/a/b/file1 /mnt/d/a/again
must ln -s somewhere /mnt/d/a/link
must mkfifo /mnt/d/a/b/fifo
echo plain >/mnt/plain/file
tree() { (cd /mnt && find . -path ./lost+found -prune -o -type f -exec sha256sum {} + | sort && readlink d/a/link); }
before=$(tree)
same "on a volume as it was there is nothing to do" "$(ext4crypt adopt /mnt)" "/mnt: 0 adopted, 38 were authentic, 0 refused"
refuses "not for who is not root" 'not allowed' setpriv --reuid alice --clear-groups -- ext4crypt adopt /mnt
refuses "nor on another file system" 'cannot do that' ext4crypt adopt /tmp
must umount /mnt
must e2fsck -fy /dev/vda
must resize2fs /dev/vda 64M
must mount -t "$FSTYPE" /dev/vda /mnt
ext4crypt adopt /mnt >/tmp/locked 2>&1
same "while it is locked it says so" "$? $(grep -c 'its key is not there' /tmp/locked)" "30 1"
must e4c-key add /mnt 7
check "everything is adopted" ext4crypt adopt --json /mnt
cp /tmp/check.out /tmp/adopted
same "and told, with the number that it had" "$(grep -c '"was"' /tmp/adopted)" 37
same "contents" "$(tree)" "$before"
same "again, there is nothing to do" "$(ext4crypt adopt /mnt)" "/mnt: 0 adopted, 38 were authentic, 0 refused"
must umount /mnt
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-key add /mnt 7
same "contents, remounted" "$(tree)" "$before"
must umount /mnt
blockdev --flushbufs /dev/vda
check "volume verify" ext4crypt-volume verify --master-key $KEYFILE /dev/vda
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
