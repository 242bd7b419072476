// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page key of an inode and the nonces drawn under it.
 *
 * States of EXT4_I(inode)->i_e4c.info: NULL until the first keyed access, then set
 * once and constant until the inode is evicted. fscrypt evicts the inode when
 * its master key is removed, so no page key outlives its master key.
 */
#include "e4c.h"
#include <crypto/hash.h>
#include <linux/fscrypt.h>
#include <linux/random.h>

static const char *aead_name(u8 aead)
{
	/*
	 * The fast gcm(aes) is an asynchronous algorithm: masking async ones
	 * out would silently choose the slow generic code.
	 */
	return aead == E4C_AEAD_AES_256_GCM ? "gcm(aes)" : "rfc7539(chacha20,poly1305)";
}

/* HMAC-SHA512 of two concatenated pieces. @out: 64 bytes. */
static int hmac2(struct crypto_shash *tfm, const u8 *key, unsigned int key_len,
		 const void *a, unsigned int a_len, const void *b, unsigned int b_len, u8 *out)
{
	SHASH_DESC_ON_STACK(desc, tfm);
	int err = crypto_shash_setkey(tfm, key, key_len);

	if (err)
		return err;
	desc->tfm = tfm;
	err = crypto_shash_init(desc);
	if (!err)
		err = crypto_shash_update(desc, a, a_len);
	if (!err)
		err = crypto_shash_finup(desc, b, b_len, out);
	shash_desc_zero(desc);
	return err;
}

/*
 * RFC 5869 with SHA-512, no salt, one block of output cut to @out_len (<= 64).
 * HKDF-Expand appends the block counter 1 to @info.
 */
static int hkdf(const u8 *ikm, unsigned int ikm_len, const void *info, unsigned int info_len,
		u8 *out, unsigned int out_len)
{
	static const u8 no_salt[64];
	static const u8 one = 1;
	struct crypto_shash *tfm;
	u8 prk[64], okm[64];
	int err;

	tfm = crypto_alloc_shash("hmac(sha512)", 0, 0);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	err = hmac2(tfm, no_salt, sizeof(no_salt), ikm, ikm_len, NULL, 0, prk);
	if (!err)
		err = hmac2(tfm, prk, sizeof(prk), info, info_len, &one, 1, okm);
	if (!err)
		memcpy(out, okm, out_len);
	memzero_explicit(prk, sizeof(prk));
	memzero_explicit(okm, sizeof(okm));
	crypto_free_shash(tfm);
	return err;
}

static int derive_key(const u8 seed[E4C_KEY_SEED_SIZE], const struct e4c_context *ctx,
		      u8 key[E4C_KEY_SIZE])
{
	struct {
		u8 label[sizeof(E4C_KEY_INFO) - 1];
		struct e4c_context ctx;
	} __packed info = { .ctx = *ctx };

	memcpy(info.label, E4C_KEY_INFO, sizeof(info.label));
	return hkdf(seed, E4C_KEY_SEED_SIZE, &info, sizeof(info), key, E4C_KEY_SIZE);
}

/* The identifier that fscrypt gives to a master key: fs/crypto/hkdf.c. 0 or -errno. */
int e4c_key_identifier(const u8 *key, unsigned int len, u8 identifier[16])
{
	static const u8 info[] = "fscrypt\0\1";	/* without the last zero */

	return hkdf(key, len, info, sizeof(info) - 1, identifier, 16);
}

/*
 * The per-file contents key itself stays inside fs/crypto. What we can get is
 * its XTS encryption of a constant under a data unit number that no block has.
 */
static int file_seed(struct inode *inode, u8 seed[E4C_KEY_SEED_SIZE])
{
	struct page *page = alloc_page(GFP_NOFS | __GFP_ZERO);
	int err;

	if (!page)
		return -ENOMEM;
	err = fscrypt_encrypt_block_inplace(inode, page, E4C_KEY_SEED_SIZE, 0,
					    E4C_KEY_DATA_UNIT, GFP_NOFS);
	if (!err)
		memcpy(seed, page_address(page), E4C_KEY_SEED_SIZE);
	memzero_explicit(page_address(page), E4C_KEY_SEED_SIZE);
	__free_page(page);
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

static struct e4c_info *info_alloc(struct inode *inode)
{
	struct e4c_context ctx;
	struct e4c_info *info;
	u8 seed[E4C_KEY_SEED_SIZE], key[E4C_KEY_SIZE];
	int err;

	err = e4c_context_read(inode, &ctx);
	if (err)
		return ERR_PTR(err);
	info = kzalloc(sizeof(*info), GFP_NOFS);
	if (!info)
		return ERR_PTR(-ENOMEM);
	err = file_seed(inode, seed);
	if (!err)
		err = derive_key(seed, &ctx, key);
	if (!err) {
		info->tfm = keyed_aead(ctx.aead, key);
		err = PTR_ERR_OR_ZERO(info->tfm);
	}
	memzero_explicit(seed, sizeof(seed));
	memzero_explicit(key, sizeof(key));
	if (err) {
		kfree(info);
		return ERR_PTR(err);
	}
	info->aead = ctx.aead;
	info->sb_state = &EXT4_SB(inode->i_sb)->s_e4c;
	strscpy(info->sb_state->aead_driver, crypto_aead_driver_name(info->tfm));
	spin_lock_init(&info->nonce_lock);
	info->nonce_counter = U32_MAX;	/* the first draw takes a prefix */
	mutex_init(&info->group_lock);
	/* An earlier life of the inode may have overwritten, but not later. */
	info->overwrite = READ_ONCE(info->sb_state->overwrite);
	return info;
}

static void info_free(struct e4c_info *info)
{
	if (!info)
		return;
	crypto_free_aead(info->tfm);
	kfree_sensitive(info);
}

/*
 * The disk decides how ext4 stores a file, and only blocks in extents below the
 * tag area can have tags: other contents would be read unauthenticated.
 */
static bool layout_ok(struct inode *inode)
{
	return inode->i_size <= inode->i_sb->s_maxbytes &&
	       ext4_test_inode_flag(inode, EXT4_INODE_EXTENTS) &&
	       !ext4_test_inode_flag(inode, EXT4_INODE_INLINE_DATA) &&
	       !ext4_test_inode_flag(inode, EXT4_INODE_EA_INODE) &&
	       !ext4_test_inode_flag(inode, EXT4_INODE_VERITY) &&
	       !ext4_test_inode_flag(inode, EXT4_INODE_DAX) &&
	       !ext4_has_inline_data(inode) &&
	       !ext4_test_inode_state(inode, EXT4_STATE_MAY_INLINE_DATA);
}

/*
 * Make the page key of @inode ready: hook in open and in a size change by path.
 * Every keyed access to contents comes through here first.
 * Does nothing for inodes that are not ours. 0; -ENOKEY: the directory is
 * locked; -EINVAL: the context on disk is not acceptable; -EIO: the contents are
 * not stored in extents below the tag area (reported); -ENOMEM; -ENOENT: the kernel lacks the AEAD.
 */
int e4c_info_load(struct inode *inode)
{
	struct e4c_info *info;

	if (!e4c_inode(inode) || e4c_info(inode))
		return 0;
	if (!fscrypt_has_encryption_key(inode))
		return -ENOKEY;
	if (!layout_ok(inode))
		return e4c_report_page(inode, 0, "the contents are not stored in extents below the tag area");
	info = info_alloc(inode);
	if (IS_ERR(info))
		return PTR_ERR(info);
	if (cmpxchg_release(&EXT4_I(inode)->i_e4c.info, NULL, info))
		info_free(info);
	return 0;
}

/* Hook in inode allocation. */
void e4c_inode_init(struct ext4_inode_info *ei)
{
	ei->i_e4c = (struct e4c_inode_state){};
}

/* Hook in inode eviction. */
void e4c_info_free(struct inode *inode)
{
	info_free(EXT4_I(inode)->i_e4c.info);
	EXT4_I(inode)->i_e4c.info = NULL;
}

/*
 * Draw a nonce that was never used under this inode's key: 64 random bits for
 * each life of the inode in memory, then a counter. The prefix is drawn anew
 * when the counter wraps and after the VM was restored from a snapshot, which
 * would otherwise repeat nonces.
 */
void e4c_nonce_draw(struct e4c_info *info, u8 nonce[E4C_NONCE_SIZE])
{
	u32 epoch = atomic_read(&e4c_epoch);
	__le32 counter;

	spin_lock(&info->nonce_lock);
	if (info->nonce_counter == U32_MAX || info->nonce_epoch != epoch) {
		get_random_bytes(info->nonce_prefix, sizeof(info->nonce_prefix));
		info->nonce_counter = 0;
		info->nonce_epoch = epoch;
	}
	counter = cpu_to_le32(info->nonce_counter++);
	memcpy(nonce, info->nonce_prefix, sizeof(info->nonce_prefix));
	memcpy(nonce + sizeof(info->nonce_prefix), &counter, sizeof(counter));
	spin_unlock(&info->nonce_lock);
}
