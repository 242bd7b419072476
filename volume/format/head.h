// SPDX-License-Identifier: Apache-2.0
// Whether an inode is as it was last written: docs/on-disk-format.md section 6.
#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "volume/format/tag_layout.h"

namespace ext4crypt::volume {

// Of an authenticated directory, file (with its `layout`) or symbolic link; `key` is its head key.
// Errors: kHeadNotAuthentic, and where what it vouches for cannot be read kTagBlockMissing,
// kGroupUnreadable, kTailMalformed, kPageUnreadable, kSymlinkMalformed.
[[nodiscard]] absl::Status CheckHead(const Image& image, const Node& node, const Layout* layout,
                                     absl::Span<const uint8_t> key);

}  // namespace ext4crypt::volume
