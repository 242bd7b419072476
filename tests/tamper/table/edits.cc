// SPDX-License-Identifier: Apache-2.0
#include "edits.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <vector>

namespace tamper {

void Flip(Disk& disk, uint64_t at, int bit) { disk.Bytes(at, 1)[0] ^= static_cast<uint8_t>(1 << bit); }
void Swap(Disk& disk, uint64_t a, uint64_t b, uint64_t count) {
  auto one = disk.Bytes(a, count), other = disk.Bytes(b, count);
  std::swap_ranges(one.begin(), one.end(), other.begin());
}
void Zero(Disk& disk, uint64_t at, uint64_t count) { std::ranges::fill(disk.Bytes(at, count), uint8_t{0}); }
void Copy(Disk& to_disk, uint64_t to, Disk& from_disk, uint64_t from, uint64_t count) {
  std::ranges::copy(from_disk.Bytes(from, count), to_disk.Bytes(to, count).begin());
}
void PutBack(Scene& s, uint64_t at, uint64_t count) { Copy(s.now, at, s.old, at, count); }

uint64_t PageAt(Disk& disk, uint32_t ino, uint32_t page) { return disk.Physical(ino, page).value() * kBlock; }
uint64_t TagsAt(Disk& disk, uint32_t ino, uint32_t group) { return PageAt(disk, ino, kTagLblk + group); }
uint64_t NodeAt(Disk& disk, uint32_t ino) { return PageAt(disk, ino, kNodeLblk); }
uint64_t SlotAt(Disk& disk, uint32_t ino, uint32_t page) { return disk.SlotAt(ino, page).value(); }

uint64_t NodeOf(Disk& disk, uint32_t ino, uint64_t entry) {
  uint64_t node = 0;
  for (const uint64_t at : disk.ExtentNodes(ino)) {
    if (at < entry && entry - at < kBlock && at > node) node = at;
  }
  return node;
}
void Remove(Disk& disk, uint32_t ino, const Extent& extent) {
  const uint64_t node = NodeOf(disk, ino, extent.at), entries = disk.Get16(node + 2), end = node + 12 * (entries + 1);
  auto from = disk.Bytes(extent.at + 12, end - extent.at - 12);
  std::ranges::copy(from, disk.Bytes(extent.at, from.size()).begin());
  disk.Put16(node + 2, static_cast<uint32_t>(entries - 1));
}
void InsertBefore(Disk& disk, uint32_t ino, uint32_t logical, Extent added) {
  const Extent next = disk.Find(ino, logical).value();
  const uint64_t node = NodeOf(disk, ino, next.at), entries = disk.Get16(node + 2), end = node + 12 * (entries + 1);
  if (entries >= disk.Get16(node + 4)) throw std::runtime_error("no room for an extent");
  auto from = disk.Bytes(next.at, end - next.at), to = disk.Bytes(next.at + 12, end - next.at);
  std::copy_backward(from.begin(), from.end(), to.end());
  disk.Put16(node + 2, static_cast<uint32_t>(entries + 1));
  added.at = next.at;
  disk.Put(added);
}

uint64_t ContextAt(Scene& s, uint32_t ino) { return s.now.ContextAt(ino).value(); }
uint32_t StateOf(Disk& disk, uint32_t ino) { return disk.Get32(disk.ContextAt(ino).value() + attribute::kState); }
void SetState(Disk& disk, uint32_t ino, uint32_t state) { disk.Put32(disk.ContextAt(ino).value() + attribute::kState, state); }
void ShortenAttribute(Scene& s, uint32_t ino) {
  const uint64_t context = ContextAt(s, ino), end = s.now.InodeAt(ino) + s.now.inode_size(), entry = s.now.BodyAt(ino);
  std::array<uint8_t, kContextBytes> bytes;
  std::ranges::copy(s.now.Bytes(context, bytes.size()), bytes.begin());
  std::ranges::copy(bytes, s.now.Bytes(end - kContextBytes, kContextBytes).begin());
  s.now.Put16(entry + 2, static_cast<uint32_t>(end - kContextBytes - entry));
  s.now.Put32(entry + 8, kContextBytes);
}
void PutAttributeBack(Scene& s, uint64_t offset, uint64_t count) { PutBack(s, ContextAt(s, s.file) + offset, count); }
void ToggleFlag(Scene& s, uint32_t ino, uint32_t flag) { s.now.Put32(s.now.InodeAt(ino) + inode::kFlags, s.now.Flags(ino) ^ flag); }
void SetMode(Scene& s, uint32_t ino, uint16_t mode) { s.now.Put16(s.now.InodeAt(ino) + inode::kMode, mode); }
void PutInodeBack(Scene& s, uint32_t ino) { PutBack(s, s.now.InodeAt(ino), s.now.inode_size()); }
void PutFileBack(Scene& s, uint32_t ino) {
  PutInodeBack(s, ino);
  for (const uint64_t node : s.old.ExtentNodes(ino)) {
    if (node % kBlock == 0) PutBack(s, node);  // else the root, in the inode
  }
  for (const Extent& extent : s.old.Extents(ino)) PutBack(s, extent.physical * kBlock, extent.length * kBlock);
}

void Clone(Disk& from_disk, uint32_t from, Disk& disk, uint32_t to) {
  const uint64_t source = from_disk.InodeAt(from), target = disk.InodeAt(to);
  constexpr uint64_t kMapEnd = inode::kMap + 60;
  const bool mapped = (from_disk.Flags(from) & inode::kExtents) != 0;
  for (const Extent& extent : mapped ? from_disk.Extents(from) : std::vector<Extent>{}) {
    for (uint32_t i = 0; i < extent.length; ++i) {
      const auto block = disk.Physical(to, extent.logical + i);
      if (!block) throw std::runtime_error("the clone has no block for " + std::to_string(extent.logical + i));
      Copy(disk, *block * kBlock, from_disk, (extent.physical + i) * kBlock, kBlock);
    }
  }
  Copy(disk, target, from_disk, source, inode::kMap);
  if (!mapped) Copy(disk, target + inode::kMap, from_disk, source + inode::kMap, 60);
  Copy(disk, target + kMapEnd, from_disk, source + kMapEnd, disk.inode_size() - kMapEnd);
}
void SwapInodes(Scene& s) { Swap(s.now, s.now.InodeAt(s.file), s.now.InodeAt(s.other), s.now.inode_size()); }
void SwapEntries(Scene& s) {
  const uint64_t one = s.now.EntryAt(s.parent, s.file).value(), two = s.now.EntryAt(s.other_parent, s.other).value();
  Swap(s.now, one, two, 4);
}

}  // namespace tamper
