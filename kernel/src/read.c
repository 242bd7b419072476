// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading. Readahead gathers pages that are contiguous on disk and of one tag block
 * into a bio; their tag block, if it is not cached, is read at the same time, and a worker
 * opens the pages when both are there. Everything rare is read page by page in
 * the caller: holes, blocks whose newest version is in the log, pages with
 * buffers.
 */
#include "e4c.h"
#include <linux/bio.h>
#include <linux/buffer_head.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>

/* One bio under way, from the submission to the worker. */
struct read_ctx {
	struct work_struct work;
	struct inode *inode;		/* stays: its pages are locked */
	struct bio *bio;
	struct e4c_node *node;		/* the tag block, if it was cached */
	struct buffer_head *tag_bh;	/* else: read along with the pages; may be NULL */
	ext4_fsblk_t next;		/* physical block that would continue the bio */
};

/*
 * Open page @page, whose block is written, with the slot in its tag block @node; NULL: the
 * tag block does not exist. 0 or -EIO (reported).
 */
static int page_open(struct e4c_op *op, struct inode *inode, u32 page, struct e4c_node *node,
		     const void *cipher, void *plain)
{
	struct e4c_slot slot;
	int err;

	if (!node)
		return e4c_report_page(inode, page, "a written block without a valid slot");
	slot = node->block->slot[e4c_page_slot(page)];
	if (!e4c_slot_valid(&slot))
		return e4c_report_page(inode, page, "a written block without a valid slot");
	err = e4c_page_open(op, page, cipher, plain, &slot);
	if (err == -EBADMSG)
		return e4c_report_page(inode, page, "the contents do not match the tag");
	return err;
}

/* The tag block of @page, from the cache or the disk, with a reference. NULL, ERR_PTR. */
static struct e4c_node *tag_block_get(struct e4c_op *op, struct inode *inode, u32 page)
{
	struct e4c_info *info = e4c_info(inode);
	struct e4c_node *node = e4c_node_peek(info, 0, e4c_page_block(page));

	if (node)
		return node;
	mutex_lock(&info->tag_lock);
	node = e4c_node_get(op, inode, 0, e4c_page_block(page));
	mutex_unlock(&info->tag_lock);
	return node;
}

/*
 * Zero what is past the end of the file: after a crash the disk may have old
 * contents there, and a mapping must not show them.
 */
static void zero_past_eof(struct inode *inode, struct folio *folio)
{
	loff_t size = i_size_read(inode);

	if (folio_pos(folio) >= size)
		folio_zero_segment(folio, 0, folio_size(folio));
	else if (folio_pos(folio) + folio_size(folio) > size)
		folio_zero_segment(folio, size - folio_pos(folio), folio_size(folio));
}

static void read_ctx_free(struct read_ctx *ctx)
{
	if (!IS_ERR_OR_NULL(ctx->node))
		e4c_node_put(ctx->node);
	brelse(ctx->tag_bh);
	bio_put(ctx->bio);
	kfree(ctx);
}

static void read_work(struct work_struct *work)
{
	struct read_ctx *ctx = container_of(work, struct read_ctx, work);
	unsigned int nofs = memalloc_nofs_save();
	struct inode *inode = ctx->inode;
	struct e4c_op *op = e4c_op_alloc(e4c_info(inode));
	struct folio_iter fi;

	if (!ctx->node)
		ctx->node = tag_block_get(op, inode, bio_first_folio_all(ctx->bio)->index);
	bio_for_each_folio_all(fi, ctx->bio) {
		struct folio *folio = fi.folio;
		int err = PTR_ERR_OR_ZERO(ctx->node);

		if (!err)
			err = page_open(op, inode, folio->index, ctx->node,
					folio_address(folio), folio_address(folio));
		if (!err)
			zero_past_eof(inode, folio);
		/* @inode may go with its last locked page, but not what a node refers to. */
		folio_end_read(folio, !err);
	}
	e4c_op_free(op);
	read_ctx_free(ctx);
	memalloc_nofs_restore(nofs);
}

static void read_end_io(struct bio *bio)
{
	struct read_ctx *ctx = bio->bi_private;
	struct folio_iter fi;

	if (!bio->bi_status) {
		queue_work(e4c_read_wq, &ctx->work);
		return;
	}
	bio_for_each_folio_all(fi, bio)
		folio_end_read(fi.folio, false);
	read_ctx_free(ctx);
}

static struct read_ctx *read_start(struct inode *inode, u32 page, ext4_fsblk_t pblk,
				   unsigned int nr, bool readahead)
{
	struct read_ctx *ctx = kzalloc(sizeof(*ctx), GFP_NOFS | __GFP_NOFAIL);

	INIT_WORK(&ctx->work, read_work);
	ctx->inode = inode;
	ctx->node = e4c_node_peek(e4c_info(inode), 0, e4c_page_block(page));
	if (!ctx->node)
		ctx->tag_bh = e4c_tag_read_ahead(inode, page);
	ctx->next = pblk;
	ctx->bio = bio_alloc(inode->i_sb->s_bdev, bio_max_segs(min(nr, E4C_BLOCK_SLOTS)),
			     REQ_OP_READ | (readahead ? REQ_RAHEAD : 0), GFP_NOFS);
	ctx->bio->bi_iter.bi_sector = (sector_t)pblk << (inode->i_blkbits - SECTOR_SHIFT);
	ctx->bio->bi_private = ctx;
	ctx->bio->bi_end_io = read_end_io;
	return ctx;
}

/* Read block @pblk from the disk, past the buffer cache. 0 or -errno. */
int e4c_block_read_sync(struct super_block *sb, ext4_fsblk_t pblk, struct folio *folio)
{
	struct bio_vec bv;
	struct bio bio;
	int err;

	bio_init(&bio, sb->s_bdev, &bv, 1, REQ_OP_READ);
	bio.bi_iter.bi_sector = (sector_t)pblk << (sb->s_blocksize_bits - SECTOR_SHIFT);
	bio_add_folio_nofail(&bio, folio, PAGE_SIZE, 0);
	err = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return err;
}

/* Read the written page @folio from @pblk or from the log. */
static int page_read(struct e4c_op *op, struct inode *inode, struct folio *folio,
		     ext4_fsblk_t pblk)
{
	struct e4c_node *node = tag_block_get(op, inode, folio->index);
	struct buffer_head *log_bh;
	int err = 0;

	if (IS_ERR(node))
		return PTR_ERR(node);
	log_bh = e4c_log_copy(inode->i_sb, pblk);
	if (!log_bh)
		err = e4c_block_read_sync(inode->i_sb, pblk, folio);
	if (!err)
		err = page_open(op, inode, folio->index, node,
				log_bh ? (void *)log_bh->b_data : folio_address(folio),
				folio_address(folio));
	brelse(log_bh);
	if (node)
		e4c_node_put(node);
	return err;
}

/* Fill @folio (locked, not uptodate) whatever its block is. 0 or -errno. */
static int folio_fill(struct inode *inode, struct folio *folio, struct ext4_map_blocks *map)
{
	struct e4c_op *op = e4c_op_alloc(e4c_info(inode));
	int err;

	if (map->m_flags & EXT4_MAP_MAPPED) {
		err = page_read(op, inode, folio, map->m_pblk);
	} else {
		err = e4c_pages_check_absent(inode, folio->index, folio->index + 1);
		folio_zero_segment(folio, 0, folio_size(folio));
	}
	e4c_op_free(op);
	if (!err)
		zero_past_eof(inode, folio);
	return err;
}

/*
 * Hook where ext4 would read the one block of @folio (locked) through its
 * buffer @bh, before a partial write or zeroing. 0 or -errno.
 */
int e4c_block_read(struct inode *inode, struct folio *folio, struct buffer_head *bh)
{
	struct ext4_map_blocks map = { .m_lblk = folio->index, .m_len = 1 };
	int err;

	if (!e4c_info(inode))
		return -ENOKEY;
	err = ext4_map_blocks(NULL, inode, &map, 0);
	if (err < 0)
		return err;
	err = folio_fill(inode, folio, &map);
	if (!err)
		set_buffer_uptodate(bh);
	return err;
}

/*
 * Hook before a write to a part of a page whose block ext4 does not know yet:
 * if it is a hole, that must be authentic, since the rest of the page becomes
 * zeros. 0 or -errno.
 */
int e4c_hole_check(struct inode *inode, struct folio *folio)
{
	struct ext4_map_blocks map = { .m_lblk = folio->index, .m_len = 1 };
	int err;

	if (!e4c_inode(inode) || folio_test_uptodate(folio) ||
	    folio_pos(folio) >= i_size_read(inode))
		return 0;
	if (!e4c_info(inode))
		return -ENOKEY;
	err = ext4_map_blocks(NULL, inode, &map, 0);
	if (err < 0)
		return err;
	if (map.m_flags & EXT4_MAP_MAPPED)
		return 0;
	return e4c_pages_check_absent(inode, folio->index, folio->index + 1);
}

/*
 * Hook in SEEK_DATA, under i_rwsem: pages from @offset to @data, where data
 * begins again (-ENXIO: not before the end), are holes according to the
 * extents. Programs that copy files do not read them, so this must be authentic,
 * too. Returns @data or -errno.
 */
loff_t e4c_seek_check(struct inode *inode, loff_t offset, loff_t data)
{
	loff_t end = data == -ENXIO ? i_size_read(inode) : data;
	u32 first, last;
	int err;

	if (!e4c_inode(inode) || end < 0 || offset < 0 || offset >= end)
		return data;
	if (!e4c_info(inode))
		return -ENOKEY;
	first = offset >> PAGE_SHIFT;
	last = DIV_ROUND_UP_ULL(end, PAGE_SIZE);
	err = e4c_pages_check_absent(inode, first, last);
	return err ? err : data;
}

/*
 * Hook in read_folio (@rac NULL) and readahead (@folio NULL). Errors are those
 * of single pages and stay with them. Returns 0.
 */
int e4c_readpages(struct inode *inode, struct readahead_control *rac, struct folio *folio)
{
	unsigned int nr = rac ? readahead_count(rac) : 1;
	u32 eof_page = DIV_ROUND_UP_ULL(i_size_read(inode), PAGE_SIZE);
	struct ext4_map_blocks map = {};
	struct read_ctx *ctx = NULL;

	for (; nr; nr--) {
		struct buffer_head *log_bh;
		u32 page, ahead;
		int err = 0;

		if (rac)
			folio = readahead_folio(rac);
		page = folio->index;
		if (WARN_ON_ONCE(!e4c_info(inode))) {
			folio_end_read(folio, false);
			continue;
		}
		if (folio_buffers(folio) && buffer_uptodate(folio_buffers(folio))) {
			/* Read, zeroed or written through its buffer: newer than the disk. */
			folio_end_read(folio, true);
			continue;
		}
		if (folio->index >= eof_page) {
			folio_zero_segment(folio, 0, folio_size(folio));
			folio_end_read(folio, true);
			continue;
		}
		ahead = page - map.m_lblk;
		if (!map.m_len || page < map.m_lblk || ahead >= map.m_len) {
			map.m_lblk = page;
			map.m_len = min(nr, eof_page - page);
			err = ext4_map_blocks(NULL, inode, &map, 0);
			if (err < 0) {
				map.m_len = 0;
				folio_end_read(folio, false);
				continue;
			}
			ahead = 0;
		}
		log_bh = NULL;
		if (map.m_flags & EXT4_MAP_MAPPED)
			log_bh = e4c_log_copy(inode->i_sb, map.m_pblk + ahead);
		brelse(log_bh);

		if (ctx && (log_bh || !(map.m_flags & EXT4_MAP_MAPPED) ||
			    page % E4C_BLOCK_SLOTS == 0 || ctx->next != map.m_pblk + ahead)) {
			submit_bio(ctx->bio);
			ctx = NULL;
		}
		if (!ctx && !log_bh && (map.m_flags & EXT4_MAP_MAPPED) && !folio_buffers(folio))
			ctx = read_start(inode, page, map.m_pblk + ahead, nr, rac);
		if (ctx && !folio_buffers(folio) && bio_add_folio(ctx->bio, folio, PAGE_SIZE, 0)) {
			ctx->next++;
			continue;
		}
		if (ctx) {
			/* A page that cannot join: what is gathered goes first. */
			submit_bio(ctx->bio);
			ctx = NULL;
		}
		if (map.m_flags & EXT4_MAP_MAPPED) {
			struct ext4_map_blocks one = map;

			one.m_pblk += ahead;
			err = folio_fill(inode, folio, &one);
		} else {
			err = folio_fill(inode, folio, &map);
		}
		folio_end_read(folio, !err);
	}
	if (ctx)
		submit_bio(ctx->bio);
	return 0;
}
