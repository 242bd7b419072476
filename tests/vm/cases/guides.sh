# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The commands of docs/guide, as they stand there (guest/guide.sh).
# The short form runs those that most people read first.
#
# systemctl starts and stops the service as it is started here; under a real systemd tests/packages/run does that which is about the service.
# vm: disk=64M seconds=600
# long: guides=all seconds=1800
# console-allowed: ext4crypt .*authentication failed
. /e4c/functions.sh
. /e4c/keyd.sh
. /e4c/tamper.sh
. /e4c/guide.sh

# shellcheck disable=SC2034  # of guide.sh
DISK=/dev/vda
service() { start_keyd --argon2-memory-mib 8 --argon2-ops 4 || give_up "ext4crypt-keyd does not start"; }
# shellcheck disable=SC2317  # what guides call
systemctl() {
	case $1 in
	stop) stop_keyd ;;
	start) service ;;
	esac
}

# --- what "run:" lines use ---
# shellcheck disable=SC2317
unformatted() { dd if=/dev/zero of=/dev/vda bs=1M count=4 conv=notrunc 2>/dev/null; }
# shellcheck disable=SC2317
plain_home() { # homes on a volume of stock ext4
	must mkfs.ext4 -q -F -b 4096 -I 512 -O ^encrypt /dev/vda
	must mount -t ext4 /dev/vda /home
	mkdir -p /home/alice/mail
	echo 'Dear Bob' >/home/alice/letter
	echo 'Re: noon' >/home/alice/mail/1
	chown -R alice /home/alice
}
# shellcheck disable=SC2317
cut_power() { # what the disk has at this instant, with the journal not replayed, is all that is left
	sync
	cp /dev/vda /tmp/cut
	must umount /data
	must cp /tmp/cut /dev/vda
	rm /tmp/cut
	blockdev --flushbufs /dev/vda
}
# shellcheck disable=SC2317
damaged() { # damaged FILE PAGE: a bit of the disk flips
	local file=/data/alice/private/$1
	head -c 20000 /dev/urandom >"$file"
	chown alice "$file"
	WORD[INODE]=$(stat -c %i "$file")
	must umount /data
	tamper_flip /dev/vda "${WORD[INODE]}" "$2"
	rm -f "$UNDO"*
	must mount -t "$FSTYPE" /dev/vda /data
	type_to alice "ext4crypt unlock" >/dev/null
}

load_module
must mkdir -p /home/alice /home/bob
chown alice /home/alice
chown bob /home/bob
wanted=$(setting guides five-minutes,shared-directory,forgotten-passphrase)
for file in /e4c/guide/*.md; do
	guide=$(basename "$file" .md)
	[ "$wanted" = all ] || [[ ,$wanted, == *,"$guide",* ]] || continue
	grep -q '^```console' "$file" || continue
	say "$guide"
	# shellcheck disable=SC2034  # of guide.sh
	PASSPHRASE=() CODE=() WORD=()
	rm -rf "$STATE" /media/usb
	dmesg -c >/dev/null
	service
	run_guide "$guide"
	stop_keyd
	for mounted in /data /home; do
		grep -q " $mounted " /proc/mounts && must umount $mounted
	done
	rm -rf /data
	check "$guide: e2fsck finds nothing" e2fsck -fn /dev/vda
done
finish
