// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/nonces.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"

namespace ext4crypt::volume {
namespace {

// 24 bytes each: 192 MiB at most for a file however large.
constexpr size_t kMostAtOnce = size_t{8} << 20;

struct Use {
  std::array<uint8_t, E4C_NONCE_SIZE> nonce;
  uint32_t group;
  uint32_t slot;  // in the block, 0 the seal
};

uint32_t ShareOf(const uint8_t* nonce, uint32_t shares) {
  // All bytes count: a writer may draw eight of them once and count in the other four.
  uint32_t mixed = 0;
  for (size_t i = 0; i < E4C_NONCE_SIZE; ++i) mixed = mixed * 16777619u ^ nonce[i];
  return mixed % shares;
}

void Collect(const e4c_tag_block& block, uint32_t group, uint32_t share, uint32_t shares,
             std::vector<Use>& uses) {
  const auto* slots = reinterpret_cast<const e4c_slot*>(&block);
  for (uint32_t i = 0; i <= E4C_GROUP_SLOTS; ++i) {
    if (i != 0 && le32toh(slots[i].info) != E4C_STATE_VALID) continue;
    if (ShareOf(slots[i].nonce, shares) != share) continue;
    Use use = {.group = group, .slot = i};
    std::copy_n(slots[i].nonce, use.nonce.size(), use.nonce.begin());
    uses.push_back(use);
  }
}

std::string PlaceOf(const Use& use) {
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
    if (use.slot == 0) {
      findings.Add(Reason::kNonceReused, detail);
    } else {
      const uint64_t virtual_slot = uint64_t{use.group} * E4C_GROUP_SLOTS + use.slot - 1;
      findings.AddPages(Reason::kNonceReused, virtual_slot == 0 ? 0 : virtual_slot - 1, 1, detail);
    }
  }
}

}  // namespace

void FindReusedNonces(const Image& image, const Layout& layout, FindingList& findings) {
  const uint64_t most = layout.GroupsThatExist() * (E4C_GROUP_SLOTS + 1);
  const auto shares = static_cast<uint32_t>(most / kMostAtOnce + 1);
  e4c_tag_block block = {};
  const absl::Span<uint8_t> bytes(reinterpret_cast<uint8_t*>(&block), sizeof(block));
  for (uint32_t share = 0; share < shares; ++share) {
    std::vector<Use> uses;
    for (const Extent& extent : layout.tags) {
      for (uint32_t i = 0; i < extent.length; ++i) {
        if (!image.ReadBlocks(extent.physical + i, bytes).ok()) continue;
        Collect(block, static_cast<uint32_t>(extent.logical) + i, share, shares, uses);
      }
    }
    Report(uses, findings);
  }
}

}  // namespace ext4crypt::volume
