/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * ioctls of ext4crypt's own. Everything else is fscrypt's interface.
 *
 * Plain C: the includer provides __u32 and __u64 (linux/types.h) and _IOW
 * (linux/ioctl.h or sys/ioctl.h).
 */
#ifndef EXT4CRYPT_UAPI_H
#define EXT4CRYPT_UAPI_H

/*
 * E4C_IOC_GET_TAGS: the page slots of a regular file, as they stand on disk or
 * will after the running transaction, for audits and tests.
 *
 * slots:  pointer to count entries of 32 bytes (struct e4c_slot in format.h)
 * flags:  with E4C_GET_TAGS_SEALS, first_page and count are tag blocks, and
 *         the slots are their seals; zero for a tag block that does not exist
 * Errors: EBADF not opened for reading; EOPNOTSUPP not an authenticated file;
 *         EINVAL range, flags or reserved; EIO a tag block is not authentic.
 */
struct e4c_get_tags {
	__u64 first_page;
	__u32 count;
	__u32 flags;		/* 0 or E4C_GET_TAGS_SEALS */
	__u64 slots;
	__u64 reserved;		/* 0 */
};

#define E4C_GET_TAGS_SEALS 1u

#define E4C_IOC_GET_TAGS _IOW('f', 0xE4, struct e4c_get_tags)

/*
 * E4C_IOC_SET_PER_USER: make an unencrypted, empty directory a per-user
 * directory (1), or an ordinary one again (0). What is created in it is
 * encrypted with its creator's key, the logon key "ext4crypt:EXT4_DEFAULT_KEY"
 * in his keyrings; without one, and unless that key has been added to the file
 * system, nothing can be created (ENOKEY).
 * E4C_IOC_GET_PER_USER: which of the two it is.
 *
 * Errors: EACCES not the owner; ENOTDIR; ENOTEMPTY; EINVAL the directory is
 *         encrypted, or is the root directory; EOPNOTSUPP no encrypt feature.
 */
#define E4C_IOC_SET_PER_USER _IOW('f', 0xE5, __u32)
#define E4C_IOC_GET_PER_USER _IOR('f', 0xE6, __u32)

/*
 * E4C_IOC_SET_AEAD: choose the AEAD of an encrypted, empty directory, one of
 * E4C_AEAD_* in format.h. What is created in it from then on, and below it, has
 * that one. A directory that gets a policy has the machine's default:
 * AES-256-GCM, or ChaCha20-Poly1305 where the processor has no AES.
 * E4C_IOC_GET_AEAD: that of a directory or file.
 *
 * Errors: EACCES not the owner; EINVAL unknown AEAD; ENODATA not encrypted;
 *         ENOTDIR; ENOTEMPTY.
 */
#define E4C_IOC_SET_AEAD _IOW('f', 0xE7, __u32)
#define E4C_IOC_GET_AEAD _IOR('f', 0xE8, __u32)

/*
 * E4C_IOC_ADOPT, on a directory: the inode of one of its entries has another number than when it was
 * written, because resize2fs made the volume smaller. If its head, and in an encrypted directory
 * its place under this name, are authentic under one and the same of the given numbers, both are
 * made anew for the number that it has. Nothing else is believed for it: see the threat model.
 *
 * name:   pointer to name_len bytes, as readdir gives them with the key
 * first:  the lowest number that it may have had; when it returns, the one that it had. Its own
 *         number: it is authentic as it is, and nothing was changed
 * count:  how many numbers, 1 .. E4C_ADOPT_NUMBERS
 * Errors: EPERM no CAP_SYS_ADMIN; ENOKEY the key of the directory or inode is not there; ENOENT no
 *         such entry; ESRCH none of these numbers; EEXIST an inode with that number and these keys
 *         is still there, so this one is a copy; EUCLEAN what is stored is not authentic under any
 *         number; EBUSY in use; EINVAL name, numbers, flags or reserved; EROFS, EIO.
 */
struct e4c_adopt {
	__u64 name;
	__u32 name_len;
	__u32 flags;		/* 0 */
	__u64 first;
	__u64 count;
	__u64 reserved;		/* 0 */
};

#define E4C_ADOPT_NUMBERS (1u << 20)

#define E4C_IOC_ADOPT _IOWR('f', 0xE9, struct e4c_adopt)

/*
 * E4C_IOC_GET_ENTRIES, on an encrypted directory: the attributes of its entries, each checked: the
 * directory's head, the place under that name, the head of the inode. For records of a tree. Like
 * getdents it goes on at the position of the descriptor, which lseek(fd, 0, SEEK_SET) takes
 * back. "." is the directory itself; ".." is left out.
 *
 * entries: pointer to size bytes, multiple of 8, 1 KiB .. 64 KiB, for records of struct e4c_entry
 * size:    when it returns, the bytes used; 0: that was all
 * What is returned is on the disk when the file system has been synced and nobody has written since.
 * Errors: EPERM no CAP_SYS_ADMIN; ENOTDIR; ENODATA not encrypted; ENOKEY; EUCLEAN the directory is
 *         not authentic; EINVAL size or reserved.
 */
struct e4c_get_entries {
	__u64 entries;
	__u32 size;
	__u32 reserved;		/* 0 */
};

struct e4c_entry {
	__u64 inode;		/* 0 with an error */
	__u32 mode;		/* st_mode; nothing authenticates more than the type */
	__s32 error;		/* 0; else -errno: this entry is not authentic, and c is empty */
	__u16 size;		/* of this record with its name, a multiple of 8 */
	__u16 name_len;
	__u16 c_size;		/* E4C_ATTRIBUTE_SIZE, or E4C_PLACE_ATTRIBUTE_SIZE of a special file */
	__u16 zero;
	__u8 c[68];		/* struct e4c_attribute of format.h, or the place alone */
	__u8 name[];		/* without a zero byte at its end */
};

#define E4C_IOC_GET_ENTRIES _IOWR('f', 0xEA, struct e4c_get_entries)

#endif
