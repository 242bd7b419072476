// SPDX-License-Identifier: Apache-2.0
// AES-256-HCTR2 decryption with fscrypt's tweak of 32 zero bytes. Names only: small and not fast.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/secret_buffer.h"

namespace ext4crypt::volume {

// `key` is 32 bytes, `ciphertext` at least 16. False only when the cipher library fails.
[[nodiscard]] bool Hctr2Decrypt(const SecretBuffer& key, absl::Span<const uint8_t> ciphertext,
                                std::vector<uint8_t>& plain);

}  // namespace ext4crypt::volume
