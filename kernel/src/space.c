// SPDX-License-Identifier: GPL-2.0-only
/*
 * Space and journal credits: what a handle needs, where tag blocks go, how freed
 * blocks are revoked.
 */
#include "e4c.h"
#include <linux/buffer_head.h>

/*
 * Pages that one handle overwrites through the journal at most: enough to make
 * the handle worth its cost, little enough to leave room to others.
 */
static int overwrite_pages(struct inode *inode)
{
	return min(256, EXT4_JOURNAL(inode)->j_max_transaction_buffers / 8);
}

/*
 * Hook before a writepages handle is started: what it needs for overwrites: pages, tag
 * blocks, nodes, the inode. Waits where too much is pinned already.
 */
int e4c_writepages_credits(struct inode *inode)
{
	if (!e4c_inode(inode))
		return 0;
	e4c_overwrites_throttle(inode);
	return overwrite_pages(inode) + E4C_PARENTS + 2;
}

/*
 * Is what is left of the current handle too little to overwrite another page, beside
 * those of @o, and still allocate an extent? Then the caller goes on with a new handle.
 */
bool e4c_folio_waits(struct inode *inode, struct e4c_overwrites *o)
{
	handle_t *handle = ext4_journal_current_handle();

	if (!e4c_inode(inode) || !handle)
		return false;
	return jbd2_handle_buffer_credits(handle) <
	       ext4_chunk_trans_blocks(inode, E4C_IO_PAGES) + e4c_overwrites_credits(o) +
	       E4C_PARENTS + 3;
}

/* What the conversion of one io_end needs beyond the extents: tag blocks, nodes, the inode. */
int e4c_convert_credits(struct inode *inode)
{
	return e4c_inode(inode) ? E4C_IO_BLOCKS + 2 * E4C_PARENTS + 1 : 0;
}

/*
 * Hook where blocks of the extent tree are allocated for what must not fail, such
 * as the split before data is written: how, beyond the reserved clusters. ext4
 * writes zeros instead of splitting when it finds none; a page of ours needs its
 * seal. So neither a quota nor root's reserve stands in the way.
 */
unsigned int e4c_nofail_flags(struct inode *inode)
{
	return e4c_inode(inode) ? EXT4_MB_USE_ROOT_BLOCKS : 0;
}

/*
 * Hook where writeback gives pages up because their blocks could not be mapped,
 * for @err: fsync must hear of it, which ext4 does not see to.
 */
void e4c_pages_lost(struct inode *inode, int err)
{
	if (e4c_inode(inode))
		mapping_set_error(inode->i_mapping, err);
}

/* The area of a logical block: pages, or a level of the tree. */
static unsigned int area(ext4_lblk_t lblk)
{
	unsigned int level = 0;

	if (lblk < E4C_TAG_LBLK)
		return E4C_MAX_HEIGHT + 1;
	while (level < E4C_MAX_HEIGHT && lblk >= e4c_lblk(level + 1, 0))
		level++;
	return level;
}

/*
 * Hook in the choice of an allocation goal: are these logical blocks in
 * different areas, so that their distance says nothing about physical blocks?
 */
bool e4c_goal_is_far(struct inode *inode, ext4_lblk_t block, ext4_lblk_t other)
{
	return e4c_inode(inode) && area(block) != area(other);
}

/*
 * Hook where extents of delayed blocks get their blocks or go: are they taken off
 * the reservation? ext4 does without the mount option nodelalloc, and believes that
 * nothing is delayed with it. Tag blocks and nodes always are, and so are blocks from
 * before a remount. Under i_data_sem.
 */
bool e4c_counts_reserved(struct inode *inode)
{
	return test_opt(inode->i_sb, DELALLOC) || EXT4_I(inode)->i_reserved_data_blocks;
}

/*
 * Hook where credits are taken to free the @blocks blocks of an extent from
 * @from on: what may be in the log must be revoked, or a replay after reuse
 * would put it back. An @unwritten block of data never was overwritten. The answer is
 * kept for e4c_free_flags(), which comes next under the same i_data_sem: asked again it
 * could differ, since other pages of the file may be overwritten meanwhile.
 */
int e4c_free_revokes(struct inode *inode, ext4_lblk_t from, int blocks, bool unwritten,
		     int credits)
{
	if (!e4c_inode(inode))
		return credits;
	EXT4_I(inode)->i_e4c.revoke =
		from >= E4C_TAG_LBLK || (!unwritten && e4c_data_in_log(inode));
	return EXT4_I(inode)->i_e4c.revoke ? blocks : credits;
}

/* Hook where they are freed: how. */
int e4c_free_flags(struct inode *inode, int flags)
{
	if (e4c_inode(inode) && EXT4_I(inode)->i_e4c.revoke)
		flags |= EXT4_FREE_BLOCKS_METADATA | EXT4_FREE_BLOCKS_FORGET;
	return flags;
}

/*
 * Hook where a leaf of an extent tree that was read from the disk is checked, of
 * any inode: does it map its own block? Only a forged one does, and freeing
 * that extent would take the leaf from the journal in the midst of its change.
 */
bool e4c_leaf_maps_itself(struct ext4_extent *ex, ext4_fsblk_t leaf)
{
	return e4c_covers(ext4_ext_pblock(ex), ext4_ext_get_actual_len(ex), leaf);
}

/*
 * Hook before the blocks of an extent are freed, of any inode: does it map a
 * block of the tree that it stands in? On a forged volume the bitmap may have
 * called such a block free when the tree grew into it. 0 or -EFSCORRUPTED.
 */
int e4c_extent_may_go(struct inode *inode, struct ext4_ext_path *path, struct ext4_extent *ex)
{
	int level;

	for (level = 1; level <= ext_depth(inode); level++) {
		ext4_fsblk_t block = path[level].p_bh->b_blocknr;

		if (!e4c_covers(ext4_ext_pblock(ex), ext4_ext_get_actual_len(ex), block))
			continue;
		EXT4_ERROR_INODE(inode, "extent %u maps block %llu of its own tree",
				 le32_to_cpu(ex->ee_block), block);
		return -EFSCORRUPTED;
	}
	return 0;
}

/*
 * Hook where a block of an extent tree is trusted because it was checked once:
 * does it still look like one? On a forged volume a block can be in use twice
 * and have become something else since. Then it is checked again, and refused,
 * instead of being read past its end.
 */
bool e4c_node_holds(struct buffer_head *bh, int depth)
{
	const struct ext4_extent_header *eh = ext_block_hdr(bh);

	return eh->eh_magic == EXT4_EXT_MAGIC && le16_to_cpu(eh->eh_depth) == depth &&
	       (eh->eh_entries || !depth) &&
	       le16_to_cpu(eh->eh_entries) <= le16_to_cpu(eh->eh_max) &&
	       le16_to_cpu(eh->eh_max) <= (bh->b_size - sizeof(*eh)) / sizeof(struct ext4_extent);
}
