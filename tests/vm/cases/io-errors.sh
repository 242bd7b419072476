# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A disk that fails: reads and writes of data, of tag blocks, of the journal. An I/O error is told as one and not as forgery, an fsync never returns for what is not
# there, no tag is set for data that was not written, and once the disk is well again every page is its old or its new version. e4c.rounds=N rounds of failures at
# random moments.
# vm: disk=96M memory=768 seconds=900
# console-allowed: EXT4-fs (error|warning|\(dm-0\))|Aborting journal|JBD2: |Buffer I/O error|I/O error, dev
. /e4c/functions.sh
. /e4c/tamper.sh
. /e4c/faults.sh

F=/mnt/d/file COMB=/mnt/d/comb
page() { e4c-io pread "${2:-$F}" $(($1 * 4096)) 4096 2>&1 | head -c 8 | tr -d "\0 "; }
put() { # put PAGE LETTERS: overwrites the first bytes of a page, and an fsync
	printf '%s' "$2" | dd of="${3:-$F}" bs=1 seek=$(($1 * 4096)) conv=notrunc,fsync 2>&1
}
again() { # unmounts, and mounts with caches empty
	must umount /mnt
	faulty_mount
	must e4c-key add /mnt 7
}
repaired() { # repaired NAME: after the journal gave up
	must umount /mnt
	healthy
	e2fsck -fy "$FAULTY" >/tmp/fsck.out 2>&1
	[ $? -le 1 ] || { not_ok "$1: e2fsck repairs"; diag /tmp/fsck.out; }
	# ext4 keeps the counts of free blocks and inodes in the super block only at a clean end, and extent trees as wide as they grew.
	# The question may stand on a line of its own, below what is wrong.
	awk '/\? yes/ { print ($0 ~ /^[A-Za-z ]+\? yes/ ? before : $0) } { before = $0 }' /tmp/fsck.out |
		grep -vE '^Free (blocks|inodes) count wrong|extent tree \(at level [0-9]+\) could be (narrower|shorter)' >/tmp/fixed
	same "$1: and finds nothing wrong but free counts" "$(cat /tmp/fixed)" ""
	volume_clean "$1: every page and group verifies" "$FAULTY"
	faulty_mount
	must e4c-key add /mnt 7
}

load_module
faulty_disk
fresh_disk "$FAULTY" -J size=4 -E packed_meta_blocks=1
faulty_mount
KEY=$(e4c-key add /mnt 7) || give_up "cannot add a key"
must mkdir /mnt/d
must e4c-key set /mnt/d "$KEY"
for p in $(seq 0 299); do printf 'old-%03d%4089s' "$p" ''; done >/tmp/original
cp /tmp/original $F
: >/mnt/d/prepared
must e4c-io fallocate /mnt/d/prepared alloc 0 1228800
# So many extents that its tree has two leaves.
for p in $(seq 0 2 798); do printf 'old-%03d%4089s' "$p" '' | dd of=$COMB bs=4096 seek="$p" conv=notrunc 2>/dev/null; done
sync
inode=$(stat -c %i $F)
prepared=$(stat -c %i /mnt/d/prepared)
comb=$(stat -c %i $COMB)
must umount /mnt
data=$(physical "$FAULTY" "$inode" 50)
tags=$(physical "$FAULTY" "$inode" $((TAG_LBLK + 1)))
unwritten=$(physical "$FAULTY" "$prepared" 0)
journal=$(physical "$FAULTY" 8 0)
leaf=$(debugfs -R "ex <$comb>" "$FAULTY" 2>/dev/null | awk '$1 == "0/" { print $8 }' | head -n 1)
same "a file has a tree of two leaves" "$(debugfs -R "ex <$comb>" "$FAULTY" 2>/dev/null | grep -c '^ *0/')" 2
same "the journal is in one piece" "$(physical "$FAULTY" 8 1023)" $((journal + 1023))

# --- reads ---
faulty_mount
must e4c-key add /mnt 7
faults error_reads "$data" 1
same "a page that cannot be read, and its neighbours" "$(page 49) $(page 50) $(page 51)" "old-049 pread:E old-051"
healthy
same "reads once the disk does" "$(page 50)" old-050
again
faults error_reads "$tags" 1
same "a tag block that cannot be read" "$(page 126) $(page 127) $(page 253) $(page 254)" "old-126 pread:E pread:E old-254"
refuses "nor can its pages be overwritten in part" 'Input/output' put 130 new
head -c 4096 /dev/zero | tr '\0' n | dd of=$F bs=4096 seek=131 conv=notrunc 2>/dev/null
refuses "and fsync tells of one overwritten as a whole" 'Input/output|EIO' sync $F
healthy
again
same "they are as they were" "$(page 127) $(page 130) $(page 131)" "old-127 old-130 old-131"
check "and can be overwritten" put 131 new-131
same "no I/O error was taken for forgery" "$(failures_counted)" 0

# --- the tree ---
again
faults error_reads "$leaf" 1
refuses "a hole is punched; then ext4 looks at the leaf before, which cannot be read" 'EIO|Input/output' e4c-io fallocate $COMB punch $((780 * 4096)) 4096
healthy
again
same "the page is gone, its slot too, and its neighbours are as they were" "$(page 778 $COMB) $(page 780 $COMB) $(page 782 $COMB)" "old-778  old-782"
check "and can be written again" put 780 new-780 $COMB
same "none of that was taken for forgery" "$(failures_counted)" 0

# --- writes of new data ---
faults error_writes "$unwritten" 300
refuses "new data that cannot be written" 'Input/output' dd if=/tmp/original of=/mnt/d/prepared bs=4096 conv=notrunc,fsync
same "no page has got a tag" "$(e4c-tags get /mnt/d/prepared pages 0 300 | grep -vc '^0* 0* 0*$')" 0
healthy
# What was in the cache is clean now; written again, it takes the way of new data.
head -c 409600 /tmp/original >/tmp/first
check "the same pages once the disk is well" dd if=/tmp/first of=/mnt/d/prepared bs=4096 conv=notrunc,fsync
again
same "are there" "$(page 0 /mnt/d/prepared) $(page 99 /mnt/d/prepared)" "old-000 old-099"
same "and the others are as they were: zeros" "$(page 100 /mnt/d/prepared)" ""
same "with a hundred tags" "$(e4c-tags get /mnt/d/prepared pages 0 300 | grep -vc '^0* 0* 0*$')" 100

# --- the way from the journal to its place ---
check "page 50 is overwritten" put 50 new-050
check "and one whose tag block will fail" put 126 new-126
faults error_writes "$data" 1
sync
# The block layer says now that the buffer has no valid contents; the disk has the old ones, and the log the new ones.
echo 1 >/proc/sys/vm/drop_caches
same "a page whose place cannot be written reads from the log" "$(page 50)" new-050
same "which is no forgery" "$(failures_counted)" 0
put 51 new-051 >/tmp/put.out 2>&1
repaired "a failed checkpoint"
same "a failed checkpoint: what fsync returned for is there" "$(page 50) $(page 126) $(page 131)" "new-050 new-126 new-131"
case $(page 51) in old-051 | new-051) ok "a failed checkpoint: the last page is old or new" ;; *) not_ok "page 51 is $(page 51)" ;; esac

# --- the journal itself ---
check "page 60 is overwritten" put 60 new-060
exec 7<$F
faults error_writes "$journal" 1024
refuses "a commit that fails: fsync says so" 'Input/output|Read-only|EROFS' put 61 new-061
refuses "and so does the next" 'Input/output|Read-only' put 62 new-062
refuses "nothing can be created" 'Read-only|Input/output' touch /mnt/d/other
# ext4 of 6.12 neither opens nor reads after an abort; whichever it does, nothing false.
got=$(dd bs=4096 skip=60 count=1 <&7 2>/tmp/check.out | head -c 7)
case $got in
new-060) ok "what is open reads" ;;
'') if grep -q 'Input/output' /tmp/check.out; then ok "what is open is refused with an I/O error"; else
	not_ok "what is open reads nothing and says nothing"
	diag /tmp/check.out
fi ;;
*) not_ok "page 60 reads $got" ;;
esac
exec 7<&-
same "an aborted journal is no forgery" "$(failures_counted)" 0
repaired "a failed commit"
same "a failed commit: what fsync returned for before is there" "$(page 60)" new-060
for p in 61 62; do check "a failed commit: page $p is old or new" grep -Eq "^(old|new)-0$p" <(page $p); done
check "a failed commit: and all goes on" put 61 newer

# --- at any moment ---
for round in $(seq "$(setting rounds 3)"); do
	e4c-versions write /mnt/d/versions /tmp/ledger 600 4000 "$round" lax >/tmp/versions.out 2>&1 &
	writer=$!
	sleep "0.$((round * 37 % 80 + 10))"
	case $((round % 3)) in
	0) faults error_writes $((journal + 1024)) $((24576 - journal - 1024)) ;; # past the journal
	1) faults error_writes ;;
	2) faults error_reads ;;
	esac
	sleep 0.5
	healthy
	wait $writer
	status=$?
	[ $status = 0 ] || [ $status = 3 ] || { not_ok "round $round: the writer ended with $status"; diag /tmp/versions.out; }
	same "round $round: no forgery" "$(failures_counted)" 0
	repaired "round $round"
	check "round $round: each page is a version that it may be" e4c-versions check /mnt/d/versions /tmp/ledger
done
must umount /mnt
must dmsetup remove --noudevsync disk
finish
