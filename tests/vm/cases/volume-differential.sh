# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The kernel component and the offline reader, two readings of one format document, agree: files made through the kernel, and those of
# random operations, verify and extract with the same bytes, names and links, by image and by mounted directory; for ways to tamper with the
# disk both refuse the same pages. More ways are in tamper-table.sh. The long form, every way here and volumes of random operations:
# tests/vm/run --set long=1 --set images=50 --set ops=1000 --seconds 20000 tests/vm/cases/volume-differential.sh
# vm: disk=192M memory=1536 seconds=1200
# console-allowed: ext4crypt .*authentication failed|EXT4-fs warning .*encryption context|EXT4-fs error
. /e4c/functions.sh
. /e4c/tamper.sh

KEY=/tmp/key7
head -c 64 /dev/zero | tr '\0' '\007' >$KEY
volume() { ext4crypt-volume "$@" 2>/tmp/volume.err; }
# debugfs says "123 (uninit)" for a block of the tag area.
physical() { # physical DEVICE INODE LBLK
	local block
	block=$(debugfs -R "bmap <$2> $3" "$1" 2>/dev/null)
	block=${block%% *}
	[ "${block:-0}" -gt 0 ] || give_up "inode $2 has no block $3"
	echo "$block"
}
mount_disk() {
	must mount -t "$FSTYPE" /dev/vda /mnt
	e4c-key add /mnt 7 >/tmp/identifier || give_up "cannot add a key"
}
unmount_disk() {
	must umount /mnt
	blockdev --flushbufs /dev/vda
}

# What verify says of the mounted directory; the page cache is left full on purpose.
verify_mounted() { volume --json verify /mnt/d >/tmp/mounted.json; }

make_sizes() { # make_sizes DIR: sizes around the edges of pages and groups
	local size
	for size in 0 1 4095 4096 4097 516096 520191 520192 520193 1036288 1036289 1040384 1040385; do
		head -c $size /dev/urandom >"$1/size-$size"
	done
}

make_shapes() { # make_shapes DIR: holes, preallocation, changes in place
	head -c 700000 /dev/urandom >/tmp/base
	local name far=20000000
	[ -z "$long" ] || far=200000000
	for name in overwrite punched truncated grown mapped zeroed; do cp /tmp/base "$1/$name"; done
	sync
	printf 'OVERWRITTEN' | dd of="$1/overwrite" bs=1 seek=300000 conv=notrunc 2>/dev/null
	must e4c-io fallocate "$1/punched" punch 100000 500000
	must e4c-io fallocate "$1/zeroed" zero 50000 600000
	truncate -s 123456 "$1/truncated"
	truncate -s 9M "$1/grown"
	must e4c-io mmap-write "$1/mapped" 500001 'WRITTEN THROUGH A MAPPING'
	printf 'far away' | dd of="$1/sparse" bs=1 seek="$far" conv=notrunc 2>/dev/null
	head -c 10000 /dev/urandom >"$1/kept"
	must e4c-io fallocate "$1/kept" keep 0 900000
	: >"$1/allocated"
	must e4c-io fallocate "$1/allocated" alloc 0 900000
}

make_names() { # make_names DIR: short, long and many names; links
	mkdir "$1/names" "$1/many"
	local length many=120 # more than a block of them, so that the directory has an index
	[ -z "$long" ] || many=300
	for length in 1 15 16 17 31 32 33 143 144 160 255; do
		echo $length >"$1/names/$(head -c $length /dev/zero | tr '\0' n)"
	done
	for length in $(seq "$many"); do echo "$length" >"$1/many/file number $length"; done
	ln -s short "$1/link-short"
	ln -s "$(head -c 900 /dev/zero | tr '\0' l)" "$1/link-long"
	ln "$1/size-4097" "$1/names/another name"
	mknod "$1/pipe" p
}

listing() { # listing DIR: names and link targets, kinds, sizes but of directories, rights, owners, times
	(cd "$1" && find . ! -type p -print0 | sort -z | xargs -0 stat -c '%N %F %s %a %u %g %Y' | sed 's/ directory [0-9]*/ directory/')
}
sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

agree() { # agree NAME: what the kernel reads from /mnt/d is what the reader extracts
	mount_disk
	drop_caches
	listing /mnt/d >/tmp/kernel.list
	sums /mnt/d >/tmp/kernel.sums
	verify_mounted
	same "$1: every page reads through the kernel" $? 0
	same "$1: of as many files" "$(sed -n 's/.*"files":\([0-9]*\).*/\1/p' /tmp/mounted.json)" "$(wc -l </tmp/kernel.sums)"
	unmount_disk
	volume verify /dev/vda --master-key $KEY >/tmp/verify.out 2>&1
	same "$1: every page and group verifies" $? 0
	grep -q ' 0 not; .* 0 not; 0 pages without' /tmp/verify.out || diag /tmp/verify.out
	check "$1: no structural fault, seen without a key" volume inspect /dev/vda
	rm -rf /tmp/out
	check "$1: extracts" volume extract /dev/vda /d /tmp/out --master-key $KEY
	listing /tmp/out >/tmp/reader.list
	sums /tmp/out >/tmp/reader.sums
	check "$1: names, sizes, owners, times and links agree" diff /tmp/kernel.list /tmp/reader.list
	check "$1: the bytes of $(wc -l </tmp/kernel.sums) files agree" cmp /tmp/kernel.sums /tmp/reader.sums
	rm -rf /tmp/out
}

no_key_names() {
	must mount -t "$FSTYPE" /dev/vda /mnt
	(cd /mnt/d && find . ! -type d ! -type p | sed 's|^\./|/d/|' | sort) >/tmp/kernel.names
	(cd /mnt/d && find . -type d -name '?*' | sed 's|^\./|/d/|' | sort) >/tmp/kernel.dirs
	verify_mounted
	same "without a key, verify of the mounted directory says that one is missing" $? 6
	unmount_disk
	rm -rf /tmp/out
	# Without a key each file is named in a finding, and left out.
	volume --json extract /dev/vda /d /tmp/out >/tmp/out.json
	same "without a key, extract says that one is missing" $? 6
	sed -n 's/.*"reason":"key_missing".*"path":"\([^"]*\)".*/\1/p' /tmp/out.json | sort >/tmp/reader.names
	check "the $(wc -l </tmp/kernel.names) no-key names of the kernel are the reader's" cmp /tmp/kernel.names /tmp/reader.names
	rm -rf /tmp/out
}

# What was read by the reader before must not be taken for the disk; ext4's own buffers stay.
snapshot() { # of a volume in use, its journal not replayed; and the device and the mount read-only
	mount_disk
	echo "committed, and only the journal knows" >/mnt/d/late
	sync
	blockdev --flushbufs /dev/vda
	cat /dev/vda >/tmp/snapshot
	same "the volume in use itself is refused" "$(volume verify /dev/vda --master-key $KEY >/dev/null; echo $?)" 5
	unmount_disk
	volume --json verify /tmp/snapshot --master-key $KEY >/tmp/snapshot.json
	same "a snapshot of the volume in use verifies" $? 0
	check "its journal is replayed in memory" grep -q '"journal_replayed":{"transactions":[1-9]' /tmp/snapshot.json
	volume extract /tmp/snapshot /d/late /tmp/late --master-key $KEY >/dev/null
	same "what the journal knows is extracted" "$(cat /tmp/late)" "committed, and only the journal knows"
	rm -f /tmp/snapshot /tmp/late
	must blockdev --setro /dev/vda
	check "a read-only device verifies" volume verify /dev/vda --master-key $KEY
	must mount -t "$FSTYPE" -o ro /dev/vda /mnt
	e4c-key add /mnt 7 >/tmp/identifier
	verify_mounted
	same "mounted read-only it verifies" $? 0
	unmount_disk
	must blockdev --setrw /dev/vda
}

# Offline: the reader finds REASON on the file, then the kernel fails to read PAGE.
both_refuse() { # both_refuse NAME REASON FILE PAGE
	volume --json verify /dev/vda --master-key $KEY >/tmp/verify.json
	same "$1: the reader exits with 3" $? 3
	if grep -q "\"reason\":\"$2\".*\"path\":\"/d/$3\"" /tmp/verify.json; then ok "$1: the reader says $2"; else
		not_ok "$1: the reader does not say $2"
		diag /tmp/verify.json
	fi
	mount_disk
	refuses "$1: the kernel refuses the page" 'EIO|EUCLEAN|EBADMSG|Input/output|EINVAL' e4c-io pread "/mnt/d/$3" $(($4 * 4096)) 4096
	verify_mounted
	same "$1: verify of the mounted directory exits with 3" $? 3
	sed -n 's|.*"reason":"page_unreadable".*"path":"/mnt/d/'"$3"'".*"first_byte":\([0-9]*\),"byte_count":\([0-9]*\).*|\1 \2|p' /tmp/mounted.json >/tmp/ranges
	if awk -v at=$(($4 * 4096)) '$1 <= at && at < $1 + $2 { found = 1 } END { exit !found }' /tmp/ranges; then ok "$1: it names the page"; else
		not_ok "$1: it does not name the page"
		diag /tmp/mounted.json
	fi
	unmount_disk
	untamper /dev/vda
}

tag_block() { physical /dev/vda "$1" $((TAG_LBLK + $2)); }
flip_at() { # flip_at BYTE: of the disk
	keep /dev/vda $(($1 / 4096))
	must e4c-io flip /dev/vda "$1"
	blockdev --flushbufs /dev/vda
}
swap_at() { # swap_at BYTE BYTE LENGTH
	keep /dev/vda $(($1 / 4096))
	[ $(($1 / 4096)) = $(($2 / 4096)) ] || keep /dev/vda $(($2 / 4096))
	must e4c-io swap /dev/vda "$1" "$2" "$3"
	blockdev --flushbufs /dev/vda
}

tamper() { # tamper: with one file of several groups
	local file=size-1036289 inode at
	mount_disk
	inode=$(stat -c %i /mnt/d/$file)
	unmount_disk
	tamper_swap /dev/vda "$inode" 7 9
	both_refuse "two pages swapped" page_not_authentic $file 9
	tamper_zero_slot /dev/vda "$inode" 3
	both_refuse "a slot zeroed" written_without_slot $file 3
	flip_at $(($(tag_block "$inode" 1) * 4096))
	both_refuse "a bit of a seal's tag flipped" seal_not_authentic $file 200
	[ -n "$long" ] || return 0
	tamper_flip /dev/vda "$inode" 5
	both_refuse "a bit of the ciphertext flipped" page_not_authentic $file 5
	at=$(slot_at /dev/vda "$inode" 3)
	flip_at "$at"
	both_refuse "a bit of a tag flipped" seal_not_authentic $file 3
	flip_at $((at + 20))
	both_refuse "a bit of a nonce flipped" seal_not_authentic $file 3
	flip_at $((at + 28))
	both_refuse "the text bytes of a slot changed" slot_state_unknown $file 3
	swap_at "$at" $((at + 32)) 32
	both_refuse "two slots swapped" seal_not_authentic $file 3
	flip_at $(($(tag_block "$inode" 0) * 4096 + 28))
	both_refuse "the info of a seal changed" seal_not_authentic $file 3
	swap_at $(($(tag_block "$inode" 0) * 4096)) $(($(tag_block "$inode" 1) * 4096)) 4096
	both_refuse "two tag blocks swapped" seal_not_authentic $file 3
}

long=$(setting long "")
load_module
fresh_disk /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
key=$(e4c-key add /mnt 7) || give_up "cannot add a key"
mkdir /mnt/d
must e4c-key set /mnt/d "$key"
make_sizes /mnt/d
make_shapes /mnt/d
make_names /mnt/d
mkdir /mnt/d/random
must e4c-fsx /mnt/d/random --ops "$(setting ops 200)" --seed "$((RANDOM * 32768 + RANDOM))"
must umount /mnt
agree "made files"
snapshot
no_key_names
tamper
check "e2fsck finds nothing" e2fsck -fn /dev/vda
[ -z "$long" ] || agree "after the tampering was undone"

for image in $(seq "$(setting images 0)"); do
	fresh_disk /dev/vda
	must mount -t "$FSTYPE" /dev/vda /mnt
	e4c-key add /mnt 7 >/tmp/identifier
	mkdir /mnt/d
	must e4c-key set /mnt/d "$key"
	must e4c-fsx /mnt/d --ops "$(setting ops 200)" --seed "$((RANDOM * 32768 + RANDOM))"
	unmount_disk
	agree "random operations, image $image"
done
finish
