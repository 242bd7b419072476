// SPDX-License-Identifier: Apache-2.0
// File names and symbolic link targets as fscrypt encrypts them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/secret_buffer.h"
#include "volume/format/context.h"

namespace ext4crypt::volume {

// The longest name of an ext4 directory entry, bytes.
inline constexpr size_t kMaxName = 255;

// Decrypts a name or target with the 32-byte names key. The result ends before the first zero byte.
// Errors: kNameMalformed, kModeUnsupported.
[[nodiscard]] absl::StatusOr<std::string> DecryptName(const Context& context,
                                                      const SecretBuffer& key,
                                                      absl::Span<const uint8_t> ciphertext);

// What a kernel without the key prints for a name: base64url of the two halves of the directory
// hash and the ciphertext, or of its first 149 bytes and the SHA-256 of the rest.
[[nodiscard]] std::string NoKeyName(uint32_t hash, uint32_t minor_hash,
                                    absl::Span<const uint8_t> ciphertext);

// The contents of an encrypted symbolic link: a 16-bit length, then the ciphertext.
// Error: kSymlinkMalformed.
[[nodiscard]] absl::StatusOr<absl::Span<const uint8_t>> SymlinkCiphertext(
    absl::Span<const uint8_t> contents);

}  // namespace ext4crypt::volume
