# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Which policies a directory takes, and what an encrypted file refuses.
# vm: disk=1G seconds=600
. /e4c/functions.sh
. /e4c/keyd.sh
. /e4c/tamper.sh

encrypted_mount
set_policy() { # set_policy NAME RESULT-REGEX CONTENTS NAMES FLAGS
	must mkdir "/mnt/$1"
	if [ "$2" = ok ]; then check "policy $1" e4c-key set "/mnt/$1" "$KEY" "$3" "$4" "$5"
	else refuses "policy $1" "$2" e4c-key set "/mnt/$1" "$KEY" "$3" "$4" "$5"; fi
}
# fscrypt's numbers: 1 AES-256-XTS, 4 AES-256-CTS, 5 AES-128-CBC, 6 AES-128-CTS, 9 Adiantum, 10 AES-256-HCTR2; flags 4 DIRECT_KEY, 8 and 16
# IV_INO_LBLK_64 and _32.
set_policy xts-cts ok 1 4 3
set_policy xts-hctr2 ok 1 10 3 # this kernel has no HCTR2 itself: only the policy is set
set_policy no-padding ok 1 4 0
set_policy adiantum EINVAL 9 9 3
set_policy adiantum-direct-key EINVAL 9 9 7
set_policy aes-128 EINVAL 5 6 3
set_policy iv-ino-lblk-64 EINVAL 1 4 11
set_policy iv-ino-lblk-32 EINVAL 1 4 19

check "the same policy again" e4c-key set /mnt/d "$KEY"
refuses "another policy on top" EEXIST e4c-key set /mnt/d "$KEY" 1 4 0
must mkdir /mnt/full
echo x >/mnt/full/file
refuses "a directory that is not empty" ENOTEMPTY e4c-key set /mnt/full "$KEY"
refuses "a file" 'ENOTDIR|EINVAL' e4c-key set /mnt/full/file "$KEY"
must mkdir /mnt/alices
must chown alice /mnt/alices
refuses "a directory of someone else" EACCES as bob e4c-key set /mnt/alices "$KEY"
refuses "a key that the user has not added" ENOKEY as alice e4c-key set /mnt/alices "$KEY"
same "and none of these changed anything" "$(e4c-key get /mnt/full 2>&1) $(e4c-key get /mnt/alices 2>&1)" \
	"FS_IOC_GET_ENCRYPTION_POLICY_EX: ENODATA FS_IOC_GET_ENCRYPTION_POLICY_EX: ENODATA"

must mkdir /mnt/d/sub
echo hello >/mnt/d/sub/file
remount_keyed
same "a directory below has the same key" "$(e4c-key get /mnt/d/sub)" "$KEY"

F=/mnt/d/sub/file
head -c 200000 /dev/urandom >/tmp/data
cp /tmp/data $F
sync
refuses "collapse range" 'fallocate: ' e4c-io fallocate $F collapse 4096 4096
refuses "insert range" 'fallocate: ' e4c-io fallocate $F insert 4096 4096
refuses "the data journalling flag" 'not supported|Invalid' chattr +j $F
mkswap $F >/dev/null 2>&1
refuses "swapon" 'not supported|Invalid' swapon $F
cp /tmp/data $F
refuses "a size past the tag area" 'EFBIG' e4c-io fallocate $F alloc $((0x50000000 * 4096)) 4096
refuses "truncation past the tag area" 'File too large' truncate -s $((0x50000000 * 4096 + 1)) $F
remount_keyed
check "the file is as it was" cmp /tmp/data $F
inode=$(stat -c %i $F)
must umount /mnt
check "the context on disk begins with 0xA2" context_at /dev/vda "$inode"
check "page 0 is mapped, and its tag block" test "$(physical /dev/vda "$inode" 0)" != "$(physical /dev/vda "$inode" "$TAG_LBLK")"
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
