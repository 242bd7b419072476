# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Default keys: the mount option encrypt_key_sig, and per-user directories. No key, no file, and never a plaintext file.
# vm: disk=64M seconds=600
. /e4c/functions.sh
. /e4c/keyd.sh

load_module
fresh_disk /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
must mkdir /mnt/before
echo plain >/mnt/before/file
must umount /mnt

# --- a key for the whole mount ---
refuses "a malformed identifier" 'nvalid' mount -t "$FSTYPE" -o encrypt_key_sig=xyz /dev/vda /mnt
must mount -t "$FSTYPE" -o "encrypt_key_sig=$KEY" /dev/vda /mnt
check "the option shows in /proc/mounts" grep -q "encrypt_key_sig=$KEY" /proc/mounts
for verb in "touch /mnt/f" "mkdir /mnt/d" "ln -s target /mnt/l" "touch /mnt/before/f"; do
	# shellcheck disable=SC2086  # a command and its arguments
	refuses "without the key: $verb" 'Required key not available' $verb
done
same "and nothing was created" "$(find /mnt -mindepth 1 -printf "%f\n" | sort | tr "\n" " ")" "before file lost+found "
check "what is there in plain text reads" grep -q plain /mnt/before/file
must e4c-key add /mnt 7
echo secret-word >/mnt/f
check "with the key: a directory" mkdir /mnt/d
check "with the key: a symbolic link" ln -s secret-target /mnt/l
check "with the key: a fifo, which has no contents" mkfifo /mnt/p
echo more >/mnt/d/g
same "the file has the mount's key" "$(e4c-key get /mnt/f)" "$KEY"
same "the directory has the mount's key" "$(e4c-key get /mnt/d)" "$KEY"
same "and hands it on" "$(e4c-key get /mnt/d/g)" "$KEY"
must umount /mnt
must mount -t "$FSTYPE" /dev/vda /mnt
refuses "locked without the key" 'Required key not available' cat /mnt/f
must e4c-key add /mnt 7
same "the file reads" "$(cat /mnt/f)" "secret-word"
same "the link reads" "$(readlink /mnt/l)" "secret-target"
echo plain >/mnt/plain
refuses "without the option, files are plain again" ENODATA e4c-key get /mnt/plain
must umount /mnt

# --- each creator's own key in a common directory ---
must mount -t "$FSTYPE" /dev/vda /mnt
must mkdir /mnt/common
must chmod 1777 /mnt/common
refuses "someone else's directory" EACCES as alice e4c-key per-user /mnt/common on
refuses "a directory with content" ENOTEMPTY e4c-key per-user /mnt/before on
check "a per-user directory" e4c-key per-user /mnt/common on
refuses "no default key, no file" 'Required key not available' as alice touch /mnt/common/alice
refuses "no default key, no link" 'Required key not available' as alice ln -s x /mnt/common/link
refuses "nor for root" 'Required key not available' touch /mnt/common/root
ALICE=$(as alice e4c-key add /mnt 21) || give_up "cannot add a key for alice"
BOB=$(as bob e4c-key add /mnt 22) || give_up "cannot add a key for bob"
must as alice e4c-key default 21
refuses "bob still has none" 'Required key not available' as bob touch /mnt/common/bob
must as bob e4c-key default 22
check "alice creates" as alice sh -c 'echo from-alice >/mnt/common/alice'
check "alice links" as alice ln -s to-alice /mnt/common/link
check "bob makes a directory" as bob mkdir /mnt/common/bobs
check "bob creates in it" as bob sh -c 'echo from-bob >/mnt/common/bobs/file'
same "alice's file has her key" "$(e4c-key get /mnt/common/alice)" "$ALICE"
same "bob's directory has his" "$(e4c-key get /mnt/common/bobs)" "$BOB"
same "and what is in it" "$(e4c-key get /mnt/common/bobs/file)" "$BOB"
same "the link reads" "$(readlink /mnt/common/link)" to-alice
inode=$(stat -c %i /mnt/common/alice)
# A default key that was not added to the file system must not become fscrypt's random test key.
must e4c-key default 23
refuses "a default key that the file system has not" 'Required key not available' touch /mnt/common/root
refuses "asked again" 'Required key not available' ln -s x /mnt/common/root
must umount /mnt
must mount -t "$FSTYPE" /dev/vda /mnt
refuses "still per-user after a remount" 'Required key not available' as alice touch /mnt/common/again
check "no test key was ever installed" sh -c '! dmesg | grep -qi "test dummy"'
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda

# --- what nothing vouches for: docs/threat-model.md ---
# Its size on the disk is that of an encrypted file until the attacker sets that, too.
must debugfs -w -R "set_inode_field <$inode> flags 0x80000" /dev/vda
must debugfs -w -R "set_inode_field <$inode> size 11" /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
check "not noticed: right in a per-user directory, a file that was made a plain one opens" cp /mnt/common/alice /tmp/got
check "with what is on the disk" sh -c '! grep -q from-alice /tmp/got'
must rm /mnt/common/alice
must umount /mnt
finish
