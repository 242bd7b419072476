// SPDX-License-Identifier: Apache-2.0
#include "tests/fakes/pin_protocol.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>

#include <cstdlib>

namespace ext4crypt {
namespace {

constexpr size_t kBlock = 16;
constexpr size_t kCoordinate = 32;

Bytes Random(size_t size) {
  Bytes bytes(size);
  if (RAND_bytes(bytes.data(), static_cast<int>(size)) != 1) std::abort();
  return bytes;
}

// HKDF of one block, salt of 32 zero bytes.
Bytes Hkdf(const Bytes& secret, const char* info) {
  const Bytes extracted = HmacSha256(Bytes(32, 0), secret);
  Bytes block;
  for (const char* at = info; *at != '\0'; ++at) block.push_back(static_cast<uint8_t>(*at));
  block.push_back(1);
  return HmacSha256(extracted, block);
}

std::shared_ptr<EVP_PKEY> FromParameters(int selection, OSSL_PARAM_BLD* builder) {
  EVP_PKEY* key = nullptr;
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(builder);
  if (EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, selection, parameters) != 1) {
    key = nullptr;
  }
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(builder);
  EVP_PKEY_CTX_free(context);
  return {key, EVP_PKEY_free};
}

OSSL_PARAM_BLD* P256(const Bytes& point) {
  OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return builder;
}

Bytes PublicPoint(const BIGNUM* scalar) {
  EC_GROUP* group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  EC_POINT* point = EC_POINT_new(group);
  Bytes bytes(1 + 2 * kCoordinate);
  if (EC_POINT_mul(group, point, scalar, nullptr, nullptr, nullptr) != 1 ||
      EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes.data(), bytes.size(),
                         nullptr) != bytes.size()) {
    std::abort();
  }
  EC_POINT_free(point);
  EC_GROUP_free(group);
  return bytes;
}

}  // namespace

Bytes Sha256(const Bytes& data) {
  Bytes out(32);
  EVP_Digest(data.data(), data.size(), out.data(), nullptr, EVP_sha256(), nullptr);
  return out;
}

Bytes HmacSha256(const Bytes& key, const Bytes& data) {
  Bytes out(32);
  unsigned size = 32;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(), data.size(), out.data(),
       &size);
  return out;
}

EcKey::EcKey() : key_(EVP_EC_gen("P-256"), EVP_PKEY_free) {}

EcKey::EcKey(const Bytes& private_key) {
  BIGNUM* scalar = BN_bin2bn(private_key.data(), static_cast<int>(private_key.size()), nullptr);
  const Bytes point = PublicPoint(scalar);  // the builder only points to it
  OSSL_PARAM_BLD* builder = P256(point);
  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar);
  key_ = FromParameters(EVP_PKEY_KEYPAIR, builder);
  BN_free(scalar);
}

cbor::Map EcKey::Cose(int algorithm) const {
  const auto coordinate = [this](const char* name) {
    BIGNUM* number = nullptr;
    Bytes bytes(kCoordinate);
    if (EVP_PKEY_get_bn_param(key_.get(), name, &number) != 1 ||
        BN_bn2binpad(number, bytes.data(), static_cast<int>(kCoordinate)) < 0) {
      std::abort();
    }
    BN_free(number);
    return bytes;
  };
  return {{1, 2},
          {3, algorithm},
          {-1, 1},
          {-2, coordinate(OSSL_PKEY_PARAM_EC_PUB_X)},
          {-3, coordinate(OSSL_PKEY_PARAM_EC_PUB_Y)}};
}

Bytes EcKey::Sign(const Bytes& data) const {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  size_t size = 128;
  Bytes signature(size);
  if (EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context, signature.data(), &size, data.data(), data.size()) != 1) {
    std::abort();
  }
  EVP_MD_CTX_free(context);
  signature.resize(size);
  return signature;
}

std::optional<Bytes> EcKey::Agree(const cbor::Value& cose) const {
  const Bytes& x = cose[-2].As<Bytes>();
  const Bytes& y = cose[-3].As<Bytes>();
  if (x.size() != kCoordinate || y.size() != kCoordinate) return std::nullopt;
  Bytes point = {4};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  const auto peer = FromParameters(EVP_PKEY_PUBLIC_KEY, P256(point));
  if (peer == nullptr) return std::nullopt;
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key_.get(), nullptr);
  Bytes agreed(kCoordinate);
  size_t size = agreed.size();
  const bool good = EVP_PKEY_derive_init(context) == 1 &&
                    EVP_PKEY_derive_set_peer(context, peer.get()) == 1 &&
                    EVP_PKEY_derive(context, agreed.data(), &size) == 1;
  EVP_PKEY_CTX_free(context);
  if (!good) return std::nullopt;
  return agreed;
}

PinProtocol::PinProtocol(int version, const Bytes& agreed)
    : version_(version),
      hmac_key_(version == 1 ? Sha256(agreed) : Hkdf(agreed, "CTAP2 HMAC key")),
      aes_key_(version == 1 ? Sha256(agreed) : Hkdf(agreed, "CTAP2 AES key")) {}

std::optional<Bytes> PinProtocol::Aes(bool encrypt, const Bytes& iv, const Bytes& data) const {
  if (data.size() % kBlock != 0) return std::nullopt;
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  Bytes out(data.size() + kBlock);
  int size = 0;
  const bool good =
      EVP_CipherInit_ex(context, EVP_aes_256_cbc(), nullptr, aes_key_.data(), iv.data(),
                        encrypt ? 1 : 0) == 1 &&
      EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
      EVP_CipherUpdate(context, out.data(), &size, data.data(), static_cast<int>(data.size())) == 1;
  EVP_CIPHER_CTX_free(context);
  if (!good) return std::nullopt;
  out.resize(static_cast<size_t>(size));
  return out;
}

Bytes PinProtocol::Encrypt(const Bytes& plain) const {
  const Bytes iv = version_ == 1 ? Bytes(kBlock, 0) : Random(kBlock);
  Bytes out = version_ == 1 ? Bytes() : iv;
  const Bytes encrypted = Aes(true, iv, plain).value();
  out.insert(out.end(), encrypted.begin(), encrypted.end());
  return out;
}

std::optional<Bytes> PinProtocol::Decrypt(const Bytes& encrypted) const {
  if (version_ == 1) return Aes(false, Bytes(kBlock, 0), encrypted);
  if (encrypted.size() < kBlock) return std::nullopt;
  const auto body = encrypted.begin() + kBlock;
  return Aes(false, Bytes(encrypted.begin(), body), Bytes(body, encrypted.end()));
}

bool PinProtocol::Verify(const Bytes& data, const Bytes& signature) const {
  return VerifyByToken(version_, hmac_key_, data, signature);
}

bool PinProtocol::VerifyByToken(int version, const Bytes& token, const Bytes& data,
                                const Bytes& signature) {
  Bytes wanted = HmacSha256(token, data);
  if (version == 1) wanted.resize(16);
  return signature == wanted;
}

}  // namespace ext4crypt
