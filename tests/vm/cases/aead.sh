# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The owner of an empty encrypted directory chooses its AEAD; what is created below it has the same, also after a remount.
# vm: disk=600M seconds=300
. /e4c/functions.sh

encrypted_mount
same "the default of a processor with AES" "$(e4c-key aead /mnt/d)" 1
check "an empty directory takes another" e4c-key aead /mnt/d 2
same "it has it" "$(e4c-key aead /mnt/d)" 2
refuses "an unknown one is refused" EINVAL e4c-key aead /mnt/d 3
head -c 300000 /dev/urandom >/tmp/data
must mkdir /mnt/d/sub
cp /tmp/data /mnt/d/sub/before
refuses "not when something is in it" ENOTEMPTY e4c-key aead /mnt/d 1
same "a directory in it has it" "$(e4c-key aead /mnt/d/sub)" 2
same "a file below has it" "$(e4c-key aead /mnt/d/sub/before)" 2
must mkdir /mnt/plain
refuses "a plain directory has none" ENODATA e4c-key aead /mnt/plain
refuses "a plain directory takes none" ENODATA e4c-key aead /mnt/plain 2
remount_keyed
check "contents read after a remount" cmp /tmp/data /mnt/d/sub/before
cp /tmp/data /mnt/d/sub/after
same "a file created after a remount has it" "$(e4c-key aead /mnt/d/sub/after)" 2
remount_keyed
check "and reads" cmp /tmp/data /mnt/d/sub/after
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
