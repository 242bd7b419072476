/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * ext4crypt on-disk format, version 2: the one definition, shared by the kernel
 * component and by user space. docs/on-disk-format.md says the same in words,
 * with a worked example.
 *
 * Plain C, fixed-width fields, no code, no includes: the includer provides
 * E4C_LE32, E4C_LE64 (little-endian storage types) and E4C_U8 before including
 * this file, e.g. __le32 in the kernel and uint32_t plus le32toh() in user space.
 */
#ifndef EXT4CRYPT_FORMAT_H
#define EXT4CRYPT_FORMAT_H

#define E4C_FORMAT_REVISION 2

#define E4C_BLOCK_SIZE 4096
#define E4C_TAG_SIZE 16
#define E4C_NONCE_SIZE 12
#define E4C_KEY_SIZE 32
#define E4C_MAC_SIZE 12

/* ---- encryption context: the first 40 bytes of the attribute ---------------- */

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

/* Bits in e4c_context.incompat. This version understands none of them. */
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

/* ---- the attribute: xattr index 9, name "c" --------------------------------
 *
 * Of encrypted directories, regular files and symbolic links, 68 bytes, the most
 * that fits into an inode of 256 bytes. It is the first entry in the body of the
 * inode, with e_hash 0, and its value is the last bytes of the inode. A fifo, a
 * socket and a whiteout in an encrypted directory have an attribute of 12 bytes
 * in the same place: the place alone.
 */
struct e4c_attribute {
	struct e4c_context context;
	E4C_U8 place[E4C_MAC_SIZE];	/* this inode is what its directory means by this name */
	E4C_U8 head[E4C_MAC_SIZE];	/* size, form and newest tags of the contents */
	E4C_LE32 state;			/* E4C_STATE_* */
};

#define E4C_ATTRIBUTE_SIZE 68
#define E4C_PLACE_ATTRIBUTE_SIZE 12

/* e4c_attribute.state. Bits 6 and 7 are zero. */
#define E4C_STATE_FORM_MASK 0x03u
#define E4C_FORM_EMPTY 0u		/* no written page; also directories and links */
#define E4C_FORM_TAIL 1u		/* slots in the slack of the last page's block */
#define E4C_FORM_TREE 2u		/* slots in tag blocks */
#define E4C_STATE_HEIGHT_MASK 0x1Cu	/* form TREE: the level of the top block, 0..4; else 0 */
#define E4C_STATE_HEIGHT_SHIFT 2
#define E4C_STATE_LINKED 0x20u		/* may have several names: its place is not asked for */
#define E4C_STATE_ZERO_MASK 0xC0u
#define E4C_STATE_SEQUENCE_SHIFT 8	/* bits 8-31 */

/* ---- logical blocks of a regular file -------------------------------------- */

#define E4C_MAX_PAGES 0x50000000u	/* pages: 0 .. E4C_MAX_PAGES - 1 */
#define E4C_TAG_LBLK 0x50000000u	/* tag blocks and nodes, in unwritten extents */
#define E4C_TAG_LBLK_END 0x50C00000u
#define E4C_SHADOW_LBLK 0x50C00000u	/* reserved: never mapped in this version */
#define E4C_SHADOW_LBLK_END 0xA0C00000u

/*
 * i_size on disk is this much larger than the size of the file, so that every
 * area is below it: stock e2fsck takes an index entry past i_size for corrupt.
 */
#define E4C_SIZE_BIAS 0xA0C00000000ull	/* E4C_SHADOW_LBLK_END blocks */

/*
 * The tree. Level 0 are the tag blocks; block j of level l covers the blocks
 * 127 j .. 127 j + 126 of level l - 1, or these pages.
 */
#define E4C_BLOCK_SLOTS 127u
#define E4C_MAX_HEIGHT 4
#define E4C_LEVEL_0_LBLK 0x50000000u
#define E4C_LEVEL_1_LBLK 0x50A80000u
#define E4C_LEVEL_2_LBLK 0x50AA0000u
#define E4C_LEVEL_3_LBLK 0x50AB0000u
#define E4C_LEVEL_4_LBLK 0x50AC0000u
#define E4C_LEVEL_0_BLOCKS 10568326u
#define E4C_LEVEL_1_BLOCKS 83216u
#define E4C_LEVEL_2_BLOCKS 656u
#define E4C_LEVEL_3_BLOCKS 6u
#define E4C_LEVEL_4_BLOCKS 1u

/*
 * e4c_slot.info of a page: the number of its text bytes, 1 .. 4096. Of a seal: 1.
 * A slot of 32 zero bytes: no such page or block.
 */
#define E4C_INFO_SEAL 1u

struct e4c_slot {
	E4C_U8 tag[E4C_TAG_SIZE];
	E4C_U8 nonce[E4C_NONCE_SIZE];
	E4C_LE32 info;
};

/* A tag block or a node. The slots of a node are the seals of its children. */
struct e4c_tag_block {
	struct e4c_slot seal;
	struct e4c_slot slot[E4C_BLOCK_SLOTS];
};

/* Form TAIL: at most this many pages. */
#define E4C_TAIL_PAGES 32u

/* ---- associated data --------------------------------------------------------
 *
 * Every AEAD call authenticates this header first. For a page, nothing else is
 * associated and its text bytes are the text. For a seal, the slots of the block
 * follow as associated data and the text is empty.
 */
#define E4C_MAGIC "E4C2"
#define E4C_DOMAIN_PAGE 1		/* index: page */
#define E4C_DOMAIN_SEAL 2		/* index: block of its level */
#define E4C_DOMAIN_TAIL_PAGE 3		/* index: page; the last page of form TAIL */
#define E4C_DOMAIN_TAIL_SEAL 4		/* index: number of slots */
#define E4C_DOMAIN_HEAD 5
#define E4C_DOMAIN_PLACE 6

struct e4c_aad {
	E4C_U8 magic[4];		/* E4C_MAGIC, without the zero byte */
	E4C_U8 revision;		/* E4C_FORMAT_REVISION */
	E4C_U8 domain;			/* E4C_DOMAIN_* */
	E4C_U8 aead;			/* E4C_AEAD_* */
	E4C_U8 level;			/* of a seal; else 0 */
	E4C_LE64 index;
	E4C_LE32 info;			/* the slot's info */
	E4C_U8 zero[12];
};

/* ---- message authentication -------------------------------------------------
 *
 * Keyed BLAKE2s with 12 bytes of output (RFC 7693: nn = 12, kk = 32), over:
 *
 * head:  e4c_mac_inode, e4c_mac_head, and of a symbolic link the stored target
 * place: e4c_mac_inode, and the name as stored in the directory entry
 */
struct e4c_mac_inode {
	E4C_U8 magic[4];		/* E4C_MAGIC, without the zero byte */
	E4C_U8 revision;		/* E4C_FORMAT_REVISION */
	E4C_U8 domain;			/* E4C_DOMAIN_HEAD or E4C_DOMAIN_PLACE */
	E4C_U8 type;			/* i_mode >> 12 */
	E4C_U8 zero;
	E4C_LE64 inode;			/* number of the inode */
	struct e4c_context context;	/* its own; special files: zeros */
};

struct e4c_mac_head {
	E4C_LE32 state;
	E4C_LE32 zero;
	E4C_LE64 size;			/* regular file: without the bias; else 0 */
	struct e4c_slot top;		/* seal of the top block (TREE) or of the tail (TAIL); else zeros */
};

/* ---- key derivation ----------------------------------------------------------
 *
 * seed = AES-256-XTS of 64 zero bytes under the fscrypt contents key that a regular
 *        file with this context has, data unit number E4C_KEY_DATA_UNIT, which no
 *        block of a file has. Also for directories and links.
 * keys = HKDF-SHA512(salt = none, IKM = seed, L = 64,
 *        info = E4C_KEY_INFO without its zero byte || the 40-byte context)
 */
#define E4C_KEY_SEED_SIZE 64
#define E4C_KEY_DATA_UNIT 0xFFFFFFFFFFFFFFFFull
#define E4C_KEY_INFO "ext4crypt v2 file keys"

struct e4c_keys {
	E4C_U8 page[E4C_KEY_SIZE];	/* AEAD; of a directory: places of its entries */
	E4C_U8 head[E4C_KEY_SIZE];
};

/* ---- per-user directories -----------------------------------------------------
 *
 * An unencrypted directory with the xattr index 9 of this name and the one-byte
 * value 1: what is created in it gets the default key of its creator.
 */
#define E4C_PER_USER_XATTR "u"

#endif
