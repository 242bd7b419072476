# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The guest's side of the crash test: one file system after the other, each with one workload, while the host records all writes.
#   e4c.sessions=WORKLOAD:SEED:OPS:SHAPE,...   SHAPE: plain, or full (a nearly full disk)
#   e4c.mkfs=OPTIONS                           for mkfs.ext4, '+' in place of spaces
#   e4c.reader=                                empty: nobody reads the device meanwhile
# needs: no service
# vm: disk=64M memory=256 seconds=3600
. /e4c/functions.sh

readonly FS_BLOCKS=15872 # 62 MiB; the markers stand behind
readonly FS_BYTES=$((FS_BLOCKS * 4096))
readonly LEFT_BLOCKS=700 # of a nearly full disk

# A file of its own, not encrypted: it only takes the room away.
fill() {
	local free
	free=$(stat -f -c %a /mnt)
	must fallocate -l $(((free - LEFT_BLOCKS) * 4096)) /mnt/filler
}

record() { # record NUMBER WORKLOAD SEED OPS SHAPE
	local session=("/dev/vda" "$1" "$2" "$3" "$4" "$FS_BYTES") memory='' reader options
	IFS=+ read -r -a options < <(setting mkfs '')
	must mkfs.ext4 -q -F -b 4096 -I 512 -O encrypt "${options[@]}" /dev/vda "$FS_BLOCKS"
	must mount -t "$FSTYPE" /dev/vda /mnt
	must e4c-key add /mnt 7
	mkdir /mnt/d
	must e4c-key set /mnt/d "$(cat /tmp/check.out)"
	[ "$5" = full ] && fill
	must umount /mnt
	must e4c-crash-load begin "${session[@]}"
	must mount -t "$FSTYPE" /dev/vda /mnt
	must e4c-key add /mnt 7
	reader=$(setting reader reader)
	[ "$2" = mixed ] && memory=memory
	check "$2, seed $3, $5: the load runs" e4c-crash-load run "${session[@]}" /mnt/d "$reader" "$memory"
	must umount /mnt
	must e4c-crash-load end "${session[@]}"
}

load_module
# Write back early and often: what a crash can show is decided there.
echo 10 >/proc/sys/vm/dirty_writeback_centisecs
echo 30 >/proc/sys/vm/dirty_expire_centisecs
number=0
for session in $(setting sessions mixed:1:150:plain | tr , ' '); do
	IFS=: read -r workload seed ops shape <<<"$session"
	record "$number" "$workload" "$seed" "$ops" "$shape"
	number=$((number + 1))
done
finish
