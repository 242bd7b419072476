// SPDX-License-Identifier: Apache-2.0
#include "mutate.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <optional>

#include "../../vm/fsx/rng.h"
#include "../disk/disk.h"

namespace tamper {
namespace {

constexpr uint32_t kJournalInode = 8;

struct Field {
  const char* name;
  uint64_t offset;
  int width;
};

constexpr std::array kInodeFields = {
    Field{"mode", inode::kMode, 2},        Field{"uid", 2, 2},
    Field{"size", inode::kSize, 4},        Field{"dtime", inode::kDtime, 4},
    Field{"links", inode::kLinks, 2},      Field{"blocks", inode::kBlocks, 4},
    Field{"flags", inode::kFlags, 4},      Field{"generation", inode::kGeneration, 4},
    Field{"acl", inode::kFileAcl, 4},      Field{"size_high", inode::kSizeHigh, 4},
    Field{"blocks_high", 116, 2},          Field{"acl_high", 118, 2},
    Field{"extra_size", inode::kExtraSize, 2}};
constexpr std::array kHeaderFields = {Field{"magic", 0, 2}, Field{"entries", 2, 2}, Field{"max", 4, 2}, Field{"depth", 6, 2},
                                      Field{"generation", 8, 4}};
constexpr std::array kEntryFields = {Field{"logical", 0, 4}, Field{"length", 4, 2}, Field{"physical_high", 6, 2}, Field{"physical", 8, 4}};
constexpr std::array kXattrFields = {Field{"name_length", 0, 1}, Field{"index", 1, 1},      Field{"value_offset", 2, 2},
                                     Field{"value_inode", 4, 4}, Field{"value_size", 8, 4}, Field{"hash", 12, 4},
                                     Field{"name", 16, 1}};
constexpr std::array kDirentFields = {Field{"inode", 0, 4}, Field{"length", 4, 2}, Field{"name_length", 6, 1}, Field{"type", 7, 1},
                                      Field{"name", 8, 4}};
constexpr std::array kFlagBits = {inode::kEncrypt, inode::kExtents, inode::kInlineData, inode::kVerity, inode::kEaInode, inode::kCasefold,
                                  inode::kJournalData, inode::kIndex, inode::kHugeFile, inode::kDax, 0x10u /* immutable */,
                                  0x20u /* append */, 0x20000000u /* project */};
constexpr uint64_t kLargest = kSizeBias + (uint64_t{kTagLblk} << 12);
constexpr std::array<uint64_t, 16> kSizes = {0, 1, 4096, kSizeBias - 1, kSizeBias, kSizeBias + 1, kSizeBias + 4095, kSizeBias + 4096,
                                             kSizeBias + 127 * 4096, kSizeBias + 128 * 4096, kLargest - 4096, kLargest, kLargest + 1,
                                             uint64_t{1} << 44, INT64_MAX, UINT64_MAX};
constexpr std::array<uint32_t, 14> kLogicals = {0, 1, 126, 127, 253, 254, kTagLblk - 1, kTagLblk, kTagLblk + 1, kTagLblk + 2, kNodeLblk,
                                                kTagEnd - 1, kTagEnd, 0xFFFFFFFF};
constexpr std::array<uint32_t, 8> kLengths = {0, 1, 2, 32767, 32768, 32769, 32770, 65535};

class Mutator {
 public:
  Mutator(std::span<uint8_t> image, uint64_t seed) : disk_(image), rng_(seed) {
    for (uint32_t ino = 1; ino <= disk_.inode_count(); ++ino) {
      if (!disk_.InUse(ino)) continue;
      inodes_.push_back(ino);
      const uint16_t type = disk_.Get16(disk_.InodeAt(ino) + inode::kMode) & 0xF000;
      const bool encrypted = (disk_.Flags(ino) & inode::kEncrypt) != 0;
      if (type == 0x4000) AddDirectory(ino);
      if (type == 0x8000 && encrypted) files_.push_back(ino);
      AddBlocks(ino, type == 0x8000);
      for (const uint64_t node : disk_.ExtentNodes(ino)) nodes_.push_back(node);
      for (const Xattr& xattr : disk_.Xattrs(ino)) xattrs_.push_back({ino, xattr.entry, xattr.value, xattr.value_size});
      if (const uint32_t acl = disk_.Get32(disk_.InodeAt(ino) + inode::kFileAcl); acl != 0) targets_.push_back(acl);
    }
    for (const Extent& extent : disk_.Extents(kJournalInode)) targets_.push_back(extent.physical);
    targets_.insert(targets_.end(), {0, 1, disk_.InodeAt(2) / kBlock, disk_.block_count() - 1, disk_.block_count(), 0xFFFFFFFF});
  }

  Mutant Run() {
    using Change = void (Mutator::*)();
    // What is listed twice comes twice as often.
    constexpr std::array<Change, 32> kChanges = {
        &Mutator::InodeField,  &Mutator::InodeField,    &Mutator::FlagBit,       &Mutator::SizeValue,  &Mutator::FileType,     &Mutator::HeaderField,
        &Mutator::EntryField,  &Mutator::EntryField,    &Mutator::EntryRetarget, &Mutator::EntryState, &Mutator::EntryMove,    &Mutator::EntryRetarget,
        &Mutator::EntryAppend, &Mutator::SlotBits,      &Mutator::SealField,     &Mutator::SlotsSwap,  &Mutator::BlocksSwap,   &Mutator::BlockZero,
        &Mutator::ContextByte, &Mutator::XattrAnything, &Mutator::DirentField,   &Mutator::DataBit,    &Mutator::InodePartSwap, &Mutator::OrphanOrFeature,
        &Mutator::StateValue,  &Mutator::StateValue,    &Mutator::AttributePart, &Mutator::AttributePart, &Mutator::InodeClone, &Mutator::NamesSwap,
        &Mutator::NodeSlot,    &Mutator::NodeSlot};
    for (uint64_t left = rng_.between(1, 8); left > 0; --left) (this->*Pick(kChanges))();
    return std::move(mutant_);
  }

 private:
  struct Attribute {
    uint32_t ino;
    uint64_t entry, value;
    uint32_t size;
  };

  template <typename List>
  typename List::value_type Pick(const List& list) {
    return list[static_cast<size_t>(rng_.below(list.size()))];
  }
  template <typename... Args>
  void Say(const char* format, Args... args) {
    std::array<char, 200> text;
    std::snprintf(text.data(), text.size(), format, args...);
    mutant_.changes.emplace_back(text.data());
  }

  void AddBlocks(uint32_t ino, bool regular) {
    for (const Extent& extent : disk_.Extents(ino)) {
      targets_.push_back(extent.physical);
      if (!regular || (disk_.Flags(ino) & inode::kEncrypt) == 0) continue;
      for (uint64_t i = 0; i < extent.length; ++i) {
        (extent.logical >= kTagLblk ? tags_ : data_).push_back(extent.physical + i);
        if (extent.logical >= kNodeLblk) tag_nodes_.push_back(extent.physical + i);
      }
    }
    for (const uint64_t node : disk_.ExtentNodes(ino)) {
      if (node / kBlock != disk_.InodeAt(ino) / kBlock) targets_.push_back(node / kBlock);
    }
  }
  void AddDirectory(uint32_t ino) {
    for (const Extent& extent : disk_.Extents(ino)) {
      for (uint64_t block = extent.physical; block < extent.physical + extent.length; ++block) {
        for (uint64_t at = 0; at + 12 <= kBlock;) {
          dirents_.push_back(block * kBlock + at);
          const uint64_t length = disk_.Get16(block * kBlock + at + 4);
          if (length < 12) break;
          at += length;
        }
      }
    }
  }

  // A value that is near the old one, at an edge, or anything.
  uint32_t Value(uint32_t old) {
    switch (rng_.below(6)) {
      case 0: return old ^ (1u << rng_.below(32));
      case 1: return old + 1;
      case 2: return old - 1;
      case 3: return Pick(std::array<uint32_t, 10>{0, 1, 2, 4, 12, 255, 0x7FFF, 0x8000, 0x7FFFFFFF, 0xFFFFFFFF});
      case 4: return static_cast<uint32_t>(rng_.below(disk_.block_count() + 4));
      default: return static_cast<uint32_t>(rng_.next());
    }
  }
  void SetField(const char* what, uint64_t at, const Field& field) {
    at += field.offset;
    if (field.width == 1) {
      auto byte = disk_.Bytes(at, 1);
      byte[0] = rng_.one_in(2) ? static_cast<uint8_t>(byte[0] ^ (1u << rng_.below(8))) : static_cast<uint8_t>(Value(byte[0]));
    } else if (field.width == 2) {
      const uint32_t old = disk_.Get16(at);
      disk_.Put16(at, rng_.one_in(3) ? old ^ (1u << rng_.below(16)) : Value(old));
    } else {
      disk_.Put32(at, Value(disk_.Get32(at)));
    }
    Say("%s: field %s at byte %llu", what, field.name, static_cast<unsigned long long>(at));
  }
  uint32_t AnyInode() { return rng_.one_in(4) ? Pick(inodes_) : Pick(files_); }

  void InodeField() {
    const uint32_t ino = AnyInode();
    SetField("inode", disk_.InodeAt(ino), Pick(kInodeFields));
  }
  void FlagBit() {
    const uint32_t ino = AnyInode(), bit = Pick(kFlagBits);
    disk_.Put32(disk_.InodeAt(ino) + inode::kFlags, disk_.Flags(ino) ^ bit);
    Say("inode %u: flag 0x%x", ino, bit);
  }
  void SizeValue() {
    const uint32_t ino = AnyInode();
    const uint64_t size = Pick(kSizes);
    disk_.SetSize(ino, size);
    Say("inode %u: size %llu", ino, static_cast<unsigned long long>(size));
  }
  void FileType() {
    const uint32_t ino = AnyInode();
    const uint64_t at = disk_.InodeAt(ino) + inode::kMode;
    disk_.Put16(at, (disk_.Get16(at) & 0xFFFu) | Pick(std::array<uint32_t, 6>{0x8000, 0x4000, 0xA000, 0x1000, 0x2000, 0}));
    Say("inode %u: mode %o", ino, disk_.Get16(at));
  }
  void HeaderField() { SetField("extent header", Pick(nodes_), Pick(kHeaderFields)); }
  std::optional<Extent> AnyExtent(uint32_t& ino) {
    ino = AnyInode();
    const auto extents = disk_.Extents(ino);
    if (extents.empty()) return std::nullopt;
    return Pick(extents);
  }
  void EntryField() {
    uint32_t ino;
    if (const auto extent = AnyExtent(ino)) SetField("extent", extent->at, Pick(kEntryFields));
  }
  void EntryRetarget() {
    uint32_t ino;
    auto extent = AnyExtent(ino);
    if (!extent) return;
    extent->physical = Pick(targets_) + (rng_.one_in(4) ? rng_.below(4) : 0);
    Put("retargeted", ino, *extent);
  }
  void EntryState() {
    uint32_t ino;
    auto extent = AnyExtent(ino);
    if (!extent) return;
    extent->unwritten = !extent->unwritten;
    Put("in its other state", ino, *extent);
  }
  void EntryMove() {
    uint32_t ino;
    auto extent = AnyExtent(ino);
    if (!extent) return;
    if (rng_.one_in(2)) {
      extent->logical = Pick(kLogicals);
    } else {
      const uint32_t raw = Pick(kLengths);
      extent->unwritten = raw > 32768;
      extent->length = extent->unwritten ? raw - 32768 : raw;
    }
    Put("moved or resized", ino, *extent);
  }
  void EntryAppend() {
    const uint32_t ino = AnyInode();
    const auto nodes = disk_.ExtentNodes(ino);
    if (nodes.empty()) return;
    const uint64_t node = nodes.back();
    const uint32_t entries = disk_.Get16(node + 2);
    const uint64_t room = node / kBlock == disk_.InodeAt(ino) / kBlock ? 4 : 340;
    if (disk_.Get16(node + 6) != 0 || entries >= room) return;
    Extent extent = {node + 12 * (uint64_t{entries} + 1), Pick(kLogicals), Pick(kLengths) % 32768, rng_.one_in(2), Pick(targets_)};
    if (rng_.one_in(2)) extent.length = 1;
    disk_.Put16(node + 2, entries + 1);
    Put("added", ino, extent);
  }
  void Put(const char* what, uint32_t ino, const Extent& extent) {
    disk_.Put(extent);
    Say("inode %u: extent %s: %u+%u%s -> %llu", ino, what, extent.logical, extent.length, extent.unwritten ? " unwritten" : "",
        static_cast<unsigned long long>(extent.physical));
  }
  void SlotBits() {
    const uint64_t at = Pick(tags_) * kBlock + kSlotBytes * (rng_.one_in(2) ? rng_.below(8) : rng_.below(128));
    if (rng_.one_in(3)) {
      SetField("slot", at, Field{"info", 28, 4});
    } else {
      const uint64_t bit = rng_.below(256);
      disk_.Bytes(at + bit / 8, 1)[0] ^= static_cast<uint8_t>(1u << bit % 8);
      Say("slot at byte %llu: bit %u", static_cast<unsigned long long>(at), static_cast<unsigned>(bit));
    }
  }
  void SealField() { SetField("seal", Pick(tags_) * kBlock, Field{"info", 28, 4}); }
  void SlotsSwap() {
    const uint64_t a = Pick(tags_) * kBlock + kSlotBytes * rng_.below(8), b = Pick(tags_) * kBlock + kSlotBytes * rng_.below(8);
    SwapBytes("slots", a, b, kSlotBytes);
  }
  void BlocksSwap() {
    const auto& from = rng_.one_in(2) ? tags_ : data_;
    const auto& to = rng_.one_in(4) ? targets_ : from;
    const uint64_t a = Pick(from), b = std::min(Pick(to), disk_.block_count() - 1);
    if (b < 2) return;
    if (rng_.one_in(3)) {
      auto source = disk_.Block(a), target = disk_.Block(b);
      std::copy(source.begin(), source.end(), target.begin());
      Say("block %llu copied to %llu", static_cast<unsigned long long>(a), static_cast<unsigned long long>(b));
    } else {
      SwapBytes("blocks", a * kBlock, b * kBlock, kBlock);
    }
  }
  void SwapBytes(const char* what, uint64_t a, uint64_t b, uint64_t count) {
    auto one = disk_.Bytes(a, count), other = disk_.Bytes(b, count);
    if (a != b) std::swap_ranges(one.begin(), one.end(), other.begin());
    Say("%s at bytes %llu and %llu exchanged", what, static_cast<unsigned long long>(a), static_cast<unsigned long long>(b));
  }
  void BlockZero() {
    const uint64_t block = Pick(rng_.one_in(3) ? data_ : tags_);
    std::ranges::fill(disk_.Block(block), uint8_t{0});
    Say("block %llu zeroed", static_cast<unsigned long long>(block));
  }
  void ContextByte() {
    const uint32_t ino = rng_.one_in(2) ? Pick(inodes_) : Pick(files_);
    const auto at = disk_.ContextAt(ino);
    if (!at) return;
    const uint64_t byte = rng_.one_in(2) ? rng_.below(8) : rng_.below(kAttributeBytes);
    auto place = disk_.Bytes(*at + byte, 1);
    place[0] = rng_.one_in(2) ? static_cast<uint8_t>(place[0] ^ (1u << rng_.below(8))) : static_cast<uint8_t>(rng_.below(4));
    Say("inode %u: context byte %u is %u", ino, static_cast<unsigned>(byte), place[0]);
  }
  // Form, height and LINKED, mostly such as are allowed.
  void StateValue() {
    const uint32_t ino = rng_.one_in(3) ? Pick(inodes_) : Pick(files_);
    const auto at = disk_.ContextAt(ino);
    if (!at) return;
    const uint32_t before = disk_.Get32(*at + attribute::kState);
    uint32_t state = before;
    switch (rng_.below(5)) {
      case 0: state = (state & ~(attribute::kForm | attribute::kHeight)) | static_cast<uint32_t>(rng_.below(2)); break;
      case 1: state = (state & ~attribute::kForm) | attribute::kTree; break;
      case 2: state = (state & ~attribute::kHeight) | static_cast<uint32_t>(rng_.below(6)) << attribute::kHeightShift; break;
      case 3: state ^= attribute::kLinked; break;
      default: state ^= 1u << rng_.below(32);
    }
    disk_.Put32(*at + attribute::kState, state);
    Say("inode %u: state 0x%x in place of 0x%x", ino, state, before);
  }
  // Place, head, state, or all of the attribute, exchanged with those of another inode or copied from there.
  void AttributePart() {
    const uint32_t a = Pick(files_), b = AnyInode();
    const auto from = disk_.ContextAt(a), to = disk_.ContextAt(b);
    if (!from || !to) return;
    const auto [what, offset, count] = Pick(std::array<std::tuple<const char*, uint64_t, uint64_t>, 5>{
        std::tuple{"places", attribute::kPlace, attribute::kMacBytes}, {"heads", attribute::kHead, attribute::kMacBytes}, {"states", attribute::kState, uint64_t{4}},
        {"heads and states", attribute::kHead, attribute::kMacBytes + 4}, {"attributes", uint64_t{0}, kAttributeBytes}});
    if (rng_.one_in(3)) std::ranges::copy(disk_.Bytes(*from + offset, count), disk_.Bytes(*to + offset, count).begin());
    SwapBytes(what, *from + offset, *to + offset, count);
  }
  void InodeClone() {
    const uint32_t a = Pick(files_), b = AnyInode();
    if (a == b) return;
    std::ranges::copy(disk_.Bytes(disk_.InodeAt(a), disk_.inode_size()), disk_.Bytes(disk_.InodeAt(b), disk_.inode_size()).begin());
    Say("inode %u is a copy of %u", b, a);
  }
  // What two names lead to.
  void NamesSwap() { SwapBytes("inodes of names", Pick(dirents_), Pick(dirents_), 4); }
  // In the nodes above the tag blocks: a slot becomes zero, another's, or other bits.
  void NodeSlot() {
    if (tag_nodes_.empty()) return;
    const uint64_t slots = Pick(tag_nodes_) * kBlock, at = slots + kSlotBytes * (1 + rng_.below(4));
    switch (rng_.below(4)) {
      case 0: std::ranges::fill(disk_.Bytes(at, kSlotBytes), uint8_t{0}); return Say("slot of a node at byte %llu zeroed", static_cast<unsigned long long>(at));
      case 1: return SwapBytes("slots of nodes", at, Pick(tag_nodes_) * kBlock + kSlotBytes * rng_.below(5), kSlotBytes);
      case 2: return SwapBytes("node and tag block", slots, Pick(tags_) * kBlock, kBlock);
      default: SetField("slot of a node", at, Field{"tag", 4 * rng_.below(8), 4});
    }
  }
  void XattrAnything() {
    const Attribute attribute = Pick(xattrs_);
    if (rng_.one_in(3) && attribute.size > 0) {
      disk_.Bytes(attribute.value + rng_.below(attribute.size), 1)[0] = static_cast<uint8_t>(rng_.next());
      Say("inode %u: value of an attribute", attribute.ino);
    } else {
      SetField("attribute", attribute.entry, Pick(kXattrFields));
    }
  }
  void DirentField() { SetField("directory entry", Pick(dirents_), Pick(kDirentFields)); }
  void DataBit() {
    const uint64_t at = Pick(data_) * kBlock + rng_.below(kBlock);
    disk_.Bytes(at, 1)[0] ^= static_cast<uint8_t>(1u << rng_.below(8));
    Say("a bit of a page, byte %llu", static_cast<unsigned long long>(at));
  }
  void InodePartSwap() {
    const uint32_t a = Pick(files_), b = AnyInode();
    const auto [what, offset, count] = Pick(std::array<std::tuple<const char*, uint64_t, uint64_t>, 3>{
        std::tuple{"inodes", uint64_t{0}, disk_.inode_size()}, {"extent roots", inode::kMap, 60}, {"sizes", inode::kSize, 4}});
    SwapBytes(what, disk_.InodeAt(a) + offset, disk_.InodeAt(b) + offset, count);
  }
  void OrphanOrFeature() {
    const uint32_t ino = AnyInode();
    if (rng_.one_in(3)) {
      const uint64_t at = rng_.one_in(2) ? super::kIncompat : super::kRoCompat;
      const uint32_t bit = 1u << rng_.below(18);
      disk_.Put32(at, disk_.Get32(at) ^ bit);
      Say("superblock: feature bit 0x%x at byte %llu", bit, static_cast<unsigned long long>(at));
      return;
    }
    disk_.Put32(super::kLastOrphan, ino);
    const uint32_t next = rng_.one_in(2) ? 0 : AnyInode();
    disk_.Put32(disk_.InodeAt(ino) + inode::kDtime, next);
    if (rng_.one_in(3)) disk_.Put16(disk_.InodeAt(ino) + inode::kLinks, 0);
    Say("inode %u on the orphan list, before %u", ino, next);
  }

  Disk disk_;
  fsx::Rng rng_;
  Mutant mutant_;
  std::vector<uint32_t> inodes_, files_;             // all; encrypted regular ones
  std::vector<uint64_t> nodes_, dirents_;            // bytes
  std::vector<uint64_t> data_, tags_, tag_nodes_, targets_;  // blocks; tags_ has the nodes, too
  std::vector<Attribute> xattrs_;
};

}  // namespace

Mutant Mutate(std::span<uint8_t> image, uint64_t seed) { return Mutator(image, seed).Run(); }

}  // namespace tamper
