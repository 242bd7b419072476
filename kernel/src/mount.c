// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mount must be for the invariant to hold. Anything else is refused,
 * before the journal is replayed, with one sentence in the kernel log.
 */
#include "e4c.h"

/* Why this mount cannot be, and what to do; NULL if it can. */
static const char *mount_refusal(struct super_block *sb)
{
	struct ext4_sb_info *sbi = EXT4_SB(sb);
	unsigned long data = test_opt(sb, DATA_FLAGS);

	if (sb->s_blocksize != E4C_BLOCK_SIZE || PAGE_SIZE != E4C_BLOCK_SIZE)
		return "block size and page size must be 4096: make the file system with mkfs.ext4 -b 4096";
	if (!ext4_has_feature_journal(sb))
		return "there is no journal: add one with tune2fs -O has_journal";
	if (sbi->s_es->s_journal_dev || !sbi->s_es->s_journal_inum)
		return "the journal is on another device: make it internal with tune2fs -O ^has_journal, then tune2fs -O has_journal";
	if (!ext4_has_feature_extents(sb))
		return "files have no extents: make the file system with mkfs.ext4 -O extents";
	if (!ext4_has_feature_large_file(sb))
		return "sizes on disk are larger than 2 GiB: switch large files on with tune2fs -O large_file";
	if (EXT4_INODE_SIZE(sb) < 256)
		return "inodes have no room for authentication: make the file system with mkfs.ext4 -I 256";
	if (ext4_has_feature_bigalloc(sb))
		return "bigalloc is not supported: make the file system with mkfs.ext4 -O ^bigalloc";
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
	if (sbi->s_e4c.key.set && !ext4_has_feature_encrypt(sb))
		return "encrypt_key_sig would have no effect, for the volume was made without the encrypt feature: switch it on with tune2fs -O encrypt";
	if (sbi->s_dummy_enc_policy.policy)
		return "test_dummy_encryption is not supported: mount without it";
	return NULL;
}

/*
 * Hook in mount and remount, after the options are known and before the journal
 * is loaded. 0, or -EINVAL with a line in the log.
 */
int e4c_mount_check(struct super_block *sb)
{
	const char *why = mount_refusal(sb);

	if (why) {
		ext4_msg(sb, KERN_ERR, "ext4crypt cannot mount this: %s", why);
		return -EINVAL;
	}
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
	}
	/* Keeps every ext4 operation on file ranges out of the tag area. */
	sb->s_maxbytes = min_t(loff_t, sb->s_maxbytes, (loff_t)E4C_MAX_PAGES << PAGE_SHIFT);
	return 0;
}
