// SPDX-License-Identifier: Apache-2.0
#include "volume/format/tail.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace ext4crypt::volume {

absl::StatusOr<Tail> ReadTail(const Image& image, const Layout& layout) {
  const uint64_t pages = layout.pages;
  if (pages == 0 || pages > E4C_TAIL_PAGES) {
    return Fail(Reason::kTailMalformed, absl::StrCat(pages, " pages"));
  }
  const Extent* extent = nullptr;
  for (uint64_t page = 0; page < pages; ++page) {
    extent = FindExtent(layout.data, page);
    if (extent == nullptr || extent->unwritten) {
      return Fail(Reason::kTailMalformed, absl::StrCat("page ", page, " is not written"));
    }
  }
  Block block;
  RETURN_IF_ERROR(
      image.ReadBlocks(extent->physical + (pages - 1 - extent->logical), absl::MakeSpan(block)));
  Tail tail;
  tail.slots.resize(pages);
  const size_t bytes = sizeof(e4c_slot) * (pages + 1);
  const uint8_t* first = block.data() + block.size() - bytes;
  std::memcpy(tail.slots.data(), first, bytes - sizeof(e4c_slot));
  std::memcpy(&tail.seal, first + bytes - sizeof(e4c_slot), sizeof(e4c_slot));
  const uint32_t text = le32toh(tail.slots.back().info);
  if (text == 0 || text > kBlockSize - bytes) {
    return Fail(Reason::kTailMalformed, absl::StrCat("the last page has ", text, " text bytes"));
  }
  return tail;
}

}  // namespace ext4crypt::volume
