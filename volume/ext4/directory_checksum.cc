// SPDX-License-Identifier: Apache-2.0
#include "volume/ext4/directory_checksum.h"

#include <cstring>

#include "volume/ext4/bytes.h"

namespace ext4crypt::volume {
namespace {

// A block of names ends in an entry without a name: inode 0, length 12, type 0xDE, checksum.
constexpr size_t kLeafTail = 12;
constexpr uint8_t kLeafTailType = 0xDE;
// Where count and limit stand in a node of the index, which begins with one empty entry, and in its
// root, which begins with "." and ".." and eight bytes about the index.
constexpr size_t kNodeCounts = 8;
constexpr size_t kRootCounts = 32;
constexpr size_t kIndexEntry = 8;
constexpr size_t kDotEntry = 12;

class Sum {
 public:
  explicit Sum(uint32_t seed) : value_(seed) {}
  void Add(const uint8_t* bytes, size_t size) { value_ = ext2fs_crc32c_le(value_, bytes, size); }
  void AddLe32(uint32_t value) {
    const uint8_t bytes[4] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8),
                              static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 24)};
    Add(bytes, sizeof(bytes));
  }
  [[nodiscard]] uint32_t value() const { return value_; }

 private:
  uint32_t value_;
};

bool IndexIsAsWritten(Sum sum, absl::Span<const uint8_t> block) {
  const size_t first_length = Le16(&block[4]);
  size_t counts = 0;
  if (first_length == block.size()) {
    counts = kNodeCounts;
  } else if (first_length == kDotEntry && Le16(&block[kDotEntry + 4]) == block.size() - kDotEntry) {
    counts = kRootCounts;
  } else {
    return false;
  }
  const size_t limit = Le16(&block[counts]);
  const size_t count = Le16(&block[counts + 2]);
  const size_t tail = counts + limit * kIndexEntry;
  if (count > limit || tail + kIndexEntry > block.size()) return false;
  sum.Add(block.data(), counts + count * kIndexEntry);
  sum.Add(&block[tail], 4);
  sum.AddLe32(0);  // in place of the checksum
  return sum.value() == Le32(&block[tail + 4]);
}

}  // namespace

bool DirectoryBlockIsAsWritten(const Image& image, const Inode& directory, uint64_t logical,
                               absl::Span<const uint8_t> block) {
  if (!image.HasMetadataChecksums()) return true;
  Sum sum(image.fs()->csum_seed);
  sum.AddLe32(directory.number);
  sum.AddLe32(directory.generation);
  // First, since the root was a block of names once and keeps the end of one.
  if ((logical == 0 && (directory.flags & EXT2_INDEX_FL) != 0) || Le16(&block[4]) == block.size()) {
    return IndexIsAsWritten(sum, block);
  }
  const uint8_t* tail = &block[block.size() - kLeafTail];
  if (Le32(tail) != 0 || Le16(tail + 4) != kLeafTail || tail[6] != 0 || tail[7] != kLeafTailType) {
    return false;
  }
  sum.Add(block.data(), block.size() - kLeafTail);
  return sum.value() == Le32(tail + 8);
}

}  // namespace ext4crypt::volume
