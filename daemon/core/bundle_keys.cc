// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/bundle_keys.h"

#include <utility>

#include "common/error.h"
#include "common/status_macros.h"
#include "daemon/core/named_keys.h"
#include "daemon/crypto/hkdf.h"

namespace ext4crypt {

absl::StatusOr<std::vector<PlainKey>> OpenBundle(const Bundle& bundle, const Credential& credential,
                                                 const ProtectorKinds& kinds, KeyOpener& opener,
                                                 Uid guesser) {
  std::vector<PlainKey> keys;
  for (const ProtectorRecord& record : bundle.keys[0].protectors) {
    if (!kinds.at(record.kind)->IsAffordable(record)) {
      return Error(ErrorReason::kRecordUnusable, "its passphrase costs more than is done for it");
    }
  }
  ASSIGN_OR_RETURN(OpenedKey first, opener.Open(bundle.keys[0], credential, guesser));
  keys.push_back(
      {.name = bundle.keys[0].name, .record = bundle.keys[0], .key = std::move(first.key)});
  for (size_t i = 1; i < bundle.keys.size(); ++i) {
    const KeyRecord& record = bundle.keys[i];
    const ProtectorBinding binding{.uid = bundle.uid, .identifier = record.identifier};
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

}  // namespace ext4crypt
