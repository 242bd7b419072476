// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tag blocks: finding, reading, creating and dropping them, and the only place
 * where a slot or the chain of groups changes.
 *
 * A tag block lives in the block device's buffer cache and is written through
 * the journal only, so the cached buffer is always the newest version.
 * Its seal is verified at each use; nothing is trusted for having been verified
 * before, because the buffer may have been dropped and read again meanwhile.
 */
#include "e4c.h"
#include <linux/buffer_head.h>

/*
 * The last extent of @inode that begins at or before @lblk, cut to end at
 * @lblk. 1: found, 0: none, -errno.
 */
int e4c_extent_before(struct inode *inode, ext4_lblk_t lblk, struct e4c_extent *ext)
{
	struct ext4_ext_path *path;
	struct ext4_extent *ex;
	int found = 0;

	down_read(&EXT4_I(inode)->i_data_sem);
	path = ext4_find_extent(inode, lblk, NULL, 0);
	if (IS_ERR(path)) {
		found = PTR_ERR(path);
		goto out;
	}
	ex = path[path->p_depth].p_ext;
	if (ex && le32_to_cpu(ex->ee_block) <= lblk) {
		ext->first = le32_to_cpu(ex->ee_block);
		ext->len = min_t(u32, ext4_ext_get_actual_len(ex), lblk - ext->first + 1);
		ext->pblk = ext4_ext_pblock(ex);
		ext->written = !ext4_ext_is_unwritten(ex);
		found = 1;
	}
	ext4_free_ext_path(path);
out:
	up_read(&EXT4_I(inode)->i_data_sem);
	return found;
}

/*
 * The highest group that exists and is not above @g, as one block in @at.
 * 1: found, 0: none (or @g < 0), -errno.
 */
int e4c_group_before(struct inode *inode, s64 g, struct e4c_extent *at)
{
	int ret;

	if (g < 0)
		return 0;
	ret = e4c_extent_before(inode, E4C_TAG_LBLK + g, at);
	if (ret <= 0)
		return ret;
	if (at->first + at->len <= E4C_TAG_LBLK)
		return 0;
	if (at->written)
		return e4c_report_group(inode, at->first - E4C_TAG_LBLK, "its extent is written");
	at->pblk += at->len - 1;
	at->first += at->len - 1;
	at->len = 1;
	return 1;
}

/*
 * The buffer of tag block @g with its read started: wait with e4c_group_wait().
 * NULL: the group does not exist; ERR_PTR.
 */
struct buffer_head *e4c_group_get(struct inode *inode, u32 g)
{
	struct ext4_map_blocks map = { .m_lblk = E4C_TAG_LBLK + g, .m_len = 1 };
	struct buffer_head *bh;
	int ret;

	ret = ext4_map_blocks(NULL, inode, &map, 0);
	if (ret < 0)
		return ERR_PTR(ret);
	if (map.m_flags & EXT4_MAP_MAPPED)
		return ERR_PTR(e4c_report_group(inode, g, "its extent is written"));
	if (!ret || !(map.m_flags & EXT4_MAP_UNWRITTEN))
		return NULL;
	bh = sb_getblk(inode->i_sb, map.m_pblk);
	if (!bh)
		return ERR_PTR(-EIO);	/* no such block; memory it would wait for */
	ext4_read_bh_lock(bh, REQ_META | REQ_PRIO, false);
	return bh;
}

/* Wait for the read that e4c_group_get() started. 0 or -EIO. */
int e4c_group_wait(struct buffer_head *bh)
{
	wait_on_buffer(bh);
	if (buffer_uptodate(bh))
		return 0;
	/* A read without waiting can be skipped when the buffer was locked. */
	return ext4_read_bh_lock(bh, REQ_META | REQ_PRIO, true);
}

static bool slot_is_zero(const struct e4c_slot *slot)
{
	return !memchr_inv(slot, 0, sizeof(*slot));
}

/*
 * Read and verify tag block @g and copy it to @out: what a reader works with,
 * so that writers of the same group are not held up. 0, -EIO (reported).
 */
int e4c_group_copy(struct e4c_op *op, struct inode *inode, u32 g, struct buffer_head *bh,
		   struct e4c_tag_block *out)
{
	int err = e4c_group_wait(bh);

	if (err)
		return err;
	lock_buffer(bh);
	memcpy(out, bh->b_data, sizeof(*out));
	unlock_buffer(bh);
	err = e4c_group_verify(op, g, out);
	if (err == -EBADMSG)
		return e4c_report_group(inode, g, "the group seal does not verify");
	return err;
}

/*
 * The highest group that exists below @g is authentic and says which group
 * follows. 1: @next is that group, or E4C_GROUPS if there is none; 0: no group
 * exists below @g; -EIO (reported), -errno. group_lock is held.
 */
static int group_next_of_lower(struct e4c_op *op, struct inode *inode, u32 g, u32 *next,
			       struct e4c_tag_block *scratch)
{
	struct e4c_extent at;
	struct buffer_head *bh;
	u32 pred;
	int ret;

	ret = e4c_group_before(inode, (s64)g - 1, &at);
	if (ret <= 0)
		return ret;
	pred = at.first - E4C_TAG_LBLK;
	bh = e4c_group_get(inode, pred);
	if (IS_ERR_OR_NULL(bh))
		return bh ? PTR_ERR(bh) : -EIO;
	ret = e4c_group_copy(op, inode, pred, bh, scratch);
	brelse(bh);
	if (ret)
		return ret;
	*next = e4c_seal_next(scratch);
	if (!*next)
		*next = E4C_GROUPS;
	return 1;
}

/*
 * That group @g does not exist is authentic if its predecessor in the chain
 * says so. @next: the next group that does, E4C_GROUPS if none. A file without
 * any group has no authenticated data at all. group_lock is held.
 */
static int group_check_absent(struct e4c_op *op, struct inode *inode, u32 g, u32 *next,
			      struct e4c_tag_block *scratch)
{
	struct e4c_extent at;
	int ret = group_next_of_lower(op, inode, g, next, scratch);

	if (ret < 0)
		return ret;
	if (!ret) {
		/* Nothing below: then nothing may be above either. */
		ret = e4c_group_before(inode, E4C_GROUPS - 1, &at);
		if (ret > 0)
			return e4c_report_group(inode, 0, "it is missing");
		*next = E4C_GROUPS;
		return ret;
	}
	if (*next <= g)
		return e4c_report_group(inode, *next, "it is missing");
	return 0;
}

/*
 * A slot of @page is in use though its block was seen as a hole. Without the
 * page lock, writeback may have filled the hole meanwhile: then all is well,
 * because an extent is converted before its slot is set.
 */
static int check_still_hole(struct inode *inode, u32 page)
{
	struct ext4_map_blocks map = { .m_lblk = page, .m_len = 1 };
	int ret = ext4_map_blocks(NULL, inode, &map, 0);

	if (ret < 0)
		return ret;
	if (map.m_flags & EXT4_MAP_MAPPED)
		return 0;
	return e4c_report_page(inode, page, "a valid slot over a hole");
}

/*
 * Pages @first .. @end - 1 are holes or unwritten on disk: is that authentic?
 * Blocks are neither punched nor truncated meanwhile: the caller holds i_rwsem
 * or the lock of the page. Takes group_lock, since a group comes into existence
 * in steps. 0, -EIO (reported), -errno.
 */
int e4c_pages_check_absent(struct e4c_op *op, struct inode *inode, u32 first, u32 end)
{
	struct e4c_tag_block *block = kmalloc(sizeof(*block), GFP_NOFS | __GFP_NOFAIL);
	struct e4c_info *info = e4c_info(inode);
	int err = 0;

	while (first < end && !err) {
		u32 g = e4c_page_group(first), next = g + 1;
		u32 stop = min(end, e4c_group_first_page(next));
		struct buffer_head *bh;

		mutex_lock(&info->group_lock);
		bh = e4c_group_get(inode, g);
		if (IS_ERR(bh))
			err = PTR_ERR(bh);
		else if (!bh)
			err = group_check_absent(op, inode, g, &next, block);
		else
			err = e4c_group_copy(op, inode, g, bh, block);
		mutex_unlock(&info->group_lock);
		for (; bh && !err && first < stop; first++)
			if (!slot_is_zero(&block->slot[e4c_page_slot(first)]))
				err = check_still_hole(inode, first);
		if (!IS_ERR_OR_NULL(bh))
			brelse(bh);
		if (next >= E4C_GROUPS)
			break;
		first = max(first, e4c_group_first_page(next));
	}
	kfree(block);
	return err;
}

/*
 * Begin to change slots of group @g in @handle: get write access and verify the
 * seal, so that a change never lends authenticity to a forged block. Nothing
 * has changed when this fails. Needs one credit.
 */
int e4c_group_open(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g,
		   struct buffer_head *bh)
{
	int err = e4c_group_wait(bh);

	if (err)
		return err;
	err = ext4_journal_get_write_access(handle, inode->i_sb, bh, EXT4_JTR_NONE);
	if (err)
		return err;
	lock_buffer(bh);
	err = e4c_group_verify(op, g, e4c_tag_block(bh));
	unlock_buffer(bh);
	if (err == -EBADMSG)
		return e4c_report_group(inode, g, "the group seal does not verify");
	return err;
}

/*
 * Check in an opened group that @count slots from that of @page on are in
 * @state: the invariant before the change. 0 or -EIO (reported).
 */
int e4c_slots_expect(struct inode *inode, u32 g, struct buffer_head *bh, u32 page, u32 count,
		     u32 state)
{
	const struct e4c_slot *slot = &e4c_tag_block(bh)->slot[e4c_page_slot(page)];

	for (; count; count--, page++, slot++) {
		if (le32_to_cpu(slot->info) == state &&
		    (state != E4C_STATE_ABSENT || slot_is_zero(slot)))
			continue;
		return e4c_report_page(inode, page, state == E4C_STATE_ABSENT ?
				       "a valid slot over a hole" :
				       "a written block without a valid slot");
	}
	return 0;
}

/* In an opened group, with its buffer locked. */
void e4c_slot_set(struct buffer_head *bh, u32 page, const struct e4c_slot *slot)
{
	e4c_tag_block(bh)->slot[e4c_page_slot(page)] = *slot;
}

/* In an opened group, with its buffer locked; all @count pages are in it. */
void e4c_slots_clear(struct buffer_head *bh, u32 page, u32 count)
{
	memset(&e4c_tag_block(bh)->slot[e4c_page_slot(page)], 0, count * sizeof(struct e4c_slot));
}

/*
 * End the change of group @g: seal, unlock the buffer, hand it to the journal.
 * There is no way back from here: the extents have changed already. Sealing
 * fails only if the crypto driver is broken; then the journal must not commit.
 */
int e4c_group_close(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g,
		    struct buffer_head *bh)
{
	int err = e4c_group_seal(op, g, e4c_tag_block(bh));

	unlock_buffer(bh);
	if (WARN_ON_ONCE(err)) {
		jbd2_journal_abort(EXT4_JOURNAL(inode), err);
		return err;
	}
	return ext4_handle_dirty_metadata(handle, NULL, bh);
}

/* Change the chain: group @g is now followed by @next. */
static int group_set_next(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g,
			  struct buffer_head *bh, u32 next)
{
	lock_buffer(bh);
	e4c_tag_block(bh)->seal.info = cpu_to_le32(next);
	return e4c_group_close(op, handle, inode, g, bh);
}

/*
 * Write the first version of tag block @g at @pblk. The buffer is cleared even
 * if uptodate: a reader of the raw device may have left an old copy there.
 */
static int group_init(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g,
		      ext4_fsblk_t pblk, u32 next)
{
	struct buffer_head *bh = sb_getblk(inode->i_sb, pblk);
	int err;

	if (!bh)
		return -EIO;
	lock_buffer(bh);
	err = ext4_journal_get_create_access(handle, inode->i_sb, bh, EXT4_JTR_NONE);
	if (err) {
		unlock_buffer(bh);
		goto out;
	}
	memset(bh->b_data, 0, E4C_BLOCK_SIZE);
	e4c_tag_block(bh)->seal.info = cpu_to_le32(next);
	set_buffer_uptodate(bh);
	err = e4c_group_close(op, handle, inode, g, bh);
out:
	brelse(bh);
	return err;
}

/*
 * Allocate groups from @g on, at most @count of them, in one run of blocks, and
 * put them into the chain. The predecessor is verified before anything changes.
 * Returns how many were made (>= 1), -errno. Needs the credits of one
 * allocation, @count and one.
 */
static int groups_create(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g,
			 u32 count)
{
	struct ext4_map_blocks map = { .m_lblk = E4C_TAG_LBLK + g, .m_len = count };
	struct buffer_head *pred_bh = NULL;
	struct e4c_extent at;
	u32 pred = 0, next = 0, i;
	int ret;

	ret = e4c_group_before(inode, (s64)g - 1, &at);
	if (ret < 0)
		return ret;
	if (ret) {
		pred = at.first - E4C_TAG_LBLK;
		pred_bh = e4c_group_get(inode, pred);
		if (IS_ERR_OR_NULL(pred_bh))
			return pred_bh ? PTR_ERR(pred_bh) : -EIO;
		ret = e4c_group_open(op, handle, inode, pred, pred_bh);
		if (ret)
			goto out;
		next = e4c_seal_next(e4c_tag_block(pred_bh));
		if (next && next < g + count) {
			ret = e4c_report_group(inode, next, "it is missing");
			goto out;
		}
	}
	ret = ext4_map_blocks(handle, inode, &map, EXT4_GET_BLOCKS_CREATE_UNWRIT_EXT |
			      EXT4_GET_BLOCKS_METADATA_NOFAIL | EXT4_GET_BLOCKS_NO_NORMALIZE);
	if (ret <= 0) {
		ret = ret ? ret : -ENOSPC;
		goto out;
	}
	count = map.m_len;
	for (i = count; i--;) {
		ret = group_init(op, handle, inode, g + i, map.m_pblk + i,
				 i == count - 1 ? next : g + i + 1);
		if (ret)
			goto out;
	}
	if (pred_bh)
		ret = group_set_next(op, handle, inode, pred, pred_bh, g);
out:
	brelse(pred_bh);
	return ret < 0 ? ret : count;
}

/*
 * Make sure that groups from @g on exist, at most @count of them. Returns how
 * many do from @g on; 0: one would have to be allocated, but *@runs is used up;
 * -errno.
 */
static int groups_ensure(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g,
			 u32 count, int *runs)
{
	struct ext4_map_blocks map = { .m_lblk = E4C_TAG_LBLK + g, .m_len = count };
	int ret;

	ret = ext4_map_blocks(NULL, inode, &map, 0);
	if (ret < 0)
		return ret;
	if (map.m_flags & EXT4_MAP_MAPPED)
		return e4c_report_group(inode, g, "its extent is written");
	if (map.m_flags & EXT4_MAP_UNWRITTEN)
		return map.m_len;
	if (!*runs)
		return 0;
	--*runs;
	return groups_create(op, handle, inode, g, min_t(u32, count, map.m_len));
}

/*
 * Hook before blocks are allocated or converted for @lblk .. @lblk + *@len - 1:
 * make their groups exist. Shortens *@len to the pages whose groups do, when
 * that takes more than the two allocations that e4c_prepare_credits() pays.
 * 0 or -errno.
 */
int e4c_groups_prepare(handle_t *handle, struct inode *inode, ext4_lblk_t lblk, unsigned int *len)
{
	struct e4c_info *info = e4c_info(inode);
	u32 first, g, last;
	struct e4c_op *op;
	int runs = 2, ret;

	if (!e4c_inode(inode))
		return 0;
	if (WARN_ON_ONCE(!info))
		return -ENOKEY;
	*len = min_t(unsigned int, *len, E4C_IO_PAGES);
	g = first = e4c_page_group(lblk);
	last = e4c_page_group(lblk + *len - 1);

	op = e4c_op_alloc(info);
	mutex_lock(&info->group_lock);
	/* Group 0 exists whenever any does. */
	ret = groups_ensure(op, handle, inode, 0, 1, &runs);
	while (ret > 0 && g <= last) {
		ret = groups_ensure(op, handle, inode, g, last - g + 1, &runs);
		if (ret > 0)
			g += ret;
	}
	mutex_unlock(&info->group_lock);
	e4c_op_free(op);
	if (g == first)
		return ret < 0 ? ret : -ENOSPC;
	if (g <= last)
		*len = e4c_group_first_page(g) - lblk;
	return 0;
}

/*
 * Remove the blocks @first .. @last, a part of one extent, within @handle as it
 * is. When they are gone ext4 goes on to the leaf before them, and may fail there:
 * @gone says how it is. So that leaf is read first, while nothing has changed. Where
 * it cannot be known the journal is aborted, since extents and slots must not part.
 * 0 or -errno; not @gone in an aborted handle.
 */
int e4c_blocks_remove(handle_t *handle, struct inode *inode, ext4_lblk_t first,
		      ext4_lblk_t last, bool *gone)
{
	tid_t tid = handle->h_transaction->t_tid;
	struct e4c_extent before;
	int err, lost = 0;

	*gone = false;
	err = first ? e4c_extent_before(inode, first - 1, &before) : 0;
	if (err < 0)
		return err;
	down_write(&EXT4_I(inode)->i_data_sem);
	ext4_es_remove_extent(inode, first, last - first + 1);
	err = ext4_ext_remove_space(inode, first, last);
	*gone = !err;
	if (err && !is_handle_aborted(handle)) {
		struct ext4_ext_path *path = ext4_find_extent(inode, last, NULL,
							      EXT4_EX_NOCACHE | EXT4_EX_NOFAIL);

		if (IS_ERR(path)) {
			lost = PTR_ERR(path);
		} else {
			struct ext4_extent *ex = path[ext_depth(inode)].p_ext;

			*gone = !ex || !e4c_covers(le32_to_cpu(ex->ee_block),
						   ext4_ext_get_actual_len(ex), last);
			ext4_free_ext_path(path);
		}
	}
	if (*gone)
		ext4_es_insert_extent(inode, first, last - first + 1, ~0, EXTENT_STATUS_HOLE, 0);
	up_write(&EXT4_I(inode)->i_data_sem);
	/* Credits that were wrong: what belongs together would be in two transactions. */
	if (WARN_ON_ONCE(!handle->h_transaction || handle->h_transaction->t_tid != tid))
		lost = -EIO;
	if (lost)
		jbd2_journal_abort(EXT4_JOURNAL(inode), lost);
	if (lost || is_handle_aborted(handle)) {
		*gone = false;
		err = err ? err : -EIO;
	}
	return err;
}

/*
 * Take @g, the last group, out of the chain and free its block. Its slots are
 * all absent. The groups above @keep go next, so that one of them need not be
 * authentic any more. Needs two credits and those of freeing an extent.
 */
int e4c_group_drop(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g, s64 keep)
{
	struct e4c_info *info = e4c_info(inode);
	ext4_lblk_t lblk = E4C_TAG_LBLK + g;
	struct buffer_head *bh = NULL;
	bool unchained = false, gone;
	struct e4c_extent at;
	u32 pred = 0;
	int ret;

	mutex_lock(&info->group_lock);
	ret = e4c_group_before(inode, (s64)g - 1, &at);
	if (ret > 0) {
		pred = at.first - E4C_TAG_LBLK;
		bh = e4c_group_get(inode, pred);
		ret = IS_ERR_OR_NULL(bh) ? (bh ? PTR_ERR(bh) : -EIO) :
		      e4c_group_open(op, handle, inode, pred, bh);
		if (!ret) {
			ret = group_set_next(op, handle, inode, pred, bh, 0);
			unchained = !ret;
		} else if (pred > keep && !is_handle_aborted(handle)) {
			ret = 0;
		}
	}
	if (!ret) {
		ret = e4c_blocks_remove(handle, inode, lblk, lblk, &gone);
		/* What stays, stays in the chain. */
		if (ret && !gone && unchained && !is_handle_aborted(handle))
			group_set_next(op, handle, inode, pred, bh, g);
	}
	if (!IS_ERR_OR_NULL(bh))
		brelse(bh);
	mutex_unlock(&info->group_lock);
	return ret;
}
