// SPDX-License-Identifier: Apache-2.0
#include "keys/protectors/fido2_protector.h"

#include <utility>

#include "common/error.h"
#include "common/hex.h"
#include "common/status_macros.h"
#include "keys/crypto/aead.h"
#include "keys/crypto/hkdf.h"
#include "keys/fido2_parameters.h"
#include "keys/protectors/wrapping.h"

namespace ext4crypt {
namespace {

// The terminating zero is part of it.
constexpr char kFido2Info[] = "ext4crypt fido2";

SecretBuffer Fido2WrappingKey(const SecretBuffer& secret, const Fido2Parameters& parameters) {
  return HkdfSha512(
      secret.bytes(), parameters.salt,
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(kFido2Info), sizeof(kFido2Info)),
      kAeadKeySize);
}

}  // namespace

absl::StatusOr<ProtectorRecord> Fido2Protector::Wrap(const ProtectorBinding& binding,
                                                     const SecretBuffer& key,
                                                     const SecretBuffer& secret,
                                                     const PublicParameters& parameters) {
  const auto decoded = DecodeFido2(parameters);
  if (!decoded.ok() || secret.size() != kFido2SecretSize) {
    return Error(ErrorReason::kInvalidRequest, "not what a security key has answered");
  }
  ProtectorRecord record = NewProtectorRecord(kind());
  record.parameters = parameters;
  SealKey(binding, Fido2WrappingKey(secret, *decoded), key, record);
  return record;
}

absl::StatusOr<SecretBuffer> Fido2Protector::Unwrap(const ProtectorBinding& binding,
                                                    const ProtectorRecord& record,
                                                    const SecretBuffer& secret) {
  const auto decoded = DecodeFido2(record.parameters);
  if (record.kind != kind() || !decoded.ok()) {
    return Error(ErrorReason::kStoreCorrupt, "a protector has impossible parameters",
                 ToHex(record.id));
  }
  std::optional<SecretBuffer> key = OpenKey(binding, Fido2WrappingKey(secret, *decoded), record);
  if (!key.has_value()) return Error(ErrorReason::kWrongToken, "the security key does not fit");
  return *std::move(key);
}

}  // namespace ext4crypt
