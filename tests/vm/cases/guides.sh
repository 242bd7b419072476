# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The commands of docs/guide, as they stand there: each must work, and print the lines that stand below it ("..." is anything).
#   tests/vm/run --set guides=all tests/vm/cases/guides.sh      all of them, as ./test --long does; without it those that most people read first
#
# In a ```console block "# COMMAND" is run by root, "$ COMMAND" by alice, "USER$ COMMAND" by USER. "<!-- fails -->" before a block: its last command
# has to fail. "<!-- run: COMMAND -->" is run here, between the blocks: what the reader of the guide has already, or what happens to him.
# Passphrases and codes, which people type, come over a descriptor. /dev/sdb1 is /dev/vda, and systemctl starts and stops the
# service as it is started here; under a real systemd tests/packages/run does the same.
# vm: disk=64M seconds=600
# console-allowed: ext4crypt .*authentication failed
. /e4c/functions.sh
. /e4c/keyd.sh
. /e4c/tamper.sh

declare -A PASSPHRASE CODE WORD
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
ready() { # ready USER...: a volume on /data; each user has a key, unlocked, and an encrypted directory "private"
	local user
	fresh_disk /dev/vda
	must mkdir -p /data
	must mount -t "$FSTYPE" /dev/vda /data
	for user; do
		type_to "$user" "ext4crypt enrol" >/tmp/out 2>&1 || { diag /tmp/out; give_up "$user cannot enrol"; }
		type_to "$user" "ext4crypt unlock" >/tmp/out 2>&1 || { diag /tmp/out; give_up "$user cannot unlock"; }
		must mkdir "/data/$user"
		must chown "$user" "/data/$user"
		must as "$user" mkdir "/data/$user/private"
		must as "$user" ext4crypt setpolicy "/data/$user/private"
	done
	mkdir -p /media/usb
	chmod 777 /media/usb
}
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

# --- running ---
run_as() { # run_as USER COMMAND
	local user=$1
	shift
	HOME=/home/$user setpriv --reuid "$user" --regid "$user" --clear-groups -- bash -c "$*"
}

# type_to USER COMMAND: runs it, with what the user would type.
type_to() {
	local user=$1 command=$2 typed
	PASSPHRASE[$user]=${PASSPHRASE[$user]:-correct horse battery $user}
	case $command in
	*"--key-file "*) run_as "$user" "$command" && return || return ;;
	*"import --from-volume "* | *" passphrase change --recovery") typed="${CODE[$user]}"$'\n'"a new passphrase of $user" ;;
	*" passphrase change") typed="${PASSPHRASE[$user]}"$'\n'"a new passphrase of $user" ;;
	*--recovery*) typed=${CODE[$user]} ;;
	*) typed=${PASSPHRASE[$user]} ;;
	esac
	printf '%s\n' "$typed" | run_as "$user" "$command --passphrase-fd 0" >/tmp/typed.out 2>&1
	local status=$?
	cat /tmp/typed.out
	[ $status = 0 ] || return
	case $command in *"passphrase change"* | *"import --from-volume "*) PASSPHRASE[$user]="a new passphrase of $user" ;; esac
	local code
	code=$(grep -Eom 1 '[0-9A-Z]{5}(-[0-9A-Z]{5}){7}' /tmp/typed.out) && CODE[$user]=$code
	return 0
}

command_of() { # command_of USER COMMAND
	local user=$1 command=${2//\/dev\/sdb1//dev/vda} word
	command=${command//sdb1/vda}
	for word in "${!WORD[@]}"; do command=${command//$word/${WORD[$word]}}; done
	case $user:$command in
	root:*) eval "$command" ;;
	*": ext4crypt"* | *:"ext4crypt enrol"* | *:"ext4crypt unlock"* | *:"ext4crypt passphrase"* | *:"ext4crypt recovery"* | *:"ext4crypt import"* | *:"ext4crypt protectors add"* | *:"ext4crypt protectors remove"*)
		type_to "$user" "$command"
		;;
	*) run_as "$user" "$command" ;;
	esac
}

# The command before, once all that should stand below it is known.
settle() {
	[ -n "$command" ] || return 0
	local status line pattern
	command_of "$user" "$command" >/tmp/guide.out 2>&1 </dev/null
	status=$?
	if [ "$must_fail" = "$1" ] && [ "$must_fail" = last ]; then
		if [ $status = 0 ]; then not_ok "$guide: $command: should fail"; else ok "$guide: fails: $command"; fi
	elif [ $status = 0 ]; then
		ok "$guide: $command"
	else
		not_ok "$guide: $command: exit status $status"
		diag /tmp/guide.out
	fi
	for line in "${expected[@]}"; do
		pattern=$(sed 's/sdb1/vda/g; s/[][\\.*^$+?(){}|]/\\&/g; s/\\\.\\\.\\\./.*/g' <<<"$line")
		grep -Eqx -- "$pattern" /tmp/guide.out || {
			not_ok "$guide: $command: does not print '$line'"
			diag /tmp/guide.out
		}
	done
	command=
	expected=()
}

run_guide() {
	local line inside=no command='' user='' must_fail=no expected=()
	while IFS= read -r line <&4; do
		case $inside:$line in
		no:'<!-- run: '*)
			line=${line#<!-- run: }
			eval "${line% -->}"
			;;
		no:'<!-- fails -->') must_fail=last ;;
		no:'```console') inside=yes ;;
		yes:'```')
			settle last
			inside=no must_fail=no
			;;
		yes:'# '* | yes:'$ '* | yes:[a-z]*'$ '*)
			settle before
			user=${line%%[\$#] *}
			[ "${line:0:1}" = '#' ] && user=root
			command=${line#*[\$#] }
			user=${user:-alice}
			;;
		yes:*) expected+=("$line") ;;
		esac
	done 4<"/e4c/guide/$guide.md"
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
	PASSPHRASE=() CODE=() WORD=()
	rm -rf "$STATE" /media/usb
	dmesg -c >/dev/null
	service
	run_guide
	stop_keyd
	for mounted in /data /home; do
		grep -q " $mounted " /proc/mounts && must umount $mounted
	done
	rm -rf /data
	check "$guide: e2fsck finds nothing" e2fsck -fn /dev/vda
done
finish
