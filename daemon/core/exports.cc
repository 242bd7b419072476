// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/exports.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "keys/key_name.h"

namespace ext4crypt {

absl::StatusOr<Export> Exports::OwnKeys(Uid uid) {
  Export exported{.uid = uid};
  ASSIGN_OR_RETURN(exported.keys, store_.ListKeys(uid));
  const auto at = std::find_if(exported.keys.begin(), exported.keys.end(),
                               [](const KeyRecord& key) { return key.name == kDefaultKeyName; });
  if (at == exported.keys.end()) return Error(ErrorReason::kChangedMeanwhile, "the key is gone");
  std::rotate(exported.keys.begin(), at, at + 1);
  return exported;
}

absl::StatusOr<std::vector<uint8_t>> Exports::Make(Uid uid, const Credential& credential) {
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  RETURN_IF_ERROR(opener_.Open(record, credential).status());
  ASSIGN_OR_RETURN(const Export exported, OwnKeys(uid));
  return EncodeExport(exported);
}

absl::StatusOr<Export> Exports::MakeForVolume(Uid uid) {
  // For its kNotEnrolled.
  RETURN_IF_ERROR(store_.FindKey(uid, kDefaultKeyName).status());
  ASSIGN_OR_RETURN(Export exported, OwnKeys(uid));
  std::vector<ProtectorRecord>& protectors = exported.keys[0].protectors;
  std::erase_if(protectors, [this](const ProtectorRecord& protector) {
    const auto kind = kinds_.find(protector.kind);
    return kind == kinds_.end() || kind->second->opened_by() == CredentialKind::kPassphrase;
  });
  if (protectors.empty()) {
    return Error(ErrorReason::kNoSuchProtector, "nothing but the passphrase opens the key");
  }
  return exported;
}

absl::StatusOr<ImportedKeys> Exports::Import(Uid uid, absl::Span<const uint8_t> bytes,
                                             const Credential& credential,
                                             const SecretBuffer& new_passphrase,
                                             const std::string& name,
                                             const std::optional<KeyIdentifier>& expected) {
  ASSIGN_OR_RETURN(const Export exported, DecodeExport(bytes));
  // Before anything is opened. What is opened is then held against this identifier in its turn.
  if (expected.has_value() && exported.keys[0].identifier != *expected) {
    return Error(ErrorReason::kRecordUnusable, "the keys of another default key");
  }
  ASSIGN_OR_RETURN(std::vector<PlainKey> keys,
                   OpenExport(exported, kinds_, [&](const KeyRecord& record) {
                     // The uid in the export is only a number that somebody wrote.
                     return opener_.Open(record, credential, uid);
                   }));
  if (!name.empty()) return ImportAsNamed(uid, std::move(keys), name);

  ImportedKeys imported{.identifier = keys[0].record.identifier};
  std::vector<KeyRecord> records;
  for (PlainKey& plain : keys) {
    imported.names.push_back(plain.name);
    plain.record.uid = uid;
    if (uid != exported.uid && plain.name != kDefaultKeyName) {
      ASSIGN_OR_RETURN(plain.record.protectors,
                       enrolment_.WrapForDefaultKey(uid, plain.key, keys[0].key));
    }
    records.push_back(plain.record);
  }
  std::vector<ProtectorRecord>& protectors = records[0].protectors;
  if (uid != exported.uid) {
    // Key files and the old code are bound to the old uid; who has them proves nothing here.
    const bool typed = credential.kind == CredentialKind::kPassphrase;
    ASSIGN_OR_RETURN(Enrolment::NewProtectors made,
                     enrolment_.MakeProtectors(
                         uid, keys[0].key,
                         typed && new_passphrase.empty() ? credential.secret : new_passphrase));
    protectors = std::move(made.records);
    imported.recovery_code = std::move(made.recovery_code);
  } else if (!new_passphrase.empty()) {
    ASSIGN_OR_RETURN(ProtectorRecord fresh,
                     enrolment_.MakePassphrase(uid, keys[0].key, new_passphrase));
    std::erase_if(protectors, [](const ProtectorRecord& protector) {
      return protector.kind == ProtectorKind::kPassphrase;
    });
    protectors.insert(protectors.begin(), std::move(fresh));
    if (protectors.size() > kMaxProtectors) {
      return Error(ErrorReason::kTooManyProtectors, "as many as may be");
    }
  }
  RETURN_IF_ERROR(store_.CreateKeys(records));
  return imported;
}

absl::StatusOr<ImportedKeys> Exports::ImportAsNamed(Uid uid, std::vector<PlainKey> keys,
                                                    const std::string& name) {
  const auto ours = held_.FindDefault(uid);
  if (ours == nullptr) return Error(ErrorReason::kKeyLocked, "the default key is not held");
  ASSIGN_OR_RETURN(const std::vector<KeyRecord> present, store_.ListKeys(uid));
  if (present.size() + keys.size() > kMaxKeys) {
    return Error(ErrorReason::kTooManyKeys, "more than may be");
  }
  ImportedKeys imported{.identifier = keys[0].record.identifier};
  std::vector<KeyRecord> records;
  for (PlainKey& plain : keys) {
    plain.record.uid = uid;
    plain.record.name = plain.name == kDefaultKeyName ? name : absl::StrCat(name, ".", plain.name);
    if (!IsKeyName(plain.record.name) || plain.record.name == kDefaultKeyName) {
      return Error(ErrorReason::kKeyNameInvalid, "no name for a key", plain.record.name);
    }
    ASSIGN_OR_RETURN(plain.record.protectors,
                     enrolment_.WrapForDefaultKey(uid, plain.key, ours->key));
    imported.names.push_back(plain.record.name);
    records.push_back(plain.record);
  }
  const absl::Status created = store_.CreateKeys(records);
  if (ReasonOf(created) == ErrorReason::kAlreadyEnrolled) {
    return Error(ErrorReason::kKeyExists, "a key of that name exists", name);
  }
  RETURN_IF_ERROR(created);
  return imported;
}

}  // namespace ext4crypt
