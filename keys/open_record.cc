// SPDX-License-Identifier: Apache-2.0
#include "keys/open_record.h"

#include <utility>

#include "common/hex.h"
#include "common/recovery_code.h"
#include "keys/crypto/hkdf.h"
#include "keys/protector.h"

namespace ext4crypt {
namespace {

absl::Status WrongCredential(ProtectorKind kind) {
  switch (kind) {
    case ProtectorKind::kPassphrase:
      return Error(ErrorReason::kWrongPassphrase, "the passphrase fits no protector");
    case ProtectorKind::kRecovery:
      return Error(ErrorReason::kWrongRecoveryCode, "the recovery code fits no protector");
    case ProtectorKind::kKeyFile:
      return Error(ErrorReason::kWrongKeyFile, "the key file fits no protector");
    case ProtectorKind::kDefaultKey:
    case ProtectorKind::kShare:
      break;  // nobody types these
  }
  return Error(ErrorReason::kInternal, "a credential of no kind");
}

}  // namespace

bool IsWrongCredential(ErrorReason reason) {
  return reason == ErrorReason::kWrongPassphrase || reason == ErrorReason::kWrongRecoveryCode ||
         reason == ErrorReason::kWrongKeyFile;
}

absl::StatusOr<SecretBuffer> SecretOf(const Credential& credential) {
  if (credential.kind == ProtectorKind::kRecovery) {
    return ParseRecoveryCode(credential.secret.text());
  }
  return credential.secret.Clone();
}

absl::StatusOr<OpenedKey> OpenRecord(const KeyRecord& record, ProtectorKind kind,
                                     const SecretBuffer& secret, const ProtectorKinds& kinds) {
  const ProtectorBinding binding{.uid = record.uid, .identifier = record.identifier};
  absl::Status failure = WrongCredential(kind);
  for (const ProtectorRecord& protector : record.protectors) {
    const auto mechanism = kinds.find(protector.kind);
    if (protector.kind != kind || mechanism == kinds.end()) continue;
    absl::StatusOr<SecretBuffer> key = mechanism->second->Unwrap(binding, protector, secret);
    if (!key.ok()) {
      // One damaged record must not hide that another one merely did not fit, nor the reverse.
      if (!IsWrongCredential(ReasonOf(key.status()))) failure = key.status();
      continue;
    }
    // The record's authentication covers the identifier; this also catches a fault of our own.
    if (FscryptKeyIdentifier(*key) != record.identifier) {
      return Error(ErrorReason::kStoreCorrupt, "an unwrapped key has another identifier",
                   ToHex(record.identifier));
    }
    return OpenedKey{.key = *std::move(key), .protector = protector.id};
  }
  return failure;
}

}  // namespace ext4crypt
