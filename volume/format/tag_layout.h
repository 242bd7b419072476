// SPDX-License-Identifier: Apache-2.0
// Where the pages, the tag blocks and the nodes of an authenticated file stand:
// docs/on-disk-format.md section 4.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "volume/ext4/extents.h"
#include "volume/format/attribute.h"
#include "volume/format/node.h"

namespace ext4crypt::volume {

// A group is a tag block and the pages whose slots it holds. The place is the index in
// e4c_tag_block::slot.
[[nodiscard]] constexpr uint32_t GroupOfPage(uint64_t page) {
  return static_cast<uint32_t>(page / E4C_BLOCK_SLOTS);
}
[[nodiscard]] constexpr uint32_t PlaceOfPage(uint64_t page) {
  return static_cast<uint32_t>(page % E4C_BLOCK_SLOTS);
}
[[nodiscard]] constexpr uint64_t FirstPageOfGroup(uint64_t group) {
  return group * E4C_BLOCK_SLOTS;
}
[[nodiscard]] constexpr uint64_t EndPageOfGroup(uint64_t group) {
  return (group + 1) * E4C_BLOCK_SLOTS;
}

struct Level {
  uint32_t first_block;  // logical
  uint32_t blocks;
  uint64_t groups_each;  // tag blocks that one block of the level covers
};
inline constexpr std::array<Level, E4C_MAX_HEIGHT + 1> kLevels = {{
    {E4C_LEVEL_0_LBLK, E4C_LEVEL_0_BLOCKS, 1},
    {E4C_LEVEL_1_LBLK, E4C_LEVEL_1_BLOCKS, 127},
    {E4C_LEVEL_2_LBLK, E4C_LEVEL_2_BLOCKS, 127 * 127},
    {E4C_LEVEL_3_LBLK, E4C_LEVEL_3_BLOCKS, 127 * 127 * 127},
    {E4C_LEVEL_4_LBLK, E4C_LEVEL_4_BLOCKS, uint64_t{127} * 127 * 127 * 127},
}};

struct GroupRange {
  uint32_t first = 0;
  uint32_t end = 0;  // one past the last
};

struct Layout {
  std::vector<Extent> data;  // logical blocks are pages
  std::vector<Extent> tags;  // logical blocks as they are
  Form form = Form::kEmpty;
  unsigned height = 0;
  // Groups whose tag block is mapped or that have a page that is written. Ascending.
  std::vector<GroupRange> groups;
  uint64_t pages = 0;  // up to the end of the file
  bool complete = true;
  std::vector<Finding> findings;

  [[nodiscard]] uint64_t WrittenPages() const;
  // Tag blocks and nodes that take space, whether they exist or not.
  [[nodiscard]] uint64_t MappedTagBlocks() const;
  // The block of the volume; nullopt: not mapped.
  [[nodiscard]] std::optional<uint64_t> BlockOf(unsigned level, uint32_t number) const;
};

[[nodiscard]] Layout LayOut(const Image& image, const Node& node);

}  // namespace ext4crypt::volume
