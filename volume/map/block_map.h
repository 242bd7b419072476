// SPDX-License-Identifier: Apache-2.0
// What the blocks of a volume are used for, by block group. Needs no key.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "volume/ext4/image.h"

namespace ext4crypt::volume {

enum class Use : uint8_t {
  kMetadata,  // of ext4 itself: tables, directories, journal, files not mapped by extents
  kPlain,
  kUnauthenticated,  // encrypted without tags
  kAuthenticated,
  kTags,
  kFree,
  kLast = kFree,
};
inline constexpr size_t kUses = static_cast<size_t>(Use::kLast) + 1;

struct GroupUse {
  std::array<uint64_t, kUses> blocks = {};

  [[nodiscard]] uint64_t& operator[](Use use) { return blocks[static_cast<size_t>(use)]; }
  [[nodiscard]] uint64_t operator[](Use use) const { return blocks[static_cast<size_t>(use)]; }
  [[nodiscard]] uint64_t total() const;
  void Add(const GroupUse& other);
};

// One entry for each block group.
[[nodiscard]] std::vector<GroupUse> MapBlocks(const Image& image);

// At most `most` entries, each for the same number of groups (but the last), which is returned in
// `each`.
[[nodiscard]] std::vector<GroupUse> Coarser(const std::vector<GroupUse>& groups, size_t most,
                                            size_t& each);

[[nodiscard]] const char* UseName(Use use);  // for --json
[[nodiscard]] const char* UseText(Use use);  // for people

}  // namespace ext4crypt::volume
