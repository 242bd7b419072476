// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tag blocks and nodes come into existence: reserved when a page is dirtied, so that
 * quota and ENOSPC reach the writer; mapped by fallocate, which writes nothing; made
 * right before writeback needs them.
 *
 * They are made from the top down, each step in a handle of its own that leaves a valid
 * tree, and without page locks: all steps at once would need more credits than a small
 * journal has. So writeback gives up its handle and its pages when it meets a page
 * without a tag block (-EAGAIN from e4c_tree_check()), has the path made, and goes on.
 */
#include "e4c.h"
#include <linux/buffer_head.h>

/* Tag blocks that are made in one handle, at most. */
#define RUN 64

/* ---- reservation -------------------------------------------------------------------- */

static bool is_delayed(struct inode *inode, ext4_lblk_t first, ext4_lblk_t last)
{
	return ext4_es_scan_range(inode, &ext4_es_is_delayed, first, last);
}

static bool level_is_delayed(struct inode *inode, unsigned int level)
{
	return is_delayed(inode, e4c_lblk(level, 0),
			  e4c_lblk(level, e4c_level_blocks(level) - 1));
}

/* The highest level with a block that is reserved but not yet made. */
static unsigned int delayed_height(struct inode *inode)
{
	unsigned int level = E4C_MAX_HEIGHT;

	while (level && !level_is_delayed(inode, level))
		level--;
	return level;
}

/* The height that the tree of @inode has or will have once @page is written. */
static unsigned int height_with(struct inode *inode, u32 page)
{
	u32 state = e4c_state(inode);
	unsigned int height = max(e4c_height_for(page), delayed_height(inode));

	return e4c_form(state) == E4C_FORM_TREE ? max(height, e4c_height(state)) : height;
}

static int block_reserve(struct inode *inode, unsigned int level, u32 index)
{
	struct buffer_head bh = { .b_size = E4C_BLOCK_SIZE };

	return ext4_da_get_block_prep(inode, e4c_lblk(level, index), &bh, 1);
}

/*
 * Hook where a buffered write or a page fault gets its block: reserve the tag block of
 * the page as a delayed block, and what the tree lacks above it, the tag block last, so
 * that its reservation says that all is there. Takes no handle.
 */
int e4c_tag_reserve(struct inode *inode, ext4_lblk_t lblk)
{
	unsigned int height, level;
	struct extent_status es;
	bool spine;
	int err = 0;

	if (!e4c_inode(inode) || lblk >= E4C_MAX_PAGES)
		return 0;
	if (!e4c_info(inode))
		return -ENOKEY;
	if (ext4_es_lookup_extent(inode, e4c_lblk(0, e4c_page_block(lblk)), NULL, &es) &&
	    !ext4_es_is_hole(&es))
		return 0;
	height = height_with(inode, lblk);
	/* A tree that is or will be lower grows along the blocks 0 of the levels. */
	spine = e4c_form(e4c_state(inode)) == E4C_FORM_TREE || level_is_delayed(inode, 0);
	for (level = height; level && !err; level--) {
		err = block_reserve(inode, level, e4c_index(level, lblk));
		if (!err && spine)
			err = block_reserve(inode, level, 0);
	}
	return err ? err : block_reserve(inode, 0, e4c_page_block(lblk));
}

static void reservation_drop(struct inode *inode, ext4_lblk_t lblk)
{
	down_write(&EXT4_I(inode)->i_data_sem);
	ext4_es_remove_extent(inode, lblk, 1);
	up_write(&EXT4_I(inode)->i_data_sem);
}

/* Is a block reserved that needs block @index of @level above it? */
static bool block_is_awaited(struct inode *inode, unsigned int level, u32 index)
{
	u64 first = (u64)index * E4C_BLOCK_SLOTS, last = first + E4C_BLOCK_SLOTS - 1;

	if (!level)
		return is_delayed(inode, first, min_t(u64, last, E4C_MAX_PAGES - 1));
	/* The tree may grow along blocks 0, whatever page is awaited. */
	if (!index)
		return is_delayed(inode, 0, E4C_MAX_PAGES - 1);
	last = min_t(u64, last, e4c_level_blocks(level - 1) - 1);
	return is_delayed(inode, e4c_lblk(level - 1, first), e4c_lblk(level - 1, last));
}

/*
 * Pages @first .. @end - 1 are not delayed any more, and will not be written: give back
 * the reservations of tag blocks and nodes that only they needed.
 */
void e4c_reservations_release(struct inode *inode, u32 first, u32 end)
{
	unsigned int level;

	for (level = 0; first < end && level <= E4C_MAX_HEIGHT; level++) {
		ext4_lblk_t lblk = e4c_lblk(level, e4c_index(level, first));
		ext4_lblk_t last = e4c_lblk(level, e4c_index(level, end - 1));
		struct extent_status es;

		while (lblk <= last) {
			ext4_es_find_extent_range(inode, &ext4_es_is_delayed, lblk, last, &es);
			if (!es.es_len || es.es_lblk > last)
				break;
			lblk = max(lblk, es.es_lblk);
			if (!block_is_awaited(inode, level, lblk - e4c_lblk(level, 0)))
				reservation_drop(inode, lblk);
			lblk++;
		}
	}
}

/* ---- preallocation ---------------------------------------------------------------------- */

/* Map blocks @index .. @last of @level; nothing is written, for mapped is not existing. */
static int level_map(struct inode *inode, unsigned int level, u32 index, u32 last)
{
	int retries = 0, err, err2;

	while (index <= last) {
		struct ext4_map_blocks map = {
			.m_lblk = e4c_lblk(level, index),
			.m_len = min_t(u32, last - index + 1, EXT_UNWRITTEN_MAX_LEN),
		};
		handle_t *handle = ext4_journal_start(inode, EXT4_HT_MAP_BLOCKS,
						      ext4_chunk_trans_blocks(inode, map.m_len));

		if (IS_ERR(handle))
			return PTR_ERR(handle);
		err = ext4_map_blocks(handle, inode, &map, EXT4_GET_BLOCKS_CREATE_UNWRIT_EXT |
				      EXT4_GET_BLOCKS_NO_NORMALIZE);
		if (err > 0)
			index += err;
		err2 = ext4_mark_inode_dirty(handle, inode);
		ext4_journal_stop(handle);
		if (err > 0)
			retries = 0;
		else if (err != -ENOSPC || !ext4_should_retry_alloc(inode->i_sb, &retries))
			return err ? err : -ENOSPC;
		if (err2)
			return err2;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/*
 * Hook before blocks are preallocated: map what the tags of pages @first .. @first +
 * @count - 1 will need, so that writing them never lacks space. 0 or -errno.
 */
int e4c_tags_preallocate(struct inode *inode, ext4_lblk_t first, ext4_lblk_t count)
{
	unsigned int level;
	u32 last = first + count - 1;
	int err = 0;

	if (!e4c_inode(inode) || !count)
		return 0;
	for (level = height_with(inode, last); level && !err; level--) {
		err = level_map(inode, level, 0, 0);
		if (!err)
			err = level_map(inode, level, e4c_index(level, first),
					e4c_index(level, last));
	}
	return err ? err : level_map(inode, 0, e4c_page_block(first), e4c_page_block(last));
}

/* ---- making ------------------------------------------------------------------------------ */

/* Create those of the blocks of @map, which are @index and on, that do not exist. */
static int blocks_create(struct e4c_change *change, unsigned int level, u32 index,
			 const struct ext4_map_blocks *map)
{
	bool fresh = map->m_flags & EXT4_MAP_NEW;
	u32 i, state = e4c_state(change->inode);
	int err;

	if (e4c_form(state) != E4C_FORM_TREE)
		return index ? -EAGAIN : e4c_change_create(change, level, 0, map->m_pblk, fresh);
	if (level > e4c_height(state))
		return index || level != e4c_height(state) + 1 ? -EAGAIN :
		       e4c_change_create(change, level, 0, map->m_pblk, fresh);
	for (i = 0; i < map->m_len; i++) {
		if (e4c_change_exists(change, level, index + i))
			continue;
		err = e4c_change_create(change, level, index + i, map->m_pblk + i, fresh);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Map @count blocks of @level from @index on, all with one parent, as many as are to be had
 * in one run, and make them exist. path_lock is held, so that truncation does not free
 * them in between. 0; -EAGAIN: the tree has changed meanwhile; -errno.
 */
static int blocks_make(handle_t *handle, struct inode *inode, unsigned int level, u32 index,
		       u32 count)
{
	struct ext4_map_blocks map = { .m_lblk = e4c_lblk(level, index), .m_len = count };
	u32 state = e4c_state(inode);
	struct e4c_change change;
	int err, err2;

	lockdep_assert_held(&e4c_info(inode)->path_lock);
	err = ext4_map_blocks(handle, inode, &map, EXT4_GET_BLOCKS_CREATE_UNWRIT_EXT |
			      EXT4_GET_BLOCKS_METADATA_NOFAIL | EXT4_GET_BLOCKS_NO_NORMALIZE);
	if (err <= 0)
		return err ? err : -ENOSPC;
	if (!(map.m_flags & EXT4_MAP_UNWRITTEN))
		return e4c_report_block(inode, level, index, "its extent is written");
	err = e4c_change_begin(&change, handle, inode);
	if (err)
		return err;
	if (e4c_form(state) == E4C_FORM_TREE && level < e4c_height(state))
		err = e4c_change_touch_node(&change, level + 1, index / E4C_BLOCK_SLOTS);
	if (!err)
		err = e4c_change_lock(&change);
	if (err) {
		e4c_change_cancel(&change);
		return err == -ENOENT || err == -ESTALE ? -EAGAIN : err;
	}
	err = blocks_create(&change, level, index, &map);
	err2 = e4c_change_end(&change);
	return err ? err : err2;
}

/* A page past the end is not written any more. */
static bool is_past_end(struct inode *inode, u32 page)
{
	return page >= DIV_ROUND_UP_ULL(i_size_read(inode), PAGE_SIZE);
}

/* For the path of @page. 0, also if it is past the end by now; -EAGAIN, -errno. */
static int blocks_make_in_handle(struct inode *inode, u32 page, unsigned int level, u32 index,
				 u32 count)
{
	int credits = ext4_chunk_trans_blocks(inode, count) + count + E4C_PARENTS + 2;
	int retries = 0, err, err2;
	handle_t *handle;

	do {
		handle = ext4_journal_start(inode, EXT4_HT_MAP_BLOCKS, credits);
		if (IS_ERR(handle))
			return PTR_ERR(handle);
		mutex_lock(&e4c_info(inode)->path_lock);
		err = is_past_end(inode, page) ? 0 : blocks_make(handle, inode, level, index, count);
		mutex_unlock(&e4c_info(inode)->path_lock);
		err2 = ext4_journal_stop(handle);
	} while (err == -ENOSPC && ext4_should_retry_alloc(inode->i_sb, &retries));
	return err ? err : err2;
}

/* Does block @index of @level exist? 1, 0, -EIO (reported), -errno. */
static int block_exists(struct inode *inode, unsigned int level, u32 index)
{
	struct e4c_info *info = e4c_info(inode);
	struct e4c_node *node = e4c_node_peek(info, level, index);
	struct e4c_op *op;

	if (!node) {
		op = e4c_op_alloc(info);
		mutex_lock(&info->tag_lock);
		node = e4c_node_get(op, inode, level, index);
		mutex_unlock(&info->tag_lock);
		e4c_op_free(op);
	}
	if (IS_ERR_OR_NULL(node))
		return node ? PTR_ERR(node) : 0;
	e4c_node_put(node);
	return 1;
}

/* How many tag blocks from @g on can be made at once: those that are reserved, too. */
static u32 run_length(struct inode *inode, u32 g)
{
	u32 max = min(RUN, E4C_BLOCK_SLOTS - g % E4C_BLOCK_SLOTS);
	struct extent_status es;

	if (!ext4_es_lookup_extent(inode, e4c_lblk(0, g), NULL, &es) || !ext4_es_is_delayed(&es))
		return 1;
	return min(max, es.es_len - (e4c_lblk(0, g) - es.es_lblk));
}

/* The next step on the way to the tag block of @page. 1: more to do; 0: it exists. */
static int path_step(struct inode *inode, u32 page)
{
	u32 state = e4c_state(inode);
	unsigned int level;
	int ret;

	if (e4c_form(state) != E4C_FORM_TREE) {
		ret = blocks_make_in_handle(inode, page, height_with(inode, page), 0, 1);
		return ret ? ret : 1;
	}
	if (e4c_height(state) < e4c_height_for(page)) {
		ret = blocks_make_in_handle(inode, page, e4c_height(state) + 1, 0, 1);
		return ret ? ret : 1;
	}
	for (level = e4c_height(state); level--;) {
		u32 index = e4c_index(level, page);

		ret = block_exists(inode, level, index);
		if (ret < 0)
			return ret;
		if (ret)
			continue;
		ret = blocks_make_in_handle(inode, page, level, index,
					    level ? 1 : run_length(inode, index));
		return ret ? ret : 1;
	}
	return 0;
}

/*
 * Make the tag block of @page, and those after it that are reserved. Takes handles of its
 * own: neither handle nor page lock may be held. 0 or -errno.
 */
int e4c_path_make(struct inode *inode, u32 page)
{
	int steps = 0, ret;

	do {
		if (is_past_end(inode, page))
			return 0;
		ret = path_step(inode, page);
		if (ret == -EAGAIN)
			ret = 1;
		if (ret > 0 && ++steps > 1000)
			return -EIO;
	} while (ret > 0);
	return ret;
}

/*
 * Hook in writeback, before there are handle and pages: make what is reserved for a start.
 * Where that fails, e4c_tree_check() finds out for each page.
 */
void e4c_writepages_begin(struct inode *inode, pgoff_t first, pgoff_t last)
{
	struct extent_status es;
	ext4_lblk_t lblk;

	if (!e4c_inode(inode) || first >= E4C_MAX_PAGES || !e4c_info(inode))
		return;
	last = min_t(pgoff_t, last, E4C_MAX_PAGES - 1);
	lblk = e4c_lblk(0, e4c_page_block(first));
	ext4_es_find_extent_range(inode, &ext4_es_is_delayed, lblk,
				  e4c_lblk(0, e4c_page_block(last)), &es);
	if (!es.es_len)
		return;
	lblk = max(lblk, es.es_lblk);
	e4c_path_make(inode, max_t(u32, first, (lblk - e4c_lblk(0, 0)) * E4C_BLOCK_SLOTS));
}

/*
 * Hook before blocks are allocated or converted for pages @lblk .. @lblk + *@len - 1 in
 * writeback: do their tag blocks exist? Shortens *@len to those that do. 0; -EAGAIN:
 * not that of the first, which e4c_path_wanted() will make; -errno.
 */
int e4c_tree_check(struct inode *inode, ext4_lblk_t lblk, unsigned int *len)
{
	struct e4c_info *info = e4c_info(inode);
	u32 g, first, last;
	int ret = 1;

	if (!e4c_inode(inode))
		return 0;
	if (WARN_ON_ONCE(!info))
		return -ENOKEY;
	*len = min_t(unsigned int, *len, E4C_IO_PAGES);
	first = e4c_page_block(lblk);
	last = e4c_page_block(lblk + *len - 1);
	for (g = first; g <= last; g++) {
		ret = block_exists(inode, 0, g);
		if (ret <= 0)
			break;
	}
	if (g > last)
		return 0;
	if (g > first) {
		*len = g * E4C_BLOCK_SLOTS - lblk;
		return 0;
	}
	if (ret < 0)
		return ret;
	if (cmpxchg(&info->unmakeable, BIT_ULL(32) | lblk, 0) == (BIT_ULL(32) | lblk))
		return -EIO;
	WRITE_ONCE(info->wanted, lblk);
	return -EAGAIN;
}

/*
 * Hook where writeback has given up handle and pages for that. 0; -ENOMEM, -ENOSPC: the
 * pages stay dirty. Another error is for that page alone, which is given up when
 * e4c_tree_check() meets it again, so that the other pages are written.
 */
int e4c_path_wanted(struct inode *inode)
{
	struct e4c_info *info = e4c_info(inode);
	u32 page = READ_ONCE(info->wanted);
	int err = e4c_path_make(inode, page);

	if (!err || err == -ENOMEM || err == -ENOSPC || is_journal_aborted(EXT4_JOURNAL(inode)))
		return err;
	WRITE_ONCE(info->unmakeable, BIT_ULL(32) | page);
	return 0;
}
