# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Shared by build and debug-kernel: where the sources are, and how the patched
# fs/ext4 and our files come together in one directory.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
series_dir=$top/kernel/patches/6.12
tarball=/usr/src/linux-source-6.12.tar.xz

die() { echo "kernel/scripts/$(basename "$0"): $*" >&2; exit 1; }

# Sets source_version, or ends with what is missing.
find_source() {
	[ -f "$tarball" ] || die "$tarball is missing: apt-get install linux-source-6.12"
	source_version=$(dpkg-query -W -f '${Version}' linux-source-6.12) ||
		die "package linux-source-6.12 is not installed: apt-get install linux-source-6.12"
	case $source_version in
	6.12.*) ;;
	*) die "linux-source $source_version is not a 6.12 kernel: only 6.12 is supported" ;;
	esac
}

# One hash over all that goes into a stage.
inputs_hash() {
	cat "$top"/kernel/src/* "$top"/kernel/Kbuild "$top"/kernel/scripts/stage.sh "$0" \
		"$top"/include/ext4crypt/*.h "$series_dir"/* | sha256sum
}

# Copy only what differs, so that make builds only that.
sync_tree() { # FROM TO
	mkdir -p "$2"
	local f
	for f in "$1"/*; do
		cmp -s "$f" "$2/$(basename "$f")" || cp "$f" "$2/"
	done
}

add_ours() { # TREE
	local f name
	for f in "$top"/kernel/src/*; do
		name=$(basename "$f")
		case $name in
		*.c) name=e4c_$name ;;
		esac
		cmp -s "$f" "$1/$name" || cp "$f" "$1/$name"
	done
	for f in "$top"/include/ext4crypt/*.h; do
		cmp -s "$f" "$1/$(basename "$f")" || cp "$f" "$1/"
	done
	cmp -s "$top/kernel/Kbuild" "$1/Makefile" || cp "$top/kernel/Kbuild" "$1/Makefile"
}

# The function that each hunk names behind its @@, file by file.
hunk_functions() { sed -n -e 's/^+++ b\/\([^\t]*\).*/\1/p' -e 's/^@@ [^@]*@@ \{0,1\}/  /p'; }

apply() { # PATCH TREE
	local before f
	before=$(mktemp -d)
	sed -n 's/^+++ b\///p' "$series_dir/$1" | while read -r f; do
		[ ! -f "$2/$f" ] || cp "$2/$f" "$before/"
	done
	# No fuzz: a hunk whose context has changed means a kernel that nobody has
	# looked at, and a hook in the wrong place can lose data.
	patch -d "$2" -p1 -F0 -s -N --no-backup-if-mismatch -r - < "$series_dir/$1" ||
		die "$1 does not apply to linux-source-6.12 $source_version: this version is not supported yet"
	# Three lines of context stand in more than one place of ext4, and patch takes
	# any. So each hunk must have landed in the function that it names.
	for f in "$before"/*; do
		f=$(basename "$f")
		diff -U3 -p --label "a/$f" --label "b/$f" "$before/$f" "$2/$f"
	done | hunk_functions > "$before.landed" || true
	hunk_functions < "$series_dir/$1" | diff - "$before.landed" >&2 ||
		die "$1 lands in another function of linux-source-6.12 $source_version than it names (< named, > landed): this version is not supported yet"
	rm -rf "$before" "$before.landed"
}

# The whole series on the fs/ext4 of PRISTINE, with our files, in STAGE.
stage() { # PRISTINE STAGE
	local fresh=$2.fresh p
	rm -rf "$fresh"
	cp -r "$1" "$fresh"
	while read -r p; do
		apply "$p" "$fresh"
	done < "$series_dir/series"
	sync_tree "$fresh" "$2"
	add_ours "$2"
	rm -rf "$fresh"
}
