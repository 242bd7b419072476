// SPDX-License-Identifier: Apache-2.0
// HKDF-SHA512 (RFC 5869), and fscrypt's key identifier, which is one use of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "common/secret_buffer.h"

namespace ext4crypt {

inline constexpr size_t kFscryptIdentifierSize = 16;  // FSCRYPT_KEY_IDENTIFIER_SIZE

// An empty `salt` means 64 zero bytes, as the RFC says. `out_size` is at most 255 * 64.
[[nodiscard]] SecretBuffer HkdfSha512(absl::Span<const uint8_t> ikm, absl::Span<const uint8_t> salt,
                                      absl::Span<const uint8_t> info, size_t out_size);

// What the kernel will call this master key (fs/crypto/keyring.c: context 1, no salt).
[[nodiscard]] std::array<uint8_t, kFscryptIdentifierSize> FscryptKeyIdentifier(
    const SecretBuffer& key);

}  // namespace ext4crypt
