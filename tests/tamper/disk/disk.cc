// SPDX-License-Identifier: Apache-2.0
#include "disk.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace tamper {
namespace {

constexpr uint16_t kExtentMagic = 0xF30A;
constexpr uint32_t kXattrMagic = 0xEA020000;
constexpr uint32_t kMaxWritten = 32768;
constexpr uint32_t kFirstInode = 11;

}  // namespace

Disk::Disk(std::span<uint8_t> image) : image_(image) {
  if (image.size() < 4 * kBlock || Get16(super::kAt + 0x38) != 0xEF53 || Get32(super::kAt + 0x18) != 2) {
    throw std::runtime_error("no ext4 image with blocks of 4096 bytes");
  }
  inodes_ = Get32(super::kAt);
  blocks_ = Get32(super::kAt + 4);
  inodes_per_group_ = Get32(super::kAt + 0x28);
  blocks_per_group_ = Get32(super::kAt + 0x20);
  inode_size_ = Get16(super::kAt + 0x58);
  descriptor_size_ = (Get32(super::kIncompat) & 0x80) != 0 ? Get16(super::kAt + 0xFE) : 32;
  if (blocks_ * kBlock > image.size()) throw std::runtime_error("the image is shorter than its file system");
}

uint16_t Disk::Get16(uint64_t at) const {
  uint16_t value;
  std::memcpy(&value, image_.subspan(at, 2).data(), 2);
  return value;
}
uint32_t Disk::Get32(uint64_t at) const {
  uint32_t value;
  std::memcpy(&value, image_.subspan(at, 4).data(), 4);
  return value;
}
void Disk::Put16(uint64_t at, uint32_t value) {
  const auto low = static_cast<uint16_t>(value);
  std::memcpy(image_.subspan(at, 2).data(), &low, 2);
}
void Disk::Put32(uint64_t at, uint32_t value) { std::memcpy(image_.subspan(at, 4).data(), &value, 4); }

uint64_t Disk::InodeAt(uint32_t ino) const {
  const uint32_t group = (ino - 1) / inodes_per_group_;
  const uint64_t table = Get32(Descriptor(group) + 8);
  return table * kBlock + (ino - 1) % inodes_per_group_ * inode_size_;
}

bool Disk::InUse(uint32_t ino) const {
  if (ino != 2 && ino < kFirstInode) return false;
  const uint64_t at = InodeAt(ino);
  return Get16(at + inode::kMode) != 0 && Get16(at + inode::kLinks) != 0;
}

uint64_t Disk::Size(uint32_t ino) const {
  const uint64_t at = InodeAt(ino);
  return Get32(at + inode::kSize) | uint64_t{Get32(at + inode::kSizeHigh)} << 32;
}
void Disk::SetSize(uint32_t ino, uint64_t size) {
  const uint64_t at = InodeAt(ino);
  Put32(at + inode::kSize, static_cast<uint32_t>(size));
  Put32(at + inode::kSizeHigh, static_cast<uint32_t>(size >> 32));
}

void Disk::Node(uint64_t at, int depth_left, std::vector<uint64_t>& nodes, std::vector<Extent>* extents) const {
  // A tree that was changed before can lead anywhere.
  constexpr uint64_t kEntry = 12;
  if (at + kEntry > image_.size() || Get16(at) != kExtentMagic || depth_left == 0) return;
  nodes.push_back(at);
  const uint16_t entries = Get16(at + 2), depth = Get16(at + 6);
  for (uint64_t i = 0; i < entries; ++i) {
    const uint64_t entry = at + kEntry * (i + 1);
    if (entry + kEntry > image_.size()) return;
    if (depth > 0) {
      Node(Get32(entry + 4) * kBlock, depth_left - 1, nodes, extents);
    } else if (extents != nullptr) {
      const uint32_t raw = Get16(entry + 4);
      const bool unwritten = raw > kMaxWritten;
      extents->push_back({entry, Get32(entry), unwritten ? raw - kMaxWritten : raw, unwritten,
                          Get32(entry + 8) | uint64_t{Get16(entry + 6)} << 32});
    }
  }
}

std::vector<uint64_t> Disk::ExtentNodes(uint32_t ino) const {
  std::vector<uint64_t> nodes;
  if ((Flags(ino) & inode::kExtents) != 0) Node(InodeAt(ino) + inode::kMap, 5, nodes, nullptr);
  return nodes;
}

std::vector<Extent> Disk::Extents(uint32_t ino) const {
  std::vector<uint64_t> nodes;
  std::vector<Extent> extents;
  if ((Flags(ino) & inode::kExtents) != 0) Node(InodeAt(ino) + inode::kMap, 5, nodes, &extents);
  return extents;
}

void Disk::Put(const Extent& extent) {
  Put32(extent.at, extent.logical);
  Put16(extent.at + 4, extent.length + (extent.unwritten ? kMaxWritten : 0));
  Put16(extent.at + 6, static_cast<uint32_t>(extent.physical >> 32));
  Put32(extent.at + 8, static_cast<uint32_t>(extent.physical));
}

std::optional<Extent> Disk::Find(uint32_t ino, uint32_t logical) const {
  for (const Extent& extent : Extents(ino)) {
    if (extent.logical <= logical && logical - extent.logical < extent.length) return extent;
  }
  return std::nullopt;
}

std::optional<uint64_t> Disk::Physical(uint32_t ino, uint32_t logical) const {
  const auto extent = Find(ino, logical);
  if (!extent) return std::nullopt;
  return extent->physical + (logical - extent->logical);
}

std::optional<uint64_t> Disk::SlotAt(uint32_t ino, uint32_t page) const {
  const auto block = Physical(ino, kTagLblk + GroupOf(page));
  if (!block) return std::nullopt;
  return *block * kBlock + (page % kGroupSlots + 1) * kSlotBytes;
}

void Disk::XattrList(uint64_t first, uint64_t values, uint64_t end, std::vector<Xattr>& out) const {
  for (uint64_t at = first; at + 16 <= std::min(end, image_.size()) && Get32(at) != 0;) {
    const uint8_t name_length = image_[at], index = image_[at + 1];
    if (at + 16 + name_length > image_.size()) return;
    const uint64_t value = values + Get16(at + 2);
    out.push_back({at, value, Get32(at + 8), index,
                   {reinterpret_cast<const char*>(image_.subspan(at + 16, name_length).data()), name_length}});
    at += 16 + (name_length + 3u) / 4 * 4;
  }
}

std::vector<Xattr> Disk::Xattrs(uint32_t ino) const {
  std::vector<Xattr> out;
  const uint64_t at = InodeAt(ino);
  if (inode_size_ > 128) {
    const uint64_t header = at + 128 + Get16(at + inode::kExtraSize);
    if (Get32(header) == kXattrMagic) XattrList(header + 4, header + 4, at + inode_size_, out);
  }
  if (const uint64_t block = Get32(at + inode::kFileAcl); block != 0) {
    XattrList(block * kBlock + 32, block * kBlock, (block + 1) * kBlock, out);
  }
  return out;
}

std::optional<uint64_t> Disk::ContextAt(uint32_t ino) const {
  for (const Xattr& xattr : Xattrs(ino)) {
    const bool whole = (xattr.value_size == kContextBytes || xattr.value_size == kAttributeBytes) && xattr.value + xattr.value_size <= image_.size();
    if (xattr.index == kXattrEncryption && xattr.name == "c" && whole) return xattr.value;
  }
  return std::nullopt;
}

std::optional<uint64_t> Disk::EntryAt(uint32_t directory, uint32_t ino) const {
  for (const Extent& extent : Extents(directory)) {
    for (uint64_t block = extent.physical; block < extent.physical + extent.length; ++block) {
      for (uint64_t at = 0, length = 0; at + 12 <= kBlock; at += length) {
        const uint64_t entry = block * kBlock + at;
        length = Get16(entry + 4);
        if (length < 12) break;
        // Not "." and "..", which are shorter.
        if (Get32(entry) == ino && Get16(entry + 6) % 256 > 2) return entry;
      }
    }
  }
  return std::nullopt;
}

uint64_t Disk::TakeBlock() {
  // From the end, where nothing else is looked for.
  for (uint64_t block = blocks_ - 1; block > 0; --block) {
    const auto group = static_cast<uint32_t>(block / blocks_per_group_), bit = static_cast<uint32_t>(block % blocks_per_group_);
    uint8_t& byte = image_[uint64_t{Get32(Descriptor(group))} * kBlock + bit / 8];
    if ((byte >> bit % 8 & 1) != 0) continue;
    byte |= static_cast<uint8_t>(1 << bit % 8);
    Put16(Descriptor(group) + 12, Get16(Descriptor(group) + 12) - 1u);
    Put32(super::kFreeBlocks, Get32(super::kFreeBlocks) - 1);
    return block;
  }
  throw std::runtime_error("no free block");
}

void Disk::TakeInode(uint32_t ino) {
  const uint32_t group = (ino - 1) / inodes_per_group_, bit = (ino - 1) % inodes_per_group_;
  uint8_t& byte = image_[uint64_t{Get32(Descriptor(group) + 4)} * kBlock + bit / 8];
  if ((byte >> bit % 8 & 1) != 0) throw std::runtime_error("the inode is in use");
  byte |= static_cast<uint8_t>(1 << bit % 8);
  Put16(Descriptor(group) + 14, Get16(Descriptor(group) + 14) - 1u);
  Put32(super::kFreeInodes, Get32(super::kFreeInodes) - 1);
}

}  // namespace tamper
