// SPDX-License-Identifier: GPL-2.0-only
/*
 * Overwriting a page that is written already: the new ciphertext and its slot
 * go into one transaction of the journal, the ciphertext as a journaled block
 * of the block device's buffer cache. The slots of all pages that a handle overwrites
 * are set in one change at its end. A crash leaves both old or both new, even
 * when sectors are torn. How an overwrite is done is decided here and nowhere
 * else.
 *
 * Until its checkpoint the newest ciphertext is in the buffer cache and in the
 * log, not at its place on the disk. Readers ask e4c_log_copy().
 */
#include "e4c.h"
#include <linux/buffer_head.h>
#include <linux/writeback.h>

/* A handle with this many credits can spare those of e4c_folio_zeroed(): the page, its tag
 * block, the nodes above it, the inode.
 */
#define ZERO_SPARE (16 + E4C_PARENTS)

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
 * former life: then the block has the page's present contents. Its tag block is
 * touched. 0, -EIO (reported), -errno.
 */
static int block_is_ours(struct e4c_change *change, u32 page, struct buffer_head *data_bh)
{
	const struct e4c_slot *slot = e4c_change_slot(change, page);
	struct inode *inode = change->inode;
	struct e4c_op *op = change->op;
	struct folio *scratch;
	int err;

	if (e4c_change_touches(change, data_bh->b_blocknr, 1))
		return e4c_report_page(inode, page, "its block is a tag block");
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

/*
 * Overwrites of one handle of writeback. Their pages are under writeback until the slots
 * are set, so that nobody reads the new ciphertext with the old slot.
 */
struct e4c_overwrites {
	struct e4c_change change;
	struct list_head pages;		/* struct overwritten */
};

struct overwritten {
	struct list_head list;
	struct folio *folio;		/* under writeback */
	struct e4c_slot slot;
};

/*
 * Put the ciphertext of @folio, written at @pblk, into the transaction, and its new slot
 * into @slot. After an error nothing has changed, or the journal is aborted.
 */
static int page_journal(struct e4c_change *change, struct folio *folio, ext4_fsblk_t pblk,
			struct e4c_slot *slot)
{
	struct inode *inode = change->inode;
	struct buffer_head *data_bh;
	u32 page = folio->index;
	int err;

	err = e4c_change_touch(change, page);
	if (err == -ENOENT || (!err && !e4c_slot_valid(e4c_change_slot(change, page))))
		return e4c_report_page(inode, page, "a written block without a valid slot");
	if (err)
		return err;
	data_bh = sb_getblk(inode->i_sb, pblk);
	if (!data_bh)
		return -EIO;
	err = block_is_ours(change, page, data_bh);
	if (!err)
		err = ext4_journal_get_write_access(change->handle, inode->i_sb, data_bh,
						    EXT4_JTR_NONE);
	if (err)
		goto out;
	lock_buffer(data_bh);
	err = e4c_page_seal(change->op, page, folio_address(folio), e4c_text_len(inode, folio),
			    data_bh->b_data, slot);
	set_buffer_uptodate(data_bh);
	unlock_buffer(data_bh);
	if (!WARN_ON_ONCE(err))
		err = ext4_handle_dirty_metadata(change->handle, NULL, data_bh);
	if (err)
		/* The old ciphertext is gone: this transaction must not commit. */
		jbd2_journal_abort(EXT4_JOURNAL(inode), err);
	e4c_overwrite_note(change->handle, inode);
	e4c_count(e4c_info(inode)->sb_state, E4C_PAGES_JOURNALED);
out:
	brelse(data_bh);
	return err;
}

/* Journal @folio as the first or next of @o, in the current handle. */
static int overwrite_add(struct e4c_overwrites **o, struct inode *inode, struct folio *folio,
			 ext4_fsblk_t pblk)
{
	struct overwritten *w;
	int err;

	if (!*o) {
		struct e4c_overwrites *new = kmalloc(sizeof(*new), GFP_NOFS | __GFP_NOFAIL);

		INIT_LIST_HEAD(&new->pages);
		err = e4c_change_begin(&new->change, ext4_journal_current_handle(), inode);
		if (err) {
			kfree(new);
			return err;
		}
		*o = new;
	}
	w = kmalloc(sizeof(*w), GFP_NOFS | __GFP_NOFAIL);
	err = page_journal(&(*o)->change, folio, pblk, &w->slot);
	if (err) {
		kfree(w);
		return err;
	}
	folio_get(folio);
	w->folio = folio;
	list_add_tail(&w->list, &(*o)->pages);
	return 0;
}

/*
 * Hook before a handle of writeback ends: set the slots of what it has overwritten, and
 * end the writeback of these pages. 0 or -errno, with the journal aborted.
 */
int e4c_overwrites_end(struct e4c_overwrites **o)
{
	struct overwritten *w, *next;
	struct inode *inode;
	int err;

	if (!*o)
		return 0;
	inode = (*o)->change.inode;
	err = e4c_change_lock(&(*o)->change);
	if (err) {
		/* New ciphertext is in the transaction already. */
		if (!list_empty(&(*o)->pages))
			jbd2_journal_abort(EXT4_JOURNAL(inode), err);
		e4c_change_cancel(&(*o)->change);
	} else {
		list_for_each_entry(w, &(*o)->pages, list)
			e4c_change_set(&(*o)->change, w->folio->index, &w->slot);
		err = e4c_change_end(&(*o)->change);
	}
	list_for_each_entry_safe(w, next, &(*o)->pages, list) {
		if (err) {
			set_buffer_write_io_error(folio_buffers(w->folio));
			mapping_set_error(inode->i_mapping, err);
		}
		folio_end_writeback(w->folio);
		folio_put(w->folio);
		kfree(w);
	}
	kfree(*o);
	*o = NULL;
	return err;
}

/* What e4c_overwrites_end() will take of the credits of its handle. */
int e4c_overwrites_credits(struct e4c_overwrites *o)
{
	return o ? o->change.count : 0;
}

/*
 * Hook in writeback: write out @folio (locked, dirty) whose block is written
 * already, within the current handle, as one of @o. Needs the credits of the data
 * block, and e4c_overwrites_credits() in the end. @wbc may be NULL. Where
 * memory is short nothing has changed yet and the page stays dirty; another error
 * is recorded in the mapping, as after a failed write. Returns 0, -ENOMEM if there
 * is a @wbc, or -errno of the journal.
 */
int e4c_folio_journal(struct e4c_overwrites **o, struct inode *inode, struct folio *folio,
		      struct writeback_control *wbc)
{
	handle_t *handle = ext4_journal_current_handle();
	struct ext4_map_blocks map = { .m_lblk = folio->index, .m_len = 1 };
	struct buffer_head *bh = folio_buffers(folio);
	bool pending = false;
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
		      overwrite_add(o, inode, folio, map.m_pblk) : -EIO;
	if (err == -ENOMEM) {
		set_buffer_dirty(bh);
		if (wbc)
			folio_redirty_for_writepage(wbc, folio);
		else
			filemap_dirty_folio(folio->mapping, folio);
		return wbc ? err : 0;
	}
	pending = !err;
	if (err) {
		set_buffer_write_io_error(bh);
		mapping_set_error(folio->mapping, err);
	}
written:
	folio_start_writeback(folio);
	if (!pending)
		folio_end_writeback(folio);
	if (wbc)
		wbc->nr_to_write--;
	return is_handle_aborted(handle) ? -EROFS : 0;
}

/*
 * Hook where handles are started that may zero a part of a page: the blocks of
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
	struct e4c_overwrites *o = NULL;
	int err, err2;

	if (!handle || buffer_delay(bh) || buffer_unwritten(bh))
		return 0;
	err = ext4_map_blocks(NULL, inode, &map, 0);
	if (err <= 0 || !(map.m_flags & EXT4_MAP_MAPPED))
		return min(err, 0);
	if (jbd2_handle_buffer_credits(handle) < ZERO_SPARE) {
		err = ext4_journal_extend(handle, ZERO_SPARE, 0);
		if (err)
			return min(err, 0);
	}
	folio_wait_writeback(folio);
	err = e4c_folio_journal(&o, inode, folio, NULL);
	err2 = e4c_overwrites_end(&o);
	return err ? err : err2;
}
