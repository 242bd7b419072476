# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For cases that compare files with twins on tmpfs: tests/vm/tools/twin.h.

TWINS=/tmp/twins
mkdir -p $TWINS

# checks PROGRAM...: a program that reports "ok NAME" and "not ok NAME" lines. Equal names are told once, since one check is made of many files.
checks() {
	"$@" >/tmp/checks.out 2>/tmp/checks.err
	local status=$? bad
	grep '^ok ' /tmp/checks.out | sort -u | grep -vxFf <(sed -n 's/^not ok \([^:]*\):.*/ok \1/p' /tmp/checks.out) >&3
	grep '^not ok ' /tmp/checks.out >&3
	bad=$(grep -c '^not ok ' /tmp/checks.out)
	failures=$((failures + bad))
	if [ $status != 0 ] && [ "$bad" = 0 ]; then
		not_ok "$1 ended with status $status"
		diag /tmp/checks.out
		diag /tmp/checks.err
	fi
}

# twins_agree NAME: each twin has its file, with the same contents.
twins_agree() { checks e4c-agree /mnt/d "$TWINS" "$1"; }

# each_way [COMMAND...]: the twins agree after the caches were dropped, and after a remount; COMMAND is run before that, in both cases.
each_way() {
	drop_caches
	"$@"
	twins_agree "caches dropped"
	remount_keyed
	"$@"
	twins_agree "remounted"
}
