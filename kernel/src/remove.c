// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing blocks: hole punching, zeroing, truncation. ext4 removes a range in
 * several transactions; here each piece that is removed is small enough to take
 * its slots along in the same one: a part of one extent within one tag block.
 *
 * A linked inode of ours is never on the orphan list: its size on disk is biased, so
 * that stock tools would find nothing to cut off, and its head must fit what is left.
 * Truncation needs no second try instead: it removes from the right, and the
 * size on disk follows the edge, so a crash leaves a shorter, consistent file.
 */
#include "e4c.h"

/*
 * Credits of one piece. ext4_ext_remove_space() must never restart the handle
 * within a piece: so the worst case of a split of the extent, of its removal,
 * and the tag block, the nodes above it and the inode.
 */
static int piece_credits(struct inode *inode)
{
	/* ext4_ext_rm_leaf() counts the groups of the whole extent. */
	int groups = 1 + EXT_INIT_MAX_LEN / EXT4_BLOCKS_PER_GROUP(inode->i_sb);

	return ext4_chunk_trans_blocks(inode, 1) + 7 + 2 * groups + EXT4_MAX_EXTENT_DEPTH + 1 +
	       EXT4_MAXQUOTAS_TRANS_BLOCKS(inode->i_sb) + 2 + E4C_PARENTS +
	       e4c_zero_credits(inode);
}

static int piece_revokes(struct inode *inode)
{
	return ext4_free_metadata_revoke_credits(inode->i_sb, EXT4_MAX_EXTENT_DEPTH) +
	       E4C_BLOCK_SLOTS;
}

/* Between pieces the handle may be restarted: the invariant holds there. */
static int piece_begin(handle_t *handle, struct inode *inode)
{
	int err = ext4_journal_ensure_credits_fn(handle, piece_credits(inode),
						 piece_credits(inode), piece_revokes(inode), 0);

	return err < 0 ? err : 0;
}

/*
 * Touch what the removal of @piece will change. 0; -ENOENT: it has no tag block: it was
 * unreadable, but can go; -EIO (reported), -errno.
 */
static int piece_touch(struct e4c_change *change, const struct e4c_extent *piece, bool unlink)
{
	u32 g = e4c_page_block(piece->first);
	int err;

	if (unlink)
		err = e4c_change_touch_node(change, 1, g / E4C_BLOCK_SLOTS);
	else
		err = e4c_change_touch(change, piece->first);
	/* Freeing it would take it from the journal in the midst of its change. */
	if (!err && e4c_change_touches(change, piece->pblk, piece->len))
		return e4c_report_page(change->inode, piece->first, "its block is a tag block");
	return err;
}

/*
 * Remove the pages of @piece, a part of one extent within one tag block, and their slots,
 * or with @unlink the tag block, which holds no others; with @size >= 0, that becomes
 * the size on disk in the same step. @lenient: what is not authentic can go all the
 * same, since nothing of it stays.
 */
static int piece_remove(handle_t *handle, struct inode *inode, const struct e4c_extent *piece,
			bool unlink, loff_t size, bool lenient)
{
	struct e4c_change change;
	bool slots = piece->written || unlink, gone;
	int err, err2 = 0;

	err = e4c_change_begin(&change, handle, inode);
	if (err)
		return err;
	if (slots) {
		err = piece_touch(&change, piece, unlink);
		if (err == -ENOENT || (err && lenient && !is_handle_aborted(handle))) {
			slots = false;
			err = 0;
		}
	}
	if (!err)
		err = e4c_blocks_remove(handle, inode, piece->first,
					piece->first + piece->len - 1, &gone);
	if (err && !gone) {
		e4c_change_cancel(&change);
		return err;
	}
	if (size >= 0) {
		down_write(&EXT4_I(inode)->i_data_sem);
		EXT4_I(inode)->i_disksize = size;
		up_write(&EXT4_I(inode)->i_data_sem);
	}
	err2 = e4c_change_lock(&change);
	if (err2) {
		/* Extent and slot must not part. */
		jbd2_journal_abort(EXT4_JOURNAL(inode), err2);
		e4c_change_cancel(&change);
		return err2;
	}
	if (slots && unlink)
		e4c_change_unlink(&change, 0, e4c_page_block(piece->first));
	else if (slots)
		e4c_change_clear(&change, piece->first, piece->len);
	change.changed |= size >= 0;
	err2 = e4c_change_end(&change);
	return err ? err : err2;
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
	start = max3(first, piece->first, e4c_page_block(last) * E4C_BLOCK_SLOTS);
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

/*
 * Drop delayed blocks, which have no extent yet, of pages @first .. @end - 1, and the
 * reservations that they alone needed.
 */
static void forget_delayed(struct inode *inode, u32 first, u32 end)
{
	down_write(&EXT4_I(inode)->i_data_sem);
	ext4_es_remove_extent(inode, first, end - first);
	up_write(&EXT4_I(inode)->i_data_sem);
	e4c_reservations_release(inode, first, end);
}

static int range_remove(handle_t *handle, struct inode *inode, u32 first, u32 end)
{
	struct e4c_extent piece;
	u32 edge = end;
	int ret;

	if (!e4c_info(inode))
		return -ENOKEY;
	if (first >= end)
		return 0;
	preallocations_discard(inode);
	for (;;) {
		ret = piece_begin(handle, inode);
		if (!ret)
			ret = piece_find(inode, first, edge, &piece);
		if (ret <= 0)
			break;
		ret = piece_remove(handle, inode, &piece, false, -1, false);
		if (ret)
			break;
		edge = piece.first;
	}
	/* Also after an error: nothing of the range is in the page cache any more. */
	forget_delayed(inode, first, end);
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

/* Is a page of the tag block of @piece mapped below it? 1, 0, -errno. */
static int block_goes_on(struct inode *inode, const struct e4c_extent *piece)
{
	u32 start = e4c_page_block(piece->first) * E4C_BLOCK_SLOTS;
	struct e4c_extent before;
	int ret;

	if (piece->first == start)
		return 0;
	ret = e4c_extent_before(inode, piece->first - 1, &before);
	if (ret <= 0)
		return ret;
	return before.first + before.len > start;
}

/* One step of truncation to @first pages: the last piece goes. 1: one was found, 0, -errno. */
static int data_step(handle_t *handle, struct inode *inode, u32 first)
{
	struct e4c_extent piece;
	bool beyond, unlink = false;
	u32 g;
	int ret;

	ret = piece_find(inode, first, E4C_MAX_PAGES, &piece);
	if (ret <= 0)
		return ret;
	g = e4c_page_block(piece.first);
	beyond = !first || g > e4c_page_block(first - 1);
	if (beyond && g) {
		ret = block_goes_on(inode, &piece);
		if (ret < 0)
			return ret;
		unlink = !ret;
	}
	ret = piece_remove(handle, inode, &piece, unlink,
			   clamp_t(loff_t, (loff_t)piece.first << PAGE_SHIFT, inode->i_size,
				   EXT4_I(inode)->i_disksize), beyond);
	return ret ? ret : 1;
}

/*
 * Blocks @index .. @last of @level, all with one parent, cease to exist if they do. With
 * @all the whole tree does. 0 or -errno.
 */
static int blocks_unlink(handle_t *handle, struct inode *inode, unsigned int level, u32 index,
			 u32 last, bool all)
{
	u32 state = e4c_state(inode);
	struct e4c_change change;
	int err;

	lockdep_assert_held(&e4c_info(inode)->path_lock);
	if (e4c_form(state) != E4C_FORM_TREE || (!all && level >= e4c_height(state)))
		return 0;
	err = e4c_change_begin(&change, handle, inode);
	if (err)
		return err;
	if (!all)
		err = e4c_change_touch_node(&change, level + 1, index / E4C_BLOCK_SLOTS);
	if (!err)
		err = e4c_change_lock(&change);
	if (err) {
		e4c_change_cancel(&change);
		/* Without a parent they do not exist. */
		return err == -ENOENT || err == -ESTALE ? 0 : err;
	}
	if (all)
		e4c_change_empty(&change);
	for (; !all && index <= last; index++)
		if (e4c_change_exists(&change, level, index))
			e4c_change_unlink(&change, level, index);
	return e4c_change_end(&change);
}

/*
 * Free the last tag blocks or nodes that a file of @first pages does not need, a part of
 * one extent. 1: there were some, 0, -errno.
 */
static int tag_step(handle_t *handle, struct inode *inode, u32 first)
{
	struct e4c_extent at;
	unsigned int level;
	bool gone;
	int ret;

	for (level = 0; level <= E4C_MAX_HEIGHT; level++) {
		ext4_lblk_t start = e4c_lblk(level, 0);
		u32 keep = first ? e4c_index(level, first - 1) + 1 : 0, index, last;

		ret = e4c_extent_before(inode, e4c_lblk(level, e4c_level_blocks(level) - 1), &at);
		if (ret < 0)
			return ret;
		if (!ret || at.first + at.len <= start + keep)
			continue;
		last = at.first + at.len - 1 - start;
		index = max3(keep, at.first > start ? at.first - start : 0,
			     last / E4C_BLOCK_SLOTS * E4C_BLOCK_SLOTS);
		/* Writeback must not make one of them anew in between. */
		mutex_lock(&e4c_info(inode)->path_lock);
		ret = blocks_unlink(handle, inode, level, index, last, false);
		if (!ret)
			ret = e4c_blocks_remove(handle, inode, start + index, start + last, &gone);
		mutex_unlock(&e4c_info(inode)->path_lock);
		return ret ? ret : 1;
	}
	return 0;
}

/* After the pages of @first on: their tags. 0 or -errno. */
static int tags_remove(handle_t *handle, struct inode *inode, u32 first)
{
	int ret = piece_begin(handle, inode);

	if (!ret && !first) {
		mutex_lock(&e4c_info(inode)->path_lock);
		ret = blocks_unlink(handle, inode, 0, 0, 0, true);
		mutex_unlock(&e4c_info(inode)->path_lock);
	}
	while (!ret) {
		ret = piece_begin(handle, inode);
		if (!ret)
			ret = tag_step(handle, inode, first);
		if (ret <= 0)
			break;
		ret = 0;
	}
	return ret;
}

static void forget_delayed_tags(struct inode *inode, u32 first)
{
	unsigned int level;

	for (level = 0; level <= E4C_MAX_HEIGHT; level++) {
		u32 keep = first ? e4c_index(level, first - 1) + 1 : 0;

		down_write(&EXT4_I(inode)->i_data_sem);
		ext4_es_remove_extent(inode, e4c_lblk(level, keep), e4c_level_blocks(level) - keep);
		up_write(&EXT4_I(inode)->i_data_sem);
	}
}

/*
 * What could not be removed stays part of the file. The page at the new size was cut
 * in the page cache: from the disk it comes as it was, and where it was dirty
 * the zeros are what will be written.
 */
static void size_give_back(struct inode *inode)
{
	pgoff_t edge = inode->i_size >> PAGE_SHIFT;

	if (EXT4_I(inode)->i_disksize <= inode->i_size)
		return;
	i_size_write(inode, EXT4_I(inode)->i_disksize);
	invalidate_inode_pages2_range(inode->i_mapping, edge, edge);
}

/*
 * Hook in setattr, after ext4_truncate() ended with @err: it may have failed before it
 * came to us. Takes page locks, so no handle is held. Returns @err.
 */
int e4c_truncate_result(struct inode *inode, int err)
{
	if (err && e4c_inode(inode))
		size_give_back(inode);
	return err;
}

/*
 * Hook in ext4_truncate(): remove all blocks past i_size and the tag blocks that
 * only they needed. i_disksize has kept its old value so far.
 * 1: done; 0: not for us (the inode is being deleted as a whole); -errno.
 */
int e4c_truncate(handle_t *handle, struct inode *inode)
{
	u32 first = DIV_ROUND_UP_ULL(inode->i_size, PAGE_SIZE);
	int ret;

	if (!e4c_inode(inode) || (inode->i_state & I_FREEING))
		return 0;
	if (!e4c_info(inode)) {
		/* Only a forged orphan list brings us here. */
		ext4_warning_inode(inode, "a linked encrypted file is on the orphan list: left as it is");
		return 1;
	}
	preallocations_discard(inode);
	do {
		ret = piece_begin(handle, inode);
		if (!ret)
			ret = data_step(handle, inode, first);
	} while (ret > 0);
	if (!ret)
		ret = tags_remove(handle, inode, first);
	forget_delayed(inode, first, E4C_MAX_PAGES);
	forget_delayed_tags(inode, first);
	/* The rest of the last page becomes zero together with the final size. */
	if (!ret && (inode->i_size & (PAGE_SIZE - 1)))
		ret = ext4_zero_partial_blocks(handle, inode, inode->i_size,
					       PAGE_SIZE - (inode->i_size & (PAGE_SIZE - 1)));
	if (ret)
		return ret;
	ret = disksize_set(handle, inode, inode->i_size);
	if (ret)
		return ret;
	ext4_update_inode_fsync_trans(handle, inode, 1);
	if (IS_SYNC(inode))
		ext4_handle_sync(handle);
	return 1;
}
