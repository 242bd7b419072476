# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is done in a chroot of the machine's disk, step by step, each a line "ok ..." or "not ok ...". For scripts that are run in a mount namespace
# of their own, so that nothing stays mounted whatever happens.
root=$(mktemp -d)
log=$(mktemp)
# What was started there may take a moment to end: DKMS of Debian 13 leaves a process of its log behind.
go_out() {
	for _ in $(seq 100); do
		mountpoint -q "$root" || break
		umount -R "$root" 2>/dev/null || sleep 0.2
	done
	rmdir "$root"
	rm -f "$log"
}
enter() { # enter IMAGE: mounts it on $root, where no service starts from now on
	trap go_out EXIT
	mount -o loop "$1" "$root"
	mount -t proc proc "$root/proc"
	mount -t devtmpfs dev "$root/dev"
	mount -t devpts devpts "$root/dev/pts"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
}
# Before the image is a machine's again.
leave() { rm -f "$root/usr/sbin/policy-rc.d"; }
step() { # step NAME COMMAND...
	local name=$1
	shift
	if "$@" >"$log" 2>&1; then echo "ok $name"; else
		echo "not ok $name"
		tail -n 30 "$log" | sed 's/^/diag /'
	fi
}
not() { ! "$@"; }
in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
