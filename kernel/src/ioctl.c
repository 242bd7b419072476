// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our own ioctls: include/ext4crypt/uapi.h.
 */
#include "e4c.h"
#include "uapi.h"
#include <linux/uaccess.h>

/* Copy tag block @g to @block: zeros if it does not exist. 0, -EIO, -errno. */
static int block_copy(struct e4c_op *op, struct inode *inode, u32 g, struct e4c_tag_block *block)
{
	struct e4c_node *node;

	mutex_lock(&e4c_info(inode)->tag_lock);
	node = e4c_node_get(op, inode, 0, g);
	if (!IS_ERR_OR_NULL(node))
		*block = *node->block;
	mutex_unlock(&e4c_info(inode)->tag_lock);
	if (IS_ERR(node))
		return PTR_ERR(node);
	if (node)
		e4c_node_put(node);
	else
		memset(block, 0, sizeof(*block));
	return 0;
}

/*
 * Copy the slots of pages @first .. @first + @count - 1 to @to, as on disk, or,
 * with @seals, the seals of these tag blocks.
 */
static int slots_copy(struct inode *inode, u32 first, u32 count, bool seals,
		      struct e4c_slot __user *to)
{
	struct e4c_op *op = e4c_op_alloc(e4c_info(inode));
	struct e4c_tag_block *block = kmalloc(sizeof(*block), GFP_KERNEL | __GFP_NOFAIL);
	int err = 0;

	while (count && !err) {
		u32 g = seals ? first : e4c_page_block(first);
		u32 n = seals ? 1 : min(count, E4C_BLOCK_SLOTS - e4c_page_slot(first));
		struct e4c_slot *from = seals ? &block->seal : &block->slot[e4c_page_slot(first)];

		err = block_copy(op, inode, g, block);
		if (!err && copy_to_user(to, from, n * sizeof(*to)))
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
	u32 max;

	if (!(filp->f_mode & FMODE_READ))
		return -EBADF;
	if (!e4c_inode(inode))
		return -EOPNOTSUPP;
	if (!e4c_info(inode))
		return -ENOKEY;
	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	max = arg.flags & E4C_GET_TAGS_SEALS ? E4C_LEVEL_0_BLOCKS : E4C_MAX_PAGES;
	if ((arg.flags & ~E4C_GET_TAGS_SEALS) || arg.reserved || arg.first_page >= max ||
	    arg.count > max - arg.first_page)
		return -EINVAL;
	return slots_copy(inode, arg.first_page, arg.count, arg.flags & E4C_GET_TAGS_SEALS,
			  u64_to_user_ptr(arg.slots));
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
	case E4C_IOC_SET_AEAD:
		return e4c_aead_set(filp, (void __user *)arg);
	case E4C_IOC_GET_AEAD:
		return e4c_aead_get(filp, (void __user *)arg);
	case E4C_IOC_ADOPT:
		return e4c_adopt(filp, (void __user *)arg);
	case E4C_IOC_GET_ENTRIES:
		return e4c_entries_get(filp, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}
