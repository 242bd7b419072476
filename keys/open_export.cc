// SPDX-License-Identifier: Apache-2.0
#include "keys/open_export.h"

#include <utility>

#include "common/error.h"
#include "common/status_macros.h"
#include "keys/crypto/hkdf.h"
#include "keys/key_name.h"
#include "keys/open_record.h"

namespace ext4crypt {

absl::StatusOr<std::vector<PlainKey>> OpenExport(const Export& exported,
                                                 const ProtectorKinds& kinds,
                                                 const RecordOpener& open_default) {
  std::vector<PlainKey> keys;
  for (const ProtectorRecord& record : exported.keys[0].protectors) {
    const auto kind = kinds.find(record.kind);
    if (kind != kinds.end() && !kind->second->IsAffordable(record)) {
      return Error(ErrorReason::kRecordUnusable, "its passphrase costs more than is done for it");
    }
  }
  ASSIGN_OR_RETURN(OpenedKey first, open_default(exported.keys[0]));
  keys.push_back(
      {.name = exported.keys[0].name, .record = exported.keys[0], .key = std::move(first.key)});
  for (size_t i = 1; i < exported.keys.size(); ++i) {
    const KeyRecord& record = exported.keys[i];
    const ProtectorBinding binding{.uid = exported.uid, .identifier = record.identifier};
    if (!IsKeyName(record.name)) return Error(ErrorReason::kRecordUnusable, "an impossible name");
    auto key =
        kinds.at(ProtectorKind::kDefaultKey)->Unwrap(binding, record.protectors[0], keys[0].key);
    if (!key.ok() || FscryptKeyIdentifier(*key) != record.identifier) {
      return Error(ErrorReason::kRecordUnusable, "a named key does not open", record.name);
    }
    keys.push_back({.name = record.name, .record = record, .key = *std::move(key)});
  }
  return keys;
}

absl::StatusOr<std::vector<PlainKey>> OpenExport(const Export& exported,
                                                 const ProtectorKinds& kinds,
                                                 const Credential& credential) {
  ASSIGN_OR_RETURN(const SecretBuffer secret, SecretOf(credential));
  return OpenExport(exported, kinds, [&](const KeyRecord& record) {
    return OpenRecord(record, credential.kind, secret, kinds);
  });
}

}  // namespace ext4crypt
