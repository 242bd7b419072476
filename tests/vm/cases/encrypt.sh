# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# ext4crypt encrypt on a real ext4crypt volume: a tree with all sorts of files, killed on the way again and again.
# vm: disk=256M seconds=600
# long: only
. /e4c/functions.sh
. /e4c/keyd.sh

PASS='correct horse battery staple'
# As alice, in her directory: sizes around a page and a tag block's reach, holes, links, odd names and modes.
make_tree() {
	mkdir -p a/b/c empty 'odd name' || return
	local size
	for size in 0 1 4095 4096 4097 520192 1000000; do head -c "$size" /dev/urandom >"a/$size" || return; done
	for n in $(seq 40); do echo "$n" >"a/b/small-$n"; done
	truncate -s 3M a/b/holes && printf x | dd of=a/b/holes bs=1 seek=2000000 conv=notrunc 2>/dev/null || return
	ln a/4097 a/b/c/hard && ln -s ../4096 a/b/soft && mkfifo a/fifo || return
	chmod 640 a/4095 && chmod 2750 a/b && touch -d '2001-02-03 04:05:06' a/b/small-1 'odd name' || return
	printf '#!/bin/sh\n' >'odd name/run' && chmod 755 'odd name/run'
}
# What encrypt promises to keep. The sizes of directories are the file system's affair.
listing() {
	find . -mindepth 1 ! -type d -printf '%p %y %m %U %G %s %T@ %n %l\n' | sort
	find . -mindepth 1 -type d -printf '%p %m %U %G %T@\n' | sort
	find . -type f -exec sha256sum {} + | sort
}

load_module
fresh_disk /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
must mkdir /mnt/alice
must chown alice:alice /mnt/alice
must mkdir -m 755 /mnt/alice/tree
must chown alice:alice /mnt/alice/tree
export -f make_tree
must as alice bash -c 'cd /mnt/alice/tree && make_tree'
(cd /mnt/alice/tree && listing) >/tmp/before
start_keyd --argon2-memory-mib 8 --argon2-ops 4 || give_up "ext4crypt-keyd does not start"
must with_passphrase "$PASS" alice enrol
must with_passphrase "$PASS" alice unlock

killed=0
for delay in 0.3 0.5 0.8 1.2 1.7; do
	# Not by as(): $! must be the program, not a shell around it.
	HOME=/run setpriv --reuid alice --regid alice --clear-groups -- ext4crypt encrypt --socket "$SOCKET" /mnt/alice/tree >/tmp/encrypt.log 2>&1 &
	encrypting=$!
	sleep "$delay"
	kill -9 "$encrypting" 2>/dev/null && killed=$((killed + 1))
	wait "$encrypting" 2>/dev/null
done
check "killed on the way at least twice ($killed times)" test "$killed" -ge 2
check "and finished by the next run" e4c alice encrypt /mnt/alice/tree
same "no work directory is left" "$(find /mnt/alice -maxdepth 1 -name '.ext4crypt-encrypt-*')" ""
check "policy: authenticated" sh -c "ext4crypt policy /mnt/alice/tree | grep -q 'encrypted, authenticated'"
(cd /mnt/alice/tree && listing) >/tmp/after
check "nothing lost, twice, or changed" diff /tmp/before /tmp/after
same "a file with two names is one file still" "$(stat -c %i /mnt/alice/tree/a/4097)" "$(stat -c %i /mnt/alice/tree/a/b/c/hard)"

# From the disk, not from memory.
must e4c alice lock
drop_caches
refuses "locked: not readable" 'Required key|No such file' as alice cat /mnt/alice/tree/a/4096
must umount /mnt
must mount -t "$FSTYPE" /dev/vda /mnt
must with_passphrase "$PASS" alice unlock
(cd /mnt/alice/tree && listing) >/tmp/again
check "the same after a remount, read from the disk" diff /tmp/before /tmp/again
same "no authentication failed" "$(cat /sys/fs/ext4crypt/vda/authentication/failures)" 0
must e4c alice lock
stop_keyd
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
