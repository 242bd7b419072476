/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ext4 may call: included at the end of ext4.h, and the only header of
 * ours that ext4 sees. Every hook is a call of one of these functions.
 *
 * "Our inode": a regular file with the encrypt flag. On this file system type
 * its contents are authenticated, or it cannot be opened at all.
 */
#ifndef E4C_HOOKS_H
#define E4C_HOOKS_H

static inline bool e4c_inode(const struct inode *inode)
{
	return IS_ENCRYPTED(inode) && S_ISREG(inode->i_mode);
}

/* module.c */
int e4c_module_init(void);
void e4c_module_exit(void);

/* mount.c */
int e4c_mount_check(struct super_block *sb);
int e4c_extra_isize_check(struct super_block *sb, unsigned int wanted);

/* options.c */
struct fs_context;
struct fs_parameter;
struct seq_file;
int e4c_parse_param(struct e4c_options *options, struct fs_context *fc, struct fs_parameter *param);
void e4c_apply_options(struct super_block *sb, const struct e4c_options *options);
void e4c_restore_options(struct super_block *sb);
void e4c_show_options(struct seq_file *seq, char sep, struct super_block *sb);

/* attribute.c */
struct ext4_inode;
int e4c_context_get(struct inode *inode, void *ctx, size_t len);
int e4c_context_set(struct inode *inode, const void *ctx, size_t len, bool is_new);
void e4c_context_unset(struct inode *inode);
int e4c_context_store(handle_t *handle, struct inode *inode);
void e4c_attribute_read(struct inode *inode, struct ext4_inode *raw);
void e4c_attribute_fill(struct inode *inode, struct ext4_inode *raw);
int e4c_attribute_prepare(struct inode *dir, struct inode *inode, bool encrypt);
int e4c_attribute_make(handle_t *handle, struct inode *inode);

int e4c_open_check(struct inode *inode);
loff_t e4c_size_from_disk(struct inode *inode, loff_t size);
static inline loff_t e4c_size_to_disk(struct inode *inode, loff_t size)
{
	return EXT4_I(inode)->i_e4c.biased ? size + E4C_SIZE_BIAS : size;
}

/* head.c */
int e4c_target_set(struct inode *inode, const void *target, unsigned int len);
const void *e4c_link_target(struct inode *inode, unsigned int *len);
int e4c_link_stat(int err);

/* place.c */
int e4c_entry_begin(struct inode *dir);
int e4c_place_set(handle_t *handle, struct inode *dir, struct inode *inode, const void *name,
		  unsigned int len);
void e4c_name_copy(struct e4c_name *name, const struct ext4_dir_entry_2 *de);
int e4c_dir_check(struct inode *dir);
int e4c_lookup_check(struct inode *dir, struct inode *inode, const struct e4c_name *name);
int e4c_name_check(struct inode *dir, umode_t mode, dev_t rdev);
int e4c_rename_check(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
		     struct dentry *to, bool exchange);
int e4c_enter_prepare(struct inode *dir, struct inode *inode);
int e4c_link_prepare(struct inode *dir, struct inode *inode);
void e4c_link_begin(struct inode *inode);
void e4c_unlink_prepare(struct inode *inode);
void e4c_name_gone(struct inode *dir, struct inode *inode, const struct e4c_name *name);
void e4c_count_change(struct inode *inode);

/* node.c */
long e4c_nodes_count(struct super_block *sb, struct shrink_control *sc);
long e4c_nodes_shrink(struct super_block *sb, struct shrink_control *sc);

/* default_keys.c */
const union fscrypt_policy *e4c_policy_answer(void);
int e4c_prepare_new_inode(struct inode *dir, struct inode *inode, bool *encrypt);
int e4c_prepare_symlink(struct inode *dir, const char *target, unsigned int len,
			unsigned int max_len, struct fscrypt_str *disk_link);

/* ext4's own, namei.c */
struct buffer_head *ext4_find_entry(struct inode *dir, const struct qstr *name,
				    struct ext4_dir_entry_2 **de, int *inlined);

/* ioctl.c */
long e4c_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);

/* sysfs.c */
void e4c_sysfs_add(struct super_block *sb);
void e4c_sysfs_remove(struct super_block *sb);

static inline bool e4c_flags_fixed(const struct inode *inode, unsigned int changed)
{
	return e4c_inode(inode) && (changed & (EXT4_JOURNAL_DATA_FL | EXT4_EXTENTS_FL));
}

/* key.c */
void e4c_inode_init(struct ext4_inode_info *ei);
int e4c_info_load(struct inode *inode);
void e4c_info_free(struct inode *inode);

/* read.c */
int e4c_readpages(struct inode *inode, struct readahead_control *rac, struct folio *folio);
int e4c_hole_check(struct inode *inode, struct folio *folio);
loff_t e4c_seek_check(struct inode *inode, loff_t offset, loff_t data);
int e4c_block_read(struct inode *inode, struct folio *folio, struct buffer_head *bh);

/* write.c */
struct folio *e4c_folio_bounce(struct ext4_io_submit *io, struct folio *folio);
int e4c_folio_fail(struct ext4_io_submit *io, struct folio *folio, int err);
bool e4c_folio_is_bounce(struct folio *folio);
struct folio *e4c_folio_of_bounce(struct folio *bounce);
void e4c_bounce_free(struct folio *bounce);
bool e4c_io_end_failed(ext4_io_end_t *io_end);
int e4c_io_end_convert(handle_t *handle, ext4_io_end_t *io_end);
int e4c_fsync_result(struct inode *inode, int err);

/* overwrite.c */
bool e4c_buffer_waits(struct inode *inode, ext4_lblk_t lblk, struct buffer_head *bh, bool do_map);
bool e4c_folio_waits(struct inode *inode, struct e4c_overwrites *o);
int e4c_folio_journal(struct e4c_overwrites **o, struct inode *inode, struct folio *folio,
		      struct writeback_control *wbc);
int e4c_overwrites_end(struct e4c_overwrites **o);
int e4c_overwrites_credits(struct e4c_overwrites *o);
int e4c_zero_credits(struct inode *inode);
int e4c_folio_zeroed(handle_t *handle, struct inode *inode, struct folio *folio);

/* path.c */
int e4c_tag_reserve(struct inode *inode, ext4_lblk_t lblk);
int e4c_tags_preallocate(struct inode *inode, ext4_lblk_t first, ext4_lblk_t count);
void e4c_writepages_begin(struct inode *inode, pgoff_t first, pgoff_t last);
int e4c_tree_check(struct inode *inode, ext4_lblk_t lblk, unsigned int *len);
int e4c_path_wanted(struct inode *inode);

/* space.c */
struct ext4_extent;
int e4c_writepages_credits(struct inode *inode);
int e4c_convert_credits(struct inode *inode);
unsigned int e4c_nofail_flags(struct inode *inode);
void e4c_pages_lost(struct inode *inode, int err);
bool e4c_goal_is_far(struct inode *inode, ext4_lblk_t block, ext4_lblk_t other);
bool e4c_counts_reserved(struct inode *inode);
int e4c_free_revokes(struct inode *inode, ext4_lblk_t from, int blocks, bool unwritten,
		     int credits);
int e4c_free_flags(struct inode *inode, int flags);
bool e4c_leaf_maps_itself(struct ext4_extent *ex, ext4_fsblk_t leaf);
int e4c_extent_may_go(struct inode *inode, struct ext4_ext_path *path, struct ext4_extent *ex);
bool e4c_node_holds(struct buffer_head *bh, int depth);

/* remove.c */
int e4c_punch(handle_t *handle, struct inode *inode, ext4_lblk_t first, ext4_lblk_t end);
int e4c_zero_range(struct inode *inode, ext4_lblk_t first, ext4_lblk_t count);
loff_t e4c_disksize(struct inode *inode, loff_t size);
bool e4c_keeps_orphan(struct inode *inode);
int e4c_truncate(handle_t *handle, struct inode *inode);
int e4c_truncate_result(struct inode *inode, int err);

#endif
