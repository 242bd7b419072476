# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# stress-ng's stressors of file systems in an encrypted directory, two workers of each, checking what they read; scripts/setup --long installs
# stress-ng. e4c.each=SECONDS for each, in place of 4.
# needs: stress-ng
# vm: disk=512M memory=1024 seconds=3000
# long: only
. /e4c/functions.sh

stressors="access aio aiol chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify dup fallocate fanotify fcntl fiemap file-ioctl filename flock
	fpunch fsize fstat getdent handle hdd inode-flags inotify io iomix lease link locka lockf lockofd mknod open readahead rename revio seek sendfile splice
	symlink sync-file touch utime verity xattr"

encrypted_mount
head -c 3000000 /dev/urandom >/tmp/standing
must cp /tmp/standing /mnt/d/standing
skipped=
for name in $stressors; do
	options=
	case $name in
	seek) options="--seek-size 16M" ;;
	hdd | iomix | revio | readahead | fallocate) options="--$name-bytes 16M" ;;
	copy-file) options="--copy-file-bytes 128M" ;; # its least
	esac
	# shellcheck disable=SC2086 # $options are words
	stress-ng --temp-path /mnt/d --verify "--$name" 2 $options --timeout "$(setting each 4)s" --oomable >/tmp/stress.out 2>&1
	case $? in
	0) ok "$name" ;;
	3 | 4) skipped="$skipped $name" ;; # it finds no resource or no such feature here
	*)
		not_ok "$name"
		diag /tmp/stress.out
		;;
	esac
	cmp -s /tmp/standing /mnt/d/standing || give_up "$name has changed another's file"
done
say "# not for this file system or kernel, says stress-ng:$skipped"
rm -rf /mnt/d/tmp-stress-ng-* /mnt/d/stress-ng-* # of those that were skipped
same "nothing else is left" "$(ls -A /mnt/d)" standing
remount_keyed
check "the file beside reads back after a remount" cmp /tmp/standing /mnt/d/standing
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
