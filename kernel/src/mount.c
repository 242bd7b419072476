// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mount must be for the invariant to hold. Anything else is refused,
 * before the journal is replayed, with one sentence in the kernel log.
 */
#include "e4c.h"
#include <linux/blkdev.h>

#define INODE_SIZE_MIN 256
/* What an inode must have beyond its fixed fields: the attribute with its header and its end. */
#define INODE_ATTRIBUTES_MIN 96

static bool extra_isize_ok(struct super_block *sb, unsigned int wanted)
{
	return wanted + EXT4_GOOD_OLD_INODE_SIZE + INODE_ATTRIBUTES_MIN <= EXT4_INODE_SIZE(sb);
}

/* At mount; later on the flag stands there because it is mounted. */
static bool read_only_crashed(struct super_block *sb)
{
	return !sb->s_root && bdev_read_only(sb->s_bdev) &&
	       ext4_has_feature_journal_needs_recovery(sb);
}

/* Why this mount cannot be, and what to do; NULL if it can. */
static const char *mount_refusal(struct super_block *sb)
{
	struct ext4_sb_info *sbi = EXT4_SB(sb);
	unsigned long data = test_opt(sb, DATA_FLAGS);

	if (sb->s_blocksize != E4C_BLOCK_SIZE || PAGE_SIZE != E4C_BLOCK_SIZE)
		return "block size and page size must be 4096: make the file system with mkfs.ext4 -b 4096";
	if (EXT4_INODE_SIZE(sb) < INODE_SIZE_MIN)
		return "inodes have no room for authentication: make the file system with mkfs.ext4 -I 256";
	if (!extra_isize_ok(sb, sbi->s_want_extra_isize))
		return "too little of each inode is left for authentication: mount without debug_want_extra_isize, or clear the superblock's with debugfs -w -R 'set_super_value want_extra_isize 32'";
	if (!ext4_has_feature_encrypt(sb))
		return "the encrypt feature is off, and without it encrypted directories pass for plain ones: if you know why it is off, switch it on with tune2fs -O encrypt; if it was on, somebody has changed the disk";
	if (!ext4_has_feature_journal(sb))
		return "there is no journal: add one with tune2fs -O has_journal";
	if (sbi->s_es->s_journal_dev || !sbi->s_es->s_journal_inum)
		return "the journal is on another device: make it internal with tune2fs -O ^has_journal, then tune2fs -O has_journal";
	if (!ext4_has_feature_extents(sb))
		return "files have no extents: make the file system with mkfs.ext4 -O extents";
	if (!ext4_has_feature_large_file(sb))
		return "sizes on disk are larger than 2 GiB: switch large files on with tune2fs -O large_file";
	if (ext4_has_feature_bigalloc(sb))
		return "bigalloc is not supported: make the file system with mkfs.ext4 -O ^bigalloc";
	if (read_only_crashed(sb))
		return "the journal must be replayed, and the device is read-only: make it writable (blockdev --setrw), mount a copy, or read it with ext4crypt volume";
	if (test_opt(sb, NOLOAD))
		return "the journal must be replayed: mount without noload (norecovery)";
	if (data && data != EXT4_MOUNT_ORDERED_DATA)
		return "only data=ordered is supported: mount without another data= option, and clear a default one with tune2fs -o";
	if (test_opt(sb, JOURNAL_ASYNC_COMMIT))
		return "journal_async_commit is not supported: mount without it";
	if (!test_opt(sb, BARRIER))
		return "write barriers are needed: mount without nobarrier (barrier=0)";
	if (sb->s_flags & SB_INLINECRYPT)
		return "inline encryption has no authentication: mount without inlinecrypt";
	if (test_opt(sb, DAX_ALWAYS))
		return "dax is not supported: mount without dax";
	if (sbi->s_dummy_enc_policy.policy)
		return "test_dummy_encryption is not supported: mount without it";
	return NULL;
}

static int refuse(struct super_block *sb, const char *why)
{
	ext4_msg(sb, KERN_ERR, "ext4crypt cannot mount this: %s", why);
	return -EINVAL;
}

/*
 * Hook where options are checked before they take effect: of this one a refused
 * remount would leave the new value. 0 or -EINVAL.
 */
int e4c_extra_isize_check(struct super_block *sb, unsigned int wanted)
{
	/* Of smaller inodes e4c_mount_check() tells what is wrong with them. */
	if (EXT4_INODE_SIZE(sb) < INODE_SIZE_MIN || extra_isize_ok(sb, wanted))
		return 0;
	return refuse(sb, "debug_want_extra_isize leaves too little of each inode for authentication: mount without it");
}

/*
 * Hook in mount and remount, after the options are known and before the journal
 * is loaded. 0, or -EINVAL with a line in the log.
 */
int e4c_mount_check(struct super_block *sb)
{
	const char *why = mount_refusal(sb);

	if (why)
		return refuse(sb, why);
	/* Said, not left to ext4, which takes data=journal for a journal of the first version. */
	if (!test_opt(sb, DATA_FLAGS)) {
		set_opt(sb, ORDERED_DATA);
		EXT4_SB(sb)->s_def_mount_opt |= EXT4_MOUNT_ORDERED_DATA;
	}
	/* Fast commits would log changes of extents without their slots. */
	clear_opt2(sb, JOURNAL_FAST_COMMIT);
	/* Not again in a remount. */
	if (!EXT4_SB(sb)->s_e4c.nodes.next) {
		spin_lock_init(&EXT4_SB(sb)->s_e4c.nodes_lock);
		INIT_LIST_HEAD(&EXT4_SB(sb)->s_e4c.nodes);
		e4c_record_init(sb);
	}
	/* Keeps every ext4 operation on file ranges out of the tag area. */
	sb->s_maxbytes = min_t(loff_t, sb->s_maxbytes, (loff_t)E4C_MAX_PAGES << PAGE_SHIFT);
	return 0;
}
