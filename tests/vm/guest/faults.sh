# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For cases with a failing disk: /dev/vda under a device mapper whose table is exchanged while it is in use. "Blocks" are of 4096 bytes.

FAULTY=/dev/dm-0

faulty_disk() {
	must modprobe dm_mod
	must modprobe dm_flakey
	faulty_sectors=$(blockdev --getsz /dev/vda)
	must dmsetup create disk --noudevsync --table "0 $faulty_sectors linear /dev/vda 0"
}

faulty_table() { # faulty_table < TABLE: what is under way fails or succeeds by the old one
	must dmsetup suspend --noflush --nolockfs disk
	dmsetup load disk >/tmp/check.out 2>&1 || { diag /tmp/check.out; give_up "cannot load a table"; }
	must dmsetup resume --noudevsync disk
}

healthy() { echo "0 $faulty_sectors linear /dev/vda 0" | faulty_table; }

# faults error_reads|error_writes [BLOCK COUNT]: there, or everywhere.
faults() {
	local first=$((${2:-0} * 8)) count
	count=$((${3:-0} * 8))
	[ $# -gt 1 ] || count=$faulty_sectors
	{
		[ $first = 0 ] || echo "0 $first linear /dev/vda 0"
		echo "$first $count flakey /dev/vda $first 0 3600 1 $1"
		[ $((first + count)) = "$faulty_sectors" ] ||
			echo "$((first + count)) $((faulty_sectors - first - count)) linear /dev/vda $((first + count))"
	} | faulty_table
}

faulty_mount() { must mount -t "$FSTYPE" "$@" $FAULTY /mnt; }
KEY7=/tmp/key7
head -c 64 /dev/zero | tr '\0' '\007' >$KEY7
volume_clean() { # volume_clean NAME DEVICE: of an unmounted disk
	blockdev --flushbufs "$2"
	check "$1" ext4crypt-volume verify "$2" --master-key $KEY7
}
failures_counted() { cat "/sys/fs/$FSTYPE/${FAULTY#/dev/}/authentication/failures"; }
