# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# 256 MB of memory and a journal of 4 MiB: several writers overwrite and read at the same time, and more than the memory passes through the page cache. None may wait
# for ever, and every page must be right.
# needs: no service
# vm: disk=512M memory=256 seconds=600
# long: ops=4000 seconds=7200
. /e4c/functions.sh
. /e4c/faults.sh

ops=$(setting ops 1500)
encrypted_mount -J size=4
for n in 1 2 3 4; do
	e4c-versions write "/mnt/d/file-$n" "/tmp/ledger-$n" 1500 "$ops" "$n" $((n * 50)) >"/tmp/versions.$n" 2>&1 &
	eval "pid_$n=$!"
done
dd if=/dev/zero of=/mnt/d/large bs=1M count=160 2>/dev/null
same "160 MB written and read beside them" "$(tr -d '\0' </mnt/d/large | wc -c) $(stat -c %s /mnt/d/large)" "0 167772160"
for n in 1 2 3 4; do
	eval "pid=\$pid_$n"
	# shellcheck disable=SC2154  # set by the eval above
	if wait "$pid"; then ok "writer $n: $(tail -n 1 "/tmp/versions.$n")"; else
		not_ok "writer $n"
		diag "/tmp/versions.$n"
	fi
done
same "the log has wrapped" "$(awk '/transactions/ { print ($1 > 20) }' /proc/fs/jbd2/*da-8/info | head -n 1)" 1
remount_keyed
for n in 1 2 3 4; do check "file $n reads back from the disk" e4c-versions check "/mnt/d/file-$n" "/tmp/ledger-$n"; done
must umount /mnt
volume_clean "every page and group verifies" /dev/vda
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
