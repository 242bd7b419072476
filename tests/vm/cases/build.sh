# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The module's own sources, compiled by two jobs inside an encrypted directory: what comes out is what came out on the host, also after a remount.
# It takes half an hour by emulation.
# vm: disk=512M made-disk=tests/vm/compiler-disk memory=1536 seconds=7200
# long: only
. /e4c/functions.sh

load_module
fresh_disk /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
key=$(e4c-key add /mnt 7) || give_up "cannot add a key"
mkdir /mnt/d /run/root
must e4c-key set /mnt/d "$key"
must mount -o ro /dev/vdb /run/root
must mount --bind /mnt/d /run/root/build
must mount -t proc proc /run/root/proc
must mount -t devtmpfs devtmpfs /run/root/dev
must mount -t tmpfs tmpfs /run/root/tmp
check "the sources are copied" cp -r /run/root/src/. /run/root/build
check "they compile" chroot /run/root /bin/sh /compile
compared=$(wc -l </run/root/expected)
cat >/tmp/compare <<-EOF
	cd /run/root/build && sha256sum -c -s /run/root/expected
EOF
check "$compared objects are as compiled on the host" sh /tmp/compare
must umount /run/root/build
must umount /mnt
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-key add /mnt 7
must mount --bind /mnt/d /run/root/build
check "also after a remount" sh /tmp/compare
must touch /run/root/tmp/now
check "compiling again" chroot /run/root /bin/sh /compile
same "compiles nothing" "$(find /run/root/build -newer /run/root/tmp/now -name '*.o')" ""
must umount /run/root/build
check "unmounts" umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
