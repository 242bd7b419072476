// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encryption contexts: translation between the disk (version 0xA2) and what
 * fscrypt understands (version 2), and the check that a policy is one that can
 * be authenticated. Both directions check, because the disk is hostile.
 *
 * The AEAD is no part of fscrypt's policy but of our context. What is created in
 * an encrypted directory has the AEAD of that directory; a directory that gets a
 * policy has the machine's default, until its owner chooses another by ioctl.
 * i_e4c.aead is the AEAD of an inode's context, known from the time that fscrypt
 * has read or set it; 0 before.
 */
#include "e4c.h"
#include "uapi.h"
#include <linux/fscrypt.h>
#include <linux/mount.h>
#include <linux/uaccess.h>

/* What fscrypt gets for a context that we refuse: a version it does not know. */
#define E4C_VERSION_REFUSED 0xFF

static bool policy_ok(const struct e4c_context *ctx)
{
	return ctx->contents_mode == FSCRYPT_MODE_AES_256_XTS &&
	       (ctx->filenames_mode == FSCRYPT_MODE_AES_256_CTS ||
		ctx->filenames_mode == FSCRYPT_MODE_AES_256_HCTR2) &&
	       !(ctx->flags & ~FSCRYPT_POLICY_FLAGS_PAD_MASK) &&
	       ctx->log2_data_unit_size == 0;
}

static bool disk_context_ok(const struct e4c_context *ctx)
{
	return ctx->version == E4C_CONTEXT_VERSION && policy_ok(ctx) &&
	       (ctx->aead == E4C_AEAD_AES_256_GCM ||
		ctx->aead == E4C_AEAD_CHACHA20_POLY1305) &&
	       ctx->revision == E4C_FORMAT_REVISION &&
	       !(ctx->incompat & ~E4C_INCOMPAT_KNOWN);
}

/*
 * AES-GCM where the CPU has AES instructions, else ChaCha20-Poly1305, which is
 * several times faster than AES in software.
 */
static u8 default_aead(void)
{
#ifdef CONFIG_X86
	if (!boot_cpu_has(X86_FEATURE_AES))
		return E4C_AEAD_CHACHA20_POLY1305;
#endif
	return E4C_AEAD_AES_256_GCM;
}

/* Read and check the context of @inode as it stands on disk. 0, -EINVAL, -errno. */
int e4c_context_read(struct inode *inode, struct e4c_context *ctx)
{
	int res = ext4_xattr_get(inode, EXT4_XATTR_INDEX_ENCRYPTION,
				 EXT4_XATTR_NAME_ENCRYPTION_CONTEXT, ctx, sizeof(*ctx));

	if (res < 0)
		return res;
	if (res != sizeof(*ctx) || !disk_context_ok(ctx))
		return -EINVAL;
	return 0;
}

/*
 * Hook in ext4's get_context operation. Contexts of the plain fscrypt versions
 * are passed on as unknown, so that such files can be listed and deleted but
 * never opened: nothing unauthenticated is read as if it were authenticated.
 */
int e4c_context_get(struct inode *inode, void *buf, size_t len)
{
	struct e4c_context *ctx = buf;
	int res = ext4_xattr_get(inode, EXT4_XATTR_INDEX_ENCRYPTION,
				 EXT4_XATTR_NAME_ENCRYPTION_CONTEXT, buf, len);

	if (res <= 0 || !buf || !len)
		return res;
	if (res != sizeof(*ctx) || len < sizeof(*ctx) || !disk_context_ok(ctx)) {
		ctx->version = E4C_VERSION_REFUSED;
		return res;
	}
	WRITE_ONCE(EXT4_I(inode)->i_e4c.aead, ctx->aead);
	ctx->version = FSCRYPT_POLICY_V2;
	ctx->aead = 0;
	ctx->revision = 0;
	ctx->incompat = 0;
	return res;
}

/*
 * Hook in ext4's set_context operation, the choke point of the ioctl and of
 * inheritance. @buf comes from fscrypt and is translated in place. @inode has
 * its AEAD already if it was created in an encrypted directory.
 */
int e4c_context_to_disk(struct inode *inode, void *buf, size_t len)
{
	struct e4c_context *ctx = buf;

	BUILD_BUG_ON(sizeof(struct e4c_context) != E4C_CONTEXT_SIZE);
	if (len != sizeof(*ctx) || ctx->version != FSCRYPT_POLICY_V2 || !policy_ok(ctx))
		return -EINVAL;
	if (ctx->aead || ctx->revision || ctx->incompat)
		return -EINVAL;
	if (!EXT4_I(inode)->i_e4c.aead)
		WRITE_ONCE(EXT4_I(inode)->i_e4c.aead, default_aead());
	ctx->version = E4C_CONTEXT_VERSION;
	ctx->aead = EXT4_I(inode)->i_e4c.aead;
	ctx->revision = E4C_FORMAT_REVISION;
	return 0;
}

/* @inode, not yet on disk, is being created in the encrypted directory @dir, whose key is there. */
void e4c_aead_inherit(struct inode *dir, struct inode *inode)
{
	EXT4_I(inode)->i_e4c.aead = READ_ONCE(EXT4_I(dir)->i_e4c.aead);
}

/* E4C_IOC_GET_AEAD: of a directory or a file. */
int e4c_aead_get(struct file *filp, __u32 __user *arg)
{
	struct inode *inode = file_inode(filp);
	struct e4c_context ctx;
	int err;

	if (!IS_ENCRYPTED(inode))
		return -ENODATA;
	err = e4c_context_read(inode, &ctx);
	return err ? err : put_user((__u32)ctx.aead, arg);
}

/* Change the AEAD in the context of the locked directory @dir. */
static int directory_set_aead(struct inode *dir, u8 aead)
{
	struct e4c_context ctx;
	int err;

	if (!IS_ENCRYPTED(dir))
		return -ENODATA;
	err = e4c_context_read(dir, &ctx);
	if (err || ctx.aead == aead)
		return err;
	if (!ext4_empty_dir(dir))
		return -ENOTEMPTY;
	ctx.aead = aead;
	err = ext4_xattr_set(dir, EXT4_XATTR_INDEX_ENCRYPTION,
			     EXT4_XATTR_NAME_ENCRYPTION_CONTEXT, &ctx, sizeof(ctx),
			     XATTR_REPLACE);
	if (!err)
		WRITE_ONCE(EXT4_I(dir)->i_e4c.aead, aead);
	return err;
}

/* E4C_IOC_SET_AEAD. A directory has no contents of its own: nothing is sealed anew. */
int e4c_aead_set(struct file *filp, __u32 __user *arg)
{
	struct inode *dir = file_inode(filp);
	__u32 aead;
	int err;

	if (get_user(aead, arg))
		return -EFAULT;
	if (aead != E4C_AEAD_AES_256_GCM && aead != E4C_AEAD_CHACHA20_POLY1305)
		return -EINVAL;
	if (!S_ISDIR(dir->i_mode))
		return -ENOTDIR;
	if (!inode_owner_or_capable(file_mnt_idmap(filp), dir))
		return -EACCES;
	err = mnt_want_write_file(filp);
	if (err)
		return err;
	inode_lock(dir);
	err = directory_set_aead(dir, aead);
	inode_unlock(dir);
	mnt_drop_write_file(filp);
	return err;
}
