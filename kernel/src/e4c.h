/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The map of the kernel component, for its own files only.
 *
 * The invariants (docs/on-disk-format.md, section 8) are kept by letting each thing
 * happen in one place:
 *
 *   the attribute is read, is written                         attribute.c
 *   the head is computed, is checked                          head.c
 *   a place is set, is checked; LINKED changes                place.c
 *   head and place of another number are replaced             adopt.c
 *   a page is sealed, a page is opened, a block is sealed     aead.c
 *   a tag block or node is read and checked                   node.c
 *   a slot changes, the tree's form and top change            change.c
 *   a tag block or node comes into existence                  path.c
 *   unwritten -> written                                      write.c
 *   written -> written with other contents                    overwrite.c
 *   written or unwritten -> hole                              remove.c
 *   extents are looked up, blocks leave the extent tree       extent.c
 *
 * Locks, outermost first: load_lock, handle, page lock, e4c_info.path_lock, tag_lock,
 * i_data_sem, buffer lock, i_raw_lock. No handle is started under the page lock or any lock after it.
 *
 * jbd2 never lets two transactions have open handles at once. So what a handle has
 * put into the tree in memory, and what any inode update then writes as the head,
 * belong to the same transaction.
 */
#ifndef E4C_H
#define E4C_H

#include "ext4.h"
#include "ext4_jbd2.h"
#include "ext4_extents.h"
#include "xattr.h"

struct e4c_adopt;
struct e4c_get_entries;

#include <crypto/aead.h>
#include <linux/scatterlist.h>
#include <linux/xarray.h>

/*
 * One io_end covers at most this many blocks: what writeback holds in bounce
 * pages until the io_end completes.
 */
#define E4C_IO_PAGES 512
#define E4C_IO_BLOCKS (DIV_ROUND_UP(E4C_IO_PAGES, E4C_BLOCK_SLOTS) + 1)

/* Nodes above a tag block. */
#define E4C_PARENTS E4C_MAX_HEIGHT

/*
 * What an authenticated inode has in memory while its key is there. Made by
 * e4c_info_load() before the first access to contents or entries, freed with the
 * inode.
 */
struct e4c_info {
	struct crypto_aead *tfm;	/* keyed with the page key; NULL: not a regular file */
	u8 aead;			/* E4C_AEAD_* */
	u8 place_key[E4C_KEY_SIZE];	/* of a directory */
	u8 head_key[E4C_KEY_SIZE];

	spinlock_t nonce_lock;		/* protects the three below */
	u8 nonce_prefix[8];		/* random */
	u32 nonce_counter;
	u32 nonce_epoch;		/* e4c_epoch_now() when the prefix was drawn */

	struct mutex path_lock;		/* blocks of the tree are mapped and made, or go and are freed */
	struct mutex tag_lock;		/* the tree changes, and is read from the disk */
	struct e4c_slot top;		/* changes under tag_lock and i_raw_lock: either to read */
	struct xarray nodes;		/* see node.c */
	u32 wanted;			/* the page for whose tag block writeback waits: a hint */
	u64 unmakeable;			/* 0, or 2^32 + a page whose tag block cannot be made */

	u8 *target;			/* of a symbolic link, as stored; constant once set */
	unsigned int target_len;	/* bytes */

	struct e4c_sb_state *sb_state;
};

static inline void e4c_count(struct e4c_sb_state *state, enum e4c_counter counter)
{
	atomic64_inc(&state->counter[counter]);
}

static inline struct e4c_info *e4c_info(struct inode *inode)
{
	/* Pairs with the smp_store_release() where it is set. */
	return smp_load_acquire(&EXT4_I(inode)->i_e4c.info);
}

/* Files, directories and links have contents, and with them a head; special files do not. */
static inline bool e4c_has_contents(const struct inode *inode)
{
	return S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode) || S_ISLNK(inode->i_mode);
}

static inline u32 e4c_page_block(u32 page)
{
	return page / E4C_BLOCK_SLOTS;
}

static inline u32 e4c_page_slot(u32 page)
{
	return page % E4C_BLOCK_SLOTS;
}

/* Block @index of @level as a logical block. */
static inline ext4_lblk_t e4c_lblk(unsigned int level, u32 index)
{
	static const ext4_lblk_t first[] = {
		E4C_LEVEL_0_LBLK, E4C_LEVEL_1_LBLK, E4C_LEVEL_2_LBLK,
		E4C_LEVEL_3_LBLK, E4C_LEVEL_4_LBLK,
	};

	return first[level] + index;
}

/* How many blocks @level can have. */
static inline u32 e4c_level_blocks(unsigned int level)
{
	static const u32 count[] = {
		E4C_LEVEL_0_BLOCKS, E4C_LEVEL_1_BLOCKS, E4C_LEVEL_2_BLOCKS,
		E4C_LEVEL_3_BLOCKS, E4C_LEVEL_4_BLOCKS,
	};

	return count[level];
}

/* The number in @level of the block above page @page. */
static inline u32 e4c_index(unsigned int level, u32 page)
{
	u32 index = e4c_page_block(page);

	while (level--)
		index /= E4C_BLOCK_SLOTS;
	return index;
}

/* The lowest height at which the top covers page @page. */
static inline unsigned int e4c_height_for(u32 page)
{
	unsigned int height = 0;
	u32 index = e4c_page_block(page);

	for (; index; index /= E4C_BLOCK_SLOTS)
		height++;
	return height;
}

static inline bool e4c_slot_is_zero(const struct e4c_slot *slot)
{
	return !memchr_inv(slot, 0, sizeof(*slot));
}

static inline bool e4c_slot_valid(const struct e4c_slot *slot)
{
	u32 text = le32_to_cpu(slot->info);

	return text >= 1 && text <= E4C_BLOCK_SIZE;
}

/* Reads of the state of an inode. It changes under tag_lock and i_raw_lock. */
static inline u32 e4c_state(struct inode *inode)
{
	return le32_to_cpu(READ_ONCE(EXT4_I(inode)->i_e4c.c.state));
}

static inline unsigned int e4c_form(u32 state)
{
	return state & E4C_STATE_FORM_MASK;
}

static inline unsigned int e4c_height(u32 state)
{
	return (state & E4C_STATE_HEIGHT_MASK) >> E4C_STATE_HEIGHT_SHIFT;
}

static inline bool e4c_linked(struct inode *inode)
{
	return EXT4_I(inode)->i_e4c.kind == E4C_ATTRIBUTE_FULL &&
	       (e4c_state(inode) & E4C_STATE_LINKED);
}

/* module.c: -------------------------------------------------------------- */
extern struct workqueue_struct *e4c_read_wq;

/* epoch.c: --------------------------------------------------------------- */
int e4c_epoch_init(void);
void e4c_epoch_exit(void);
u32 e4c_epoch_now(void);
void e4c_prefix_draw(u8 prefix[8]);

/* hkdf.c: ---------------------------------------------------------------- */
int e4c_hkdf_init(void);
void e4c_hkdf_exit(void);
int e4c_hkdf(const u8 *ikm, unsigned int ikm_len, const void *info, unsigned int info_len,
	     u8 *out, unsigned int out_len);

/* key.c: ----------------------------------------------------------------- */
void e4c_nonce_draw(struct e4c_info *info, u8 nonce[E4C_NONCE_SIZE]);
int e4c_key_identifier(const u8 *key, unsigned int len, u8 identifier[16]);
struct e4c_info *e4c_info_make(struct inode *inode, const struct e4c_context *ctx);
void e4c_info_destroy(struct e4c_info *info);
int e4c_info_allowed(struct inode *inode);
int e4c_keys_require(struct inode *inode);

/* aead.c: ---------------------------------------------------------------- */
/* Scratch memory of AEAD calls, for one caller at a time. */
struct e4c_op;
struct e4c_op *e4c_op_alloc(struct e4c_info *info);
void e4c_op_free(struct e4c_op *op);
int e4c_page_seal(struct e4c_op *op, u32 page, const void *plain, unsigned int text,
		  void *cipher, struct e4c_slot *slot);
int e4c_page_open(struct e4c_op *op, u32 page, const void *cipher, void *plain,
		  const struct e4c_slot *slot);
int e4c_block_seal(struct e4c_op *op, unsigned int level, u32 index, struct e4c_tag_block *block);
int e4c_block_verify(struct e4c_op *op, unsigned int level, u32 index,
		     const struct e4c_tag_block *block);

/* attribute.c: ----------------------------------------------------------- */
int e4c_attribute_check(struct inode *inode);
void e4c_state_set(struct inode *inode, u32 mask, u32 bits);
void e4c_count_change(struct inode *inode);
int e4c_aead_get(struct file *filp, __u32 __user *arg);
int e4c_aead_set(struct file *filp, __u32 __user *arg);

/* head.c: ---------------------------------------------------------------- */
int e4c_head_load(struct inode *inode, struct e4c_info *info);
bool e4c_head_matches(struct inode *inode, struct e4c_info *info, loff_t size, u64 number);
int e4c_head_check(struct inode *inode, struct e4c_info *info, loff_t size);
void e4c_head_update(struct inode *inode, loff_t size);
void e4c_mac_inode_fill(struct e4c_mac_inode *mac, struct inode *inode, u8 domain);

/* extent.c: -------------------------------------------------------------- */
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
int e4c_blocks_remove(handle_t *handle, struct inode *inode, ext4_lblk_t first,
		      ext4_lblk_t last, bool *gone);

/* node.c: ---------------------------------------------------------------- */
/*
 * The private copy of a tag block or node that exists: verified, and the only
 * source of its slots. Its contents change under tag_lock. Who holds a reference
 * may read a slot at any time if the page of that slot cannot change meanwhile,
 * because it is locked or under writeback.
 */
struct e4c_node {
	refcount_t ref;		/* one of the cache, one of each cached child, one of each user */
	u8 level;
	bool recent;		/* was used since the shrinker last looked */
	u32 index;		/* in its level */
	ext4_fsblk_t pblk;
	struct e4c_node *parent;	/* tag_lock; with a reference; NULL: the top */
	struct e4c_info *info;	/* whose cache it is in */
	struct list_head lru;	/* nodes_lock */
	struct rcu_head rcu;
	struct e4c_tag_block *block;
};
struct e4c_node *e4c_node_peek(struct e4c_info *info, unsigned int level, u32 index);
struct e4c_node *e4c_node_get(struct e4c_op *op, struct inode *inode, unsigned int level,
			      u32 index);
struct e4c_node *e4c_node_add(struct e4c_info *info, unsigned int level, u32 index,
			      ext4_fsblk_t pblk, struct e4c_tag_block *block,
			      struct e4c_node *parent);
int e4c_top_load(struct inode *inode, struct e4c_info *info);
void e4c_node_put(struct e4c_node *node);
bool e4c_node_cached(struct e4c_node *node);
void e4c_node_drop(struct e4c_node *node);
void e4c_node_adopt(struct e4c_node *child, struct e4c_node *parent);
void e4c_nodes_forget(struct e4c_info *info);
void e4c_nodes_free(struct e4c_info *info);
struct buffer_head *e4c_tag_read_ahead(struct inode *inode, u32 page);
int e4c_pages_check_absent(struct inode *inode, u32 first, u32 end);

/* change.c: -------------------------------------------------------------- */
struct e4c_change {
	struct inode *inode;
	handle_t *handle;
	struct e4c_op *op;
	struct ext4_iloc iloc;
	struct list_head touched[E4C_MAX_HEIGHT + 1];	/* by level */
	unsigned int count;	/* blocks touched: what end() will take of the credits */
	bool locked;		/* tag_lock is held */
	bool changed;		/* a slot or the form has changed in memory */
	bool failed;		/* a slot had nowhere to go */
};
int e4c_change_begin(struct e4c_change *change, handle_t *handle, struct inode *inode);
int e4c_change_touch(struct e4c_change *change, u32 page);
int e4c_change_touch_node(struct e4c_change *change, unsigned int level, u32 index);
struct e4c_slot *e4c_change_slot(struct e4c_change *change, u32 page);
bool e4c_change_touches(struct e4c_change *change, ext4_fsblk_t pblk, unsigned int len);
int e4c_change_lock(struct e4c_change *change);
void e4c_change_set(struct e4c_change *change, u32 page, const struct e4c_slot *slot);
void e4c_change_clear(struct e4c_change *change, u32 page, u32 count);
bool e4c_change_exists(struct e4c_change *change, unsigned int level, u32 index);
int e4c_change_create(struct e4c_change *change, unsigned int level, u32 index,
		      ext4_fsblk_t pblk, bool fresh);
void e4c_change_unlink(struct e4c_change *change, unsigned int level, u32 index);
void e4c_change_empty(struct e4c_change *change);
int e4c_change_end(struct e4c_change *change);
void e4c_change_cancel(struct e4c_change *change);

/* overwrite.c: ----------------------------------------------------------- */
struct buffer_head *e4c_log_copy(struct super_block *sb, ext4_fsblk_t pblk);

/* record.c: -------------------------------------------------------------- */
void e4c_record_init(struct super_block *sb);
void e4c_record_free(struct super_block *sb);
void e4c_overwrite_note(handle_t *handle, struct inode *inode);
bool e4c_data_in_log(struct inode *inode);
void e4c_overwrites_throttle(struct inode *inode);

/* write.c: --------------------------------------------------------------- */
int e4c_bounce_init(void);
void e4c_bounce_exit(void);
unsigned int e4c_text_len(struct inode *inode, struct folio *folio);

/* path.c: ---------------------------------------------------------------- */
void e4c_reservations_release(struct inode *inode, u32 first, u32 end);
int e4c_path_make(struct inode *inode, u32 page);

/* place.c: --------------------------------------------------------------- */
void e4c_place_mac(struct inode *dir, struct inode *inode, u64 number, const void *name,
		   unsigned int len, u8 out[E4C_MAC_SIZE]);
int e4c_entry_find(struct inode *dir, const struct qstr *name, struct e4c_name *stored,
		   unsigned long *number);
void e4c_place_renew(handle_t *handle, struct inode *dir, struct inode *inode,
		     const void *name, unsigned int len);

/* adopt.c: --------------------------------------------------------------- */
int e4c_adopt(struct file *filp, struct e4c_adopt __user *uarg);

/* entries.c: ------------------------------------------------------------- */
int e4c_entries_get(struct file *filp, struct e4c_get_entries __user *uarg);

/* default_keys.c: -------------------------------------------------------- */
int e4c_per_user_get(struct file *filp, __u32 __user *arg);
int e4c_per_user_set(struct file *filp, __u32 __user *arg);

/* read.c: ---------------------------------------------------------------- */
int e4c_block_read_sync(struct super_block *sb, ext4_fsblk_t pblk, struct folio *folio);

/* report.c: -------------------------------------------------------------- */
int e4c_report_page(struct inode *inode, u32 page, const char *why);
int e4c_report_block(struct inode *inode, unsigned int level, u32 index, const char *why);
int e4c_report_inode(struct inode *inode, const char *why);

#endif
