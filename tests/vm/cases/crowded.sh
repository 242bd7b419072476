# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A policy for directories that have other attributes in their inode, labels and access lists: the attribute `c` takes its place in the body, the
# others go to a block, and all keep their values under stock tools: the stock ext4, e2fsck -fyD, debugfs, resize2fs. Inodes of 256 and 512 bytes.
# needs: no service
# vm: disk=64M seconds=300
# console-allowed: EXT4-fs \(vda\): .*encrypt
. /e4c/functions.sh

KEYFILE=/tmp/key7
head -c 64 /dev/zero | tr '\0' '\007' >$KEYFILE
printf 'system_u:object_r:user_home_t:s0\0' >/tmp/label

# An access list as setxattr has it: u::rwx u:1000:rwx g::r-x m::rwx o::r-x.
acl=0x0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000500ffffffff
label=0x73797374656d5f753a6f626a6563745f723a757365725f686f6d655f743a733000 # system_u:object_r:user_home_t:s0
sets="label|security.selinux|$label
acl|system.posix_acl_access|$acl
default-acl|system.posix_acl_default|$acl
user|user.note|0x$(printf '61%.0s' $(seq 40))"

attributes() { # attributes DIR: all of them, by name
	e4c-attr list "$1" | sort
}
give() { # give DIR WORD...: which of the sets
	local dir=$1 word name value
	shift
	for word; do
		IFS='|' read -r _ name value < <(grep "^$word|" <<<"$sets")
		must e4c-attr set "$dir" "$name" "$value"
	done
}
state_of() { # state_of: of all directories, and of what is in those with a key
	local dir
	for dir in /mnt/d-*; do
		echo "$(basename "$dir"): $(attributes "$dir" | tr '\n' ' ')"
	done
}
contents() { for dir in /mnt/d-*; do cat "$dir/file" "$dir/sub/file" 2>&1; done; }
# in_body INODE: the attribute `c` is the first in the body, by debugfs.
in_body() { debugfs -R "stat <$1>" /dev/vda 2>/dev/null | sed -n '/Extended attributes/{n;p}' | grep -q ' c (68)'; }
stock() { # stock WHEN: the stock ext4 shows the same, and adds and takes attributes
	must mount -t ext4 /dev/vda /mnt
	same "$1: the stock ext4 shows the same" "$(state_of)" "$before"
	check "$1: and changes them" e4c-attr set /mnt/d-label user.stock 0x62
	check "$1: and back" e4c-attr remove /mnt/d-label user.stock
	check "$1: and the mode" chmod 700 /mnt/d-label
	must umount /mnt
}
agree() { # agree WHEN: all is as it was, for the kernel and the offline reader
	must mount -t "$FSTYPE" /dev/vda /mnt
	must e4c-key add /mnt 7
	same "$1: attributes" "$(state_of)" "$before"
	same "$1: contents" "$(contents)" "$texts"
	must umount /mnt
	check "$1: volume verify" ext4crypt-volume verify --master-key $KEYFILE /dev/vda
	check "$1: e2fsck -fn" e2fsck -fn /dev/vda
}

load_module
for size in 256 512; do
	say "# inodes of $size bytes"
	must mkfs.ext4 -q -F -b 4096 -I $size -O encrypt -J size=4 /dev/vda 40M
	must mount -t "$FSTYPE" /dev/vda /mnt
	KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
	for words in label acl "acl default-acl" "label acl default-acl" "label acl default-acl user" user; do
		dir=/mnt/d-${words// /-}
		must mkdir "$dir"
		# shellcheck disable=SC2086  # several words
		give "$dir" $words
		before=$(attributes "$dir")
		check "$size: a policy for a directory with $words" e4c-key set "$dir" "$KEY"
		same "$size: its attributes are as before" "$(attributes "$dir")" "$before"
		echo "in $words" >"$dir/file" || not_ok "$size: writing into $dir"
		must mkdir "$dir/sub"
		echo "below $words" >"$dir/sub/file"
	done
	# Afterwards, too; and one that fills the block, so that nothing can go there.
	must mkdir /mnt/full
	must e4c-attr set /mnt/full user.large "0x$(printf '63%.0s' $(seq 3900))"
	must e4c-attr set /mnt/full security.selinux $label
	must e4c-attr set /mnt/full system.posix_acl_access $acl
	full=$(attributes /mnt/full)
	e4c-key set /mnt/full "$KEY" >/tmp/full.out 2>&1 || check "$size: no room is ENOSPC" grep -q ENOSPC /tmp/full.out
	same "$size: of which nothing is lost" "$(attributes /mnt/full)" "$full"
	rmdir /mnt/full
	give /mnt/d-user label acl
	must e4c-attr set /mnt/d-user/sub user.note 0x64
	must e4c-attr set /mnt/d-user/file user.note 0x65
	drop_caches
	before=$(state_of) texts=$(contents)
	declare -A number=()
	for dir in /mnt/d-*; do number[$(basename "$dir")]=$(stat -c %i "$dir"); done
	must umount /mnt
	for dir in "${!number[@]}"; do check "$size: debugfs finds c first in $dir" in_body "${number[$dir]}"; done
	agree "$size"
	stock "$size"
	agree "$size, after the stock ext4"
	check "$size: e2fsck -fyD" e2fsck -fyD /dev/vda
	agree "$size, after e2fsck -fyD"
	check "$size: debugfs changes a label" debugfs -w -R "ea_set <${number[d-label]}> security.selinux other" /dev/vda
	check "$size: debugfs changes it back" debugfs -w -R "ea_set -f /tmp/label <${number[d-label]}> security.selinux" /dev/vda
	agree "$size, after debugfs"
	must e2fsck -fy /dev/vda
	check "$size: resize2fs grows it" resize2fs /dev/vda
	agree "$size, after resize2fs"
	must e2fsck -fy /dev/vda
	check "$size: resize2fs -M" resize2fs -M /dev/vda
	agree "$size, after resize2fs -M"
done
finish
