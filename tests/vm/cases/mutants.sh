# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Images changed to hurt (tests/tamper/README.md): each is mounted, listed, read, written and deleted from, and nothing in the kernel breaks or
# returns what is not so; nor in the offline reader. --set count=N mutants, and offline=N for the reader, from seed --set from=N on.
# vm: disk=12M seconds=900
# long: count=200 seconds=7200
# console-allowed: ^(\[[ 0-9.]*\] ?)?(mutant [0-9]+$|EXT4-fs|JBD2: |ext4crypt \(|fscrypt \(|fscrypt: |Aborting journal|Buffer I/O error on dev(ice)? (v|ub)da|Quota error|attempt to access beyond end|(v|ub)da: rw=|I/O error, dev (v|ub)da)
. /e4c/functions.sh

load_module
if [ -b /dev/vdb ]; then
	cp /dev/vdb /tmp/base # a base image kept by --keep-disk
else
	# Without checksums of metadata, which would only stand in the way. Always the same layout, so that a seed means the same.
	fresh_disk /dev/vda -O ^metadata_csum -N 96 -J size=4 -U 00112233-4455-6677-8899-aabbccddeeff -E hash_seed=00112233-4455-6677-8899-aabbccddeeff
	must mount -t "$FSTYPE" /dev/vda /mnt
	must e4c-mutants make /mnt
	must umount /mnt
	cat /dev/vda >/tmp/base
fi
check "the base image is sound" e2fsck -fn /tmp/base
count=$(setting count 25) from=$(setting from 1)
e4c-mutants mounted /tmp/base "$from" "$count" /dev/vda /mnt "$FSTYPE" >/tmp/mutants.out 2>&1
same "mutants $from to $((from + count - 1)): nothing hangs, and nothing reads as what it was not" $? 0
diag /tmp/mutants.out
head -c 64 /dev/zero | tr '\0' '\007' >/tmp/key7
offline=$(setting offline 4)
e4c-mutants offline /tmp/base "$from" "$offline" /tmp/mutant "$(command -v ext4crypt-volume)" /tmp/key7 >/tmp/offline.out 2>&1
same "the reader tells of $offline of them what is wrong and where, and ends" $? 0
diag /tmp/offline.out
cat /tmp/base >/dev/vda
finish
