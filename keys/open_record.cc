// SPDX-License-Identifier: Apache-2.0
#include "keys/open_record.h"

#include <utility>

#include "common/hex.h"
#include "common/recovery_code.h"
#include "keys/crypto/hkdf.h"
#include "keys/protector.h"

namespace ext4crypt {
namespace {

absl::Status WrongCredential(CredentialKind kind) {
  switch (kind) {
    case CredentialKind::kPassphrase:
      return Error(ErrorReason::kWrongPassphrase, "the passphrase fits no protector");
    case CredentialKind::kRecoveryCode:
      return Error(ErrorReason::kWrongRecoveryCode, "the recovery code fits no protector");
    case CredentialKind::kKeyFile:
      return Error(ErrorReason::kWrongKeyFile, "the key file fits no protector");
    case CredentialKind::kFido2:
      return Error(ErrorReason::kWrongToken, "the security key fits no protector");
  }
  return Error(ErrorReason::kInternal, "a credential of no kind");
}

}  // namespace

bool IsWrongCredential(ErrorReason reason) {
  return reason == ErrorReason::kWrongPassphrase || reason == ErrorReason::kWrongRecoveryCode ||
         reason == ErrorReason::kWrongKeyFile || reason == ErrorReason::kWrongToken;
}

absl::StatusOr<SecretBuffer> SecretOf(const Credential& credential) {
  if (credential.kind == CredentialKind::kRecoveryCode) {
    return ParseRecoveryCode(credential.secret.text());
  }
  return credential.secret.Clone();
}

absl::StatusOr<OpenedKey> OpenRecord(const KeyRecord& record, CredentialKind kind,
                                     const SecretBuffer& secret, const ProtectorKinds& kinds) {
  const ProtectorBinding binding{.uid = record.uid, .identifier = record.identifier};
  absl::Status failure = WrongCredential(kind);
  for (const ProtectorRecord& protector : record.protectors) {
    const auto mechanism = kinds.find(protector.kind);
    if (mechanism == kinds.end() || mechanism->second->opened_by() != kind) continue;
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
