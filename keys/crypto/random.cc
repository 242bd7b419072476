// SPDX-License-Identifier: Apache-2.0
#include "keys/crypto/random.h"

#include <sodium.h>

namespace ext4crypt {

void FillRandom(absl::Span<uint8_t> out) { randombytes_buf(out.data(), out.size()); }

SecretBuffer RandomSecret(size_t size) {
  SecretBuffer secret(size);
  FillRandom(secret.mutable_bytes());
  return secret;
}

}  // namespace ext4crypt
