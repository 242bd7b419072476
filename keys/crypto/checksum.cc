// SPDX-License-Identifier: Apache-2.0
#include "keys/crypto/checksum.h"

#include <sodium.h>

namespace ext4crypt {

static_assert(kChecksumSize >= crypto_generichash_BYTES_MIN);

std::array<uint8_t, kChecksumSize> Checksum(absl::Span<const uint8_t> bytes) {
  std::array<uint8_t, kChecksumSize> out{};
  crypto_generichash(out.data(), out.size(), bytes.data(), bytes.size(), nullptr, 0);
  return out;
}

}  // namespace ext4crypt
