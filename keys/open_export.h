// SPDX-License-Identifier: Apache-2.0
// The keys of an export, opened: by the service to import them, by the offline
// reader to look at a volume.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "keys/credential.h"
#include "keys/export.h"

namespace ext4crypt {

struct PlainKey {
  std::string name;
  KeyRecord record;
  SecretBuffer key;
};

// Opens the default key's record.
using RecordOpener = std::function<absl::StatusOr<OpenedKey>(const KeyRecord& record)>;

// All of them, the default key first, each checked against its identifier. `kinds` has all kinds
// that an export can hold. The errors of `open_default`, and kRecordUnusable.
[[nodiscard]] absl::StatusOr<std::vector<PlainKey>> OpenExport(const Export& exported,
                                                               const ProtectorKinds& kinds,
                                                               const RecordOpener& open_default);
// By one credential, where nobody counts guesses. Also the errors of SecretOf() and OpenRecord().
[[nodiscard]] absl::StatusOr<std::vector<PlainKey>> OpenExport(const Export& exported,
                                                               const ProtectorKinds& kinds,
                                                               const Credential& credential);

}  // namespace ext4crypt
