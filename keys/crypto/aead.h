// SPDX-License-Identifier: Apache-2.0
// XChaCha20-Poly1305 with a random nonce: the cipher that wraps keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "common/secret_buffer.h"

namespace ext4crypt {

inline constexpr size_t kAeadKeySize = 32;
inline constexpr size_t kAeadNonceSize = 24;  // long enough to be drawn at random for ever
inline constexpr size_t kAeadTagSize = 16;

struct Sealed {
  std::vector<uint8_t> nonce;
  std::vector<uint8_t> ciphertext;  // with the tag at its end
};

// `key` is kAeadKeySize bytes.
[[nodiscard]] Sealed AeadSeal(const SecretBuffer& key, absl::Span<const uint8_t> aad,
                              const SecretBuffer& plaintext);
// nullopt when anything does not agree: key, aad, nonce, ciphertext.
[[nodiscard]] std::optional<SecretBuffer> AeadOpen(const SecretBuffer& key,
                                                   absl::Span<const uint8_t> aad,
                                                   absl::Span<const uint8_t> nonce,
                                                   absl::Span<const uint8_t> ciphertext);

}  // namespace ext4crypt
