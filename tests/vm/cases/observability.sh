# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What an administrator sees: counters that are right after known work, the AEAD in use, one event and few lines for a failed authentication.
# vm: disk=64M memory=768 seconds=600
# console-allowed: ext4crypt .*authentication failed
. /e4c/functions.sh
. /e4c/tamper.sh

counter() { cat "/sys/fs/$FSTYPE/"*da"/authentication/$1"; }
counters() { echo "$(counter pages_sealed) $(counter pages_journaled) $(counter pages_opened) $(counter failures)"; }

encrypted_mount
same "at first: sealed, journaled, opened, failed" "$(counters)" "0 0 0 0"
head -c 1228800 /dev/urandom >/tmp/data # 300 pages
cp /tmp/data /mnt/d/file
same "before writeback nothing is sealed" "$(counter pages_sealed)" 0
sync
same "300 new pages" "$(counters)" "300 0 0 0"
dd if=/dev/urandom of=/tmp/over bs=4096 count=7 2>/dev/null
dd if=/tmp/over of=/mnt/d/file bs=4096 seek=20 conv=notrunc,fsync 2>/dev/null
same "7 of them overwritten" "$(counters)" "307 7 0 0"
driver=$(counter aead_driver)
case $driver in *gcm* | *chacha20*) ok "the AEAD in use: $driver" ;; *) not_ok "the AEAD in use is said to be '$driver'" ;; esac
inode=$(stat -c %i /mnt/d/file)
must umount /mnt
tamper_flip /dev/vda "$inode" 280
must mount -t "$FSTYPE" /dev/vda /mnt
must e4c-key add /mnt 7
e4c-fserror /mnt /tmp/ready 60 >/tmp/event 2>&1 &
listener=$!
while [ ! -e /tmp/ready ]; do
	kill -0 $listener 2>/dev/null || break
	sleep 0.1
done
dmesg -c >/dev/null
dmesg -n 1 # the storm below would pass the serial console
refuses "a forged page" EIO e4c-io pread /mnt/d/file $((280 * 4096)) 4096
# A page that readahead cannot open is tried again for the one who wants it.
failed_pages=$(counter failures)
check "is counted: $failed_pages times" test "$failed_pages" -ge 1 -a "$failed_pages" -le 2
wait $listener
# Both times in one event or in two, as the listener is quick.
same "is reported to fanotify, with its inode" "$(sed 's/ count .*//' /tmp/event | sort -u)" "EIO inode $inode"
same "and in the log" "$(dmesg | grep -cE "ext4crypt \([a-z]+\): authentication failed: inode $inode, page 280: the contents")" "$failed_pages"
opened=$(counter pages_opened)
head -c $((260 * 4096)) /mnt/d/file >/dev/null
check "reading opens pages: $opened, then $(counter pages_opened)" test "$(counter pages_opened)" -ge 260 -a "$(counter pages_opened)" -le 299
opened=$(counter pages_opened)
head -c $((260 * 4096)) /mnt/d/file >/dev/null
same "reading from the page cache opens none" "$(counter pages_opened)" "$opened"

# --- a storm ---
storm=$(setting storm 10000)
before=$(counter failures)
began=$(cut -d . -f 1 /proc/uptime)
check "$storm failures" e4c-io storm /mnt/d/file $((280 * 4096)) "$storm"
took=$(($(cut -d . -f 1 /proc/uptime) - began))
failed_pages=$(($(counter failures) - before))
check "all are counted: $failed_pages" test "$failed_pages" -ge "$storm" -a "$failed_pages" -le $((2 * storm))
lines=$(dmesg | grep -c "authentication failed")
check "but the log has few lines: $lines in $took s" test "$lines" -le $((20 * (took / 5 + 3)))
must umount /mnt
finish
