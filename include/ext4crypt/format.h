/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * ext4crypt on-disk format, version 1: the one definition, shared by the kernel
 * component and by user space. docs/on-disk-format.md says the same in words,
 * with a worked example.
 *
 * Plain C, fixed-width fields, no code, no includes: the includer provides
 * E4C_LE16, E4C_LE32, E4C_LE64 (little-endian storage types) and E4C_U8 before
 * including this file, e.g. __le32 in the kernel and uint32_t plus le32toh()
 * in user space.
 */
#ifndef EXT4CRYPT_FORMAT_H
#define EXT4CRYPT_FORMAT_H

/* ---- encryption context: xattr index 9, name "c", 40 bytes ---------------- */

/*
 * The first byte of an authenticated context. fscrypt knows 1 and 2 only, so a
 * kernel without ext4crypt lists such directories and deletes from them, but
 * opens and creates nothing in them.
 */
#define E4C_CONTEXT_VERSION 0xA2
#define E4C_CONTEXT_SIZE 40

/* E4C_AEAD_*: e4c_context.aead */
#define E4C_AEAD_AES_256_GCM 1
#define E4C_AEAD_CHACHA20_POLY1305 2

#define E4C_FORMAT_REVISION 1

/* Bits in e4c_context.incompat. This version understands none of them. */
#define E4C_INCOMPAT_INLINE_TAGS 0x01	/* reserved, see the end of this file */
#define E4C_INCOMPAT_KNOWN 0

struct e4c_context {
	E4C_U8 version;			/* E4C_CONTEXT_VERSION */
	E4C_U8 contents_mode;		/* fscrypt mode; 1 = AES-256-XTS, always */
	E4C_U8 filenames_mode;		/* fscrypt mode; 4 = AES-256-CTS-CBC, 10 = AES-256-HCTR2 */
	E4C_U8 flags;			/* fscrypt policy flags; only the padding bits 0x03 */
	E4C_U8 log2_data_unit_size;	/* 0 */
	E4C_U8 aead;			/* E4C_AEAD_* */
	E4C_U8 revision;		/* E4C_FORMAT_REVISION */
	E4C_U8 incompat;		/* an unknown bit: refuse */
	E4C_U8 master_key_identifier[16];
	E4C_U8 nonce[16];		/* random, one per inode */
};

/* ---- tag area --------------------------------------------------------------
 *
 * The tag blocks of a file are blocks of the same inode, far past the largest
 * possible end of file, mapped by unwritten extents. Tag block g stands at
 * logical block E4C_TAG_LBLK + g and serves the 127 virtual slots
 * 127 * g .. 127 * g + 126. Virtual slot 0 is the file header (reserved), and
 * virtual slot p + 1 is page p.
 */
#define E4C_BLOCK_SIZE 4096
#define E4C_TAG_LBLK 0x7F000000u	/* first logical block of the tag area */
#define E4C_TAG_LBLK_END 0x80000000u	/* first logical block past it */
#define E4C_MAX_PAGES 0x7EFFFFFFu	/* pages a file can have: virtual slot 0 is none */
#define E4C_GROUP_SLOTS 127u		/* page slots in a tag block */
#define E4C_GROUPS 0x1000000u		/* 127 * 2^24 == 0x7F000000 */

#define E4C_TAG_SIZE 16
#define E4C_NONCE_SIZE 12
#define E4C_KEY_SIZE 32

/* e4c_slot.info of a page slot: bits 0-1 state, the rest zero. */
#define E4C_INFO_STATE_MASK 0x3u
#define E4C_STATE_ABSENT 0u		/* hole or unwritten; the whole slot is zero */
#define E4C_STATE_VALID 1u		/* the page is written and this is its tag */

/*
 * e4c_slot.info of slot 0, the seal: bits 0-23 the next group that exists (0:
 * this is the last one; the successor of a group is never group 0), bits
 * 24-31 flags, all zero in version 1.
 */
#define E4C_INFO_NEXT_MASK 0x00FFFFFFu
#define E4C_INFO_FLAGS_MASK 0xFF000000u

struct e4c_slot {
	E4C_U8 tag[E4C_TAG_SIZE];
	E4C_U8 nonce[E4C_NONCE_SIZE];
	E4C_LE32 info;
};

struct e4c_tag_block {
	struct e4c_slot seal;
	struct e4c_slot slot[E4C_GROUP_SLOTS];
};

/* ---- associated data -------------------------------------------------------
 *
 * Every AEAD call authenticates this header first. For a page, nothing else is
 * associated and the page (4096 bytes) is the text. For a seal, the 127 slots
 * of the block follow as associated data and the text is empty.
 */
#define E4C_AAD_MAGIC "E4C1"
#define E4C_DOMAIN_PAGE 1
#define E4C_DOMAIN_SEAL 2
#define E4C_DOMAIN_FILE 3		/* reserved for the file header */

struct e4c_aad {
	E4C_U8 magic[4];		/* E4C_AAD_MAGIC, without the zero byte */
	E4C_U8 revision;		/* E4C_FORMAT_REVISION */
	E4C_U8 domain;			/* E4C_DOMAIN_* */
	E4C_U8 aead;			/* E4C_AEAD_* */
	E4C_U8 zero1;
	E4C_LE64 index;			/* page index, or group */
	E4C_LE32 info;			/* the slot's info */
	E4C_U8 zero2[12];
};

/* ---- key derivation --------------------------------------------------------
 *
 * seed   = AES-256-XTS of 64 zero bytes under the file's fscrypt contents key,
 *          data unit number E4C_KEY_DATA_UNIT, which no block of a file has.
 * key    = HKDF-SHA512(salt = none, IKM = seed, L = 32,
 *          info = E4C_KEY_INFO without its zero byte || the 40-byte context)
 */
#define E4C_KEY_SEED_SIZE 64
#define E4C_KEY_DATA_UNIT 0xFFFFFFFFFFFFFFFFull
#define E4C_KEY_INFO "ext4crypt v1 page key"

/* ---- per-user directories -----------------------------------------------------
 *
 * An unencrypted directory with the xattr index 9 of this name and the one-byte
 * value 1: what is created in it gets the default key of its creator.
 */
#define E4C_PER_USER_XATTR "u"

/* ---- reserved ---------------------------------------------------------------
 *
 * xattr index 9, name "t": the seal and up to 7 page slots of a small file,
 * whose context has E4C_INCOMPAT_INLINE_TAGS. Version 1 writes neither, refuses
 * the feature like every other, and gives the attribute alone no meaning.
 */
#define E4C_INLINE_TAGS_XATTR "t"

#endif
