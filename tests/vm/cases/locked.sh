# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Without its key a directory can be listed and deleted, and nothing else; with it, everything is as before.
# vm: disk=1G seconds=600
. /e4c/functions.sh

NOKEY='Required key not available|ENOKEY'
encrypted_mount
D=/mnt/d
names() { find $D -mindepth 1 -printf '%f\n' | sort; }
must mkdir $D/directory
echo contents >$D/directory/a-plain-name
echo to-be-deleted >$D/deleted-while-locked
ln -s "target of a link" $D/link-name
ln $D/directory/a-plain-name $D/second-name
long=$(printf 'n%.0s' $(seq 250))
echo long >"$D/$long"
head -c 300000 /dev/urandom >/tmp/big
cp /tmp/big $D/big
names >/tmp/names

exec 9<$D/big
same "removing the key while a file is open says busy" "$(e4c-key remove /mnt "$KEY")" busy
check "what is open stays readable" cmp - /tmp/big <&9
exec 9<&-
must e4c-key add /mnt 7
same "removing the key" "$(e4c-key remove /mnt "$KEY")" ""

same "no name shows" "$(names | grep -cE 'plain-name|deleted|link-name|second|big|nnnn')" 0
same "as many entries are listed" "$(find $D -mindepth 1 | grep -c .)" 7
any=$(find $D -maxdepth 1 -type f | head -n 1)
refuses "reading" "$NOKEY" e4c-io pread "$any" 0 10
refuses "truncating" "$NOKEY" truncate -s 0 "$any"
refuses "creating a file" "$NOKEY" e4c-io creat $D/new
refuses "creating a directory" 'key|directory' mkdir $D/newdir
refuses "creating a link" 'key' ln -s x $D/newlink
refuses "linking" 'key|cross|File exists|No such' ln "$any" $D/hardlink
refuses "renaming" 'key|cross' mv "$any" $D/renamed

must umount /mnt
must mount -t "$FSTYPE" /dev/vda /mnt
same "after a remount no name shows" "$(names | grep -cE 'plain-name|deleted|link-name|second|big|nnnn')" 0
wrong=$(e4c-key add /mnt 8)
any=$(find $D -maxdepth 1 -type f | head -n 1)
refuses "another key does not help" "$NOKEY" e4c-io pread "$any" 0 10
must e4c-key remove /mnt "$wrong"

must e4c-key add /mnt 7
same "with the key every name is back" "$(names)" "$(cat /tmp/names)"
same "and the contents" "$(cat $D/second-name)" contents
check "and the large ones" cmp /tmp/big $D/big
same "and the link" "$(readlink $D/link-name)" "target of a link"
echo plain >/mnt/plain
refuses "a plain file cannot be linked into the directory" 'cross-device|EXDEV|Invalid cross' ln /mnt/plain $D/plain
check "a plain file moved there is copied" mv /mnt/plain $D/plain
same "and reads back" "$(cat $D/plain)" plain

inode=$(stat -c %i $D/deleted-while-locked)
must e4c-key remove /mnt "$KEY"
check "deleting works without the key" find $D -inum "$inode" -delete
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
