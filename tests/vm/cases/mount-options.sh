# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The tables of docs/mount-options.md: what works is mounted with, remounted with and used, and leaves a clean volume; what is refused says so.
#
# The short form mounts with as many options at once as go together; what is refused is refused one by one in both. The long form does each row alone. One
# row, or a few: tests/vm/run --set each=yes --set only=nodelalloc (a regular expression of the first column).
# needs: no service
# vm: disk=64M memory=512 seconds=1200
# long: each=yes seconds=6000
# console-allowed: EXT4-fs
. /e4c/functions.sh
. /e4c/faults.sh # KEY7

TABLE=/e4c/mount-options.md
each=$(setting each no)
only=$(setting only .)

# rows VERDICT: of each row the name and the word that the log says, with | between them.
rows() {
	grep -E '^\| `' $TABLE | tr -d '`' | awk -F' *[|] *' -v verdict="$1" -v only="$only" '$3 == verdict && $2 ~ only { print $2 "|" $4 }'
}

# together: of the options that come in, lines of those that do not speak of the same thing, with commas. In the long form each alone.
together() {
	awk -v each="$each" '
	function subject(option) {
		sub(/=.*/, "", option); sub(/^no_?/, "", option)
		if (option ~ /^(bsddf|minixdf)$/) return "df"
		if (option ~ /^(grpid|bsdgroups|sysvgroups)$/) return "grpid"
		if (option ~ /^dioread_/) return "dioread"
		if (option ~ /^(quota|usrquota|grpquota|usrjquota|grpjquota)$/) return option ~ /jquota/ ? "jquota" : "quota"
		return option
	}
	{
		line = each == "yes" ? NR : ++seen[subject($0)]
		lines[line] = lines[line] (lines[line] == "" ? "" : ",") $0
		if (line > last) last = line
	}
	END { for (line = 1; line <= last; line++) print lines[line] }'
}

wrong() { echo "$*" >>/tmp/wrong; }
# verdict NAME: good if nothing was wrong.
verdict() {
	if [ -s /tmp/wrong ]; then
		not_ok "$1"
		diag /tmp/wrong
		umount /mnt 2>/dev/null
	else
		ok "$1"
	fi
	: >/tmp/wrong
}

# What files go through. Nothing is left of it but one file, and all space comes back.
use() {
	local before after sum
	sync
	before=$(stat -f -c %f /mnt)
	mkdir /mnt/d/used || { wrong "no directory can be made"; return; }
	for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"/mnt/d/used/small-$i"; done
	head -c 700000 /dev/urandom >/mnt/d/used/large
	e4c-io mmap-fill /mnt/d/used/mapped 40960 >/dev/null
	sync
	printf 'other contents' | dd of=/mnt/d/used/large bs=1 seek=600000 conv=notrunc,fsync 2>/dev/null || wrong "not overwritten"
	e4c-io fallocate /mnt/d/used/large punch 8192 16384 || wrong "not punched"
	truncate -s 630000 /mnt/d/used/large
	: >/mnt/d/used/more
	e4c-io fallocate /mnt/d/used/more alloc 0 600000 || wrong "not preallocated"
	sum=$(sha256sum </mnt/d/used/large)
	drop_caches
	[ "$(sha256sum </mnt/d/used/large)" = "$sum" ] || wrong "the contents have changed"
	[ "$(cat /mnt/d/used/small-* | tr -d '\n')" = 123456789 ] || wrong "the small files have changed"
	rm -r /mnt/d/used
	sync
	after=$(stat -f -c %f /mnt)
	[ "$after" = "$before" ] || wrong "$((before - after)) blocks have not come back"
	echo "left by $1" >/mnt/d/left
	sync
}

# start [OPTIONS]: a mounted volume with the key and the directory.
start() {
	mount -t "$FSTYPE" -o "${1:-defaults}" /dev/vda /mnt 2>>/tmp/wrong || return
	KEY=$(e4c-key add /mnt 7) || wrong "no key can be added"
	[ ! -d /mnt/d ] || return 0
	mkdir /mnt/d
	e4c-key set /mnt/d "$KEY" || wrong "no directory can be encrypted"
	echo first >/mnt/d/left
}

stop() {
	umount /mnt || wrong "not unmounted"
	e2fsck -fn /dev/vda >/tmp/fsck 2>&1 || wrong "e2fsck -fn: $(tail -n 5 /tmp/fsck)"
	blockdev --flushbufs /dev/vda
	ext4crypt-volume verify /dev/vda --master-key "$KEY7" >/tmp/verify 2>&1 || wrong "volume verify: $(tail -n 5 /tmp/verify)"
}

# refused WORD COMMAND...: it fails, and a line of the log says WORD.
refused() {
	local word=$1
	shift
	dmesg -c >/dev/null
	"$@" 2>/dev/null && { wrong "'$*' succeeded"; return; }
	dmesg >/tmp/log
	grep -Eqi -- "(EXT4-fs|ext4crypt).*$word" /tmp/log || wrong "'$*': the log does not say '$word': $(tail -n 2 /tmp/log)"
}

# Without CONFIG_FS_DAX or CONFIG_FS_ENCRYPTION_INLINE_CRYPT an option is refused or ignored with these words, which is as good.
unknown_here() { dmesg | grep -Eq 'dax option not supported|inline encryption not supported'; }

works() { # works OPTIONS
	if start "$1"; then
		use "$1"
		umount /mnt
		start || wrong "not mounted without it"
		mount -o "remount,$1" /mnt 2>>/tmp/wrong || wrong "not remounted with it: $(dmesg | tail -n 2)"
		use "remount,$1"
		stop
	else
		wrong "not mounted with it: $(dmesg | tail -n 2)"
	fi
	verdict "works: $1"
}

refused_option() { # refused_option OPTION WORD
	local word=$2
	dmesg -c >/dev/null
	if mount -t "$FSTYPE" -o "$1" /dev/vda /mnt 2>/dev/null; then
		unknown_here || wrong "mounted with it"
		umount /mnt
		verdict "refused: $1"
		return
	fi
	refused "$word" mount -t "$FSTYPE" -o "$1" /dev/vda /mnt
	start || wrong "not mounted without it"
	grep ' /mnt ' /proc/mounts >/tmp/before
	refused "$word" mount -o "remount,$1" /mnt
	grep ' /mnt ' /proc/mounts | cmp -s - /tmp/before || wrong "the refused remount left $(grep ' /mnt ' /proc/mounts)"
	umount /mnt
	verdict "refused: $1"
}

fixed() { # fixed OPTIONS, which can be chosen at mount only
	dmesg -c >/dev/null
	if start "$1"; then
		use "$1"
		umount /mnt
		start || wrong "not mounted without it"
		dmesg -c >/dev/null
		if mount -o "remount,$1" /mnt 2>/dev/null; then wrong "remounted with it"; fi
		[ "$(dmesg | grep -c 'EXT4-fs\|ext4crypt')" -gt 0 ] || wrong "the log does not say why it cannot be remounted"
		use "after remount,$1"
		stop
	elif unknown_here; then
		: >/tmp/wrong
	else
		wrong "not mounted with it: $(dmesg | tail -n 2)"
	fi
	verdict "at mount only: $1"
}

mkfs() { mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$@" /dev/vda >/tmp/mkfs 2>&1 || wrong "mkfs: $(tail -n 1 /tmp/mkfs)"; }

# made COMMAND: a volume made or changed by it.
made() {
	local arguments
	case $1 in
	mkfs.ext4\ -O\ *) mkfs -I 256 -O "encrypt,${1#mkfs.ext4 -O }" ;;
	mkfs.ext4\ *)
		read -ra arguments <<<"${1#mkfs.ext4}"
		mkfs -O encrypt "${arguments[@]}"
		;;
	*)
		mkfs -I 256 -O encrypt
		read -ra arguments <<<"$1"
		[ "${arguments[0]}" != debugfs ] || arguments=(debugfs -w -R "${1#debugfs -R }")
		"${arguments[@]}" /dev/vda >/tmp/mkfs 2>&1 || wrong "$1: $(tail -n 1 /tmp/mkfs)"
		;;
	esac
}

made_works() {
	made "$1"
	if start; then
		use "$1"
		stop
	else
		wrong "not mounted: $(dmesg | tail -n 2)"
	fi
	verdict "works: $1"
}

made_refused() { # made_refused COMMAND WORD
	made "$1"
	refused "cannot mount this: .*$2" mount -t "$FSTYPE" /dev/vda /mnt
	verdict "refused: $1"
}

# Of the rows that make a volume: in the short form features that are added in one, those that are taken away in one, and tune2fs -o in one.
volumes() {
	if [ "$each" = yes ]; then
		cat
		return
	fi
	awk '
	/^mkfs.ext4 -O [a-z0-9_,]*$/ { added = added "," $3; next }
	/^mkfs.ext4 -O (\^[a-z0-9_]*,?)+$/ { taken = taken "," $3; next }
	/^tune2fs -o / { tuned = tuned "," $3; next }
	{ print }
	END {
		if (added) print "mkfs.ext4 -O " substr(added, 2)
		if (taken) print "mkfs.ext4 -O " substr(taken, 2)
		if (tuned) print "tune2fs -o " substr(tuned, 2)
	}'
}

# (From files, not pipes: what fails counts in this shell.)
is_made='^(mkfs|tune2fs|debugfs)'
rows works | cut -d '|' -f 1 | grep -Ev "$is_made" | together >/tmp/works
rows 'at mount only' | cut -d '|' -f 1 | together >/tmp/fixed
rows refused | grep -Ev "$is_made" >/tmp/refused
rows works | cut -d '|' -f 1 | grep -E "$is_made" | volumes >/tmp/made-works
rows refused | grep -E "$is_made" >/tmp/made-refused
[ "$only" != . ] || needs "the tables have their rows" test "$(grep -cE '^\| `' $TABLE)" -gt 120

load_module
modprobe quota_v2 2>/dev/null
dmesg -n 1
: >/tmp/wrong
mkfs -I 256 -O encrypt,quota,project -E quotatype=usrquota:grpquota:prjquota
start || give_up "cannot mount a fresh volume"
stop
verdict "a fresh volume"
while read -r options; do works "$options"; done </tmp/works
while read -r options; do fixed "$options"; done </tmp/fixed
while IFS='|' read -r option word; do refused_option "$option" "$word"; done </tmp/refused
start && use "everything that was refused"
stop
verdict "the volume, after everything that was refused"
while read -r command; do made_works "$command"; done </tmp/made-works
while IFS='|' read -r command word; do made_refused "$command" "$word"; done </tmp/made-refused
finish
