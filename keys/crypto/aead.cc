// SPDX-License-Identifier: Apache-2.0
#include "keys/crypto/aead.h"

#include <sodium.h>

#include "keys/crypto/random.h"

namespace ext4crypt {

static_assert(kAeadKeySize == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(kAeadNonceSize == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kAeadTagSize == crypto_aead_xchacha20poly1305_ietf_ABYTES);

Sealed AeadSeal(const SecretBuffer& key, absl::Span<const uint8_t> aad,
                const SecretBuffer& plaintext) {
  Sealed sealed;
  sealed.nonce.resize(kAeadNonceSize);
  FillRandom(absl::MakeSpan(sealed.nonce));
  sealed.ciphertext.resize(plaintext.size() + kAeadTagSize);
  crypto_aead_xchacha20poly1305_ietf_encrypt(sealed.ciphertext.data(), nullptr, plaintext.data(),
                                             plaintext.size(), aad.data(), aad.size(), nullptr,
                                             sealed.nonce.data(), key.data());
  return sealed;
}

std::optional<SecretBuffer> AeadOpen(const SecretBuffer& key, absl::Span<const uint8_t> aad,
                                     absl::Span<const uint8_t> nonce,
                                     absl::Span<const uint8_t> ciphertext) {
  if (key.size() != kAeadKeySize || nonce.size() != kAeadNonceSize ||
      ciphertext.size() <= kAeadTagSize) {
    return std::nullopt;
  }
  SecretBuffer plaintext(ciphertext.size() - kAeadTagSize);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(plaintext.data(), nullptr, nullptr,
                                                 ciphertext.data(), ciphertext.size(), aad.data(),
                                                 aad.size(), nonce.data(), key.data()) != 0) {
    return std::nullopt;
  }
  return plaintext;
}

}  // namespace ext4crypt
