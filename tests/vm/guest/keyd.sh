# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For cases that use the key service: starting it, and running the command line as a user of the guest.

SOCKET=/run/ext4crypt/keyd.sock
STATE=/var/lib/ext4crypt

start_keyd() { # start_keyd [options]
	mkdir -p "$(dirname "$SOCKET")" "$STATE"
	chmod 700 "$STATE"
	chmod 755 "$(dirname "$SOCKET")"
	ext4crypt-keyd --socket "$SOCKET" --state-dir "$STATE" "$@" >/tmp/keyd.log 2>&1 &
	KEYD=$!
	for _ in $(seq 200); do
		[ -S "$SOCKET" ] && return 0
		kill -0 "$KEYD" 2>/dev/null || break
		sleep 0.1
	done
	diag /tmp/keyd.log
	return 1
}

stop_keyd() {
	kill "$KEYD" 2>/dev/null
	wait "$KEYD"
}

as() { # as USER COMMAND...
	local user=$1
	shift
	HOME=/run setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"
}

# The command line as a user; passphrases come on descriptor 0.
e4c() { # e4c USER VERB...
	local user=$1 verb=$2
	shift 2
	as "$user" ext4crypt "$verb" --socket "$SOCKET" "$@"
}
with_passphrase() { # with_passphrase PASSPHRASE USER VERB...
	local passphrase=$1
	shift
	printf '%s' "$passphrase" | e4c "$@" --passphrase-fd 0
}
