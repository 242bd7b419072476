/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of our state is embedded in ext4's structures: included at the head of
 * ext4.h, before them.
 */
#ifndef E4C_TYPES_H
#define E4C_TYPES_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

#define E4C_U8 __u8
#define E4C_LE32 __le32
#define E4C_LE64 __le64
#include "format.h"

/* The kernel's own ext4 has slab caches of the same names, and a name must be unique. */
#undef KMEM_CACHE
#define KMEM_CACHE(type, flags)						\
	kmem_cache_create("e4c_" #type, sizeof(struct type), __alignof__(struct type), flags, NULL)

struct e4c_info;
struct e4c_overwrites;
struct kobject;

/* What the body of an inode has as attribute `c`. */
enum e4c_attribute_kind {
	E4C_ATTRIBUTE_NONE,	/* none: not ours */
	E4C_ATTRIBUTE_FULL,	/* 68 bytes */
	E4C_ATTRIBUTE_PLACE,	/* 12 bytes, of a special file: only .place means something */
	E4C_ATTRIBUTE_OLD,	/* of format 1: refused */
	E4C_ATTRIBUTE_DAMAGED,	/* not where it must be, or what it must not be, or fscrypt's own: refused */
};

/*
 * In ext4_inode_info, for every inode.
 *
 * The attribute is read once, when the inode is read from the disk, and written
 * by e4c_attribute_fill() whenever the inode is. In between, memory has the newest
 * one: what changes in it changes under i_raw_lock.
 */
struct e4c_inode_state {
	struct e4c_info *info;	/* see key.c; NULL: no key was needed so far */
	struct mutex load_lock;	/* info is being made and the head checked */
	const struct e4c_context *stands_for;	/* of a pseudo inode: see key.c */
	struct e4c_attribute c;	/* i_raw_lock, once the inode is in use */
	u8 kind;		/* enum e4c_attribute_kind; constant after the inode was read or made */
	bool head_known;	/* i_raw_lock; the head was checked, or the inode made, in this life */
	bool head_stale;	/* i_raw_lock; state, top or target have changed since c.head */
	bool counted;		/* i_raw_lock; the sequence number has gone up in this life */
	bool biased;		/* the size on disk is; constant as kind is */
	bool revoke;		/* see e4c_free_revokes(); under i_data_sem */
	loff_t head_size;	/* i_raw_lock; the size in c.head, if it is known */
};

/* A name as a directory entry stores it. */
struct e4c_name {
	u8 len;
	u8 bytes[255];
};

/* What the counters in sysfs count, in pages. */
enum e4c_counter {
	E4C_PAGES_SEALED,
	E4C_PAGES_OPENED,
	E4C_PAGES_JOURNALED,	/* sealed as overwrites, through the journal */
	E4C_FAILURES,		/* authentication failures, pages, tag blocks, heads, places */
	E4C_COUNTERS
};

/* The default key of a mount, option encrypt_key_sig. */
struct e4c_default_key {
	bool set;
	u8 identifier[16];
};

/* The mount options that ext4 does not have; see options.c. In ext4_fs_context. */
struct e4c_options {
	struct e4c_default_key key;
	bool devices_given, devices;
};

/* In ext4_sb_info. */
struct e4c_sb_state {
	/* Those in force; "before" is good during a remount. Under s_umount. */
	struct e4c_default_key key, key_before;
	bool devices, devices_before;

	struct xarray overwritten;	/* see record.c: inode -> tid of its last overwrite */
	atomic_t overwritten_count;	/* of its entries; a hint */
	unsigned int sweep_at;		/* when there are so many, the record is swept */
	u64 overwritten_any;	/* 0, or 2^32 + the last tid that had no room there */
	spinlock_t pinned_lock;		/* protects the two below */
	u32 pinned_tid;
	unsigned int pinned;	/* pages that it has overwritten */
	atomic64_t counter[E4C_COUNTERS];
	char aead_driver[64];	/* of the key that was set up last */
	struct kobject *kobj;
	spinlock_t nodes_lock;	/* see node.c; protects the two below */
	struct list_head nodes;	/* cached nodes of all inodes, the longest unused last */
	unsigned long nodes_count;
};

#endif
