// SPDX-License-Identifier: Apache-2.0
#include "volume/format/slot_tree.h"

#include <algorithm>
#include <cstring>

namespace ext4crypt::volume {
namespace {

// Slots that lie past the last block of the level below.
bool HasSlotPastLevel(unsigned level, uint32_t number, const e4c_tag_block& block) {
  for (uint32_t i = 0; i < E4C_BLOCK_SLOTS; ++i) {
    const uint64_t child = uint64_t{number} * E4C_BLOCK_SLOTS + i;
    if (child >= kLevels[level - 1].blocks && !IsZero(block.slot[i])) return true;
  }
  return false;
}

}  // namespace

bool IsZero(const e4c_slot& slot) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&slot);
  return std::all_of(bytes, bytes + sizeof(slot), [](uint8_t b) { return b == 0; });
}

Reason CheckSeal(PageOpener* opener, unsigned level, uint32_t number, const e4c_tag_block& block,
                 const e4c_slot* named) {
  if (opener != nullptr && !opener->SealMatches(level, number, block)) {
    return Reason::kSealNotAuthentic;
  }
  if (named != nullptr && std::memcmp(named, &block.seal, sizeof(*named)) != 0) {
    return Reason::kSealNotNewest;
  }
  if (le32toh(block.seal.info) != E4C_INFO_SEAL) return Reason::kSlotStateUnknown;
  return Reason::kNone;
}

Reason SlotTree::Read(unsigned level, uint32_t number, const e4c_slot* named,
                      e4c_tag_block& block) const {
  const auto at = layout_.BlockOf(level, number);
  if (!at.has_value()) return Reason::kTagBlockMissing;
  const absl::Span<uint8_t> bytes(reinterpret_cast<uint8_t*>(&block), sizeof(block));
  if (!image_.ReadBlocks(*at, bytes).ok()) return Reason::kGroupUnreadable;
  const Reason reason = CheckSeal(opener_, level, number, block, named);
  if (reason != Reason::kNone) return reason;
  return level > 0 && HasSlotPastLevel(level, number, block) ? Reason::kSlotNotZero : Reason::kNone;
}

SlotTree::Found SlotTree::Find(uint32_t group) {
  if (layout_.form != Form::kTree || group >= kLevels[layout_.height].groups_each) return {};
  const e4c_slot* named = nullptr;
  for (unsigned level = layout_.height; level > 0; --level) {
    const auto number = static_cast<uint32_t>(group / kLevels[level].groups_each);
    std::unique_ptr<Kept>& kept = kept_[level];
    if (kept == nullptr) kept = std::make_unique<Kept>();
    if (!kept->valid || kept->number != number) {
      kept->reason = Read(level, number, named, kept->block);
      kept->number = number;
      kept->valid = true;
    }
    if (kept->reason != Reason::kNone) return {.presence = Presence::kBroken};
    named = &kept->block.slot[group / kLevels[level - 1].groups_each % E4C_BLOCK_SLOTS];
    if (IsZero(*named)) return {};
  }
  return {.presence = Presence::kExists, .slot = named};
}

void SlotTree::Walk(const Visitor& visitor) {
  if (layout_.form != Form::kTree) return;
  if (layout_.height == 0) {
    WalkTagBlock(visitor, 0);
  } else {
    WalkNode(visitor, layout_.height, 0, nullptr);
  }
}

void SlotTree::WalkTagBlock(const Visitor& visitor, uint32_t group) const {
  const auto at = layout_.BlockOf(0, group);
  if (!at.has_value() && visitor.fault) visitor.fault(Reason::kTagBlockMissing, 0, group);
  if (at.has_value() && visitor.tag_block) visitor.tag_block(group, *at);
}

void SlotTree::WalkNode(const Visitor& visitor, unsigned level, uint32_t number,
                        const e4c_slot* named) {
  const auto block = std::make_unique<e4c_tag_block>();
  const Reason reason = Read(level, number, named, *block);
  if (reason != Reason::kNone) {
    if (visitor.fault) visitor.fault(reason, level, number);
    return;
  }
  if (visitor.node) visitor.node(level, number, *block);
  for (uint32_t i = 0; i < E4C_BLOCK_SLOTS; ++i) {
    if (IsZero(block->slot[i])) continue;
    const uint32_t child = number * E4C_BLOCK_SLOTS + i;
    if (level == 1) {
      WalkTagBlock(visitor, child);
    } else {
      WalkNode(visitor, level - 1, child, &block->slot[i]);
    }
  }
}

}  // namespace ext4crypt::volume
