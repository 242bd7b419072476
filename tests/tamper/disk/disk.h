// SPDX-License-Identifier: Apache-2.0
// Where things stand in an ext4 image, in bytes, so that a test can change any one of them. Own code
// beside volume/: that one hides positions, and what is changed here must not be found by what is tested.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tamper {

constexpr uint64_t kBlock = 4096;
constexpr uint32_t kTagLblk = 0x50000000;   // tag blocks, then the nodes
constexpr uint32_t kNodeLblk = 0x50A80000;  // of level 1
constexpr uint32_t kTagEnd = 0x50C00000;
constexpr uint64_t kSizeBias = 0xA0C00000000;
constexpr uint32_t kGroupSlots = 127;
constexpr uint64_t kSlotBytes = 32;
constexpr uint64_t kContextBytes = 40;
constexpr uint64_t kAttributeBytes = 68;  // context, place, head, state
constexpr uint8_t kXattrUser = 1;
constexpr uint8_t kXattrEncryption = 9;

// Offsets in an inode and values, from the kernel's fs/ext4/ext4.h.
namespace inode {
constexpr uint64_t kMode = 0, kSize = 4, kLinks = 26, kBlocks = 28, kFlags = 32, kMap = 40, kGeneration = 100, kFileAcl = 104,
                   kSizeHigh = 108, kDtime = 20, kExtraSize = 128;
constexpr uint32_t kIndex = 0x1000, kJournalData = 0x4000, kHugeFile = 0x40000, kExtents = 0x80000, kVerity = 0x100000,
                   kEaInode = 0x200000, kDax = 0x2000000, kEncrypt = 0x800, kInlineData = 0x10000000, kCasefold = 0x40000000;
}  // namespace inode
// In the attribute `c`; state: form, height, LINKED, sequence number.
namespace attribute {
constexpr uint64_t kPlace = 40, kHead = 52, kState = 64, kMacBytes = 12;
constexpr uint32_t kForm = 3, kEmpty = 0, kTree = 2, kHeight = 0x1C, kHeightShift = 2, kLinked = 0x20, kSequenceShift = 8;
}  // namespace attribute
namespace super {
constexpr uint64_t kAt = 1024, kIncompat = kAt + 0x60, kRoCompat = kAt + 0x64, kFreeBlocks = kAt + 0xC, kFreeInodes = kAt + 0x10, kLastOrphan = kAt + 0xE8;
}

// One leaf entry of an extent tree: 12 bytes at `at`.
struct Extent {
  uint64_t at;
  uint32_t logical;
  uint32_t length;
  bool unwritten;
  uint64_t physical;
};

struct Xattr {
  uint64_t entry;  // of its 16 bytes and the name
  uint64_t value;
  uint32_t value_size;
  uint8_t index;
  std::string_view name;
};

// Reads a proper image; offsets are bytes of it.
class Disk {
 public:
  explicit Disk(std::span<uint8_t> image);

  [[nodiscard]] uint16_t Get16(uint64_t at) const;
  [[nodiscard]] uint32_t Get32(uint64_t at) const;
  void Put16(uint64_t at, uint32_t value);
  void Put32(uint64_t at, uint32_t value);
  [[nodiscard]] std::span<uint8_t> Bytes(uint64_t at, uint64_t count) { return image_.subspan(at, count); }
  [[nodiscard]] std::span<uint8_t> Block(uint64_t block) { return Bytes(block * kBlock, kBlock); }

  [[nodiscard]] uint64_t block_count() const { return blocks_; }
  [[nodiscard]] uint32_t inode_count() const { return inodes_; }
  [[nodiscard]] uint64_t inode_size() const { return inode_size_; }

  [[nodiscard]] uint64_t InodeAt(uint32_t ino) const;
  [[nodiscard]] uint32_t Flags(uint32_t ino) const { return Get32(InodeAt(ino) + inode::kFlags); }
  [[nodiscard]] bool InUse(uint32_t ino) const;
  [[nodiscard]] uint64_t Size(uint32_t ino) const;
  void SetSize(uint32_t ino, uint64_t size);

  // Headers of the tree's nodes, the root in the inode first; nothing without the extents flag.
  [[nodiscard]] std::vector<uint64_t> ExtentNodes(uint32_t ino) const;
  [[nodiscard]] std::vector<Extent> Extents(uint32_t ino) const;
  void Put(const Extent& extent);
  // The extent and the block that hold a logical block.
  [[nodiscard]] std::optional<Extent> Find(uint32_t ino, uint32_t logical) const;
  [[nodiscard]] std::optional<uint64_t> Physical(uint32_t ino, uint32_t logical) const;

  // Where the slot of a page stands, in a file of form TREE.
  [[nodiscard]] std::optional<uint64_t> SlotAt(uint32_t ino, uint32_t page) const;
  [[nodiscard]] std::vector<Xattr> Xattrs(uint32_t ino) const;
  [[nodiscard]] std::optional<uint64_t> ContextAt(uint32_t ino) const;
  // Where the entries of the attributes in the body begin; their values count from there.
  [[nodiscard]] uint64_t BodyAt(uint32_t ino) const { return InodeAt(ino) + 128 + Get16(InodeAt(ino) + inode::kExtraSize) + 4; }

  // The entry of a directory that names an inode.
  [[nodiscard]] std::optional<uint64_t> EntryAt(uint32_t directory, uint32_t ino) const;

  // Marks a free block used, and returns it. Throws std::runtime_error.
  uint64_t TakeBlock();
  // Marks an inode used that was freed.
  void TakeInode(uint32_t ino);

 private:
  [[nodiscard]] uint64_t Descriptor(uint32_t group) const { return kBlock + uint64_t{group} * descriptor_size_; }
  void Node(uint64_t at, int depth_left, std::vector<uint64_t>& nodes, std::vector<Extent>* extents) const;
  void XattrList(uint64_t first, uint64_t values, uint64_t end, std::vector<Xattr>& out) const;

  std::span<uint8_t> image_;
  uint64_t blocks_, inode_size_;
  uint32_t inodes_, inodes_per_group_, blocks_per_group_, descriptor_size_;
};

inline uint32_t GroupOf(uint32_t page) { return page / kGroupSlots; }

}  // namespace tamper
