# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the kernel component writes with ChaCha20-Poly1305, on a processor without AES instructions, the offline reader verifies and
# extracts with the same bytes.
# vm: disk=256M memory=1536 cpu=-aes cpu=-vaes seconds=900
. /e4c/functions.sh

head -c 64 /dev/zero | tr '\0' '\007' >/tmp/key7
load_module
fresh_disk /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
key=$(e4c-key add /mnt 7) || give_up "cannot add a key"
mkdir /mnt/d
must e4c-key set /mnt/d "$key"
must e4c-fsx /mnt/d --ops "$(setting ops 500)" --seed "$((RANDOM * 32768 + RANDOM))"
head -c 1500000 /dev/urandom >/mnt/d/file
(cd /mnt/d && sha256sum ./*) >/tmp/kernel.sums
must umount /mnt
blockdev --flushbufs /dev/vda
ext4crypt-volume verify /dev/vda --master-key /tmp/key7 >/tmp/verify.out 2>&1
same "every page and group verifies" $? 0
if grep -q ChaCha20 /tmp/verify.out; then ok "the context says ChaCha20-Poly1305"; else
	not_ok "the context does not say ChaCha20-Poly1305"
	diag /tmp/verify.out
fi
check "extracts" ext4crypt-volume extract /dev/vda /d /tmp/out --master-key /tmp/key7
(cd /tmp/out && sha256sum ./*) >/tmp/reader.sums
check "the bytes of $(wc -l </tmp/kernel.sums) files agree" cmp /tmp/kernel.sums /tmp/reader.sums
finish
