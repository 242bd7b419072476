// SPDX-License-Identifier: GPL-2.0-only
/*
 * New data: pages of unwritten extents. The page is sealed into a bounce page
 * before its bio is submitted; when all bios of an io_end have completed, the
 * extents become written and the slots valid in one transaction, and only then
 * ends the writeback of the pages.
 */
#include "e4c.h"
#include <linux/bio.h>
#include <linux/buffer_head.h>
#include <linux/mempool.h>
#include <linux/writeback.h>

/*
 * Hangs on the private field of a bounce page, so that completion needs no
 * second list and no allocation.
 */
struct e4c_bounce {
	struct folio *folio;		/* the page cache page */
	u32 page;
	bool failed;			/* its slot or tag block was not as it should be */
	struct e4c_slot slot;
};

/* For the first page of an io_end, which always gets one; see bounce_alloc(). */
#define BOUNCE_RESERVE 32
static mempool_t bounce_pages, bounces;

int e4c_bounce_init(void)
{
	int err = mempool_init_page_pool(&bounce_pages, BOUNCE_RESERVE, 0);

	if (err)
		return err;
	err = mempool_init_kmalloc_pool(&bounces, BOUNCE_RESERVE, sizeof(struct e4c_bounce));
	if (err)
		mempool_exit(&bounce_pages);
	return err;
}

void e4c_bounce_exit(void)
{
	mempool_exit(&bounces);
	mempool_exit(&bounce_pages);
}

static struct e4c_bounce *bounce_of(struct folio *bounce)
{
	return folio_get_private(bounce);
}

bool e4c_folio_is_bounce(struct folio *folio)
{
	return !folio->mapping && folio_test_checked(folio);
}

struct folio *e4c_folio_of_bounce(struct folio *bounce)
{
	return bounce_of(bounce)->folio;
}

/* @bounce may be NULL. */
void e4c_bounce_free(struct folio *bounce)
{
	if (!bounce)
		return;
	mempool_free(bounce_of(bounce), &bounces);
	folio_clear_checked(bounce);
	bounce->private = NULL;
	mempool_free(&bounce->page, &bounce_pages);
}

/*
 * A page for the ciphertext. An io_end frees its bounce pages only when it
 * completes as a whole, so waiting for memory with some of them in hand could
 * wait for ourselves: only the first page of an io_end waits, for memory or for
 * another io_end to give its page back, and that never fails. Without memory for a
 * later one the extent ends there. NULL: no memory.
 */
static struct folio *bounce_alloc(struct ext4_io_submit *io)
{
	bool first = !io->io_bio && !io->io_end->bio && refcount_read(&io->io_end->count) == 1;
	gfp_t gfp = first ? GFP_NOFS : GFP_NOWAIT | __GFP_NOWARN;
	struct page *page = mempool_alloc(&bounce_pages, gfp);
	struct e4c_bounce *b;
	struct folio *folio;

	if (!page)
		return NULL;
	b = mempool_alloc(&bounces, gfp);
	if (!b) {
		mempool_free(page, &bounce_pages);
		return NULL;
	}
	memset(b, 0, sizeof(*b));
	folio = page_folio(page);
	folio->private = b;
	folio_set_checked(folio);
	return folio;
}

/*
 * The text bytes of @folio (locked): those up to the end of the file. What is past it
 * has been zeroed, so that a size which grows meanwhile does no harm.
 */
unsigned int e4c_text_len(struct inode *inode, struct folio *folio)
{
	loff_t left = i_size_read(inode) - folio_pos(folio);

	return clamp_t(loff_t, left, 1, E4C_BLOCK_SIZE);
}

/*
 * Hook in the submission of a page whose block is unwritten on disk: seal
 * @folio (locked) into a bounce page and return that. ERR_PTR: the page cannot
 * be written, see e4c_folio_fail().
 */
struct folio *e4c_folio_bounce(struct ext4_io_submit *io, struct folio *folio)
{
	struct inode *inode = folio->mapping->host;
	struct e4c_info *info = e4c_info(inode);
	struct folio *bounce;
	struct e4c_bounce *b;
	struct e4c_op *op;
	int err;

	/* Without the conversion at completion nobody would write the tag. */
	if (WARN_ON_ONCE(!info || !(io->io_end->flag & EXT4_IO_END_UNWRITTEN)))
		return ERR_PTR(-EIO);
	bounce = bounce_alloc(io);
	if (!bounce)
		return ERR_PTR(-ENOMEM);
	b = bounce_of(bounce);
	b->folio = folio;
	b->page = folio->index;
	op = e4c_op_alloc(info);
	err = e4c_page_seal(op, b->page, folio_address(folio), e4c_text_len(inode, folio),
			    folio_address(bounce), &b->slot);
	e4c_op_free(op);
	if (!err)
		return bounce;
	e4c_bounce_free(bounce);
	return ERR_PTR(err);
}

/*
 * Hook where a page could not be submitted; its block stays unwritten. Without
 * memory the page stays dirty, and -ENOMEM ends this round. Otherwise it is
 * given up as after a write error, which fsync reports, and 0 lets writeback of
 * the other pages go on.
 */
int e4c_folio_fail(struct ext4_io_submit *io, struct folio *folio, int err)
{
	struct buffer_head *bh = folio_buffers(folio);

	clear_buffer_async_write(bh);
	set_buffer_unwritten(bh);
	if (err == -ENOMEM) {
		set_buffer_dirty(bh);
		folio_redirty_for_writepage(io->io_wbc, folio);
		return err;
	}
	set_buffer_write_io_error(bh);
	mapping_set_error(folio->mapping, err);
	folio_start_writeback(folio);
	folio_end_writeback(folio);
	return 0;
}

/*
 * Hook before the extents of @io_end are converted: after a write error none
 * are, also on the path of ext4_put_io_end(), which does not look.
 */
bool e4c_io_end_failed(ext4_io_end_t *io_end)
{
	if (!e4c_inode(io_end->inode) || !(io_end->flag & EXT4_IO_END_FAILED))
		return false;
	if (io_end->handle)
		jbd2_journal_free_reserved(io_end->handle);
	return true;
}

/* Walk the bounce pages on the retained bios of an io_end. */
struct walk {
	struct bio *bio;
	struct bio_vec *bv;
	struct bvec_iter_all iter;
};

static void walk_start(struct walk *w, ext4_io_end_t *io_end)
{
	w->bio = io_end->bio;
	if (w->bio)
		w->bv = bvec_init_iter_all(&w->iter);
}

static struct e4c_bounce *walk_next(struct walk *w)
{
	while (w->bio) {
		if (bio_next_segment(w->bio, &w->iter))
			return bounce_of(page_folio(w->bv->bv_page));
		w->bio = w->bio->bi_private;
		if (w->bio)
			w->bv = bvec_init_iter_all(&w->iter);
	}
	return NULL;
}

/*
 * Touch the tag blocks of all pages, whose slots must be zero so far. What is not as it
 * should be is marked and costs only the pages it concerns.
 */
static int pages_touch(ext4_io_end_t *io_end, struct e4c_change *change)
{
	struct inode *inode = io_end->inode;
	struct e4c_bounce *b;
	struct walk w;
	int err;

	walk_start(&w, io_end);
	while ((b = walk_next(&w))) {
		err = e4c_change_touch(change, b->page);
		if (err == -ENOENT)
			err = e4c_report_page(inode, b->page, "its tag block is missing");
		if (!err && !e4c_slot_is_zero(e4c_change_slot(change, b->page)))
			err = e4c_report_page(inode, b->page, "a valid slot over a hole");
		if (err) {
			b->failed = true;
			mapping_set_error(inode->i_mapping, err);
		}
	}
	return is_handle_aborted(change->handle) ? -EROFS : 0;
}

static int pages_set(ext4_io_end_t *io_end, struct e4c_change *change)
{
	struct e4c_bounce *b;
	struct walk w;
	int err = e4c_change_lock(change);

	if (err) {
		/* The extents are written already: none of it may be committed. */
		jbd2_journal_abort(EXT4_JOURNAL(io_end->inode), err);
		e4c_change_cancel(change);
		return err;
	}
	walk_start(&w, io_end);
	while ((b = walk_next(&w)))
		if (!b->failed)
			e4c_change_set(change, b->page, &b->slot);
	return e4c_change_end(change);
}

/*
 * Convert some pages of an extent that was made for all of them, which may split
 * it. The handle has credits for one split of the worst kind; a forged volume can
 * ask for many. Those for which the journal has no room stay unwritten.
 */
static int run_convert(handle_t *handle, struct inode *inode, u32 first, u32 count)
{
	int missing = ext4_chunk_trans_blocks(inode, count) + e4c_convert_credits(inode) -
		      jbd2_handle_buffer_credits(handle);
	/* In each level a new block with its bitmap and descriptor. */
	int least = 3 * (ext_depth(inode) + 2) + e4c_convert_credits(inode);

	if (missing > 0 && ext4_journal_extend(handle, missing, 0) &&
	    jbd2_handle_buffer_credits(handle) < least)
		return -EIO;
	return ext4_convert_unwritten_extents(handle, inode, (loff_t)first << PAGE_SHIFT,
					      (ssize_t)count << PAGE_SHIFT);
}

/*
 * Convert the extents of the pages that are on the bios and not marked. They
 * are those of io_end->list_vec, except when submission broke off half-way or
 * something was not authentic: then the rest must stay unwritten.
 */
static int extents_convert(ext4_io_end_t *io_end, handle_t *handle)
{
	struct inode *inode = io_end->inode;
	struct ext4_io_end_vec *vec;
	struct e4c_bounce *b;
	struct walk w;
	loff_t expected = 0, good = 0;
	u32 first = 0, count = 0;
	int err = 0;

	list_for_each_entry(vec, &io_end->list_vec, list)
		expected += vec->size;
	walk_start(&w, io_end);
	while ((b = walk_next(&w)))
		good += b->failed ? 0 : PAGE_SIZE;

	if (good == expected) {
		list_for_each_entry(vec, &io_end->list_vec, list) {
			err = ext4_convert_unwritten_extents(handle, inode, vec->offset,
							     vec->size);
			if (err)
				break;
		}
		return err;
	}
	walk_start(&w, io_end);
	while (!err && (b = walk_next(&w))) {
		if (b->failed)
			continue;
		if (count && b->page == first + count) {
			count++;
			continue;
		}
		if (count)
			err = run_convert(handle, inode, first, count);
		first = b->page;
		count = 1;
	}
	if (!err && count)
		err = run_convert(handle, inode, first, count);
	return err;
}

/*
 * The conversion broke off: mark the pages that are still unwritten, so that
 * the others get their slots.
 */
static void mark_unconverted(ext4_io_end_t *io_end)
{
	struct e4c_bounce *b;
	struct walk w;

	walk_start(&w, io_end);
	while ((b = walk_next(&w))) {
		struct ext4_map_blocks map = { .m_lblk = b->page, .m_len = 1 };

		if (ext4_map_blocks(NULL, io_end->inode, &map, 0) < 0 ||
		    !(map.m_flags & EXT4_MAP_MAPPED))
			b->failed = true;
	}
}

/*
 * Hook in the completion of an io_end, in its reserved handle: check the slots, and leave
 * out what fails; convert the extents, which may fail; then set the slots, which may not.
 */
int e4c_io_end_convert(handle_t *handle, ext4_io_end_t *io_end)
{
	struct inode *inode = io_end->inode;
	struct e4c_change change;
	int err, err2;

	if (WARN_ON_ONCE(!handle || !e4c_info(inode)))
		return -EIO;
	err = e4c_change_begin(&change, handle, inode);
	if (!err) {
		err = pages_touch(io_end, &change);
		if (err)
			e4c_change_cancel(&change);
	}
	if (!err) {
		err = extents_convert(io_end, handle);
		if (err)
			mark_unconverted(io_end);
		err2 = pages_set(io_end, &change);
		err = err ? err : err2;
	}
	if (err)
		mapping_set_error(inode->i_mapping, err);
	return err;
}

/*
 * Hook in fsync, after the commit it waited for, which ended with @err. If the
 * journal gave up before that wait began, the conversion of what was just
 * written is lost with it, and waiting for a transaction that is gone says
 * nothing of that.
 */
int e4c_fsync_result(struct inode *inode, int err)
{
	if (!err && e4c_inode(inode) && is_journal_aborted(EXT4_JOURNAL(inode)))
		return -EIO;
	return err;
}
