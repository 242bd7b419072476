// SPDX-License-Identifier: Apache-2.0
// The kernel's random source, by way of libsodium.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "common/secret_buffer.h"

namespace ext4crypt {

void FillRandom(absl::Span<uint8_t> out);
[[nodiscard]] SecretBuffer RandomSecret(size_t size);

}  // namespace ext4crypt
