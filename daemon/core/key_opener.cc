// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/key_opener.h"

#include <utility>

#include "common/error.h"
#include "common/hex.h"
#include "common/recovery_code.h"
#include "common/status_macros.h"
#include "daemon/crypto/hkdf.h"

namespace ext4crypt {
namespace {

bool IsWrongCredential(ErrorReason reason) {
  return reason == ErrorReason::kWrongPassphrase || reason == ErrorReason::kWrongRecoveryCode ||
         reason == ErrorReason::kWrongKeyFile;
}

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

absl::StatusOr<OpenedKey> KeyOpener::Open(const KeyRecord& record, const Credential& credential,
                                          Uid guesser) {
  SecretBuffer secret;
  if (credential.kind == ProtectorKind::kRecovery) {
    ASSIGN_OR_RETURN(secret, ParseRecoveryCode(credential.secret.text()));
  } else {
    secret = credential.secret.Clone();
  }
  RETURN_IF_ERROR(limiter_.Begin(guesser));
  absl::StatusOr<OpenedKey> opened = TryProtectors(record, credential.kind, secret);
  if (opened.ok()) {
    limiter_.Succeeded(guesser);
  } else if (!IsWrongCredential(ReasonOf(opened.status()))) {
    limiter_.Cancelled(guesser);
  }
  return opened;
}

absl::StatusOr<OpenedKey> KeyOpener::TryProtectors(const KeyRecord& record, ProtectorKind kind,
                                                   const SecretBuffer& secret) {
  const ProtectorBinding binding{.uid = record.uid, .identifier = record.identifier};
  absl::Status failure = WrongCredential(kind);
  for (const ProtectorRecord& protector : record.protectors) {
    const auto mechanism = kinds_.find(protector.kind);
    if (protector.kind != kind || mechanism == kinds_.end()) continue;
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
