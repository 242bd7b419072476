# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# On a processor without AES instructions new directories get ChaCha20-Poly1305, and a processor's lack or not, the disk says which.
# vm: disk=1G cpu=-aes cpu=-vaes seconds=600
# console-allowed: ext4crypt .*authentication failed
. /e4c/functions.sh
. /e4c/tamper.sh

encrypted_mount
seed=31
if e4c-fsx /mnt/d --ops 1500 --seed $seed >/tmp/fsx.out 2>&1; then ok "1500 random operations, seed $seed"; else
	not_ok "random operations, seed $seed"
	diag /tmp/fsx.out 70
fi
head -c 100000 /dev/urandom >/tmp/data
cp /tmp/data /mnt/d/file
sync
inode=$(stat -c %i /mnt/d/file)
must umount /mnt
at=$(context_at /dev/vda "$inode")
same "the context says ChaCha20-Poly1305" "$(dd if=/dev/vda bs=1 skip=$((at + 5)) count=1 2>/dev/null | od -An -tu1 | tr -d ' ')" 2
tamper_flip /dev/vda "$inode" 3
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-key add /mnt 7
refuses "a flipped bit is noticed" EIO e4c-io pread /mnt/d/file 12288 4096
check "the page before it reads" cmp -n 12288 /tmp/data /mnt/d/file
must umount /mnt
finish
