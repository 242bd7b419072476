// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/enrolment.h"

#include <utility>

#include "common/error.h"
#include "common/recovery_code.h"
#include "common/status_macros.h"
#include "daemon/crypto/hkdf.h"
#include "daemon/crypto/random.h"

namespace ext4crypt {
namespace {

absl::Status CheckNewPassphrase(const SecretBuffer& passphrase) {
  if (passphrase.size() < kMinPassphraseSize) {
    return Error(ErrorReason::kPassphraseTooShort, "the new passphrase is too short");
  }
  if (passphrase.size() > kMaxPassphraseSize) {
    return Error(ErrorReason::kPassphraseTooLong, "the new passphrase is too long");
  }
  return absl::OkStatus();
}

absl::StatusOr<ProtectorId> OnlyProtector(const KeyRecord& record, ProtectorKind kind) {
  for (const ProtectorRecord& protector : record.protectors) {
    if (protector.kind == kind) return protector.id;
  }
  return Error(ErrorReason::kStoreCorrupt, "a key has no protector of the kind to replace",
               KindName(kind));
}

}  // namespace

absl::StatusOr<ProtectorRecord> Enrolment::Wrap(ProtectorKind kind, const ProtectorBinding& binding,
                                                const SecretBuffer& key,
                                                const SecretBuffer& credential) {
  ASSIGN_OR_RETURN(ProtectorRecord record, kinds_.at(kind)->Wrap(binding, key, credential));
  record.created_unix_s = clock_.UnixSeconds();
  return record;
}

absl::StatusOr<Enrolment::RecoverySecret> Enrolment::NewRecovery(const ProtectorBinding& binding,
                                                                 const SecretBuffer& key) {
  const SecretBuffer secret = RandomSecret(kRecoverySecretSize);
  ASSIGN_OR_RETURN(ProtectorRecord record, Wrap(ProtectorKind::kRecovery, binding, key, secret));
  return RecoverySecret{.record = std::move(record), .code = FormatRecoveryCode(secret)};
}

absl::StatusOr<EnrolledKey> Enrolment::Enrol(Uid uid, const SecretBuffer& passphrase) {
  RETURN_IF_ERROR(CheckNewPassphrase(passphrase));
  // Asked first only to spare the derivation; CreateKey() decides.
  const auto existing = store_.FindKey(uid, kDefaultKeyName);
  if (existing.ok()) return Error(ErrorReason::kAlreadyEnrolled, "the user has a key already");
  if (ReasonOf(existing.status()) != ErrorReason::kNotEnrolled) return existing.status();

  const SecretBuffer key = RandomSecret(kMasterKeySize);
  KeyRecord record{.uid = uid,
                   .name = kDefaultKeyName,
                   .identifier = FscryptKeyIdentifier(key),
                   .created_unix_s = clock_.UnixSeconds()};
  const ProtectorBinding binding{.uid = uid, .identifier = record.identifier};
  ASSIGN_OR_RETURN(ProtectorRecord by_passphrase,
                   Wrap(ProtectorKind::kPassphrase, binding, key, passphrase));
  ASSIGN_OR_RETURN(RecoverySecret recovery, NewRecovery(binding, key));
  record.protectors.push_back(std::move(by_passphrase));
  record.protectors.push_back(std::move(recovery.record));
  RETURN_IF_ERROR(store_.CreateKey(record));
  return EnrolledKey{.identifier = record.identifier, .recovery_code = std::move(recovery.code)};
}

absl::Status Enrolment::ChangePassphrase(Uid uid, const Credential& credential,
                                         const SecretBuffer& new_passphrase) {
  RETURN_IF_ERROR(CheckNewPassphrase(new_passphrase));
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  ASSIGN_OR_RETURN(const OpenedKey opened, opener_.Open(record, credential));
  ProtectorId old_id = opened.protector;
  if (credential.kind != ProtectorKind::kPassphrase) {
    ASSIGN_OR_RETURN(old_id, OnlyProtector(record, ProtectorKind::kPassphrase));
  }
  ASSIGN_OR_RETURN(const ProtectorRecord replacement,
                   Wrap(ProtectorKind::kPassphrase,
                        ProtectorBinding{.uid = uid, .identifier = record.identifier}, opened.key,
                        new_passphrase));
  return store_.ReplaceProtector(uid, record.name, old_id, replacement);
}

absl::StatusOr<SecretBuffer> Enrolment::RenewRecovery(Uid uid, const Credential& credential) {
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  ASSIGN_OR_RETURN(const OpenedKey opened, opener_.Open(record, credential));
  ASSIGN_OR_RETURN(const ProtectorId old_id, OnlyProtector(record, ProtectorKind::kRecovery));
  ASSIGN_OR_RETURN(
      RecoverySecret recovery,
      NewRecovery(ProtectorBinding{.uid = uid, .identifier = record.identifier}, opened.key));
  RETURN_IF_ERROR(store_.ReplaceProtector(uid, record.name, old_id, recovery.record));
  return std::move(recovery.code);
}

}  // namespace ext4crypt
