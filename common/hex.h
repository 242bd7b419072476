// SPDX-License-Identifier: Apache-2.0
// Lower-case hexadecimal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ext4crypt {

[[nodiscard]] std::string ToHex(absl::Span<const uint8_t> bytes);
// Accepts both cases; nullopt for an odd length or another character.
[[nodiscard]] std::optional<std::vector<uint8_t>> FromHex(absl::string_view text);

}  // namespace ext4crypt
