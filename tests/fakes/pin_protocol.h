// SPDX-License-Identifier: Apache-2.0
// The authenticator's side of CTAP 2.1's PIN/UV auth protocols 1 and 2 (6.5.6 and 6.5.7).
#pragma once

#include <memory>
#include <optional>

#include "tests/fakes/cbor.h"

struct evp_pkey_st;

namespace ext4crypt {

using cbor::Bytes;

Bytes Sha256(const Bytes& data);
Bytes HmacSha256(const Bytes& key, const Bytes& data);

// A P-256 key pair, fresh or with a private key of these 32 bytes.
class EcKey {
 public:
  EcKey();
  explicit EcKey(const Bytes& private_key);
  // Public, as COSE. `algorithm` is -7 (ES256) or -25 (ECDH-ES + HKDF-256).
  [[nodiscard]] cbor::Map Cose(int algorithm) const;
  // DER; over `data`.
  [[nodiscard]] Bytes Sign(const Bytes& data) const;
  // The shared x coordinate; nothing when `cose` is no point.
  [[nodiscard]] std::optional<Bytes> Agree(const cbor::Value& cose) const;

 private:
  std::shared_ptr<evp_pkey_st> key_;
};

class PinProtocol {
 public:
  PinProtocol(int version, const Bytes& agreed);
  [[nodiscard]] Bytes Encrypt(const Bytes& plain) const;
  [[nodiscard]] std::optional<Bytes> Decrypt(const Bytes& encrypted) const;
  [[nodiscard]] bool Verify(const Bytes& data, const Bytes& signature) const;

  // With a PIN token as the key.
  static bool VerifyByToken(int version, const Bytes& token, const Bytes& data,
                            const Bytes& signature);

 private:
  [[nodiscard]] std::optional<Bytes> Aes(bool encrypt, const Bytes& iv, const Bytes& data) const;
  const int version_;
  Bytes hmac_key_;
  Bytes aes_key_;
};

}  // namespace ext4crypt
