// SPDX-License-Identifier: Apache-2.0
// An ext4 file system opened for reading: superblock, group descriptors, inodes and blocks.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "volume/ext4/block_source.h"
#include "volume/ext4/bytes.h"
#include "volume/ext4/libext2fs.h"
#include "volume/finding.h"

namespace ext4crypt::volume {

inline constexpr uint32_t kBlockSize = E4C_BLOCK_SIZE;
using Block = std::array<uint8_t, kBlockSize>;

struct Inode {
  uint32_t number = 0;
  uint16_t mode = 0;
  uint16_t links = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t flags = 0;
  uint32_t generation = 0;
  uint64_t size = 0;  // bytes
  struct Time {
    int64_t seconds = 0;
    uint32_t nanoseconds = 0;
  };
  Time accessed;
  Time modified;
  uint64_t xattr_block = 0;     // 0: none
  std::array<uint8_t, 60> map;  // i_block: extent tree root, inline data or a short link target
  std::vector<uint8_t> raw;     // the whole inode as it stands on disk
  bool checksum_ok = true;

  [[nodiscard]] bool IsDirectory() const { return (mode & 0xF000) == 0x4000; }
  [[nodiscard]] bool IsRegular() const { return (mode & 0xF000) == 0x8000; }
  [[nodiscard]] bool IsSymlink() const { return (mode & 0xF000) == 0xA000; }
  [[nodiscard]] bool IsDevice() const {
    return (mode & 0xF000) == 0x2000 || (mode & 0xF000) == 0x6000;
  }
  // Character device 0:0, which hides a name in an overlay.
  [[nodiscard]] bool IsWhiteout() const {
    return (mode & 0xF000) == 0x2000 && Le64(map.data()) == 0;
  }
  // A pipe, a socket or a device: an inode without contents.
  [[nodiscard]] bool IsSpecial() const { return !IsDirectory() && !IsRegular() && !IsSymlink(); }
  [[nodiscard]] bool IsEncrypted() const { return (flags & EXT4_ENCRYPT_FL) != 0; }
};

class Image {
 public:
  // Refuses (see Reason) what is not ext4 with blocks of 4096 bytes, and unknown incompatible
  // features. A journal that has not been replayed is replayed in memory.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Image>> Open(
      std::unique_ptr<BlockSource> source);
  ~Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  // Safe to call from several threads.
  [[nodiscard]] absl::StatusOr<Inode> ReadInode(uint32_t number) const;
  [[nodiscard]] absl::Status ReadBlocks(uint64_t block, absl::Span<uint8_t> out) const;

  // What was replayed; nullopt: the journal needed none.
  struct Replayed {
    uint32_t transactions = 0;
    uint64_t blocks = 0;
    std::string remark;
  };
  [[nodiscard]] const std::optional<Replayed>& replayed() const { return replayed_; }
  // Faults of the volume as a whole, found while opening.
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
  [[nodiscard]] uint64_t block_count() const { return block_count_; }
  [[nodiscard]] uint64_t first_block() const { return fs_->super->s_first_data_block; }
  [[nodiscard]] uint32_t inode_count() const { return fs_->super->s_inodes_count; }
  [[nodiscard]] uint32_t first_user_inode() const { return EXT2_FIRST_INODE(fs_->super); }
  [[nodiscard]] uint32_t group_count() const { return fs_->group_desc_count; }
  [[nodiscard]] bool HasEncryptFeature() const;
  [[nodiscard]] bool HasMetadataChecksums() const;
  // The inode numbers [first, last] of a block group that the group descriptor says may be in use.
  struct InodeRange {
    uint32_t first = 1;
    uint32_t last = 0;
  };
  [[nodiscard]] InodeRange InodesOfGroup(uint32_t group) const;
  [[nodiscard]] ext2_filsys fs() const { return fs_; }

 private:
  explicit Image(std::unique_ptr<BlockSource> source) : source_(std::move(source)) {}
  [[nodiscard]] absl::Status OpenFileSystem();
  [[nodiscard]] absl::Status CheckSuperblock() const;
  [[nodiscard]] absl::Status ReplayJournal();
  void CheckWhole();

  std::unique_ptr<BlockSource> source_;
  ext2_filsys fs_ = nullptr;
  uint64_t block_count_ = 0;
  std::vector<Finding> findings_;
  std::optional<Replayed> replayed_;
};

}  // namespace ext4crypt::volume
