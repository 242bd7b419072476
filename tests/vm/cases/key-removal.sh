# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The key is removed while files are open, dirty and mapped: dirty data reaches the disk, what is open goes on, and with the key again all reads; also in a loop
# beside writers. Unmounting and mounting under load.
# vm: disk=192M memory=768 seconds=600
. /e4c/functions.sh
. /e4c/faults.sh

lock() { e4c-key remove /mnt "$KEY" 2>&1; }

encrypted_mount
head -c 2000000 /dev/urandom >/tmp/data
cp /tmp/data /mnt/d/closed
exec 8<>/mnt/d/open
cat /tmp/data >&8
e4c-io hold-mapping /mnt/d/mapped 400000 /tmp/ready /tmp/go >/tmp/mapped.out 2>&1 &
holder=$!
while [ ! -e /tmp/ready ] && kill -0 $holder 2>/dev/null; do sleep 0.1; done
same "removal with an open and a mapped file" "$(lock)" busy
same "nothing is dirty after it" "$(sed -n 's/^Dirty: *\([0-9]*\) kB/\1/p' /proc/meminfo | awk '{ print ($1 < 64) }')" 1
check "the open file reads" cmp - /tmp/data <"/proc/self/fd/8"
printf 'after removal' >&8
check "and can be synced" sync /dev/fd/8
: >/tmp/go # the holder writes through its mapping, and msyncs
check "the mapped one can be written and synced: $(cat /tmp/mapped.out)" wait $holder
refuses "what is not open cannot be opened" 'Required key|No such file' cat /mnt/d/closed
exec 8<&-
same "removal goes on once they are closed" "$(lock | sed 's/.*ENOKEY/gone/')" ""
same "no name shows" "$(find /mnt/d -name closed)" ""
must e4c-key add /mnt 7
drop_caches
check "with the key again, the closed file reads" cmp /tmp/data /mnt/d/closed
check "and the open one, with what was written after removal" cmp <(cat /tmp/data && printf 'after removal') /mnt/d/open
same "and the mapped one" "$(tr -d 'b' </mnt/d/mapped | wc -c) $(stat -c %s /mnt/d/mapped)" "0 400000"

# --- beside writers, who find the key sometimes there and sometimes not ---
ends() { for n in 1 2 3; do kill -0 "$(cat "/tmp/pid.$n")" 2>/dev/null && return 1; done; }
for n in 1 2 3; do
	(
		round=0
		while [ ! -e /tmp/stop ]; do
			round=$((round + 1))
			e4c-versions write "/mnt/d/writer-$n" "/tmp/ledger-$n" 300 150 "$round" >/tmp/out.$n 2>&1 ||
				grep -qE '^open: (ENOKEY|ENOENT)' /tmp/out.$n || { cp /tmp/out.$n /tmp/wrong.$n; break; }
		done
		echo "$round" >/tmp/rounds.$n
	) &
	echo $! >/tmp/pid.$n
done
removals=$(setting removals 10)
for _ in $(seq "$removals"); do
	lock >/dev/null
	sleep 0.1
	e4c-key add /mnt 7 >/dev/null
	sleep 0.2
	ends && break
done
: >/tmp/stop
wait
same "$removals removals beside three writers ($(cat /tmp/rounds.? | tr '\n' ' ')rounds)" "$(cat /tmp/wrong.? 2>/dev/null)" ""
must e4c-key add /mnt 7
remount_keyed
for n in 1 2 3; do check "every page of file $n is right" e4c-versions check "/mnt/d/writer-$n" "/tmp/ledger-$n"; done

# --- unmounting under load ---
busy=0 done=0
for round in $(seq "$(setting unmounts 3)"); do
	e4c-versions write /mnt/d/writer-1 /tmp/ledger-1 300 1500 "$round" >/tmp/out.1 2>&1 &
	writer=$!
	until umount /mnt 2>/tmp/umount.err; do
		grep -q busy /tmp/umount.err || { not_ok "umount"; diag /tmp/umount.err; break; }
		busy=$((busy + 1))
		[ $((round % 2)) = 1 ] || { umount -l /mnt && break; }
		sleep 0.2
	done
	done=$((done + 1))
	wait $writer || grep -q '^open: ENO' /tmp/out.1 || { not_ok "the writer, round $round"; diag /tmp/out.1; }
	# After a lazy unmount the old mount ends with its last open file; this mounts the same disk beside it or after it.
	must mount -t "$FSTYPE" /dev/vda /mnt
	must e4c-key add /mnt 7
	check "unmount $round: every page is right" e4c-versions check /mnt/d/writer-1 /tmp/ledger-1
done
check "$done unmounts under load, $busy times it was busy" test $busy -gt 0
must umount /mnt
volume_clean "every page and group verifies" /dev/vda
check "e2fsck finds nothing" e2fsck -fn /dev/vda
finish
