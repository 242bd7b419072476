// SPDX-License-Identifier: Apache-2.0
#include "keys/records.h"

#include <algorithm>

namespace ext4crypt {

std::optional<ProtectorKind> KindByName(absl::string_view name) {
  for (const ProtectorKind kind :
       {ProtectorKind::kPassphrase, ProtectorKind::kRecovery, ProtectorKind::kKeyFile,
        ProtectorKind::kDefaultKey, ProtectorKind::kShare}) {
    if (name == KindName(kind)) return kind;
  }
  return std::nullopt;
}

bool IsProtectorName(absl::string_view name) {
  return name.size() <= kMaxProtectorName && std::none_of(name.begin(), name.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

}  // namespace ext4crypt
