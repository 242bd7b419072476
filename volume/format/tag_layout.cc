// SPDX-License-Identifier: Apache-2.0
#include "volume/format/tag_layout.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ext4crypt::volume {
namespace {

// The part of `extent` in [begin, end), with logical blocks counted from `begin`.
std::optional<Extent> Cut(const Extent& extent, uint64_t begin, uint64_t end) {
  const uint64_t from = std::max(extent.logical, begin);
  const uint64_t to = std::min(extent.end(), end);
  if (from >= to) return std::nullopt;
  return Extent{.logical = from - begin,
                .physical = extent.physical + (from - extent.logical),
                .length = static_cast<uint32_t>(to - from),
                .unwritten = extent.unwritten};
}

void Split(const std::vector<Extent>& extents, uint32_t inode, Layout& layout) {
  for (const Extent& extent : extents) {
    if (auto data = Cut(extent, 0, E4C_TAG_LBLK)) layout.data.push_back(*data);
    if (auto tags = Cut(extent, E4C_TAG_LBLK, E4C_TAG_LBLK_END)) {
      tags->logical += E4C_TAG_LBLK;
      layout.tags.push_back(*tags);
    }
    if (Cut(extent, E4C_TAG_LBLK_END, uint64_t{1} << 32)) {
      layout.findings.push_back({.reason = Reason::kReservedBlocksMapped,
                                 .inode = inode,
                                 .detail = absl::StrCat("logical block ", extent.logical)});
    }
  }
}

std::vector<GroupRange> Merge(std::vector<GroupRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const GroupRange& a, const GroupRange& b) { return a.first < b.first; });
  std::vector<GroupRange> merged;
  for (const GroupRange& range : ranges) {
    if (!merged.empty() && range.first <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

}  // namespace

uint64_t Layout::WrittenPages() const {
  uint64_t count = 0;
  for (const Extent& extent : data) count += extent.unwritten ? 0 : extent.length;
  return count;
}

uint64_t Layout::MappedTagBlocks() const {
  uint64_t count = 0;
  for (const Extent& extent : tags) count += extent.length;
  return count;
}

std::optional<uint64_t> Layout::BlockOf(unsigned level, uint32_t number) const {
  const uint64_t logical = uint64_t{kLevels[level].first_block} + number;
  const Extent* extent = FindExtent(tags, logical);
  if (extent == nullptr) return std::nullopt;
  return extent->physical + (logical - extent->logical);
}

Layout LayOut(const Image& image, const Node& node) {
  Layout layout = {.form = node.state.form, .height = node.state.height};
  ExtentTree tree = ReadExtents(image, node.inode);
  layout.complete = tree.complete;
  layout.findings = std::move(tree.findings);
  Split(tree.extents, node.inode.number, layout);
  layout.pages = std::min<uint64_t>((node.size + kBlockSize - 1) / kBlockSize, E4C_MAX_PAGES);
  std::vector<GroupRange> ranges;
  for (const Extent& extent : layout.tags) {
    constexpr uint64_t kEnd = E4C_LEVEL_0_LBLK + E4C_LEVEL_0_BLOCKS;
    if (extent.logical >= kEnd || layout.form != Form::kTree) continue;
    ranges.push_back({static_cast<uint32_t>(extent.logical - E4C_LEVEL_0_LBLK),
                      static_cast<uint32_t>(std::min(extent.end(), kEnd) - E4C_LEVEL_0_LBLK)});
  }
  for (const Extent& extent : layout.data) {
    if (extent.unwritten) continue;
    ranges.push_back({GroupOfPage(extent.logical), GroupOfPage(extent.end() - 1) + 1});
  }
  layout.groups = Merge(std::move(ranges));
  return layout;
}

}  // namespace ext4crypt::volume
