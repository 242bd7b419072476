# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A file system of the type under test can be made, mounted, written, remounted, read and checked.
# vm: disk=128M seconds=600
. /e4c/functions.sh

load_module
fresh_disk /dev/vda
check "mounts" mount -t "$FSTYPE" /dev/vda /mnt
head -c 3000000 /dev/urandom >/tmp/data
check "takes data" cp /tmp/data /mnt/data
check "unmounts" umount /mnt
check "mounts again" mount -t "$FSTYPE" /dev/vda /mnt
check "gives the data back" cmp /tmp/data /mnt/data
check "unmounts again" umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
