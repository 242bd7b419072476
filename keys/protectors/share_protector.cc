// SPDX-License-Identifier: Apache-2.0
#include "keys/protectors/share_protector.h"

#include <utility>

#include "common/error.h"
#include "common/hex.h"
#include "common/status_macros.h"
#include "keys/crypto/aead.h"
#include "keys/crypto/hkdf.h"
#include "keys/crypto/random.h"
#include "keys/crypto/x25519.h"
#include "keys/protectors/wrapping.h"

namespace ext4crypt {
namespace {

constexpr uint8_t kX25519HkdfSha512 = 1;
// The terminating zero is part of it.
constexpr char kInfo[] = "ext4crypt share";

SecretBuffer WrappingKey(const SecretBuffer& agreed, absl::Span<const uint8_t> ephemeral,
                         absl::Span<const uint8_t> receiver) {
  std::vector<uint8_t> salt(ephemeral.begin(), ephemeral.end());
  salt.insert(salt.end(), receiver.begin(), receiver.end());
  return HkdfSha512(agreed.bytes(), salt,
                    absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(kInfo), sizeof(kInfo)),
                    kAeadKeySize);
}

}  // namespace

absl::StatusOr<ProtectorRecord> ShareProtector::Wrap(const ProtectorBinding& binding,
                                                     const SecretBuffer& key,
                                                     const SecretBuffer& public_key,
                                                     const PublicParameters& parameters) {
  RETURN_IF_ERROR(RefuseParameters(kind(), parameters));
  const SecretBuffer secret = RandomSecret(kX25519Size);
  const X25519Public ephemeral = X25519PublicKey(secret);
  const std::optional<SecretBuffer> agreed = X25519Agree(secret, public_key.bytes());
  if (!agreed.has_value()) {
    return Error(ErrorReason::kStoreCorrupt, "a stored public key is none");
  }
  ProtectorRecord record = NewProtectorRecord(kind());
  record.parameters.push_back(kX25519HkdfSha512);
  record.parameters.insert(record.parameters.end(), ephemeral.begin(), ephemeral.end());
  SealKey(binding, WrappingKey(*agreed, ephemeral, public_key.bytes()), key, record);
  return record;
}

absl::StatusOr<SecretBuffer> ShareProtector::Unwrap(const ProtectorBinding& binding,
                                                    const ProtectorRecord& record,
                                                    const SecretBuffer& secret) {
  const auto corrupt = [&record](absl::string_view why) {
    return Error(ErrorReason::kStoreCorrupt, why, ToHex(record.id));
  };
  if (record.parameters.size() != 1 + kX25519Size || record.parameters[0] != kX25519HkdfSha512) {
    return corrupt("a share has impossible parameters");
  }
  const auto ephemeral = absl::MakeConstSpan(record.parameters).subspan(1);
  const std::optional<SecretBuffer> agreed = X25519Agree(secret, ephemeral);
  if (!agreed.has_value()) return corrupt("a share has an impossible public key");
  std::optional<SecretBuffer> key =
      OpenKey(binding, WrappingKey(*agreed, ephemeral, X25519PublicKey(secret)), record);
  if (!key.has_value()) return corrupt("a share does not open");
  return *std::move(key);
}

}  // namespace ext4crypt
