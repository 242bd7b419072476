// SPDX-License-Identifier: Apache-2.0
#include "keys/protectors/hkdf_protector.h"

#include <utility>

#include "common/error.h"
#include "common/hex.h"
#include "common/status_macros.h"
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

// Only named kinds: one that is forgotten here derives nothing, rather than as another does.
absl::StatusOr<absl::Span<const uint8_t>> InfoOf(ProtectorKind kind) {
  switch (kind) {
    case ProtectorKind::kRecovery:
      return Bytes(kRecoveryInfo);
    case ProtectorKind::kKeyFile:
      return Bytes(kKeyFileInfo);
    case ProtectorKind::kDefaultKey:
      return Bytes(kDefaultKeyInfo);
    case ProtectorKind::kPassphrase:
    case ProtectorKind::kShare:
    case ProtectorKind::kFido2:
      break;
  }
  return Error(ErrorReason::kInternal, "a kind that has another derivation", KindName(kind));
}

absl::Status DoesNotFit(const ProtectorRecord& record) {
  switch (record.kind) {
    case ProtectorKind::kRecovery:
      return Error(ErrorReason::kWrongRecoveryCode, "the recovery code does not fit");
    case ProtectorKind::kKeyFile:
      return Error(ErrorReason::kWrongKeyFile, "the key file does not fit");
    case ProtectorKind::kDefaultKey:
    case ProtectorKind::kPassphrase:
    case ProtectorKind::kShare:
    case ProtectorKind::kFido2:
      break;
  }
  return Error(ErrorReason::kStoreCorrupt, "the default key does not open it", ToHex(record.id));
}

}  // namespace

std::optional<CredentialKind> HkdfProtector::opened_by() const {
  switch (kind_) {
    case ProtectorKind::kRecovery:
      return CredentialKind::kRecoveryCode;
    case ProtectorKind::kKeyFile:
      return CredentialKind::kKeyFile;
    case ProtectorKind::kDefaultKey:
    case ProtectorKind::kPassphrase:
    case ProtectorKind::kShare:
    case ProtectorKind::kFido2:
      break;
  }
  return std::nullopt;
}

absl::StatusOr<SecretBuffer> HkdfProtector::WrappingKey(const SecretBuffer& secret,
                                                        absl::Span<const uint8_t> salt) const {
  ASSIGN_OR_RETURN(const absl::Span<const uint8_t> info, InfoOf(kind_));
  return HkdfSha512(secret.bytes(), salt, info, kAeadKeySize);
}

absl::StatusOr<ProtectorRecord> HkdfProtector::Wrap(const ProtectorBinding& binding,
                                                    const SecretBuffer& key,
                                                    const SecretBuffer& secret,
                                                    const PublicParameters& parameters) {
  RETURN_IF_ERROR(RefuseParameters(kind_, parameters));
  ProtectorRecord record = NewProtectorRecord(kind());
  record.parameters.resize(1 + kSaltSize);
  record.parameters[0] = kHkdfSha512;
  const auto salt = absl::MakeSpan(record.parameters).subspan(1);
  FillRandom(salt);
  ASSIGN_OR_RETURN(const SecretBuffer wrapping_key, WrappingKey(secret, salt));
  SealKey(binding, wrapping_key, key, record);
  return record;
}

absl::StatusOr<SecretBuffer> HkdfProtector::Unwrap(const ProtectorBinding& binding,
                                                   const ProtectorRecord& record,
                                                   const SecretBuffer& secret) {
  if (record.kind != kind_ || record.parameters.size() != 1 + kSaltSize ||
      record.parameters[0] != kHkdfSha512) {
    return Error(ErrorReason::kStoreCorrupt, "a protector has impossible parameters",
                 ToHex(record.id));
  }
  const auto salt = absl::MakeConstSpan(record.parameters).subspan(1);
  ASSIGN_OR_RETURN(const SecretBuffer wrapping_key, WrappingKey(secret, salt));
  std::optional<SecretBuffer> key = OpenKey(binding, wrapping_key, record);
  if (!key.has_value()) return DoesNotFit(record);
  return *std::move(key);
}

}  // namespace ext4crypt
