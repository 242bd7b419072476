# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# From login to logout on a real ext4crypt volume: sshd, login, su, sudo and a job without a session.
# needs: login
# vm: disk=64M memory=1536 seconds=900
# long: only
. /e4c/functions.sh
. /e4c/keyd.sh

PASS='correct horse battery staple'

# --- a machine one can log in to: accounts, PAM services as docs/key-service.md has them, a journal ---
users() {
	echo 'sshd:x:74:74::/run/sshd:/bin/false' >>/etc/passwd
	hash=$(busybox mkpasswd -m sha512 "$PASS") || return
	for user in root alice bob; do echo "$user:$hash:19000:0:99999:7:::"; done >/etc/shadow
	chmod 600 /etc/shadow
	echo sshd:*:19000:::::: >>/etc/shadow
	echo 'shadow: files' >>/etc/nsswitch.conf
	chmod 4755 /usr/bin/su /usr/bin/sudo
	ln -s /e4c/bin/ext4crypt /usr/bin/ext4crypt # in the path that a login sets
	# bash: a shell that a login program may start.
	sed -i 's|:/bin/sh$|:/bin/bash|' /etc/passwd
}
services() {
	mkdir -p /etc/pam.d
	# timeout: an emulated guest on a busy machine may take longer than the ten seconds a login waits.
	local ours=/e4c/bin/pam_ext4crypt.so options="helper=/e4c/bin/ext4crypt-session timeout=100"
	for service in sshd login su su-l; do
		{
			[ "${service#su}" = "$service" ] || echo 'auth sufficient pam_rootok.so'
			printf '%s\n' 'auth requisite pam_unix.so' "auth optional $ours $options" 'account required pam_unix.so' \
				'session optional pam_keyinit.so force revoke' 'session required pam_unix.so' "session optional $ours $options"
		} >/etc/pam.d/$service
	done
	printf '%s\n' 'auth required pam_permit.so' 'account required pam_permit.so' 'session optional pam_keyinit.so revoke' \
		'session required pam_permit.so' >/etc/pam.d/sudo
	cp /etc/pam.d/sudo /etc/pam.d/other
	echo 'root ALL=(ALL) ALL' >/etc/sudoers
	echo 'alice ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers
	chmod 440 /etc/sudoers
}
start_sshd() {
	mkdir -p /run/sshd /etc/ssh /home
	chmod 755 /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host
	ssh-keygen -q -t ed25519 -N '' -f /root/key
	mkdir -p /etc/ssh/keys
	cp /root/key.pub /etc/ssh/keys/alice
	printf '%s\n' 'HostKey /etc/ssh/host' 'Port 22' 'UsePAM yes' 'PasswordAuthentication yes' 'KbdInteractiveAuthentication no' \
		'AuthorizedKeysFile /etc/ssh/keys/%u' 'PidFile none' 'UseDNS no' 'PrintMotd no' 'StrictModes no' >/etc/ssh/sshd_config
	/usr/bin/sshd -E /tmp/sshd.log -f /etc/ssh/sshd_config
}
# ssh with the password, with a terminal as people have one: what a login says is shown only there.
printf '#!/bin/sh\necho "%s"\n' "$PASS" >/tmp/askpass
chmod 755 /tmp/askpass
ssh_to() { # ssh_to OPTIONS... alice@127.0.0.1 COMMAND
	SSH_ASKPASS=/tmp/askpass SSH_ASKPASS_REQUIRE=force TERM=dumb \
		ssh -tt -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$@" </dev/null
}
# The same with a shell on the terminal: sshd shows what PAM has to say only where no command was given.
ssh_shell() { # ssh_shell COMMAND OPTIONS... alice@127.0.0.1
	local command=$1
	shift
	# Not all at once: what is typed before the shell reads may be lost with the terminal's old modes.
	{
		sleep 8
		printf '%s\nexit\n' "$command"
		sleep 4
	} | SSH_ASKPASS=/tmp/askpass SSH_ASKPASS_REQUIRE=force TERM=dumb \
		ssh -tt -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$@"
}
state() { e4c alice status --json | sed -n 's/.*"state": "\([a-z]*\)".*/\1/p' | head -n 1; }
becomes() { # becomes NAME STATE: within ten seconds
	local now
	for _ in $(seq 50); do
		now=$(state)
		[ "$now" = "$2" ] && break
		sleep 0.2
	done
	same "$1" "$now" "$2"
}
says() { # says NAME REGEX FILE
	if grep -Eq -- "$2" "$3"; then ok "$1"; else
		not_ok "$1"
		diag "$3"
	fi
}

run_sudo() { sudo "$@"; }

load_module
fresh_disk /dev/vda
must mount -t "$FSTYPE" /dev/vda /mnt
must mkdir /mnt/alice /mnt/common
must chown alice /mnt/alice
must chmod 1777 /mnt/common
must busybox syslogd -O /tmp/messages
needs "accounts" users
services
start_keyd --argon2-memory-mib 8 --argon2-ops 4 || give_up "ext4crypt-keyd does not start"
must with_passphrase "$PASS" alice enrol
must with_passphrase "$PASS" alice unlock
must e4c alice setpolicy /mnt/alice
must e4c root setpolicy --per-user /mnt/common
must as alice sh -c 'echo secret-word >/mnt/alice/file'
must e4c alice lock
needs "sshd" start_sshd

# --- ssh with the password ---
ssh_to alice@127.0.0.1 'cat /mnt/alice/file; touch /mnt/common/by-ssh && echo created' >/tmp/out 2>&1
says "ssh with the password: her files are readable" secret-word /tmp/out
says "and EXT4_DEFAULT_KEY is found" created /tmp/out
becomes "logout locks" locked
refuses "and the file is locked" 'Required key|No such file' as alice cat /mnt/alice/file

# --- two at once, one killed ---
ssh_to alice@127.0.0.1 'echo in; sleep 600' >/tmp/first 2>&1 &
FIRST=$!
becomes "a session that lasts" unlocked
ssh_to alice@127.0.0.1 true >/tmp/out 2>&1
sleep 1
same "the end of another one does not lock" "$(state)" unlocked
# sshd's own processes of that session, without a chance to close anything.
for process in /proc/[0-9]*; do
	grep -qs '^sshd: alice' "$process/cmdline" && kill -9 "${process#/proc/}"
done
becomes "killed sessions are ended sessions" locked
kill "$FIRST" 2>/dev/null

# --- ssh with a key ---
ssh_shell 'cat /mnt/alice/file; touch /mnt/common/locked; printf "%s" "'"$PASS"'" | ext4crypt unlock --passphrase-fd 0 >/dev/null && cat /mnt/alice/file' \
	-i /root/key -o PasswordAuthentication=no alice@127.0.0.1 >/tmp/out 2>&1
says "ssh with a key: a hint" 'Unlock them with: ext4crypt unlock' /tmp/out
says "and no file" 'Required key not available|No such file' /tmp/out
refuses "nor a new one in plain text" 'No such file' ls /mnt/common/locked
says "ext4crypt unlock works in that session" secret-word /tmp/out
becomes "and its end locks" locked

# --- login on a terminal; by its path, since script(1) starts busybox's shell, which prefers a login of its own without PAM ---
{
	sleep 3
	echo "$PASS"
	sleep 3
	echo 'cat /mnt/alice/file'
	sleep 1
	echo 'su -c "cat /mnt/alice/file | tr a-z A-Z"'
	sleep 2
	echo "$PASS"
	sleep 2
	echo exit
} | TERM=dumb script -qc '/usr/bin/login alice' /dev/null >/tmp/out 2>&1
says "login: her files are readable" secret-word /tmp/out
says "su in it: what is unlocked is readable to those who may" SECRET-WORD /tmp/out
becomes "logout locks" locked

# --- su, sudo and a job without a session: the default key, or none ---
# shellcheck disable=SC2016  # $0 is the inner shell's
try='touch /mnt/common/$0 && echo created-$0'
as alice sh -c "$try" cron-locked >/tmp/out 2>&1
says "cron, locked: refused" 'Required key not available' /tmp/out
run_sudo -u alice sh -c "$try" sudo-locked >/tmp/out 2>&1
says "sudo, locked: refused" 'Required key not available' /tmp/out
su - alice -c "sh -c '$try' su-locked" >/tmp/out 2>&1
says "su -, locked: refused" 'Required key not available' /tmp/out
says "the journal has it (su itself shows no information with -c)" 'su.*no passphrase at this login' /tmp/messages
same "and nothing was created" "$(find /mnt/common -name '*locked' | wc -l)" 0
must with_passphrase "$PASS" alice unlock
as alice sh -c "$try" cron >/tmp/out 2>&1
says "cron, unlocked: the default key" created-cron /tmp/out
run_sudo -u alice sh -c "$try" sudo >/tmp/out 2>&1
says "sudo, unlocked: the default key" created-sudo /tmp/out
su - alice -c "sh -c '$try' su" >/tmp/out 2>&1
says "su -, unlocked: the default key" created-su /tmp/out
same "unlocked outside sessions: su's end does not lock" "$(state)" unlocked
must e4c alice lock

# --- the service is gone ---
stop_keyd
ssh_shell 'echo still-"in"' alice@127.0.0.1 >/tmp/out 2>&1
says "without the service one can log in" still-in /tmp/out
says "and is told" 'Later: ext4crypt unlock' /tmp/out
says "and the journal says so" 'pam_ext4crypt' /tmp/messages
check "no passphrase in any log" sh -c "! grep -rqF '$PASS' /tmp/messages /tmp/keyd.log /tmp/sshd.log"
must umount /mnt
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
