// SPDX-License-Identifier: Apache-2.0
#include "keys/records.h"

#include <algorithm>

namespace ext4crypt {

std::optional<ProtectorKind> KindByName(absl::string_view name) {
  for (const ProtectorKind kind :
       {ProtectorKind::kPassphrase, ProtectorKind::kRecovery, ProtectorKind::kKeyFile,
        ProtectorKind::kDefaultKey, ProtectorKind::kShare, ProtectorKind::kFido2}) {
    if (name == KindName(kind)) return kind;
  }
  return std::nullopt;
}

std::vector<std::vector<uint8_t>> ParametersOf(const KeyRecord& record, ProtectorKind kind) {
  std::vector<std::vector<uint8_t>> all;
  for (const ProtectorRecord& protector : record.protectors) {
    if (protector.kind == kind) all.push_back(protector.parameters);
  }
  return all;
}

bool IsProtectorName(absl::string_view name) {
  return name.size() <= kMaxProtectorName && std::none_of(name.begin(), name.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

}  // namespace ext4crypt
