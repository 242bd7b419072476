# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The demo, inside its virtual machine. /dev/vda is a fresh disk, /dev/vdb the archive of a real source tree.
# vm: disk=1G memory=1536 seconds=1500
# console-allowed: ext4crypt .*authentication failed|EXT4-fs warning .*encryption context
. /e4c/functions.sh
. /e4c/keyd.sh
. /e4c/tamper.sh

ALICE='correct horse battery staple'
BOB='quite another long passphrase'
HOME_DIR=/mnt/alice/secret
NOKEY='Required key not available'

mount_disk() { must mount -t "$FSTYPE" /dev/vda /mnt; }
unlock_both() {
	with_passphrase "$ALICE" alice unlock >/tmp/out 2>&1 || { diag /tmp/out; give_up "alice cannot unlock"; }
	with_passphrase "$BOB" bob unlock >/tmp/out 2>&1 || { diag /tmp/out; give_up "bob cannot unlock"; }
}
remount() {
	must umount /mnt
	mount_disk
	unlock_both
}

step_1_fresh_disk() {
	say "1. A fresh disk, made by the stock mkfs.ext4"
	load_module
	needs "mkfs.ext4 -I 512 -O encrypt" mkfs.ext4 -q -F -I 512 -O encrypt /dev/vda
	needs "mount -t $FSTYPE" mount -t "$FSTYPE" /dev/vda /mnt
	must mkdir /mnt/alice /mnt/bob
	must chown alice:alice /mnt/alice && must chown bob:bob /mnt/bob
}

step_2_key_service() {
	say "2. The key service; alice and bob enrol and unlock"
	start_keyd || give_up "ext4crypt-keyd does not start"
	ok "ext4crypt-keyd runs"
	local user passphrase
	for user in alice bob; do
		[ $user = alice ] && passphrase=$ALICE || passphrase=$BOB
		with_passphrase "$passphrase" $user enrol >/tmp/enrol.$user 2>&1 || { diag /tmp/enrol.$user; give_up "$user cannot enrol"; }
		grep -Eq '[0-9A-Za-z]{4,8}(-[0-9A-Za-z]{4,8}){4,}' /tmp/enrol.$user
		same "$user enrols, and sees a recovery code once" $? 0
		needs "$user unlocks" with_passphrase "$passphrase" $user unlock
	done
	refuses "a wrong passphrase is refused" 'passphrase' with_passphrase 'not the passphrase at all' alice unlock
}

step_3_policy() {
	say "3. alice makes an empty directory of hers an encrypted one"
	must as alice mkdir "$HOME_DIR"
	needs "ext4crypt setpolicy $HOME_DIR" e4c alice setpolicy "$HOME_DIR"
}

progress_of_unpacking() { # progress_of_unpacking TOTAL
	local count=0
	while IFS= read -r _; do
		count=$((count + 1))
		[ $((count % 200)) = 0 ] && report "progress $count of $1 files"
	done
	report "progress "
}

step_4_source_tree() {
	say "4. She unpacks a real source tree into it"
	local files unpacked
	chmod a+r /dev/vdb
	tar -xOf /dev/vdb SHA256SUMS >/tmp/sums
	files=$(wc -l </tmp/sums)
	as alice tar -xvf /dev/vdb -C "$HOME_DIR" fs drivers | grep -v '/$' | progress_of_unpacking "$files"
	unpacked=$(find "$HOME_DIR" -type f | wc -l)
	[ "$unpacked" = "$files" ] || give_up "only $unpacked of $files files were unpacked"
	ok "$files files, $(du -sm "$HOME_DIR" | cut -f1) MB"
	remount
	ok "unmount, mount, unlock"
	report "progress comparing checksums"
	(cd "$HOME_DIR" && as alice sha256sum -c --quiet /tmp/sums) >/tmp/sums.out 2>&1
	local status=$?
	report "progress "
	same "the checksums of all $files files agree" $status 0
	[ $status = 0 ] || diag /tmp/sums.out 5
}

step_5_raw_disk() {
	say "5. Nothing of it can be read on the raw disk"
	must umount /mnt
	sync
	host search || not_ok "the search of the raw disk"
	mount_disk
	unlock_both
}

step_6_locked() {
	say "6. Locked"
	local file=$HOME_DIR/fs/ext4/inode.c
	as bob mkdir /mnt/bob/own
	local alices
	alices=$(e4c-key get "$HOME_DIR")
	refuses "bob cannot set a policy with alice's key" ENOKEY as bob e4c-key set /mnt/bob/own "$alices"
	check "ext4crypt lock" e4c alice lock
	find "$HOME_DIR" >/tmp/locked.names
	# Each path component below the directory, against the real names.
	sed "s|^$HOME_DIR/*||" /tmp/locked.names | tr / '\n' | sort -u >/tmp/seen
	sed 's/^[^ ]* *//' /tmp/sums | tr / '\n' | sort -u >/tmp/real
	same "$(grep -c . /tmp/locked.names) names are listed, all of them no-key names" "$(grep -Fxf /tmp/real /tmp/seen | grep -c .)" 0
	local any
	any=$(find "$HOME_DIR" -type f | head -n 1)
	refuses "alice's files are closed to alice" "$NOKEY" as alice cat "$any"
	refuses "nobody creates a file there" "ENOKEY" as alice e4c-io creat "$HOME_DIR/new"
	refuses "alice's files are closed to bob, who is unlocked" "$NOKEY" as bob cat "$any"
	refuses "they are closed to root" "$NOKEY" cat "$any"
	with_passphrase "$ALICE" alice unlock >/dev/null 2>&1
	check "unlocked again, they open" as alice cmp -n 16 "$file" "$file"
}

# Reads page PAGE of FILE: its number of bytes, or the error.
page() { { e4c-io pread "$1" $(($2 * 4096)) 4096 >/tmp/page && wc -c </tmp/page; } 2>&1; }

logged() { # logged NAME REGEX
	dmesg >/tmp/dmesg
	if grep -Eq "$2" /tmp/dmesg; then ok "$1"; else
		not_ok "$1: no line like '$2'"
		grep ext4crypt /tmp/dmesg >/tmp/dmesg.ours
		diag /tmp/dmesg.ours 5
	fi
}

step_7_tampering() {
	say "7. One bit flipped on the raw disk; two pages swapped; a tag slot zeroed"
	local flipped swapped zeroed
	flipped=$(stat -c %i $HOME_DIR/fs/ext4/inode.c)
	swapped=$(stat -c %i $HOME_DIR/fs/ext4/super.c)
	zeroed=$(stat -c %i $HOME_DIR/fs/nls/nls_cp949.c)
	must umount /mnt
	tamper_flip /dev/vda "$flipped" 5
	tamper_swap /dev/vda "$swapped" 7 9
	tamper_zero_slot /dev/vda "$zeroed" 3
	mount_disk
	unlock_both
	cd $HOME_DIR/fs || give_up "no $HOME_DIR/fs"
	same "flipped bit: its page reads EIO" "$(page ext4/inode.c 5)" "pread: EIO"
	same "flipped bit: the pages beside it read" "$(page ext4/inode.c 4) $(page ext4/inode.c 6)" "4096 4096"
	logged "flipped bit: the kernel log names inode and page" "ext4crypt.*inode $flipped, page 5\b"
	same "swapped pages: both read EIO" "$(page ext4/super.c 7) $(page ext4/super.c 9)" "pread: EIO pread: EIO"
	same "swapped pages: the pages beside them read" "$(page ext4/super.c 6) $(page ext4/super.c 8) $(page ext4/super.c 10)" "4096 4096 4096"
	logged "swapped pages: the kernel log names inode and page" "ext4crypt.*inode $swapped, page 7\b"
	same "zeroed slot: its page reads EIO" "$(page nls/nls_cp949.c 3)" "pread: EIO"
	same "zeroed slot: the pages of the next tag block read" "$(page nls/nls_cp949.c 130) $(page nls/nls_cp949.c 131)" "4096 4096"
	logged "zeroed slot: the kernel log names inode and tag block" "ext4crypt.*inode $zeroed, (page 3|tag block 0)\b"
	cd / || exit 1
	must umount /mnt
	untamper /dev/vda
	mount_disk
	unlock_both
	grep -E ' fs/(ext4/(inode|super)|nls/nls_cp949)\.c$' /tmp/sums >/tmp/sums.three
	cd $HOME_DIR || give_up "no $HOME_DIR"
	check "with the disk as it was, the same files read again" as alice sha256sum -c --quiet /tmp/sums.three
	cd / || exit 1
}

step_8_stock_ext4() {
	say "8. The stock ext4 of the same kernel"
	must umount /mnt
	check "e2fsck -f is clean" e2fsck -fn /dev/vda
	check "it mounts the disk" mount -t ext4 /dev/vda /mnt
	local any
	any=$(find /mnt/alice -mindepth 2 -type f | head -n 1)
	[ -n "$any" ] || not_ok "it lists the directory"
	refuses "it refuses to open the files" "Numerical result out of range" cat "$any"
	refuses "it refuses to create files there" "ERANGE" e4c-io creat "$(find /mnt/alice -mindepth 1 -type d | head -n 1)/new"
	must umount /mnt
	check "e2fsck -f is clean after that" e2fsck -fn /dev/vda
}

step_9_changes() {
	say "9. Changes in place read back after a remount"
	mount_disk
	unlock_both
	local dir=$HOME_DIR/changes name
	must as alice mkdir "$dir"
	head -c 1000000 /dev/urandom >/tmp/original
	for name in overwrite append truncate punch mmap fallocate; do
		cp /tmp/original "/tmp/$name"
		cp /tmp/original "$dir/$name"
	done
	remount
	# Each change is made to the encrypted file and to a copy on another file system.
	local at
	for at in "$dir" /tmp; do
		printf 'OVERWRITTEN' | dd of="$at/overwrite" bs=1 seek=300000 conv=notrunc 2>/dev/null
		head -c 70000 /tmp/original >>"$at/append"
		truncate -s 123456 "$at/truncate"
		must e4c-io fallocate "$at/punch" punch 100000 500000
		must e4c-io mmap-write "$at/mmap" 500001 'WRITTEN THROUGH A MAPPING'
		must e4c-io fallocate "$at/fallocate" alloc 900000 1500000
	done
	remount
	check "an overwrite in place" cmp "/tmp/overwrite" "$dir/overwrite"
	check "an append" cmp "/tmp/append" "$dir/append"
	check "a truncation" cmp "/tmp/truncate" "$dir/truncate"
	check "a punched hole" cmp "/tmp/punch" "$dir/punch"
	check "a write through a mapping" cmp "/tmp/mmap" "$dir/mmap"
	check "a fallocated range" cmp "/tmp/fallocate" "$dir/fallocate"
	must umount /mnt
	check "e2fsck -f is clean at the end" e2fsck -fn /dev/vda
}

step_1_fresh_disk
step_2_key_service
step_3_policy
step_4_source_tree
step_5_raw_disk
step_6_locked
step_7_tampering
step_8_stock_ext4
step_9_changes
stop_keyd
finish
