// SPDX-License-Identifier: Apache-2.0
// Diffie-Hellman on Curve25519 (RFC 7748): agreeing on a key with who is not there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "common/secret_buffer.h"

namespace ext4crypt {

inline constexpr size_t kX25519Size = 32;
using X25519Public = std::array<uint8_t, kX25519Size>;

// `secret` is kX25519Size bytes, any.
[[nodiscard]] X25519Public X25519PublicKey(const SecretBuffer& secret);
// Not to be used as a key itself. nullopt for a public key of small order, or a wrong size.
[[nodiscard]] std::optional<SecretBuffer> X25519Agree(const SecretBuffer& secret,
                                                      absl::Span<const uint8_t> public_key);

}  // namespace ext4crypt
