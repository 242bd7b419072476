// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing blocks: hole punching, zeroing, truncation. ext4 removes a range in
 * several transactions; here each piece that is removed is small enough to take
 * its slots along in the same one: a part of one extent within one group.
 *
 * A linked inode of ours is never on the orphan list, because stock e2fsck and
 * a stock mount would truncate it at i_size and with it the whole tag area.
 * Truncation needs no second try instead: it removes from the right, and the
 * size on disk follows the edge, so a crash leaves a shorter, consistent file.
 */
#include "e4c.h"

/*
 * Credits of one piece. ext4_ext_remove_space() must never restart the handle
 * within a piece: so the worst case of a split of the extent, of its removal,
 * and the tag block, its predecessor and the inode.
 */
static int piece_credits(struct inode *inode)
{
	/* ext4_ext_rm_leaf() counts the groups of the whole extent. */
	int groups = 1 + EXT_INIT_MAX_LEN / EXT4_BLOCKS_PER_GROUP(inode->i_sb);

	return ext4_chunk_trans_blocks(inode, 1) + 7 + 2 * groups + EXT4_MAX_EXTENT_DEPTH + 1 +
	       EXT4_MAXQUOTAS_TRANS_BLOCKS(inode->i_sb) + 3 + e4c_zero_credits(inode);
}

static int piece_revokes(struct inode *inode)
{
	return ext4_free_metadata_revoke_credits(inode->i_sb, EXT4_MAX_EXTENT_DEPTH) +
	       E4C_GROUP_SLOTS;
}

/* Between pieces the handle may be restarted: the invariant holds there. */
static int piece_begin(handle_t *handle, struct inode *inode)
{
	int err = ext4_journal_ensure_credits_fn(handle, piece_credits(inode),
						 piece_credits(inode), piece_revokes(inode), 0);

	return err < 0 ? err : 0;
}

/*
 * Remove the pages of @piece, a part of one extent within one group. The groups
 * above @keep go next, so that one of them need not be authentic.
 */
static int piece_remove(struct e4c_op *op, handle_t *handle, struct inode *inode,
			const struct e4c_extent *piece, s64 keep)
{
	u32 first = piece->first, count = piece->len, last = first + count - 1;
	u32 g = e4c_page_group(last);
	struct buffer_head *bh = NULL;
	int err = 0, err2 = 0;
	bool gone;

	if (piece->written) {
		bh = e4c_group_get(inode, g);
		if (IS_ERR(bh))
			return PTR_ERR(bh);
		/* Without its group the block was unreadable, but it can go. */
		if (bh)
			err = e4c_group_open(op, handle, inode, g, bh);
		/* Freeing it would take it from the journal while it is open. */
		if (bh && !err && e4c_covers(piece->pblk, count, bh->b_blocknr))
			err = e4c_report_page(inode, first, "its block is its tag block");
		if (err && g > keep && !is_handle_aborted(handle)) {
			brelse(bh);
			bh = NULL;
			err = 0;
		}
		if (err)
			goto out;
	}
	err = e4c_blocks_remove(handle, inode, first, last, &gone);
	if (gone && bh) {
		lock_buffer(bh);
		e4c_slots_clear(bh, first, count);
		err2 = e4c_group_close(op, handle, inode, g, bh);
	}
	err = err ? err : err2;
out:
	brelse(bh);
	return err;
}

/*
 * The last piece of a mapped extent in pages @first .. @end - 1.
 * 1: found, 0: none is left, -errno.
 */
static int piece_find(struct inode *inode, u32 first, u32 end, struct e4c_extent *piece)
{
	u32 last, start;
	int ret;

	if (first >= end)
		return 0;
	ret = e4c_extent_before(inode, end - 1, piece);
	if (ret <= 0)
		return ret;
	if (piece->first + piece->len <= first)
		return 0;
	last = piece->first + piece->len - 1;
	start = max3(first, piece->first, e4c_group_first_page(e4c_page_group(last)));
	piece->pblk += start - piece->first;
	piece->first = start;
	piece->len = last - start + 1;
	return 1;
}

static void preallocations_discard(struct inode *inode)
{
	down_write(&EXT4_I(inode)->i_data_sem);
	ext4_discard_preallocations(inode);
	up_write(&EXT4_I(inode)->i_data_sem);
}

/* Drop delayed blocks, which have no extent yet, of pages @first .. @end - 1. */
static void forget_delayed(struct inode *inode, u32 first, u32 end)
{
	down_write(&EXT4_I(inode)->i_data_sem);
	ext4_es_remove_extent(inode, first, end - first);
	up_write(&EXT4_I(inode)->i_data_sem);
}

static int range_remove(handle_t *handle, struct inode *inode, u32 first, u32 end)
{
	struct e4c_extent piece;
	struct e4c_op *op;
	u32 edge = end;
	int ret;

	if (!e4c_info(inode))
		return -ENOKEY;
	if (first >= end)
		return 0;
	op = e4c_op_alloc(e4c_info(inode));
	preallocations_discard(inode);
	for (;;) {
		ret = piece_begin(handle, inode);
		if (!ret)
			ret = piece_find(inode, first, edge, &piece);
		if (ret <= 0)
			break;
		ret = piece_remove(op, handle, inode, &piece, E4C_GROUPS);
		if (ret)
			break;
		edge = piece.first;
	}
	if (!ret)
		forget_delayed(inode, first, end);
	e4c_op_free(op);
	return ret;
}

/*
 * Hook in hole punching, for the whole blocks @first .. @end - 1.
 * 1: done; 0: not our inode; -errno.
 */
int e4c_punch(handle_t *handle, struct inode *inode, ext4_lblk_t first, ext4_lblk_t end)
{
	int err;

	if (!e4c_inode(inode))
		return 0;
	err = range_remove(handle, inode, first, end);
	return err ? err : 1;
}

/*
 * Hook in FALLOC_FL_ZERO_RANGE, before the blocks are allocated: remove what is
 * there. Marking written blocks unwritten in place, as ext4 does, would let new
 * data reach a block before the transaction that took its tag away commits.
 */
int e4c_zero_range(struct inode *inode, ext4_lblk_t first, ext4_lblk_t count)
{
	handle_t *handle;
	int err, err2;

	if (!e4c_inode(inode))
		return 0;
	handle = ext4_journal_start_with_revoke(inode, EXT4_HT_TRUNCATE, piece_credits(inode),
						piece_revokes(inode));
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	err = range_remove(handle, inode, first, first + count);
	err2 = ext4_mark_inode_dirty(handle, inode);
	ext4_update_inode_fsync_trans(handle, inode, 1);
	ext4_journal_stop(handle);
	return err ? err : err2;
}

/* Hook in ext4_orphan_add(): stay off the list? */
bool e4c_keeps_orphan(struct inode *inode)
{
	return e4c_inode(inode) && inode->i_nlink;
}

/*
 * Hook in setattr: the size on disk for a new size @size. While blocks past it
 * are still there the old, larger one stays.
 */
loff_t e4c_disksize(struct inode *inode, loff_t size)
{
	return e4c_inode(inode) ? max(EXT4_I(inode)->i_disksize, size) : size;
}

static int disksize_set(handle_t *handle, struct inode *inode, loff_t size)
{
	if (EXT4_I(inode)->i_disksize == size)
		return 0;
	down_write(&EXT4_I(inode)->i_data_sem);
	EXT4_I(inode)->i_disksize = size;
	up_write(&EXT4_I(inode)->i_data_sem);
	return ext4_mark_inode_dirty(handle, inode);
}

/* One step of truncation to @first pages. 1: more to do, 0: done, -errno. */
static int truncate_step(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 first)
{
	struct e4c_extent piece, top;
	s64 keep = first ? e4c_page_group(first - 1) : -1;
	int ret, more;

	more = piece_find(inode, first, E4C_MAX_PAGES, &piece);
	if (more < 0)
		return more;
	/* Groups above all data that is left go first. */
	ret = e4c_group_before(inode, E4C_GROUPS - 1, &top);
	if (ret < 0)
		return ret;
	if (ret) {
		u32 g = top.first - E4C_TAG_LBLK;

		if (g > keep && (!more || g > e4c_page_group(piece.first))) {
			ret = e4c_group_drop(op, handle, inode, g, keep);
			return ret ? ret : 1;
		}
	}
	if (!more)
		return 0;
	ret = piece_remove(op, handle, inode, &piece, keep);
	if (!ret)
		ret = disksize_set(handle, inode,
				   clamp_t(loff_t, (loff_t)piece.first << PAGE_SHIFT,
					   inode->i_size, EXT4_I(inode)->i_disksize));
	return ret ? ret : 1;
}

/*
 * Hook in ext4_truncate(): remove all blocks past i_size and the groups that
 * only they needed. i_disksize has kept its old value so far.
 * 1: done; 0: not for us (the inode is being deleted as a whole); -errno.
 */
int e4c_truncate(handle_t *handle, struct inode *inode)
{
	u32 first = DIV_ROUND_UP_ULL(inode->i_size, PAGE_SIZE);
	u32 groups = first ? e4c_page_group(first - 1) + 1 : 0;
	struct e4c_op *op;
	int ret;

	if (!e4c_inode(inode) || (!inode->i_nlink && !inode->i_size))
		return 0;
	if (!e4c_info(inode)) {
		/* Only a forged orphan list brings us here. */
		ext4_warning_inode(inode, "a linked encrypted file is on the orphan list: left as it is");
		return 1;
	}
	op = e4c_op_alloc(e4c_info(inode));
	preallocations_discard(inode);
	do {
		ret = piece_begin(handle, inode);
		if (!ret)
			ret = truncate_step(op, handle, inode, first);
	} while (ret > 0);
	e4c_op_free(op);
	forget_delayed(inode, first, E4C_MAX_PAGES);
	forget_delayed(inode, E4C_TAG_LBLK + groups, E4C_TAG_LBLK_END);
	/* The rest of the last page becomes zero together with the final size. */
	if (!ret && (inode->i_size & (PAGE_SIZE - 1)))
		ret = ext4_zero_partial_blocks(handle, inode, inode->i_size,
					       PAGE_SIZE - (inode->i_size & (PAGE_SIZE - 1)));
	if (ret) {
		/* What could not be removed stays part of the file. */
		if (EXT4_I(inode)->i_disksize > inode->i_size)
			i_size_write(inode, EXT4_I(inode)->i_disksize);
		return ret;
	}
	ret = disksize_set(handle, inode, inode->i_size);
	if (ret)
		return ret;
	ext4_update_inode_fsync_trans(handle, inode, 1);
	if (IS_SYNC(inode))
		ext4_handle_sync(handle);
	return 1;
}
