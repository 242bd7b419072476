// SPDX-License-Identifier: GPL-2.0-only
/*
 * A change of the tree: the only place where a slot, a seal, the top or the form of
 * a file changes. A change belongs to one handle:
 *
 *   e4c_change_begin()    the inode can be written in this handle
 *   e4c_change_touch()    so can the tag block of a page and all nodes above it, which are
 *                         authentic; nothing has changed yet, and all of it may fail
 *   e4c_change_lock()     from here on nobody else changes or reads blocks of the tree
 *   e4c_change_set() ...  slots change in the private copies
 *   e4c_change_end()      all seals up to the top are made anew; what has changed is copied
 *                         whole into the journal's buffers; the head follows with the inode
 *
 * After the first changed slot there is no way back: a failure aborts the journal before
 * the handle ends, so that no part of a change is ever committed. The handle must
 * not be restarted between begin and end.
 */
#include "e4c.h"
#include <linux/buffer_head.h>

struct touched {
	struct list_head list;	/* in e4c_change.touched of its level */
	struct e4c_node *node;	/* with a reference */
	struct buffer_head *bh;	/* can be written in the handle */
	bool dirty;		/* a slot of it has changed */
};

static struct touched *touched_find(struct e4c_change *change, unsigned int level, u32 index)
{
	struct touched *t;

	list_for_each_entry(t, &change->touched[level], list)
		if (t->node->index == index)
			return t;
	return NULL;
}

static void touched_add(struct e4c_change *change, struct e4c_node *node, struct buffer_head *bh,
			bool dirty)
{
	struct touched *t = kmalloc(sizeof(*t), GFP_NOFS | __GFP_NOFAIL);

	refcount_inc(&node->ref);
	*t = (struct touched){ .node = node, .bh = bh, .dirty = dirty };
	/* The newest first: consecutive pages find their block at once. */
	list_add(&t->list, &change->touched[node->level]);
	change->count++;
}

/*
 * Begin a change of @inode in @handle. Needs the credit of the inode. 0 or -errno; then
 * there is nothing to end or cancel.
 */
int e4c_change_begin(struct e4c_change *change, handle_t *handle, struct inode *inode)
{
	int level, err;

	*change = (struct e4c_change){ .inode = inode, .handle = handle };
	for (level = 0; level <= E4C_MAX_HEIGHT; level++)
		INIT_LIST_HEAD(&change->touched[level]);
	err = ext4_reserve_inode_write(handle, inode, &change->iloc);
	if (!err)
		change->op = e4c_op_alloc(e4c_info(inode));
	return err;
}

static void touched_free(struct touched *t)
{
	brelse(t->bh);
	e4c_node_put(t->node);
	kfree(t);
}

static void change_free(struct e4c_change *change)
{
	struct touched *t, *next;
	int level;

	for (level = 0; level <= E4C_MAX_HEIGHT; level++) {
		list_for_each_entry_safe(t, next, &change->touched[level], list)
			touched_free(t);
	}
	e4c_op_free(change->op);
}

/* End a change that was not locked, or in which nothing has changed. */
void e4c_change_cancel(struct e4c_change *change)
{
	if (change->locked)
		mutex_unlock(&e4c_info(change->inode)->tag_lock);
	brelse(change->iloc.bh);
	change_free(change);
}

/*
 * Get write access to the buffer of @node. The buffer may have been dropped since the
 * block was read: then it gets the private copy, which is what the disk has. tag_lock
 * is held. 0 or -errno.
 */
static int node_touch(struct e4c_change *change, struct e4c_node *node)
{
	struct super_block *sb = change->inode->i_sb;
	struct buffer_head *bh;
	int err;

	if (touched_find(change, node->level, node->index))
		return 0;
	bh = sb_getblk(sb, node->pblk);
	if (!bh)
		return -EIO;
	if (!buffer_uptodate(bh)) {
		lock_buffer(bh);
		if (!buffer_uptodate(bh)) {
			memcpy(bh->b_data, node->block, sizeof(*node->block));
			set_buffer_uptodate(bh);
		}
		unlock_buffer(bh);
	}
	err = ext4_journal_get_write_access(change->handle, sb, bh, EXT4_JTR_NONE);
	if (err)
		brelse(bh);
	else
		touched_add(change, node, bh, false);
	return err;
}

static int node_touch_upwards(struct e4c_change *change, struct e4c_node *node)
{
	int err = 0;

	for (; node && !err; node = node->parent)
		err = node_touch(change, node);
	return err;
}

/*
 * The block @index of @level will change. Takes one credit for each block that is not
 * touched yet, at e4c_change_end(). 0; -ENOENT: the block does not exist; -EIO
 * (reported), -errno.
 */
int e4c_change_touch_node(struct e4c_change *change, unsigned int level, u32 index)
{
	struct e4c_info *info = e4c_info(change->inode);
	struct e4c_node *node;
	int err;

	if (touched_find(change, level, index))
		return 0;
	mutex_lock(&info->tag_lock);
	node = e4c_node_get(change->op, change->inode, level, index);
	if (IS_ERR_OR_NULL(node)) {
		err = node ? PTR_ERR(node) : -ENOENT;
	} else {
		err = node_touch_upwards(change, node);
		e4c_node_put(node);
	}
	mutex_unlock(&info->tag_lock);
	return err;
}

/* The slot of @page will change. As e4c_change_touch_node(). */
int e4c_change_touch(struct e4c_change *change, u32 page)
{
	return e4c_change_touch_node(change, 0, e4c_page_block(page));
}

/* The slot of @page, whose tag block is touched, as it is now. */
struct e4c_slot *e4c_change_slot(struct e4c_change *change, u32 page)
{
	struct touched *t = touched_find(change, 0, e4c_page_block(page));

	return &t->node->block->slot[e4c_page_slot(page)];
}

/* Does one of the touched blocks stand in the @len blocks from @pblk on? */
bool e4c_change_touches(struct e4c_change *change, ext4_fsblk_t pblk, unsigned int len)
{
	struct touched *t;
	int level;

	for (level = 0; level <= E4C_MAX_HEIGHT; level++)
		list_for_each_entry(t, &change->touched[level], list)
			if (e4c_covers(pblk, len, t->bh->b_blocknr))
				return true;
	return false;
}

/*
 * Lock the tree for the changes that follow. If it has grown meanwhile, its new nodes
 * above those touched are touched as well. A block that has ceased to exist is not
 * touched any more: nobody who holds its pages lets that happen. 0 or -errno: not locked.
 */
int e4c_change_lock(struct e4c_change *change)
{
	struct e4c_info *info = e4c_info(change->inode);
	struct touched *t, *next;
	int level, err = 0;

	mutex_lock(&info->tag_lock);
	for (level = 0; level <= E4C_MAX_HEIGHT && !err; level++) {
		list_for_each_entry_safe(t, next, &change->touched[level], list) {
			if (!e4c_node_cached(t->node)) {
				list_del(&t->list);
				touched_free(t);
			} else if (t->node->parent) {
				err = node_touch(change, t->node->parent);
			}
			if (err)
				break;
		}
	}
	if (err)
		mutex_unlock(&info->tag_lock);
	else
		change->locked = true;
	return err;
}

static void assert_locked(struct e4c_change *change)
{
	lockdep_assert_held(&e4c_info(change->inode)->tag_lock);
}

static void touched_change(struct e4c_change *change, struct touched *t)
{
	assert_locked(change);
	t->dirty = true;
	change->changed = true;
}

/* In a locked change whose tag block is touched: the page has this slot. */
void e4c_change_set(struct e4c_change *change, u32 page, const struct e4c_slot *slot)
{
	struct touched *t = touched_find(change, 0, e4c_page_block(page));

	assert_locked(change);
	change->changed = true;
	if (WARN_ON_ONCE(!t)) {
		change->failed = true;
		return;
	}
	t->node->block->slot[e4c_page_slot(page)] = *slot;
	touched_change(change, t);
}

/* Likewise: @count pages from @page on, all of one tag block, have none. */
void e4c_change_clear(struct e4c_change *change, u32 page, u32 count)
{
	struct touched *t = touched_find(change, 0, e4c_page_block(page));

	if (!t)
		return;
	memset(&t->node->block->slot[e4c_page_slot(page)], 0, count * sizeof(struct e4c_slot));
	touched_change(change, t);
}

/* ---- blocks come and go ---------------------------------------------------------------- */

/*
 * A buffer for a new block at @pblk, cleared even if uptodate: a reader of the raw device
 * may have left an old copy there. A block that is not @fresh from the allocator may be
 * in the journal, because it existed before, or because a forged extent names a
 * block that is metadata: that must not be taken for checked any longer. ERR_PTR.
 */
static struct buffer_head *new_buffer(struct e4c_change *change, ext4_fsblk_t pblk, bool fresh)
{
	struct super_block *sb = change->inode->i_sb;
	struct buffer_head *bh = sb_getblk(sb, pblk);
	int err = 0;

	if (!bh)
		return ERR_PTR(-EIO);
	lock_buffer(bh);
	clear_buffer_verified(bh);
	if (fresh) {
		err = ext4_journal_get_create_access(change->handle, sb, bh, EXT4_JTR_NONE);
	} else {
		if (!buffer_uptodate(bh)) {
			memset(bh->b_data, 0, E4C_BLOCK_SIZE);
			set_buffer_uptodate(bh);
		}
		unlock_buffer(bh);
		err = ext4_journal_get_write_access(change->handle, sb, bh, EXT4_JTR_NONE);
		lock_buffer(bh);
	}
	if (!err) {
		memset(bh->b_data, 0, E4C_BLOCK_SIZE);
		set_buffer_uptodate(bh);
	}
	unlock_buffer(bh);
	if (err) {
		brelse(bh);
		return ERR_PTR(err);
	}
	return bh;
}

static void form_set(struct inode *inode, unsigned int form, unsigned int height)
{
	e4c_state_set(inode, E4C_STATE_FORM_MASK | E4C_STATE_HEIGHT_MASK,
		      form | height << E4C_STATE_HEIGHT_SHIFT);
}

/*
 * In a locked change: block @index of @level, at @pblk (@fresh: just allocated), comes into existence, all its slots
 * zero. Its parent is touched; or it becomes the top, of a file without a tree, or
 * one level above the old top. Takes one credit. 0 or -errno: nothing has changed.
 */
int e4c_change_create(struct e4c_change *change, unsigned int level, u32 index,
		      ext4_fsblk_t pblk, bool fresh)
{
	struct inode *inode = change->inode;
	struct e4c_info *info = e4c_info(inode);
	struct touched *above = level < E4C_MAX_HEIGHT ?
				touched_find(change, level + 1, index / E4C_BLOCK_SLOTS) : NULL;
	bool grows = !above && e4c_form(e4c_state(inode)) == E4C_FORM_TREE;
	struct buffer_head *bh = new_buffer(change, pblk, fresh);
	struct e4c_tag_block *block;
	struct e4c_node *node, *old = NULL;

	assert_locked(change);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	block = kzalloc(sizeof(*block), GFP_NOFS | __GFP_NOFAIL);
	if (grows) {
		block->slot[0] = info->top;
		old = e4c_node_peek(info, level - 1, 0);
	}
	node = e4c_node_add(info, level, index, pblk, block, above ? above->node : NULL);
	if (old) {
		e4c_node_adopt(old, node);
		e4c_node_put(old);
	}
	if (!above)
		form_set(inode, E4C_FORM_TREE, level);
	touched_add(change, node, bh, true);
	change->changed = true;
	e4c_node_put(node);
	return 0;
}

/* In a locked change whose parent is touched: does block @index of @level exist? */
bool e4c_change_exists(struct e4c_change *change, unsigned int level, u32 index)
{
	struct touched *above = level < E4C_MAX_HEIGHT ?
				touched_find(change, level + 1, index / E4C_BLOCK_SLOTS) : NULL;

	/* One that was made in this very change has no seal yet, but a copy. */
	return !above || !e4c_slot_is_zero(&above->node->block->slot[index % E4C_BLOCK_SLOTS]) ||
	       touched_find(change, level, index);
}

static void uncache(struct e4c_info *info, unsigned int level, u32 index)
{
	struct e4c_node *node = e4c_node_peek(info, level, index);

	if (!node)
		return;
	e4c_node_drop(node);
	e4c_node_put(node);
}

/*
 * In a locked change: block @index of @level, whose parent is touched, ceases to exist, and
 * with it all blocks below. Their extents stay mapped, which means nothing.
 */
void e4c_change_unlink(struct e4c_change *change, unsigned int level, u32 index)
{
	struct touched *above = touched_find(change, level + 1, index / E4C_BLOCK_SLOTS);

	if (!above)
		return;
	memset(&above->node->block->slot[index % E4C_BLOCK_SLOTS], 0, sizeof(struct e4c_slot));
	touched_change(change, above);
	uncache(e4c_info(change->inode), level, index);
}

/* In a locked change of a file without written pages: it has no tree any more. */
void e4c_change_empty(struct e4c_change *change)
{
	assert_locked(change);
	form_set(change->inode, E4C_FORM_EMPTY, 0);
	e4c_nodes_forget(e4c_info(change->inode));
	change->changed = true;
}

/* ---- the end ------------------------------------------------------------------------------ */

static void top_set(struct inode *inode, const struct e4c_slot *seal)
{
	struct ext4_inode_info *ei = EXT4_I(inode);

	spin_lock(&ei->i_raw_lock);
	e4c_info(inode)->top = *seal;
	ei->i_e4c.head_stale = true;
	spin_unlock(&ei->i_raw_lock);
}

/* Make the seal of a changed block, and put it where it belongs. */
static int block_seal(struct e4c_change *change, struct touched *t)
{
	struct e4c_node *node = t->node;
	struct touched *above;
	int err = e4c_block_seal(change->op, node->level, node->index, node->block);

	if (err)
		return err;
	if (!node->parent) {
		top_set(change->inode, &node->block->seal);
		return 0;
	}
	above = touched_find(change, node->level + 1, node->index / E4C_BLOCK_SLOTS);
	if (WARN_ON_ONCE(!above))
		return -EIO;
	above->node->block->slot[node->index % E4C_BLOCK_SLOTS] = node->block->seal;
	above->dirty = true;
	return 0;
}

static int blocks_write(struct e4c_change *change)
{
	struct touched *t;
	int level, err = 0;

	for (level = 0; level <= E4C_MAX_HEIGHT && !err; level++) {
		list_for_each_entry(t, &change->touched[level], list) {
			if (!t->dirty)
				continue;
			lock_buffer(t->bh);
			memcpy(t->bh->b_data, t->node->block, sizeof(*t->node->block));
			set_buffer_uptodate(t->bh);
			unlock_buffer(t->bh);
			err = ext4_handle_dirty_metadata(change->handle, NULL, t->bh);
			if (err)
				break;
		}
	}
	return err;
}

/*
 * End a locked change: seals, buffers, inode. Sealing fails only if the crypto driver is
 * broken, the rest only in an aborted journal. 0 or -errno, with the journal aborted.
 */
int e4c_change_end(struct e4c_change *change)
{
	struct inode *inode = change->inode;
	bool empty = e4c_form(e4c_state(inode)) == E4C_FORM_EMPTY;
	struct touched *t;
	int level, err = change->failed ? -EIO : 0, err2;

	if (!change->changed) {
		e4c_change_cancel(change);
		return 0;
	}
	for (level = 0; level <= E4C_MAX_HEIGHT && !empty && !err; level++) {
		list_for_each_entry(t, &change->touched[level], list) {
			if (t->dirty)
				err = block_seal(change, t);
			if (err)
				break;
		}
	}
	assert_locked(change);
	e4c_count_change(inode);
	if (!err && !empty)
		err = blocks_write(change);
	mutex_unlock(&e4c_info(inode)->tag_lock);
	err2 = ext4_mark_iloc_dirty(change->handle, inode, &change->iloc);
	err = err ? err : err2;
	if (err)
		jbd2_journal_abort(EXT4_JOURNAL(inode), err);
	change_free(change);
	return err;
}
