// SPDX-License-Identifier: Apache-2.0
// The contents of files that have no tags: plain ones, and those in fscrypt's AES-256-XTS mode.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "volume/format/file_keys.h"
#include "volume/format/node.h"

namespace ext4crypt::volume {

// Calls `write` with the byte offset for each block that is not a hole; the last one is cut at the
// end of the file. `failed` gets a page range that cannot be read. Errors: kModeUnsupported,
// kKeyMissing, kNotMappedByExtents, and what `write` returns.
[[nodiscard]] absl::Status ReadUnauthenticated(
    const Image& image, const Node& node, const KeyRing& keys,
    const std::function<absl::Status(uint64_t offset, absl::Span<const uint8_t>)>& write,
    const std::function<void(Reason, uint64_t first_page, uint64_t count)>& failed);

}  // namespace ext4crypt::volume
