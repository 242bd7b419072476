// SPDX-License-Identifier: GPL-2.0-only
/*
 * The attribute `c` in the body of an inode: read once, when the inode is read, and
 * written whenever the inode is. It is the first entry of the body and its value the
 * last bytes of the inode, so that no change of another attribute moves it and it
 * can be written under i_raw_lock, in the same transaction as all else of the inode.
 *
 * Its first part is the encryption context. What fscrypt sees of that is a context of
 * its version 2. Both directions check, because the disk is hostile. The AEAD is no
 * part of fscrypt's policy: what is created in an encrypted directory has the AEAD
 * of that directory; a directory that gets a policy has the machine's default, until
 * its owner chooses another by ioctl.
 */
#include "e4c.h"
#include "uapi.h"
#include <linux/fscrypt.h>
#include <linux/mount.h>
#include <linux/uaccess.h>

/* What fscrypt gets for a context that we refuse: a version it does not know. */
#define E4C_VERSION_REFUSED 0xFF

/* ---- contexts ------------------------------------------------------------------- */

static bool policy_ok(const struct e4c_context *ctx)
{
	return ctx->contents_mode == FSCRYPT_MODE_AES_256_XTS &&
	       (ctx->filenames_mode == FSCRYPT_MODE_AES_256_CTS ||
		ctx->filenames_mode == FSCRYPT_MODE_AES_256_HCTR2) &&
	       !(ctx->flags & ~FSCRYPT_POLICY_FLAGS_PAD_MASK) &&
	       ctx->log2_data_unit_size == 0;
}

static bool context_ok(const struct e4c_context *ctx)
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

/* @ctx as fscrypt sees it. Its size, or -ERANGE. */
static int context_to_fscrypt(const struct e4c_context *ctx, void *buf, size_t len)
{
	struct e4c_context *out = buf;

	if (len < sizeof(*out))
		return -ERANGE;
	*out = *ctx;
	out->version = FSCRYPT_POLICY_V2;
	out->aead = 0;
	out->revision = 0;
	out->incompat = 0;
	return sizeof(*out);
}

/*
 * Hook in ext4's get_context operation. An attribute that is refused is passed on as
 * a version that fscrypt does not know, so that such inodes can be listed and
 * deleted but never opened: nothing unauthenticated is read as if it were
 * authenticated.
 */
int e4c_context_get(struct inode *inode, void *buf, size_t len)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	struct e4c_context *ctx = buf;

	if (state->stands_for)
		return context_to_fscrypt(state->stands_for, buf, len);
	/* fscrypt asks here whether a directory is free to get a policy. */
	if (state->kind == E4C_ATTRIBUTE_NONE || state->kind == E4C_ATTRIBUTE_PLACE)
		return -ENODATA;
	if (state->kind == E4C_ATTRIBUTE_FULL)
		return context_to_fscrypt(&state->c.context, buf, len);
	if (len < sizeof(*ctx))
		return -ERANGE;
	*ctx = (struct e4c_context){ .version = E4C_VERSION_REFUSED };
	return sizeof(*ctx);
}

/* The context of the disk for fscrypt's, @buf. 0 or -EINVAL. */
static int context_to_disk(struct e4c_context *ctx, const void *buf, size_t len, u8 aead)
{
	BUILD_BUG_ON(sizeof(struct e4c_context) != E4C_CONTEXT_SIZE);
	if (len != sizeof(*ctx))
		return -EINVAL;
	memcpy(ctx, buf, len);
	if (ctx->version != FSCRYPT_POLICY_V2 || !policy_ok(ctx))
		return -EINVAL;
	if (ctx->aead || ctx->revision || ctx->incompat)
		return -EINVAL;
	ctx->version = E4C_CONTEXT_VERSION;
	ctx->aead = aead;
	ctx->revision = E4C_FORMAT_REVISION;
	return 0;
}

/* ---- where it stands ---------------------------------------------------------------- */

static unsigned int attribute_size(u8 kind)
{
	return kind == E4C_ATTRIBUTE_PLACE ? E4C_PLACE_ATTRIBUTE_SIZE : E4C_ATTRIBUTE_SIZE;
}

/*
 * The value of the attribute in the body of @inode if it stands as it must: the first
 * entry, named `c`, its value the last bytes of the inode. NULL if it does not;
 * @size: of the value.
 */
static void *attribute_find(struct inode *inode, struct ext4_inode *raw, unsigned int *size)
{
	struct ext4_xattr_ibody_header *header = IHDR(inode, raw);
	struct ext4_xattr_entry *entry = IFIRST(header);
	void *end = ITAIL(inode, raw);

	if ((void *)entry + EXT4_XATTR_LEN(1) + sizeof(__u32) > end ||
	    header->h_magic != cpu_to_le32(EXT4_XATTR_MAGIC) ||
	    entry->e_name_index != EXT4_XATTR_INDEX_ENCRYPTION || entry->e_name_len != 1 ||
	    entry->e_name[0] != EXT4_XATTR_NAME_ENCRYPTION_CONTEXT[0] || entry->e_value_inum)
		return NULL;
	*size = le32_to_cpu(entry->e_value_size);
	if (*size > end - (void *)entry - EXT4_XATTR_LEN(1) - sizeof(__u32) ||
	    entry->e_hash || le16_to_cpu(entry->e_value_offs) != end - (void *)entry - *size)
		return NULL;
	return end - *size;
}

static bool state_ok(struct inode *inode, u32 state)
{
	unsigned int form = e4c_form(state), height = e4c_height(state);

	if (state & E4C_STATE_ZERO_MASK)
		return false;
	if (!S_ISREG(inode->i_mode) && (form != E4C_FORM_EMPTY || height))
		return false;
	if (S_ISDIR(inode->i_mode) && (state & E4C_STATE_LINKED))
		return false;
	/* Form TAIL is defined, but not written by this version. */
	return form == E4C_FORM_TREE ? height <= E4C_MAX_HEIGHT :
	       form == E4C_FORM_EMPTY && !height;
}

static u8 full_kind(struct inode *inode, const void *value, unsigned int size,
		    struct e4c_attribute *c)
{
	if (size == E4C_CONTEXT_SIZE && ((struct e4c_context *)value)->version == E4C_CONTEXT_VERSION &&
	    ((struct e4c_context *)value)->revision < E4C_FORMAT_REVISION)
		return E4C_ATTRIBUTE_OLD;
	if (size != sizeof(*c))
		return E4C_ATTRIBUTE_DAMAGED;
	memcpy(c, value, sizeof(*c));
	return context_ok(&c->context) && state_ok(inode, le32_to_cpu(c->state)) ?
	       E4C_ATTRIBUTE_FULL : E4C_ATTRIBUTE_DAMAGED;
}

/* Hook where an inode is read from the disk: its mode, flags and extra size are set. */
void e4c_attribute_read(struct inode *inode, struct ext4_inode *raw)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	bool special = !e4c_has_contents(inode);
	unsigned int size = 0;
	void *value = NULL;

	BUILD_BUG_ON(sizeof(struct e4c_attribute) != E4C_ATTRIBUTE_SIZE);
	if (EXT4_INODE_SIZE(inode->i_sb) > EXT4_GOOD_OLD_INODE_SIZE && EXT4_I(inode)->i_extra_isize)
		value = attribute_find(inode, raw, &size);
	if (special && !IS_ENCRYPTED(inode) && value && size == E4C_PLACE_ATTRIBUTE_SIZE) {
		memcpy(state->c.place, value, sizeof(state->c.place));
		state->kind = E4C_ATTRIBUTE_PLACE;
	} else if (special) {
		/* Nothing else is asked of it where no place is. */
		state->kind = IS_ENCRYPTED(inode) ? E4C_ATTRIBUTE_DAMAGED : E4C_ATTRIBUTE_NONE;
	} else if (IS_ENCRYPTED(inode)) {
		state->kind = value ? full_kind(inode, value, size, &state->c) :
			      E4C_ATTRIBUTE_DAMAGED;
	}
}

/*
 * Hook where the size of an inode is read from the disk: that of an encrypted regular file
 * is biased. One that is less than the bias, or too large, is damage: it is read as one
 * that no head covers. The files of fscrypt alone, which nobody opens here, keep theirs.
 */
loff_t e4c_size_from_disk(struct inode *inode, loff_t size)
{
	const u64 max = (u64)E4C_MAX_PAGES * E4C_BLOCK_SIZE;
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;

	if (!e4c_inode(inode))
		return size;
	state->biased = state->kind == E4C_ATTRIBUTE_FULL || size >= (loff_t)E4C_SIZE_BIAS;
	if (!state->biased)
		return size;
	return (u64)size - E4C_SIZE_BIAS <= max ? size - E4C_SIZE_BIAS : max;
}

/*
 * Hook where the inode is written, under i_raw_lock, when all else of @raw is final: the
 * attribute is written from memory, with the head of what now stands in @raw.
 */
void e4c_attribute_fill(struct inode *inode, struct ext4_inode *raw)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	loff_t size_on_disk = 0;
	unsigned int size;
	void *value;

	if (state->kind != E4C_ATTRIBUTE_FULL && state->kind != E4C_ATTRIBUTE_PLACE)
		return;
	/* A new inode is written before its attribute is made, too. */
	value = attribute_find(inode, raw, &size);
	if (!value || size != attribute_size(state->kind))
		return;
	if (state->kind == E4C_ATTRIBUTE_PLACE) {
		memcpy(value, state->c.place, sizeof(state->c.place));
		return;
	}
	/* The size that stands in @raw: i_disksize may have changed since. */
	if (S_ISREG(inode->i_mode))
		size_on_disk = ext4_isize(inode->i_sb, raw) - E4C_SIZE_BIAS;
	e4c_head_update(inode, size_on_disk);
	memcpy(value, &state->c, sizeof(state->c));
}

/* Has @inode a context of fscrypt's own versions? */
static bool is_fscrypts(struct inode *inode)
{
	u8 ctx[FSCRYPT_SET_CONTEXT_MAX_SIZE];
	int len = ext4_xattr_get(inode, EXT4_XATTR_INDEX_ENCRYPTION,
				 EXT4_XATTR_NAME_ENCRYPTION_CONTEXT, ctx, sizeof(ctx));

	return len > 0 && (ctx[0] == 1 || ctx[0] == FSCRYPT_POLICY_V2);
}

/*
 * Is the attribute of the encrypted inode acceptable? 0; -EUCLEAN (reported);
 * -EOPNOTSUPP: of format 1; -EINVAL: it is a file of fscrypt alone.
 */
int e4c_attribute_check(struct inode *inode)
{
	switch (EXT4_I(inode)->i_e4c.kind) {
	case E4C_ATTRIBUTE_FULL:
		return 0;
	case E4C_ATTRIBUTE_OLD:
		ext4_warning_inode(inode, "made by a version of ext4crypt from before its first release: delete it, or copy it with that version");
		return -EOPNOTSUPP;
	default:
		if (is_fscrypts(inode))
			return -EINVAL;
		return e4c_report_inode(inode, "its attribute is damaged");
	}
}

/* Hook in open, before fscrypt sees the context. As e4c_attribute_check(). */
int e4c_open_check(struct inode *inode)
{
	return IS_ENCRYPTED(inode) ? e4c_attribute_check(inode) : 0;
}

/* Change the bits @mask of the state to @bits: the head changes with them. */
void e4c_state_set(struct inode *inode, u32 mask, u32 bits)
{
	struct ext4_inode_info *ei = EXT4_I(inode);

	spin_lock(&ei->i_raw_lock);
	ei->i_e4c.c.state = cpu_to_le32((le32_to_cpu(ei->i_e4c.c.state) & ~mask) | bits);
	ei->i_e4c.head_stale = true;
	spin_unlock(&ei->i_raw_lock);
}

/*
 * The head of @inode, or the entries of the directory @inode, change: the first time
 * in this life the sequence number goes up. Only what is known to be authentic counts.
 */
void e4c_count_change(struct inode *inode)
{
	struct ext4_inode_info *ei = EXT4_I(inode);

	if (ei->i_e4c.kind != E4C_ATTRIBUTE_FULL || READ_ONCE(ei->i_e4c.counted))
		return;
	spin_lock(&ei->i_raw_lock);
	if (ei->i_e4c.head_known && !ei->i_e4c.counted) {
		ei->i_e4c.c.state = cpu_to_le32(le32_to_cpu(ei->i_e4c.c.state) +
						BIT(E4C_STATE_SEQUENCE_SHIFT));
		ei->i_e4c.head_stale = true;
		ei->i_e4c.counted = true;
	}
	spin_unlock(&ei->i_raw_lock);
}

/* ---- new ones --------------------------------------------------------------------- */

/*
 * Hook where a new inode is prepared, before there is a handle: @inode will be created
 * in @dir, and encrypted if @encrypt. Its keys are derived here, since the head
 * and the place need them in the handle. 0 or -errno.
 */
int e4c_attribute_prepare(struct inode *dir, struct inode *inode, bool encrypt)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	u8 ctx[FSCRYPT_SET_CONTEXT_MAX_SIZE];
	struct e4c_info *info;
	int len, err = 0;
	u8 aead;

	if (IS_ENCRYPTED(dir)) {
		err = e4c_info_load(dir);
		if (err)
			return err;
		if (!encrypt)
			state->kind = E4C_ATTRIBUTE_PLACE;
	}
	if (!encrypt)
		return 0;
	aead = IS_ENCRYPTED(dir) ? EXT4_I(dir)->i_e4c.c.context.aead : default_aead();
	len = fscrypt_context_for_new_inode(ctx, inode);
	if (len < 0)
		return len;
	err = context_to_disk(&state->c.context, ctx, len, aead);
	if (err)
		return err;
	state->kind = E4C_ATTRIBUTE_FULL;
	state->biased = S_ISREG(inode->i_mode);
	state->head_known = true;
	state->head_stale = true;
	info = e4c_info_make(inode, &state->c.context);
	if (IS_ERR(info))
		return PTR_ERR(info);
	smp_store_release(&state->info, info);
	return 0;
}

/*
 * Hook in the creation of an inode, in its handle, before other attributes are made.
 * 0 or -errno.
 */
int e4c_attribute_make(handle_t *handle, struct inode *inode)
{
	if (EXT4_I(inode)->i_e4c.kind != E4C_ATTRIBUTE_PLACE)
		return 0;
	return ext4_xattr_set_handle(handle, inode, EXT4_XATTR_INDEX_ENCRYPTION,
				     EXT4_XATTR_NAME_ENCRYPTION_CONTEXT,
				     EXT4_I(inode)->i_e4c.c.place, E4C_PLACE_ATTRIBUTE_SIZE,
				     XATTR_CREATE);
}

/*
 * Hook in ext4's set_context operation, the choke point of the ioctl and of
 * inheritance. A new inode has been prepared, and @buf says the same; an existing
 * directory gets its keys here, before there is a handle. 0 or -errno.
 */
int e4c_context_set(struct inode *inode, const void *buf, size_t len, bool is_new)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	struct e4c_context ctx;
	struct e4c_info *info;
	int err;

	err = context_to_disk(&ctx, buf, len, is_new ? state->c.context.aead : default_aead());
	if (err)
		return err;
	if (is_new)
		return WARN_ON_ONCE(memcmp(&ctx, &state->c.context, sizeof(ctx))) ? -EINVAL : 0;
	state->c = (struct e4c_attribute){ .context = ctx };
	state->kind = E4C_ATTRIBUTE_FULL;
	info = e4c_info_make(inode, &state->c.context);
	if (IS_ERR(info)) {
		state->kind = E4C_ATTRIBUTE_NONE;
		return PTR_ERR(info);
	}
	state->head_known = true;
	state->head_stale = true;
	smp_store_release(&state->info, info);
	return 0;
}

/* Hook where an existing directory did not get its context after all. */
void e4c_context_unset(struct inode *inode)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	struct e4c_info *info = state->info;

	spin_lock(&EXT4_I(inode)->i_raw_lock);
	state->kind = E4C_ATTRIBUTE_NONE;
	state->head_known = false;
	state->info = NULL;
	spin_unlock(&EXT4_I(inode)->i_raw_lock);
	e4c_info_destroy(info);
}

/*
 * The other attributes in the body of @inode go to the attribute block, in the same handle.
 * 0; -ENOSPC: they do not fit there; -errno.
 */
static int body_clear(handle_t *handle, struct inode *inode)
{
	struct ext4_xattr_ibody_header *header;
	struct ext4_iloc iloc;
	int err, no_expand;

	ext4_write_lock_xattr(inode, &no_expand);
	err = ext4_reserve_inode_write(handle, inode, &iloc);
	if (err)
		goto out;
	header = IHDR(inode, ext4_raw_inode(&iloc));
	while (!err && ext4_test_inode_state(inode, EXT4_STATE_XATTR) &&
	       !IS_LAST_ENTRY(IFIRST(header)))
		err = ext4_xattr_move_to_block(handle, inode, ext4_raw_inode(&iloc),
					       IFIRST(header));
	if (err)
		brelse(iloc.bh);
	else
		err = ext4_mark_iloc_dirty(handle, inode, &iloc);
out:
	ext4_write_unlock_xattr(inode, &no_expand);
	return err;
}

/* Does the attribute stand where it must? -EOPNOTSUPP: the inode has no room for it. */
static int attribute_stands(struct inode *inode)
{
	struct ext4_iloc iloc;
	unsigned int size;
	int err = ext4_get_inode_loc(inode, &iloc);

	if (err)
		return err;
	if (!attribute_find(inode, ext4_raw_inode(&iloc), &size) || size != E4C_ATTRIBUTE_SIZE)
		err = -EOPNOTSUPP;
	brelse(iloc.bh);
	return err;
}

static int attribute_xattr_set(handle_t *handle, struct inode *inode, const void *value)
{
	return ext4_xattr_set_handle(handle, inode, EXT4_XATTR_INDEX_ENCRYPTION,
				     EXT4_XATTR_NAME_ENCRYPTION_CONTEXT, value,
				     value ? E4C_ATTRIBUTE_SIZE : 0, 0);
}

/*
 * Hook where an existing directory gets its context, in a handle: the attribute becomes the
 * first in the body. 0; -ENOSPC: the other attributes do not fit into a block;
 * -EOPNOTSUPP: the inode has no room; -errno.
 */
int e4c_context_store(handle_t *handle, struct inode *inode)
{
	int err = body_clear(handle, inode);

	if (!err)
		err = attribute_xattr_set(handle, inode, &EXT4_I(inode)->i_e4c.c);
	if (err)
		return err;
	err = attribute_stands(inode);
	if (err)
		attribute_xattr_set(handle, inode, NULL);
	return err;
}

/* ---- the choice of the AEAD ---------------------------------------------------------- */

/* E4C_IOC_GET_AEAD: of a directory or a file. */
int e4c_aead_get(struct file *filp, __u32 __user *arg)
{
	struct inode *inode = file_inode(filp);
	int err;

	if (!IS_ENCRYPTED(inode))
		return -ENODATA;
	err = e4c_attribute_check(inode);
	return err ? err : put_user((__u32)EXT4_I(inode)->i_e4c.c.context.aead, arg);
}

/*
 * The keys of @dir with another AEAD in its context take the place of the old ones,
 * which are returned, or ERR_PTR. Takes no handle.
 */
static struct e4c_info *keys_change(struct inode *dir, u8 aead)
{
	struct e4c_inode_state *state = &EXT4_I(dir)->i_e4c;
	struct e4c_context ctx = state->c.context;
	struct e4c_info *old = state->info, *info;

	ctx.aead = aead;
	info = e4c_info_make(dir, &ctx);
	if (IS_ERR(info))
		return info;
	spin_lock(&EXT4_I(dir)->i_raw_lock);
	state->c.context = ctx;
	state->head_stale = true;
	smp_store_release(&state->info, info);
	spin_unlock(&EXT4_I(dir)->i_raw_lock);
	return old;
}

/* The handle in which the change of the AEAD of @dir, done in memory, reaches the disk. */
static int aead_write(struct inode *parent, struct inode *dir, const struct e4c_name *name)
{
	handle_t *handle = ext4_journal_start(dir, EXT4_HT_MISC, 2);
	int err, err2;

	if (IS_ERR(handle))
		return PTR_ERR(handle);
	e4c_count_change(dir);
	e4c_place_renew(handle, parent, dir, name->bytes, name->len);
	err = ext4_mark_inode_dirty(handle, dir);
	err2 = ext4_journal_stop(handle);
	return err ? err : err2;
}

/*
 * Change the AEAD of the locked directory @dir, whose locked parent is @parent: its
 * keys, its head and its place change with it.
 */
static int directory_set_aead(struct inode *parent, struct dentry *dentry, struct inode *dir,
			      u8 aead)
{
	struct e4c_name name = {};
	struct e4c_info *old;
	unsigned long number;
	int err;

	err = e4c_info_load(dir);
	if (!err && IS_ENCRYPTED(parent))
		err = e4c_info_load(parent);
	if (err || EXT4_I(dir)->i_e4c.c.context.aead == aead)
		return err;
	if (!ext4_empty_dir(dir))
		return -ENOTEMPTY;
	if (IS_ENCRYPTED(parent)) {
		err = e4c_entry_find(parent, &dentry->d_name, &name, &number);
		if (!err && number != dir->i_ino)
			err = -EBUSY;
		if (err)
			return err;
	}
	old = keys_change(dir, aead);
	err = PTR_ERR_OR_ZERO(old);
	if (!err)
		err = aead_write(parent, dir, &name);
	e4c_info_destroy(old);
	return err;
}

/* E4C_IOC_SET_AEAD. A directory has no contents of its own: nothing is sealed anew. */
int e4c_aead_set(struct file *filp, __u32 __user *arg)
{
	struct inode *dir = file_inode(filp), *parent;
	struct dentry *dentry = file_dentry(filp), *above;
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
	if (!IS_ENCRYPTED(dir))
		return -ENODATA;
	/* Without a parent there is no place to renew: opened by handle. */
	if (IS_ROOT(dentry))
		return -EBUSY;
	err = mnt_want_write_file(filp);
	if (err)
		return err;
	above = dget_parent(dentry);
	parent = d_inode(above);
	inode_lock_nested(parent, I_MUTEX_PARENT);
	inode_lock(dir);
	if (dentry->d_parent != above || d_unhashed(dentry))
		err = -EBUSY;
	else
		err = directory_set_aead(parent, dentry, dir, aead);
	inode_unlock(dir);
	inode_unlock(parent);
	dput(above);
	mnt_drop_write_file(filp);
	return err;
}
