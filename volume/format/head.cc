// SPDX-License-Identifier: Apache-2.0
#include "volume/format/head.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "volume/ext4/directory.h"
#include "volume/format/tail.h"

namespace ext4crypt::volume {
namespace {

absl::StatusOr<e4c_slot> TopSeal(const Image& image, const Layout& layout) {
  if (layout.form == Form::kEmpty) return e4c_slot{};
  if (layout.form == Form::kTail) {
    ASSIGN_OR_RETURN(const Tail tail, ReadTail(image, layout));
    return tail.seal;
  }
  const auto block = layout.BlockOf(layout.height, 0);
  if (!block.has_value()) {
    return Fail(Reason::kTagBlockMissing, absl::StrCat("the top block, level ", layout.height));
  }
  Block bytes;
  if (!image.ReadBlocks(*block, absl::MakeSpan(bytes)).ok()) {
    return Fail(Reason::kGroupUnreadable, absl::StrCat("the top block, level ", layout.height));
  }
  e4c_slot seal;
  std::memcpy(&seal, bytes.data(), sizeof(seal));
  return seal;
}

}  // namespace

absl::Status CheckHead(const Image& image, const Node& node, const Layout* layout,
                       absl::Span<const uint8_t> key) {
  e4c_slot top = {};
  std::vector<uint8_t> target;
  if (layout != nullptr) {
    ASSIGN_OR_RETURN(top, TopSeal(image, *layout));
  } else if (node.inode.IsSymlink()) {
    ASSIGN_OR_RETURN(target, ReadSymlink(image, node.inode));
  }
  ASSIGN_OR_RETURN(const Mac mac, HeadMac(key, node.subject(), node.state.raw,
                                          layout != nullptr ? node.size : 0, top, target));
  if (mac != node.head) return Fail(Reason::kHeadNotAuthentic, "");
  return absl::OkStatus();
}

}  // namespace ext4crypt::volume
