// SPDX-License-Identifier: Apache-2.0
// Form TAIL: the slots of a small file in the slack of its last page's block
// (docs/on-disk-format.md section 4).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "volume/format/tag_layout.h"

namespace ext4crypt::volume {

struct Tail {
  std::vector<e4c_slot> slots;  // of pages 0 to slots.size() - 1
  e4c_slot seal;
};

// Authenticates nothing. Errors: kTailMalformed, kPageUnreadable.
[[nodiscard]] absl::StatusOr<Tail> ReadTail(const Image& image, const Layout& layout);

}  // namespace ext4crypt::volume
