# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Directories that do not tell upper from lower case: places are those of the names as stored, whatever case somebody looks them up in; also when the
# AEAD of a directory changes, which was opened in another case. Needs a kernel with CONFIG_UNICODE: the debug kernel in a process has none.
# needs: no service
# vm: disk=64M seconds=300
. /e4c/functions.sh

if [ ! -e /sys/fs/ext4/features/casefold ]; then
	say "# this kernel has no casefolding: nothing to show"
	ok "skipped"
	finish
fi
KEYFILE=/tmp/key7
head -c 64 /dev/zero | tr '\0' '\007' >$KEYFILE

encrypted_mount -O casefold
must chattr +F /mnt/d
echo text >/mnt/d/File
must mkdir /mnt/d/Sub /mnt/d/Again
echo deep >/mnt/d/sub/Deep
same "found in another case" "$(cat /mnt/d/fILE /mnt/d/SUB/dEEP | tr '\n' ' ')" "text deep "
remount_keyed
same "after a remount in another case" "$(cat /mnt/d/FILE /mnt/d/sUb/DEEP | tr '\n' ' ')" "text deep "
check "renamed in another case" mv /mnt/d/FILE /mnt/d/sUB/Moved
check "linked in another case" ln /mnt/d/sub/MOVED /mnt/d/Linked
check "one of the names goes" rm /mnt/d/SUB/moved
remount_keyed
same "the other name is right" "$(cat /mnt/d/linked)" text
check "and has no second any more" test "$(stat -c %h /mnt/d/LINKED)" = 1
for aead in 2 1; do
	remount_keyed
	check "another AEAD for a directory that is opened in another case" e4c-key aead /mnt/d/aGAIN $aead
	echo "aead $aead" >/mnt/d/again/New
	remount_keyed
	same "which is authentic then" "$(cat /mnt/d/again/new)" "aead $aead"
	must rm /mnt/d/again/NEW
done
must umount /mnt
blockdev --flushbufs /dev/vda
check "volume verify" ext4crypt-volume verify --master-key $KEYFILE /dev/vda
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
