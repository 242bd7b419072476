// SPDX-License-Identifier: Apache-2.0
// Where the pages and the tag blocks of an authenticated file stand: docs/on-disk-format.md
// section 4.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "volume/ext4/extents.h"

namespace ext4crypt::volume {

// The group that holds the slot of a page, and the place of the slot in e4c_tag_block::slot.
[[nodiscard]] constexpr uint32_t GroupOfPage(uint64_t page) {
  return static_cast<uint32_t>((page + 1) / E4C_GROUP_SLOTS);
}
[[nodiscard]] constexpr uint32_t PlaceOfPage(uint64_t page) {
  return static_cast<uint32_t>((page + 1) % E4C_GROUP_SLOTS);
}
// The pages [first, end) of a group. Place 0 of group 0 is the file header.
[[nodiscard]] constexpr uint64_t FirstPageOfGroup(uint64_t group) {
  return group == 0 ? 0 : group * E4C_GROUP_SLOTS - 1;
}
[[nodiscard]] constexpr uint64_t EndPageOfGroup(uint64_t group) {
  return (group + 1) * E4C_GROUP_SLOTS - 1;
}
static_assert(E4C_GROUPS * uint64_t{E4C_GROUP_SLOTS} == uint64_t{E4C_MAX_PAGES} + 1);  // virtual slot 0 belongs to no page

struct GroupRange {
  uint32_t first = 0;
  uint32_t end = 0;  // one past the last
};

struct Layout {
  std::vector<Extent> data;  // logical blocks are pages
  std::vector<Extent> tags;  // logical blocks are groups
  // Groups that exist or serve a page that is written: all that there is to check. Ascending.
  std::vector<GroupRange> groups;
  uint64_t pages = 0;  // up to the end of the file
  bool complete = true;
  std::vector<Finding> findings;

  [[nodiscard]] uint64_t WrittenPages() const;
  [[nodiscard]] uint64_t GroupsThatExist() const;
  // The next higher group that exists, 0 if there is none: what the seal of `group` has to name.
  [[nodiscard]] uint32_t NextGroup(uint32_t group) const;
};

[[nodiscard]] Layout LayOut(const Image& image, const Inode& inode);

}  // namespace ext4crypt::volume
