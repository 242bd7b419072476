// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents: what is mapped where, and blocks leave the extent tree. The calls of ext4's
 * extent code that change most from one kernel to the next are here.
 */
#include "e4c.h"

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
