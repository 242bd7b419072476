// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/nonces.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "volume/format/slot_tree.h"
#include "volume/format/tail.h"

namespace ext4crypt::volume {
namespace {

// 24 bytes each: 192 MiB at most for a file however large.
constexpr size_t kMostAtOnce = size_t{8} << 20;

constexpr uint32_t kNode = UINT32_MAX;

struct Use {
  std::array<uint8_t, E4C_NONCE_SIZE> nonce;
  uint32_t group;
  uint32_t slot;  // in the block, 0 the seal; kNode: the seal of a node, `group` its first one
};

uint32_t ShareOf(const uint8_t* nonce, uint32_t shares) {
  // All bytes count: a writer may draw eight of them once and count in the other four.
  uint32_t mixed = 0;
  for (size_t i = 0; i < E4C_NONCE_SIZE; ++i) mixed = mixed * 16777619u ^ nonce[i];
  return mixed % shares;
}

class Collector {
 public:
  Collector(uint32_t share, uint32_t shares) : share_(share), shares_(shares) {}
  void Add(const e4c_slot& slot, uint32_t group, uint32_t place) {
    if (ShareOf(slot.nonce, shares_) != share_) return;
    Use use = {.group = group, .slot = place};
    std::copy_n(slot.nonce, use.nonce.size(), use.nonce.begin());
    uses.push_back(use);
  }
  // The seal at `slots`[0] and the slots of pages behind it.
  void AddSlots(const e4c_slot* slots, uint32_t count, uint32_t group) {
    for (uint32_t i = 0; i < count; ++i) {
      if (slots[i].info != 0) Add(slots[i], group, i + 1);
    }
  }
  std::vector<Use> uses;

 private:
  const uint32_t share_;
  const uint32_t shares_;
};

std::string PlaceOf(const Use& use) {
  if (use.slot == kNode) return absl::StrCat("the seal of a node at group ", use.group);
  return use.slot == 0 ? absl::StrCat("the seal of group ", use.group)
                       : absl::StrCat("slot ", use.slot, " of group ", use.group);
}

void Report(std::vector<Use>& uses, FindingList& findings) {
  std::sort(uses.begin(), uses.end(), [](const Use& a, const Use& b) {
    return std::tie(a.nonce, a.group, a.slot) < std::tie(b.nonce, b.group, b.slot);
  });
  for (size_t i = 1; i < uses.size(); ++i) {
    if (uses[i - 1].nonce != uses[i].nonce) continue;
    const Use& use = uses[i];
    const std::string detail = absl::StrCat(PlaceOf(uses[i - 1]), " and ", PlaceOf(use));
    if (use.slot == 0 || use.slot == kNode) {
      findings.Add(Reason::kNonceReused, detail);
    } else {
      findings.AddPages(Reason::kNonceReused, FirstPageOfGroup(use.group) + use.slot - 1, 1,
                        detail);
    }
  }
}

}  // namespace

void FindReusedNonces(const Image& image, const Layout& layout, FindingList& findings) {
  const uint64_t most = layout.MappedTagBlocks() * (E4C_BLOCK_SLOTS + 1) + E4C_TAIL_PAGES + 1;
  const auto shares = static_cast<uint32_t>(most / kMostAtOnce + 1);
  e4c_tag_block block = {};
  const absl::Span<uint8_t> bytes(reinterpret_cast<uint8_t*>(&block), sizeof(block));
  for (uint32_t share = 0; share < shares; ++share) {
    Collector collector(share, shares);
    if (layout.form == Form::kTail) {
      if (const auto tail = ReadTail(image, layout); tail.ok()) {
        collector.Add(tail->seal, 0, 0);
        collector.AddSlots(tail->slots.data(), static_cast<uint32_t>(tail->slots.size()), 0);
      }
    }
    // What is mapped and does not exist holds slots of long ago. The slots of a node are the seals
    // of what is below it.
    SlotTree(image, layout, nullptr)
        .Walk({.node =
                   [&](unsigned level, uint32_t number, const e4c_tag_block& node) {
                     collector.Add(node.seal,
                                   static_cast<uint32_t>(number * kLevels[level].groups_each),
                                   kNode);
                   },
               .tag_block =
                   [&](uint32_t group, uint64_t at) {
                     if (!image.ReadBlocks(at, bytes).ok()) return;
                     collector.Add(block.seal, group, 0);
                     collector.AddSlots(block.slot, E4C_BLOCK_SLOTS, group);
                   }});
    Report(collector.uses, findings);
  }
}

}  // namespace ext4crypt::volume
