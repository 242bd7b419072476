# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For cases: reporting to the host over descriptor 3, and what most cases do with a file system.
#
# A case sources this file, makes its checks, and calls "finish" last. What it prints goes to the console, for the log.

set -u

# setting NAME DEFAULT: what --set NAME=VALUE gave.
setting() {
	local value
	value=$(tr ' ' '\n' </proc/cmdline | sed -n "s/^e4c\.$1=//p" | head -n 1)
	echo "${value:-$2}"
}

FSTYPE=$(setting fstype ext4crypt)
TOKEN=$(setting token none)
failures=0

report() { printf '%s\n' "$*" >&3; }
say() { report "say $*"; }
ok() { report "ok $*"; }
not_ok() {
	failures=$((failures + 1))
	report "not ok $*"
}

# diag FILE: shows the host the last lines of a file.
diag() { tail -n "${2:-25}" "$1" | sed 's/^/diag /' >&3; }

# check NAME COMMAND...: the command succeeds.
check() {
	local name=$1
	shift
	if "$@" >/tmp/check.out 2>&1; then ok "$name"; else
		not_ok "$name"
		report "diag command: $*"
		diag /tmp/check.out
	fi
}

# needs NAME COMMAND...: check, where nothing that follows makes sense without it.
needs() {
	local before=$failures
	check "$@"
	[ "$failures" = "$before" ] || give_up "nothing else makes sense without: $1"
}

# refuses NAME REGEX COMMAND...: the command fails and says REGEX on the way.
refuses() {
	local name=$1 regex=$2
	shift 2
	if "$@" >/tmp/check.out 2>&1; then
		not_ok "$name: succeeded"
	elif grep -Eq -- "$regex" /tmp/check.out; then
		ok "$name"
	else
		not_ok "$name: failed, but did not say '$regex'"
		diag /tmp/check.out
	fi
}

same() { # same NAME ACTUAL EXPECTED
	if [ "$2" = "$3" ]; then ok "$1"; else
		not_ok "$1"
		report "diag expected: $3"
		report "diag actual:   $2"
	fi
}

# give_up TEXT: a step without which no other makes sense has failed.
give_up() {
	not_ok "$*"
	dmesg | tail -n 15 | sed 's/^/diag /' >&3
	report end
	[ "$BASHPID" = $$ ] || kill $$ # from within $(...)
	exit 1
}
must() { "$@" >/tmp/check.out 2>&1 || { diag /tmp/check.out; give_up "cannot $*"; }; }

# host STEP: has the host's side of this case do a step, and waits for it.
host() {
	local answer
	report "host $*"
	IFS= read -r answer <&3
	[ "$answer" = "done" ]
}

# check_leaks: on a debug kernel, memory that our code allocated and nobody points at any more. Others' is only mentioned.
check_leaks() {
	local scan=/sys/kernel/debug/kmemleak
	[ -f $scan ] || return 0
	# An object counts after five seconds, and when two scans saw it unchanged.
	sleep 6
	echo scan >$scan
	echo scan >$scan
	cat $scan >/tmp/leaks
	if grep -Eq '\[ext4crypt\]|e4c_' /tmp/leaks; then
		not_ok "kmemleak: memory of ours leaked"
		diag /tmp/leaks 60
	else
		ok "kmemleak: no memory of ours leaked"
		[ ! -s /tmp/leaks ] || diag /tmp/leaks 30
	fi
}

finish() {
	check_leaks
	report "end"
	[ "$failures" = 0 ] && report "token $TOKEN"
	exit 0
}

load_module() {
	[ "$FSTYPE" = ext4crypt ] || return 0
	[ -f /e4c/ext4crypt.ko ] || give_up "there is no ext4crypt.ko: run kernel/scripts/build"
	local dependency
	for dependency in $(modinfo -F depends /e4c/ext4crypt.ko | tr , ' '); do must modprobe "$dependency"; done
	must insmod /e4c/ext4crypt.ko
}

fresh_disk() { # fresh_disk DEVICE [mkfs options]
	local device=$1
	shift
	must mkfs.ext4 -q -F -b 4096 -I 512 -b 4096 -O encrypt "$@" "$device"
}

# e2fsck OPTION...: the host's; what finds nothing with -fn must find nothing with Debian 13's either, where that could be had (other-e2fsck).
e2fsck() {
	command e2fsck "$@" || return
	[ "$1" != -fn ] || [ ! -x /e4c/bin/e2fsck-13 ] || e2fsck-13 "$@"
}

drop_caches() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

# encrypted_mount: a fresh /dev/vda on /mnt with test key 7 and an encrypted directory /mnt/d. Sets KEY.
encrypted_mount() {
	load_module
	fresh_disk /dev/vda "$@"
	must mount -t "$FSTYPE" /dev/vda /mnt
	KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
	must mkdir /mnt/d
	must e4c-key set /mnt/d "$KEY"
}

# remount_keyed: everything is read from the disk again.
remount_keyed() {
	must umount /mnt
	must mount -t "$FSTYPE" /dev/vda /mnt
	must e4c-key add /mnt 7
}
