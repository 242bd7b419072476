# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A Debian of one suite, in a directory: what packages are built in, and what they are tested in.

# debootstrap_suite SUITE ROOT PACKAGE...: with the suite's own sources, of which the security one has the newest kernel.
debootstrap_suite() {
	local suite=$1 root=$2 packages
	shift 2
	packages=$(IFS=, && echo "$*")
	command -v mmdebstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends mmdebstrap
	mmdebstrap --quiet --mode=root --variant=apt --architectures=amd64 --include="$packages" \
		--dpkgopt='force-unsafe-io' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--aptopt='APT::Install-Recommends "false"' --skip=cleanup/apt/lists "$suite" "$root" <<-END
			deb http://deb.debian.org/debian $suite main
			deb http://deb.debian.org/debian $suite-updates main
			deb http://deb.debian.org/debian-security $suite-security main
		END
	# Seen to stay mounted.
	if mountpoint -q "$root/proc"; then umount -l "$root/proc"; fi
}
