# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Each operation with no free block, with one, with two, and so on until it succeeds: at whichever step space ends, the writer hears ENOSPC, and nothing that
# was written is harmed (see tools/enospc.c).
# vm: disk=48M seconds=900
. /e4c/functions.sh

encrypted_mount -m 0
e4c-enospc /mnt/d /mnt/filler "$(setting most 70)" >/tmp/enospc.out 2>&1 || not_ok "the program ended with status $?"
while read -r line; do
	case $line in
	"ok "*) ok "${line#ok }" ;;
	*) not_ok "${line#not ok }" ;;
	esac
done </tmp/enospc.out
sha256sum </mnt/d/standing >/tmp/standing
remount_keyed
same "the file that stood beside reads back" "$(sha256sum </mnt/d/standing)" "$(cat /tmp/standing)"
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
