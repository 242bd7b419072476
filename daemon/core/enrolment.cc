// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/enrolment.h"

#include <utility>

#include "common/error.h"
#include "common/recovery_code.h"
#include "common/status_macros.h"
#include "keys/crypto/hkdf.h"
#include "keys/crypto/random.h"

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

std::optional<ProtectorId> FirstOf(const KeyRecord& record, ProtectorKind kind) {
  for (const ProtectorRecord& protector : record.protectors) {
    if (protector.kind == kind) return protector.id;
  }
  return std::nullopt;
}

ProtectorBinding BindingOf(const KeyRecord& record) {
  return {.uid = record.uid, .identifier = record.identifier};
}

}  // namespace

absl::StatusOr<ProtectorRecord> Enrolment::Wrap(ProtectorKind kind, const ProtectorBinding& binding,
                                                const SecretBuffer& key, const SecretBuffer& secret,
                                                const PublicParameters& parameters) {
  const auto mechanism = kinds_.find(kind);
  if (mechanism == kinds_.end()) {
    return Error(ErrorReason::kInternal, "a kind that is not wrapped here", KindName(kind));
  }
  ASSIGN_OR_RETURN(ProtectorRecord record,
                   mechanism->second->Wrap(binding, key, secret, parameters));
  record.created_unix_s = clock_.UnixSeconds();
  return record;
}

absl::StatusOr<Enrolment::RecoverySecret> Enrolment::NewRecovery(const ProtectorBinding& binding,
                                                                 const SecretBuffer& key) {
  const SecretBuffer secret = RandomSecret(kRecoverySecretSize);
  ASSIGN_OR_RETURN(ProtectorRecord record, Wrap(ProtectorKind::kRecovery, binding, key, secret));
  return RecoverySecret{.record = std::move(record), .code = FormatRecoveryCode(secret)};
}

absl::StatusOr<ProtectorRecord> Enrolment::MakePassphrase(Uid uid, const SecretBuffer& key,
                                                          const SecretBuffer& passphrase) {
  RETURN_IF_ERROR(CheckNewPassphrase(passphrase));
  const ProtectorBinding binding{.uid = uid, .identifier = FscryptKeyIdentifier(key)};
  return Wrap(ProtectorKind::kPassphrase, binding, key, passphrase);
}

absl::StatusOr<Enrolment::NewProtectors> Enrolment::MakeProtectors(Uid uid, const SecretBuffer& key,
                                                                   const SecretBuffer& passphrase) {
  const ProtectorBinding binding{.uid = uid, .identifier = FscryptKeyIdentifier(key)};
  NewProtectors made;
  ASSIGN_OR_RETURN(ProtectorRecord by_passphrase, MakePassphrase(uid, key, passphrase));
  ASSIGN_OR_RETURN(RecoverySecret recovery, NewRecovery(binding, key));
  made.records.push_back(std::move(by_passphrase));
  made.records.push_back(std::move(recovery.record));
  made.recovery_code = std::move(recovery.code);
  return made;
}

absl::StatusOr<std::vector<ProtectorRecord>> Enrolment::WrapForDefaultKey(
    Uid uid, const SecretBuffer& key, const SecretBuffer& default_key) {
  const ProtectorBinding binding{.uid = uid, .identifier = FscryptKeyIdentifier(key)};
  ASSIGN_OR_RETURN(ProtectorRecord record,
                   Wrap(ProtectorKind::kDefaultKey, binding, key, default_key));
  std::vector<ProtectorRecord> records;
  records.push_back(std::move(record));
  return records;
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
  ASSIGN_OR_RETURN(NewProtectors made, MakeProtectors(uid, key, passphrase));
  record.protectors = std::move(made.records);
  RETURN_IF_ERROR(store_.CreateKey(record));
  return EnrolledKey{.identifier = record.identifier,
                     .recovery_code = std::move(made.recovery_code)};
}

absl::Status Enrolment::Put(const KeyRecord& record, const std::optional<ProtectorId>& old_id,
                            const ProtectorRecord& protector) {
  return old_id.has_value() ? store_.ReplaceProtector(record.uid, record.name, *old_id, protector)
                            : store_.AddProtector(record.uid, record.name, protector);
}

absl::Status Enrolment::ChangePassphrase(Uid uid, const Credential& credential,
                                         const SecretBuffer& new_passphrase) {
  RETURN_IF_ERROR(CheckNewPassphrase(new_passphrase));
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  ASSIGN_OR_RETURN(const OpenedKey opened, opener_.Open(record, credential));
  const std::vector<const ProtectorRecord*> old = OpenedByPassphrase(record, credential);
  if (old.empty()) {
    ASSIGN_OR_RETURN(
        const ProtectorRecord protector,
        Wrap(ProtectorKind::kPassphrase, BindingOf(record), opened.key, new_passphrase));
    return store_.AddProtector(uid, record.name, protector);
  }
  std::vector<ProtectorReplacement> replacements;
  for (const ProtectorRecord* protector : old) {
    ASSIGN_OR_RETURN(ProtectorReplacement made,
                     Rewrap(record, *protector, opened.key, new_passphrase));
    replacements.push_back(std::move(made));
  }
  return store_.ReplaceProtectors(uid, record.name, replacements);
}

std::vector<const ProtectorRecord*> Enrolment::OpenedByPassphrase(
    const KeyRecord& record, const Credential& credential) const {
  std::vector<const ProtectorRecord*> opened;
  for (const ProtectorRecord& protector : record.protectors) {
    const auto mechanism = kinds_.find(protector.kind);
    if (mechanism == kinds_.end() ||
        mechanism->second->opened_by() != CredentialKind::kPassphrase) {
      continue;
    }
    // Another passphrase's is left as it is: who knows this one has not said to end that.
    if (credential.kind == CredentialKind::kPassphrase &&
        !mechanism->second->Unwrap(BindingOf(record), protector, credential.secret).ok()) {
      continue;
    }
    opened.push_back(&protector);
  }
  return opened;
}

absl::StatusOr<ProtectorReplacement> Enrolment::Rewrap(const KeyRecord& record,
                                                       const ProtectorRecord& protector,
                                                       const SecretBuffer& key,
                                                       const SecretBuffer& new_passphrase) {
  ASSIGN_OR_RETURN(ProtectorRecord replacement,
                   Wrap(protector.kind, BindingOf(record), key, new_passphrase));
  replacement.name = protector.name;
  return ProtectorReplacement{.old_id = protector.id, .replacement = std::move(replacement)};
}

absl::StatusOr<SecretBuffer> Enrolment::RenewRecovery(Uid uid, const Credential& credential) {
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  ASSIGN_OR_RETURN(const OpenedKey opened, opener_.Open(record, credential));
  ASSIGN_OR_RETURN(RecoverySecret recovery, NewRecovery(BindingOf(record), opened.key));
  RETURN_IF_ERROR(Put(record, FirstOf(record, ProtectorKind::kRecovery), recovery.record));
  return std::move(recovery.code);
}

absl::StatusOr<Enrolment::AddedRecovery> Enrolment::AddRecovery(Uid uid,
                                                                const Credential& credential) {
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  ASSIGN_OR_RETURN(const OpenedKey opened, opener_.Open(record, credential));
  ASSIGN_OR_RETURN(RecoverySecret recovery, NewRecovery(BindingOf(record), opened.key));
  RETURN_IF_ERROR(store_.AddProtector(uid, record.name, recovery.record));
  return AddedRecovery{.id = recovery.record.id, .code = std::move(recovery.code)};
}

absl::StatusOr<ProtectorId> Enrolment::AddKeyFile(Uid uid, const Credential& credential,
                                                  const SecretBuffer& contents) {
  if (contents.size() != kKeyFileSize) {
    return Error(ErrorReason::kKeyFileUnusable, "a key file of the wrong size");
  }
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  ASSIGN_OR_RETURN(const OpenedKey opened, opener_.Open(record, credential));
  ASSIGN_OR_RETURN(const ProtectorRecord protector,
                   Wrap(ProtectorKind::kKeyFile, BindingOf(record), opened.key, contents));
  RETURN_IF_ERROR(store_.AddProtector(uid, record.name, protector));
  return protector.id;
}

absl::StatusOr<ProtectorId> Enrolment::AddFido2(Uid uid, const Credential& credential,
                                                const SecretBuffer& secret,
                                                const PublicParameters& parameters,
                                                const std::string& name) {
  if (!IsProtectorName(name)) {
    return Error(ErrorReason::kProtectorNameInvalid, "no name for a protector");
  }
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  ASSIGN_OR_RETURN(const OpenedKey opened, opener_.Open(record, credential));
  ASSIGN_OR_RETURN(ProtectorRecord protector,
                   Wrap(ProtectorKind::kFido2, BindingOf(record), opened.key, secret, parameters));
  protector.name = name;
  RETURN_IF_ERROR(store_.AddProtector(uid, record.name, protector));
  return protector.id;
}

absl::StatusOr<std::vector<ProtectorRecord>> Enrolment::Protectors(Uid uid) {
  ASSIGN_OR_RETURN(KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  return std::move(record.protectors);
}

absl::Status Enrolment::RenameProtector(Uid uid, const ProtectorId& id, const std::string& name) {
  if (!IsProtectorName(name)) {
    return Error(ErrorReason::kProtectorNameInvalid, "no name for a protector");
  }
  return store_.RenameProtector(uid, kDefaultKeyName, id, name);
}

absl::Status Enrolment::RemoveProtector(Uid uid, const Credential& credential,
                                        const ProtectorId& id) {
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  RETURN_IF_ERROR(opener_.Open(record, credential).status());
  return store_.RemoveProtector(uid, record.name, id);
}

}  // namespace ext4crypt
