// SPDX-License-Identifier: Apache-2.0
#include "keys/crypto/x25519.h"

#include <sodium.h>

namespace ext4crypt {

static_assert(kX25519Size == crypto_scalarmult_SCALARBYTES &&
              kX25519Size == crypto_scalarmult_BYTES);

X25519Public X25519PublicKey(const SecretBuffer& secret) {
  X25519Public out{};
  if (secret.size() == kX25519Size) crypto_scalarmult_base(out.data(), secret.data());
  return out;
}

std::optional<SecretBuffer> X25519Agree(const SecretBuffer& secret,
                                        absl::Span<const uint8_t> public_key) {
  SecretBuffer out(kX25519Size);
  if (secret.size() != kX25519Size || public_key.size() != kX25519Size ||
      crypto_scalarmult(out.data(), secret.data(), public_key.data()) != 0) {
    return std::nullopt;
  }
  return out;
}

}  // namespace ext4crypt
