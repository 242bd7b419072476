# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# ext4crypt doctor in a real machine: what it finds, its exit codes, and that a mended finding goes.
# vm: disk=64M seconds=600
# console-allowed: ext4crypt .*authentication failed
. /e4c/functions.sh
. /e4c/keyd.sh
. /e4c/tamper.sh

PASS='correct horse battery staple'
doctor() { # doctor USER: exit status into STATUS, findings into /tmp/doctor.json
	e4c "$1" doctor --json >/tmp/doctor.json 2>/tmp/doctor.err
	STATUS=$?
}
# severity NAME: of the worst finding of that name.
severity() {
	local worst
	for worst in problem warning note ok; do
		grep -A 1 "\"name\": \"$1\"" /tmp/doctor.json | grep -q "\"severity\": \"$worst\"" && echo $worst && return
	done
	echo none
}
finds() { # finds USER NAME SEVERITY
	doctor "$1"
	same "$2 for $1: $3" "$(severity "$2")" "$3"
	[ "$(severity "$2")" = "$3" ] || diag /tmp/doctor.json 60
}

load_module
finds alice module.loaded ok
finds alice kernel.series ok
same "no service is a problem, and the exit code says so" "$STATUS $(severity service.answers)" "41 problem"
finds alice volume.mounted note
fresh_disk /dev/vda
must mkdir /mnt/v
must mount -t ext4 /dev/vda /mnt/v
must mkdir -m 1777 /mnt/v/.ext4crypt
finds alice volume.type problem
must umount /mnt/v
must mount -t "$FSTYPE" /dev/vda /mnt/v
finds alice volume.type none
finds alice volume.mounted ok
finds alice volume.authentication ok
finds alice export.place ok
finds root volume.format ok
check "root is told the size of blocks" grep -q 'Blocks of 4096 bytes, inodes of 512' /tmp/doctor.json
start_keyd --argon2-memory-mib 8 --argon2-ops 4 || give_up "ext4crypt-keyd does not start"
finds alice service.answers ok
finds alice keys.enrolled note
must with_passphrase "$PASS" alice enrol
must with_passphrase "$PASS" alice unlock
finds alice keys.recovery-code ok
finds alice export.yours ok
finds bob keys.enrolled note

# --- per-user directories, unfinished work ---
must mkdir -m 777 /mnt/v/common
must e4c root setpolicy --per-user /mnt/v/common
finds alice directory.per-user warning
must chmod +t /mnt/v/common
finds alice directory.per-user ok
must mkdir -m 700 /mnt/v/.ext4crypt-encrypt-77
finds alice directory.unfinished warning
must rmdir /mnt/v/.ext4crypt-encrypt-77
finds alice directory.unfinished none

# --- logins, fstab, swap ---
must mkdir -p /etc/pam.d /etc/ssh
printf '%s\n' 'auth required pam_unix.so' 'session required pam_unix.so' >/etc/pam.d/sshd
echo 'UsePAM no' >/etc/ssh/sshd_config
finds alice login.pam warning
same "login.sshd: warning" "$(severity login.sshd)" warning
printf '%s\n' 'auth optional pam_ext4crypt.so' 'session optional pam_ext4crypt.so' >>/etc/pam.d/sshd
printf '%s\n' 'UsePAM yes' 'KbdInteractiveAuthentication no' >/etc/ssh/sshd_config
finds alice login.pam ok
same "login.sshd: ok" "$(severity login.sshd)" ok
echo '/dev/vda /mnt/v ext4crypt defaults 0 2' >/etc/fstab
finds alice fstab.nofail warning
echo '/dev/vda /mnt/v ext4crypt defaults,nofail,x-systemd.before=local-fs.target 0 2' >/etc/fstab
finds alice fstab.nofail ok

# --- a changed disk ---
must mkdir /mnt/v/alice
must chown alice /mnt/v/alice
must as alice mkdir /mnt/v/alice/private
must e4c alice setpolicy /mnt/v/alice/private
must as alice sh -c 'head -c 20000 /dev/urandom >/mnt/v/alice/private/file'
inode=$(stat -c %i /mnt/v/alice/private/file)
must umount /mnt/v
finds alice fstab.mounted problem
tamper_flip /dev/vda "$inode" 1
must mount -t "$FSTYPE" /dev/vda /mnt/v
must with_passphrase "$PASS" alice unlock
refuses "the page is not what was written" 'nput/output' as alice cat /mnt/v/alice/private/file
finds alice volume.authentication problem
same "exit code" "$STATUS" 41
check "the report for people says what to do" sh -c "ext4crypt doctor --socket $SOCKET | grep -A 1 '^PROBLEM  volume.authentication' | grep -q 'ext4crypt volume verify /dev/vda'"
stop_keyd
must umount /mnt/v
finish
