// SPDX-License-Identifier: GPL-2.0-only
/*
 * The head of an inode: one MAC over the size, the state and the newest tags of a
 * file, over the state of a directory, over the target of a link. Computed in one
 * place, where the inode is written, from what is then in memory; checked in one
 * place, when the keys of the inode are made ready.
 *
 * Nothing is computed anew unless the old head was checked in this life of the inode,
 * or the inode was made in it: else moving a file would lend authenticity to a
 * state that somebody wrote to the disk.
 */
#include "e4c.h"
#include <crypto/blake2s.h>
#include <crypto/utils.h>

/* What every MAC begins with. */
void e4c_mac_inode_fill(struct e4c_mac_inode *mac, struct inode *inode, u8 domain)
{
	BUILD_BUG_ON(sizeof(*mac) != 56);
	BUILD_BUG_ON(sizeof(struct e4c_mac_head) != 48);
	*mac = (struct e4c_mac_inode){
		.magic = { 'E', '4', 'C', '2' },
		.revision = E4C_FORMAT_REVISION,
		.domain = domain,
		.type = inode->i_mode >> 12,
		.inode = cpu_to_le64(inode->i_ino),
	};
	if (EXT4_I(inode)->i_e4c.kind == E4C_ATTRIBUTE_FULL)
		mac->context = EXT4_I(inode)->i_e4c.c.context;
}

/* What the head would be if the number of @inode were @number. */
static void head_mac(struct inode *inode, struct e4c_info *info, loff_t size, u64 number,
		     u8 out[E4C_MAC_SIZE])
{
	struct e4c_mac_head head = {
		.state = EXT4_I(inode)->i_e4c.c.state,
		.size = cpu_to_le64(size),
	};
	struct e4c_mac_inode mac;
	struct blake2s_state blake;

	if (e4c_form(le32_to_cpu(head.state)) != E4C_FORM_EMPTY)
		head.top = info->top;
	e4c_mac_inode_fill(&mac, inode, E4C_DOMAIN_HEAD);
	mac.inode = cpu_to_le64(number);
	blake2s_init_key(&blake, E4C_MAC_SIZE, info->head_key, sizeof(info->head_key));
	blake2s_update(&blake, (u8 *)&mac, sizeof(mac));
	blake2s_update(&blake, (u8 *)&head, sizeof(head));
	if (S_ISLNK(inode->i_mode))
		blake2s_update(&blake, info->target, info->target_len);
	blake2s_final(&blake, out);
}

/*
 * The inode is being written with this @size (0: not a file): bring the head in
 * memory up to date. Under i_raw_lock.
 */
void e4c_head_update(struct inode *inode, loff_t size)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	struct e4c_info *info = READ_ONCE(state->info);

	if (!state->head_known || !info || (!state->head_stale && state->head_size == size))
		return;
	/* A new link is written before it has a target, too. */
	if (S_ISLNK(inode->i_mode) && !info->target)
		return;
	head_mac(inode, info, size, inode->i_ino, state->c.head);
	state->head_stale = false;
	state->head_size = size;
}

/* Read the target of the link @inode as stored. 0 or -errno. */
static int target_read(struct inode *inode, struct e4c_info *info)
{
	unsigned int len = inode->i_size;
	struct buffer_head *bh = NULL;
	const void *from = EXT4_I(inode)->i_data;

	if (inode->i_size <= 0 || inode->i_size > inode->i_sb->s_blocksize)
		return e4c_report_inode(inode, "the size of the link is damaged");
	if (!ext4_inode_is_fast_symlink(inode)) {
		bh = ext4_bread(NULL, inode, 0, 0);
		if (IS_ERR(bh))
			return PTR_ERR(bh);
		if (!bh)
			return e4c_report_inode(inode, "the link has no target");
		from = bh->b_data;
	} else if (len > sizeof(EXT4_I(inode)->i_data)) {
		return e4c_report_inode(inode, "the size of the link is damaged");
	}
	info->target = kmemdup(from, len, GFP_NOFS);
	info->target_len = len;
	brelse(bh);
	return info->target ? 0 : -ENOMEM;
}

/*
 * Hook where a new link has got its target, @target as stored, in the handle that makes
 * it; the inode is marked dirty after it. 0 or -ENOMEM.
 */
int e4c_target_set(struct inode *inode, const void *target, unsigned int len)
{
	struct e4c_info *info = e4c_info(inode);
	u8 *copy;

	if (!IS_ENCRYPTED(inode) || WARN_ON_ONCE(!info))
		return 0;
	copy = kmemdup(target, len, GFP_NOFS);
	if (!copy)
		return -ENOMEM;
	spin_lock(&EXT4_I(inode)->i_raw_lock);
	info->target_len = len;
	info->target = copy;
	EXT4_I(inode)->i_e4c.head_stale = true;
	spin_unlock(&EXT4_I(inode)->i_raw_lock);
	return 0;
}

/*
 * Hook where the target of an encrypted link is read: the copy that was checked, of @len
 * bytes. NULL: there is no key, and what fscrypt then makes of the stored target says
 * nothing. ERR_PTR: -EUCLEAN (reported), -errno.
 */
const void *e4c_link_target(struct inode *inode, unsigned int *len)
{
	int err = e4c_attribute_check(inode);

	if (!err)
		err = e4c_keys_require(inode);
	if (err)
		return err == -ENOKEY ? NULL : ERR_PTR(err);
	*len = e4c_info(inode)->target_len;
	return e4c_info(inode)->target;
}

/*
 * Hook in stat of an encrypted link, whose target could not be had for @err: one that is
 * not authentic can be looked at, and deleted. 0 or @err.
 */
int e4c_link_stat(int err)
{
	return err == -EFSCORRUPTED || err == -EINVAL || err == -EOPNOTSUPP ? 0 : err;
}

/*
 * Read what the head of @inode is over besides the inode: the top block, or the target of a
 * link, into @info, its keys, not yet seen by anybody else. 0, -EUCLEAN, -EIO, -ENOMEM.
 */
int e4c_head_load(struct inode *inode, struct e4c_info *info)
{
	if (S_ISLNK(inode->i_mode))
		return target_read(inode, info);
	if (e4c_form(e4c_state(inode)) == E4C_FORM_TREE)
		return e4c_top_load(inode, info);
	return 0;
}

/* Is the head that of what was loaded, with this @size, under this @number? */
bool e4c_head_matches(struct inode *inode, struct e4c_info *info, loff_t size, u64 number)
{
	u8 head[E4C_MAC_SIZE];

	head_mac(inode, info, size, number, head);
	return !crypto_memneq(head, EXT4_I(inode)->i_e4c.c.head, sizeof(head));
}

/*
 * Is the head of @inode that of what is on the disk, with this @size? As e4c_head_load();
 * -EUCLEAN also: it is not (reported).
 */
int e4c_head_check(struct inode *inode, struct e4c_info *info, loff_t size)
{
	int err = e4c_head_load(inode, info);

	if (err)
		return err;
	if (!e4c_head_matches(inode, info, size, inode->i_ino))
		return e4c_report_inode(inode, "the head does not match: size, form, tags or target are not the newest, or not this inode's");
	return 0;
}
