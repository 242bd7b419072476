// SPDX-License-Identifier: GPL-2.0-only
/*
 * E4C_IOC_ADOPT: head and place for an inode that got another number.
 *
 * Both contain the number, because it is what a copy of an inode cannot have. resize2fs,
 * when it makes a volume smaller, gives other numbers to inodes, and nothing of them is
 * authentic any more. This must not lend authenticity to anything that was not authentic
 * before: so one number is looked for under which both match, head and place, as they
 * would have been demanded there. A file under another's name, a forged state, a target
 * or a tree of another time have no such number. What remains is that the inode stands
 * elsewhere than it did; if it is also still where it was, this one is a copy and is
 * refused.
 *
 * The new head and place become known together, under i_raw_lock and in a handle: an
 * inode with one of them anew would match under no number.
 */
#include "e4c.h"
#include "uapi.h"
#include <crypto/utils.h>
#include <linux/fscrypt.h>
#include <linux/mount.h>
#include <linux/uaccess.h>

struct adoption {
	struct inode *dir, *inode;
	struct e4c_name name;	/* as stored */
	struct e4c_info *info;	/* of @inode, not yet seen; NULL: it has no contents */
	loff_t size;
	u64 number;		/* the one found */
};

/*
 * Is the place that of this name under @number? A plain directory has none; with LINKED,
 * which the head covers, it may be that of another name.
 */
static bool place_matches(struct adoption *a, u64 number)
{
	u8 place[E4C_MAC_SIZE];

	if (!IS_ENCRYPTED(a->dir))
		return false;
	e4c_place_mac(a->dir, a->inode, number, a->name.bytes, a->name.len, place);
	return !crypto_memneq(place, EXT4_I(a->inode)->i_e4c.c.place, sizeof(place));
}

static bool place_demanded(struct adoption *a)
{
	return IS_ENCRYPTED(a->dir) && !e4c_linked(a->inode);
}

/* Was all that is demanded of the inode authentic under @number? */
static bool number_matches(struct adoption *a, u64 number)
{
	if (a->info && !e4c_head_matches(a->inode, a->info, a->size, number))
		return false;
	return !place_demanded(a) || place_matches(a, number);
}

/* 0: @a->number is it; -ESRCH: none of these; -EINTR. */
static int number_find(struct adoption *a, u64 first, u64 count)
{
	u64 number;

	if (number_matches(a, a->inode->i_ino)) {
		a->number = a->inode->i_ino;
		return 0;
	}
	for (number = first; number < first + count; number++) {
		if (number_matches(a, number)) {
			a->number = number;
			return 0;
		}
		if (number % 1024)
			continue;
		cond_resched();
		if (signal_pending(current))
			return -EINTR;
	}
	return -ESRCH;
}

/* Has the inode @other, at the number found, the keys of this one, or if it has none the place? */
static bool is_original(struct inode *inode, struct inode *other)
{
	struct e4c_inode_state *one = &EXT4_I(inode)->i_e4c, *two = &EXT4_I(other)->i_e4c;

	if (one->kind != two->kind)
		return false;
	if (one->kind == E4C_ATTRIBUTE_FULL)
		return !memcmp(&one->c.context, &two->c.context, sizeof(one->c.context));
	return !memcmp(one->c.place, two->c.place, sizeof(one->c.place));
}

/* 0; -EEXIST: the inode that had the number is still there; -errno: nobody can say. */
static int original_is_gone(struct adoption *a)
{
	struct super_block *sb = a->dir->i_sb;
	struct inode *other;
	int err;

	if (a->number > le32_to_cpu(EXT4_SB(sb)->s_es->s_inodes_count) ||
	    !ext4_valid_inum(sb, a->number))
		return 0;
	other = ext4_iget(sb, a->number, EXT4_IGET_HANDLE);
	if (IS_ERR(other))
		return PTR_ERR(other) == -ESTALE ? 0 : PTR_ERR(other);
	err = is_original(a->inode, other) ? -EEXIST : 0;
	iput(other);
	return err;
}

/* In memory and, with the running transaction, on the disk: authentic under its own number. */
static int number_renew(struct adoption *a)
{
	struct ext4_inode_info *ei = EXT4_I(a->inode);
	u8 place[E4C_MAC_SIZE] = {};
	handle_t *handle;
	int err, err2;

	/* A place of another name, which LINKED allows, cannot be made anew: nobody has it. */
	if (place_matches(a, a->number))
		e4c_place_mac(a->dir, a->inode, a->inode->i_ino, a->name.bytes, a->name.len, place);
	handle = ext4_journal_start(a->inode, EXT4_HT_MISC, 2);
	if (IS_ERR(handle))
		return PTR_ERR(handle);
	spin_lock(&ei->i_raw_lock);
	memcpy(ei->i_e4c.c.place, place, sizeof(place));
	if (a->info) {
		ei->i_e4c.head_known = true;
		ei->i_e4c.head_stale = true;
		ei->i_e4c.head_size = a->size;
		smp_store_release(&ei->i_e4c.info, a->info);
		a->info = NULL;
	}
	spin_unlock(&ei->i_raw_lock);
	e4c_count_change(a->inode);
	err = ext4_mark_inode_dirty(handle, a->inode);
	err2 = ext4_journal_stop(handle);
	ext4_msg(a->inode->i_sb, KERN_NOTICE, "inode #%lu: adopted, it was #%llu",
		 a->inode->i_ino, a->number);
	return err ? err : err2;
}

/* With the keys of the directory; under load_lock if the inode has contents. */
static int adopt_locked(struct adoption *a, u64 first, u64 count)
{
	int err;

	if (e4c_info(a->inode)) {
		/* Its head is known to be right under its number: no other will do. */
		a->number = a->inode->i_ino;
		if (!place_demanded(a) || place_matches(a, a->number))
			return 0;
		return e4c_report_inode(a->inode, "it does not belong under this name");
	}
	if (e4c_has_contents(a->inode)) {
		a->info = e4c_info_make(a->inode, &EXT4_I(a->inode)->i_e4c.c.context);
		if (IS_ERR(a->info)) {
			err = PTR_ERR(a->info);
			a->info = NULL;
			return err;
		}
		if (S_ISREG(a->inode->i_mode))
			a->size = READ_ONCE(EXT4_I(a->inode)->i_disksize);
		err = e4c_head_load(a->inode, a->info);
		if (err)
			return err;
	}
	err = number_find(a, first, count);
	if (err || a->number == a->inode->i_ino)
		return err;
	err = original_is_gone(a);
	return err ? err : number_renew(a);
}

/* May the inode be adopted at all? 0, -EUCLEAN (reported), -EPERM, -ENOKEY, -errno. */
static int inode_prepare(struct adoption *a)
{
	struct inode *inode = a->inode;
	int err;

	if (!e4c_has_contents(inode))
		return EXT4_I(inode)->i_e4c.kind == E4C_ATTRIBUTE_PLACE ? 0 :
		       e4c_report_inode(inode, "a special file without a place");
	if (!IS_ENCRYPTED(inode))
		return IS_ENCRYPTED(a->dir) ?
		       e4c_report_inode(inode, "an inode without a place in an encrypted directory") :
		       -ENODATA;
	err = e4c_attribute_check(inode);
	if (err)
		return err;
	if (IS_ENCRYPTED(a->dir) && !fscrypt_has_permitted_context(a->dir, inode))
		return -EPERM;
	err = __fscrypt_prepare_readdir(inode);
	return err ? err : e4c_info_allowed(inode);
}

static int inode_adopt(struct adoption *a, u64 first, u64 count)
{
	struct mutex *load_lock = &EXT4_I(a->inode)->i_e4c.load_lock;
	int err;

	/* Against link(). What the disk says is below this directory may be above it: only try. */
	if (!inode_trylock(a->inode))
		return -EBUSY;
	err = inode_prepare(a);
	if (!err) {
		mutex_lock(load_lock);
		err = adopt_locked(a, first, count);
		mutex_unlock(load_lock);
		e4c_info_destroy(a->info);
	}
	inode_unlock(a->inode);
	return err;
}

/* Under the lock of @a->dir. */
static int entry_adopt(struct adoption *a, const struct qstr *name, u64 first, u64 count)
{
	unsigned long number;
	int err = e4c_keys_require(a->dir);

	if (!err)
		err = e4c_entry_find(a->dir, name, &a->name, &number);
	if (err)
		return err;
	if (!ext4_valid_inum(a->dir->i_sb, number) || number == a->dir->i_ino)
		return e4c_report_inode(a->dir, "an entry with a bad inode number");
	a->inode = ext4_iget(a->dir->i_sb, number, EXT4_IGET_NORMAL);
	if (IS_ERR(a->inode))
		return PTR_ERR(a->inode) == -ESTALE ? -EFSCORRUPTED : PTR_ERR(a->inode);
	err = inode_adopt(a, first, count);
	iput(a->inode);
	return err;
}

static int name_get(const struct e4c_adopt *arg, u8 name[EXT4_NAME_LEN])
{
	if (!arg->name_len || arg->name_len > EXT4_NAME_LEN)
		return -EINVAL;
	if (copy_from_user(name, u64_to_user_ptr(arg->name), arg->name_len))
		return -EFAULT;
	if (memchr(name, '/', arg->name_len) || memchr(name, 0, arg->name_len) ||
	    (name[0] == '.' && (arg->name_len == 1 || (arg->name_len == 2 && name[1] == '.'))))
		return -EINVAL;
	return 0;
}

int e4c_adopt(struct file *filp, struct e4c_adopt __user *uarg)
{
	struct adoption a = { .dir = file_inode(filp) };
	u8 bytes[EXT4_NAME_LEN];
	struct e4c_adopt arg;
	struct qstr name;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!S_ISDIR(a.dir->i_mode))
		return -ENOTDIR;
	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.reserved || !arg.count || arg.count > E4C_ADOPT_NUMBERS ||
	    !arg.first || arg.first > U32_MAX || arg.count - 1 > U32_MAX - arg.first)
		return -EINVAL;
	err = name_get(&arg, bytes);
	if (err)
		return err;
	name = (struct qstr)QSTR_INIT(bytes, arg.name_len);
	err = mnt_want_write_file(filp);
	if (err)
		return err;
	inode_lock_nested(a.dir, I_MUTEX_PARENT);
	err = IS_DEADDIR(a.dir) ? -ENOENT : entry_adopt(&a, &name, arg.first, arg.count);
	inode_unlock(a.dir);
	mnt_drop_write_file(filp);
	if (!err && put_user(a.number, &uarg->first))
		err = -EFAULT;
	return err;
}
