// SPDX-License-Identifier: Apache-2.0
#include "volume/ext4/image.h"

#include <et/com_err.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "volume/ext4/io_manager.h"
#include "volume/ext4/journal.h"

namespace ext4crypt::volume {
namespace {

constexpr size_t kSuperOffset = 1024;
constexpr uint32_t kIncompatKnown =
    EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_RECOVER | EXT2_FEATURE_INCOMPAT_META_BG |
    EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_MMP |
    EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_EA_INODE |
    EXT4_FEATURE_INCOMPAT_CSUM_SEED | EXT4_FEATURE_INCOMPAT_LARGEDIR |
    EXT4_FEATURE_INCOMPAT_INLINE_DATA | EXT4_FEATURE_INCOMPAT_ENCRYPT |
    EXT4_FEATURE_INCOMPAT_CASEFOLD;

uint16_t Field16(const uint8_t* raw, size_t offset) { return Le16(raw + offset); }
uint32_t Field32(const uint8_t* raw, size_t offset) { return Le32(raw + offset); }
#define E4C_INODE_AT(field) offsetof(struct ext2_inode_large, field)

// Seconds since 1970 are 34 bits: 32 signed ones and two in the extra field.
Inode::Time DecodeTime(uint32_t seconds, uint32_t extra) {
  return {.seconds = static_cast<int32_t>(seconds) + (static_cast<int64_t>(extra & 3) << 32),
          .nanoseconds = std::min<uint32_t>(extra >> 2, 999999999)};
}

}  // namespace

// What libext2fs takes on trust: sizes from which it computes allocations and divisors.
absl::Status Image::CheckSuperblock() const {
  std::array<uint8_t, 1024> raw = {};
  if (!source_->Read(kSuperOffset, absl::MakeSpan(raw)).ok()) {
    return Fail(Reason::kNotExt4, "the image is too short for a superblock");
  }
  struct ext2_super_block sb = {};
  static_assert(sizeof(sb) == raw.size());
  std::memcpy(&sb, raw.data(), sizeof(sb));
  if (le16toh(sb.s_magic) != EXT2_SUPER_MAGIC) return Fail(Reason::kNotExt4, "no magic number");
  const uint32_t incompat = le32toh(sb.s_feature_incompat);
  if ((incompat & ~kIncompatKnown) != 0) {
    return Fail(Reason::kFeatureUnsupported,
                absl::StrCat("incompatible features 0x", absl::Hex(incompat & ~kIncompatKnown)));
  }
  if (le32toh(sb.s_log_block_size) != 2) {
    return Fail(Reason::kBlockSizeUnsupported, "the block size is not 4096 bytes");
  }
  const uint32_t inode_size = le16toh(sb.s_inode_size);
  const uint32_t per_group = le32toh(sb.s_blocks_per_group);
  const uint32_t inodes_per_group = le32toh(sb.s_inodes_per_group);
  const bool wide = (incompat & EXT4_FEATURE_INCOMPAT_64BIT) != 0;
  const uint32_t desc_size = wide ? le16toh(sb.s_desc_size) : 32;
  const uint64_t blocks = le32toh(sb.s_blocks_count) |
                          (wide ? static_cast<uint64_t>(le32toh(sb.s_blocks_count_hi)) << 32 : 0);
  if (le32toh(sb.s_rev_level) != EXT2_DYNAMIC_REV || inode_size < 128 || inode_size > kBlockSize ||
      (inode_size & (inode_size - 1)) != 0 || per_group < 8 || per_group > kBlockSize * 8 ||
      inodes_per_group < 8 || inodes_per_group > kBlockSize * 8 || desc_size < 32 ||
      desc_size > 1024 || (desc_size & (desc_size - 1)) != 0 || blocks == 0 || blocks >> 48 != 0 ||
      le32toh(sb.s_first_data_block) != 0) {
    return Fail(Reason::kSuperblockMalformed, "a size in the superblock is out of range");
  }
  // libext2fs allocates room for all group descriptors before it reads them.
  const uint64_t groups = (blocks + per_group - 1) / per_group;
  if (groups > source_->size() / desc_size || groups * inodes_per_group > UINT32_MAX ||
      groups * inodes_per_group != le32toh(sb.s_inodes_count)) {
    return Fail(Reason::kSuperblockMalformed, "the group descriptors do not fit in the image");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Image>> Image::Open(std::unique_ptr<BlockSource> source) {
  std::unique_ptr<Image> image(new Image(std::move(source)));
  RETURN_IF_ERROR(image->OpenFileSystem());
  if (ext2fs_has_feature_journal_needs_recovery(image->fs_->super)) {
    RETURN_IF_ERROR(image->ReplayJournal());
  }
  image->CheckWhole();
  return image;
}

absl::Status Image::OpenFileSystem() {
  if (fs_ != nullptr) ext2fs_free(fs_);
  fs_ = nullptr;
  RETURN_IF_ERROR(CheckSuperblock());
  // Checksums are checked here one by one: a wrong one is a finding, not the end.
  const int flags = EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS | EXT2_FLAG_SKIP_MMP |
                    EXT2_FLAG_SOFTSUPP_FEATURES;
  const errcode_t err =
      ext2fs_open2("volume", nullptr, flags, 0, 0, ReadOnlyManager(source_.get()), &fs_);
  if (err != 0) {
    fs_ = nullptr;
    return Fail(Reason::kSuperblockMalformed, error_message(err));
  }
  block_count_ = ext2fs_blocks_count(fs_->super);
  return absl::OkStatus();
}

absl::Status Image::ReplayJournal() {
  RETURN_IF_ERROR(source_->CheckNotInUse());
  ASSIGN_OR_RETURN(JournalReplay replay, ReadJournal(*this));
  replayed_ = {.transactions = replay.transactions,
               .blocks = replay.patches.size(),
               .remark = std::move(replay.remark)};
  source_ = std::make_unique<OverlaySource>(std::move(source_), std::move(replay.patches));
  // The superblock and the group descriptors may be among what was replayed.
  return OpenFileSystem();
}

Image::~Image() {
  if (fs_ != nullptr) ext2fs_free(fs_);
}

void Image::CheckWhole() {
  const uint64_t bytes = block_count_ * kBlockSize;
  if (source_->size() < bytes) {
    findings_.push_back({.reason = Reason::kVolumeTruncated,
                         .first_byte = source_->size(),
                         .byte_count = bytes - source_->size(),
                         .detail = "bytes of the volume, not of a file"});
  }
  if (!ext2fs_superblock_csum_verify(fs_, fs_->super)) {
    findings_.push_back({.reason = Reason::kSuperblockChecksum});
  }
}

bool Image::HasEncryptFeature() const { return ext2fs_has_feature_encrypt(fs_->super) != 0; }

bool Image::HasMetadataChecksums() const {
  return ext2fs_has_feature_metadata_csum(fs_->super) != 0;
}

Image::InodeRange Image::InodesOfGroup(uint32_t group) const {
  const uint32_t per_group = fs_->super->s_inodes_per_group;
  const bool counted = ext2fs_has_group_desc_csum(fs_) != 0;
  if (counted && ext2fs_bg_flags_test(fs_, group, EXT2_BG_INODE_UNINIT) != 0) return {};
  const uint32_t unused = counted ? ext2fs_bg_itable_unused(fs_, group) : 0;
  const uint32_t first = group * per_group + 1;
  return {.first = first, .last = first + per_group - std::min(unused, per_group) - 1};
}

// Not ext2fs_read_inode_full(): it keeps a cache in the handle and so is for one thread only.
absl::StatusOr<Inode> Image::ReadInode(uint32_t number) const {
  if (number == 0 || number > inode_count()) {
    return Fail(Reason::kInodeUnreadable, absl::StrCat("there is no inode ", number));
  }
  const uint32_t inode_size = EXT2_INODE_SIZE(fs_->super);
  const uint32_t group = (number - 1) / fs_->super->s_inodes_per_group;
  const uint64_t table = ext2fs_inode_table_loc(fs_, group);
  const uint64_t in_table =
      static_cast<uint64_t>((number - 1) % fs_->super->s_inodes_per_group) * inode_size;
  Inode inode;
  inode.number = number;
  inode.raw.resize(inode_size);
  if (table == 0 || table >= block_count_ ||
      !source_->Read(table * kBlockSize + in_table, absl::MakeSpan(inode.raw)).ok()) {
    return Fail(Reason::kInodeUnreadable, absl::StrCat("inode ", number, " cannot be read"));
  }
  const uint8_t* raw = inode.raw.data();
  inode.mode = Field16(raw, E4C_INODE_AT(i_mode));
  inode.links = Field16(raw, E4C_INODE_AT(i_links_count));
  inode.flags = Field32(raw, E4C_INODE_AT(i_flags));
  inode.generation = Field32(raw, E4C_INODE_AT(i_generation));
  inode.uid = Field16(raw, E4C_INODE_AT(i_uid)) |
              static_cast<uint32_t>(Field16(raw, E4C_INODE_AT(osd2.linux2.l_i_uid_high))) << 16;
  inode.gid = Field16(raw, E4C_INODE_AT(i_gid)) |
              static_cast<uint32_t>(Field16(raw, E4C_INODE_AT(osd2.linux2.l_i_gid_high))) << 16;
  inode.size = Field32(raw, E4C_INODE_AT(i_size)) |
               static_cast<uint64_t>(Field32(raw, E4C_INODE_AT(i_size_high))) << 32;
  inode.xattr_block =
      Field32(raw, E4C_INODE_AT(i_file_acl)) |
      static_cast<uint64_t>(Field16(raw, E4C_INODE_AT(osd2.linux2.l_i_file_acl_high))) << 32;
  std::memcpy(inode.map.data(), raw + E4C_INODE_AT(i_block), inode.map.size());
  const size_t extra =
      inode_size > 128 ? Field16(raw, E4C_INODE_AT(i_extra_isize)) + size_t{128} : 128;
  const auto time_extra = [&](size_t at) {
    return at + 4 <= std::min<size_t>(extra, inode_size) ? Field32(raw, at) : 0;
  };
  inode.accessed =
      DecodeTime(Field32(raw, E4C_INODE_AT(i_atime)), time_extra(E4C_INODE_AT(i_atime_extra)));
  inode.modified =
      DecodeTime(Field32(raw, E4C_INODE_AT(i_mtime)), time_extra(E4C_INODE_AT(i_mtime_extra)));
  if (HasMetadataChecksums()) {
    inode.checksum_ok =
        ext2fs_inode_csum_verify(fs_, number,
                                 reinterpret_cast<ext2_inode_large*>(inode.raw.data())) != 0;
  }
  return inode;
}

absl::Status Image::ReadBlocks(uint64_t block, absl::Span<uint8_t> out) const {
  const uint64_t count = (out.size() + kBlockSize - 1) / kBlockSize;
  if (block >= block_count_ || count > block_count_ - block) {
    return Fail(Reason::kPageUnreadable, absl::StrCat("block ", block, " is outside the volume"));
  }
  return source_->Read(block * kBlockSize, out);
}

}  // namespace ext4crypt::volume
