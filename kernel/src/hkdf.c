// SPDX-License-Identifier: GPL-2.0-only
/*
 * HKDF-SHA512 (RFC 5869) without salt: how keys come from the seed of an inode.
 *
 * Every inode that is opened or made comes through here. So the hash is one unkeyed
 * transform of the module, found once instead of for each inode, and what HMAC makes
 * of the salt, which is zeros, is hashed once as well.
 */
#include "e4c.h"
#include <crypto/hash.h>
#include <crypto/sha2.h>

#define HMAC_IPAD	0x36
#define HMAC_OPAD	0x5c

static struct crypto_shash *sha512;
/* The hash after the inner and the outer pad of the key that is zeros. */
static struct sha512_state no_salt_inner;
static struct sha512_state no_salt_outer;

/* Begin a hash with the block that HMAC makes of @key, one hash long, and @pad. */
static int hash_pad(struct shash_desc *desc, const u8 key[SHA512_DIGEST_SIZE], u8 pad)
{
	u8 block[SHA512_BLOCK_SIZE];
	int err = crypto_shash_init(desc);
	int i;

	memset(block, pad, sizeof(block));
	for (i = 0; i < SHA512_DIGEST_SIZE; i++)
		block[i] ^= key[i];
	if (!err)
		err = crypto_shash_update(desc, block, sizeof(block));
	memzero_explicit(block, sizeof(block));
	return err;
}

/* PRK = HMAC(zeros, @ikm) */
static int extract(struct shash_desc *desc, const u8 *ikm, unsigned int len,
		   u8 prk[SHA512_DIGEST_SIZE])
{
	int err = crypto_shash_import(desc, &no_salt_inner);

	if (!err)
		err = crypto_shash_finup(desc, ikm, len, prk);
	if (!err)
		err = crypto_shash_import(desc, &no_salt_outer);
	return err ? err : crypto_shash_finup(desc, prk, SHA512_DIGEST_SIZE, prk);
}

/* The first block of output: HMAC(@prk, @info, 1) */
static int expand(struct shash_desc *desc, const u8 prk[SHA512_DIGEST_SIZE], const void *info,
		  unsigned int len, u8 okm[SHA512_DIGEST_SIZE])
{
	static const u8 one = 1;
	int err = hash_pad(desc, prk, HMAC_IPAD);

	if (!err)
		err = crypto_shash_update(desc, info, len);
	if (!err)
		err = crypto_shash_finup(desc, &one, sizeof(one), okm);
	if (!err)
		err = hash_pad(desc, prk, HMAC_OPAD);
	return err ? err : crypto_shash_finup(desc, okm, SHA512_DIGEST_SIZE, okm);
}

/*
 * @out: @out_len (<= 64) bytes derived from @ikm for the purpose @info. 0 or -errno of
 * the hash.
 */
int e4c_hkdf(const u8 *ikm, unsigned int ikm_len, const void *info, unsigned int info_len,
	     u8 *out, unsigned int out_len)
{
	SHASH_DESC_ON_STACK(desc, sha512);
	u8 prk[SHA512_DIGEST_SIZE], okm[SHA512_DIGEST_SIZE];
	int err;

	desc->tfm = sha512;
	err = extract(desc, ikm, ikm_len, prk);
	if (!err)
		err = expand(desc, prk, info, info_len, okm);
	if (!err)
		memcpy(out, okm, out_len);
	shash_desc_zero(desc);
	memzero_explicit(prk, sizeof(prk));
	memzero_explicit(okm, sizeof(okm));
	return err;
}

static int hash_no_salt(u8 pad, struct sha512_state *state)
{
	static const u8 no_salt[SHA512_DIGEST_SIZE];
	SHASH_DESC_ON_STACK(desc, sha512);
	int err;

	desc->tfm = sha512;
	err = hash_pad(desc, no_salt, pad);
	return err ? err : crypto_shash_export(desc, state);
}

/* When the module is loaded. 0; -ENOENT: the kernel has no SHA-512; -errno. */
int e4c_hkdf_init(void)
{
	int err = 0;

	sha512 = crypto_alloc_shash("sha512", 0, 0);
	if (IS_ERR(sha512))
		return PTR_ERR(sha512);
	/* All of the kernel's have this state; another's would not fit. */
	if (crypto_shash_statesize(sha512) != sizeof(no_salt_inner))
		err = -EINVAL;
	if (!err)
		err = hash_no_salt(HMAC_IPAD, &no_salt_inner);
	if (!err)
		err = hash_no_salt(HMAC_OPAD, &no_salt_outer);
	if (err)
		crypto_free_shash(sha512);
	return err;
}

void e4c_hkdf_exit(void)
{
	crypto_free_shash(sha512);
}
