// SPDX-License-Identifier: Apache-2.0
// Offsets and bits: struct ext4_super_block of the kernel's fs/ext4/ext4.h.
#include "client/doctor/superblock.h"

#include "volume/ext4/bytes.h"

namespace ext4crypt::doctor {
namespace {

constexpr off_t kOffset = 1024;
constexpr size_t kSize = 1024;
constexpr uint16_t kMagic = 0xEF53;
constexpr uint16_t kErrorFs = 0x2;            // of s_state
constexpr uint32_t kHasJournal = 0x4;         // of s_feature_compat
constexpr uint32_t kEncrypt = 0x10000;        // of s_feature_incompat
constexpr uint32_t kMetadataCsum = 0x400;     // of s_feature_ro_compat
constexpr uint32_t kLargestLogBlockSize = 6;  // 64 KiB

}  // namespace

std::optional<Superblock> ReadSuperblock(const Machine& machine, const std::string& device) {
  const auto bytes = machine.ReadAt(device, kOffset, kSize);
  if (!bytes.has_value()) return std::nullopt;
  const char* at = bytes->data();
  const uint32_t log_block_size = volume::Le32(at + 0x18);
  if (volume::Le16(at + 0x38) != kMagic || log_block_size > kLargestLogBlockSize) {
    return std::nullopt;
  }
  return Superblock{.block_size = 1024U << log_block_size,
                    .inode_size = volume::Le16(at + 0x58),
                    .has_errors = (volume::Le16(at + 0x3A) & kErrorFs) != 0,
                    .has_journal = (volume::Le32(at + 0x5C) & kHasJournal) != 0,
                    .has_encrypt = (volume::Le32(at + 0x60) & kEncrypt) != 0,
                    .has_checksums = (volume::Le32(at + 0x64) & kMetadataCsum) != 0};
}

}  // namespace ext4crypt::doctor
