# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For cases that change a raw disk behind the file system's back, while it is not mounted.

TAG_LBLK=$((0x50000000)) # E4C_TAG_LBLK of format.h
UNDO=/tmp/tamper.undo

# The disk block of logical block LBLK of an inode.
physical() { # physical DEVICE INODE LBLK
	local block
	block=$(debugfs -R "bmap <$2> $3" "$1" 2>/dev/null | cut -d " " -f 1) # "NUMBER" or "NUMBER (uninit)"
	[ "${block:-0}" -gt 0 ] || give_up "inode $2 has no block $3"
	echo "$block"
}

# keep DEVICE BLOCK: what untamper brings back.
keep() {
	dd if="$1" of="$UNDO.$2" bs=4096 skip="$2" count=1 2>/dev/null
	echo "$2" >>"$UNDO"
}

untamper() { # untamper DEVICE
	local block
	while read -r block; do
		dd if="$UNDO.$block" of="$1" bs=4096 seek="$block" count=1 conv=notrunc,fsync 2>/dev/null
		rm "$UNDO.$block"
	done <"$UNDO"
	rm "$UNDO"
	blockdev --flushbufs "$1"
}

tamper_flip() { # tamper_flip DEVICE INODE PAGE: the lowest bit of the page's byte 1000
	local block
	block=$(physical "$1" "$2" "$3")
	keep "$1" "$block"
	must e4c-io flip "$1" $((block * 4096 + 1000))
	blockdev --flushbufs "$1"
}

tamper_swap() { # tamper_swap DEVICE INODE PAGE PAGE
	local one other
	one=$(physical "$1" "$2" "$3")
	other=$(physical "$1" "$2" "$4")
	keep "$1" "$one"
	keep "$1" "$other"
	must e4c-io swap "$1" $((one * 4096)) $((other * 4096)) 4096
	blockdev --flushbufs "$1"
}

# Where the slot of a page stands on the disk, in bytes.
slot_at() { # slot_at DEVICE INODE PAGE
	local block
	block=$(physical "$1" "$2" $((TAG_LBLK + $3 / 127)))
	echo $((block * 4096 + ($3 % 127 + 1) * 32))
}

tamper_zero_slot() { # tamper_zero_slot DEVICE INODE PAGE
	local at
	at=$(slot_at "$1" "$2" "$3")
	keep "$1" $((at / 4096))
	dd if=/dev/zero of="$1" bs=32 seek=$((at / 32)) count=1 conv=notrunc,fsync 2>/dev/null
	blockdev --flushbufs "$1"
}

# Where an inode's encryption context stands on the disk, in bytes: in the inode itself, as it has 512 bytes.
context_at() { # context_at DEVICE INODE
	local block offset context
	read -r block offset < <(debugfs -R "imap <$2>" "$1" 2>/dev/null |
		sed -n 's/.*located at block \([0-9]*\), offset \(0x[0-9a-f]*\).*/\1 \2/p')
	dd if="$1" of=/tmp/inode bs=1 skip=$((block * 4096 + offset)) count=512 2>/dev/null
	# Version, contents, names, padding, log2 of the data unit size.
	context=$(LC_ALL=C grep -obUaP '\xa2\x01\x04\x03\x00' /tmp/inode | head -n 1 | cut -d: -f1)
	[ -n "$context" ] || give_up "inode $2 has no context that begins with 0xA2"
	echo $((block * 4096 + offset + context))
}
