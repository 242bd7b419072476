// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our own ioctls: include/ext4crypt/uapi.h.
 */
#include "e4c.h"
#include "uapi.h"
#include <linux/uaccess.h>

/* Copy the slots of pages @first .. @first + @count - 1 to @to, as on disk. */
static int slots_copy(struct inode *inode, u32 first, u32 count, struct e4c_slot __user *to)
{
	struct e4c_op *op = e4c_op_alloc(e4c_info(inode));
	struct e4c_tag_block *block = kmalloc(sizeof(*block), GFP_KERNEL | __GFP_NOFAIL);
	struct buffer_head *bh;
	int err = 0;

	while (count && !err) {
		u32 g = e4c_page_group(first), slot = e4c_page_slot(first);
		u32 n = min(count, E4C_GROUP_SLOTS - slot);

		/* A group comes into existence in steps. */
		mutex_lock(&e4c_info(inode)->group_lock);
		bh = e4c_group_get(inode, g);
		if (IS_ERR(bh))
			err = PTR_ERR(bh);
		else if (bh)
			err = e4c_group_copy(op, inode, g, bh, block);
		else
			memset(block, 0, sizeof(*block));
		mutex_unlock(&e4c_info(inode)->group_lock);
		if (!IS_ERR_OR_NULL(bh))
			brelse(bh);
		if (!err && copy_to_user(to, &block->slot[slot], n * sizeof(*to)))
			err = -EFAULT;
		first += n;
		to += n;
		count -= n;
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	kfree(block);
	e4c_op_free(op);
	return err;
}

static long get_tags(struct file *filp, struct e4c_get_tags __user *uarg)
{
	struct inode *inode = file_inode(filp);
	struct e4c_get_tags arg;

	if (!(filp->f_mode & FMODE_READ))
		return -EBADF;
	if (!e4c_inode(inode))
		return -EOPNOTSUPP;
	if (!e4c_info(inode))
		return -ENOKEY;
	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.reserved || arg.first_page >= E4C_MAX_PAGES ||
	    arg.count > E4C_MAX_PAGES - arg.first_page)
		return -EINVAL;
	return slots_copy(inode, arg.first_page, arg.count, u64_to_user_ptr(arg.slots));
}

/* Hook for ioctls that ext4 does not know. */
long e4c_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case E4C_IOC_GET_TAGS:
		return get_tags(filp, (void __user *)arg);
	case E4C_IOC_SET_PER_USER:
		return e4c_per_user_set(filp, (void __user *)arg);
	case E4C_IOC_GET_PER_USER:
		return e4c_per_user_get(filp, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}
