// SPDX-License-Identifier: Apache-2.0
// HKDF-SHA512 over libsodium's HMAC: 1.0.18 has no HKDF of its own.
#include "keys/crypto/hkdf.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

namespace ext4crypt {
namespace {

constexpr size_t kHashSize = crypto_auth_hmacsha512_BYTES;

// "fscrypt\0" followed by HKDF_CONTEXT_KEY_IDENTIFIER; the kernel keeps these private.
constexpr std::array<uint8_t, 9> kIdentifierInfo = {'f', 's', 'c', 'r', 'y', 'p', 't', 0, 1};

// One HMAC whose state is wiped when done.
class Hmac {
 public:
  Hmac(const uint8_t* key, size_t size) { crypto_auth_hmacsha512_init(&state_, key, size); }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;
  ~Hmac() { sodium_memzero(&state_, sizeof(state_)); }
  void Update(absl::Span<const uint8_t> data) {
    crypto_auth_hmacsha512_update(&state_, data.data(), data.size());
  }
  void Final(uint8_t* out) { crypto_auth_hmacsha512_final(&state_, out); }

 private:
  crypto_auth_hmacsha512_state state_;
};

}  // namespace

SecretBuffer HkdfSha512(absl::Span<const uint8_t> ikm, absl::Span<const uint8_t> salt,
                        absl::Span<const uint8_t> info, size_t out_size) {
  constexpr std::array<uint8_t, kHashSize> kZeroSalt = {};
  if (salt.empty()) salt = kZeroSalt;
  SecretBuffer prk(kHashSize);
  Hmac extract(salt.data(), salt.size());
  extract.Update(ikm);
  extract.Final(prk.data());

  SecretBuffer out(out_size);
  SecretBuffer block(kHashSize);
  uint8_t counter = 1;
  for (size_t done = 0; done < out_size; ++counter) {
    Hmac expand(prk.data(), prk.size());
    if (counter > 1) expand.Update(block.bytes());
    expand.Update(info);
    expand.Update(absl::MakeConstSpan(&counter, 1));
    expand.Final(block.data());
    const size_t take = std::min(kHashSize, out_size - done);
    std::memcpy(out.data() + done, block.data(), take);
    done += take;
  }
  return out;
}

std::array<uint8_t, kFscryptIdentifierSize> FscryptKeyIdentifier(const SecretBuffer& key) {
  const SecretBuffer out = HkdfSha512(key.bytes(), {}, kIdentifierInfo, kFscryptIdentifierSize);
  std::array<uint8_t, kFscryptIdentifierSize> identifier;
  std::copy_n(out.data(), identifier.size(), identifier.begin());
  return identifier;
}

}  // namespace ext4crypt
