// SPDX-License-Identifier: GPL-2.0-only
/*
 * E4C_IOC_GET_ENTRIES: what is authentic of the entries of a directory, for a record of a tree that
 * is made at lock and compared at unlock.
 *
 * The names come first, as many as fit; then each is looked up, as for anybody, which demands its
 * place, and its head is demanded. One entry that is not authentic hides no other.
 */
#include "e4c.h"
#include "uapi.h"
#include <linux/fscrypt.h>
#include <linux/namei.h>
#include <linux/uaccess.h>

#define ENTRIES_MIN 1024
#define ENTRIES_MAX 65536

struct listing {
	struct dir_context ctx;
	void *records;
	u32 size, used;		/* bytes */
};

static unsigned int record_size(unsigned int name_len)
{
	return ALIGN(offsetof(struct e4c_entry, name) + name_len, 8);
}

/* A name of the directory: it gets a record if one of its size fits. */
static bool name_add(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 number,
		     unsigned int type)
{
	struct listing *list = container_of(ctx, struct listing, ctx);
	struct e4c_entry *entry = list->records + list->used;

	if (len == 2 && name[0] == '.' && name[1] == '.')
		return true;
	/* The no-key form of a name may be longer than any name. */
	if (len <= 0 || len > EXT4_NAME_LEN || record_size(len) > list->size - list->used)
		return false;
	entry->size = record_size(len);
	entry->name_len = len;
	memcpy(entry->name, name, len);
	list->used += entry->size;
	return true;
}

/* Demand all of @inode, whose place was demanded where it was looked up, and say what it is. */
static int entry_fill(struct e4c_entry *entry, struct inode *inode)
{
	struct e4c_inode_state *state = &EXT4_I(inode)->i_e4c;
	int err = 0;

	if (e4c_has_contents(inode)) {
		err = e4c_attribute_check(inode);
		if (!err)
			err = e4c_keys_require(inode);
	} else if (state->kind != E4C_ATTRIBUTE_PLACE) {
		err = -EFSCORRUPTED;
	}
	if (err)
		return err;
	entry->inode = inode->i_ino;
	entry->mode = inode->i_mode;
	spin_lock(&EXT4_I(inode)->i_raw_lock);
	if (state->kind == E4C_ATTRIBUTE_FULL) {
		/* Of what has changed since the inode was written: as it will be. */
		e4c_head_update(inode, state->head_size);
		entry->c_size = E4C_ATTRIBUTE_SIZE;
		memcpy(entry->c, &state->c, E4C_ATTRIBUTE_SIZE);
	} else {
		entry->c_size = E4C_PLACE_ATTRIBUTE_SIZE;
		memcpy(entry->c, state->c.place, E4C_PLACE_ATTRIBUTE_SIZE);
	}
	spin_unlock(&EXT4_I(inode)->i_raw_lock);
	return 0;
}

static int entry_check(struct e4c_entry *entry, struct dentry *dir)
{
	struct dentry *dentry;
	int err;

	BUILD_BUG_ON(sizeof(entry->c) != sizeof(struct e4c_attribute));
	if (entry->name_len == 1 && entry->name[0] == '.')
		return entry_fill(entry, d_inode(dir));
	dentry = lookup_one_len_unlocked(entry->name, dir, entry->name_len);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	err = d_is_positive(dentry) ? entry_fill(entry, d_inode(dentry)) : -ENOENT;
	dput(dentry);
	return err;
}

/* 0, -EINTR. Entries that went since their names were read are left as errors, too. */
static int entries_check(struct listing *list, struct dentry *dir)
{
	u32 at;

	for (at = 0; at < list->used;) {
		struct e4c_entry *entry = list->records + at;

		entry->error = entry_check(entry, dir);
		at += entry->size;
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* With the keys of the directory. */
static int entries_copy(struct file *filp, const struct e4c_get_entries *arg, u32 *used)
{
	struct listing list = { .ctx.actor = name_add, .size = arg->size };
	int err;

	list.records = kvzalloc(arg->size, GFP_KERNEL);
	if (!list.records)
		return -ENOMEM;
	/* As for getdents: two of them do not share a position. */
	mutex_lock(&filp->f_pos_lock);
	err = iterate_dir(filp, &list.ctx);
	mutex_unlock(&filp->f_pos_lock);
	if (!err)
		err = entries_check(&list, file_dentry(filp));
	if (!err && copy_to_user(u64_to_user_ptr(arg->entries), list.records, list.used))
		err = -EFAULT;
	*used = list.used;
	kvfree(list.records);
	return err;
}

int e4c_entries_get(struct file *filp, struct e4c_get_entries __user *uarg)
{
	struct inode *dir = file_inode(filp);
	struct e4c_get_entries arg;
	u32 used;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!S_ISDIR(dir->i_mode))
		return -ENOTDIR;
	if (!IS_ENCRYPTED(dir))
		return -ENODATA;
	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved || arg.size < ENTRIES_MIN || arg.size > ENTRIES_MAX || arg.size % 8)
		return -EINVAL;
	err = e4c_keys_require(dir);
	if (!err)
		err = entries_copy(filp, &arg, &used);
	return err ? err : put_user(used, &uarg->size);
}
