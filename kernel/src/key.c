// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys of an inode and the nonces drawn under them.
 *
 * States of EXT4_I(inode)->i_e4c.info: NULL until the first keyed access, then set
 * once and constant until the inode is evicted. fscrypt evicts the inode when
 * its master key is removed, so no key outlives its master key. The AEAD of an empty
 * directory may be chosen anew: that makes other keys, under the lock of the directory.
 *
 * The keys come from the contents key of the inode, which stays inside fs/crypto.
 * Directories and links have none there, only a key of names, and that one is an
 * oracle for who sees the disk: eight names of his choice would give him a seed. So
 * a short-lived pseudo inode stands for them, a regular file with their context.
 */
#include "e4c.h"
#include <linux/fscrypt.h>

static const char *aead_name(u8 aead)
{
	/*
	 * The fast gcm(aes) is an asynchronous algorithm: masking async ones
	 * out would silently choose the slow generic code.
	 */
	return aead == E4C_AEAD_AES_256_GCM ? "gcm(aes)" : "rfc7539(chacha20,poly1305)";
}

static int derive_keys(const u8 seed[E4C_KEY_SEED_SIZE], const struct e4c_context *ctx,
		       struct e4c_keys *keys)
{
	struct {
		u8 label[sizeof(E4C_KEY_INFO) - 1];
		struct e4c_context ctx;
	} __packed info = { .ctx = *ctx };

	BUILD_BUG_ON(sizeof(*keys) != 64);
	memcpy(info.label, E4C_KEY_INFO, sizeof(info.label));
	return e4c_hkdf(seed, E4C_KEY_SEED_SIZE, &info, sizeof(info), (u8 *)keys, sizeof(*keys));
}

/* The identifier that fscrypt gives to a master key: fs/crypto/hkdf.c. 0 or -errno. */
int e4c_key_identifier(const u8 *key, unsigned int len, u8 identifier[16])
{
	static const u8 info[] = "fscrypt\0\1";	/* without the last zero */

	return e4c_hkdf(key, len, info, sizeof(info) - 1, identifier, 16);
}

/*
 * What we can get of the contents key of the regular file @file is its XTS encryption
 * of a constant under a data unit number that no block has.
 */
static int file_seed(struct inode *file, u8 seed[E4C_KEY_SEED_SIZE])
{
	struct page *page = alloc_page(GFP_NOFS | __GFP_ZERO);
	int err;

	if (!page)
		return -ENOMEM;
	err = fscrypt_encrypt_block_inplace(file, page, E4C_KEY_SEED_SIZE, 0,
					    E4C_KEY_DATA_UNIT, GFP_NOFS);
	if (!err)
		memcpy(seed, page_address(page), E4C_KEY_SEED_SIZE);
	memzero_explicit(page_address(page), E4C_KEY_SEED_SIZE);
	__free_page(page);
	return err;
}

/*
 * The seed of a directory or link with the context @ctx. The pseudo inode is in no list but the
 * super block's and, while it lives, that of its master key.
 */
static int pseudo_seed(struct super_block *sb, const struct e4c_context *ctx,
		       u8 seed[E4C_KEY_SEED_SIZE])
{
	struct inode *pseudo = new_inode(sb);
	int err;

	if (!pseudo)
		return -ENOMEM;
	pseudo->i_mode = S_IFREG;
	pseudo->i_flags |= S_ENCRYPTED;
	EXT4_I(pseudo)->i_e4c.stands_for = ctx;
	err = __fscrypt_prepare_readdir(pseudo);
	if (!err && !fscrypt_has_encryption_key(pseudo))
		err = -ENOKEY;
	if (!err)
		err = file_seed(pseudo, seed);
	iput(pseudo);
	return err;
}

static struct crypto_aead *keyed_aead(u8 aead, const u8 key[E4C_KEY_SIZE])
{
	struct crypto_aead *tfm = crypto_alloc_aead(aead_name(aead), 0, 0);
	int err;

	if (IS_ERR(tfm))
		return tfm;
	err = -EINVAL;
	if (WARN_ON_ONCE(crypto_aead_ivsize(tfm) != E4C_NONCE_SIZE))
		goto err_free;
	err = crypto_aead_setauthsize(tfm, E4C_TAG_SIZE);
	if (!err)
		err = crypto_aead_setkey(tfm, key, E4C_KEY_SIZE);
	if (err)
		goto err_free;
	return tfm;

err_free:
	crypto_free_aead(tfm);
	return ERR_PTR(err);
}

/*
 * The keys of @inode with the context @ctx. May sleep for long, and takes no handle. ERR_PTR: -ENOKEY, -ENOMEM, -ENOENT: the kernel lacks the AEAD.
 */
struct e4c_info *e4c_info_make(struct inode *inode, const struct e4c_context *ctx)
{
	bool file = S_ISREG(inode->i_mode);
	struct e4c_info *info;
	u8 seed[E4C_KEY_SEED_SIZE];
	struct e4c_keys keys;
	int err;

	info = kzalloc(sizeof(*info), GFP_NOFS);
	if (!info)
		return ERR_PTR(-ENOMEM);
	err = file ? file_seed(inode, seed) : pseudo_seed(inode->i_sb, ctx, seed);
	if (!err)
		err = derive_keys(seed, ctx, &keys);
	if (!err && file) {
		info->tfm = keyed_aead(ctx->aead, keys.page);
		err = PTR_ERR_OR_ZERO(info->tfm);
	}
	if (!err) {
		memcpy(info->head_key, keys.head, sizeof(info->head_key));
		if (!file)
			memcpy(info->place_key, keys.page, sizeof(info->place_key));
	}
	memzero_explicit(seed, sizeof(seed));
	memzero_explicit(&keys, sizeof(keys));
	if (err) {
		kfree_sensitive(info);
		return ERR_PTR(err);
	}
	info->aead = ctx->aead;
	info->sb_state = &EXT4_SB(inode->i_sb)->s_e4c;
	if (file)
		strscpy(info->sb_state->aead_driver, crypto_aead_driver_name(info->tfm));
	spin_lock_init(&info->nonce_lock);
	info->nonce_counter = U32_MAX;	/* the first draw takes a prefix */
	mutex_init(&info->path_lock);
	mutex_init(&info->tag_lock);
	xa_init(&info->nodes);
	return info;
}

void e4c_info_destroy(struct e4c_info *info)
{
	if (IS_ERR_OR_NULL(info))
		return;
	e4c_nodes_free(info);
	if (info->tfm)
		crypto_free_aead(info->tfm);
	kfree(info->target);
	kfree_sensitive(info);
}

/*
 * The disk decides how ext4 stores a file, and only blocks in extents below the
 * tag area can have tags: other contents would be read unauthenticated.
 */
static bool layout_ok(struct inode *inode)
{
	return !S_ISREG(inode->i_mode) ||
	       (ext4_test_inode_flag(inode, EXT4_INODE_EXTENTS) &&
		!ext4_test_inode_flag(inode, EXT4_INODE_INLINE_DATA) &&
		!ext4_test_inode_flag(inode, EXT4_INODE_EA_INODE) &&
		!ext4_test_inode_flag(inode, EXT4_INODE_VERITY) &&
		!ext4_test_inode_flag(inode, EXT4_INODE_DAX) &&
		!ext4_has_inline_data(inode) &&
		!ext4_test_inode_state(inode, EXT4_STATE_MAY_INLINE_DATA));
}

/*
 * Nobody changes size, state or tree of an inode without its info. So what is checked here
 * is what stands when the info is seen: head and info become known together.
 */
static int info_load_locked(struct inode *inode)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	struct e4c_info *info = e4c_info_make(inode, &state->c.context);
	loff_t size = S_ISREG(inode->i_mode) ? READ_ONCE(EXT4_I(inode)->i_disksize) : 0;
	int err;

	if (IS_ERR(info))
		return PTR_ERR(info);
	err = e4c_head_check(inode, info, size);
	if (err) {
		e4c_info_destroy(info);
		return err;
	}
	spin_lock(&EXT4_I(inode)->i_raw_lock);
	state->head_known = true;
	state->head_size = size;
	smp_store_release(&state->info, info);
	spin_unlock(&EXT4_I(inode)->i_raw_lock);
	return 0;
}

/*
 * May the keys of the encrypted @inode be made? 0; -ENOKEY; -EUCLEAN (reported) and
 * all else of e4c_attribute_check().
 */
int e4c_info_allowed(struct inode *inode)
{
	int err = e4c_attribute_check(inode);

	if (err)
		return err;
	if (!fscrypt_has_encryption_key(inode))
		return -ENOKEY;
	if (!layout_ok(inode))
		return e4c_report_inode(inode, "the contents are not stored in extents below the tag area");
	return 0;
}

/*
 * Make the keys of @inode, a file, directory or link, ready and check its head: every
 * keyed access to contents or entries comes through here first. Does nothing for
 * inodes that are not encrypted. 0; -ENOKEY: the directory is locked; -EUCLEAN: the
 * attribute or the head is not what it must be, or the contents are not stored in
 * extents (reported); -EIO, -ENOMEM; -ENOENT: the kernel lacks the AEAD.
 */
int e4c_info_load(struct inode *inode)
{
	int err;

	if (!IS_ENCRYPTED(inode) || e4c_info(inode))
		return 0;
	err = e4c_info_allowed(inode);
	if (err)
		return err;
	mutex_lock(&EXT4_I(inode)->i_e4c.load_lock);
	err = e4c_info(inode) ? 0 : info_load_locked(inode);
	mutex_unlock(&EXT4_I(inode)->i_e4c.load_lock);
	return err;
}

/*
 * Make the keys of @inode ready where so far nobody asked fscrypt for its key. Not in a
 * handle. As e4c_info_load().
 */
int e4c_keys_require(struct inode *inode)
{
	int err = 0;

	if (IS_ENCRYPTED(inode) && !e4c_info(inode))
		err = __fscrypt_prepare_readdir(inode);
	return err ? err : e4c_info_load(inode);
}

/* Hook in inode allocation. */
void e4c_inode_init(struct ext4_inode_info *ei)
{
	ei->i_e4c = (struct e4c_inode_state){};
	mutex_init(&ei->i_e4c.load_lock);
}

/* Hook in inode eviction. */
void e4c_info_free(struct inode *inode)
{
	e4c_info_destroy(EXT4_I(inode)->i_e4c.info);
	EXT4_I(inode)->i_e4c.info = NULL;
}

/*
 * Draw a nonce that was never used under this inode's key: 64 random bits for
 * each life of the inode in memory, then a counter. The prefix is drawn anew
 * when the counter wraps and in a new epoch, which would otherwise repeat nonces.
 */
void e4c_nonce_draw(struct e4c_info *info, u8 nonce[E4C_NONCE_SIZE])
{
	u32 epoch = e4c_epoch_now();
	__le32 counter;

	spin_lock(&info->nonce_lock);
	if (info->nonce_counter == U32_MAX || info->nonce_epoch != epoch) {
		e4c_prefix_draw(info->nonce_prefix);
		info->nonce_counter = 0;
		info->nonce_epoch = epoch;
	}
	counter = cpu_to_le32(info->nonce_counter++);
	memcpy(nonce, info->nonce_prefix, sizeof(info->nonce_prefix));
	memcpy(nonce + sizeof(info->nonce_prefix), &counter, sizeof(counter));
	spin_unlock(&info->nonce_lock);
}
