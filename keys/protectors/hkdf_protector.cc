// SPDX-License-Identifier: Apache-2.0
#include "keys/protectors/hkdf_protector.h"

#include <utility>

#include "common/error.h"
#include "common/hex.h"
#include "keys/crypto/aead.h"
#include "keys/crypto/hkdf.h"
#include "keys/crypto/random.h"
#include "keys/protectors/wrapping.h"

namespace ext4crypt {
namespace {

constexpr uint8_t kHkdfSha512 = 1;
constexpr size_t kSaltSize = 16;
// The terminating zero is part of it.
constexpr char kRecoveryInfo[] = "ext4crypt recovery";
constexpr char kKeyFileInfo[] = "ext4crypt key file";
constexpr char kDefaultKeyInfo[] = "ext4crypt default key";

template <size_t N>
absl::Span<const uint8_t> Bytes(const char (&text)[N]) {
  return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text), N);
}

}  // namespace

SecretBuffer HkdfProtector::WrappingKey(const SecretBuffer& credential,
                                        absl::Span<const uint8_t> salt) const {
  const absl::Span<const uint8_t> info = kind_ == ProtectorKind::kRecovery ? Bytes(kRecoveryInfo)
                                         : kind_ == ProtectorKind::kKeyFile
                                             ? Bytes(kKeyFileInfo)
                                             : Bytes(kDefaultKeyInfo);
  return HkdfSha512(credential.bytes(), salt, info, kAeadKeySize);
}

absl::StatusOr<ProtectorRecord> HkdfProtector::Wrap(const ProtectorBinding& binding,
                                                    const SecretBuffer& key,
                                                    const SecretBuffer& credential) {
  ProtectorRecord record = NewProtectorRecord(kind());
  record.parameters.resize(1 + kSaltSize);
  record.parameters[0] = kHkdfSha512;
  const auto salt = absl::MakeSpan(record.parameters).subspan(1);
  FillRandom(salt);
  SealKey(binding, WrappingKey(credential, salt), key, record);
  return record;
}

absl::StatusOr<SecretBuffer> HkdfProtector::Unwrap(const ProtectorBinding& binding,
                                                   const ProtectorRecord& record,
                                                   const SecretBuffer& credential) {
  if (record.parameters.size() != 1 + kSaltSize || record.parameters[0] != kHkdfSha512) {
    return Error(ErrorReason::kStoreCorrupt, "a protector has impossible parameters",
                 ToHex(record.id));
  }
  const auto salt = absl::MakeConstSpan(record.parameters).subspan(1);
  std::optional<SecretBuffer> key = OpenKey(binding, WrappingKey(credential, salt), record);
  if (!key.has_value()) {
    if (kind_ == ProtectorKind::kDefaultKey) {
      return Error(ErrorReason::kStoreCorrupt, "the default key does not open it",
                   ToHex(record.id));
    }
    return kind_ == ProtectorKind::kRecovery
               ? Error(ErrorReason::kWrongRecoveryCode, "the recovery code does not fit")
               : Error(ErrorReason::kWrongKeyFile, "the key file does not fit");
  }
  return *std::move(key);
}

}  // namespace ext4crypt
