/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of our state is embedded in ext4's structures: included at the head of
 * ext4.h, before them.
 */
#ifndef E4C_TYPES_H
#define E4C_TYPES_H

#include <linux/atomic.h>
#include <linux/slab.h>
#include <linux/types.h>

/* The kernel's own ext4 has slab caches of the same names, and a name must be unique. */
#undef KMEM_CACHE
#define KMEM_CACHE(type, flags)						\
	kmem_cache_create("e4c_" #type, sizeof(struct type), __alignof__(struct type), flags, NULL)

struct e4c_info;
struct kobject;

/* In ext4_inode_info, for every inode. */
struct e4c_inode_state {
	struct e4c_info *info;	/* see key.c; NULL: no key was needed so far */
	bool revoke;		/* see e4c_free_revokes(); under i_data_sem */
	u8 aead;		/* of its context; see context.c */
};

/* What the counters in sysfs count, in pages. */
enum e4c_counter {
	E4C_PAGES_SEALED,
	E4C_PAGES_OPENED,
	E4C_PAGES_JOURNALED,	/* sealed as overwrites, through the journal */
	E4C_FAILURES,		/* authentication failures, pages and tag blocks */
	E4C_COUNTERS
};

/* The default key of a mount, option encrypt_key_sig. In ext4_fs_context. */
struct e4c_default_key {
	bool set;
	u8 identifier[16];
};

/* In ext4_sb_info. */
struct e4c_sb_state {
	struct e4c_default_key key, key_before;	/* the latter during a remount */
	u64 overwrite;		/* see e4c_data_in_log() */
	atomic64_t counter[E4C_COUNTERS];
	char aead_driver[64];	/* of the key that was set up last */
	struct kobject *kobj;
};

#endif
