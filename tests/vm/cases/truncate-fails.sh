# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A truncation that finds no memory before it begins leaves the file as it was: its size in memory is the one on the disk. On a debug kernel, which can
# be told where memory is short; elsewhere only that truncation works.
# needs: no service
# vm: disk=128M memory=512 seconds=300
# console-allowed: FAULT_INJECTION|Call Trace|should_fail
. /e4c/functions.sh

FAIL=/sys/kernel/debug/failslab
fill() {
	rm -f /mnt/d/f
	yes 0123456789abcde | head -c 40960 >/mnt/d/f
	sync
}
# shorten NTH: truncates to 5000 bytes; the NTH handle it asks for is refused.
shorten() {
	echo "$1" >$FAIL/interval
	echo 1 >$FAIL/times
	echo 100 >$FAIL/probability
	sh -c 'echo 1 >/proc/self/make-it-fail; exec e4c-io truncate /mnt/d/f 5000' >/tmp/out 2>&1
	local status=$?
	echo 0 >$FAIL/probability
	return $status
}

encrypted_mount
fill
before=$(md5sum </mnt/d/f)
if [ -d $FAIL ]; then
	must grep -q . /sys/kernel/slab/jbd2_journal_handle/failslab
	echo 1 >/sys/kernel/slab/jbd2_journal_handle/failslab
	echo 1 >$FAIL/cache-filter
	echo 1 >$FAIL/task-filter
	echo 0 >$FAIL/verbose
	echo N >$FAIL/ignore-gfp-wait
	failed=0
	for nth in 1 2 3; do
		fill
		shorten $nth && continue
		failed=$((failed + 1))
		same "handle $nth refused: what the truncation says" "$(cat /tmp/out)" "truncate: ENOMEM"
		same "handle $nth refused: the size" "$(stat -c %s /mnt/d/f)" 40960
		same "handle $nth refused: the contents" "$(md5sum </mnt/d/f)" "$before"
		remount_keyed
		same "handle $nth refused: the contents after a remount" "$(md5sum </mnt/d/f)" "$before"
	done
	check "truncations were made to fail in two places" test $failed -ge 2
	echo 0 >$FAIL/cache-filter
fi
check "a truncation" e4c-io truncate /mnt/d/f 5000
remount_keyed
same "the size" "$(stat -c %s /mnt/d/f)" 5000
must umount /mnt
check "e2fsck" e2fsck -fn /dev/vda
finish
