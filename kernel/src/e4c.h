/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The map of the kernel component, for its own files only.
 *
 * The invariant (docs/architecture.md): a block in a written extent has a valid
 * slot, an unwritten block or a hole has an absent one, and each change of that
 * state changes extent and slot in one journal transaction. It is kept by
 * letting each thing happen in one place:
 *
 *   a page is sealed, a page is opened, a group is sealed     aead.c
 *   a slot changes, the chain of groups changes               groups.c
 *   unwritten -> written                                      write.c
 *   written -> written with other contents                    overwrite.c
 *   written or unwritten -> hole                              remove.c
 *
 * Locks, outermost first: handle, page lock, e4c_info.group_lock, i_data_sem,
 * buffer lock. No handle is started under the page lock or any lock after it.
 * group_lock serialises changes of the chain of groups; a tag block's contents
 * are read and changed under its buffer lock.
 */
#ifndef E4C_H
#define E4C_H

#include "ext4.h"
#include "ext4_jbd2.h"
#include "ext4_extents.h"
#include "xattr.h"

#include <crypto/aead.h>
#include <linux/scatterlist.h>

#define E4C_U8 __u8
#define E4C_LE32 __le32
#define E4C_LE64 __le64
#include "format.h"

/*
 * One io_end covers at most this many blocks: what writeback holds in bounce
 * pages until the io_end completes.
 */
#define E4C_IO_PAGES 512
#define E4C_IO_GROUPS (DIV_ROUND_UP(E4C_IO_PAGES, E4C_GROUP_SLOTS) + 1)

/*
 * What an authenticated inode has in memory while its key is there. Made by
 * e4c_info_load() before the first access to contents, freed with the inode.
 */
struct e4c_info {
	struct crypto_aead *tfm;	/* keyed with the page key */
	u8 aead;			/* E4C_AEAD_* */

	spinlock_t nonce_lock;		/* protects the three below */
	u8 nonce_prefix[8];		/* random */
	u32 nonce_counter;
	u32 nonce_epoch;		/* e4c_epoch when the prefix was drawn */

	struct mutex group_lock;	/* serialises changes of the chain */
	struct e4c_sb_state *sb_state;
	u64 overwrite;			/* see e4c_data_in_log() */
};

static inline void e4c_count(struct e4c_sb_state *state, enum e4c_counter counter)
{
	atomic64_inc(&state->counter[counter]);
}

static inline struct e4c_info *e4c_info(struct inode *inode)
{
	/* Pairs with the cmpxchg_release() in e4c_info_load(). */
	return smp_load_acquire(&EXT4_I(inode)->i_e4c.info);
}

static inline u32 e4c_page_group(u32 page)
{
	return (page + 1) / E4C_GROUP_SLOTS;
}

static inline u32 e4c_page_slot(u32 page)
{
	return (page + 1) % E4C_GROUP_SLOTS;
}

/* The lowest page that group g serves. */
static inline u32 e4c_group_first_page(u32 g)
{
	return g ? g * E4C_GROUP_SLOTS - 1 : 0;
}

static inline struct e4c_tag_block *e4c_tag_block(struct buffer_head *bh)
{
	return (struct e4c_tag_block *)bh->b_data;
}

static inline u32 e4c_seal_next(const struct e4c_tag_block *block)
{
	return le32_to_cpu(block->seal.info) & E4C_INFO_NEXT_MASK;
}

/* module.c: -------------------------------------------------------------- */
extern struct workqueue_struct *e4c_read_wq;
extern atomic_t e4c_epoch;

/* key.c: ----------------------------------------------------------------- */
void e4c_nonce_draw(struct e4c_info *info, u8 nonce[E4C_NONCE_SIZE]);
int e4c_key_identifier(const u8 *key, unsigned int len, u8 identifier[16]);

/* aead.c: ---------------------------------------------------------------- */
/* Scratch memory of AEAD calls, for one caller at a time. */
struct e4c_op;
struct e4c_op *e4c_op_alloc(struct e4c_info *info);
void e4c_op_free(struct e4c_op *op);
int e4c_page_seal(struct e4c_op *op, u32 page, const void *plain, void *cipher,
		  struct e4c_slot *slot);
int e4c_page_open(struct e4c_op *op, u32 page, const void *cipher, void *plain,
		  const struct e4c_slot *slot);
int e4c_group_seal(struct e4c_op *op, u32 g, struct e4c_tag_block *block);
int e4c_group_verify(struct e4c_op *op, u32 g, const struct e4c_tag_block *block);

/* context.c: ------------------------------------------------------------- */
int e4c_context_read(struct inode *inode, struct e4c_context *ctx);
void e4c_aead_inherit(struct inode *dir, struct inode *inode);
int e4c_aead_get(struct file *filp, __u32 __user *arg);
int e4c_aead_set(struct file *filp, __u32 __user *arg);

/* groups.c: -------------------------------------------------------------- */
struct e4c_extent {
	ext4_lblk_t first;
	unsigned int len;
	ext4_fsblk_t pblk;
	bool written;
};
static inline bool e4c_covers(ext4_fsblk_t first, unsigned int len, ext4_fsblk_t block)
{
	return block >= first && block - first < len;
}
int e4c_extent_before(struct inode *inode, ext4_lblk_t lblk, struct e4c_extent *ext);
int e4c_group_before(struct inode *inode, s64 g, struct e4c_extent *at);
int e4c_blocks_remove(handle_t *handle, struct inode *inode, ext4_lblk_t first,
		      ext4_lblk_t last, bool *gone);

struct buffer_head *e4c_group_get(struct inode *inode, u32 g);
int e4c_group_wait(struct buffer_head *bh);
int e4c_group_copy(struct e4c_op *op, struct inode *inode, u32 g, struct buffer_head *bh,
		   struct e4c_tag_block *out);
int e4c_pages_check_absent(struct e4c_op *op, struct inode *inode, u32 first, u32 end);

/* Changing slots: open (may fail, changes nothing), then set, then close. */
int e4c_group_open(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g,
		   struct buffer_head *bh);
int e4c_slots_expect(struct inode *inode, u32 g, struct buffer_head *bh, u32 page, u32 count,
		     u32 state);
void e4c_slot_set(struct buffer_head *bh, u32 page, const struct e4c_slot *slot);
void e4c_slots_clear(struct buffer_head *bh, u32 page, u32 count);
int e4c_group_close(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g,
		    struct buffer_head *bh);
int e4c_group_drop(struct e4c_op *op, handle_t *handle, struct inode *inode, u32 g, s64 keep);

/* overwrite.c: ----------------------------------------------------------- */
struct buffer_head *e4c_log_copy(struct super_block *sb, ext4_fsblk_t pblk);
bool e4c_data_in_log(struct inode *inode);

/* policy.c: -------------------------------------------------------------- */
int e4c_per_user_get(struct file *filp, __u32 __user *arg);
int e4c_per_user_set(struct file *filp, __u32 __user *arg);

/* read.c: ---------------------------------------------------------------- */
int e4c_block_read_sync(struct super_block *sb, ext4_fsblk_t pblk, struct folio *folio);

/* report.c: -------------------------------------------------------------- */
int e4c_report_page(struct inode *inode, u32 page, const char *why);
int e4c_report_group(struct inode *inode, u32 g, const char *why);

#endif
