// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private copies of tag blocks and nodes. Such a block is read and checked once, from
 * the top down, each against its slot in its parent and the top against the head. From
 * then on its copy is the only source: the buffers of the block device are written,
 * but never read back, so that nobody who writes to the disk or to its cache meanwhile
 * changes what was checked.
 *
 * The copies of an inode are in its xarray. A cached node holds a reference of its
 * parent, so a parent stays as long as a child does. All cached nodes of a super
 * block are in a list for the shrinker, which takes those that only the cache holds.
 *
 * Blocks are read and checked under tag_lock, so that no change comes between parent
 * and child. What is cached is found without any lock.
 */
#include "e4c.h"
#include <linux/buffer_head.h>

static unsigned long node_key(unsigned int level, u32 index)
{
	return e4c_lblk(level, index) - E4C_TAG_LBLK;
}

static void node_free(struct rcu_head *rcu)
{
	struct e4c_node *node = container_of(rcu, struct e4c_node, rcu);

	kfree(node->block);
	kfree(node);
}

/* @node may be NULL. */
void e4c_node_put(struct e4c_node *node)
{
	/* The cache's reference goes last, and with it what belongs to the cache. */
	if (node && refcount_dec_and_test(&node->ref))
		call_rcu(&node->rcu, node_free);
}

/* The cached copy with a reference; NULL: it is not cached. */
struct e4c_node *e4c_node_peek(struct e4c_info *info, unsigned int level, u32 index)
{
	struct e4c_node *node;

	rcu_read_lock();
	node = xa_load(&info->nodes, node_key(level, index));
	if (node && !refcount_inc_not_zero(&node->ref))
		node = NULL;
	rcu_read_unlock();
	if (node && !READ_ONCE(node->recent))
		WRITE_ONCE(node->recent, true);
	return node;
}

/* Does the block of @node, which the caller holds, still exist? tag_lock is held. */
bool e4c_node_cached(struct e4c_node *node)
{
	return xa_load(&node->info->nodes, node_key(node->level, node->index)) == node;
}

/* Out of xarray and list; nodes_lock is held. The reference of the cache stays. */
static void node_uncache(struct e4c_node *node)
{
	xa_erase(&node->info->nodes, node_key(node->level, node->index));
	list_del(&node->lru);
	node->info->sb_state->nodes_count--;
	e4c_node_put(node->parent);
	node->parent = NULL;
}

/* Take @node, a block that ceases to exist, out of the cache. tag_lock is held. */
void e4c_node_drop(struct e4c_node *node)
{
	struct e4c_sb_state *state = node->info->sb_state;

	lockdep_assert_held(&node->info->tag_lock);
	spin_lock(&state->nodes_lock);
	node_uncache(node);
	spin_unlock(&state->nodes_lock);
	e4c_node_put(node);
}

/* @parent, a new top, is now above @child, the old one. tag_lock is held. */
void e4c_node_adopt(struct e4c_node *child, struct e4c_node *parent)
{
	struct e4c_sb_state *state = child->info->sb_state;

	lockdep_assert_held(&child->info->tag_lock);
	refcount_inc(&parent->ref);
	spin_lock(&state->nodes_lock);
	WARN_ON_ONCE(child->parent);
	child->parent = parent;
	spin_unlock(&state->nodes_lock);
}

/* The tree has ceased to exist. tag_lock is held, or nobody uses @info any more. */
void e4c_nodes_forget(struct e4c_info *info)
{
	struct e4c_node *node;
	unsigned long key;

	spin_lock(&info->sb_state->nodes_lock);
	xa_for_each(&info->nodes, key, node) {
		node_uncache(node);
		e4c_node_put(node);
	}
	spin_unlock(&info->sb_state->nodes_lock);
}

void e4c_nodes_free(struct e4c_info *info)
{
	e4c_nodes_forget(info);
	xa_destroy(&info->nodes);
}

/* Hook in the shrinker of the super block: how many copies there are. */
long e4c_nodes_count(struct super_block *sb, struct shrink_control *sc)
{
	return READ_ONCE(EXT4_SB(sb)->s_e4c.nodes_count);
}

/* Hook in the shrinker: free those that were not used for longest, @sc->nr_to_scan at most. */
long e4c_nodes_shrink(struct super_block *sb, struct shrink_control *sc)
{
	struct e4c_sb_state *state = &EXT4_SB(sb)->s_e4c;
	unsigned long left = sc->nr_to_scan;
	long freed = 0;

	spin_lock(&state->nodes_lock);
	while (left-- && !list_empty(&state->nodes)) {
		struct e4c_node *node = list_last_entry(&state->nodes, struct e4c_node, lru);

		if (READ_ONCE(node->recent) || !refcount_dec_if_one(&node->ref)) {
			WRITE_ONCE(node->recent, false);
			list_move(&node->lru, &state->nodes);
			continue;
		}
		node_uncache(node);
		call_rcu(&node->rcu, node_free);
		freed++;
	}
	spin_unlock(&state->nodes_lock);
	return freed;
}

/*
 * Put @block, checked or new, into the cache; it belongs to the node from now on.
 * tag_lock is held, or nobody else sees @info yet. Returns the node with a
 * reference; never fails.
 */
struct e4c_node *e4c_node_add(struct e4c_info *info, unsigned int level, u32 index,
			      ext4_fsblk_t pblk, struct e4c_tag_block *block,
			      struct e4c_node *parent)
{
	struct e4c_node *node = kzalloc(sizeof(*node), GFP_NOFS | __GFP_NOFAIL);
	struct e4c_sb_state *state = info->sb_state;

	refcount_set(&node->ref, 2);
	node->level = level;
	node->index = index;
	node->pblk = pblk;
	node->info = info;
	node->block = block;
	if (parent)
		refcount_inc(&parent->ref);
	node->parent = parent;
	/* Before it can be found, so that whoever finds it finds it in the list. */
	spin_lock(&state->nodes_lock);
	list_add(&node->lru, &state->nodes);
	state->nodes_count++;
	spin_unlock(&state->nodes_lock);
	xa_store(&info->nodes, node_key(level, index), node, GFP_NOFS | __GFP_NOFAIL);
	return node;
}

/* ---- reading ----------------------------------------------------------------------- */

/*
 * The buffer of a block that exists with its read started. ERR_PTR: -EIO (reported),
 * -errno.
 */
static struct buffer_head *block_read_start(struct inode *inode, unsigned int level, u32 index)
{
	struct ext4_map_blocks map = { .m_lblk = e4c_lblk(level, index), .m_len = 1 };
	struct buffer_head *bh;
	int ret;

	ret = ext4_map_blocks(NULL, inode, &map, 0);
	if (ret < 0)
		return ERR_PTR(ret);
	if (map.m_flags & EXT4_MAP_MAPPED)
		return ERR_PTR(e4c_report_block(inode, level, index, "its extent is written"));
	if (!ret || !(map.m_flags & EXT4_MAP_UNWRITTEN))
		return ERR_PTR(e4c_report_block(inode, level, index, "it is missing"));
	bh = sb_getblk(inode->i_sb, map.m_pblk);
	if (!bh)
		return ERR_PTR(-EIO);	/* no such block; memory it would wait for */
	ext4_read_bh_lock(bh, REQ_META | REQ_PRIO, false);
	return bh;
}

/* Wait for a read that was started. 0 or -EIO. */
static int block_read_wait(struct buffer_head *bh)
{
	wait_on_buffer(bh);
	if (buffer_uptodate(bh))
		return 0;
	/* A read without waiting can be skipped when the buffer was locked. */
	return ext4_read_bh_lock(bh, REQ_META | REQ_PRIO, true);
}

/* A copy of a block as it stands on the disk, not yet checked. ERR_PTR. @pblk: where. */
static struct e4c_tag_block *block_copy(struct inode *inode, unsigned int level, u32 index,
					ext4_fsblk_t *pblk)
{
	struct buffer_head *bh = block_read_start(inode, level, index);
	struct e4c_tag_block *block;
	int err;

	if (IS_ERR(bh))
		return ERR_CAST(bh);
	err = block_read_wait(bh);
	if (err) {
		brelse(bh);
		return ERR_PTR(err);
	}
	block = kmalloc(sizeof(*block), GFP_NOFS | __GFP_NOFAIL);
	lock_buffer(bh);
	memcpy(block, bh->b_data, sizeof(*block));
	unlock_buffer(bh);
	*pblk = bh->b_blocknr;
	brelse(bh);
	return block;
}

/*
 * Read and check a block whose seal must be @expected (NULL: any). Returns it cached,
 * with a reference, or ERR_PTR: -EIO (reported), -errno.
 */
static struct e4c_node *node_load(struct e4c_op *op, struct inode *inode, struct e4c_info *info,
				  unsigned int level, u32 index,
				  const struct e4c_slot *expected, struct e4c_node *parent)
{
	struct e4c_tag_block *block;
	ext4_fsblk_t pblk;
	int err = 0;

	block = block_copy(inode, level, index, &pblk);
	if (IS_ERR(block))
		return ERR_CAST(block);
	if (expected && memcmp(&block->seal, expected, sizeof(*expected)))
		err = e4c_report_block(inode, level, index, "it is not the newest version");
	if (!err) {
		err = e4c_block_verify(op, level, index, block);
		if (err == -EBADMSG)
			err = e4c_report_block(inode, level, index, "its seal does not verify");
	}
	if (err) {
		kfree(block);
		return ERR_PTR(err);
	}
	return e4c_node_add(info, level, index, pblk, block, parent);
}

/*
 * The copy of block @index of @level with a reference. tag_lock is held. NULL: the block
 * does not exist, which is as authentic as the blocks above it; ERR_PTR.
 */
struct e4c_node *e4c_node_get(struct e4c_op *op, struct inode *inode, unsigned int level,
			      u32 index)
{
	struct e4c_info *info = e4c_info(inode);
	u32 state = e4c_state(inode);
	struct e4c_node *node, *parent;
	const struct e4c_slot *slot;

	lockdep_assert_held(&info->tag_lock);
	if (e4c_form(state) != E4C_FORM_TREE || level > e4c_height(state))
		return NULL;
	node = e4c_node_peek(info, level, index);
	if (node)
		return node;
	if (level == e4c_height(state))
		return index ? NULL : node_load(op, inode, info, level, 0, &info->top, NULL);
	parent = e4c_node_get(op, inode, level + 1, index / E4C_BLOCK_SLOTS);
	if (IS_ERR_OR_NULL(parent))
		return parent;
	slot = &parent->block->slot[index % E4C_BLOCK_SLOTS];
	node = e4c_slot_is_zero(slot) ? NULL :
	       node_load(op, inode, info, level, index, slot, parent);
	e4c_node_put(parent);
	return node;
}

/*
 * Read the top block of @inode, whose keys are @info and not yet in use: it must be
 * authentic, and its seal is what the head is then checked against. 0, -EIO, -errno.
 */
int e4c_top_load(struct inode *inode, struct e4c_info *info)
{
	struct e4c_op *op = e4c_op_alloc(info);
	struct e4c_node *node;

	node = node_load(op, inode, info, e4c_height(e4c_state(inode)), 0, NULL, NULL);
	e4c_op_free(op);
	if (IS_ERR(node))
		return PTR_ERR(node);
	info->top = node->block->seal;
	e4c_node_put(node);
	return 0;
}

/*
 * The buffer of the tag block of @page with its read started, so that the block comes
 * along with the page; NULL where that is no use. brelse() it when the page is there.
 */
struct buffer_head *e4c_tag_read_ahead(struct inode *inode, u32 page)
{
	struct ext4_map_blocks map = { .m_lblk = e4c_lblk(0, e4c_page_block(page)), .m_len = 1 };
	struct buffer_head *bh;

	if (ext4_map_blocks(NULL, inode, &map, 0) <= 0 || !(map.m_flags & EXT4_MAP_UNWRITTEN))
		return NULL;
	bh = sb_getblk(inode->i_sb, map.m_pblk);
	if (bh)
		ext4_read_bh_lock(bh, REQ_META | REQ_PRIO | REQ_RAHEAD, false);
	return bh;
}

/* ---- holes --------------------------------------------------------------------------- */

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
 * The first page after @page that may have a slot, given that the tag block of @page
 * does not exist: what the lowest block above it that does exist says. tag_lock is held.
 */
static u32 absent_end(struct e4c_op *op, struct inode *inode, u32 page)
{
	u64 covered = E4C_BLOCK_SLOTS;
	unsigned int level;

	for (level = 1; level <= E4C_MAX_HEIGHT; level++, covered *= E4C_BLOCK_SLOTS) {
		struct e4c_node *node = e4c_node_get(op, inode, level, e4c_index(level, page));

		if (!node)
			continue;
		if (!IS_ERR(node))
			e4c_node_put(node);
		break;
	}
	/* Nothing above exists: beyond what the top covers, or in form EMPTY. */
	if (level > E4C_MAX_HEIGHT)
		return E4C_MAX_PAGES;
	return min_t(u64, (page / covered + 1) * covered, E4C_MAX_PAGES);
}

/* The slots of the tag block of @first, up to @stop, are zero. @next: where to go on. */
static int block_check_absent(struct e4c_op *op, struct inode *inode, u32 first, u32 end,
			      u32 *next)
{
	struct e4c_info *info = e4c_info(inode);
	u32 stop = min(end, (e4c_page_block(first) + 1) * E4C_BLOCK_SLOTS);
	struct e4c_node *node;
	int err = 0;

	*next = stop;
	mutex_lock(&info->tag_lock);
	node = e4c_node_get(op, inode, 0, e4c_page_block(first));
	if (IS_ERR(node))
		err = PTR_ERR(node);
	else if (!node)
		*next = absent_end(op, inode, first);
	for (; !IS_ERR_OR_NULL(node) && !err && first < stop; first++)
		if (!e4c_slot_is_zero(&node->block->slot[e4c_page_slot(first)]))
			err = check_still_hole(inode, first);
	mutex_unlock(&info->tag_lock);
	if (!IS_ERR_OR_NULL(node))
		e4c_node_put(node);
	return err;
}

/*
 * Pages @first .. @end - 1 are holes or unwritten on disk: is that authentic?
 * Blocks are neither punched nor truncated meanwhile: the caller holds i_rwsem
 * or the lock of the page. 0, -EIO (reported), -EINTR, -errno.
 */
int e4c_pages_check_absent(struct inode *inode, u32 first, u32 end)
{
	struct e4c_op *op = e4c_op_alloc(e4c_info(inode));
	int err = 0;

	while (first < end && !err) {
		err = block_check_absent(op, inode, first, end, &first);
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	e4c_op_free(op);
	return err;
}
