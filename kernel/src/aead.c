// SPDX-License-Identifier: GPL-2.0-only
/*
 * The four AEAD calls of the format, and the only ones: seal and open a page,
 * seal and verify a tag block or node. docs/on-disk-format.md, section 5.
 */
#include "e4c.h"

struct e4c_op {
	struct e4c_info *info;
	struct crypto_wait wait;
	struct scatterlist src[3];
	struct scatterlist dst[3];
	struct e4c_aad aad;
	u8 iv[E4C_NONCE_SIZE];
	u8 tag[E4C_TAG_SIZE];
	struct aead_request req;	/* last: the driver's context follows */
};

/*
 * Never fails: writeback must not. The size is that of a few cache lines plus
 * the driver's request context, well below a page.
 */
struct e4c_op *e4c_op_alloc(struct e4c_info *info)
{
	struct e4c_op *op = kzalloc(sizeof(*op) + crypto_aead_reqsize(info->tfm),
				    GFP_NOFS | __GFP_NOFAIL);

	op->info = info;
	crypto_init_wait(&op->wait);
	aead_request_set_tfm(&op->req, info->tfm);
	aead_request_set_callback(&op->req,
				  CRYPTO_TFM_REQ_MAY_BACKLOG | CRYPTO_TFM_REQ_MAY_SLEEP,
				  crypto_req_done, &op->wait);
	return op;
}

void e4c_op_free(struct e4c_op *op)
{
	kfree_sensitive(op);
}

static void set_aad(struct e4c_op *op, u8 domain, unsigned int level, u64 index, __le32 info)
{
	BUILD_BUG_ON(sizeof(struct e4c_aad) != 32);
	BUILD_BUG_ON(sizeof(struct e4c_slot) != 32);
	BUILD_BUG_ON(sizeof(struct e4c_tag_block) != E4C_BLOCK_SIZE);
	op->aad = (struct e4c_aad){
		.magic = { 'E', '4', 'C', '2' },
		.revision = E4C_FORMAT_REVISION,
		.domain = domain,
		.aead = op->info->aead,
		.level = level,
		.index = cpu_to_le64(index),
		.info = info,
	};
}

static void set_sg(struct e4c_op *op, struct scatterlist sg[3], const void *data, size_t len)
{
	sg_init_table(sg, 3);
	sg_set_buf(&sg[0], &op->aad, sizeof(op->aad));
	sg_set_buf(&sg[1], data, len);
	sg_set_buf(&sg[2], op->tag, sizeof(op->tag));
}

static int run(struct e4c_op *op, bool seal, unsigned int assoc_len, unsigned int text_len)
{
	int err;

	aead_request_set_ad(&op->req, assoc_len);
	aead_request_set_crypt(&op->req, op->src, op->dst,
			       seal ? text_len : text_len + E4C_TAG_SIZE, op->iv);
	if (seal)
		err = crypto_aead_encrypt(&op->req);
	else
		err = crypto_aead_decrypt(&op->req);
	return crypto_wait_req(err, &op->wait);
}

/*
 * Seal the first @text bytes (1..4096) of @plain, page @page, into @cipher (4096
 * bytes; zeros past @text) under a fresh nonce and fill @slot. @plain and @cipher
 * must be in the linear mapping; the same address is not allowed.
 */
int e4c_page_seal(struct e4c_op *op, u32 page, const void *plain, unsigned int text,
		  void *cipher, struct e4c_slot *slot)
{
	int err;

	slot->info = cpu_to_le32(text);
	e4c_nonce_draw(op->info, slot->nonce);
	memcpy(op->iv, slot->nonce, sizeof(op->iv));
	set_aad(op, E4C_DOMAIN_PAGE, 0, page, slot->info);
	set_sg(op, op->src, plain, text);
	set_sg(op, op->dst, cipher, text);
	err = run(op, true, sizeof(op->aad), text);
	memset(cipher + text, 0, E4C_BLOCK_SIZE - text);
	memcpy(slot->tag, op->tag, sizeof(slot->tag));
	e4c_count(op->info->sb_state, E4C_PAGES_SEALED);
	return err;
}

/*
 * Open @cipher of page @page into @plain (4096 bytes, may be the same) with a valid
 * @slot; past its text bytes @plain is zeros. 0, or -EBADMSG: not authentic; then all
 * of @plain is zeroed, since drivers may leave unverified text.
 */
int e4c_page_open(struct e4c_op *op, u32 page, const void *cipher, void *plain,
		  const struct e4c_slot *slot)
{
	unsigned int text = le32_to_cpu(slot->info);
	int err;

	memcpy(op->iv, slot->nonce, sizeof(op->iv));
	memcpy(op->tag, slot->tag, sizeof(op->tag));
	set_aad(op, E4C_DOMAIN_PAGE, 0, page, slot->info);
	set_sg(op, op->src, cipher, text);
	set_sg(op, op->dst, plain, text);
	err = run(op, false, sizeof(op->aad), text);
	if (err)
		text = 0;
	memset(plain + text, 0, E4C_BLOCK_SIZE - text);
	if (!err)
		e4c_count(op->info->sb_state, E4C_PAGES_OPENED);
	return err;
}

static int seal_run(struct e4c_op *op, bool seal, unsigned int level, u32 index,
		    const struct e4c_tag_block *block)
{
	memcpy(op->iv, block->seal.nonce, sizeof(op->iv));
	memcpy(op->tag, block->seal.tag, sizeof(op->tag));
	set_aad(op, E4C_DOMAIN_SEAL, level, index, block->seal.info);
	set_sg(op, op->src, block->slot, sizeof(block->slot));
	set_sg(op, op->dst, block->slot, sizeof(block->slot));
	return run(op, seal, sizeof(op->aad) + sizeof(block->slot), 0);
}

/* Seal @block, whose slots are final, under a fresh nonce. */
int e4c_block_seal(struct e4c_op *op, unsigned int level, u32 index, struct e4c_tag_block *block)
{
	int err;

	block->seal.info = cpu_to_le32(E4C_INFO_SEAL);
	e4c_nonce_draw(op->info, block->seal.nonce);
	err = seal_run(op, true, level, index, block);
	memcpy(block->seal.tag, op->tag, sizeof(block->seal.tag));
	return err;
}

/* 0, or -EBADMSG: not authentic. */
int e4c_block_verify(struct e4c_op *op, unsigned int level, u32 index,
		     const struct e4c_tag_block *block)
{
	if (block->seal.info != cpu_to_le32(E4C_INFO_SEAL))
		return -EBADMSG;
	return seal_run(op, false, level, index, block);
}
