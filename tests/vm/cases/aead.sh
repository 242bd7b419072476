# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The owner of an empty encrypted directory chooses its AEAD; what is created below it has the same, also after a remount.
# vm: disk=600M seconds=300
. /e4c/functions.sh
. /e4c/keyd.sh

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
# --- by the command line, as people do it ---
start_keyd --argon2-memory-mib 8 --argon2-ops 4 || give_up "ext4crypt-keyd does not start"
must with_passphrase 'correct horse' alice enrol
must with_passphrase 'correct horse' alice unlock
must mkdir /mnt/alice
must chown alice /mnt/alice
refuses "setpolicy --aead refuses a name it does not know" 'aead' e4c alice setpolicy /mnt/alice --aead rot13
check "setpolicy --aead" e4c alice setpolicy /mnt/alice --aead chacha20-poly1305
same "the directory has it" "$(e4c-key aead /mnt/alice)" 2
check "policy says which" sh -c "ext4crypt policy /mnt/alice | grep -q 'ChaCha20-Poly1305, page by page'"
check "another, while it is empty" e4c alice setpolicy /mnt/alice --aead aes-256-gcm
same "the directory has that" "$(e4c-key aead /mnt/alice)" 1
must as alice sh -c 'echo text >/mnt/alice/file'
refuses "not when something is in it" 'not empty' e4c alice setpolicy /mnt/alice --aead chacha20-poly1305
must rm /mnt/alice/file
must e4c alice lock
stop_keyd
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
