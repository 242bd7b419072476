// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the administrator is told when something is not authentic: a
 * rate-limited line that names inode and page, and an FAN_FS_ERROR event.
 */
#include "e4c.h"
#include <linux/fsnotify.h>

static DEFINE_RATELIMIT_STATE(report_limit, 5 * HZ, 20);

static void report(struct inode *inode, const char *what, u32 number, const char *why)
{
	if (__ratelimit(&report_limit))
		pr_err("ext4crypt (%s): authentication failed: inode %lu, %s %u: %s\n",
		       inode->i_sb->s_id, inode->i_ino, what, number, why);
	e4c_count(&EXT4_SB(inode->i_sb)->s_e4c, E4C_FAILURES);
	fsnotify_sb_error(inode->i_sb, inode, -EIO);
}

/* Report that page @page of @inode is not authentic. Returns -EIO. */
int e4c_report_page(struct inode *inode, u32 page, const char *why)
{
	report(inode, "page", page, why);
	return -EIO;
}

/* Report that tag block @g of @inode is not authentic. Returns -EIO. */
int e4c_report_group(struct inode *inode, u32 g, const char *why)
{
	report(inode, "tag block", g, why);
	return -EIO;
}
