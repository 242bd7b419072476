# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is done in the chroot $root of the machine's disk, step by step, each a line "ok ..." or "not ok ...".
log=$(mktemp)
step() { # step NAME COMMAND...
	local name=$1
	shift
	if "$@" >"$log" 2>&1; then echo "ok $name"; else
		echo "not ok $name"
		tail -n 30 "$log" | sed 's/^/diag /'
	fi
}
not() { ! "$@"; }
# shellcheck disable=SC2154  # of who sources this
in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
