// SPDX-License-Identifier: Apache-2.0
// Whether bytes are what was written: against damage, not against people.
#pragma once

#include <array>
#include <cstdint>

#include "absl/types/span.h"

namespace ext4crypt {

inline constexpr size_t kChecksumSize = 16;

// BLAKE2b without a key, 16 bytes.
[[nodiscard]] std::array<uint8_t, kChecksumSize> Checksum(absl::Span<const uint8_t> bytes);

}  // namespace ext4crypt
