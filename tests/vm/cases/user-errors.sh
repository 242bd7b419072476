# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What users get wrong, on a real ext4crypt volume: one sentence, the documented exit code (docs/key-service.md), and nothing changed.
# vm: disk=1G disk=1G seconds=600
. /e4c/functions.sh
. /e4c/keyd.sh

PASS='correct horse battery staple'
# fails CODE REGEX COMMAND...: exit status CODE, one line on standard error, which says REGEX.
fails() {
	local code=$1 regex=$2 status
	shift 2
	"$@" >/tmp/out 2>/tmp/err
	status=$?
	if [ $status = "$code" ] && [ "$(grep -c . /tmp/err)" = 1 ] && grep -Eqi -- "$regex" /tmp/err; then
		ok "$(grep -Eo '(enrol|unlock|lock|status|setpolicy|policy)( .*)?' <<<"$*" | sed 's/ --socket [^ ]*//'): exit code $code, \"$(head -n 1 /tmp/err)\""
	else
		not_ok "$*: exit status $status instead of $code, or not one line that says '$regex'"
		diag /tmp/err
	fi
}
mine() { # mine USER DIRECTORY
	must mkdir -p "$2"
	must chown "$1" "$2"
}

load_module
fresh_disk /dev/vda
must mkfs.ext4 -q -F -b 4096 -O ^encrypt /dev/vdb
must mkdir /mnt/a /mnt/b /mnt/plain
must mount -t "$FSTYPE" /dev/vda /mnt/a
mine alice /mnt/a/alice
mine alice /mnt/a/full
touch /mnt/a/full/file
mine bob /mnt/a/bob

fails 3 'service' with_passphrase "$PASS" alice unlock
start_keyd --argon2-ops 1 || start_keyd || give_up "ext4crypt-keyd does not start"
fails 4 'enrol' with_passphrase "$PASS" alice unlock
fails 4 'enrol' e4c alice setpolicy /mnt/a/alice
fails 7 'short' with_passphrase 'short' alice enrol
check "enrol" with_passphrase "$PASS" alice enrol
fails 5 'already' with_passphrase "$PASS" alice enrol
fails 9 'locked' e4c alice setpolicy /mnt/a/alice
fails 6 'passphrase is wrong' with_passphrase 'not the passphrase' alice unlock
check "unlock" with_passphrase "$PASS" alice unlock
fails 12 'not empty' e4c alice setpolicy /mnt/a/full
fails 13 'someone else' e4c alice setpolicy /mnt/a/bob
fails 11 'no such directory' e4c alice setpolicy /mnt/a/nothing
fails 11 'not a directory' e4c alice setpolicy /mnt/a/full/file
fails 15 'ext4crypt' e4c alice setpolicy /dev/shm
fails 18 'not allowed' e4c bob lock --user alice
same "none of it changed a directory" "$(for d in full bob alice; do e4c-key get /mnt/a/$d 2>&1; done | sort -u)" "FS_IOC_GET_ENCRYPTION_POLICY_EX: ENODATA"
check "setpolicy" e4c alice setpolicy /mnt/a/alice
check "setpolicy again changes nothing" e4c alice setpolicy /mnt/a/alice
with_passphrase "$PASS" bob enrol >/tmp/bob 2>&1
with_passphrase "$PASS" bob unlock >/tmp/bob 2>&1
chown bob /mnt/a/alice
fails 14 'another' e4c bob setpolicy /mnt/a/alice
chown alice /mnt/a/alice
as alice sh -c 'echo hello >/mnt/a/alice/file'
exec 8</mnt/a/alice/file
fails 10 'open' e4c alice lock
exec 8<&-
check "lock" e4c alice lock
refuses "locked" ENOKEY as alice e4c-io creat /mnt/a/alice/other
check "unlock again" with_passphrase "$PASS" alice unlock
must mount -t ext4 /dev/vdb /mnt/b
mine alice /mnt/b/alice
fails 15 'encrypt' e4c alice setpolicy --allow-unauthenticated /mnt/b/alice
stop_keyd
fails 3 'service' e4c alice status
must umount /mnt/a
must umount /mnt/b
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
