// SPDX-License-Identifier: GPL-2.0-only
/*
 * The place of an inode: a MAC under the key of its directory, which says that this
 * inode is what the directory means by this name. It is set when an entry is made,
 * and demanded when a name is looked up with the key. So files cannot be exchanged
 * between names, and a copy of an inode is nobody's.
 *
 * An inode has one place, but a file may have several names: then it has the bit LINKED,
 * which the head covers, and the place is not demanded. The bit goes when the last
 * other name does, and the place is that of the name that is left.
 *
 * In a directory that is not encrypted nothing is demanded.
 */
#include "e4c.h"
#include <crypto/blake2s.h>
#include <crypto/utils.h>
#include <linux/fscrypt.h>

/* One opened would lead past all that is authenticated. Whiteouts of overlayfs, 0:0, lead nowhere. */
static bool is_device(umode_t mode, dev_t rdev)
{
	return S_ISBLK(mode) || (S_ISCHR(mode) && rdev != WHITEOUT_DEV);
}

static bool has_place(struct inode *inode)
{
	u8 kind = EXT4_I(inode)->i_e4c.kind;

	return kind == E4C_ATTRIBUTE_FULL || kind == E4C_ATTRIBUTE_PLACE;
}

/* The place of @inode under this name, if its number were @number. @dir has its keys. */
void e4c_place_mac(struct inode *dir, struct inode *inode, u64 number, const void *name,
		   unsigned int len, u8 out[E4C_MAC_SIZE])
{
	struct e4c_info *info = e4c_info(dir);
	struct e4c_mac_inode mac;
	struct blake2s_state blake;

	e4c_mac_inode_fill(&mac, inode, E4C_DOMAIN_PLACE);
	mac.inode = cpu_to_le64(number);
	blake2s_init_key(&blake, E4C_MAC_SIZE, info->place_key, sizeof(info->place_key));
	blake2s_update(&blake, (u8 *)&mac, sizeof(mac));
	blake2s_update(&blake, name, len);
	blake2s_final(&blake, out);
}

static void place_mac(struct inode *dir, struct inode *inode, const void *name, unsigned int len,
		      u8 out[E4C_MAC_SIZE])
{
	e4c_place_mac(dir, inode, inode->i_ino, name, len, out);
}

/* Set the place in memory. True: it has changed, and the inode must be marked dirty. */
static bool place_store(struct inode *inode, const u8 place[E4C_MAC_SIZE])
{
	struct ext4_inode_info *ei = EXT4_I(inode);
	bool changed;

	spin_lock(&ei->i_raw_lock);
	changed = memcmp(ei->i_e4c.c.place, place, E4C_MAC_SIZE);
	memcpy(ei->i_e4c.c.place, place, E4C_MAC_SIZE);
	spin_unlock(&ei->i_raw_lock);
	return changed;
}

/*
 * Hook where an entry of @dir is about to be made. With a key it is authentic, and
 * counts as a change of the directory. 0 or -ENOKEY.
 */
int e4c_entry_begin(struct inode *dir)
{
	if (!IS_ENCRYPTED(dir))
		return 0;
	if (!e4c_info(dir))
		return -ENOKEY;
	e4c_count_change(dir);
	return 0;
}

/*
 * Hook where @dir has an entry for @inode, under @name as stored, in this handle: its
 * place is there now. 0 or -errno of marking the inode dirty.
 */
int e4c_place_set(handle_t *handle, struct inode *dir, struct inode *inode, const void *name,
		  unsigned int len)
{
	u8 place[E4C_MAC_SIZE] = {};

	if (!has_place(inode))
		return 0;
	if (IS_ENCRYPTED(dir)) {
		if (WARN_ON_ONCE(!e4c_info(dir)))
			return -ENOKEY;
		place_mac(dir, inode, name, len, place);
	}
	return place_store(inode, place) ? ext4_mark_inode_dirty(handle, inode) : 0;
}

/* The context of @inode has changed: its place as well. The caller marks it dirty. */
void e4c_place_renew(handle_t *handle, struct inode *dir, struct inode *inode, const void *name,
		     unsigned int len)
{
	u8 place[E4C_MAC_SIZE];

	if (!IS_ENCRYPTED(dir))
		return;
	place_mac(dir, inode, name, len, place);
	place_store(inode, place);
}

void e4c_name_copy(struct e4c_name *name, const struct ext4_dir_entry_2 *de)
{
	name->len = de->name_len;
	memcpy(name->bytes, de->name, de->name_len);
}

/*
 * The name that the entry @name of @dir stores, which in a casefolded directory may differ
 * in case from how it is looked up, and the number of its inode. 0, -ENOENT, -errno.
 */
int e4c_entry_find(struct inode *dir, const struct qstr *name, struct e4c_name *stored,
		   unsigned long *number)
{
	struct ext4_dir_entry_2 *de;
	struct buffer_head *bh = ext4_find_entry(dir, name, &de, NULL);

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	if (!bh)
		return -ENOENT;
	e4c_name_copy(stored, de);
	*number = le32_to_cpu(de->inode);
	brelse(bh);
	return 0;
}

/*
 * Hook in lookup, after the entry was found or not: if there is the key of @dir, the
 * directory must be authentic. 0 or -errno.
 */
int e4c_dir_check(struct inode *dir)
{
	if (!IS_ENCRYPTED(dir) || !fscrypt_has_encryption_key(dir))
		return 0;
	return e4c_info_load(dir);
}

/*
 * Hook in lookup: is @inode what the directory @dir means by @name? Asked only where the
 * key is there. 0 or -EUCLEAN (reported).
 */
int e4c_lookup_check(struct inode *dir, struct inode *inode, const struct e4c_name *name)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	u8 place[E4C_MAC_SIZE];
	bool good;

	if (!IS_ENCRYPTED(dir) || !e4c_info(dir))
		return 0;
	if (is_device(inode->i_mode, inode->i_rdev))
		return e4c_report_inode(inode, "a device in an encrypted directory");
	if (!e4c_has_contents(inode) && state->kind != E4C_ATTRIBUTE_PLACE)
		return e4c_report_inode(inode, "a special file without a place in an encrypted directory");
	/* These open nothing, and can be deleted. */
	if (state->kind == E4C_ATTRIBUTE_DAMAGED || state->kind == E4C_ATTRIBUTE_OLD)
		return 0;
	if (state->kind == E4C_ATTRIBUTE_NONE)
		return e4c_report_inode(inode, "an inode without a place in an encrypted directory");
	/*
	 * The bit is the disk's until the head is checked. One that is not authentic, in whatever
	 * inode, leads to what opens nothing and gets no other name: it can be deleted.
	 */
	if (e4c_linked(inode)) {
		int err = e4c_keys_require(inode);

		if (err == -EFSCORRUPTED || err == -EIO)
			return 0;
		if (err)
			return err;
	}
	place_mac(dir, inode, name->bytes, name->len, place);
	/* A link() through another directory sets LINKED before it changes the place. */
	spin_lock(&EXT4_I(inode)->i_raw_lock);
	good = e4c_linked(inode) || !crypto_memneq(place, state->c.place, sizeof(place));
	spin_unlock(&EXT4_I(inode)->i_raw_lock);
	return good ? 0 : e4c_report_inode(inode, "it does not belong under this name");
}

/* ---- devices ---------------------------------------------------------------------------- */

/* Hook in mknod and link: may such an inode get a name in @dir? 0 or -EPERM. */
int e4c_name_check(struct inode *dir, umode_t mode, dev_t rdev)
{
	return IS_ENCRYPTED(dir) && is_device(mode, rdev) ? -EPERM : 0;
}

/* Hook in rename. @to may have no inode. 0 or -EPERM. */
int e4c_rename_check(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
		     struct dentry *to, bool exchange)
{
	struct inode *one = d_inode(from), *other = d_inode(to);
	int err = e4c_name_check(to_dir, one->i_mode, one->i_rdev);

	if (!err && exchange)
		err = e4c_name_check(from_dir, other->i_mode, other->i_rdev);
	return err;
}

/* ---- several names -------------------------------------------------------------------- */

/*
 * Hook before @inode gets an entry in @dir by rename or link. 0; -EXDEV: it has no
 * attribute where its place could be, and must be copied; -ENOKEY, -errno.
 */
int e4c_enter_prepare(struct inode *dir, struct inode *inode)
{
	int err;

	/* An inode that was found by its bit LINKED must have it. */
	if (e4c_linked(inode)) {
		err = e4c_keys_require(inode);
		if (err)
			return err;
	}
	if (!IS_ENCRYPTED(dir))
		return 0;
	if (EXT4_I(inode)->i_e4c.kind == E4C_ATTRIBUTE_NONE)
		return -EXDEV;
	return e4c_keys_require(dir);
}

/*
 * Hook before @inode gets another name, in @dir. 0; -EPERM: a special file with a place
 * has room for one name only; -ENOKEY: the bit LINKED changes the head; -errno.
 */
int e4c_link_prepare(struct inode *dir, struct inode *inode)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	int err = e4c_enter_prepare(dir, inode);

	if (err || !has_place(inode) || !inode->i_nlink)
		return err;
	if (state->kind == E4C_ATTRIBUTE_PLACE)
		return IS_ENCRYPTED(dir) || memchr_inv(state->c.place, 0, sizeof(state->c.place)) ?
		       -EPERM : 0;
	return e4c_keys_require(inode);
}

/* Hook in the handle that gives @inode another name, before its link count goes up. */
void e4c_link_begin(struct inode *inode)
{
	if (EXT4_I(inode)->i_e4c.kind != E4C_ATTRIBUTE_FULL || !inode->i_nlink)
		return;
	e4c_count_change(inode);
	e4c_state_set(inode, E4C_STATE_LINKED, E4C_STATE_LINKED);
}

/* Hook before a name of @inode goes, without a handle: what e4c_name_gone() needs. */
void e4c_unlink_prepare(struct inode *inode)
{
	if (inode && e4c_linked(inode))
		e4c_keys_require(inode);
}

/*
 * Hook where the entry @name of @dir for @inode has gone, in this handle, and its link
 * count has gone down; the inode is marked dirty after it. Without the key LINKED
 * stays as it is.
 */
void e4c_name_gone(struct inode *dir, struct inode *inode, const struct e4c_name *name)
{
	static const u8 nowhere[E4C_MAC_SIZE];
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	u8 place[E4C_MAC_SIZE];

	if (!e4c_linked(inode))
		return;
	if (!e4c_info(inode) || !READ_ONCE(state->head_known) ||
	    (IS_ENCRYPTED(dir) && !e4c_info(dir))) {
		/* Nobody knows whose place it was: LINKED stays for good. */
		place_store(inode, nowhere);
		return;
	}
	if (IS_ENCRYPTED(dir)) {
		place_mac(dir, inode, name->bytes, name->len, place);
		if (!memcmp(place, state->c.place, sizeof(place))) {
			place_store(inode, nowhere);
			return;
		}
	}
	if (inode->i_nlink != 1 || !memchr_inv(state->c.place, 0, sizeof(state->c.place)))
		return;
	e4c_count_change(inode);
	e4c_state_set(inode, E4C_STATE_LINKED, 0);
}
