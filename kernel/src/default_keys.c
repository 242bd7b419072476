// SPDX-License-Identifier: GPL-2.0-only
/*
 * Default keys for what is created in a directory that is not encrypted itself:
 *
 *   per-user directory   its creator's key, EXT4_DEFAULT_KEY in his keyrings
 *   mount option         encrypt_key_sig=IDENTIFIER, for the whole mount; see options.c
 *
 * Such a key is only chosen here. It must have been added to the file system by
 * the standard ioctl, else nothing is created: no key, no file, and never a
 * plaintext file.
 *
 * fscrypt asks the file system for a default through get_dummy_policy(). It was
 * made for tests: asked a second time while the key is missing, fscrypt would
 * install a random test key. So the answer is given once for each operation,
 * and only to the task that is in it.
 */
#include "e4c.h"
#include "uapi.h"
#include <keys/user-type.h>
#include <linux/fscrypt.h>
#include <linux/key.h>
#include <linux/mount.h>
#include <linux/uaccess.h>

#define USER_KEY "ext4crypt:EXT4_DEFAULT_KEY"
#define MASTER_KEY_SIZE 64

/* ---- one operation of one task ---------------------------------------------- */

struct scope {
	struct list_head list;
	struct task_struct *task;
	bool answered;
	struct fscrypt_policy_v2 policy;
};

static LIST_HEAD(scopes);
static DEFINE_SPINLOCK(scopes_lock);

static void scope_enter(struct scope *scope, const u8 identifier[FSCRYPT_KEY_IDENTIFIER_SIZE])
{
	scope->task = current;
	scope->answered = false;
	scope->policy = (struct fscrypt_policy_v2){
		.version = FSCRYPT_POLICY_V2,
		.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
		.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS,
		.flags = FSCRYPT_POLICY_FLAGS_PAD_32,
	};
	memcpy(scope->policy.master_key_identifier, identifier, FSCRYPT_KEY_IDENTIFIER_SIZE);
	spin_lock(&scopes_lock);
	list_add(&scope->list, &scopes);
	spin_unlock(&scopes_lock);
}

static void scope_leave(struct scope *scope)
{
	spin_lock(&scopes_lock);
	list_del(&scope->list);
	spin_unlock(&scopes_lock);
}

/* Hook in get_dummy_policy. */
const union fscrypt_policy *e4c_policy_answer(void)
{
	const void *policy = NULL;
	struct scope *scope;

	spin_lock(&scopes_lock);
	list_for_each_entry(scope, &scopes, list) {
		if (scope->task != current)
			continue;
		if (!scope->answered)
			policy = &scope->policy;
		scope->answered = true;
		break;
	}
	spin_unlock(&scopes_lock);
	return policy;
}

/* ---- which key ---------------------------------------------------------------- */

/* The identifier of the key EXT4_DEFAULT_KEY of the current user. 0 or -ENOKEY. */
static int user_key_identifier(u8 identifier[FSCRYPT_KEY_IDENTIFIER_SIZE])
{
	const struct user_key_payload *payload;
	struct key *key = request_key(&key_type_logon, USER_KEY, NULL);
	int err = -ENOKEY;

	if (IS_ERR(key))
		return -ENOKEY;
	down_read(&key->sem);
	payload = user_key_payload_locked(key);
	if (payload && payload->datalen == MASTER_KEY_SIZE)
		err = e4c_key_identifier(payload->data, MASTER_KEY_SIZE, identifier);
	up_read(&key->sem);
	key_put(key);
	return err;
}

/* 1, 0, or -errno: what cannot be read is not taken for a no. */
static int is_per_user(struct inode *dir)
{
	u8 value = 0;
	int ret = ext4_xattr_get(dir, EXT4_XATTR_INDEX_ENCRYPTION, E4C_PER_USER_XATTR, &value,
				 sizeof(value));

	if (ret == -ENODATA || ret == -ERANGE)
		return 0;
	return ret < 0 ? ret : ret == sizeof(value) && value == 1;
}

/* 1: @identifier is the default key in @dir; 0: there is none; -ENOKEY, -errno. */
static int default_key(struct inode *dir, u8 identifier[FSCRYPT_KEY_IDENTIFIER_SIZE])
{
	struct e4c_sb_state *state = &EXT4_SB(dir->i_sb)->s_e4c;
	int err;

	if (IS_ENCRYPTED(dir))
		return 0;
	err = is_per_user(dir);
	if (err < 0)
		return err;
	if (err) {
		err = user_key_identifier(identifier);
		return err ? err : 1;
	}
	if (!state->key.set)
		return 0;
	memcpy(identifier, state->key.identifier, FSCRYPT_KEY_IDENTIFIER_SIZE);
	return 1;
}

/* ---- hooks in creation ---------------------------------------------------------- */

/* Hook in place of fscrypt_prepare_new_inode(). */
int e4c_prepare_new_inode(struct inode *dir, struct inode *inode, bool *encrypt)
{
	u8 identifier[FSCRYPT_KEY_IDENTIFIER_SIZE];
	struct scope scope;
	int ret = default_key(dir, identifier);

	if (ret < 0)
		return ret;
	if (!ret) {
		ret = fscrypt_prepare_new_inode(dir, inode, encrypt);
		return ret ? ret : e4c_attribute_prepare(dir, inode, *encrypt);
	}
	scope_enter(&scope, identifier);
	ret = fscrypt_prepare_new_inode(dir, inode, encrypt);
	scope_leave(&scope);
	if (!ret && !*encrypt &&
	    (S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode) || S_ISLNK(inode->i_mode)))
		return -ENOKEY;
	return ret ? ret : e4c_attribute_prepare(dir, inode, *encrypt);
}

/* Hook in place of fscrypt_prepare_symlink(). */
int e4c_prepare_symlink(struct inode *dir, const char *target, unsigned int len,
			unsigned int max_len, struct fscrypt_str *disk_link)
{
	u8 identifier[FSCRYPT_KEY_IDENTIFIER_SIZE];
	struct scope scope;
	int ret = default_key(dir, identifier);

	if (ret < 0)
		return ret;
	if (!ret)
		return fscrypt_prepare_symlink(dir, target, len, max_len, disk_link);
	scope_enter(&scope, identifier);
	ret = fscrypt_prepare_symlink(dir, target, len, max_len, disk_link);
	scope_leave(&scope);
	return ret;
}

/* ---- the per-user ioctls ------------------------------------------------------------ */

int e4c_per_user_get(struct file *filp, __u32 __user *arg)
{
	struct inode *dir = file_inode(filp);
	int ret;

	if (!S_ISDIR(dir->i_mode))
		return -ENOTDIR;
	ret = is_per_user(dir);
	return ret < 0 ? ret : put_user((__u32)ret, arg);
}

int e4c_per_user_set(struct file *filp, __u32 __user *arg)
{
	struct inode *dir = file_inode(filp);
	__u32 on;
	u8 value = 1;
	int err;

	if (get_user(on, arg))
		return -EFAULT;
	if (on > 1)
		return -EINVAL;
	if (!S_ISDIR(dir->i_mode))
		return -ENOTDIR;
	if (!inode_owner_or_capable(file_mnt_idmap(filp), dir))
		return -EACCES;
	err = mnt_want_write_file(filp);
	if (err)
		return err;
	inode_lock(dir);
	if (IS_ENCRYPTED(dir) || dir->i_ino == EXT4_ROOT_INO)
		err = -EINVAL;
	else if (on && is_per_user(dir) != 1 && !ext4_empty_dir(dir))
		err = -ENOTEMPTY;
	else
		err = ext4_xattr_set(dir, EXT4_XATTR_INDEX_ENCRYPTION, E4C_PER_USER_XATTR,
				     on ? &value : NULL, on ? sizeof(value) : 0, 0);
	if (err == -ENODATA)
		err = 0;
	inode_unlock(dir);
	mnt_drop_write_file(filp);
	return err;
}
