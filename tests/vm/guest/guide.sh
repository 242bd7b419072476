# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Runs the commands of a guide of docs/guide, as they stand there: each must work, and print the lines that stand below it ("..." is anything).
# For guides.sh and for tests/packages/case.sh, which say what DISK is and have a function "as".
#
# In a ```console block "# COMMAND" is run by root, "$ COMMAND" by alice, "USER$ COMMAND" by USER. "<!-- fails -->" before a block: its last command
# has to fail. "<!-- run: COMMAND -->" is run here, between the blocks: what the reader of the guide has already, or what happens to him.
# Passphrases and codes, which people type, come over a descriptor. /dev/sdb1 is $DISK.

declare -A PASSPHRASE CODE WORD

# --- what "run:" lines use ---
# shellcheck disable=SC2317
ready() { # ready USER...: a volume on /data; each user has a key, unlocked, and an encrypted directory "private"
	local user
	fresh_disk "$DISK"
	must mkdir -p /data
	must mount -t "$FSTYPE" "$DISK" /data
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
forget_keys() { # as on a machine where nobody has enrolled
	systemctl stop ext4crypt-keyd.socket ext4crypt-keyd-session.socket ext4crypt-keyd.service
	must find /var/lib/ext4crypt -mindepth 1 -delete
	systemctl start ext4crypt-keyd.socket ext4crypt-keyd-session.socket
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
	local user=$1 command=${2//\/dev\/sdb1/$DISK} word
	command=${command//sdb1/${DISK#/dev/}}
	for word in "${!WORD[@]}"; do command=${command//$word/${WORD[$word]}}; done
	case $user:$command in
	root:*) eval "$command" ;;
	*": ext4crypt"* | *:"ext4crypt enrol"* | *:"ext4crypt unlock"* | *:"ext4crypt passphrase"* | *:"ext4crypt recovery"* | *:"ext4crypt export"* | *:"ext4crypt import"* | *:"ext4crypt protectors add"* | *:"ext4crypt protectors remove"*)
		type_to "$user" "$command"
		;;
	*) run_as "$user" "$command" ;;
	esac
}

# The command before, once all that should stand below it is known.
settle() {
	[ -n "$command" ] || return 0
	local status line pattern word
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
		for word in "${!WORD[@]}"; do line=${line//$word/${WORD[$word]}}; done
		pattern=$(sed "s/sdb1/${DISK#/dev/}/g; "'s/[][\\.*^$+?(){}|]/\\&/g; s/\\\.\\\.\\\./.*/g' <<<"$line")
		grep -Eqx -- "$pattern" /tmp/guide.out || {
			not_ok "$guide: $command: does not print '$line'"
			diag /tmp/guide.out
		}
	done
	command=
	expected=()
}

run_guide() { # run_guide GUIDE
	local guide=$1 line inside=no command='' user='' must_fail=no expected=()
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
