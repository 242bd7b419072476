# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What tests/packages/run does in its guest, stage by stage. ext4crypt-dkms is installed and its module is built; nothing else of ours is there.
. /e4c/functions.sh
. /e4c/guide.sh

PASS='correct horse battery staple'
STORE=/var/lib/ext4crypt/keys.db
# shellcheck disable=SC2034  # of guide.sh
DISK=/dev/vdb
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin

apt() { apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends "$@"; }
not() { ! "$@"; }
as() { # as USER COMMAND...: outside any login session
	local user=$1
	shift
	HOME=/home/$user setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
}
typed() { # typed LINES USER VERB...: what the user types comes on descriptor 0
	local lines=$1 user=$2
	shift 2
	printf '%s\n' "$lines" | as "$user" ext4crypt "$@" --passphrase-fd 0
}
state() { as alice ext4crypt status --json | sed -n 's/.*"state": *"\([a-z]*\)".*/\1/p' | head -n 1; }
becomes() { # becomes NAME STATE: within half a minute of an emulated machine
	local now
	for _ in $(seq 60); do
		now=$(state)
		[ "$now" = "$2" ] && break
		sleep 0.5
	done
	same "$1" "$now" "$2"
}
ssh_in() { # ssh_in COMMAND: as alice, with the password
	sshpass -p "$PASS" ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o PubkeyAuthentication=no alice@127.0.0.1 "$@"
}
# install_ours PACKAGE...: and a login waits longer for the key service than ten seconds, which an emulated machine on a busy host may need.
install_ours() {
	apt install "$@" || return
	sed -i 's/pam_ext4crypt.so\( timeout=120\)\?/pam_ext4crypt.so timeout=120/' /usr/share/pam-configs/ext4crypt
	pam-auth-update --package
}
says() { # says NAME REGEX COMMAND...
	local name=$1 regex=$2
	shift 2
	"$@" >/tmp/says.out 2>&1
	if grep -Eq -- "$regex" /tmp/says.out; then ok "$name"; else
		not_ok "$name: does not say '$regex'"
		diag /tmp/says.out
	fi
}
tell_log() { # of the services, if something failed
	# shellcheck disable=SC2154  # of functions.sh
	[ "$failures" != 0 ] || return 0
	journalctl -b --no-pager -u 'ext4crypt*' >/tmp/journal
	diag /tmp/journal 40
	journalctl -b --no-pager -t sshd -t login >/tmp/journal
	diag /tmp/journal 20
}
active() { systemctl is-active "$@" | sort -u; }
# fstab_line GUIDE DIRECTORY: the line that GUIDE shows for DIRECTORY becomes that of /data.
fstab_line() {
	sed -i '\,^/dev/vdb ,d' /etc/fstab
	sed -n "s,^/dev/sdb1  $2 ,/dev/vdb  /data ,p" "/e4c/guide/$1.md" >>/etc/fstab
	same "the line of the guide $1 is in fstab" "$(grep -c '^/dev/vdb  /data  ext4crypt ' /etc/fstab)" 1
}
modules() { find /lib/modules -name 'ext4crypt.ko*'; }
locked_to_all() { refuses "$1" 'Required key not available|No such file' cat /data/alice/private/note; }

stage_install() {
	same "systemd is the first process" "$(cat /proc/1/comm)" systemd
	local release
	release=$(uname -r)
	says "DKMS has the module installed for the running kernel" "ext4crypt/.*${release//+/[+]}.*installed" dkms status
	check "the module is not loaded" not grep -w ext4crypt /proc/modules
	needs "apt installs the packages" install_ours /root/packages/ext4crypt_*.deb /root/packages/ext4crypt-keyd_*.deb /root/packages/libpam-ext4crypt_*.deb \
		/root/packages/ext4crypt-dev_*.deb
	same "its sockets listen" "$(active ext4crypt-keyd.socket ext4crypt-keyd-session.socket)" active
	same "the service has not been started" "$(active ext4crypt-keyd.service)" inactive
	check "PAM was told" grep -q pam_ext4crypt.so /etc/pam.d/common-auth
	same "and its session part, before that which starts the user's services" \
		"$(grep -o 'pam_ext4crypt\|pam_systemd' /etc/pam.d/common-session | tr '\n' ' ')" "pam_ext4crypt pam_systemd "

	must mkfs.ext4 -q -b 4096 -I 512 -O encrypt /dev/vdb
	must mkdir /data
	check "mount -t ext4crypt loads the module" mount -t ext4crypt /dev/vdb /data
	check "it is DKMS's" sh -c "modinfo -n ext4crypt | grep updates/dkms && grep -w ^ext4crypt /proc/modules"
	must useradd -m -s /bin/bash alice
	echo "alice:$PASS" | chpasswd || give_up "cannot set a password"
	must install -d -o alice -m 700 /data/alice

	check "alice enrols" typed "$PASS" alice enrol
	same "which has started the service by its socket" "$(active ext4crypt-keyd.service)" active
	same "it runs as a user of its own" "$(ps -o user= -C ext4crypt-keyd)" ext4crypt
	same "its store is private" "$(stat -c '%U %a' /var/lib/ext4crypt)" "ext4crypt 700"
	check "alice unlocks" typed "$PASS" alice unlock
	tell_log
	must as alice mkdir /data/alice/private
	check "setpolicy" as alice ext4crypt setpolicy /data/alice/private
	as alice sh -c 'echo meet me at noon >/data/alice/private/note'
	check "she locks" as alice ext4crypt lock
	locked_to_all "locked to all"

	says "ssh with the password unlocks" 'meet me at noon' ssh_in cat /data/alice/private/note
	becomes "and its end locks" locked
	locked_to_all "locked to all again"
	says "login on a terminal unlocks" 'meet me at noon' python3 /e4c/console.py alice "$PASS" 'cat /data/alice/private/note'
	becomes "and its end locks" locked

	ssh_in 'echo in; sleep 25; cat /data/alice/private/note' >/tmp/long 2>&1 &
	local session=$!
	becomes "a session" unlocked
	check "the service restarts meanwhile" systemctl restart ext4crypt-keyd.service
	wait $session
	says "without locking her out" 'meet me at noon' cat /tmp/long
	becomes "and the end of the session still locks" locked
	local before
	before=$(systemctl show -p NRestarts --value ext4crypt-keyd.service)
	systemctl kill -s KILL ext4crypt-keyd.service
	sleep 2
	says "killed, it comes back by its socket" 'locked' as alice ext4crypt status
	check "systemd counted that" test "$(systemctl show -p NRestarts --value ext4crypt-keyd.service)" -ge "$before"
	same "stopped, nothing of it is left" "$(systemctl stop ext4crypt-keyd.service; ps -o pid= -C ext4crypt-keyd | wc -l)" 0

	must umount /data
	must rmmod ext4crypt
	fstab_line install /data
	check "the line of fstab mounts, and loads the module" mount /data
	says "as ext4crypt" '^/dev/vdb /data ext4crypt ' cat /proc/mounts
}

stage_reboot() {
	says "at boot /data is mounted as ext4crypt, before anybody can log in" '^/dev/vdb /data ext4crypt ' cat /proc/mounts
	same "no unit has failed" "$(systemctl --failed --plain --no-legend | awk '{print $1}' | tr '\n' ' ')" ""
	says "the check of the file system was e2fsck's" 'clean|fsck' journalctl -b -u 'systemd-fsck@dev-vdb.service'
	same "the sockets listen" "$(active ext4crypt-keyd.socket ext4crypt-keyd-session.socket)" active
	locked_to_all "locked after the boot"
	says "the first login unlocks" 'meet me at noon' ssh_in cat /data/alice/private/note
	becomes "and its end locks" locked
	printf '%s\n%s\n' "$PASS" 'another long passphrase' | as alice ext4crypt passphrase change --passphrase-fd 0 >/tmp/change 2>&1
	same "a changed passphrase" $? 0
	says "with another password, one can log in, is told, and finds the file locked" 'Required key|No such file' ssh_in 'cat /data/alice/private/note'
	printf '%s\n%s\n' 'another long passphrase' "$PASS" | as alice ext4crypt passphrase change --passphrase-fd 0 >/tmp/change 2>&1
	same "and changed back" $? 0
	# For the next boot: what if a kernel upgrade has left the machine without the module?
	fstab_line home-directory /home
	modules >/root/modules
	must test -s /root/modules
	while read -r module; do must mv "$module" "$module.away"; done </root/modules
	must depmod
}

stage_without_module() {
	check "without the module, the machine starts" systemctl is-active multi-user.target
	says "and only the volume is missing" '^data.mount ' systemctl --failed --plain --no-legend
	same "and nothing else" "$(systemctl --failed --plain --no-legend | wc -l)" 1
	says "one can log in, and is told" 'still-in' ssh_in echo still-in
	while read -r module; do must mv "$module.away" "$module"; done </root/modules
	must depmod
	check "once the module is there the volume is mounted as ever" systemctl start data.mount
	says "and the login unlocks" 'meet me at noon' ssh_in cat /data/alice/private/note
}

stage_lifecycle() {
	local key store
	says "at boot /data is mounted by the line for homes, before anybody can log in" '^/dev/vdb /data ext4crypt ' cat /proc/mounts
	key=$(as alice ext4crypt status --json | grep -o '"identifier": *"[0-9a-f]*"')
	must typed "$PASS" alice unlock
	must sh -c 'exec 9</data/alice/private/note; sleep 1'
	check "upgrade" install_ours /root/next/ext4crypt.deb /root/next/ext4crypt-keyd.deb /root/next/libpam-ext4crypt.deb
	says "to the next version" '\+next' dpkg-query -W ext4crypt-keyd
	same "the files stayed readable" "$(as alice cat /data/alice/private/note)" "meet me at noon"
	same "the sockets listen" "$(active ext4crypt-keyd.socket ext4crypt-keyd-session.socket)" active
	same "the key is the same" "$(as alice ext4crypt status --json | grep -o '"identifier": *"[0-9a-f]*"')" "$key"
	check "lock, of what the version before had unlocked" as alice ext4crypt lock
	check "unlock" typed "$PASS" alice unlock
	check "lock" as alice ext4crypt lock

	store=$(stat -c '%i %s' $STORE)
	check "remove" apt remove ext4crypt ext4crypt-keyd libpam-ext4crypt
	same "the store is still there" "$(stat -c '%i %s' $STORE)" "$store"
	check "PAM has forgotten the module" not grep -r pam_ext4crypt /etc/pam.d
	says "one can log in" still-in ssh_in echo still-in
	same "nothing of it runs or listens" "$(ps -o pid= -C ext4crypt-keyd | wc -l) $(systemctl list-units --plain --no-legend 'ext4crypt*' | wc -l)" "0 0"
	check "reinstall" install_ours /root/packages/ext4crypt_*.deb /root/packages/ext4crypt-keyd_*.deb /root/packages/libpam-ext4crypt_*.deb
	says "and ssh unlocks as ever" 'meet me at noon' ssh_in cat /data/alice/private/note
	becomes "and locks" locked

	local files
	files=$(find /data -xdev | wc -l)
	check "purge" apt purge ext4crypt ext4crypt-keyd libpam-ext4crypt
	check "the store is gone" test ! -e /var/lib/ext4crypt
	same "the users' files are not" "$(find /data -xdev | wc -l)" "$files"
	check "nothing of us is left in /etc" not grep -rl ext4crypt /etc --include='*' --exclude=fstab --exclude-dir=e4c --exclude='e4c-*' --exclude='passwd*' --exclude='group*' --exclude='shadow*' --exclude='gshadow*' --exclude='subuid*' --exclude='subgid*' --exclude='.updated'
	check "reinstall after that" install_ours /root/packages/ext4crypt_*.deb /root/packages/ext4crypt-keyd_*.deb /root/packages/libpam-ext4crypt_*.deb
	check "alice enrols anew" typed "$PASS" alice enrol
	check "and unlocks" typed "$PASS" alice unlock
	locked_to_all "which does not open what the old key had"
	must as alice mkdir /data/alice/second
	check "a new directory" as alice ext4crypt setpolicy /data/alice/second
	check "lock" as alice ext4crypt lock

	must umount /data
	check "e2fsck finds nothing" e2fsck -fn /dev/vdb
}

# Guides that are about the service as systemd runs it. The others are run by tests/vm/cases/guides.sh.
stage_guides() {
	umount /data
	forget_keys
	run_guide moving-a-disk
	same "the service runs as its own user with the store that came" "$(ps -o user= -C ext4crypt-keyd)" ext4crypt
	must umount /data
	check "e2fsck finds nothing" e2fsck -fn /dev/vdb
	check "the module goes with its package" apt purge ext4crypt-dkms
	same "from the disk, too" "$(modules | wc -l)" 0
}

"stage_$(setting stage install)"
same "no unit has failed" "$(systemctl --failed --plain --no-legend | awk '{print $1}' | tr '\n' ' ')" ""
tell_log
finish
