// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the administrator is told when something is not authentic: a
 * rate-limited line that names the inode and what of it, and an FAN_FS_ERROR event.
 */
#include "e4c.h"
#include <linux/fsnotify.h>

static DEFINE_RATELIMIT_STATE(report_limit, 5 * HZ, 20);

/*
 * After the journal gave up, memory is ahead of the disk, and what is read from there
 * does not match: that is no failed authentication.
 */
static bool counts(struct inode *inode, int err)
{
	if (is_journal_aborted(EXT4_JOURNAL(inode)))
		return false;
	e4c_count(&EXT4_SB(inode->i_sb)->s_e4c, E4C_FAILURES);
	fsnotify_sb_error(inode->i_sb, inode, err);
	return __ratelimit(&report_limit);
}

/* Report that page @page of @inode is not authentic. Returns -EIO. */
int e4c_report_page(struct inode *inode, u32 page, const char *why)
{
	if (counts(inode, -EIO))
		pr_err("ext4crypt (%s): authentication failed: inode %lu, page %u: %s\n",
		       inode->i_sb->s_id, inode->i_ino, page, why);
	return -EIO;
}

/* Report that block @index of @level of @inode's tree is not authentic. Returns -EIO. */
int e4c_report_block(struct inode *inode, unsigned int level, u32 index, const char *why)
{
	if (!counts(inode, -EIO))
		return -EIO;
	if (level)
		pr_err("ext4crypt (%s): authentication failed: inode %lu, node %u of level %u: %s\n",
		       inode->i_sb->s_id, inode->i_ino, index, level, why);
	else
		pr_err("ext4crypt (%s): authentication failed: inode %lu, tag block %u: %s\n",
		       inode->i_sb->s_id, inode->i_ino, index, why);
	return -EIO;
}

/* Report that @inode as a whole is not authentic. Returns -EUCLEAN, after an abort -EIO. */
int e4c_report_inode(struct inode *inode, const char *why)
{
	if (counts(inode, -EFSCORRUPTED))
		pr_err("ext4crypt (%s): authentication failed: inode %lu: %s\n",
		       inode->i_sb->s_id, inode->i_ino, why);
	return is_journal_aborted(EXT4_JOURNAL(inode)) ? -EIO : -EFSCORRUPTED;
}
