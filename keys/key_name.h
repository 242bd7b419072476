// SPDX-License-Identifier: Apache-2.0
// Names of keys.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "keys/records.h"

namespace ext4crypt {

// Whether it may be the name of a named key.
[[nodiscard]] bool IsKeyName(absl::string_view name);
// kKeyNameInvalid.
[[nodiscard]] absl::Status InvalidKeyName(absl::string_view name);

// Names a key for one user: the user's own, or somebody else's.
struct KeyName {
  Uid owner = 0;
  std::string name;
};

// "name", or "UID/name" for a key of another user. kKeyNameInvalid.
[[nodiscard]] absl::StatusOr<KeyName> ParseKeyName(Uid uid, const std::string& text);
[[nodiscard]] std::string FormatKeyName(Uid uid, const KeyName& name);

}  // namespace ext4crypt
