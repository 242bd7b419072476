// SPDX-License-Identifier: Apache-2.0
#include "volume/ext4/extents.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ext4crypt::volume {
namespace {

constexpr uint16_t kExtentMagic = 0xF30A;
constexpr size_t kExtentEntrySize = 12;
// The kernel's EXT4_MAX_EXTENT_DEPTH.
constexpr unsigned kMaxDepth = 5;
constexpr uint32_t kMaxWritten = 32768;
constexpr uint64_t kLogicalEnd = uint64_t{1} << 32;

class Reader {
 public:
  Reader(const Image& image, const Inode& inode, ExtentTree& tree)
      : image_(image), inode_(inode), tree_(tree) {}

  // `node` holds a header and its entries, which may cover [next_, limit). False: stop altogether.
  bool Node(absl::Span<const uint8_t> node, int parent_depth, uint64_t limit) {
    const uint16_t entries = Le16(&node[2]);
    const uint16_t depth = Le16(&node[6]);
    const size_t room = node.size() / kExtentEntrySize - 1;
    if (Le16(&node[0]) != kExtentMagic || entries > Le16(&node[4]) || entries > room ||
        depth > kMaxDepth || (parent_depth >= 0 && depth != parent_depth - 1)) {
      Fault(Reason::kExtentTreeMalformed, "an extent header is malformed");
      return true;
    }
    for (uint16_t i = 0; i < entries; ++i) {
      const uint8_t* entry = &node[kExtentEntrySize * (size_t{1} + i)];
      const uint64_t end =
          i + 1 < entries ? std::min<uint64_t>(limit, Le32(entry + kExtentEntrySize)) : limit;
      if (Le32(entry) < next_ || Le32(entry) >= limit) {
        Fault(Reason::kExtentTreeMalformed, "extents overlap or are not in order");
        return true;
      }
      if (!(depth == 0 ? Leaf(entry, limit) : Index(entry, depth, end))) return false;
    }
    return true;
  }

 private:
  bool Leaf(const uint8_t* entry, uint64_t limit) {
    const uint16_t raw = Le16(entry + 4);
    Extent extent = {.logical = Le32(entry),
                     .physical = Le32(entry + 8) | static_cast<uint64_t>(Le16(entry + 6)) << 32,
                     .length = raw > kMaxWritten ? raw - kMaxWritten : raw,
                     .unwritten = raw > kMaxWritten};
    if (extent.length == 0 || extent.end() > limit) {
      Fault(Reason::kExtentTreeMalformed, "an extent has a length that is not allowed");
      return true;
    }
    next_ = extent.end();
    if (extent.physical <= image_.first_block() || extent.physical >= image_.block_count() ||
        extent.length > image_.block_count() - extent.physical) {
      Fault(Reason::kExtentOutsideVolume, absl::StrCat("logical block ", extent.logical));
      return true;
    }
    // Bounds the work on trees whose extents all name the same blocks.
    blocks_ += extent.length;
    if (blocks_ > image_.block_count()) {
      Fault(Reason::kExtentsExceedVolume, "");
      return false;
    }
    Append(extent);
    return true;
  }

  void Append(const Extent& extent) {
    if (!tree_.extents.empty()) {
      Extent& last = tree_.extents.back();
      if (last.end() == extent.logical && last.unwritten == extent.unwritten &&
          last.physical + last.length == extent.physical &&
          uint64_t{last.length} + extent.length <= UINT32_MAX) {
        last.length += extent.length;
        return;
      }
    }
    tree_.extents.push_back(extent);
  }

  bool Index(const uint8_t* entry, uint16_t depth, uint64_t end) {
    const uint64_t child = Le32(entry + 4) | static_cast<uint64_t>(Le16(entry + 8)) << 32;
    next_ = Le32(entry);
    // A node without a single extent would not move next_: count nodes, so that a tree of many
    // indices onto one empty block ends.
    if (++nodes_ > image_.block_count()) {
      Fault(Reason::kExtentsExceedVolume, "more extent blocks than the volume has");
      return false;
    }
    std::vector<uint8_t> block(kBlockSize);
    if (child <= image_.first_block() || !image_.ReadBlocks(child, absl::MakeSpan(block)).ok()) {
      Fault(Reason::kExtentOutsideVolume, "an extent block cannot be read");
      return true;
    }
    if (!ChecksumMatches(block)) {
      tree_.findings.push_back({.reason = Reason::kExtentChecksum,
                                .inode = inode_.number,
                                .detail = absl::StrCat("block ", child)});
    }
    return Node(block, depth, end);
  }

  // crc32c over inode number, generation and the block up to the tail after the last entry.
  bool ChecksumMatches(absl::Span<const uint8_t> block) const {
    if (!image_.HasMetadataChecksums()) return true;
    const size_t tail = kExtentEntrySize * (size_t{1} + Le16(&block[4]));
    if (tail + 4 > block.size()) return true;  // Node() rejects such a header
    const uint32_t number = htole32(inode_.number);
    const uint32_t generation = htole32(inode_.generation);
    uint32_t crc = ext2fs_crc32c_le(image_.fs()->csum_seed,
                                    reinterpret_cast<const unsigned char*>(&number), 4);
    crc = ext2fs_crc32c_le(crc, reinterpret_cast<const unsigned char*>(&generation), 4);
    crc = ext2fs_crc32c_le(crc, block.data(), tail);
    return crc == Le32(&block[tail]);
  }

  void Fault(Reason reason, const std::string& detail) {
    tree_.complete = false;
    tree_.findings.push_back({.reason = reason, .inode = inode_.number, .detail = detail});
  }

  const Image& image_;
  const Inode& inode_;
  ExtentTree& tree_;
  uint64_t next_ = 0;
  uint64_t blocks_ = 0;
  uint64_t nodes_ = 0;
};

}  // namespace

ExtentTree ReadExtents(const Image& image, const Inode& inode) {
  ExtentTree tree;
  if ((inode.flags & EXT4_EXTENTS_FL) == 0) {
    tree.complete = false;
    tree.findings.push_back({.reason = Reason::kNotMappedByExtents, .inode = inode.number});
    return tree;
  }
  Reader(image, inode, tree).Node(inode.map, -1, kLogicalEnd);
  return tree;
}

const Extent* FindExtent(const std::vector<Extent>& extents, uint64_t logical) {
  auto after =
      std::upper_bound(extents.begin(), extents.end(), logical,
                       [](uint64_t block, const Extent& extent) { return block < extent.logical; });
  if (after == extents.begin()) return nullptr;
  --after;
  return logical < after->end() ? &*after : nullptr;
}

}  // namespace ext4crypt::volume
