// SPDX-License-Identifier: GPL-2.0-only
/*
 * Overwriting a page that is written already: the new ciphertext and its slot
 * go into one transaction of the journal, the ciphertext as a journaled block
 * of the block device's buffer cache. A crash leaves both old or both new, even
 * when sectors are torn. How an overwrite is done is decided here and nowhere
 * else.
 *
 * Until its checkpoint the newest ciphertext is in the buffer cache and in the
 * log, not at its place on the disk. Readers ask e4c_log_copy().
 */
#include "e4c.h"
#include <linux/buffer_head.h>
#include <linux/writeback.h>

/* A handle with this many credits can spare the two of e4c_folio_zeroed(). */
#define ZERO_SPARE 16

/*
 * The buffer with the newest ciphertext of block @pblk if the journal still has
 * it, else NULL: then the disk has it. A cached buffer that the journal does
 * not own proves nothing: a reader of the raw device may have left it there.
 * One that could not be written to its place is the newest all the same, though
 * the block layer then takes its uptodate flag away.
 */
struct buffer_head *e4c_log_copy(struct super_block *sb, ext4_fsblk_t pblk)
{
	struct buffer_head *bh = sb_find_get_block(sb, pblk);

	if (!bh)
		return NULL;
	if (buffer_jbd(bh) && ext4_buffer_uptodate(bh))
		return bh;
	brelse(bh);
	return NULL;
}

/*
 * May data blocks of @inode be in the log? While the log reaches back to its
 * last overwrite, or to the last in the file system before its key was set up
 * this time, or, without a key, to the last in the file system.
 */
bool e4c_data_in_log(struct inode *inode)
{
	struct e4c_info *info = e4c_info(inode);
	u64 last = info ? READ_ONCE(info->overwrite) :
		   READ_ONCE(EXT4_SB(inode->i_sb)->s_e4c.overwrite);

	/* Bit 32 says that there was one; any tid may be the first. */
	return last && tid_geq((tid_t)last, READ_ONCE(EXT4_JOURNAL(inode)->j_tail_sequence));
}

static void overwrite_note(handle_t *handle, struct inode *inode)
{
	u64 last = BIT_ULL(32) | handle->h_transaction->t_tid;

	WRITE_ONCE(e4c_info(inode)->overwrite, last);
	WRITE_ONCE(EXT4_SB(inode->i_sb)->s_e4c.overwrite, last);
	ext4_update_inode_fsync_trans(handle, inode, 1);
}

/*
 * Hook where writeback looks at a dirty buffer that seems to need no mapping.
 * True: it has to wait until there is a handle. With a handle, the extent is
 * looked up again: after a failed write the block is still unwritten, and then
 * the buffer has to take the way of new data.
 */
bool e4c_buffer_waits(struct inode *inode, ext4_lblk_t lblk, struct buffer_head *bh, bool do_map)
{
	struct ext4_map_blocks map = { .m_lblk = lblk, .m_len = 1 };

	if (!e4c_inode(inode) || !buffer_dirty(bh) || !buffer_mapped(bh) ||
	    buffer_delay(bh) || buffer_unwritten(bh))
		return false;
	if (!do_map)
		return true;
	if (ext4_map_blocks(NULL, inode, &map, 0) > 0 && (map.m_flags & EXT4_MAP_UNWRITTEN)) {
		bh->b_blocknr = map.m_pblk;
		set_buffer_unwritten(bh);
	}
	return false;
}

/*
 * A hostile extent may map a page to a block that is metadata as well. ext4 reads
 * a metadata block whose buffer is marked verified without another look, so
 * ciphertext must never get there. The mark may also be a leftover of the block's
 * former life: then the block has the page's present contents. @tag_bh is an opened
 * group. 0, -EIO (reported), -errno.
 */
static int block_is_ours(struct e4c_op *op, struct inode *inode, u32 page,
			 struct buffer_head *data_bh, struct buffer_head *tag_bh)
{
	const struct e4c_slot *slot = &e4c_tag_block(tag_bh)->slot[e4c_page_slot(page)];
	struct folio *scratch;
	int err;

	if (data_bh == tag_bh)
		return e4c_report_page(inode, page, "its block is its tag block");
	if (!buffer_verified(data_bh))
		return 0;
	scratch = folio_alloc(GFP_NOFS | __GFP_NOFAIL, 0);
	if (buffer_jbd(data_bh) && buffer_uptodate(data_bh)) {
		err = e4c_page_open(op, page, data_bh->b_data, folio_address(scratch), slot);
	} else {
		err = e4c_block_read_sync(inode->i_sb, data_bh->b_blocknr, scratch);
		if (!err)
			err = e4c_page_open(op, page, folio_address(scratch),
					    folio_address(scratch), slot);
	}
	folio_zero_segment(scratch, 0, folio_size(scratch));
	folio_put(scratch);
	if (err == -EBADMSG)
		return e4c_report_page(inode, page, "its block is metadata, too");
	if (!err)
		clear_buffer_verified(data_bh);
	return err;
}

/* Put page @folio, written at @pblk, and its slot into @handle's transaction. */
static int page_journal(handle_t *handle, struct inode *inode, struct folio *folio,
			ext4_fsblk_t pblk)
{
	u32 page = folio->index, g = e4c_page_group(page);
	struct buffer_head *data_bh, *tag_bh;
	struct e4c_slot slot;
	struct e4c_op *op;
	int err, err2;

	tag_bh = e4c_group_get(inode, g);
	if (IS_ERR(tag_bh))
		return PTR_ERR(tag_bh);
	if (!tag_bh)
		return e4c_report_page(inode, page, "a written block without a valid slot");
	op = e4c_op_alloc(e4c_info(inode));
	data_bh = sb_getblk(inode->i_sb, pblk);
	err = -EIO;
	if (!data_bh)
		goto out;
	err = e4c_group_open(op, handle, inode, g, tag_bh);
	if (!err)
		err = e4c_slots_expect(inode, g, tag_bh, page, 1, E4C_STATE_VALID);
	if (!err)
		err = block_is_ours(op, inode, page, data_bh, tag_bh);
	if (!err)
		err = ext4_journal_get_write_access(handle, inode->i_sb, data_bh, EXT4_JTR_NONE);
	if (err)
		goto out;

	lock_buffer(data_bh);
	err = e4c_page_seal(op, page, folio_address(folio), data_bh->b_data, &slot);
	set_buffer_uptodate(data_bh);
	unlock_buffer(data_bh);
	if (WARN_ON_ONCE(err)) {
		/* The old ciphertext is gone: this transaction must not commit. */
		jbd2_journal_abort(EXT4_JOURNAL(inode), err);
		goto out;
	}
	/* Should the journal abort in between, what is in memory still agrees. */
	err = ext4_handle_dirty_metadata(handle, NULL, data_bh);
	lock_buffer(tag_bh);
	e4c_slot_set(tag_bh, page, &slot);
	err2 = e4c_group_close(op, handle, inode, g, tag_bh);
	err = err ? err : err2;

	overwrite_note(handle, inode);
	e4c_count(e4c_info(inode)->sb_state, E4C_PAGES_JOURNALED);
out:
	e4c_op_free(op);
	brelse(data_bh);
	brelse(tag_bh);
	return err;
}

/*
 * Hook in writeback: write out @folio (locked, dirty) whose block is written
 * already, within the current handle. Needs two credits. @wbc may be NULL. Where
 * memory is short nothing has changed yet and the page stays dirty; another error
 * is recorded in the mapping, as after a failed write. Returns 0, -ENOMEM if there
 * is a @wbc, or -errno of the journal.
 */
int e4c_folio_journal(struct inode *inode, struct folio *folio, struct writeback_control *wbc)
{
	handle_t *handle = ext4_journal_current_handle();
	struct ext4_map_blocks map = { .m_lblk = folio->index, .m_len = 1 };
	struct buffer_head *bh = folio_buffers(folio);
	loff_t size;
	int err;

	/* As in mpage_submit_folio(): i_size is stable only after this. */
	folio_clear_dirty_for_io(folio);
	size = i_size_read(inode);
	err = 0;
	if (!buffer_dirty(bh) || folio_pos(folio) >= size) {
		clear_buffer_dirty(bh);
		goto written;
	}
	if (folio_pos(folio) + folio_size(folio) > size)
		folio_zero_segment(folio, size - folio_pos(folio), folio_size(folio));
	clear_buffer_dirty(bh);
	clear_buffer_new(bh);

	err = ext4_map_blocks(NULL, inode, &map, 0);
	if (err >= 0)
		err = map.m_flags & EXT4_MAP_MAPPED ?
		      page_journal(handle, inode, folio, map.m_pblk) : -EIO;
	if (err == -ENOMEM) {
		set_buffer_dirty(bh);
		if (wbc)
			folio_redirty_for_writepage(wbc, folio);
		else
			filemap_dirty_folio(folio->mapping, folio);
		return wbc ? err : 0;
	}
	if (err) {
		set_buffer_write_io_error(bh);
		mapping_set_error(folio->mapping, err);
	}
written:
	folio_start_writeback(folio);
	folio_end_writeback(folio);
	if (wbc)
		wbc->nr_to_write--;
	return is_handle_aborted(handle) ? -EROFS : 0;
}

/*
 * Hook where handles are started that may zero a part of a page: two blocks for
 * e4c_folio_zeroed(), and enough that it can tell they are there.
 */
int e4c_zero_credits(struct inode *inode)
{
	return e4c_inode(inode) ? ZERO_SPARE : 0;
}

/*
 * Hook after a part of @folio (locked) was zeroed and made dirty, by truncation,
 * growth or punching within @handle: write it in that same transaction, or a
 * crash could leave the new size with the old bytes. For blocks that are not
 * written yet, writeback does it, and where the handle has no room left.
 */
int e4c_folio_zeroed(handle_t *handle, struct inode *inode, struct folio *folio)
{
	struct ext4_map_blocks map = { .m_lblk = folio->index, .m_len = 1 };
	struct buffer_head *bh = folio_buffers(folio);
	int err;

	if (!handle || buffer_delay(bh) || buffer_unwritten(bh))
		return 0;
	err = ext4_map_blocks(NULL, inode, &map, 0);
	if (err <= 0 || !(map.m_flags & EXT4_MAP_MAPPED))
		return min(err, 0);
	if (jbd2_handle_buffer_credits(handle) < ZERO_SPARE) {
		err = ext4_journal_extend(handle, 2, 0);
		if (err)
			return min(err, 0);
	}
	folio_wait_writeback(folio);
	return e4c_folio_journal(inode, folio, NULL);
}
